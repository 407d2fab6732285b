libpsiview_a_SOURCES += \
	src/ckpt/ckpt.h src/ckpt/ckpt_impl.h src/ckpt/ckpt.c \
	src/ckpt/complete.c \
	src/ckpt/config.h src/ckpt/config_impl.h src/ckpt/config.c src/ckpt/config_json.c \
	src/ckpt/config_pickle.h src/ckpt/config_pickle.c \
	src/ckpt/config_write.c \
	src/ckpt/hash.c \
	src/ckpt/hf.c \
	src/ckpt/lightning.c \
	src/ckpt/list.c \
	src/ckpt/map.h src/ckpt/map.c \
	src/ckpt/names.h src/ckpt/names.c \
	src/ckpt/own.h src/ckpt/own.c \
	src/ckpt/order.h src/ckpt/order.c \
	src/ckpt/pickle.h src/ckpt/pickle_impl.h src/ckpt/pickle.c \
	src/ckpt/safetensors.h src/ckpt/safetensors.c src/ckpt/st_writer.c \
	src/ckpt/seems.c \
	src/ckpt/tensor.h src/ckpt/tensor.c \
	src/ckpt/tok_pickle.c \
	src/ckpt/torch.h src/ckpt/torch.c \
	src/ckpt/unpickle_impl.h src/ckpt/unpickle.c src/ckpt/unpickle_call.c src/ckpt/unpickle_const.c \
	src/ckpt/verify.c \
	src/ckpt/zip.h src/ckpt/zip.c
