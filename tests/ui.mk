check_PROGRAMS += tests/test_canvas tests/test_command
tests_test_canvas_SOURCES = tests/test_canvas.c
tests_test_command_SOURCES = tests/test_command.c
TESTS += tests/test_canvas tests/test_command
