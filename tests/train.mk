check_PROGRAMS += tests/test_distill
tests_test_distill_SOURCES = tests/test_distill.c tests/stepper_util.h
TESTS += tests/test_distill
check_PROGRAMS += tests/test_trainer
tests_test_trainer_SOURCES = tests/test_trainer.c tests/stepper_util.h
TESTS += tests/test_trainer
check_PROGRAMS += tests/test_stepper
tests_test_stepper_SOURCES = tests/test_stepper.c tests/stepper_util.h
TESTS += tests/test_stepper
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
check_PROGRAMS += tests/test_data_text
tests_test_data_text_SOURCES = tests/test_data_text.c tests/text_util.h
TESTS += tests/test_data_text
check_PROGRAMS += tests/test_data_image
tests_test_data_image_SOURCES = tests/test_data_image.c
TESTS += tests/test_data_image
check_PROGRAMS += tests/test_corrupt
tests_test_corrupt_SOURCES = tests/test_corrupt.c tests/chi_square.h
TESTS += tests/test_corrupt
check_PROGRAMS += tests/test_job
tests_test_job_SOURCES = tests/test_job.c
TESTS += tests/test_job
check_PROGRAMS += tests/test_source
tests_test_source_SOURCES = tests/test_source.c
TESTS += tests/test_source
check_PROGRAMS += tests/test_state
tests_test_state_SOURCES = tests/test_state.c tests/state_util.h
TESTS += tests/test_state
check_PROGRAMS += tests/test_init
tests_test_init_SOURCES = tests/test_init.c tests/state_util.h
TESTS += tests/test_init
check_PROGRAMS += tests/test_moments
tests_test_moments_SOURCES = tests/test_moments.c
TESTS += tests/test_moments
check_PROGRAMS += tests/test_train_class
tests_test_train_class_SOURCES = tests/test_train_class.c tests/state_util.h
TESTS += tests/test_train_class
EXTRA_DIST += tests/golden/training
check_PROGRAMS += tests/test_golden_train
tests_test_golden_train_SOURCES = tests/test_golden_train.c tests/learn_util.h tests/psi_util.h tests/text_util.h
TESTS += tests/test_golden_train
check_PROGRAMS += tests/test_golden_input
tests_test_golden_input_SOURCES = tests/test_golden_input.c tests/psi_util.h tests/text_util.h
TESTS += tests/test_golden_input
check_PROGRAMS += tests/test_golden_course
tests_test_golden_course_SOURCES = tests/test_golden_course.c tests/learn_util.h tests/psi_util.h tests/text_util.h
TESTS += tests/test_golden_course
check_PROGRAMS += tests/test_back_ops
tests_test_back_ops_SOURCES = tests/test_back_ops.c tests/back_util.h
TESTS += tests/test_back_ops
check_PROGRAMS += tests/test_learn
tests_test_learn_SOURCES = tests/test_learn.c tests/back_util.h
TESTS += tests/test_learn
check_PROGRAMS += tests/test_dropout
tests_test_dropout_SOURCES = tests/test_dropout.c tests/back_util.h
TESTS += tests/test_dropout
check_PROGRAMS += tests/test_curves
tests_test_curves_SOURCES = tests/test_curves.c tests/train_util.h tests/psi_util.h tests/text_util.h
TESTS += tests/test_curves

# make bench: training steps beside PyTorch's.
EXTRA_PROGRAMS += tests/bench/bench_train
tests_bench_bench_train_SOURCES = tests/bench/bench_train.c tests/bench/clock.h
CLEANFILES += tests/bench/bench_train
EXTRA_DIST += tests/bench/peer_train.py
bench: bench-train
bench-train: tests/bench/bench_train
	bash $(srcdir)/tests/bench/run.sh tests/bench/bench_train $(srcdir)/tests/bench/peer_train.py
.PHONY: bench-train

# make bench: the forms of the Gaussian curriculum beside one another.
EXTRA_PROGRAMS += tests/bench/bench_curriculum
tests_bench_bench_curriculum_SOURCES = tests/bench/bench_curriculum.c tests/bench/clock.h
CLEANFILES += tests/bench/bench_curriculum
bench: bench-curriculum
bench-curriculum: tests/bench/bench_curriculum
	./tests/bench/bench_curriculum
.PHONY: bench-curriculum
