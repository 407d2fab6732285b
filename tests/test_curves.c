/*
 * test_curves.c: how fast small models learn, against recorded curves: means of
 * the training loss and validation bounds every so many steps, for tables below
 * $PSIVIEW_GOLDEN that name configurations.  A run of this program has other
 * random numbers than the recorded ones, so that differences are judged by the
 * spread of runs: 3 sqrt(1/3 + 1/n) standard deviations for n seeds.
 *
 * By default one seed and the first steps of two configurations; with
 * PSIVIEW_CURVES=1 three seeds of all, to the end (minutes), and several noise
 * draws of the last validation; with PSIVIEW_CURVES=NAME of that one alone.
 * Text is the prepared one below tests/golden; pictures are those of a CIFAR-10
 * batch (data_batch_1.bin) that PSIVIEW_PICTURES names.
 */
#include <unistd.h>

#include "run/write_image.h"
#include "train/stepper.h"
#include "train_util.h"

#define SEEDS 3
#define SHORT_STEPS 90
#define MOST_POINTS 32

/* Standard deviations between runs: of a mean training loss, of a validation, of the mean of several validations. */
static const double spread_train = .07, spread_valid = .09, spread_final = .045;
#define FINAL_DRAWS 8
#define FINAL_SEED 1000000u             /* and the following: their noise */

static char folder[] = "/tmp/psiview-curves-XXXXXX", text[64], pictures[64];
static const char *only;                /* NULL: the first steps of two */

/* ---- what a table says ---- */

struct curve {
	const char *name;
	bool unet, masked;
	int n;                                  /* points */
	int step[MOST_POINTS];
	double train[MOST_POINTS], valid[MOST_POINTS];          /* valid NAN: none */
	double train_sd[MOST_POINTS], valid_sd[MOST_POINTS];    /* recorded over seeds */
};

/* The rows of a table that belong to its configuration `name`. */
static struct curve
curve_of(const struct table *t, const char *name)
{
	struct curve c = { .name = name, .unet = strstr(name, "unet") != NULL, .masked = strstr(name, "mdlm") != NULL };

	for (int i = 0; i < t->rows && c.n < MOST_POINTS; i++) {
		if (strcmp(cell(t, i, "config"), name) != 0)
			continue;
		c.step[c.n] = (int)number(t, i, "step", 0);
		c.train[c.n] = number(t, i, "train_mean", 0);
		c.valid[c.n] = number(t, i, "val_mean", 0);
		c.train_sd[c.n] = number(t, i, "train_sd_seeds", 0);
		c.valid_sd[c.n++] = number(t, i, "val_sd_seeds", 0);
	}
	return c;
}

/* Means of the last validations by configuration, from tensors NAME.val_loss_final_*. */
static struct { char name[64]; double mean; } final[32];
static int n_final;

static void
collect_final(struct golden *g)
{
	for (int i = 0; i < g->f->n && n_final < 32; i++) {
		const char *name = g->f->tensor[i].name, *dot = strstr(name, ".val_loss_final_");
		struct values k = { 0 };
		double *v = dot && dot - name < 64 ? get(g, &k, name) : NULL;
		int n = v ? size_of(g, name, -1) : 0;
		if (n > 0)
			snprintf(final[n_final].name, sizeof final[0].name, "%.*s", (int)(dot - name), name);
		for (int j = 0; j < n; j++)
			final[n_final].mean += v[j] / n;
		n_final += n > 0;
		values_done(&k);
	}
}

/* ---- the job of a configuration ---- */

static void
text_job(const char *name, struct job *j)
{
	const char *k = strstr(name, "topk");

	j->data = JOB_TEXT;
	snprintf(j->path, sizeof j->path, "%s", text);
	snprintf(j->tokenizer, sizeof j->tokenizer, "text8");
	j->net.hidden = 64;
	j->net.n_blocks = 2;
	j->net.n_heads = 4;
	j->net.cond_dim = 32;
	j->net.length = 32;
	j->batch = 32;
	j->adam.steps = 600;
	j->adam.warmup = 50;
	j->valid_samples = 512;
	j->curriculum = k ? JOB_EFFICIENT : strstr(name, "simple") ? JOB_SIMPLE : JOB_PLAIN;
	j->cur.k = k ? atoi(k + 4) : 2;
	j->cur.tau = 1e-3;
	j->cur.window = (struct operator_window){ -2.75, 1.309 };
	j->cur.end = 300;
	j->cur.compat = strstr(name, "published") != NULL;
}

static void
image_job(struct job *j)
{
	static const int mult[] = { 1, 2, 2, 2 };

	j->data = JOB_IMAGES;
	snprintf(j->path, sizeof j->path, "%s", pictures);
	j->net.backbone = BACKBONE_UNET;
	j->net.ch = 8;
	j->net.num_scales = 4;
	memcpy(j->net.ch_mult, mult, sizeof mult);
	j->net.num_res_blocks = 1;
	j->net.attn_scale = 1;
	j->net.time_scale_factor = 1000;
	j->net.skip_rescale = 1;
	j->net.schedule = SCHEDULE_COSINE;
	j->mirror = false;
	j->labels = true;
	j->label_dropout = .1;
	j->batch = 16;
	j->adam.steps = 150;
	j->adam.warmup = 20;
	j->valid_samples = 200;
}

static void
job_of(const struct curve *c, uint64_t seed, struct job *j)
{
	job_init(j);
	j->loss = c->masked ? LOSS_MDLM : LOSS_DUO;
	j->held_out = .1;
	j->net.dropout = .1;
	j->net.eps = 1e-3;
	j->adam.lr = 1e-3;
	j->adam.weight_decay = 0;
	j->adam.clip = 1;
	j->adam.ema = .9999;
	j->first_time = 1e-3;
	j->seed = seed;
	if (c->unet)
		image_job(j);
	else
		text_job(c->name, j);
	job_settle(j);
}

/* ---- a run ---- */

struct run {
	struct job job;
	struct source *source;
	struct train_state *state;
	struct stepper *stepper;
};

static void
run_close(struct run *r)
{
	stepper_free(r->stepper);
	state_free(r->state);
	source_close(r->source);
}

/* Means of the training loss between the curve's points, and bounds at them, added. */
static enum status
run_steps(struct run *r, const struct curve *c, int steps, double *train, double *valid, struct error *e)
{
	struct bound_numbers bound;
	struct step_numbers s;
	enum status st = ST_OK;

	for (int i = 0, done = 0; st == ST_OK && i < c->n && c->step[i] <= steps; i++) {
		double sum = 0;
		int first = done;
		for (; st == ST_OK && done < c->step[i]; done++) {
			st = stepper_run(r->stepper, &s, NULL, e);
			sum += st == ST_OK ? s.loss : 0;
		}
		train[i] += sum / (done - first);
		if (st != ST_OK || isnan(c->valid[i]))
			continue;
		st = stepper_valid(r->stepper, true, &bound, NULL, e);
		valid[i] += bound.nats;
	}
	return st;
}

/* The last validation by several draws of the noise, which follows the job's seed. */
static enum status
run_final(struct run *r, double *mean, struct error *e)
{
	struct bound_numbers bound = { 0 };
	enum status st = ST_OK;

	for (unsigned i = 0; st == ST_OK && i < FINAL_DRAWS; i++) {
		r->job.seed = FINAL_SEED + i;
		st = stepper_valid(r->stepper, true, &bound, NULL, e);
		*mean += bound.nats / FINAL_DRAWS;
	}
	return st;
}

static enum status
run_seed(const struct curve *c, struct pool *pool, uint64_t seed, int steps, double *train, double *valid,
	 double *last, struct error *e)
{
	struct run r = { 0 };
	struct stepper_setup setup = { .job = &r.job, .pool = pool };

	job_of(c, seed, &r.job);
	enum status st = source_open(&r.job, NULL, &r.source, e);
	if (st == ST_OK)
		st = state_new(&r.job, &r.state, e);
	setup.source = r.source;
	setup.state = r.state;
	if (st == ST_OK)
		st = stepper_new(&setup, &r.stepper, e);
	if (st == ST_OK)
		st = run_steps(&r, c, steps, train, valid, e);
	if (st == ST_OK && only)
		st = run_final(&r, last, e);
	run_close(&r);
	return st;
}

static void
check_final(const struct curve *c, double mean)
{
	for (int i = 0; i < n_final; i++)
		if (strcmp(final[i].name, c->name) == 0)
			CHECK(fabs(mean - final[i].mean) <= 3 * spread_final * sqrt(1. / 3 + 1. / SEEDS),
				"%s: validation in the end, %d draws each: %.3f (recorded %.3f)", c->name, FINAL_DRAWS,
				mean, final[i].mean);
}

/* The mean of n seeds against the recorded means. */
static void
check_curve(const struct curve *c, struct pool *pool, int seeds, int steps)
{
	double train[MOST_POINTS] = { 0 }, valid[MOST_POINTS] = { 0 }, last = 0, wide = 3 * sqrt(1. / 3 + 1. / seeds);
	struct tally_of t = { 0 }, v = { 0 };
	struct error e = { 0 };
	enum status st = ST_OK;

	for (int s = 1; st == ST_OK && s <= seeds; s++)
		st = run_seed(c, pool, (uint64_t)s, steps, train, valid, &last, &e);
	if (!CHECK(st == ST_OK, "%s: %d seeds, %d steps %s", c->name, seeds, steps, e.msg))
		return;
	for (int i = 0; i < c->n && c->step[i] <= steps; i++) {
		train[i] /= seeds;
		valid[i] /= seeds;
		printf("#  %s, step %d: training %.3f (recorded %.3f)", c->name, c->step[i], train[i], c->train[i]);
		compare(&t, train[i], c->train[i], wide * fmax(spread_train, c->train_sd[i]), 0);
		if (!isnan(c->valid[i])) {
			printf(", validation %.3f (%.3f)", valid[i], c->valid[i]);
			compare(&v, valid[i], c->valid[i], wide * fmax(spread_valid, c->valid_sd[i]), 0);
		}
		printf("\n");
	}
	TALLY(t, "%s: training loss, %d seeds, %d steps", c->name, seeds, steps);
	if (v.n > 0)
		TALLY(v, "%s: validation, %d seeds, %d steps", c->name, seeds, steps);
	if (only)
		check_final(c, last / seeds);
}

/* ---- tables ---- */

static struct pool *pool;
static int curves;

static void
check_config(const struct table *t, const char *name)
{
	struct curve c = curve_of(t, name);
	bool sooner = strcmp(name, "mdlm") == 0 || strcmp(name, "duo_base") == 0;

	if (only ? strcmp(only, "1") != 0 && strcmp(only, name) != 0 : !sooner)
		return;
	if (!*(c.unet ? pictures : text)) {
		check_skip("%s: no %s", name, c.unet ? "pictures (PSIVIEW_PICTURES)" : "prepared text");
		return;
	}
	curves++;
	int few = c.step[0] > SHORT_STEPS ? c.step[0] : SHORT_STEPS;
	check_curve(&c, pool, only ? SEEDS : 1, only ? c.step[c.n - 1] : few);
}

static void
check_table(const struct table *t)
{
	static const char *const wanted[] = { "config", "step", "train_mean", "val_mean", "train_sd_seeds" };

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		if (column(t, wanted[i]) < 0)
			return;
	for (int i = 0; i < t->rows; i++) {
		bool first = true;
		for (int k = 0; k < i && first; k++)
			first = strcmp(cell(t, k, "config"), cell(t, i, "config")) != 0;
		if (first)
			check_config(t, cell(t, i, "config"));
	}
}

/* ---- data ---- */

static bool
put(const char *path, const char *s, size_t n)
{
	FILE *f = fopen(path, "wb");

	return f && fwrite(s, 1, n, f) == n && fclose(f) == 0;
}

/* The prepared text, unpacked. */
static void
make_text(void)
{
	const char *src = getenv("SRCDIR");
	char path[4096];
	size_t n;

	snprintf(path, sizeof path, "%s/tests/golden/training/shakespeare.txt.xz", src ? src : ".");
	char *s = access(path, R_OK) == 0 ? read_text(path, &n) : NULL;
	snprintf(text, sizeof text, "%s/text", folder);
	if (!s || n < 1000 || !put(text, s, n))
		*text = '\0';
	free(s);
}

/* One record (label, three planes of 32 x 32) as a picture of 16 x 16: means of 2 x 2, in the folder of its class. */
static bool
put_picture(const uint8_t *record, int number_of)
{
	uint8_t rgb[16 * 16 * 3];
	struct outfile *o;
	struct error e;
	char path[128];

	for (int c = 0; c < 3; c++)
		for (int y = 0; y < 16; y++)
			for (int x = 0; x < 16; x++) {
				const uint8_t *p = record + 1 + c * 1024 + 64 * y + 2 * x;
				rgb[(16 * y + x) * 3 + c] = (uint8_t)((p[0] + p[1] + p[32] + p[33] + 2) >> 2);
			}
	snprintf(path, sizeof path, "%s/%d/%04d.png", pictures, record[0], number_of);
	enum status st = outfile_open(path, &o, &e);
	if (st != ST_OK)
		return false;
	st = png_write(o, 16, 16, rgb, "", &e);
	if (st == ST_OK)
		return outfile_commit(o, &e) == ST_OK;
	outfile_abort(o);
	return false;
}

static void
make_pictures(void)
{
	const char *from = getenv("PSIVIEW_PICTURES");
	FILE *f = from ? fopen(from, "rb") : NULL;
	uint8_t record[3073];
	char path[128];
	int n = 0;

	if (!f)
		return;
	snprintf(pictures, sizeof pictures, "%s/pictures", folder);
	mkdir(pictures, 0700);
	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof path, "%s/%d", pictures, i);
		mkdir(path, 0700);
	}
	while (n < 2000 && fread(record, 1, sizeof record, f) == sizeof record && record[0] < 10 &&
		put_picture(record, n))
		n++;
	fclose(f);
	if (!CHECK(n == 2000, "%d pictures from %s", n, from))
		*pictures = '\0';
}

int
main(void)
{
	char remove[64];

	only = getenv("PSIVIEW_CURVES");
	if (only && (!*only || strcmp(only, "0") == 0))
		only = NULL;
	if (!CHECK(mkdtemp(folder) != NULL, "a folder"))
		return check_done();
	make_text();
	if (only) {
		make_pictures();
		each_golden(collect_final);
	}
	pool = pool_new(0);
	each_table(check_table);
	if (curves == 0)
		check_skip("no recorded curves below PSIVIEW_GOLDEN");
	pool_free(pool);
	snprintf(remove, sizeof remove, "rm -rf '%s'", folder);
	CHECK(system(remove) == 0, "the folder is gone");
	return check_done();
}
