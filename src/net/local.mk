libpsiview_a_SOURCES += \
	src/net/model.h
