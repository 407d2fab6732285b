libpsiview_a_SOURCES += \
	src/text/token.h
