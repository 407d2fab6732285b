/*
 * train.h: the screen's side of a training: the form it begins from, the
 * trainer that runs beside the sampler, what was last seen of it.  Commands are
 * in do_train.c, the Train view in view_train.c, train_form.c, train_chart.c
 * and train_shots.c.  Screen thread only; nothing here waits but app_end.
 */
#ifndef PSI_UI_TRAIN_H
#define PSI_UI_TRAIN_H

#include "train/trainer.h"
#include "ui/app_private.h"

#define TRAIN_POINTS 600         /* of a chart at most */

enum train_page { TRAIN_CHARTS, TRAIN_SHOTS, TRAIN_SETTINGS, TRAIN_PAGES };

/* What was asked of the trainer and has not happened yet. */
enum train_want { WANT_NOTHING, WANT_START, WANT_PAUSE, WANT_RESUME, WANT_SAVE, WANT_STOP };

struct train {
	/* what the next training will be */
	struct job job;
	char out[JOB_PATH];
	bool resume;                 /* go on with `out`, at resume_step; the job is its own */
	int64_t resume_step;
	bool own;                    /* data and steps above are meant for it: they may have changed */
	bool all;                    /* every setting is shown, not the main ones only */
	int row, top;                /* of the form: chosen, first one shown */

	struct pool *pool;           /* borrowed; NULL: the trainer makes one */
	struct trainer *t;           /* NULL: none was started */
	char path[JOB_PATH];         /* what it writes */
	struct trainer_progress now; /* as last looked at */
	struct operator_window window;       /* of the curriculum, if there is one */
	struct trainer_point *point; /* [TRAIN_POINTS] */
	int n_point;

	enum train_want want;
	int64_t want_step;           /* WANT_SAVE: saved from here on is it */
	int64_t wait;                /* scripts: until so many steps are done; -1: nothing waited for */
	bool opening;                /* a snapshot was asked for */
	bool leaving;                /* the program ends once it is saved */
	enum trainer_phase told;     /* last said in the log */
	int64_t told_bound, told_saved;
	struct error told_error;
	bool told_warning;

	struct trainer_snapshot snap;        /* what lies open on top of the file; model NULL: nothing */
	char file[NAME_MAX + 1];     /* that file */
	struct sampler *sampler;     /* its; owned */

	/* samples along training time */
	int set;                     /* shown; -1: the newest */
	int loaded;                  /* which `tok` holds; -1: none */
	int64_t set_step;
	int n_sample;
	int32_t *tok;                /* [n_sample, L]; owned */
	int sample;                  /* first one shown */
	enum train_page page;

	char question[160], on_yes[JOB_PATH];        /* confirm.c */
};

/* train.c */
enum status train_new(struct app *a, const struct app_setup *s, struct error *e);
void train_free(struct app *a);                  /* without saving: app_end first, to save */
void train_offer(struct app *a);                 /* what was opened is a checkpoint to go on with: say so */
void train_events(struct app *a);                /* look at the trainer */
bool train_busy(const struct app *a);
bool train_live(const struct app *a);            /* it has work that is not saved, or goes on */
bool train_over(const struct app *a);            /* it has ended, one way or another */
enum status train_start(struct app *a, bool over, bool paused, struct error *e);
void train_close_snapshot(struct app *a);        /* back to the file */
void train_load_set(struct app *a);              /* samples of the set that is shown */
void train_status(const struct app *a, char *buf, size_t size);      /* one line */
void train_preset(struct train *t, const char *name);
bool train_setting_matters(const struct job *j, int field);
struct layout train_layout(const struct train *t);
const char *train_base(const char *path);        /* the name without folders */

/* do_train.c: the i-th word that may follow "train VERB"; NULL: no more */
const char *train_word(const char *verb, int i);

/* words */
void say_duration(double seconds, char *buf, size_t size);           /* 0:42, 2:03:10 */
void say_bytes(uint64_t bytes, char *buf, size_t size);              /* 45 MB */
void say_large(double v, char *buf, size_t size);                    /* 12.3k */

/* view: parts of the page, each draws into r */
void train_form_draw(struct app *a, struct canvas *c, struct rect r);
bool train_form_key(struct app *a, const struct key *k, int count);
void train_form_more(struct app *a);      /* the form to go on with what is done: more steps */
void train_chart_draw(struct app *a, struct canvas *c, struct rect r);
void train_shots_draw(struct app *a, struct canvas *c, struct rect r);
int train_shots_rows(struct app *a, int w);      /* that they need, in a pane of w */
const char *const *train_hints(const struct app *a);

/* confirm.c: a question before something is lost; yes runs the command line. */
void confirm_open(struct app *a, const char *question, const char *command);

#endif
