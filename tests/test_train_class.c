/*
 * test_train_class.c: training a noisy classifier, both trunks and both kinds of
 * noise: it tells dark pictures from light ones, also by its checkpoint, and a
 * step is the same however it is cut.
 */
#include <math.h>

#include "models/classifier.h"
#include "state_util.h"
#include "train/stepper.h"

/* Pictures of 4 x 4: cats are dark, dogs are light. */
static void
make_pictures(void)
{
	char name[60];

	mkdir(file("two"), 0777);
	mkdir(file("two/cat"), 0777);
	mkdir(file("two/dog"), 0777);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "two/%s/%d.png", i % 2 ? "dog" : "cat", i);
		put_png(name, i % 2 ? 150 + 2 * i : 2 * i);
	}
}

static struct job
class_job(const char *loss, const char *backbone)
{
	struct job j = small("pictures", loss);

	set(&j, "data", file("two"));
	set(&j, "goal", "classifier");
	set(&j, "backbone", backbone);
	set(&j, "noise", "cosine");
	set(&j, "lr", "3e-3");
	set(&j, "warmup", "2");
	set(&j, "batch", "16");
	set(&j, "dropout", "0");
	set(&j, "valid-samples", "40");
	return j;
}

struct rig {
	struct source *src;
	struct train_state *s;
	struct stepper *stepper;
	struct pool *pool;
};

static bool
rig_new(struct job *j, struct rig *r, const char *what)
{
	begin(j, &r->src, &r->s, what);
	r->pool = pool_new(1);
	struct stepper_setup setup = { .job = j, .source = r->src, .state = r->s, .pool = r->pool };
	enum status st = r->s ? stepper_new(&setup, &r->stepper, &e) : ST_FAIL;
	return CHECK(st == ST_OK, "%s: a stepper%s%s", what, st ? ": " : "", st ? e.msg : "");
}

static void
rig_done(struct rig *r)
{
	stepper_free(r->stepper);
	end(r->src, r->s);
	pool_free(r->pool);
	*r = (struct rig){ 0 };
}

/* How sure the checkpoint's average is of the class of every held-out picture without noise: least log p. */
static double
least(const struct rig *r, const struct job *j)
{
	struct classifier *c;
	int32_t tok[48];
	double p[2], worst = 0, sigma = 0;

	if (state_export(r->s, j, r->src, DT_F32, file("class.safetensors"), &e) != ST_OK ||
	    classifier_open(file("class.safetensors"), NULL, &c, &e) != ST_OK)
		return -INFINITY;
	for (size_t i = 0; i < 8; i++) {
		int label = source_held(r->src, i, 8, tok);
		if (c->log_p(c, 1, tok, &sigma, p, NULL, &e) != ST_OK)
			worst = -INFINITY;
		worst = fmin(worst, p[label]);
	}
	classifier_free(c);
	return worst;
}

static void
test_learns(const char *loss, const char *backbone)
{
	struct job j = class_job(loss, backbone);
	struct step_numbers n = { 0 };
	struct bound_numbers before = { 0 }, after = { 0 };
	struct rig r = { 0 };
	char what[60];

	snprintf(what, sizeof what, "%s, %s", backbone, loss);
	if (rig_new(&j, &r, what)) {
		enum status st = stepper_valid(r.stepper, false, &before, NULL, &e);
		for (int i = 0; i < 60 && st == ST_OK; i++)
			st = stepper_run(r.stepper, &n, NULL, &e);
		if (st == ST_OK)
			st = stepper_valid(r.stepper, false, &after, NULL, &e);
		CHECK(st == ST_OK && after.nats < 0.8 * before.nats && after.accuracy > .75,
		      "%s: from %.3f to %.3f nats, %.0f%% right %s", what, before.nats, after.nats,
		      100 * after.accuracy, st ? e.msg : "");
		double sure = exp(least(&r, &j));
		CHECK(sure > .5, "%s: its checkpoint says every picture's class, with %.3f at least", what, sure);
	}
	rig_done(&r);
}

/* A step of the same samples at once and one at a time. */
static void
test_cut(void)
{
	struct job j = class_job("duo_base", "unet"), k = j;
	struct step_numbers n, m;
	struct rig r = { 0 }, q = { 0 };

	if (rig_new(&j, &r, "at once")) {
		struct stepper_plan all = stepper_plan(r.stepper);
		for (k.memory = all.bytes - 1; k.memory > 1000; k.memory = k.memory * 3 / 4) {
			struct rig t = { 0 };
			struct stepper_setup setup = { .job = &k };
			begin(&k, &t.src, &t.s, "less memory");
			t.pool = pool_new(1);
			setup.source = t.src;
			setup.state = t.s;
			setup.pool = t.pool;
			if (stepper_new(&setup, &t.stepper, NULL) != ST_OK) {
				rig_done(&t);
				break;
			}
			rig_done(&q);
			q = t;
		}
		enum status st = q.stepper ? stepper_run(r.stepper, &n, NULL, &e) : ST_FAIL;
		if (st == ST_OK)
			st = stepper_run(q.stepper, &m, NULL, &e);
		CHECK(st == ST_OK && stepper_plan(q.stepper).micro < all.micro &&
			  fabs(n.loss - m.loss) < 1e-6 * n.loss && fabs(n.grad_norm - m.grad_norm) < 1e-5 * n.grad_norm,
		      "%d at once or %d: loss %.7f, norm %.7f", all.micro,
		      q.stepper ? stepper_plan(q.stepper).micro : 0, n.loss, n.grad_norm);
	}
	rig_done(&r);
	rig_done(&q);
}

int
main(void)
{
	if (!scratch_begin())
		return 99;
	make_pictures();
	test_learns("duo_base", "unet");
	test_learns("mdlm", "unet");
	test_learns("duo_base", "dit");
	test_cut();
	scratch_end();
	return check_done();
}
