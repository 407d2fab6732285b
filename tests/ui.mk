check_PROGRAMS += tests/test_canvas tests/test_command tests/test_input tests/test_theme
tests_test_canvas_SOURCES = tests/test_canvas.c
tests_test_command_SOURCES = tests/test_command.c
tests_test_input_SOURCES = tests/test_input.c
tests_test_theme_SOURCES = tests/test_theme.c
TESTS += tests/test_canvas tests/test_command tests/test_input tests/test_theme
check_PROGRAMS += tests/test_app
tests_test_app_SOURCES = tests/test_app.c tests/app_util.h
TESTS += tests/test_app
check_PROGRAMS += tests/test_page
tests_test_page_SOURCES = tests/test_page.c tests/app_util.h
TESTS += tests/test_page
check_PROGRAMS += tests/test_screens
tests_test_screens_SOURCES = tests/test_screens.c tests/app_util.h tests/screen_golden.h
TESTS += tests/test_screens
check_PROGRAMS += tests/test_board
tests_test_board_SOURCES = tests/test_board.c tests/app_util.h tests/board_util.h tests/screen_golden.h
TESTS += tests/test_board
check_PROGRAMS += tests/test_train_app tests/test_train_term
tests_test_train_app_SOURCES = tests/test_train_app.c tests/app_util.h
tests_test_train_term_SOURCES = tests/test_train_term.c tests/pty.c tests/pty.h
TESTS += tests/test_train_app tests/test_train_term tests/train_view.sh
EXTRA_DIST += tests/train_view.sh
check_PROGRAMS += tests/test_train_view
tests_test_train_view_SOURCES = tests/test_train_view.c tests/fake_trainer.c tests/fake_trainer.h tests/app_util.h \
	tests/board_util.h tests/screen_golden.h
TESTS += tests/test_train_view
EXTRA_DIST += tests/golden/screens
# Golden screens anew, after a change that was meant.
.PHONY: update-screens
update-screens: tests/test_screens$(EXEEXT) tests/test_image$(EXEEXT) tests/test_board$(EXEEXT) \
	tests/test_train_view$(EXEEXT)
	SRCDIR='$(abs_srcdir)' PSIVIEW_SCREENS=write tests/test_screens$(EXEEXT)
	SRCDIR='$(abs_srcdir)' PSIVIEW_SCREENS=write tests/test_image$(EXEEXT)
	SRCDIR='$(abs_srcdir)' PSIVIEW_SCREENS=write tests/test_board$(EXEEXT)
	SRCDIR='$(abs_srcdir)' PSIVIEW_SCREENS=write tests/test_train_view$(EXEEXT)
check_PROGRAMS += tests/term_host
tests_term_host_SOURCES = tests/term_host.c tests/app_util.h
check_PROGRAMS += tests/test_term
tests_test_term_SOURCES = tests/test_term.c tests/pty.c tests/pty.h
TESTS += tests/test_term
EXTRA_DIST += tests/plain.sh
TESTS += tests/plain.sh
check_PROGRAMS += tests/test_picture
tests_test_picture_SOURCES = tests/test_picture.c tests/sixel_decode.h
TESTS += tests/test_picture
check_PROGRAMS += tests/test_image
tests_test_image_SOURCES = tests/test_image.c tests/app_util.h tests/screen_golden.h
TESTS += tests/test_image
check_PROGRAMS += tests/test_image_term
tests_test_image_term_SOURCES = tests/test_image_term.c tests/pty.c tests/pty.h tests/sixel_decode.h
TESTS += tests/test_image_term
