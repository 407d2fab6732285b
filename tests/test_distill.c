/*
 * test_distill.c: discrete consistency distillation as a whole: both ends of
 * the trajectory by their laws and from one Gaussian, rounds, the teacher that
 * follows, the same bits with any number of threads and after going on.  Losses
 * and gradients of recorded trajectories have tests of their own.
 */
#include <math.h>
#include <unistd.h>

#include "stepper_util.h"
#include "train/stepper_private.h"

static char folder[64], teacher[128], middle[128];

/* Some model to begin from. */
static bool
make_teacher(void)
{
	struct job j = tiny_job(LOSS_DUO);
	struct rig r;
	bool ok = rig_new(&r, &j, 2, NULL) == ST_OK && rig_run(&r, 4, NULL) == ST_OK &&
		  state_save(r.state, &r.job, r.source, teacher, &r.e) == ST_OK;

	rig_done(&r);
	return ok;
}

static struct job
distill_job(void)
{
	struct job j = tiny_job(LOSS_DUO);

	j.goal = JOB_DISTILL;
	snprintf(j.distill.teacher, sizeof j.distill.teacher, "%s", teacher);
	j.distill.every = 2;
	j.distill.steps = 8;
	j.adam.warmup = 0;
	job_settle(&j);
	return j;
}

/* How many of the positions hold x, against how many should: alpha + (1 - alpha) / K of each. */
static void
check_law(const char *when, const struct batch *b, int L, const int32_t *z, const double *sigma)
{
	double want = 0, spread = 0;
	long held = 0, n = 0;

	for (int i = 0; i < b->n; i++)
		for (int l = 1; l < L; l++, n++) {
			double alpha = exp(-sigma[i]), p = alpha + (1 - alpha) / 5;
			want += p;
			spread += p * (1 - p);
			held += z[i * L + l] == b->x[i * L + l];
		}
	CHECK(fabs((double)held - want) < 4.5 * sqrt(spread), "%s: %ld of %ld tokens stay, %.1f +- %.1f expected", when,
		held, n, want, sqrt(spread));
}

static void
check_trajectory(void)
{
	struct job j = distill_job();
	struct rig r;
	struct step_numbers n;
	bool order = true, same = true, anchor = true;
	int moved = 0;

	j.batch = 100;
	if (!CHECK(rig_new(&r, &j, 2, NULL) == ST_OK && rig_run(&r, 1, &n) == ST_OK, "a step of distillation"))
		return rig_done(&r);
	const struct batch *b = &r.stepper->batch;
	int L = r.stepper->info.L;
	b = &r.stepper->batch;
	for (int i = 0; i < b->n; i++) {
		order &= b->sigma_earlier[i] < b->sigma[i];
		anchor &= b->z[i * L] == 4 && b->earlier[i * L] == 4 && !b->row[i * L];
		for (int at = i * L + 1; at < (i + 1) * L; at++) {
			/* what the earlier latent has lost, the later one has lost to the same token */
			same &= b->earlier[at] == b->x[at] || b->earlier[at] == b->z[at];
			moved += b->earlier[at] != b->z[at];
		}
	}
	CHECK(b->n == 100 && order && anchor && same && moved > 0, "one Gaussian at both times; %d tokens differ",
		moved);
	check_law("later", b, L, b->z, b->sigma);
	check_law("earlier", b, L, b->earlier, b->sigma_earlier);
	CHECK(n.loss > 0 && n.loss < 1 && n.grad_norm > 0 && n.alpha > .05 && n.alpha < .95 && isnan(n.kept),
		"loss %.6f, gradient %.4f, alpha %.3f", n.loss, n.grad_norm, n.alpha);
	rig_done(&r);
}

static void
check_rounds(void)
{
	struct job j = distill_job();
	struct rig r;
	size_t bytes = 0;

	CHECK(distill_gap(&j, 0) == 0.125 && distill_gap(&j, 1) == 0.125 && distill_gap(&j, 2) == 0.25 &&
		distill_gap(&j, 6) == 1 && distill_gap(&j, 1000000) == 1, "dt doubles from round to round, up to 1");
	bool ok = rig_new(&r, &j, 1, NULL) == ST_OK;
	if (ok)
		bytes = r.state->flat.floats * sizeof(float);
	CHECK(ok && memcmp(r.state->teacher, r.state->param, bytes) == 0, "teacher and student begin alike");
	ok = ok && rig_run(&r, 1, NULL) == ST_OK;
	CHECK(ok && memcmp(r.state->teacher, r.state->param, bytes) != 0 &&
		memcmp(r.state->teacher, r.state->ema, bytes) != 0, "the student moves, the teacher does not");
	ok = ok && rig_run(&r, 1, NULL) == ST_OK;
	CHECK(ok && memcmp(r.state->teacher, r.state->ema, bytes) == 0, "after a round the average teaches");
	ok = ok && rig_run(&r, 1, NULL) == ST_OK;
	CHECK(ok && memcmp(r.state->teacher, r.state->ema, bytes) != 0, "until the next one");
	rig_done(&r);
}

static bool
same_teachers(const struct train_state *a, const struct train_state *b)
{
	return same_bits(a, b) && memcmp(a->teacher, b->teacher, a->flat.floats * sizeof(float)) == 0;
}

static void
check_bits(bool forward)
{
	struct job j = distill_job();
	struct rig one, three, cut;
	struct step_numbers a[5] = { 0 }, b[5] = { 0 }, c[5] = { 0 };

	j.distill.forward = forward;
	bool ok = rig_new(&one, &j, 1, NULL) == ST_OK && rig_run(&one, 5, a) == ST_OK &&
		  rig_new(&three, &j, 3, NULL) == ST_OK && rig_run(&three, 5, b) == ST_OK;
	CHECK(ok && same_teachers(one.state, three.state) && a[4].loss == b[4].loss && a[4].loss > 0,
		"%s: the same bits on three threads, loss %.6f", forward ? "forward" : "backward", a[4].loss);
	j.memory = stepper_plan(one.stepper).bytes - 1;
	ok = rig_new(&cut, &j, 1, NULL) == ST_OK && rig_run(&cut, 5, c) == ST_OK;
	CHECK(ok && stepper_plan(cut.stepper).passes > 1 && fabs(c[4].loss - a[4].loss) < 1e-4 * fabs(a[4].loss) + 1e-6,
		"in %d passes: loss %.6f", stepper_plan(cut.stepper).passes, c[4].loss);
	rig_done(&cut);
	rig_done(&three);
	rig_done(&one);
}

/* In the middle of a round. */
static void
check_resume(void)
{
	struct job j = distill_job();
	struct rig whole, half, rest = { 0 };

	bool ok = rig_new(&whole, &j, 2, NULL) == ST_OK && rig_run(&whole, 5, NULL) == ST_OK &&
		  rig_new(&half, &j, 2, NULL) == ST_OK && rig_run(&half, 3, NULL) == ST_OK &&
		  state_save(half.state, &half.job, half.source, middle, NULL) == ST_OK &&
		  state_load(middle, &rest.job, &rest.state, NULL) == ST_OK &&
		  source_open(&rest.job, NULL, &rest.source, NULL) == ST_OK;
	struct stepper_setup s = { &rest.job, rest.source, rest.state, NULL, NULL };
	ok = ok && stepper_new(&s, &rest.stepper, NULL) == ST_OK && rig_run(&rest, 2, NULL) == ST_OK;
	CHECK(ok && same_teachers(whole.state, rest.state), "going on in the middle of a round: the same bits");
	rig_done(&rest);
	rig_done(&half);
	rig_done(&whole);
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof folder, "%.40s/distill-XXXXXX", tmp ? tmp : "/tmp");
	if (!CHECK(mkdtemp(folder) != NULL, "a folder"))
		return check_done();
	snprintf(teacher, sizeof teacher, "%s/teacher.safetensors", folder);
	snprintf(middle, sizeof middle, "%s/middle.safetensors", folder);
	if (CHECK(make_teacher(), "a teacher")) {
		check_trajectory();
		check_rounds();
		check_bits(false);
		check_bits(true);
		check_resume();
	}
	unlink(teacher);
	unlink(middle);
	rmdir(folder);
	return check_done();
}
