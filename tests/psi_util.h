/*
 * psi_util.h: for the tests of src/psi: golden tensors as doubles, and
 * comparing with a running tally.
 */
#ifndef PSI_TESTS_PSI_UTIL_H
#define PSI_TESTS_PSI_UTIL_H

#include <math.h>
#include <stdint.h>

#include "check.h"
#include "ckpt/safetensors.h"
#include "text_util.h"

/* One golden file, and the group of tensors in it that is looked at. */
struct golden {
	const char *path;
	struct st_file *f;
	char group[200];             /* "" or ends with '/' */
};

/* A tensor of the group as doubles; keep: freed by values_done. */
struct values {
	double *v[40];
	int n;
};

__attribute__((unused)) static void
values_done(struct values *k)
{
	for (int i = 0; i < k->n; i++)
		free(k->v[i]);
	k->n = 0;
}

__attribute__((unused)) static const struct tensor *
find(const struct golden *g, const char *name)
{
	char full[400];

	snprintf(full, sizeof full, "%s%s", g->group, name);
	return st_find(g->f, full);
}

/* NULL when absent. */
__attribute__((unused)) static double *
get(const struct golden *g, struct values *keep, const char *name)
{
	const struct tensor *t = find(g, name);

	if (!t || keep->n == 40)
		return NULL;
	size_t n = tensor_numel(t);
	double *v = malloc((n ? n : 1) * sizeof *v);
	if (v) {
		tensor_to_f64(t, 0, n, v);
		keep->v[keep->n++] = v;
	}
	return v;
}

__attribute__((unused)) static int
size_of(const struct golden *g, const char *name, int axis)
{
	const struct tensor *t = find(g, name);

	if (!t)
		return 0;
	return axis < 0 ? (int)tensor_numel(t) : axis < t->ndim ? (int)t->dim[axis] : 0;
}

__attribute__((unused)) static bool
has(const struct golden *g, const char *name)
{
	return find(g, name) != NULL;
}

/* Call fn for every group of f that has a tensor called `name`; returns how many. */
__attribute__((unused)) static int
each_group(struct golden *g, const char *name, void (*fn)(struct golden *g))
{
	int n = 0;

	for (int i = 0; i < g->f->n; i++) {
		const char *full = g->f->tensor[i].name;
		size_t len = strlen(full), k = strlen(name);
		if (len < k || strcmp(full + len - k, name) != 0 || (len > k && full[len - k - 1] != '/') ||
		    len - k >= sizeof g->group)
			continue;
		snprintf(g->group, sizeof g->group, "%.*s", (int)(len - k), full);
		fn(g);
		g->group[0] = '\0';
		n++;
	}
	return n;
}

struct tally_of {
	long n, bad;
	double worst;                /* largest difference in units of the tolerance */
};

/* |a - want| <= absolute + relative |want|; equal infinities agree. */
__attribute__((unused)) static void
compare(struct tally_of *t, double a, double want, double absolute, double relative)
{
	double d = a == want ? 0 : fabs(a - want) / (absolute + relative * fabs(want));

	t->n++;
	if (!(d <= 1)) {
		if (t->bad++ < 3)
			printf("# %.17g instead of %.17g\n", a, want);
	}
	if (!(d <= t->worst))
		t->worst = d;
}

__attribute__((unused)) static void
compare_row(struct tally_of *t, int n, const double *a, const double *want)
{
	for (int i = 0; i < n; i++)
		compare(t, a[i], want[i], 1e-12, 1e-10);
}

#define TALLY(t, ...) do { \
		CHECK((t).n > 0 && (t).bad == 0, __VA_ARGS__); \
		printf("#  %ld numbers, worst %.2g of the tolerance\n", (t).n, (t).worst); \
	} while (0)

/* The file's own name without folders. */
__attribute__((unused)) static const char *
short_name(const struct golden *g)
{
	return base_name(g->path);
}

/* Call fn for every safetensors file of the golden directory. */
__attribute__((unused)) static void
each_golden(void (*fn)(struct golden *g))
{
	const char *dir = getenv("PSIVIEW_GOLDEN");
	struct paths files = { 0 };

	find_files(dir ? dir : "tests/golden", &files);
	for (size_t i = 0; i < files.n; i++) {
		struct golden g = { .path = files.p[i] };
		if (!ends_with(files.p[i], ".safetensors") || strstr(files.p[i], "/hostile/") ||
		    st_open(files.p[i], &g.f, NULL) != ST_OK)
			continue;
		fn(&g);
		st_close(g.f);
	}
	free_paths(&files);
}

#endif
