libpsiview_a_SOURCES += \
	src/run/command.c \
	src/run/command.h \
	src/run/sampler.h
