EXTRA_DIST += tests/check.h
include tests/base.mk
include tests/ckpt.mk
include tests/text.mk
include tests/net.mk
include tests/unet.mk
include tests/psi.mk
include tests/train.mk
include tests/run.mk
include tests/media.mk
include tests/ui.mk
include tests/doc.mk
