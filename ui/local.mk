libpsiview_a_SOURCES += \
	ui/app.h \
	ui/canvas.c \
	ui/canvas.h \
	ui/fallback.c \
	ui/fallback.h \
	ui/keys.c \
	ui/keys.h
