libpsiview_a_SOURCES += \
	ui/app.h \
	ui/canvas.h \
	ui/keys.h
