# Samples as files.
check_PROGRAMS += tests/same_picture
tests_same_picture_SOURCES = tests/same_picture.c
TESTS += tests/media.sh
EXTRA_DIST += tests/media.sh
check_PROGRAMS += tests/test_gpt2
tests_test_gpt2_SOURCES = tests/test_gpt2.c
TESTS += tests/test_gpt2
