check_PROGRAMS += tests/test_unet tests/test_golden_unet
tests_test_unet_SOURCES = tests/test_unet.c tests/unet_reference.c tests/unet_reference.h tests/dit_reference.c tests/dit_reference.h
tests_test_golden_unet_SOURCES = tests/test_golden_unet.c tests/golden.h
TESTS += tests/test_unet tests/test_golden_unet
check_PROGRAMS += tests/test_back_image
tests_test_back_image_SOURCES = tests/test_back_image.c tests/unet_reference.c tests/unet_reference.h tests/dit_reference.c tests/dit_reference.h
TESTS += tests/test_back_image
EXTRA_DIST += \
	tests/golden/images/unet-mdlm.safetensors tests/golden/images/unet-mdlm.golden.safetensors \
	tests/golden/images/unet-uncond-loglinear.ckpt tests/golden/images/unet-uncond-loglinear.golden.safetensors

# make bench: the U-Net beside PyTorch's.
EXTRA_PROGRAMS += tests/bench/bench_unet
tests_bench_bench_unet_SOURCES = tests/bench/bench_unet.c tests/bench/clock.h tests/dit_reference.c tests/dit_reference.h
CLEANFILES += tests/bench/bench_unet
EXTRA_DIST += tests/bench/peer_unet.py
bench: bench-unet
bench-unet: tests/bench/bench_unet
	bash $(srcdir)/tests/bench/run.sh tests/bench/bench_unet $(srcdir)/tests/bench/peer_unet.py
.PHONY: bench-unet

# make bench: a training step of the U-Net beside PyTorch's.
EXTRA_PROGRAMS += tests/bench/bench_train_unet
tests_bench_bench_train_unet_SOURCES = tests/bench/bench_train_unet.c tests/bench/clock.h
CLEANFILES += tests/bench/bench_train_unet
EXTRA_DIST += tests/bench/peer_train_unet.py
bench: bench-train-unet
bench-train-unet: tests/bench/bench_train_unet
	bash $(srcdir)/tests/bench/run.sh tests/bench/bench_train_unet $(srcdir)/tests/bench/peer_train_unet.py
.PHONY: bench-train-unet
EXTRA_DIST += tests/bench/clock.h
