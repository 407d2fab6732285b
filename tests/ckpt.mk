check_PROGRAMS += tests/test_hostile
tests_test_hostile_SOURCES = tests/test_hostile.c tests/text_util.h
TESTS += tests/hostile.sh
EXTRA_DIST += tests/hostile.sh tests/golden/hostile/checkpoints.tar.xz
