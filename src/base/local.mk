libpsiview_a_SOURCES += \
	src/base/error.h src/base/error.c \
	src/base/json.h src/base/json.c \
	src/base/mem.h src/base/mem.c \
	src/base/pool.h src/base/pool.c \
	src/base/rng.h src/base/rng.c \
	src/base/thread.h src/base/thread.c
