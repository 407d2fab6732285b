# Samples as files.
check_PROGRAMS += tests/same_picture
tests_same_picture_SOURCES = tests/same_picture.c
TESTS += tests/media.sh
EXTRA_DIST += tests/media.sh
