check_PROGRAMS += tests/test_tree tests/test_sampler tests/test_same_tokens tests/test_probe tests/test_demo tests/test_trace
tests_test_tree_SOURCES = tests/test_tree.c
tests_test_sampler_SOURCES = tests/test_sampler.c tests/sampler_util.h tests/fake_model.h
tests_test_same_tokens_SOURCES = tests/test_same_tokens.c tests/sampler_util.h tests/fake_model.h
tests_test_probe_SOURCES = tests/test_probe.c
tests_test_demo_SOURCES = tests/test_demo.c
tests_test_trace_SOURCES = tests/test_trace.c tests/sampler_util.h tests/fake_model.h
TESTS += tests/test_tree tests/test_sampler tests/test_same_tokens tests/test_probe tests/test_demo tests/test_trace tests/run.sh
EXTRA_DIST += tests/run.sh tests/golden/demo/duo-text8.safetensors tests/golden/demo/mdlm-text8.safetensors

check_PROGRAMS += tests/test_guidance
tests_test_guidance_SOURCES = tests/test_guidance.c tests/sampler_util.h tests/fake_model.h
TESTS += tests/test_guidance tests/guide.sh
EXTRA_DIST += tests/guide.sh

check_PROGRAMS += tests/test_metric tests/test_likelihood tests/test_sweep
tests_test_metric_SOURCES = tests/test_metric.c
tests_test_likelihood_SOURCES = tests/test_likelihood.c
tests_test_sweep_SOURCES = tests/test_sweep.c
TESTS += tests/test_metric tests/test_likelihood tests/test_sweep tests/sweep.sh tests/demos.sh
EXTRA_DIST += tests/sweep.sh tests/demos.sh

# PSIVIEW_KILLS=200 kills more often.
TESTS += tests/train.sh tests/mpi.sh
EXTRA_DIST += tests/train.sh tests/mpi.sh
