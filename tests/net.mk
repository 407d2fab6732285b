check_PROGRAMS += tests/test_net
tests_test_net_SOURCES = tests/test_net.c tests/dit_reference.c tests/dit_reference.h
TESTS += tests/test_net
