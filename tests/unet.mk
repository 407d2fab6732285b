check_PROGRAMS += tests/test_golden_unet
tests_test_golden_unet_SOURCES = tests/test_golden_unet.c tests/golden.h
TESTS += tests/test_golden_unet
EXTRA_DIST += \
	tests/golden/images/unet-mdlm.safetensors tests/golden/images/unet-mdlm.golden.safetensors \
	tests/golden/images/unet-uncond-loglinear.ckpt tests/golden/images/unet-uncond-loglinear.golden.safetensors
