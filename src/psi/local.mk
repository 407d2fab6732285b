libpsiview_a_SOURCES += \
	src/psi/alpha.h \
	src/psi/filter.h \
	src/psi/look.h \
	src/psi/metric.h \
	src/psi/plan.h \
	src/psi/posterior.h \
	src/psi/recipe.h \
	src/psi/step.h \
	src/psi/tree.c \
	src/psi/tree.h
