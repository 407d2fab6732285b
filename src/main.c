/*
 * main.c: options and wiring.  The only file that prints to the standard
 * streams on its own account and decides the program's status.
 */
#include "config.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "run/export.h"
#include "run/info.h"
#include "run/open.h"
#include "run/picture.h"
#include "run/probe.h"
#include "run/progress.h"
#include "run/sample.h"
#include "run/settings.h"
#include "run/sweep.h"
#include "run/train.h"
#include "run/verify.h"
#include "run/wire.h"
#include "run/wire_eval.h"
#include "run/wire_sweep.h"
#include "train/parallel.h"
#include "ui/app.h"
#include "ui/term.h"

static atomic_int interrupted;  /* the signal that asked to stop */

/* ---- messages ---- */

static int
fail(enum status st, const struct error *e)
{
	fprintf(stderr, "psiview: %s\n", e->msg[0] ? e->msg : "failed");
	return (int)st;
}

/* Print a malloced page; output that cannot be written is a failure. */
static int
print_page(char *text)
{
	struct error e = { .code = ST_OK };
	bool ok = text && fputs(text, stdout) >= 0 && fflush(stdout) == 0;

	if (!text)
		error_set(&e, ST_MEMORY, "out of memory");
	else if (!ok)
		error_set(&e, ST_FAIL, "standard output cannot be written");
	free(text);
	return e.code == ST_OK ? 0 : fail(e.code, &e);
}

static int
print_version(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f) {
		fputs(PACKAGE_STRING "\n", f);
		fclose(f);
	}
	return print_page(text);
}

static int
run_help(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	enum sub sub = SUB_VIEW;

	if (s->file && (sub = subcommand_find(s->file)) == SUB_COUNT)
		return fail(error_set(&e, ST_USAGE, "there is no command '%s' (see psiview help)", s->file), &e);
	return print_page(option_help(sub));
}

/* The recipe of the settings, checked. */
static enum status
recipe_for(const struct settings *s, const struct opened *o, struct recipe *r, struct error *e)
{
	enum status st = wire_recipe(s, o, NULL, r, e);

	if (st == ST_OK)
		st = recipe_check(r, open_model(o, r->raw), e);
	if (st == ST_OK && wire_foreign_recipe(s, o, r))
		fprintf(stderr, "psiview: warning: the recipe was made with another checkpoint\n");
	return st;
}

/* ---- sample ---- */

/* The first signal asks to stop, the second (of whatever kind) does what it
 * always does. */
static void
interrupt(int sig)
{
	if (interrupted) {
		signal(sig, SIG_DFL);
		raise(sig); /* comes when this handler returns */
	} else {
		interrupted = sig;
	}
}

static void
catch_signals(void)
{
	static const int which[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = interrupt };

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
		struct sigaction old;
		sigaction(which[i], &sa, &old);
		if (which[i] == SIGHUP && old.sa_handler == SIG_IGN) /* nohup */
			sigaction(which[i], &old, NULL);
	}
}

/* The status of a run that catch_signals was called for. */
static int
end_of_run(enum status st, const struct error *e)
{
	if (interrupted) {
		signal(interrupted, SIG_DFL);
		raise(interrupted);
	}
	if (st == ST_CANCELLED) /* the reader of our pipe has gone, and knows it */
		return ST_FAIL;
	return st == ST_OK ? 0 : fail(st, e);
}

static void
show_progress(void *arg, const struct walk_progress *p)
{
	char line[120], eta[32] = "";

	if (p->eta >= 0)
		snprintf(eta, sizeof eta, "  %d:%02d left", (int)p->eta / 60, (int)p->eta % 60);
	snprintf(line, sizeof line, "sample %d-%d of %d  step %d/%d%s", p->first + 1, p->first + p->samples,
		p->total, p->step, p->steps, eta);
	progress_line(stderr, line, arg);
}

static void
show_summary(const struct sample_summary *s, int width)
{
	double n = s->samples > 0 ? s->samples : 1;

	progress_clear(stderr, &width);
	if (s->samples > 0)
		fprintf(stderr, "%d sample%s in %.1f s: entropy %.2f, %.1f network calls, %.0f head rows each\n",
			s->samples, s->samples == 1 ? "" : "s", s->seconds, s->entropy, (double)s->nfe / n,
			(double)s->rows / n);
}

static enum status
sample(const struct settings *s, const struct opened *o, enum sink_format format, struct outfile *out, struct error *e)
{
	struct sample_summary sum = { 0 };
	struct edit *clamp = NULL;
	bool tty = isatty(STDERR_FILENO), pictures = wire_pictures(o);
	int width = 0;
	struct sample_setup setup = { .o = o, .batch = (int)settings_int(s, OPT_BATCH, 0), .text = !pictures,
		.out = out,
		.progress = tty ? show_progress : NULL, .arg = &width, .stop = &interrupted };
	enum status st = sink_decide(&format, pictures, settings_text(s, OPT_OUTPUT), isatty(STDOUT_FILENO), e);

	if (st == ST_OK)
		st = recipe_for(s, o, &setup.recipe, e);
	if (st == ST_OK)
		st = wire_clamps(s, o, &clamp, &setup.n_clamp, e);
	setup.clamp = clamp;
	setup.count = (int)settings_int(s, OPT_COUNT_N, st == ST_OK ? setup.recipe.samples : 1);
	setup.jsonl = format == SINK_JSONL;
	if (st == ST_OK)
		st = wire_sink(s, o, &setup.recipe, setup.count, format, out, &setup.sink, e);
	if (st == ST_OK)
		st = sample_run(&setup, &sum, e);
	if (tty && sum.seconds > 0)
		show_summary(&sum, width);
	if (st == ST_OK && setup.sink)
		st = sink_finish(setup.sink, e);
	sink_free(setup.sink);
	free(clamp);
	return st;
}

static int
run_sample(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	struct opened *o = NULL;
	struct outfile *out = NULL;
	enum sink_format format;
	const char *path = settings_text(s, OPT_OUTPUT);
	enum status st = sink_choose(settings_text(s, OPT_FORMAT), path, &format, &e);

	if (st == ST_OK && !sink_by_name(format))
		st = outfile_open(path, &out, &e);
	catch_signals();
	if (st == ST_OK)
		st = wire_open(s, &o, &e);
	if (st == ST_OK)
		st = sample(s, o, format, out, &e);
	open_done(o);
	if (st == ST_OK && out)
		st = outfile_commit(out, &e);
	else
		outfile_abort(out);
	return end_of_run(st, &e);
}

/* ---- sweep ---- */

static void
show_sweep(void *arg, const struct sweep_progress *p)
{
	char line[120], eta[32] = "";

	if (p->eta >= 0)
		snprintf(eta, sizeof eta, "  %d:%02d left", (int)p->eta / 60, (int)p->eta % 60);
	snprintf(line, sizeof line, "run %d of %d  cell %d seed %d  sample %d-%d of %d  step %d/%d%s",
		p->run + 1, p->runs, p->cell + 1, p->seed + 1, p->walk.first + 1, p->walk.first + p->walk.samples,
		p->walk.total, p->walk.step, p->walk.steps, eta);
	progress_line(stderr, line, arg);
}

static int
run_sweep(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	bool tty = isatty(STDERR_FILENO);
	char *table = NULL;
	int width = 0;

	catch_signals();
	enum status st = wire_sweep(s, tty ? show_sweep : NULL, &width, &interrupted, &table, &e);
	if (tty)
		progress_clear(stderr, &width);
	/* after an error too: what was done until then */
	if (table && print_page(table) != 0 && st == ST_OK)
		return ST_FAIL;
	return end_of_run(st, &e);
}

/* ---- training ---- */

/* What all processes of a job have to say, the first one says, if it can. */
static int
give_up(enum status st, const struct error *e, struct reduce *all)
{
	if (all->rank > 0)
		sleep(5);
	int rc = fail(st, e);
	parallel_give_up(all, rc);
	return rc;
}

static int
run_train(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	struct reduce all;
	enum status st = parallel_begin(&all, &e);
	struct train_io io = { .out = all.rank == 0 ? stdout : NULL,
		.say = all.rank > 0 || settings_flag(s, OPT_QUIET) ? NULL : stderr,
		.warn = all.rank > 0 ? NULL : stderr, .reduce = all.size > 1 ? &all : NULL, .stop = &interrupted };

	catch_signals();
	if (st == ST_OK)
		st = train_run(s, &io, &e);
	if (st != ST_OK && st != ST_CANCELLED) /* a signal or not: it is not saved */
		return give_up(st, &e, &all);
	if (all.size > 1)
		signal(SIGTERM, SIG_DFL); /* where one of the others has failed, this ends the wait for it */
	parallel_end(&all);
	return all.size == 1 || interrupted ? end_of_run(st, &e) : 0; /* or another one was asked to stop */
}

/* ---- the screen ---- */

#define PICTURES 4                   /* side by side, unless something else was asked for */

static int
show(const struct settings *s, const struct opened *o, struct sampler *sampler, const struct recipe *r, struct error *e)
{
	const char *slash = strrchr(o->path, '/'), *theme = settings_text(s, OPT_THEME);
	struct app_setup setup = { .ckpt = o->ckpt, .model = o->ema, .model_raw = o->raw, .tok = o->tok,
		.sampler = sampler,
		.recipe = *r, .name = slash && slash[1] ? slash + 1 : o->path,
		.side = wire_pictures(o) ? picture_side(o->ema->L) : 0,
		.layout = layout_read(o->ckpt->layout, o->ema->L), .tok_note = o->tok_note, .pool = o->pool,
		.path = o->path };
	struct term_options t = { .no_probe = settings_flag(s, OPT_NO_PROBE), .plain = settings_flag(s, OPT_PLAIN),
		.mouse = settings_flag(s, OPT_MOUSE), .theme = theme ? theme : "auto",
		.images = settings_text(s, OPT_IMAGES),
		.record = settings_text(s, OPT_RECORD), .play = settings_text(s, OPT_PLAY) };
	struct edit *clamp;
	struct app *app = NULL;
	enum status st = wire_clamps(s, o, &clamp, &setup.n_clamp, e);
	int rc;

	setup.clamp = clamp;
	if (st == ST_OK)
		st = app_new(&setup, &app, e);
	rc = st == ST_OK ? term_run(app, &t, e) : (int)st;
	app_free(app);
	free(clamp);
	return rc;
}

static int
run_view(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	struct sampler_setup setup = { .cache_bytes = settings_size(s, OPT_CACHE, 0) };
	struct sampler *sampler = NULL;
	struct opened *o = NULL;
	struct recipe r;
	int rc = (int)wire_open(s, &o, &e);

	if (rc == 0)
		rc = (int)recipe_for(s, o, &r, &e);
	if (rc == 0) {
		r.samples = setup.samples = (int)settings_int(s, OPT_COUNT_N, wire_pictures(o) ? PICTURES : 1);
		setup.ema = o->ema;
		setup.raw = o->raw;
		sampler = sampler_new(&setup, &e);
		rc = sampler ? show(s, o, sampler, &r, &e) : (int)e.code;
	}
	sampler_free(sampler);
	open_done(o);
	if (rc > 128) { /* a signal ended it: what started us shall see that */
		signal(rc - 128, SIG_DFL);
		raise(rc - 128);
	}
	return rc > 0 && rc <= (int)ST_NUMERIC ? fail((enum status)rc, &e) : rc;
}

/* ---- about files ---- */

/* These want a file; the demo would be a surprise. */
static enum status
need_file(const struct settings *s, struct error *e)
{
	const struct subcommand *c = &subcommand_list[s->sub];

	return s->file ? ST_OK : error_set(e, ST_USAGE, "which file? (psiview %s %s)", c->name, c->args);
}

static int
run_info(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	struct open_setup setup = wire_setup(s);
	struct opened *o = NULL;
	enum status st = need_file(s, &e);

	if (st == ST_OK)
		st = open_ckpt(&setup, &o, &e);
	if (st == ST_OK) {
		struct info_options io = { .json = settings_flag(s, OPT_JSON),
			.tokenizer = o->tok->kind == TOK_IDS ? NULL : o->tok_note };
		st = info_print(stdout, o->ckpt, &io, &e);
		if (st == ST_CKPT)
			error_prefix(&e, o->path);
	}
	open_done(o);
	return st == ST_OK ? 0 : fail(st, &e);
}

static int
run_verify(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	struct open_setup setup = wire_setup(s);
	struct pool *pool = NULL;
	enum status st = need_file(s, &e);

	if (st == ST_OK) {
		pool = pool_new(setup.threads);
		st = verify_run(stdout, s->file, &setup.override, pool, &e);
		if (st != ST_OK)
			error_prefix(&e, s->file);
	}
	pool_free(pool);
	return st == ST_OK ? 0 : fail(st, &e);
}

static int
run_export(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	struct open_setup setup = wire_setup(s);
	struct export_options eo;
	const char *out = settings_text(s, OPT_OUTPUT), *dtype = settings_text(s, OPT_DTYPE);
	enum status st = need_file(s, &e);
	bool in_error = false;

	export_options_init(&eo);
	eo.raw = settings_flag(s, OPT_RAW);
	if (st == ST_OK && !out)
		st = error_set(&e, ST_USAGE, "where to? (-o FILE)");
	if (st == ST_OK && dtype && !export_dtype(dtype, &eo.dtype))
		st = error_set(&e, ST_USAGE, "--dtype '%s': no such type", dtype);
	if (st == ST_OK) {
		st = export_run(s->file, out, &setup.override, &eo, &in_error, &e);
		if (st != ST_OK)
			error_prefix(&e, in_error ? s->file : out);
	}
	return st == ST_OK ? 0 : fail(st, &e);
}

static int
run_probe(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	struct probe_setup setup = { .in = settings_text(s, OPT_IN), .out = settings_text(s, OPT_OUT),
		.positions = settings_text(s, OPT_POSITIONS) };
	struct opened *o = NULL;
	enum status st = need_file(s, &e);

	if (st == ST_OK && (!setup.in || !setup.out))
		st = error_set(&e, ST_USAGE, "which %s? (--%s FILE)", setup.in ? "output" : "input",
			setup.in ? "out" : "in");
	if (st == ST_OK)
		st = wire_open(s, &o, &e);
	if (st == ST_OK) {
		setup.m = open_model(o, settings_flag(s, OPT_RAW));
		st = probe_model(&setup, &e);
	}
	open_done(o);
	return st == ST_OK ? 0 : fail(st, &e);
}

static int
run_eval(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	char *text = NULL;
	enum status st = need_file(s, &e);

	if (st == ST_OK)
		st = wire_eval(s, &text, &e);
	return st == ST_OK ? print_page(text) : fail(st, &e);
}

static int
run_terminal_info(const struct settings *s)
{
	struct error e = { .code = ST_OK };
	enum status st = term_info(settings_flag(s, OPT_NO_PROBE), stdout, &e);

	return st == ST_OK ? 0 : fail(st, &e);
}

/* ---- which ---- */

static int
run(const struct settings *s)
{
	bool screen = settings_flag(s, OPT_PLAIN) || isatty(STDOUT_FILENO);

	if (settings_flag(s, OPT_HELP))
		return print_page(option_help(s->sub));
	if (settings_flag(s, OPT_VERSION))
		return print_version();
	if (settings_flag(s, OPT_PRINT_CONFIG))
		return print_page(settings_print(s));
	if (settings_flag(s, OPT_TERMINAL_INFO))
		return run_terminal_info(s);
	switch (s->sub) {
	case SUB_VIEW:
		return screen ? run_view(s) : run_sample(s);
	case SUB_SAMPLE:
		return run_sample(s);
	case SUB_PROBE:
		return run_probe(s);
	case SUB_EVAL:
		return run_eval(s);
	case SUB_INFO:
		return run_info(s);
	case SUB_VERIFY:
		return run_verify(s);
	case SUB_EXPORT:
		return run_export(s);
	case SUB_SWEEP:
		return run_sweep(s);
	case SUB_TRAIN:
		return run_train(s);
	case SUB_HELP:
	case SUB_COUNT:
		break;
	}
	return run_help(s);
}

int
main(int argc, char **argv)
{
	struct settings s;
	struct error e = { .code = ST_OK };

	mem_setup();
	term_locale();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a write that fails says why */
	enum status st = settings_parse(argc, argv, &s, &e);
	int rc = st == ST_OK ? run(&s) : fail(st, &e);
	settings_done(&s);
	return rc;
}
