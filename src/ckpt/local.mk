libpsiview_a_SOURCES += \
	src/ckpt/ckpt.h \
	src/ckpt/config.h \
	src/ckpt/safetensors.h \
	src/ckpt/tensor.h
