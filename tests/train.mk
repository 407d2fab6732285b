check_PROGRAMS += tests/test_train_loss
tests_test_train_loss_SOURCES = tests/test_train_loss.c tests/psi_util.h tests/text_util.h
TESTS += tests/test_train_loss
EXTRA_DIST += tests/golden/training
