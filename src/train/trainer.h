/*
 * trainer.h: the trainer thread.  It owns data, weights, moments and average;
 * everybody else asks and looks.  Nothing below blocks but trainer_new's start
 * of the thread, trainer_wait and trainer_free.
 *
 * A run writes into one folder or beside one file: OUT.safetensors is the last
 * checkpoint, OUT.best.safetensors the average with the smallest validation
 * bound, OUT.log.jsonl one line for each thing that happened.  No failure
 * touches a checkpoint that is already there.
 */
#ifndef PSI_TRAIN_TRAINER_H
#define PSI_TRAIN_TRAINER_H

#include <math.h>

#include "net/model.h"
#include "train/stepper.h"

struct trainer;

enum trainer_phase {
	TRAINER_OPENING,                 /* data, network, plan */
	TRAINER_RUNNING,
	TRAINER_VALIDATING,
	TRAINER_SAMPLING,                /* the samples of a checkpoint */
	TRAINER_SAVING,
	TRAINER_PAUSED,
	TRAINER_DONE,                    /* all steps done and saved */
	TRAINER_STOPPED,                 /* on request, saved */
	TRAINER_FAILED                   /* see .error; the last checkpoint is as it was */
};
const char *trainer_phase_name(enum trainer_phase p);

struct trainer_setup {
	struct job job;                  /* not looked at when resuming */
	const char *out;                 /* OUT.safetensors */
	const char *log;                 /* another file than OUT.log.jsonl; NULL: that */
	bool resume;                     /* go on from `out` */
	const char *data;                /* resuming: the data has moved here; NULL: as it was */
	int64_t steps;                   /* resuming: a new total; 0: as it was */
	struct pool *pool;               /* borrowed: the one the sampler uses; NULL: its own, of `threads` */
	int threads;
	const struct reduce *reduce;     /* NULL: alone */
	bool paused;                     /* begin paused */
};

enum status trainer_new(const struct trainer_setup *s, struct trainer **out, struct error *e);
/* Stops without saving (trainer_stop first, to save), joins. */
void trainer_free(struct trainer *t);
/* Readable when something happened (a byte is written for each event, dropped when it is full). */
int trainer_fd(const struct trainer *t);
void trainer_drain(struct trainer *t);

void trainer_pause(struct trainer *t);
void trainer_resume(struct trainer *t);
void trainer_save(struct trainer *t);            /* at the end of the running step */
/* The running step is finished or given up, then saved: TRAINER_STOPPED. */
void trainer_stop(struct trainer *t);
void trainer_wait(struct trainer *t);            /* until DONE, STOPPED or FAILED */

struct trainer_progress {
	enum trainer_phase phase;
	struct job job;                  /* completed */
	struct source_info source;
	struct stepper_plan plan;
	struct step_numbers last;        /* before the first step of this run only .step, else NAN */
	struct bound_numbers bound;      /* of bound_step */
	int64_t bound_step, saved_step;  /* -1: none yet */
	double best; int64_t best_step;
	double tokens_per_second, eta;   /* seconds to the end; < 0: not known yet */
	uint64_t parameters;
	int n_samples;                   /* checkpoints whose samples are kept */
	struct error error;              /* of TRAINER_FAILED, or of the last thing that failed (a save) */
	struct error warning;            /* why this is not the run that was to be gone on with; stays */
};
void trainer_progress(struct trainer *t, struct trainer_progress *out);
/* .last holds the numbers of a step that this run has made. */
static inline bool
trainer_stepped(const struct trainer_progress *p)
{
	return p->last.step > 0 && isfinite(p->last.loss);
}

/* Points for charts, oldest first, at most `max`, spread over the whole run. */
struct trainer_point { int64_t step; double loss, bound /* NAN: none */, lr, grad_norm, tokens_per_second; };
int trainer_points(struct trainer *t, struct trainer_point *out, int max);

/* The i-th kept set of samples: tok [S,L] malloced; false: no such. */
bool trainer_samples(struct trainer *t, int i, int64_t *step, int *S, int32_t **tok);
/* Borrowed from the trainer's source, while the trainer lives; NULL before it is open. */
const struct tokenizer *trainer_tokenizer(struct trainer *t);

/* A model over a frozen copy of the average: asked for, then taken once it is
 * there (at the end of the running step).  The snapshot is the caller's and
 * outlives the trainer; its pool is the trainer's. */
struct trainer_snapshot { struct model *model; int64_t step; struct train_copy *copy; };
void trainer_snapshot_ask(struct trainer *t);
bool trainer_snapshot_take(struct trainer *t, struct trainer_snapshot *out);
void trainer_snapshot_done(struct trainer_snapshot *s);

#endif
