/*
 * job_preset.c: what a job is without options, and the presets.  See job.h.
 * Any thread.
 */
#include <stdio.h>
#include <string.h>

#include "train/job.h"

/* Sizes of a U-Net of 1.5 million weights, and of a transformer of 3 million. */
static void
usual_network(struct config *c)
{
	config_init(c);
	c->backbone = BACKBONE_DIT;
	c->hidden = 256;
	c->n_blocks = 6;
	c->n_heads = 8;
	c->cond_dim = 128;
	c->length = 256;
	c->dropout = 0.1;
	c->unet_time = 1;
	c->ch = c->time_embed_dim = 32;
	c->num_scales = 3;
	c->ch_mult[0] = 1;
	c->ch_mult[1] = c->ch_mult[2] = 2;
	c->num_res_blocks = 1;
	c->attn_scale = 1;
	c->time_scale_factor = 1000;
	c->skip_rescale = 1;
	c->fix_logistic = 0;
	c->classes = c->label_cond = c->ignore_bos = 0; /* until the data are known */
	c->mask = -1;
	c->schedule = SCHEDULE_LOGLINEAR;
	c->eps = 1e-3;
}

void
job_init(struct job *j)
{
	*j = (struct job){
		.goal = JOB_MODEL, .data = JOB_TEXT, .tokenizer = "chars", .held_out = 0.1,
		.mirror = true, .labels = true, .label_dropout = 0.1,
		.loss = LOSS_DUO, .d3pm_steps = 1000, .first_time = 1e-3, .curriculum = JOB_PLAIN,
		.cur = { .k = 2, .tau = 1e-3, .end = -1 }, .distill = { .every = 10000, .steps = 512 },
		.adam = adam_usual(), .batch = 32, .seed = 1,
		.save_every = 1000, .valid_every = 500, .log_every = 10, .valid_samples = 128,
		.show_samples = 4, .show_steps = 64,
	};
	j->adam.steps = 20000;
	usual_network(&j->net);
	job_settle(j);
}

static void
transformer(struct job *j, int hidden, int blocks, int heads, int cond, int length)
{
	j->net.hidden = hidden;
	j->net.n_blocks = blocks;
	j->net.n_heads = heads;
	j->net.cond_dim = cond;
	j->net.length = length;
}

static void
pace(struct job *j, double lr, int64_t warmup, int64_t steps, int batch)
{
	j->adam.lr = lr;
	j->adam.warmup = warmup;
	j->adam.steps = steps;
	j->batch = batch;
}

static void
text_tiny(struct job *j)
{
	transformer(j, 128, 4, 4, 64, 128);
	pace(j, 1e-3, 100, 2000, 32);
	j->save_every = j->valid_every = 250;
}

static void
text_small(struct job *j)
{
	transformer(j, 256, 6, 8, 128, 256);
	pace(j, 6e-4, 500, 20000, 32);
}

static void
sudoku6(struct job *j)
{
	j->data = JOB_SUDOKU;
	j->sudoku = 6;
	transformer(j, 160, 4, 5, 32, 37);
	j->net.dropout = 0;
	pace(j, 1e-3, 100, 3000, 128);
	j->save_every = j->valid_every = 250;
	j->valid_samples = 512;
	j->show_steps = 128;
}

static void
pictures(struct job *j)
{
	j->data = JOB_IMAGES;
	j->net.backbone = BACKBONE_UNET;
	j->net.schedule = SCHEDULE_COSINE;
	j->net.length = 3072;
}

static void
cifar10_small(struct job *j)
{
	pictures(j);
	pace(j, 5e-4, 500, 20000, 32);
	j->valid_samples = 64;
	j->show_samples = 4;
}

static void
cifar10(struct job *j)
{
	pictures(j);
	j->net.ch = j->net.time_embed_dim = 128;
	j->net.num_scales = 4;
	j->net.ch_mult[3] = 2;
	j->net.num_res_blocks = 2;
	pace(j, 2e-4, 5000, 1500000, 128);
	j->save_every = 5000;
	j->valid_every = 5000;
}

static void
owt_small(struct job *j)
{
	transformer(j, 768, 12, 12, 128, 1024);
	snprintf(j->tokenizer, sizeof j->tokenizer, "gpt2");
	pace(j, 3e-4, 2500, 1000000, 512);
	j->save_every = j->valid_every = 5000;
}

static const struct preset {
	const char *name, *help;
	void (*set)(struct job *);
} presets[] = {
	{ "text-tiny", "characters: 1 million weights, minutes on a laptop", text_tiny },
	{ "text-small", "characters: 6 million weights, a night on a laptop", text_small },
	{ "sudoku6", "Sudoku of 6 rows: 1.4 million weights, an hour or less on a laptop", sudoku6 },
	{ "cifar10-small", "pictures: a U-Net of 1.1 million weights, a night on a laptop", cifar10_small },
	{ "cifar10", "pictures: the published U-Net, 36 million weights; beyond a laptop", cifar10 },
	{ "owt-small", "GPT-2's tokens: the published transformer, 170 million weights; beyond a laptop", owt_small },
};

int
job_preset_count(void)
{
	return (int)(sizeof presets / sizeof *presets);
}

const char *
job_preset_name(int i)
{
	return presets[i].name;
}

const char *
job_preset_help(int i)
{
	return presets[i].help;
}

enum status
job_preset(const char *name, struct job *j, struct error *e)
{
	char all[160] = "";

	for (int i = 0; i < job_preset_count(); i++) {
		if (!strcmp(presets[i].name, name)) {
			job_init(j);
			snprintf(j->preset, sizeof j->preset, "%s", name);
			presets[i].set(j);
			job_settle(j);
			return ST_OK;
		}
		size_t n = strlen(all);
		snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", presets[i].name);
	}
	return error_set(e, ST_USAGE, "no preset is called \"%.60s\" (%s)", name, all);
}
