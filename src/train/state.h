/*
 * state.h: what a training run is between two steps: weights, moments, average,
 * step number; its checkpoints.  Every random number of a run is named by seed,
 * step and sample, so that there is no generator state besides.
 *
 * A checkpoint is psiview's own format (checkpoints.md section 3): raw weights
 * under the published names, ema.NAME, adam.m.NAME, adam.v.NAME, teacher.NAME
 * (distillation); metadata config, job, step, seed, best bound, vocabulary,
 * layout.  It appears complete or not at all.  Errors name the file.  One
 * thread.
 */
#ifndef PSI_TRAIN_STATE_H
#define PSI_TRAIN_STATE_H

#include "net/flat.h"
#include "train/source.h"

struct train_state {
	struct net *net;                 /* owned */
	struct flat flat;
	float *param, *m, *v, *ema;      /* owned */
	float *teacher;                  /* distillation: the weights of its teacher; owned; else NULL */
	int64_t step;                    /* done */
	double best;                     /* smallest validation bound so far, nats per token; INFINITY: none */
	int64_t best_step;
	uint64_t data;                   /* loaded: tokens or samples there were when it was saved; 0: unknown */
};

/* Bytes that the trainer may take: as the job says, else three quarters of the machine. */
uint64_t state_allowance(const struct job *j);

/* The network of the (completed) job with initial weights, or those of the
 * checkpoint that it begins from (init, for distillation the teacher): its
 * average where it has one; with init_state its weights, average, moments and
 * step.  ST_MEMORY, before any of it is taken, if weights, moments, average and
 * gradient alone are more than the allowance. */
enum status state_new(const struct job *j, struct train_state **out, struct error *e);
void state_free(struct train_state *s);
uint64_t state_bytes(const struct train_state *s);

/* src: vocabulary and layout; may be NULL. */
enum status state_save(const struct train_state *s, const struct job *j, const struct source *src, const char *path,
		       struct error *e);
/* Only the average, for inference, without the job: what the demos are.  dtype: DT_F32, DT_F16 or DT_BF16. */
enum status state_export(const struct train_state *s, const struct job *j, const struct source *src, int dtype,
			 const char *path, struct error *e);
/* A checkpoint of a run: its job (the path of the data as it was) and state.
 * job.like is path: source_open takes the vocabulary from it. */
enum status state_load(const char *path, struct job *j, struct train_state **out, struct error *e);

#endif
