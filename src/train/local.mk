libpsiview_a_SOURCES += \
	src/train/adam.h src/train/adam.c \
	src/train/alphabet.h src/train/alphabet.c \
	src/train/corrupt.h src/train/corrupt.c \
	src/train/curriculum.h src/train/curriculum.c \
	src/train/data_image.h src/train/data_image.c \
	src/train/data_sudoku.h src/train/data_sudoku.c \
	src/train/data_text.h src/train/data_text.c \
	src/train/job.h src/train/job.c src/train/job_field.c src/train/job_preset.c \
	src/train/loss.h src/train/loss_body.h src/train/loss.c \
	src/train/normal.h src/train/normal.c \
	src/train/operator.h src/train/operator.c \
	src/train/parallel.h src/train/parallel.c \
	src/train/source.h src/train/source.c \
	src/train/spool.h src/train/spool.c \
	src/train/state.h src/train/state.c \
	src/train/stepper.h src/train/stepper_private.h src/train/stepper.c src/train/stepper_batch.c \
	src/train/stepper_loss.c src/train/stepper_valid.c src/train/stepper_teacher.c \
	src/train/time.h src/train/time.c \
	src/train/trainer.h src/train/trainer_private.h src/train/trainer.c src/train/trainer_run.c \
	src/train/trainer_note.c src/train/trainer_show.c
