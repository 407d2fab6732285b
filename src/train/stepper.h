/*
 * stepper.h: one optimiser step, and validation.  The batch is drawn, corrupted
 * (or given a Gaussian latent), passed forward and back in micro-batches that
 * fit the memory, clipped, and applied.  One thread; loops on the pool.
 */
#ifndef PSI_TRAIN_STEPPER_H
#define PSI_TRAIN_STEPPER_H

#include "net/learn.h"
#include "train/state.h"

struct stepper;

/* Processes that share a step's samples (data parallel).  All of them call the
 * same functions in the same order. */
struct reduce {
	int rank, size;
	/* Sum over all processes, in place, the same bits everywhere. */
	enum status (*floats)(void *arg, float *x, size_t n, struct error *e);
	enum status (*doubles)(void *arg, double *x, size_t n, struct error *e);
	void *arg;
};

struct stepper_setup {
	const struct job *job;           /* borrowed, completed by source_open */
	const struct source *source;     /* borrowed */
	struct train_state *state;       /* borrowed */
	struct pool *pool;               /* borrowed */
	const struct reduce *reduce;     /* NULL: alone */
};

struct stepper_plan {
	int micro;                       /* samples at once */
	int passes;                      /* of a step */
	uint64_t bytes;                  /* weights, moments, average, gradients, activations */
	struct operator_window window;   /* of Gaussian latents; both 0: there are none */
	double error_alpha, error_slope; /* of the operator's polynomial; 0: T exactly */
};

/* ST_MEMORY, naming the least that is needed, if job->memory is too small for one sample at once. */
enum status stepper_new(const struct stepper_setup *s, struct stepper **out, struct error *e);
void stepper_free(struct stepper *s);
struct stepper_plan stepper_plan(const struct stepper *s);

struct step_numbers {
	int64_t step;                    /* done with this one */
	double loss;                     /* nats per token, mean over the tokens that count */
	double grad_norm, lr, clip_factor, ema;
	double seconds;
	double tokens;                   /* positions passed forward and back */
	/* curriculum; gamma NAN: none in this step.  Means over the batch. */
	double gamma, alpha, kept;       /* kept: softmax mass of the k kept coordinates */
};

/* One step; on any status but ST_OK the state is untouched.  ST_NUMERIC: the
 * loss or the gradient is not finite; the message has the step's numbers. */
enum status stepper_run(struct stepper *s, struct step_numbers *out, struct cancel *c, struct error *e);

struct bound_numbers {
	double nats;                     /* NELBO per token, by EMA weights (raw: otherwise) */
	double error;                    /* standard error over samples */
	int samples;
	double accuracy;                 /* classifiers: share of right classes; else NAN */
};
/* Validation: job->valid_samples held-out samples, fixed noise, dropout off. */
enum status stepper_valid(struct stepper *s, bool raw, struct bound_numbers *out, struct cancel *c, struct error *e);

#endif
