libpsiview_a_SOURCES += \
	src/net/back.h src/net/back.c \
	src/net/back_attend.c \
	src/net/back_conv.c \
	src/net/back_embed.c \
	src/net/back_ends.c \
	src/net/back_group.c \
	src/net/back_head.c \
	src/net/back_gate.c \
	src/net/back_kernel.c \
	src/net/back_linear.c \
	src/net/back_norm.c \
	src/net/back_outer.c \
	src/net/back_winograd.c \
	src/net/classifier.h src/net/classifier.c src/net/classifier_loss.c \
	src/net/conv.h \
	src/net/dropout.h src/net/dropout.c \
	src/net/exec.h src/net/exec.c \
	src/net/extend.c \
	src/net/flat.h src/net/flat.c \
	src/net/gemm.h src/net/gemm.c \
	src/net/head.c \
	src/net/kern.h src/net/kern.c \
	src/net/kern_avx2.c \
	src/net/kern_avx512.c \
	src/net/kern_body.h \
	src/net/kern_image.h src/net/kern_image_body.h \
	src/net/kern_portable.c \
	src/net/learn.h src/net/learn.c \
	src/net/model.h src/net/model.c \
	src/net/net.h src/net/net.c \
	src/net/netmodel.h \
	src/net/op_attend.c \
	src/net/op_conv.c \
	src/net/op_embed.c \
	src/net/op_group.c \
	src/net/op_linear.c \
	src/net/op_norm.c \
	src/net/op_winograd.c \
	src/net/plan.h src/net/plan.c \
	src/net/run.h src/net/run.c src/net/run_private.h \
	src/net/weights.h src/net/weights.c
