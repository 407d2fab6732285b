libpsiview_a_SOURCES += \
	src/ckpt/ckpt.h \
	src/ckpt/config.h \
	src/ckpt/map.h src/ckpt/map.c \
	src/ckpt/names.h src/ckpt/names.c \
	src/ckpt/safetensors.h src/ckpt/safetensors.c src/ckpt/st_writer.c \
	src/ckpt/tensor.h src/ckpt/tensor.c
