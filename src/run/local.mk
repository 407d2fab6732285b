libpsiview_a_SOURCES += \
	src/run/cache.c \
	src/run/cache.h \
	src/run/command.c \
	src/run/command.h \
	src/run/features.c \
	src/run/features.h \
	src/run/options.c \
	src/run/options.h \
	src/run/open.h \
	src/run/outfile.c \
	src/run/outfile.h \
	src/run/sample.c \
	src/run/sample.h \
	src/run/sampler.c \
	src/run/sampler.h \
	src/run/sampler_private.h \
	src/run/serve.c \
	src/run/serve_look.c \
	src/run/settings.c \
	src/run/settings.h \
	src/run/tokenizer.c \
	src/run/tokenizer.h \
	src/run/trace.c \
	src/run/trace.h
