/*
 * test_psi_plan.c: plans.  kappa tables (safetensors files whose metadata are
 * JSON objects with `modes`) and schedule edge cases (JSON lists of objects
 * with `time_profile`) found below $PSIVIEW_GOLDEN; then what happens to a plan
 * when a knob is turned in the middle of a run.
 */
#include <jansson.h>

#include "psi/plan.h"
#include "psi_util.h"

static int cases;

static struct model
model_of(const char *schedule, double eps)
{
	struct model m = { .L = 4, .V = 5, .F = 5, .mask = -1, .out = OUT_MEAN, .timed = true };

	m.alpha = (struct alpha){ strcmp(schedule, "cosine") == 0 ? ALPHA_COSINE : ALPHA_LOGLINEAR, eps };
	return m;
}

/* ---- kappa tables ---- */

/* A setting's metadata as a recipe; false if it is none. */
static bool
setting_recipe(const json_t *s, struct recipe *r)
{
	static const char *const zones[] = { "zone-high", "zone-mid", "zone-low" };
	const json_t *modes = json_object_get(s, "modes"), *profile = json_object_get(s, "profile");
	char text[80];

	if (json_array_size(modes) != 3 || !profile)
		return false;
	recipe_init(r);
	for (size_t i = 0; i < 3; i++) {
		const json_t *m = json_array_get(modes, i);
		const char *name = json_string_value(json_array_get(m, 0));
		if (json_array_size(m) > 1)
			snprintf(text, sizeof text, "%s(%.17g)", name, json_number_value(json_array_get(m, 1)));
		else
			snprintf(text, sizeof text, "%s", name);
		if (!CHECK(recipe_set(r, zones[i], text, NULL) == ST_OK, "zone %s", text))
			return false;
	}
	r->high_frac = json_number_value(json_object_get(s, "high_frac"));
	r->middle_frac = json_number_value(json_object_get(s, "middle_frac"));
	if (!json_is_object(profile))
		return true;
	r->profile = PROFILE_LCL;
	r->c = json_number_value(json_object_get(profile, "c"));
	r->given = json_is_true(json_object_get(profile, "c_is_alpha")) ? GIVEN_ALPHA : GIVEN_TIME;
	return true;
}

static void
compare_plan(struct golden *g, const struct model *m, const struct recipe *r, const char *t_name, const char *k_name,
    double tolerance)
{
	struct values k = { 0 };
	struct tally_of y = { 0 };
	struct error e = { 0 };
	struct leg *l;
	double *t = get(g, &k, t_name), *kappa = get(g, &k, k_name), *alpha = get(g, &k, "alpha");
	int N = size_of(g, k_name, -1) - 1;

	if (!CHECK(leg_new(r, m, NULL, 0, 1, &l, &e) == ST_OK, "plan of %s%s: %s", g->group, k_name, e.msg)) {
		values_done(&k);
		return;
	}
	compare(&y, l->n, N + 1, 0, 0); /* noise removal is the last row */
	for (int i = 0; i < N && i < l->n; i++) {
		const struct plan_row *row = leg_row(l, i);
		bool edge = kappa[i] == 0 || kappa[i] == 1;
		compare(&y, row->t, t[i], tolerance > 0 ? tolerance : 1e-12, 1e-10);
		compare(&y, row->s, t[i + 1], tolerance > 0 ? tolerance : 1e-12, 1e-10);
		compare(&y, row->kappa, kappa[i], tolerance > 0 ? tolerance : edge ? 1e-12 : 1e-9, 0);
		if (alpha && tolerance == 0) {
			compare(&y, row->a, alpha[i], 1e-12, 1e-10);
			compare(&y, row->b, alpha[i + 1], 1e-12, 1e-10);
		}
	}
	CHECK(y.bad == 0 && y.n > 0, "%s%s", g->group, k_name);
	leg_free(l);
	values_done(&k);
}

static void
check_table(struct golden *g)
{
	char setting[200];
	struct recipe r;
	int N = size_of(g, "kappa", -1) - 1;

	snprintf(setting, sizeof setting, "%.*s", (int)strcspn(g->group, "/"), g->group);
	const char *meta = st_meta(g->f, setting);
	json_t *s = meta ? json_loads(meta, 0, NULL) : NULL;
	if (s && has(g, "t") && setting_recipe(s, &r)) {
		const char *schedule = json_string_value(json_object_get(s, "schedule"));
		struct model m = model_of(schedule, json_number_value(json_object_get(s, "eps")));
		cases++;
		r.steps = N;
		compare_plan(g, &m, &r, "t", "kappa", 0);
		if (has(g, "kappa_remdm_rescale")) {
			struct recipe true_rescale = r;
			for (int i = 0; i < 3; i++)
				if (r.zone[i].mode == KAPPA_RESCALE_DUO)
					true_rescale.zone[i].mode = KAPPA_RESCALE;
			compare_plan(g, &m, &true_rescale, "t", "kappa_remdm_rescale", 0);
		}
		if (has(g, "t_published")) {
			struct recipe duo = r;
			duo.given = GIVEN_ALPHA_DUO;
			compare_plan(g, &m, &duo, "t_published", "kappa_published", 2e-5);
		}
	}
	json_decref(s);
}

static void
check_tables(struct golden *g)
{
	each_group(g, "kappa", check_table);
}

/* ---- edge cases ---- */

/* The published name of a mode in our words; false: there is no such mode. */
static bool
zone_words(const char *published, char *buf, size_t size)
{
	static const struct { const char *published, *ours; } names[] = {
		{ "pure-posterior", "posterior" }, { "pure-pc", "pc" }, { "constant-remdm-", "loop" },
		{ "constant-", "constant" }, { "max-capped-", "cap" }, { "max-rescale-", "rescale-duo" },
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t n = strlen(names[i].published);
		if (strncmp(published, names[i].published, n) != 0)
			continue;
		snprintf(buf, size, published[n] ? "%s(%s)" : "%s", names[i].ours, published + n);
		return true;
	}
	snprintf(buf, size, "%s", published);
	return false;
}

static bool
profile_words(const char *published, char *buf, size_t size)
{
	double c;
	int used = 0;

	if (strcmp(published, "linear") == 0) {
		snprintf(buf, size, "linear");
		return true;
	}
	if (sscanf(published, "linear-constant-linear-%lf%n", &c, &used) != 1)
		return false;
	/* the published inverse: what the recorded times hold */
	snprintf(buf, size, "lcl(%.17g)%s", c, strcmp(published + used, "-inv") == 0 ? "-inv-duo" : published + used);
	return true;
}

/* Whether the case is one that we lay out as it stands. */
static bool
may_run(const json_t *c, bool zones_ok)
{
	bool lcl = strcmp(json_string_value(json_object_get(c, "time_profile")), "linear") != 0;

	return zones_ok && json_integer_value(json_object_get(c, "n_low")) >= 0 &&
	    !(lcl && json_integer_value(json_object_get(c, "n_high")) == 0);
}

/* Times and kappas where the published code runs and reads what was written. */
static void
compare_edge(const json_t *c, const struct leg *l, bool exact)
{
	const json_t *kappa = json_object_get(c, "kappa");
	struct tally_of t = { 0 };

	if (strcmp(json_string_value(json_object_get(c, "published")), "runs") != 0 || !exact)
		return;
	compare(&t, l->time[0], json_number_value(json_object_get(c, "t_first")), 1e-6, 0);
	compare(&t, l->time[l->times - 1], json_number_value(json_object_get(c, "t_last")), 1e-6, 0);
	for (int i = 0; i + 1 < l->times && i < (int)json_array_size(kappa); i++)
		compare(&t, l->row[i].kappa, json_number_value(json_array_get(kappa, (size_t)i)), 2e-5, 0);
	TALLY(t, "its times and kappas");
}

static void
check_edge(const json_t *c)
{
	static const char *const zones[] = { "zone-high", "zone-mid", "zone-low" };
	const json_t *modes = json_object_get(c, "modes");
	struct recipe r;
	struct error e = { 0 };
	struct leg *l = NULL;
	char text[80];
	bool zones_ok = true, exact = true;

	recipe_init(&r);
	for (size_t i = 0; i < 3; i++) {
		const char *mode = json_string_value(json_array_get(modes, i));
		bool known = zone_words(mode, text, sizeof text);
		const char *power = strstr(mode, "e-");
		exact = exact && !(power && power > mode && strchr("0123456789", power[-1]));
		enum status st = recipe_set(&r, zones[i], text, &e);
		zones_ok = st == ST_OK && zones_ok;
		if (!known)
			CHECK(st == ST_USAGE, "an unknown mode is refused: %s", e.msg);
	}
	if (!profile_words(json_string_value(json_object_get(c, "time_profile")), text, sizeof text) ||
	    recipe_set(&r, "profile", text, &e) != ST_OK)
		zones_ok = false;
	r.high_frac = json_number_value(json_object_get(c, "high_frac"));
	r.middle_frac = json_number_value(json_object_get(c, "middle_frac"));
	r.steps = (int)json_integer_value(json_object_get(c, "steps"));
	struct model m = model_of(json_string_value(json_object_get(c, "schedule")), 1e-3);
	enum status st = zones_ok ? leg_new(&r, &m, NULL, 0, 1, &l, &e) : ST_USAGE;
	bool should = may_run(c, zones_ok);
	CHECK((st == ST_OK) == should, "%s: %s", json_string_value(json_object_get(c, "what")),
	    st == ST_OK ? "laid out" : e.msg);
	CHECK(st == ST_OK || (st == ST_USAGE && e.msg[0]), "refused with a sentence");
	if (st == ST_OK) {
		bool ends = true;
		for (int i = 0; i + 1 < l->times; i++)
			if (r.zone[l->time_zone[i]].mode > KAPPA_CONSTANT && l->time_zone[i + 1] != l->time_zone[i])
				ends = ends && l->row[i].kappa == 1;
		CHECK(ends, "the last time of each sigma zone has kappa 1");
		compare_edge(c, l, exact);
	}
	leg_free(l);
}

static void
check_edges(void)
{
	const char *dir = getenv("PSIVIEW_GOLDEN");
	struct paths files = { 0 };

	find_files(dir ? dir : "tests/golden", &files);
	for (size_t i = 0; i < files.n; i++) {
		json_t *list = ends_with(files.p[i], ".json") && !strstr(files.p[i], "/hostile/")
		    ? json_load_file(files.p[i], 0, NULL) : NULL;
		for (size_t j = 0; j < json_array_size(list); j++) {
			const json_t *c = json_array_get(list, j);
			if (json_object_get(c, "time_profile") && json_object_get(c, "modes")) {
				check_edge(c);
				cases++;
			}
		}
		json_decref(list);
	}
	free_paths(&files);
}

/* ---- a knob turned in the middle ---- */

static struct leg *
lay(const char *line, const struct leg *from, int at)
{
	struct model m = model_of("log-linear", 1e-3);
	struct recipe r;
	struct error e = { 0 };
	struct leg *l = NULL;
	double t = from ? leg_row(from, at) ? leg_row(from, at)->t : 0 : 1;

	if (recipe_parse(line, &r, &e) != ST_OK || leg_new(&r, &m, from, at, t, &l, &e) != ST_OK)
		printf("# %s: %s\n", line, e.msg);
	return l;
}

static void
check_same_grid(void)
{
	struct leg *a = lay("psi steps=20", NULL, 0), *b = lay("psi steps=20 kappa=.9", a, 7), *c;
	bool same = b->first == 7 && b->n == a->n - 7;

	for (int i = 7; i < a->total && same; i++)
		same = leg_row(b, i)->t == leg_row(a, i)->t && leg_row(b, i)->s == leg_row(a, i)->s &&
		    leg_row(b, i)->a == leg_row(a, i)->a && leg_row(b, i)->b == leg_row(a, i)->b;
	CHECK(same, "kappa turned: the rest of the rows bit for bit");
	CHECK(leg_row(b, 7)->kappa == .9 && leg_row(a, 7)->kappa == 1, "but kappa");
	c = lay("psi steps=20 kappa=.9 removal=none", b, 20);
	CHECK(c && c->n == 0 && c->total == 20, "without noise removal nothing follows the grid");
	leg_free(c);
	c = lay("psi steps=20 kappa=.9", b, 20);
	CHECK(c && c->n == 1 && leg_row(c, 20)->b == 1, "with it one row follows");
	leg_free(c);
	leg_free(b);
	leg_free(a);
}

static void
check_new_total(void)
{
	struct leg *a = lay("psi steps=20", NULL, 0), *b = lay("psi steps=50", a, 10), *c, *d;
	double t = leg_row(a, 10)->t;

	CHECK(b && b->total == 51 && b->times == 41 && b->time[0] == t && b->time[40] == PLAN_LAST_TIME,
	    "a new total: the time left is laid out anew");
	CHECK(fabs(b->time[20] - (t + (PLAN_LAST_TIME - t) / 2)) < 1e-12, "evenly");
	CHECK(lay("psi steps=10", a, 10) == NULL, "refused where no step would be left");
	c = lay("psi steps=50 kappa=.9", b, 15);
	CHECK(c && leg_row(c, 15)->t == leg_row(b, 15)->t && leg_row(c, 15)->kappa == .9,
	    "a later knob keeps the new grid");
	leg_free(c);
	/* back to the old total: the same times as before */
	d = lay("psi steps=20", a, 10);
	CHECK(d && memcmp(d->time, a->time + 10, (size_t)d->times * sizeof *d->time) == 0,
	    "the old total, the old times");
	leg_free(d);
	leg_free(b);
	leg_free(a);
}

/* Times of each zone after the first. */
static void
count_zones(const struct leg *l, int n[3])
{
	n[0] = n[1] = n[2] = 0;
	for (int i = 1; i < l->times; i++)
		n[l->time_zone[i]]++;
}

static void
check_new_total_lcl(void)
{
	struct leg *a = lay("psi preset=loop-0.01 steps=40", NULL, 0), *b = lay("psi preset=loop-0.01 steps=80", a, 10);
	int left[3], now[3];

	count_zones(a, left);
	CHECK(left[0] == 17 && left[1] == 20 && left[2] == 3, "41 times: 18 high, 20 middle, 3 low");
	/* after step 10: 7 high, 20 middle, 3 low of 30; 70 steps: 16.33, 46.67, 7 */
	count_zones(b, now);
	CHECK(now[0] == 16 && now[1] == 47 && now[2] == 7, "shared out in proportion: %d %d %d", now[0], now[1],
	    now[2]);
	double c = a->time[18];
	CHECK(b->time[16] == c && b->time[17] == c && b->time[16 + 47] == c && b->time[16 + 48] == c &&
	    b->time[16 + 49] < c && b->time[70] == PLAN_LAST_TIME, "each part keeps its end value");
	bool down = true;
	for (int i = 1; i < b->times; i++)
		down = down && b->time[i] <= b->time[i - 1];
	CHECK(down, "times never rise");
	/* the last time of the loop zone has kappa 1, its others do not */
	CHECK(b->row[16 + 47].kappa == 1 && b->row[16 + 46].kappa < 1, "the zone's last time has kappa 1");
	leg_free(b);
	b = lay("psi preset=loop-0.01 steps=44", a, 39);
	CHECK(b && b->times == 6 && b->time[5] == PLAN_LAST_TIME && b->time_zone[1] == 2, "inside the last part");
	leg_free(b);
	CHECK(lay("psi steps=40 profile=lcl(.9) high=.45 middle=.5", a, 30) == NULL,
	    "a middle time that is past is refused");
	leg_free(a);
}

static void
check_other_changes(void)
{
	struct leg *a = lay("psi steps=40", NULL, 0), *b = lay("psi steps=40 high=.5 middle=.25 zone-mid=.8", a, 10),
	    *c;

	CHECK(b && leg_row(b, 25)->kappa == .8 && leg_row(b, 15)->kappa == 1 && leg_row(b, 25)->t == leg_row(a, 25)->t,
	    "other fractions: the same times, other zones");
	c = lay("psi preset=loop-0.01 steps=40", a, 10);
	CHECK(c && c->time[0] == leg_row(a, 10)->t && c->time[c->times - 1] == PLAN_LAST_TIME,
	    "another profile starts where the state stands");
	leg_free(c);
	leg_free(b);
	leg_free(a);
	a = lay("psi preset=loop-0.01 steps=16", NULL, 0);
	CHECK(a && a->grid_ends_at_c, "16 steps of loop end at c, and the leg says so");
	leg_free(a);
	a = lay("psi preset=loop-0.01 steps=64", NULL, 0);
	CHECK(a && !a->grid_ends_at_c, "64 do not");
	leg_free(a);
}

static void
check_causal(void)
{
	struct model m = model_of("log-linear", 1e-3);
	struct recipe r;
	struct leg *l;

	m.out = OUT_CAUSAL;
	m.L = 9;
	recipe_init(&r);
	CHECK(leg_new(&r, &m, NULL, 0, 1, &l, NULL) == ST_OK && l->n == 8 && l->total == 8,
	    "left to right: L - 1 steps");
	CHECK(leg_row(l, 2)->t == 1 - 2.0 / 8, "t for display");
	leg_free(l);
}

int
main(void)
{
	each_golden(check_tables);
	check_edges();
	if (cases == 0)
		check_skip("no kappa tables and no edge cases below PSIVIEW_GOLDEN");
	check_same_grid();
	check_new_total();
	check_new_total_lcl();
	check_other_changes();
	check_causal();
	return check_done();
}
