libpsiview_a_SOURCES += \
	src/train/loss.h src/train/loss_body.h src/train/loss.c
