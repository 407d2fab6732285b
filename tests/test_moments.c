/*
 * test_moments.c: training that goes on from a Lightning checkpoint: weights,
 * average and AdamW's moments of every NAME.ckpt below $PSIVIEW_GOLDEN that
 * holds some; value for value where NAME.state.safetensors has them (param.,
 * ema., adam.m., adam.v. and the step, written by PyTorch).
 */
#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ckpt/ckpt.h"
#include "ckpt/safetensors.h"
#include "train/state.h"

static struct error e;
static int cases, exact;

/* The job of a run that goes on from an open checkpoint. */
static struct job
job_from(const struct ckpt *c, const char *path, bool with_state)
{
	struct job j;

	job_init(&j);
	j.loss = c->config.algo == ALGO_MDLM ? LOSS_MDLM : LOSS_DUO;
	snprintf(j.init, sizeof j.init, "%s", path);
	j.init_state = with_state;
	job_adopt(&j, &c->config);
	return j;
}

/* AdamW's moments of one element are decayed means g and g^2 of the same
 * gradients: m^2 <= v (1 - .9)^2 / ((1 - .999) (1 - .81 / .999)), by Cauchy and Schwarz. */
static int
impossible(const struct train_state *s)
{
	const double most = .01 / (.001 * (1 - .81 / .999));
	int n = 0;

	for (int i = 0; i < s->net->n_par; i++)
		for (size_t k = s->flat.at[i]; k < s->flat.at[i] + s->flat.numel[i]; k++)
			n += !((double)s->m[k] * (double)s->m[k] <= most * (double)s->v[k] * (1 + 1e-5) + 1e-36);
	return n;
}

static int
differ(const struct train_state *s, const struct st_file *f, const char *prefix, const float *data)
{
	int bad = 0;

	for (int i = 0; i < s->net->n_par; i++) {
		char name[300];
		snprintf(name, sizeof name, "%s%s", prefix, s->net->par[i].name);
		const struct tensor *t = st_find(f, name);
		float *want = malloc(s->flat.numel[i] * sizeof *want);
		if (t && tensor_numel(t) == s->flat.numel[i])
			tensor_to_f32(t, 0, s->flat.numel[i], want);
		bad += !t || memcmp(want, data + s->flat.at[i], s->flat.numel[i] * sizeof *want) != 0;
		free(want);
	}
	return bad;
}

static void
compare(const struct train_state *s, const char *path)
{
	struct st_file *f;
	char values[4200];

	snprintf(values, sizeof values, "%.*s.state.safetensors", (int)(strlen(path) - 5), path);
	if (st_open(values, &f, &e) != ST_OK)
		return;
	exact++;
	CHECK(differ(s, f, "param.", s->param) == 0 && differ(s, f, "ema.", s->ema) == 0, "%s: weights and average",
	      path);
	CHECK(differ(s, f, "adam.m.", s->m) == 0 && differ(s, f, "adam.v.", s->v) == 0, "%s: moments", path);
	CHECK(st_meta(f, "step") && s->step == atoll(st_meta(f, "step")), "%s: step %lld", path, (long long)s->step);
	st_close(f);
}

static void
goes_on(const struct ckpt *c, const char *path)
{
	struct job j = job_from(c, path, true);
	struct train_state *s;
	enum status st = state_new(&j, &s, &e);

	cases++;
	if (!CHECK(st == ST_OK && s->step == c->config.step, "%s: goes on%s%s", path, st ? ": " : "", st ? e.msg : ""))
		return;
	CHECK(impossible(s) == 0, "%s: the moments belong together", path);
	compare(s, path);
	state_free(s);
	j.init_state = false;
	st = state_new(&j, &s, &e);
	CHECK(st == ST_OK && s->step == 0 && !memcmp(s->param, s->ema, s->flat.floats * sizeof *s->ema) && s->m[0] == 0,
	      "%s: begins as the average alone", path);
	state_free(s);
}

static int
visit(const char *path, const struct stat *sb, int type, struct FTW *at)
{
	struct train_state *s;
	size_t n = strlen(path);
	struct ckpt *c;

	(void)at;
	if (type != FTW_F || n < 5 || strcmp(path + n - 5, ".ckpt") != 0 || sb->st_size > 64 << 20 ||
	    strstr(path, "hostile") || ckpt_open(path, NULL, &c, &e) != ST_OK)
		return 0;
	if (c->n_adam > 0 && c->config.algo != ALGO_AR) {
		goes_on(c, path);
	} else if (c->format == CKPT_LIGHTNING && c->config.algo != ALGO_AR && !c->n_adam) {
		struct job j = job_from(c, path, true);
		enum status st = state_new(&j, &s, &e);
		CHECK(st != ST_OK && !s && strstr(e.msg, path) && !strchr(e.msg, '\n'), "%s", st ? e.msg : "goes on");
		state_free(s);
	}
	ckpt_close(c);
	return 0;
}

int
main(void)
{
	const char *dir = getenv("PSIVIEW_GOLDEN");

	nftw(dir ? dir : "tests/golden", visit, 8, FTW_PHYS);
	if (!cases)
		check_skip("no checkpoint with moments");
	if (!exact)
		check_skip("none whose moments are known");
	return check_done();
}
