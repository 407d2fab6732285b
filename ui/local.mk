libpsiview_a_SOURCES += \
	ui/app.h \
	ui/canvas.c \
	ui/canvas.h \
	ui/fallback.c \
	ui/fallback.h \
	ui/keys.c \
	ui/keys.h
libpsiview_a_SOURCES += \
	ui/app.c \
	ui/app_private.h \
	ui/colour.c \
	ui/cursor.c \
	ui/do_change.c \
	ui/do_look.c \
	ui/do_time.c \
	ui/header.c \
	ui/inspect.c \
	ui/knobs.c \
	ui/plot.c \
	ui/plot.h \
	ui/reports.c \
	ui/timeline.c \
	ui/view_log.c \
	ui/view_sample.c \
	ui/view_text.c \
	ui/view_text.h \
	ui/view_tree.c \
	ui/words.c
