check_PROGRAMS += tests/test_canvas tests/test_command tests/test_input tests/test_theme
tests_test_canvas_SOURCES = tests/test_canvas.c
tests_test_command_SOURCES = tests/test_command.c
tests_test_input_SOURCES = tests/test_input.c
tests_test_theme_SOURCES = tests/test_theme.c
TESTS += tests/test_canvas tests/test_command tests/test_input tests/test_theme
