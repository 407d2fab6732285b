libpsiview_a_SOURCES += \
	models/registry.h
