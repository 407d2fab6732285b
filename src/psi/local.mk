libpsiview_a_SOURCES += \
	src/psi/alpha.h src/psi/alpha.c \
	src/psi/bound.h src/psi/bound.c \
	src/psi/deal.h src/psi/deal.c \
	src/psi/draw.h src/psi/draw.c \
	src/psi/filter.h src/psi/filter.c \
	src/psi/guide.h src/psi/guide.c \
	src/psi/vocab.h src/psi/vocab_body.h src/psi/vocab.c \
	src/psi/knob.c \
	src/psi/look.h src/psi/look.c \
	src/psi/metric.h src/psi/metric.c \
	src/psi/plan.h src/psi/plan.c \
	src/psi/posterior.h src/psi/posterior.c \
	src/psi/recipe.h src/psi/recipe.c \
	src/psi/recipe_line.c \
	src/psi/state.c \
	src/psi/step.h src/psi/step.c \
	src/psi/tree.h src/psi/tree.c
