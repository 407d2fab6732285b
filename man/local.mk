dist_man_MANS += man/psiview.1 man/psiview-sweep.1 man/psiview-train.1 man/psiview-demos.7 man/psiview-differences.7
EXTRA_DIST += man/tables.sh man/psiview.png man/psiview-pictures.png man/psiview-train.png
