dist_pkgdata_DATA += data/duo-text8.safetensors data/mdlm-text8.safetensors
EXTRA_DIST += data/README.md
