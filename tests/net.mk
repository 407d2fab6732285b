check_PROGRAMS += tests/test_net
tests_test_net_SOURCES = tests/test_net.c tests/dit_reference.c tests/dit_reference.h
TESTS += tests/test_net

check_PROGRAMS += tests/test_golden_net tests/test_hostile_net
tests_test_hostile_net_SOURCES = tests/test_hostile_net.c
tests_test_golden_net_SOURCES = tests/test_golden_net.c tests/golden.h
TESTS += tests/test_golden_net tests/test_hostile_net
EXTRA_DIST += \
	tests/golden/text/ar-text8-small.ckpt tests/golden/text/ar-text8-small.golden.safetensors \
	tests/golden/text/sedd-text8-small.ckpt tests/golden/text/sedd-text8-small.golden.safetensors \
	tests/golden/hf/mdlm-text8/config.json tests/golden/hf/mdlm-text8/model.safetensors \
	tests/golden/hf/mdlm-text8.golden.safetensors \
	tests/golden/hf/udlm-cfg/config.json tests/golden/hf/udlm-cfg/pytorch_model.bin tests/golden/hf/udlm-cfg.golden.safetensors \
	tests/golden/hf/udlm-text8-f16/config.json tests/golden/hf/udlm-text8-f16/model.safetensors \
	tests/golden/hf/udlm-text8-f16.golden.safetensors

check_PROGRAMS += tests/test_kern
tests_test_kern_SOURCES = tests/test_kern.c
TESTS += tests/test_kern

# make bench: times beside PyTorch's, if a Python with torch is at hand
# (PYTHON=...); not part of make check.
EXTRA_PROGRAMS = tests/bench/bench_net
tests_bench_bench_net_SOURCES = tests/bench/bench_net.c tests/dit_reference.c tests/dit_reference.h
CLEANFILES += tests/bench/bench_net
EXTRA_DIST += tests/bench/peer.py tests/bench/run.sh
bench: tests/bench/bench_net
	bash $(srcdir)/tests/bench/run.sh tests/bench/bench_net $(srcdir)/tests/bench/peer.py
.PHONY: bench

check_PROGRAMS += tests/test_classifier
tests_test_classifier_SOURCES = tests/test_classifier.c tests/golden.h
TESTS += tests/test_classifier
EXTRA_DIST += tests/make_classifier_golden.py tests/golden/classifier
