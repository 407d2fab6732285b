/*
 * trainer_private.h: what the files of the trainer share.
 *
 *   trainer.c        life, what others ask and see
 *   trainer_run.c    the thread: open, step, validate, save
 *   trainer_note.c   points, sets of samples, the log: memory that does not grow
 *   trainer_show.c   a model over the average: samples, snapshots
 */
#ifndef PSI_TRAIN_TRAINER_PRIVATE_H
#define PSI_TRAIN_TRAINER_PRIVATE_H

#include <pthread.h>
#include <stdio.h>

#include "train/trainer.h"

#define POINTS 2048                      /* kept; then two become one */
#define SETS 256                         /* of samples, kept; then every other one goes */

/* Points of a run; each is the mean of `stride` steps. */
struct points {
	struct trainer_point at[POINTS];
	int n;
	int64_t stride, part;            /* steps in the last point, if that is not whole yet */
};

struct sample_set {
	int64_t step;
	int S, L;
	int32_t *tok;                    /* [S,L] */
};

struct sets {
	struct sample_set at[SETS];
	int n;
};

/* Sums since the last line of the log. */
struct since {
	int64_t n;
	double loss, norm, seconds, tokens;
};

struct trainer {
	pthread_mutex_t lock;
	pthread_cond_t change;           /* something was asked, or the phase has changed */
	pthread_t thread;
	int fd[2];

	/* asked; under the lock */
	bool pause, stop, save, snapshot, quit;
	struct cancel cancel;            /* of steps, validations and samples: by stop and quit, for good */

	/* shown; under the lock */
	struct trainer_progress shown;
	struct points points;
	struct sets sets;
	struct trainer_snapshot taken;   /* waiting for whoever asked */
	bool has_taken;
	const struct tokenizer *tokenizer;

	/* set once */
	struct trainer_setup setup;
	char *out, *data, *best, *log_path, *samples_path;
	struct pool *pool, *own;

	/* the thread's; the source is read by others through the tokenizer */
	struct job job;
	struct source *source;
	struct train_state *state;
	struct stepper *stepper;
	FILE *log, *samples;
	struct since since;
	bool stepping;                   /* in a step that can be held */
	double held;                     /* seconds that it was */
	double seconds;                  /* of training, all runs together */
	double step_seconds;             /* running mean */
};

/* trainer.c */
void trainer_notify(struct trainer *t);
void trainer_phase(struct trainer *t, enum trainer_phase p);
/* Something failed that does not end the run; NULL: it works again. */
void trainer_trouble(struct trainer *t, const struct error *e);

/* trainer_run.c */
void *trainer_main(void *arg);
void trainer_hold(void *arg);

/* trainer_note.c: under the lock */
void points_add(struct points *p, const struct trainer_point *at);
void points_bound(struct points *p, int64_t step, double bound);
int points_spread(const struct points *p, struct trainer_point *out, int max);
/* Takes tok over. */
void sets_add(struct sets *s, int64_t step, int S, int L, int32_t *tok);
void sets_free(struct sets *s);
/* The thread's.  Open both files: resuming, what they hold up to the state's
 * step is read first. */
enum status note_open(struct trainer *t, struct error *e);
void note_close(struct trainer *t);
void note_step(struct trainer *t, const struct step_numbers *n);
void note_bound(struct trainer *t, const struct bound_numbers *b);
void note_samples(struct trainer *t, const struct sample_set *set);
/* An event with a message: "save", "best", "failed" ...; text may be NULL. */
void note_event(struct trainer *t, const char *event, const char *key, const char *text);

/* trainer_show.c: tok [S,L] malloced. */
enum status show_samples(struct trainer *t, struct sample_set *out, struct error *e);
enum status snapshot_make(struct trainer *t, struct trainer_snapshot *out, struct error *e);

#endif
