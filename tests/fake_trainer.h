/* fake_trainer.h: how a test drives the trainer of fake_trainer.c. */
#ifndef PSI_TESTS_FAKE_TRAINER_H
#define PSI_TESTS_FAKE_TRAINER_H

#include "train/trainer.h"

extern struct fake_trainer_setup {
	struct source_info source;
	struct tokenizer *(*tok)(void);          /* the trainer's own */
	void (*sample)(int s, int set, int32_t *tok);    /* [L]: sample s at checkpoint number `set` */
	struct model *model;     /* of snapshots; NULL: there are none yet */
	int n;                   /* samples of a set */
	bool fails, slow_stop;
	/* told */
	bool paused;
	int stops, open_copies;
} fake_trainer;

void fake_trainer_open(void);
void fake_trainer_steps(int n);
void fake_trainer_fail(const char *why);

#endif
