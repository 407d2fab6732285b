check_PROGRAMS += tests/test_tree tests/test_sampler
tests_test_tree_SOURCES = tests/test_tree.c
tests_test_sampler_SOURCES = tests/test_sampler.c tests/fake_model.h
TESTS += tests/test_tree tests/test_sampler
