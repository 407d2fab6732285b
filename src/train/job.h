/*
 * job.h: everything that decides what a training run computes, by value; with
 * the presets.  A job travels in the checkpoints of its run, so that --resume
 * needs nothing else.  Pure data, any thread.
 */
#ifndef PSI_TRAIN_JOB_H
#define PSI_TRAIN_JOB_H

#include "ckpt/config.h"
#include "train/adam.h"
#include "train/loss.h"
#include "train/operator.h"

#define JOB_PATH 1024

enum job_data { JOB_TEXT, JOB_IMAGES, JOB_SUDOKU };
enum job_goal { JOB_MODEL, JOB_CLASSIFIER, JOB_DISTILL };
enum job_curriculum { JOB_PLAIN, JOB_SIMPLE, JOB_EFFICIENT };

struct job {
	char preset[24];                 /* it began as; "" none */
	enum job_goal goal;

	/* data */
	enum job_data data;
	char path[JOB_PATH];             /* file or folder; "" for Sudoku */
	int sudoku;                      /* N; 0 unless Sudoku is the task */
	char tokenizer[JOB_PATH];        /* "chars", "bytes", "text8", or the path or name of one; text only */
	double held_out;                 /* share for validation */
	bool mirror;                     /* pictures: half of them mirrored */
	bool labels;                     /* pictures of several classes: the network is told which */
	double label_dropout;            /* the label becomes `classes`, with this probability */

	/* network and noise: hidden, n_blocks, ..., schedule, eps, dropout.  Vocabulary, length of pictures and
	 * Sudoku, mask, classes follow from the data (source.h); the family (algo and what belongs to it) from
	 * goal, loss and curriculum. */
	struct config net;
	char init[JOB_PATH];             /* a checkpoint to begin from, "": random weights; the network is its own */
	bool init_state;                 /* also with its moments and step */

	/* loss */
	enum loss_kind loss;
	int d3pm_steps;                  /* d3pm: T */
	double first_time;               /* t is drawn from [first_time, 1] */
	enum job_curriculum curriculum;
	struct {
		int k;                   /* efficient: kept coordinates */
		double tau;
		struct operator_window window;   /* min == max: chosen from K */
		int degree;              /* 0: T exactly; else its polynomial of this degree */
		bool compat;             /* as published (biased z_t) */
		int64_t end;             /* steps with the curriculum; -1: half of all */
	} cur;
	struct {
		char teacher[JOB_PATH];  /* checkpoint that student and teacher begin from */
		int64_t every;           /* steps of a round; then the teacher becomes the student's EMA */
		int steps;               /* dt = 2^round / steps */
		bool forward;            /* forward KL instead of backward */
	} distill;

	/* optimiser */
	struct adam adam;                /* .steps: of the whole run */
	int batch;                       /* samples of a step, over all micro-batches and processes */
	uint64_t seed;

	/* what does not change the numbers of the weights */
	int64_t save_every, valid_every, log_every;      /* steps; 0: only at the end */
	int valid_samples;               /* held-out samples of a validation; 0: none is made */
	int show_samples, show_steps;    /* samples drawn at every checkpoint, with so many sampler steps */
	size_t memory;                   /* bytes the trainer may take; 0: no limit but the machine's */

	/* Not a setting and not saved: a checkpoint that the data must fit, whose vocabulary of characters is
	 * taken.  state_load names the run's own, so that resuming keeps it. */
	char like[JOB_PATH];
};

/* What a run without any option would be: text, characters, duo_base. */
void job_init(struct job *j);

/* Presets: text-tiny, text-small, sudoku6, cifar10-small, cifar10, owt-small. */
int job_preset_count(void);
const char *job_preset_name(int i);
const char *job_preset_help(int i);              /* one line; says so where it is beyond a laptop */
enum status job_preset(const char *name, struct job *j, struct error *e);      /* ST_USAGE: no such */

/* Settings of a job by name, for options, the form and the JSON below: "batch",
 * "lr", "steps", "hidden", "loss", "curriculum", "k", "seed" ...  Setting one
 * keeps what follows from it consistent: `sudoku` chooses the task, `task` the
 * backbone, goal, loss and curriculum the family. */
enum job_type { JOB_INT, JOB_REAL, JOB_TEXTUAL /* UTF-8 */, JOB_CHOICE, JOB_FLAG, JOB_BYTES };
struct job_field {
	const char *name;
	enum job_type type;
	const char *choices;             /* JOB_CHOICE: "a|b|c" */
	double lo, hi;                   /* JOB_INT, JOB_REAL, JOB_BYTES */
	bool main;                       /* one of the few that matter: in the form's first part */
	const char *help;                /* one line */
};
int job_field_count(void);
const struct job_field *job_field(int i);
int job_field_find(const char *name);            /* -1: none */
/* value: as job_get writes it; bytes also as "512M", "2G"; flags also as yes/no, 1/0. */
enum status job_set(struct job *j, int field, const char *value, struct error *e);     /* ST_USAGE */
char *job_get(const struct job *j, int field, char *buf, size_t size);

/* Do the settings make sense together?  ST_USAGE with one line that names the setting. */
enum status job_check(const struct job *j, struct error *e);

/* What noise a loss is for. */
bool job_masked(const struct job *j);            /* mdlm, sedd, d3pm */
bool job_causal(const struct job *j);            /* ar */
/* What follows from other settings: algo, parameterization, causal, timed ... of
 * j->net.  job_set, job_preset, job_adopt and source_open do it. */
void job_settle(struct job *j);

/* The network of a checkpoint instead of the job's: sizes, vocabulary, length, mask, labels. */
void job_adopt(struct job *j, const struct config *net);

/* Every setting as JSON, for the metadata of checkpoints; malloced, NULL: out of memory.  Reading starts from
 * job_init; a setting that is missing keeps its default, one that is not known is an error (ST_CKPT). */
char *job_to_json(const struct job *j);
enum status job_from_json(const char *json, struct job *j, struct error *e);

#endif
