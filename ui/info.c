/* info.c: --terminal-info.  Main thread, no screen. */
#include <stdlib.h>

#include "ui/choose.h"
#include "ui/probe.h"
#include "ui/sixel.h"
#include "ui/term.h"

static void
say_size(const struct tty *t, const struct probe *p, FILE *out)
{
	int w, h, px, py;
	const char *how;

	if (!tty_size(t, &w, &h, &px, &py)) {
		fprintf(out, "size: not said\n");
		return;
	}
	fprintf(out, "size: %dx%d\n", w, h);
	how = picture_cell_size(t, p, &w, &h);
	fprintf(out, "cell: %dx%d pixels (%s)\n", w, h, how);
}

/* How pictures will be shown, and why not better. */
static void
say_images(const struct probe *p, const struct term_facts *f, const struct theme *th, FILE *out)
{
	char words[64];

	picture_words(picture_choose("auto", p, th->colours, term_utf8()), th->colours, f->direct, words, sizeof words);
	fprintf(out, "images: %s\n", words);
	if (!sixel_built())
		fprintf(out, "sixel images: not in this build (libsixel was left out; Debian: libsixel-dev)\n");
}

static void
say_probe(const struct probe *p, FILE *out)
{
	if (!p->asked)
		fprintf(out, "probe: not asked\n");
	else if (!p->answered)
		fprintf(out, "probe: no answer within %.0f ms\n", p->ms);
	else
		fprintf(out, "probe: answered after %.0f ms, DA1 %s\n", p->ms, p->da1);
	if (p->registers > 0)
		fprintf(out, "sixel: %s, %d colours\n", p->sixel ? "yes" : "no", p->registers);
	else
		fprintf(out, "sixel: %s\n", p->sixel ? "yes" : "no");
	if (p->background >= 0)
		fprintf(out, "background: #%06lx\n", (unsigned long)p->background);
	else
		fprintf(out, "background: not said\n");
}

enum status
term_info(bool no_probe, FILE *out, struct error *e)
{
	struct tty t;
	struct term_facts f;
	struct probe p = { .background = -1 };
	struct input in;
	struct theme th;
	enum status st = tty_open(&t, e);

	if (st != ST_OK)
		return st;
	term_facts(t.out, &f);
	input_init(&in);
	tty_raw(&t);
	probe_run(&p, &t, &in, !no_probe && f.talks);
	tty_restore(&t);
	fprintf(out, "terminal: %s%s\n", *f.name ? f.name : "(TERM is not set)", f.known ? "" : " (unknown here)");
	fprintf(out, "screen: %s\n", f.moves ? "yes" : "no, it cannot move its cursor");
	say_size(&t, &p, out);
	fprintf(out, "characters: %s\n", term_utf8() ? "UTF-8" : "ASCII (the locale is not UTF-8)");
	fprintf(out, "colours: %d%s\n", f.colours, f.direct ? ", and 24 bits" : "");
	say_probe(&p, out);
	theme_choose(&th, "auto", f.colours, p.background);
	fprintf(out, "theme: %s\n", th.colours == 0 ? "mono" : th.light ? "light" : "dark");
	say_images(&p, &f, &th, out);
	input_done(&in);
	tty_close(&t);
	return ST_OK;
}
