check_PROGRAMS += tests/test_train_loss
tests_test_train_loss_SOURCES = tests/test_train_loss.c tests/psi_util.h tests/text_util.h
TESTS += tests/test_train_loss
check_PROGRAMS += tests/test_operator
tests_test_operator_SOURCES = tests/test_operator.c tests/train_util.h tests/psi_util.h tests/text_util.h
TESTS += tests/test_operator
check_PROGRAMS += tests/test_curriculum
tests_test_curriculum_SOURCES = tests/test_curriculum.c tests/chi_square.h tests/train_util.h tests/psi_util.h \
	tests/text_util.h
TESTS += tests/test_curriculum
check_PROGRAMS += tests/test_adam
tests_test_adam_SOURCES = tests/test_adam.c tests/train_util.h tests/psi_util.h tests/text_util.h
TESTS += tests/test_adam
check_PROGRAMS += tests/test_data_sudoku
tests_test_data_sudoku_SOURCES = tests/test_data_sudoku.c tests/chi_square.h
TESTS += tests/test_data_sudoku
EXTRA_DIST += tests/golden/training
