check_PROGRAMS += tests/test_text tests/test_text_golden tests/test_text_hostile tests/test_show tests/test_tokenizer_find
tests_test_text_SOURCES = tests/test_text.c tests/text_util.h
tests_test_text_golden_SOURCES = tests/test_text_golden.c tests/text_util.h
tests_test_text_hostile_SOURCES = tests/test_text_hostile.c tests/text_util.h
tests_test_tokenizer_find_SOURCES = tests/test_tokenizer_find.c tests/text_util.h
tests_test_show_SOURCES = tests/test_show.c tests/text_util.h
TESTS += tests/test_text tests/test_text_golden tests/test_text_hostile tests/test_show tests/test_tokenizer_find
EXTRA_DIST += tests/golden/tokenizers tests/golden/hostile/tokenizers tests/golden/text/tokenizers.json
