libpsiview_a_SOURCES += \
	src/text/show.h \
	src/text/token.h
