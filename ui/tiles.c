/*
 * tiles.c: see tiles.h.
 *
 * Images and 24-bit half-blocks go out over a descriptor of their own that does
 * not block (the terminal's may be shared with the shell, whose flags are not
 * ours to set): what the line does not take at once waits here, and no frame is
 * drawn before it is gone.
 */
#include "ui/tiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ui/sixel.h"

/* An image that is on the terminal. */
struct sent { struct rect at; int w, h, zoom; uint32_t *rgb; };

struct tiles {
	bool direct;
	int fd;                  /* -1: not opened, -2: cannot be */
	struct sent *sent;
	int n;
	size_t cap;
	struct { uint32_t fg, bg; } *cell;   /* [h*w] half-blocks on the terminal, 0: none */
	int w, h;
	struct bytes out;
	size_t done;             /* of out: what the line has taken */
};

struct tiles *
tiles_new(void)
{
	struct tiles *t = mem_calloc(1, sizeof *t);

	if (t)
		t->fd = -1;
	return t;
}

static void
forget_images(struct tiles *t)
{
	for (int i = 0; i < t->n; i++)
		free(t->sent[i].rgb);
	t->n = 0;
}

void
tiles_free(struct tiles *t)
{
	if (!t)
		return;
	forget_images(t);
	free(t->sent);
	free(t->cell);
	free(t->out.p);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

void
tiles_direct(struct tiles *t, bool direct)
{
	t->direct = direct;
}

static bool
same_rect(struct rect a, struct rect b)
{
	return a.x == b.x && a.y == b.y && a.w == b.w && a.h == b.h;
}

static bool
same_place(const struct sent *s, const struct picture_tile *p)
{
	return same_rect(s->at, p->at) && s->w == p->w && s->h == p->h && s->zoom == p->zoom;
}

static bool
overlap(struct rect a, struct rect b)
{
	return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

bool
tiles_stale(const struct tiles *t, const struct canvas *c)
{
	const struct picture_set *set = c->pictures;

	for (int i = 0; i < t->n; i++)
		for (int k = 0; set && k < set->n; k++)
			if (overlap(t->sent[i].at, set->tile[k].at) && !same_place(&t->sent[i], &set->tile[k]))
				return true;
	return false;
}

/* Whether nothing was drawn over the image's cells, and they are all on the screen. */
static bool
whole(const struct canvas *c, struct rect r)
{
	if (r.x < 0 || r.y < 0 || r.x + r.w > c->w || r.y + r.h >= c->h) /* in the last row it would scroll */
		return false;
	for (int y = r.y; y < r.y + r.h; y++)
		for (int x = r.x; x < r.x + r.w; x++)
			if (c->cell[y * c->w + x].fg != CELL_TILE)
				return false;
	return true;
}

/* An image that is on the terminal as it should be. */
static struct sent *
find_sent(struct tiles *t, const struct picture_tile *p)
{
	for (int i = 0; i < t->n; i++)
		if (same_place(&t->sent[i], p))
			return &t->sent[i];
	return NULL;
}

/* Forget images that are not in this frame, or lie under something. */
static void
forget_gone(struct tiles *t, const struct canvas *c)
{
	int kept = 0;

	for (int i = 0; i < t->n; i++) {
		bool here = false;

		for (int k = 0; c->pictures && k < c->pictures->n && !here; k++)
			here = same_place(&t->sent[i], &c->pictures->tile[k]) && whole(c, t->sent[i].at);
		if (here)
			t->sent[kept++] = t->sent[i];
		else
			free(t->sent[i].rgb);
	}
	t->n = kept;
}

static void
remember(struct tiles *t, const struct picture_tile *p)
{
	size_t n = (size_t)p->w * (size_t)p->h;
	struct sent *s = find_sent(t, p);

	if (!s) {
		struct sent *grown = mem_grow(t->sent, &t->cap, (size_t)t->n + 1, sizeof *grown);
		uint32_t *rgb = grown ? mem_calloc(n, sizeof *rgb) : NULL;

		if (grown)
			t->sent = grown;
		if (!rgb)
			return;
		s = &t->sent[t->n++];
		*s = (struct sent){ p->at, p->w, p->h, p->zoom, rgb };
	}
	memcpy(s->rgb, p->rgb, n * sizeof *p->rgb);
}

static void
add_images(struct tiles *t, const struct canvas *c)
{
	const struct picture_set *set = c->pictures;

	for (int i = 0; set && i < set->n; i++) {
		const struct picture_tile *p = &set->tile[i];
		const struct sent *s = find_sent(t, p);
		size_t before = t->out.n;

		if (s && memcmp(s->rgb, p->rgb, (size_t)p->w * (size_t)p->h * sizeof *p->rgb) == 0)
			continue;
		if (!whole(c, p->at))
			continue;
		if (bytes_print(&t->out, "\x1b[%d;%dH", p->at.y + 1, p->at.x + 1) &&
		    sixel_image(&t->out, p->w, p->h, p->rgb, p->zoom, set->device.registers))
			remember(t, p);
		else
			t->out.n = before;
	}
}

/* One half-block; at: where the line's cursor is, ink: its colours, 0 not known. */
static void
add_half(struct tiles *t, int w, int y, int x, int *at, uint32_t ink[2], uint32_t fg, uint32_t bg)
{
	if (*at != y * w + x)
		bytes_print(&t->out, "\x1b[%d;%dH", y + 1, x + 1);
	if (ink[0] != fg)
		bytes_print(&t->out, "\x1b[38;2;%u;%u;%um", fg >> 16 & 255, fg >> 8 & 255, fg & 255);
	if (ink[1] != bg)
		bytes_print(&t->out, "\x1b[48;2;%u;%u;%um", bg >> 16 & 255, bg >> 8 & 255, bg & 255);
	bytes_add(&t->out, "\xe2\x96\x80", 3);
	ink[0] = fg;
	ink[1] = bg;
	*at = x + 1 < w ? y * w + x + 1 : -1;
}

static void
add_halves(struct tiles *t, const struct canvas *c)
{
	int at = -1;
	uint32_t ink[2] = { 0, 0 };

	for (int y = 0; y < c->h; y++)
		for (int x = 0; x < c->w; x++) {
			int i = y * c->w + x;
			const struct cell *k = &c->cell[i];
			bool half = k->fg & CELL_RGB && k->bg & CELL_RGB;

			if (half && (t->cell[i].fg != k->fg || t->cell[i].bg != k->bg)) {
				if (at != i && !ink[0])
					bytes_print(&t->out, "\x1b[m");
				add_half(t, c->w, y, x, &at, ink, k->fg, k->bg);
			}
			t->cell[i].fg = half ? k->fg : 0;
			t->cell[i].bg = half ? k->bg : 0;
		}
}

static bool
fit(struct tiles *t, const struct canvas *c)
{
	void *p;

	if (t->cell && t->w == c->w && t->h == c->h)
		return true;
	p = mem_calloc((size_t)c->w * (size_t)c->h, sizeof *t->cell);
	if (!p)
		return false;
	free(t->cell);
	t->cell = p;
	t->w = c->w;
	t->h = c->h;
	return true;
}

static void
open_line(struct tiles *t, const struct tty *tty)
{
	const char *name = ttyname(tty->out);

	t->fd = name ? open(name, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
	if (t->fd < 0)
		t->fd = -2;
}

bool
tiles_go_on(struct tiles *t)
{
	while (t->done < t->out.n) {
		ssize_t k = write(t->fd, t->out.p + t->done, t->out.n - t->done);

		if (k < 0 && errno == EAGAIN)
			return true;
		if (k < 0 && errno != EINTR)
			return false;
		t->done += k > 0 ? (size_t)k : 0;
	}
	t->out.n = t->done = 0;
	return true;
}

void
tiles_after(void *arg, struct tty *tty, const struct canvas *c, bool rewritten)
{
	struct tiles *t = arg;

	if (!fit(t, c))
		return;
	if (rewritten) {
		forget_images(t);
		memset(t->cell, 0, (size_t)c->w * (size_t)c->h * sizeof *t->cell);
	}
	t->out.n = t->done = 0;
	bytes_add(&t->out, "\x1b" "7", 2);
	forget_gone(t, c);
	add_images(t, c);
	if (t->direct)
		add_halves(t, c);
	if (t->out.n <= 2) {
		t->out.n = 0;
		return;
	}
	bytes_add(&t->out, "\x1b" "8", 2);
	if (t->fd == -1)
		open_line(t, tty);
	if (t->fd < 0) {
		tty_write(tty, t->out.p, t->out.n);
		t->out.n = 0;
	} else {
		tiles_go_on(t);
	}
}

bool
tiles_waiting(const struct tiles *t)
{
	return t->done < t->out.n;
}

int
tiles_fd(const struct tiles *t)
{
	return t->fd;
}

void
tiles_end(struct tiles *t, struct tty *tty)
{
	if (tiles_waiting(t)) /* what was sent may end anywhere in an image */
		tty_write(tty, "\x18\x1b\\\x1b" "8", 5);
	t->out.n = t->done = 0;
	forget_images(t);
	if (t->cell)
		memset(t->cell, 0, (size_t)t->w * (size_t)t->h * sizeof *t->cell);
}
