/*
 * test_init.c: initial weights of every network, as published, and the sizes of
 * the presets' networks.
 */
#include <math.h>

#include "models/registry.h"
#include "state_util.h"

static bool
has(const char *name, const char *part)
{
	return strstr(name, part) != NULL;
}

/* Bound of the uniform values, written once more: 0: zeros, -1: ones, -2: a normal law. */
static double
rule(const struct net_param *p)
{
	const char *n = p->name;
	double in = 1;

	for (int d = 1; d < p->ndim; d++)
		in *= (double)p->dim[d];
	if (has(n, "cond_map"))
		return -2;
	if (has(n, "adaLN") || has(n, "output_layer.linear"))
		return 0;
	if (has(n, "norm") || has(n, "Norm") || has(n, "output_modules.0"))
		return has(n, "bias") ? 0 : -1;
	if (has(n, "NIN_") || has(n, "nin."))
		return p->ndim == 1 ? 0 : sqrt((has(n, "NIN_3") ? 6e-10 : .6) / (double)(p->dim[0] + p->dim[1]));
	if (p->ndim == 1)
		return has(n, "temb_modules") || has(n, "dense0") ? 0 : NAN;
	return 1 / sqrt(in);
}

static void
check_init(const struct train_state *s, const char *what)
{
	int bad = 0;
	double last = NAN;

	for (int i = 0; i < s->net->n_par; i++) {
		const float *x = s->param + s->flat.at[i];
		double most = 0, sum = 0, square = 0, n = (double)s->flat.numel[i], want = rule(&s->net->par[i]);
		for (size_t k = 0; k < s->flat.numel[i]; k++) {
			most = fmax(most, fabs((double)x[k]));
			sum += (double)x[k];
			square += (double)x[k] * (double)x[k];
		}
		if (isnan(want)) /* a bias: that of the weight before it */
			want = last;
		double spread = want == -2 ? 1 : want / sqrt(3);
		bool ok = want == 0 ? most == 0
			  : want == -1
			      ? square == n && sum == n
			      : (want == -2 || most <= want * (1 + 1e-6)) && fabs(sum / n) < 5 * spread / sqrt(n) &&
				    fabs(square / n / spread / spread - 1) < 6 / sqrt(n);
		if (!ok)
			printf("# %s: bound %g, largest %g, mean %g, square %g\n", s->net->par[i].name, want, most,
			       sum / n, square / n);
		bad += !ok;
		last = want;
	}
	CHECK(bad == 0, "%s: every parameter begins as published", what);
}

static void
test_init(void)
{
	static const char *const which[][3] = { { "sudoku", "duo_base", "model" },
						{ "text", "ar", "model" },
						{ "pictures", "duo_base", "model" },
						{ "pictures", "mdlm", "classifier" } };
	struct train_state *s, *t;
	struct source *src;

	for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
		struct job j = small(which[i][0], which[i][1]);
		set(&j, "goal", which[i][2]);
		set(&j, "hidden", "64");
		set(&j, "cond", "32");
		begin(&j, &src, &s, which[i][0]);
		if (!s)
			continue;
		check_init(s, which[i][0]);
		size_t bytes = s->flat.floats * sizeof(float);
		bool again = state_new(&j, &t, NULL) == ST_OK && !memcmp(s->param, t->param, bytes);
		CHECK(again && !memcmp(s->ema, s->param, bytes), "the same seed gives the same weights");
		state_free(t);
		j.seed++;
		CHECK(state_new(&j, &t, NULL) == ST_OK && memcmp(s->param, t->param, bytes), "another seed others");
		end(src, t);
		state_free(s);
	}
}

static void
test_presets(void)
{
	static const struct {
		const char *name;
		int V;
		double least, most;
	} w[] = {
		{ "text-tiny", 60, .9e6, 1.3e6 }, { "text-small", 60, 5e6, 7e6 },
		{ "sudoku6", 7, 1.1e6, 1.5e6 },	  { "cifar10-small", 256, .8e6, 2e6 },
		{ "cifar10", 256, 30e6, 40e6 },	  { "owt-small", 50258, 160e6, 175e6 },
	};
	struct net *net;
	struct job j;

	CHECK(job_preset_count() == sizeof w / sizeof *w, "every preset is weighed");
	for (size_t i = 0; i < sizeof w / sizeof *w; i++) {
		job_preset(w[i].name, &j, &e);
		j.net.vocab = w[i].V;
		enum status st = model_describe(&j.net, &net, &e);
		double n = st == ST_OK ? (double)net_parameters(net) : 0;
		CHECK(n >= w[i].least && n <= w[i].most, "%s: %.0f weights%s%s", w[i].name, n, st ? ": " : "",
		      st ? e.msg : "");
		net_free(st == ST_OK ? net : NULL);
	}
}

int
main(void)
{
	if (!scratch_begin())
		return 99;
	test_init();
	test_presets();
	scratch_end();
	return check_done();
}
