libpsiview_a_SOURCES += \
	models/classifier.h models/classifier.c \
	models/describe.h \
	models/dit.c \
	models/gpt2.c \
	models/init.h \
	models/oracle.h models/oracle.c \
	models/registry.h models/registry.c \
	models/unet.c
