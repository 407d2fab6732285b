check_PROGRAMS += tests/test_base
tests_test_base_SOURCES = tests/test_base.c
TESTS += tests/test_base
