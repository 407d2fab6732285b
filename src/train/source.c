/* source.c: see source.h. */
#include "train/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/ckpt.h"
#include "train/alphabet.h"
#include "train/curriculum.h"
#include "train/data_image.h"
#include "train/data_sudoku.h"
#include "train/data_text.h"

/* Held-out grids: of a step that no run reaches. */
#define HELD_SEED 0x5375646f6b75u
#define HELD_STEP UINT32_MAX

struct source {
	struct alphabet a;
	struct text_data *text;
	struct image_data *image;
	struct sudoku sudoku; /* N 0: none */
	bool mirror, labels;
	struct source_info info;
	char layout[96];
};

/* ---- the kinds ---- */

static enum status
open_text(struct source *s, const struct job *j, const struct ckpt *like, const struct cancel *c, struct error *e)
{
	struct text_options o = { .L = j->net.length, .held_out = j->held_out };
	enum status st = alphabet_open(j, like, c, &s->a, e);

	if (st != ST_OK)
		return st;
	o.L -= s->a.begin;
	st = text_data_open(j->path, s->a.encode, &o, c, &s->text, e);
	if (st != ST_OK)
		return st;
	s->info.L = j->net.length;
	s->info.bos = -1;
	s->info.train = text_data_train(s->text);
	s->info.held = text_data_tokens(s->text) - s->info.train;
	return ST_OK;
}

static enum status
open_images(struct source *s, const struct job *j, const struct cancel *c, struct error *e)
{
	struct image_options o = { .held_out = j->held_out };
	enum status st = alphabet_pixels(j, &s->a, e);

	if (st == ST_OK)
		st = image_data_open(j->path, &o, c, &s->image, e);
	if (st != ST_OK)
		return st;
	struct image_info d = image_data_info(s->image);
	if (d.width != d.height)
		return error_set(e, ST_USAGE, "%s: pictures of %dx%d, but only square ones can be trained", j->path,
				 d.width, d.height);
	s->mirror = j->mirror;
	s->labels = d.classes > 1 && (j->labels || j->goal == JOB_CLASSIFIER);
	if (j->goal == JOB_CLASSIFIER && d.classes < 2)
		return error_set(e, ST_USAGE, "%s: all pictures are of one class", j->path);
	s->info.L = 3 * d.width * d.height;
	s->info.bos = -1;
	s->info.side = d.width;
	s->info.classes = s->labels ? d.classes : 0;
	s->info.train = d.train;
	s->info.held = d.n - d.train;
	return ST_OK;
}

static enum status
open_sudoku(struct source *s, const struct job *j, struct error *e)
{
	enum status st = sudoku_open(j->sudoku, &s->sudoku, e);

	if (st == ST_OK)
		st = alphabet_sudoku(j, &s->a, e);
	if (st != ST_OK)
		return st;
	s->info.L = j->sudoku * j->sudoku + 1;
	s->info.bos = job_causal(j) ? -1 : s->a.bos;
	s->info.columns = j->sudoku;
	snprintf(s->layout, sizeof s->layout, "{\"columns\":%d,\"first\":1,\"box_rows\":%d,\"box_columns\":%d}",
		 j->sudoku, s->sudoku.rows, s->sudoku.columns);
	return ST_OK;
}

/* ---- opening ---- */

/* What the network is, now that the data are known. */
static void
complete(struct job *j, const struct source *s)
{
	struct config *c = &j->net;

	c->length = s->info.L;
	c->vocab = s->info.V;
	c->mask = s->info.mask;
	c->bos = s->a.bos >= 0 ? s->a.bos : CONFIG_UNSET;
	c->ignore_bos = s->info.bos >= 0;
	c->classes = s->info.classes;
	c->label_cond = s->info.classes > 0 && j->goal != JOB_CLASSIFIER;
	snprintf(c->modality, sizeof c->modality, "%s", s->image ? "image" : "text");
	snprintf(c->tokenizer_name, sizeof c->tokenizer_name, "%s", s->a.name);
	job_settle(j);
}

static enum status
open_kind(struct source *s, const struct job *j, const struct ckpt *like, const struct cancel *c, struct error *e)
{
	enum status st = j->data == JOB_SUDOKU	 ? open_sudoku(s, j, e)
			 : j->data == JOB_IMAGES ? open_images(s, j, c, e)
						 : open_text(s, j, like, c, e);

	if (st != ST_OK)
		return st;
	s->info.V = s->a.V;
	s->info.K = s->a.K;
	s->info.mask = s->a.mask;
	struct curriculum cur = { .K = s->info.K, .k = j->cur.k, .tau = j->cur.tau };
	if (j->curriculum == JOB_SIMPLE)
		cur.k = 1;
	return j->curriculum == JOB_PLAIN ? ST_OK : curriculum_check(&cur, e);
}

/* The data must be such that the weights of the checkpoint mean the same. */
static enum status
check_like(const struct job *j, const struct ckpt *k, struct error *e)
{
	const struct {
		const char *what;
		int data, ckpt;
	} same[] = {
		{ "tokens", j->net.vocab, k->config.vocab },
		{ "positions", j->net.length, k->config.length },
		{ "classes", j->net.classes, k->config.classes },
	};

	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		if (same[i].data != same[i].ckpt)
			return error_set(e, ST_USAGE, "%s: has %d %s, the data %d", k->path, same[i].ckpt, same[i].what,
					 same[i].data);
	if (j->net.mask != k->config.mask)
		return error_set(e, ST_USAGE, "%s: its mask is token %d, that of the data %d (-1: uniform noise)",
				 k->path, k->config.mask, j->net.mask);
	return ST_OK;
}

/* The checkpoint that the job begins from or goes on with, open; NULL: none. */
static enum status
open_like(struct job *j, struct ckpt **out, struct error *e)
{
	const char *path = *j->like ? j->like : j->goal == JOB_DISTILL ? j->distill.teacher : j->init;

	*out = NULL;
	if (!*path)
		return ST_OK;
	enum status st = ckpt_open(path, NULL, out, e);
	if (st != ST_OK)
		return error_prefix(e, path);
	enum backbone b = (*out)->config.backbone;
	if (b != BACKBONE_DIT && b != BACKBONE_UNET)
		return error_set(e, ST_USAGE, "%s: a network of type %s cannot be trained", path, backbone_name(b));
	if (!*j->like)
		job_adopt(j, &(*out)->config);
	return ST_OK;
}

enum status
source_open(struct job *j, const struct cancel *c, struct source **out, struct error *e)
{
	struct source *s = mem_calloc(1, sizeof *s);
	struct ckpt *like = NULL;

	*out = NULL;
	if (!s)
		return error_set(e, ST_MEMORY, "out of memory");
	enum status st = open_like(j, &like, e);
	if (st == ST_OK)
		st = open_kind(s, j, like, c, e);
	if (st == ST_OK) {
		complete(j, s);
		st = like ? check_like(j, like, e) : ST_OK;
	}
	ckpt_close(like);
	if (st == ST_OK)
		*out = s;
	else
		source_close(s);
	return st;
}

void
source_close(struct source *s)
{
	if (!s)
		return;
	text_data_close(s->text);
	image_data_close(s->image);
	alphabet_done(&s->a);
	free(s);
}

/* ---- what it is ---- */

struct source_info
source_info(const struct source *s)
{
	return s->info;
}

const struct tokenizer *
source_tokenizer(const struct source *s)
{
	return s->a.show;
}

const char *
source_vocabulary(const struct source *s, const char **key)
{
	*key = s->a.key;
	return s->a.vocabulary;
}

const char *
source_layout(const struct source *s)
{
	return *s->layout ? s->layout : NULL;
}

const char *
source_class(const struct source *s, int label)
{
	return s->image && label >= 0 && label < s->info.classes ? image_data_class(s->image, label) : NULL;
}

/* ---- samples ---- */

int
source_draw(const struct source *s, uint64_t seed, uint32_t step, uint32_t sample, int32_t *tok)
{
	struct noise n = { .seed = seed, .step = step, .sample = sample };
	int label = -1;

	if (s->image)
		label = image_data_draw(s->image, &n, s->mirror, tok);
	else if (s->sudoku.N)
		sudoku_tokens(&s->sudoku, &n, tok);
	else
		text_data_draw(s->text, &n, tok + s->a.begin);
	if (s->a.begin)
		tok[0] = s->a.bos;
	return s->labels ? label : -1;
}

int
source_held(const struct source *s, size_t i, size_t n, int32_t *tok)
{
	struct noise of = { .seed = HELD_SEED, .step = HELD_STEP, .sample = (uint32_t)i };
	int label = -1;

	if (s->image)
		label = image_data_at(s->image, s->info.train + (size_t)((unsigned __int128)s->info.held * i / n),
				      false, tok);
	else if (s->sudoku.N)
		sudoku_tokens(&s->sudoku, &of, tok);
	else
		text_data_held_out(s->text, i, n, tok + s->a.begin);
	if (s->a.begin)
		tok[0] = s->a.bos;
	return s->labels ? label : -1;
}

bool
source_has_rules(const struct source *s)
{
	return s->sudoku.N > 0;
}

bool
source_valid(const struct source *s, const int32_t *tok)
{
	return s->sudoku.N > 0 && tok[0] == s->a.bos && sudoku_valid(&s->sudoku, tok + 1);
}
