/*
 * term.c: see term.h.  The only file that includes curses.
 *
 * Curses gets whole rows that changed and sends what is different in them.  It
 * never reads: input.c does, so that answers of the terminal are never keys.
 * Lines are never scrolled (idlok, scrollok): scrolling would shear images.
 */
#include "ui/term.h"

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>

#include "base/mem.h"
#include "ui/probe.h"

struct terminal {
	struct tty *tty;
	FILE *out;
	SCREEN *screen;
	int frame;               /* a file in memory that a frame goes to first; -1: none */
	bool talks, mouse, away;
	bool direct;             /* coloured cells are drawn after the text, in 24 bits */
	struct canvas shown;     /* what the terminal shows */
	struct theme theme;
	cchar_t *row;            /* [shown.w + 1] */
	term_after_fn *after;
	void *after_arg;
};

static const char paste_on[] = "\x1b[?2004h", paste_off[] = "\x1b[?2004l";
static const char mouse_on[] = "\x1b[?1002h\x1b[?1006h", mouse_off[] = "\x1b[?1006l\x1b[?1002l";

void
term_locale(void)
{
	if (!setlocale(LC_ALL, "")) {
		const char *v[] = { getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG") };
		const char *name = v[0] && *v[0] ? v[0] : v[1] && *v[1] ? v[1] : v[2] ? v[2] : "";
		if (strcasestr(name, "utf-8") || strcasestr(name, "utf8"))
			setlocale(LC_CTYPE, "C.UTF-8");
	}
	setlocale(LC_NUMERIC, "C");
}

bool
term_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static const char *
capability(const char *name)
{
	char *s = tigetstr(name);

	return s && s != (char *)-1 ? s : NULL;
}

void
term_facts(int fd, struct term_facts *f)
{
	const char *name = getenv("TERM"), *depth = getenv("COLORTERM");
	int err;

	*f = (struct term_facts){ .known = false };
	snprintf(f->name, sizeof f->name, "%s", name ? name : "");
	if (!name || !*name || setupterm(name, fd, &err) != OK)
		return;
	f->known = true;
	f->moves = capability("cup") != NULL && tigetflag("hc") <= 0;
	f->colours = tigetnum("colors") > 0 ? tigetnum("colors") : 0;
	f->direct = f->colours >= 1 << 24 ||
	    (depth && (strcmp(depth, "truecolor") == 0 || strcmp(depth, "24bit") == 0));
	f->talks = probe_knows(name);
	del_curterm(cur_term);
}

enum status
term_usable(const struct term_facts *f, struct error *e)
{
	if (!*f->name)
		return error_set(e, ST_FAIL, "TERM is not set: no screen; --plain works without one");
	if (!f->known)
		return error_set(e, ST_FAIL, "terminal '%s' is not known here: set TERM, or use --plain", f->name);
	if (!f->moves)
		return error_set(e, ST_FAIL,
		    "terminal '%s' cannot move its cursor: no screen; --plain works without one", f->name);
	return ST_OK;
}

/* Append s without terminfo's padding, "$<5>". */
static void
append(char *buf, size_t size, const char *s)
{
	size_t n = strlen(buf);

	while (s && *s && n + 1 < size) {
		if (s[0] == '$' && s[1] == '<' && strchr(s, '>'))
			s = strchr(s, '>') + 1;
		else
			buf[n++] = *s++;
	}
	buf[n] = 0;
}

/* What a crash sends: end an unfinished sequence, modes off, attributes off, main screen. */
static void
leave_strings(const struct terminal *t, char *buf, size_t size)
{
	*buf = 0;
	if (t->talks) {
		append(buf, size, "\x18\x1b\\");
		append(buf, size, mouse_off);
		append(buf, size, paste_off);
	}
	append(buf, size, capability("op"));
	append(buf, size, capability("sgr0"));
	append(buf, size, capability("cnorm"));
	append(buf, size, capability("rmcup"));
	if (!capability("rmcup"))
		append(buf, size, "\r\n");
}

static void
learn_keys(struct input *in)
{
	static const char *const key[][2] = {
		{ "kcuu1", "<Up>" }, { "kcud1", "<Down>" }, { "kcuf1", "<Right>" }, { "kcub1", "<Left>" },
		{ "khome", "<Home>" }, { "kend", "<End>" }, { "kpp", "<PgUp>" }, { "knp", "<PgDn>" },
		{ "kdch1", "<Del>" }, { "kich1", "<Ins>" }, { "kcbt", "<S-Tab>" }, { "kent", "<Enter>" },
		{ "kf1", "<F1>" }, { "kf2", "<F2>" }, { "kf3", "<F3>" }, { "kf4", "<F4>" }, { "kf5", "<F5>" },
		{ "kf6", "<F6>" }, { "kf7", "<F7>" }, { "kf8", "<F8>" }, { "kf9", "<F9>" }, { "kf10", "<F10>" },
		{ "kf11", "<F11>" }, { "kf12", "<F12>" },
	};

	for (size_t i = 0; i < sizeof key / sizeof *key; i++) {
		const char *s = capability(key[i][0]);
		if (s && s[0] == 0x1b) /* a control character alone (vt100's backspace) stays what it is */
			input_learn(in, s, key[i][1]);
	}
}

static void
start_curses(struct terminal *t)
{
	start_color();
	use_default_colors();
	nonl();
	idlok(stdscr, FALSE);
	idcok(stdscr, FALSE); /* nor characters: what is drawn after the text would move along */
	scrollok(stdscr, FALSE);
	leaveok(stdscr, FALSE);
	typeahead(-1);
	set_escdelay(25);
	tty_raw(t->tty);
	def_prog_mode();
}

enum status
term_open(struct tty *tty, const struct term_facts *f, struct input *in, struct terminal **out,
          struct error *e)
{
	struct terminal *t = mem_calloc(1, sizeof *t);
	char leave[256];
	int fd;

	if (!t)
		return error_set(e, ST_MEMORY, "out of memory");
	t->tty = tty;
	t->talks = f->talks;
	t->frame = memfd_create("frame", MFD_CLOEXEC);
	fd = dup(tty->out);
	t->out = fd < 0 ? NULL : fdopen(fd, "w");
	enum status st = tty_signals(tty, e); /* before newterm, which then leaves them alone */
	if (st != ST_OK) {
		term_close(t);
		return st;
	}
	use_env(TRUE);
	use_tioctl(TRUE); /* LINES and COLUMNS may be stale: the device counts */
	t->screen = t->out ? newterm(f->name, t->out, t->out) : NULL;
	if (!t->screen) {
		term_close(t);
		return error_set(e, ST_FAIL, "terminal '%s' cannot be used", f->name);
	}
	start_curses(t);
	learn_keys(in);
	leave_strings(t, leave, sizeof leave);
	theme_make(&t->theme, 0, false);
	tty_at_crash(leave, strlen(leave));
	if (t->talks)
		tty_write(tty, paste_on, sizeof paste_on - 1);
	*out = t;
	return ST_OK;
}

void
term_close(struct terminal *t)
{
	if (!t)
		return;
	if (t->screen) {
		if (!t->away)
			term_leave(t);
		delscreen(t->screen);
	}
	if (t->out)
		fclose(t->out);
	if (t->frame >= 0)
		close(t->frame);
	canvas_done(&t->shown);
	free(t->row);
	free(t);
}

void
term_leave(struct terminal *t)
{
	if (t->talks) {
		tty_write(t->tty, mouse_off, sizeof mouse_off - 1);
		tty_write(t->tty, paste_off, sizeof paste_off - 1);
	}
	curs_set(1);
	endwin();
	tty_restore(t->tty);
	t->away = true;
}

void
term_enter(struct terminal *t)
{
	reset_prog_mode();
	tty_raw(t->tty);
	t->away = false;
	clearok(curscr, TRUE);
	if (t->talks) {
		tty_write(t->tty, paste_on, sizeof paste_on - 1);
		if (t->mouse)
			tty_write(t->tty, mouse_on, sizeof mouse_on - 1);
	}
}

void
term_size(struct terminal *t, int *w, int *h)
{
	int px, py;

	*w = COLS;
	*h = LINES;
	if (tty_size(t->tty, w, h, &px, &py) && (*w != COLS || *h != LINES))
		resizeterm(*h, *w);
}

void
term_theme(struct terminal *t, const struct theme *theme)
{
	t->theme = *theme;
}

void
term_mouse(struct terminal *t, bool on)
{
	if (on == t->mouse || !t->talks)
		return;
	t->mouse = on;
	tty_write(t->tty, on ? mouse_on : mouse_off, (on ? sizeof mouse_on : sizeof mouse_off) - 1);
}

void
term_copy(struct terminal *t, const char *text)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = strlen(text), len = 0;
	char *s = t->talks ? mem_calloc(n / 3 + 4, 4) : NULL;

	if (!s)
		return;
	for (size_t i = 0; i < n; i += 3) {
		unsigned v = 0;
		for (size_t j = 0; j < 3; j++)
			v = v << 8 | (i + j < n ? (unsigned char)text[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			s[len++] = j > n - i ? '=' : digit[v >> (18 - 6 * j) & 63];
	}
	tty_write(t->tty, "\x1b]52;c;", 7);
	tty_write(t->tty, s, len);
	tty_write(t->tty, "\x07", 1);
	free(s);
}

static int
colour(const struct theme *th, int c)
{
	return c >= 0 && th->colours == 1 << 24 && c >= 8 ? (int)theme_rgb(c) : c;
}

/* The look of a cell that has colours of its own, or is a blank under an image:
 * that one is bold, so that a blank put over it is sent. */
static struct ink
own_ink(const struct terminal *t, const struct cell *c)
{
	struct ink l = { .fg = -1, .bg = -1, .bold = c->fg & CELL_TILE };

	if (c->fg & CELL_RGB && !t->direct)
		l.fg = (short)theme_nearest(&t->theme, (long)(c->fg & 0xffffff));
	if (c->bg & CELL_RGB && !t->direct)
		l.bg = (short)theme_nearest(&t->theme, (long)(c->bg & 0xffffff));
	return l;
}

static void
set_cell(cchar_t *out, const struct terminal *t, const struct cell *c)
{
	const struct theme *th = &t->theme;
	struct ink l = c->fg || c->bg ? own_ink(t, c) : theme_cell(th, c);
	attr_t attr = (l.bold ? A_BOLD : 0) | (l.dim ? A_DIM : 0) | (l.underline ? A_UNDERLINE : 0) |
	    (l.reverse ? A_REVERSE : 0);
	wchar_t s[4] = { 0 };
	int pair = 0, n = 0;

	/* the C library's tables, which curses goes by, may be older than ours */
	bool known = c->ch[0] && wcwidth((wchar_t)c->ch[0]) == c->width;
	if (known)
		s[n++] = (wchar_t)c->ch[0];
	else
		s[n++] = c->ch[0] == 0 ? ' ' : c->width == 1 && wcwidth(0xfffd) == 1 ? 0xfffd : '?';
	for (int i = 1; i < 3 && known && c->ch[i]; i++)
		if (wcwidth((wchar_t)c->ch[i]) == 0)
			s[n++] = (wchar_t)c->ch[i];
	if (th->colours && (l.fg >= 0 || l.bg >= 0))
		pair = alloc_pair(colour(th, l.fg), colour(th, l.bg));
	if (pair < 0)
		pair = 0;
	setcchar(out, s, attr, 0, &pair);
}

static void
draw_row(struct terminal *t, const struct canvas *c, int y)
{
	const struct cell *row = c->cell + (size_t)y * (size_t)c->w;
	int n = 0;

	for (int x = 0; x < c->w; x++) {
		if (row[x].width == 0 && x > 0 && wcwidth((wchar_t)row[x - 1].ch[0]) == 2)
			continue; /* curses makes it itself */
		struct cell one = row[x];
		if (one.width == 0)
			one = (struct cell){ .ch = { '?' }, .style = row[x].style, .width = 1 };
		set_cell(&t->row[n++], t, &one);
	}
	mvwadd_wchnstr(stdscr, y, 0, t->row, n);
}

/* Make room for a canvas like c; false: out of memory, nothing can be drawn. */
static bool
fit(struct terminal *t, const struct canvas *c)
{
	cchar_t *row = realloc(t->row, ((size_t)c->w + 1) * sizeof *row);

	if (!row)
		return false;
	t->row = row;
	return canvas_resize(&t->shown, c->w, c->h);
}

/* The terminal's cursor: where text is typed, else, hidden, on the marked cell,
 * where a screen reader looks for it.  One that cannot be hidden would undo the
 * mark: it goes into the corner. */
static void
place_cursor(const struct canvas *c)
{
	int x = c->cursor_x, y = c->cursor_y, marked = 0;
	bool typed = x >= 0 && y >= 0 && x < c->w && y < c->h;

	if (curs_set(typed) == ERR && !typed) {
		wmove(stdscr, c->h - 1, c->w - 1);
	} else if (typed) {
		wmove(stdscr, y, x);
	} else {
		while (marked + 1 < c->w * c->h && !c->cell[marked].cursor)
			marked++;
		wmove(stdscr, marked / c->w, marked % c->w);
	}
}

/* Curses writes a frame in dozens of pieces, between which a busy machine may
 * let us wait.  So its descriptor leads to memory until the frame is complete. */
static void
frame_begin(struct terminal *t)
{
	if (t->frame >= 0 && (ftruncate(t->frame, 0) < 0 || lseek(t->frame, 0, SEEK_SET) < 0 ||
	    dup2(t->frame, fileno(t->out)) < 0)) {
		close(t->frame);
		t->frame = -1;
	}
}

static void
frame_end(struct terminal *t)
{
	if (t->frame < 0)
		return;
	off_t n = lseek(t->frame, 0, SEEK_CUR);
	dup2(t->tty->out, fileno(t->out));
	if (n <= 0)
		return;
	void *bytes = mmap(NULL, (size_t)n, PROT_READ, MAP_SHARED, t->frame, 0);
	if (bytes == MAP_FAILED)
		return;
	tty_write(t->tty, bytes, (size_t)n);
	munmap(bytes, (size_t)n);
}

void
term_draw(struct terminal *t, const struct canvas *c, bool all)
{
	size_t bytes = (size_t)c->w * sizeof *c->cell;

	if (t->away)
		return;
	if (c->w != t->shown.w || c->h != t->shown.h || !t->row) {
		if (!fit(t, c))
			return;
		all = true;
	}
	if (all) {
		werase(stdscr);
		clearok(curscr, TRUE);
	}
	for (int y = 0; y < c->h; y++) {
		size_t at = (size_t)y * (size_t)c->w;
		if (!all && memcmp(t->shown.cell + at, c->cell + at, bytes) == 0)
			continue;
		draw_row(t, c, y);
		memcpy(t->shown.cell + at, c->cell + at, bytes);
	}
	frame_begin(t);
	place_cursor(c);
	wnoutrefresh(stdscr);
	doupdate();
	frame_end(t);
	if (t->after)
		t->after(t->after_arg, t->tty, c, all);
}

void
term_direct(struct terminal *t, bool direct)
{
	t->direct = direct;
}

void
term_after(struct terminal *t, term_after_fn *fn, void *arg)
{
	t->after = fn;
	t->after_arg = arg;
}
