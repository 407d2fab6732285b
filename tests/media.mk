# Samples as files.
check_PROGRAMS += tests/same_picture
tests_same_picture_SOURCES = tests/same_picture.c
TESTS += tests/media.sh
EXTRA_DIST += tests/media.sh
check_PROGRAMS += tests/test_gpt2
tests_test_gpt2_SOURCES = tests/test_gpt2.c
TESTS += tests/test_gpt2

# Files that are something else, or broken.
check_PROGRAMS += tests/test_hostile_media
tests_test_hostile_media_SOURCES = tests/test_hostile_media.c
TESTS += tests/test_hostile_media tests/foreign.sh
EXTRA_DIST += tests/foreign.sh tests/golden/foreign/sd.ckpt tests/golden/foreign/llama.bin tests/golden/foreign/legacy.pt
