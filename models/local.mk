libpsiview_a_SOURCES += \
	models/describe.h \
	models/dit.c \
	models/registry.h models/registry.c
