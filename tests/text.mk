check_PROGRAMS += tests/test_text_golden
tests_test_text_golden_SOURCES = tests/test_text_golden.c tests/text_util.h
TESTS += tests/test_text_golden
