/*
 * stepper_private.h: what the files of the stepper share.
 *
 *   stepper.c        plan, life, the step: accumulate, measure, apply
 *   stepper_batch.c  a micro-batch: samples, times, noise or latents
 *   stepper_loss.c   from rows of logits to losses and gradients
 *   stepper_valid.c  validation
 *   stepper_teacher.c  the teacher of a distillation
 */
#ifndef PSI_TRAIN_STEPPER_PRIVATE_H
#define PSI_TRAIN_STEPPER_PRIVATE_H

#include "psi/alpha.h"
#include "train/curriculum.h"
#include "train/stepper.h"

/* How the samples of a pass are made. */
enum batch_kind {
	BATCH_NOISE,                     /* the discrete process */
	BATCH_SIMPLE, BATCH_EFFICIENT,   /* a Gaussian latent */
	BATCH_PAIR                       /* distillation: two times of one trajectory */
};

/* One worker's scratch for a draw of k coordinates. */
struct chance_room {
	double *real;                    /* [6 k] r, q, log_u, g, value, weight */
	int32_t *whole;                  /* [2 k] ids, index */
};

/* A micro-batch; arrays have room for plan.micro samples. */
struct batch {
	enum batch_kind kind;
	bool held;                       /* validation: held-out samples, fixed noise, no dropout */
	uint64_t seed;
	uint32_t step;
	int first, n, total;             /* global number of its sample 0; samples; of the whole step */
	int32_t *x, *z;                  /* [n,L] clean, and what the network gets */
	int32_t *idx;                    /* [n,L,k] efficient */
	float *w;
	float *dense;                    /* [n,L,V] simple */
	double *sigma;                   /* [n] what the network is told */
	int *label;                      /* [n] */
	uint8_t *row;                    /* [n,L] a loss there */
	struct loss_time *at;            /* [n] */
	double *loss;                    /* [n,L] not weighted */
	double *gamma, *kept;            /* [n] curriculum; kept: mean over its positions */
	int32_t *earlier;                /* [n,L] distillation: z_s, what the teacher gets ... */
	double *sigma_earlier;           /* [n] ... and is told */
};

/* What a step adds up over the samples, in the order of their numbers. */
enum { SUM_LOSS, SUM_GAMMA, SUM_ALPHA, SUM_KEPT, SUMS };

struct teacher;

struct stepper {
	struct stepper_setup setup;
	const struct job *job;
	struct train_state *state;
	struct source_info info;
	struct pool *pool;
	struct reduce alone;             /* where setup.reduce is NULL */
	const struct reduce *reduce;
	struct stepper_plan plan;
	int first, end;                  /* this process's samples of a step */
	bool anchored;                   /* ignore_bos: position 0 is outside noise and loss */
	size_t counted;                  /* positions of a sample that the mean is over */

	struct loss loss;
	struct alpha alpha;
	struct operator_window window;   /* curriculum and distillation */
	struct operator_poly poly;       /* degree 0: T exactly */
	struct curriculum cur;
	struct chance_room *room;        /* [threads] */

	struct learn *learn;
	struct batch batch;
	float *grad;                     /* flat */
	double *piece;                   /* sums of squares of the pieces of grad */
	struct teacher *teacher;         /* distillation; else NULL */
	double *pooled;                  /* [micro] classifier: losses of the samples; else NULL */
};

/* stepper_batch.c */
enum status batch_new(struct stepper *s, struct error *e);
void batch_free(struct stepper *s);
/* Bytes for so many samples at once. */
uint64_t batch_bytes(const struct stepper *s, int micro);
/* Samples first .. first+n-1 of b->total. */
enum status batch_fill(struct stepper *s, struct cancel *c, struct error *e);
/* Kind of the step that follows `done` steps. */
enum batch_kind batch_kind_at(const struct job *j, int64_t done);
/* dt of the distillation's step that follows `done` steps. */
double distill_gap(const struct job *j, int64_t done);
/* alpha, 1 - alpha and d alpha / dt of a Gaussian process at t; returns sigma. */
double latent_time(const struct stepper *s, double t, struct loss_time *out, double *gamma);

/* stepper_loss.c: one pass over the micro-batch; weight: of the loss of one
 * position; grad NULL: forward only.  *right: classifiers, how many. */
enum status batch_pass(struct stepper *s, double weight, float *grad, int *right, struct cancel *c, struct error *e);
/* Losses of sample i, added up in the order of its positions. */
double batch_loss(const struct stepper *s, int i);

/* stepper_teacher.c.  It looks at state->teacher. */
enum status teacher_new(struct stepper *s, int micro, struct teacher **out, struct error *e);
void teacher_free(struct teacher *t);
enum status teacher_bytes(const struct stepper *s, int micro, uint64_t *out, struct error *e);
/* The teacher's weights have changed. */
void teacher_changed(struct teacher *t);
/* Features of the micro-batch at the earlier time. */
enum status teacher_look(struct stepper *s, struct cancel *c, struct error *e);
/* Logits [n,V] of rows at [n] = sample L + position; borrowed, valid until the next call. */
enum status teacher_rows(struct stepper *s, int n, const int *at, const float **logit, struct cancel *c,
			 struct error *e);

#endif
