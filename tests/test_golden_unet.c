/*
 * test_golden_unet.c: every U-Net checkpoint with expected outputs below
 * $PSIVIEW_GOLDEN, on every kernel path of this CPU: logits against those of a
 * float64 run, log x_theta of the clean picture, the stages inside the
 * network, EMA and raw weights.  What a golden file holds is read from its
 * tensors' names and shapes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ckpt/ckpt.h"
#include "golden.h"
#include "models/describe.h"
#include "models/registry.h"
#include "net/netmodel.h"

static const char *const paths[] = { "portable", "avx2", "avx512" };
static int cases;

struct gold {
	const char *name, *path; /* for messages */
	struct ckpt *ck;
	struct st_file *g;
	struct pool *pool;
	int B, L, V;
	int32_t *tok;
	double *sigma;
	int *label; /* NULL: no labels */
};

/* A tensor as doubles; NULL if there is none. */
static double *
values(const struct gold *k, const char *name, size_t *n)
{
	const struct tensor *t = st_find(k->g, name);

	*n = t ? tensor_numel(t) : 0;
	if (!t)
		return NULL;
	double *v = malloc((*n + 1) * sizeof *v);
	if (dtype_is_float(t->dtype)) {
		tensor_to_f64(t, 0, *n, v);
		return v;
	}
	int32_t *i = malloc((*n + 1) * sizeof *i);
	tensor_to_i32(t, 0, *n, i, NULL);
	for (size_t j = 0; j < *n; j++)
		v[j] = i[j];
	free(i);
	return v;
}

static struct model *
model_of(const struct gold *k, bool ema)
{
	struct net *net = net_new();
	struct model *m = NULL;
	struct error e = { 0 };
	enum status st = unet_describe(&k->ck->config, net, &e);

	if (st == ST_OK)
		st = net_finish(net, &e);
	if (st != ST_OK)
		net_free(net);
	else
		st = net_model_new(net, ema ? k->ck->ema : k->ck->raw, ema ? k->ck->n_ema : k->ck->n_raw, "weights",
				   kern_named(k->path), k->pool, true, &m, &e);
	CHECK(st == ST_OK, "%s, %s: %s weights %s", k->name, k->path, ema ? "EMA" : "raw", e.msg);
	return m;
}

/* All logits [B,L,V]; NULL: the model failed, which is a failed check. */
static float *
logits_of(const struct gold *k, struct model *m)
{
	size_t rows = (size_t)k->B * (size_t)k->L;
	float *feat = malloc(rows * 2 * sizeof *feat), *logit = malloc(rows * (size_t)k->V * sizeof *logit);
	struct net_input in = { .n = k->B, .tok = k->tok, .sigma = m->timed ? k->sigma : NULL, .label = k->label };
	struct error e = { 0 };
	enum status st = net_run_trunk(net_model_run(m), &in, feat, NULL, &e);

	for (size_t i = 0; st == ST_OK && i < rows; i += 128)
		st = m->rows(m, rows - i < 128 ? (int)(rows - i) : 128, feat + i * 2, logit + i * (size_t)k->V, NULL,
			     &e);
	free(feat);
	if (CHECK(st == ST_OK, "%s, %s: runs %s", k->name, k->path, e.msg))
		return logit;
	free(logit);
	return NULL;
}

static double
far(double a, double b)
{
	double d = fabs(a - b);

	return isfinite(d) ? d : INFINITY;
}

/* Golden logits [B,P,V] at the first P of `positions`. */
static void
check_logits(const struct gold *k, const float *logit, const char *name, double tolerance)
{
	size_t n, n_pos, V = (size_t)k->V;
	double *want = values(k, name, &n), *pos = values(k, "positions", &n_pos), worst = 0;
	size_t P = want ? n / (size_t)k->B / V : 0;

	for (size_t i = 0; pos && P <= n_pos && i < n; i++) {
		size_t row = i / V, at = row / P * (size_t)k->L + (size_t)pos[row % P];
		worst = fmax(worst, far((double)logit[at * V + i % V], want[i]));
	}
	if (want)
		CHECK(pos && P <= n_pos && worst < tolerance, "%s, %s: %s within %.1e", k->name, k->path, name, worst);
	free(want);
	free(pos);
}

/* log of the sum over the bins, less the mask's if skip >= 0. */
static double
logsumexp(const float *row, int V, int skip)
{
	double top = -INFINITY, sum = 0;

	for (int v = 0; v < V; v++)
		if (v != skip)
			top = fmax(top, (double)row[v]);
	for (int v = 0; v < V; v++)
		if (v != skip)
			sum += exp((double)row[v] - top);
	return top + log(sum);
}

/* log x_theta of token v: the softmax; with a mask, without the mask, and
 * certain where the token is known. */
static double
log_x(const struct gold *k, const float *row, int32_t z, int v)
{
	int mask = k->ck->config.mask;

	if (mask >= 0 && z != mask)
		return z == v ? 0 : -1e6;
	return (double)row[v] - logsumexp(row, k->V, mask);
}

static void
check_figures(const struct gold *k, const float *logit, const char *prefix, double tolerance)
{
	char name[2][64];
	size_t n[2], n_clean, V = (size_t)k->V;

	snprintf(name[0], sizeof name[0], "%slogsumexp", prefix);
	snprintf(name[1], sizeof name[1], "%slog_prob_clean", prefix);
	double *lse = values(k, name[0], &n[0]), *lp = values(k, name[1], &n[1]), *clean = values(k, "clean", &n_clean),
	       a = 0, b = 0;
	for (size_t i = 0; i < n[0]; i++)
		a = fmax(a, far(logsumexp(logit + i * V, k->V, -1), lse[i]) / fmax(1, fabs(lse[i])));
	for (size_t i = 0; clean && i < n[1]; i++)
		b = fmax(b, far(log_x(k, logit + i * V, k->tok[i], (int)clean[i]), lp[i]) / fmax(1, fabs(lp[i])));
	if (lse)
		CHECK(n[0] == (size_t)k->B * (size_t)k->L && a < 2e-4, "%s, %s: %s within %.1e", k->name, k->path,
		      name[0], a);
	if (lp)
		CHECK(n[1] == n_clean && b < tolerance, "%s, %s: %s within %.1e", k->name, k->path, name[1], b);
	free(lse);
	free(lp);
	free(clean);
}

/* log x_theta over all bins at `positions`; known pixels hold -1e6 elsewhere. */
static void
check_log_probs(const struct gold *k, const float *logit, const char *name, double tolerance)
{
	size_t n, P, V = (size_t)k->V;
	double *want = values(k, name, &n), *pos = values(k, "positions", &P), worst = 0;

	for (size_t i = 0; pos && i < n; i++) {
		size_t row = i / V, at = row / P * (size_t)k->L + (size_t)pos[row % P];
		int v = (int)(i % V);
		if (v != k->ck->config.mask)
			worst = fmax(worst, far(log_x(k, logit + at * V, k->tok[at], v), want[i]));
	}
	if (want)
		CHECK(n == (size_t)k->B * P * V && worst < tolerance, "%s, %s: %s within %.1e", k->name, k->path, name,
		      worst);
	free(want);
	free(pos);
}

static void
check_argmax(const struct gold *k, const float *logit)
{
	size_t n, m, V = (size_t)k->V;
	double *best = values(k, "argmax", &n), *margin = values(k, "argmax_margin", &m);
	int wrong = 0, seen = 0;

	for (size_t i = 0; best && margin && i < n; i++) {
		const float *row = logit + i * V;
		int top = 0;
		for (int v = 1; v < k->V; v++)
			top = row[v] > row[top] ? v : top;
		seen += margin[i] > 4e-3;
		wrong += margin[i] > 4e-3 && top != (int)best[i];
	}
	if (best && margin)
		CHECK(n == m && wrong == 0, "%s, %s: %d of %d clear argmax differ", k->name, k->path, wrong, seen);
	free(best);
	free(margin);
}

/* The value that a golden stage is; "": none that we know. */
static void
value_name(const struct gold *k, const struct net *net, const char *stage, char *out, size_t size)
{
	int last = 0, attn = 0;
	char name[96];

	do
		snprintf(name, sizeof name, "downsampling_modules.%d.NIN_0.W", attn);
	while (net_find_param(net, name) < 0 && ++attn < 1000);
	do
		snprintf(name, sizeof name, "upsampling_modules.%d", last);
	while (net_find_value(net, name) >= 0 && ++last < 1000);
	(void)k;
	if (strcmp(stage, "temb") == 0 || strcmp(stage, "output_conv") == 0)
		snprintf(out, size, "%s", stage);
	else if (strcmp(stage, "after_input_conv") == 0)
		snprintf(out, size, "input_conv");
	else if (strcmp(stage, "after_first_resblock") == 0)
		snprintf(out, size, "downsampling_modules.0");
	else if (strcmp(stage, "after_first_attention") == 0)
		snprintf(out, size, "downsampling_modules.%d", attn);
	else if (strcmp(stage, "after_middle") == 0)
		snprintf(out, size, "middle_modules.2");
	else if (strcmp(stage, "before_output_layer") == 0)
		snprintf(out, size, "upsampling_modules.%d", last - 1);
	else
		*out = '\0';
}

/* A stage [B,C] or [B,C,H,W] against a value of rows of channels. */
static void
check_stage(const struct gold *k, struct model *m, const struct tensor *t, const char *stage)
{
	const struct net *net = net_model_net(m);
	char name[96];
	size_t ld, n, C = (size_t)t->dim[1], per = tensor_numel(t) / (size_t)t->dim[0], pixels = per / C;

	value_name(k, net, stage, name, sizeof name);
	int v = net_find_value(net, name);
	const float *got = net_run_value(net_model_run(m), name, &ld);
	double *want = values(k, t->name, &n), worst = got && v >= 0 && net->value[v].width == (int)C ? 0 : INFINITY;
	for (size_t i = 0; worst < INFINITY && i < n; i++) {
		size_t b = i / per, c = i % per / pixels, p = i % pixels;
		worst = fmax(worst, far((double)got[(b * pixels + p) * ld + c], want[i]));
	}
	CHECK(worst < 1e-4, "%s, %s: %s within %.1e", k->name, k->path, t->name, worst);
	free(want);
}

static void
check_path(const struct gold *k)
{
	bool ema = k->ck->n_ema > 0;
	struct model *m = model_of(k, ema);
	float *logit = m ? logits_of(k, m) : NULL;
	bool fix = k->ck->config.fix_logistic == 1;

	for (int i = 0; logit && i < k->g->n; i++) {
		const char *name = k->g->tensor[i].name, *stage = strstr(name, "intermediate.");
		if (stage)
			check_stage(k, m, &k->g->tensor[i], stage + strlen("intermediate."));
	}
	if (logit) {
		check_logits(k, logit, "float64.logits", 2e-3);
		check_logits(k, logit, "logits", fix ? 2e-3 : .06);
		check_log_probs(k, logit, "float64.log_probs", 2e-3);
		check_log_probs(k, logit, "log_probs", fix ? 2e-3 : .06);
		check_figures(k, logit, "float64.", 2e-4);
		check_figures(k, logit, "", fix ? 2e-4 : .06);
		check_argmax(k, logit);
	}
	free(logit);
	model_free(m);
	m = st_find(k->g, "raw_weights.logits") ? model_of(k, false) : NULL;
	logit = m ? logits_of(k, m) : NULL;
	if (logit)
		check_logits(k, logit, "raw_weights.logits", fix ? 2e-3 : .06);
	free(logit);
	model_free(m);
}

/* What model_open makes of the file: its meaning, its schedule, and that its
 * features are those of the default weights, bit for bit. */
static void
check_open(struct gold *k)
{
	const char *mask = st_meta(k->g, "mask"), *vocab = st_meta(k->g, "vocab");
	struct model *m = NULL, *other;
	struct model_size size;
	struct error e = { 0 };
	size_t n, n_t, n_alpha;
	double *t = values(k, "t", &n_t), *alpha = values(k, "alpha", &n_alpha), *used = values(k, "sigma_used", &n),
	       worst = 0;
	float *a = malloc((size_t)k->L * 2 * sizeof *a), *b = malloc((size_t)k->L * 2 * sizeof *b);

	k->path = kern_best()->name;
	other = model_of(k, k->ck->n_ema > 0);
	if (!CHECK(model_check(k->ck, &e) == ST_OK && model_open(k->ck, false, k->pool, &m, &e) == ST_OK,
		   "%s: opens %s", k->name, e.msg))
		return;
	enum status st = model_measure(k->ck, &size, &e);
	CHECK(st == ST_OK && size.parameters > 0 && size.weight_bytes >= size.parameters && size.scratch_bytes > 0,
	      "%s: %.2f million parameters", k->name, (double)size.parameters / 1e6);
	CHECK(m->L == k->L && m->F == 2 && (!vocab || m->V == atoi(vocab)) &&
		  (!mask || m->mask == (*mask >= '0' && *mask <= '9' ? atoi(mask) : -1)) &&
		  m->out == (m->mask < 0 ? OUT_MEAN : OUT_SUBS) && m->classes == (k->label ? k->ck->config.classes : 0),
	      "%s: vocabulary %d, mask %d, %d classes", k->name, m->V, m->mask, m->classes);
	for (size_t i = 0; t && alpha && i < n_t; i++)
		worst = fmax(worst, far(alpha_at(&m->alpha, t[i]), alpha[i]));
	CHECK(worst < 1e-6, "%s: the schedule, within %.1e", k->name, worst);
	for (size_t i = 0; used && i < n; i++)
		worst = fmax(worst, far(m->timed ? k->sigma[i] : 0, used[i]));
	CHECK(worst < 1e-6, "%s: sigma as the network receives it", k->name);
	st = m->trunk(m, 1, k->tok, k->sigma, k->label, a, NULL, &e);
	if (st == ST_OK && other)
		st = other->trunk(other, 1, k->tok, k->sigma, k->label, b, NULL, &e);
	CHECK(st == ST_OK && other && memcmp(a, b, (size_t)k->L * 2 * sizeof *a) == 0,
	      "%s: model_open runs the default weights", k->name);
	model_free(m);
	model_free(other);
	free(a);
	free(b);
	free(t);
	free(alpha);
	free(used);
}

/* A configuration that does not fit the tensors ends with one line. */
static void
check_damaged(const struct gold *k)
{
	struct config *c = &k->ck->config, good = *c;
	int wrong = 0;

	for (int i = 0; i < 8; i++) {
		struct error e = { 0 };
		struct model *m = NULL;
		int *const field[] = { &c->ch,	       &c->num_res_blocks, &c->num_scales, &c->ch_mult[0],
				       &c->attn_scale, &c->time_embed_dim, &c->length,	   &c->ch_mult[1] };
		*c = good;
		*field[i] += i == 6 ? 3 : 1;
		wrong += model_check(k->ck, &e) != ST_CKPT || strchr(e.msg, '\n') ||
			 model_open(k->ck, false, k->pool, &m, &e) != ST_CKPT;
		model_free(m);
	}
	*c = good;
	CHECK(wrong == 0, "%s: %d configurations that do not fit were let through", k->name, wrong);
}

static bool
read_inputs(struct gold *k)
{
	const struct tensor *tok = st_find(k->g, "tokens"), *label = st_find(k->g, "label");
	size_t n;

	if (!tok || tok->ndim != 2 || tok->dim[1] != k->L)
		return false;
	k->B = (int)tok->dim[0];
	k->tok = calloc((size_t)k->B * (size_t)k->L, sizeof *k->tok);
	tensor_to_i32(tok, 0, (size_t)k->B * (size_t)k->L, k->tok, NULL);
	k->sigma = values(k, "sigma", &n);
	if (label) {
		k->label = calloc((size_t)k->B, sizeof *k->label);
		tensor_to_i32(label, 0, (size_t)k->B, k->label, NULL);
	}
	return k->sigma && n == (size_t)k->B;
}

static void
check_case(const char *golden, const char *checkpoint)
{
	struct config_override o;
	struct error e = { 0 };
	struct gold k = { .name = strrchr(golden, '/') + 1 };

	config_override_init(&o);
	if (st_open(golden, &k.g, &e) != ST_OK) {
		CHECK(false, "%s: %s", golden, e.msg);
		return;
	}
	bool classifier = st_find(k.g, "gradient");
	if (st_find(k.g, "tokens") && !classifier &&
	    CHECK(ckpt_open(checkpoint, &o, &k.ck, &e) == ST_OK, "%s: opens %s", checkpoint, e.msg)) {
		k.L = k.ck->config.length;
		k.V = k.ck->config.vocab;
		k.pool = pool_new(2);
		if (k.ck->config.backbone == BACKBONE_UNET &&
		    CHECK(read_inputs(&k), "%s: inputs fit the model", k.name)) {
			cases++;
			for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
				k.path = paths[i];
				if (kern_named(paths[i]))
					check_path(&k);
			}
			check_open(&k);
			check_damaged(&k);
		}
		pool_free(k.pool);
		ckpt_close(k.ck);
	}
	free(k.tok);
	free(k.sigma);
	free(k.label);
	st_close(k.g);
}

int
main(void)
{
	const char *dir = getenv("PSIVIEW_GOLDEN");

	if (dir)
		golden_walk(dir, check_case);
	if (cases == 0)
		check_skip("no U-Net with golden outputs in %s", dir ? dir : "PSIVIEW_GOLDEN");
	return check_done();
}
