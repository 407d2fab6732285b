check_PROGRAMS += tests/test_ckpt tests/test_ckpt_fuzz tests/test_hostile tests/test_tensor
tests_test_ckpt_SOURCES = tests/test_ckpt.c tests/text_util.h
tests_test_ckpt_fuzz_SOURCES = tests/test_ckpt_fuzz.c tests/text_util.h
tests_test_hostile_SOURCES = tests/test_hostile.c tests/text_util.h
tests_test_tensor_SOURCES = tests/test_tensor.c tests/text_util.h
TESTS += tests/test_ckpt tests/test_ckpt_fuzz tests/hostile.sh tests/test_tensor
EXTRA_DIST += tests/hostile.sh tests/golden/hostile/checkpoints.tar.xz tests/golden/ckpt
