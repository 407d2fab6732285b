dist_pkgdata_DATA += data/duo-text8.safetensors data/mdlm-text8.safetensors data/unet-duo.safetensors
EXTRA_DIST += data/README.md
