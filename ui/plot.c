/* plot.c: see plot.h. */
#include "ui/plot.h"

#include <math.h>

#define PARTS_MAX 16

/* The character that fills `eighths` of a cell from below. */
static uint32_t
block(bool utf8, int eighths)
{
	static const char ascii[9] = { ' ', '.', '.', ':', ':', ':', '|', '|', '|' };

	return utf8 ? 0x2580u + (uint32_t)eighths : (uint32_t)ascii[eighths];
}

/* The part that covers most of the eighths lo..hi of a column. */
static int
part_between(int parts, const double *edge, double lo, double hi)
{
	double best = -1;
	int which = 0;

	for (int k = 0; k < parts; k++) {
		double from = fmax(edge[k], lo), to = fmin(edge[k + 1], hi);

		if (to - from > best) {
			best = to - from;
			which = k;
		}
	}
	return which;
}

static void
one_column(struct canvas *c, struct rect r, int x, int parts, const double *v, const struct plot_part *part, double top)
{
	double edge[PARTS_MAX + 1] = { 0 };
	int full;

	for (int k = 0; k < parts; k++)
		edge[k + 1] = edge[k] + (top > 0 ? v[k] / top : 0) * r.h * 8;
	full = (int)ceil(fmin(edge[parts], r.h * 8) - 1e-9);
	for (int row = 0; row < r.h && full > row * 8; row++) {
		int eighths = full - row * 8 > 8 ? 8 : full - row * 8;
		int k = part_between(parts, edge, row * 8, row * 8 + eighths);
		uint32_t ch = c->utf8 || r.h == 1 ? block(c->utf8, eighths) : (unsigned char)part[k].sign;

		canvas_char(c, r, x, r.h - 1 - row, part[k].style, ch);
	}
}

void
plot_columns(struct canvas *c, struct rect r, int x, int n, int parts, const double *value,
	const struct plot_part *part, double top)
{
	size_t stride = (size_t)parts;

	if (parts > PARTS_MAX)
		parts = PARTS_MAX;
	for (int i = 0; i < n; i++)
		one_column(c, r, x + i, parts, value + (size_t)i * stride, part, top);
}

/* Height of a value in units of 1/steps of a cell, from the bottom; -1: gap. */
static int
height(double v, double lo, double hi, int rows, int steps)
{
	int h;

	if (!isfinite(v))
		return -1;
	h = (int)floor((hi > lo ? (v - lo) / (hi - lo) : 1) * (rows * steps - 1) + .5);
	return h < 0 ? 0 : h >= rows * steps ? rows * steps - 1 : h;
}

/* Braille dots of one column of a cell, by height from the bottom: left, right. */
static const unsigned char dot[2][4] = { { 0x40, 0x04, 0x02, 0x01 }, { 0x80, 0x20, 0x10, 0x08 } };

static void
braille_cell(struct canvas *c, struct rect r, int x, enum style s, int h, int next)
{
	for (int row = 0; row < r.h; row++) {
		int base = (r.h - 1 - row) * 4;
		uint32_t bits = 0;

		for (int d = 0; d < 4; d++) {
			/* the right half joins this value to the next one */
			int lo = h < next ? h : next, hi = h < next ? next : h;

			if (base + d == h)
				bits |= dot[0][d];
			if (next >= 0 ? base + d == next || (base + d > lo && base + d < hi) : base + d == h)
				bits |= dot[1][d];
		}
		if (bits)
			canvas_char(c, r, x, row, s, 0x2800u + bits);
	}
}

void
plot_line(struct canvas *c, struct rect r, int x, int n, const double *value, enum style s, double lo, double hi)
{
	static const char ascii[3] = { '_', '.', '-' };
	int steps = c->utf8 ? 4 : 3;

	for (int i = 0; i < n; i++) {
		int h = height(value[i], lo, hi, r.h, steps);

		if (h < 0)
			continue;
		if (c->utf8)
			braille_cell(c, r, x + i, s, h, i + 1 < n ? height(value[i + 1], lo, hi, r.h, steps) : -1);
		else
			canvas_char(c, r, x + i, r.h - 1 - h / 3, s, (uint32_t)ascii[h % 3]);
	}
}

/* Probability in column i of `cols`: of its bins, or of the bin it is a part of. */
static double
in_column(int n, const double *p, int i, int cols)
{
	int from = (int)((long)i * n / cols), to = (int)((long)(i + 1) * n / cols);
	double sum = 0;

	if (to <= from)
		return p[from];
	for (int k = from; k < to; k++)
		sum += p[k];
	return sum;
}

/* Levels of one column; what is not nothing has one. */
static int
level(double v, double most, int levels)
{
	int l = most > 0 ? (int)(sqrt(v / most) * levels + .5) : 0;

	return l == 0 && v > most * 1e-4 && v > 0 ? 1 : l;
}

void
plot_bins(struct canvas *c, struct rect r, int n, const double *p, enum style s, int mark, enum style mark_style)
{
	static const char ascii[4] = { ' ', '.', ':', '|' };
	int per = c->utf8 ? 2 : 1, steps = c->utf8 ? 4 : 3, cols = r.w * per;
	double most = 0;

	if (n < 1 || cols < 1)
		return;
	for (int i = 0; i < cols; i++)
		most = fmax(most, in_column(n, p, i, cols));
	for (int x = 0; x < r.w; x++) {
		int first = (int)((long)x * n / r.w), last = (int)((long)(x + 1) * n / r.w);
		bool marked = mark >= 0 && mark >= first && mark < (last > first ? last : first + 1);

		for (int row = 0; row < r.h; row++) {
			int base = (r.h - 1 - row) * steps;
			uint32_t bits = 0;

			for (int k = 0; k < per; k++) {
				int l = level(in_column(n, p, x * per + k, cols), most, r.h * steps) - base;

				if (!c->utf8)
					bits = (uint32_t)(l < 0 ? 0 : l > 3 ? 3 : l);
				for (int d = 0; c->utf8 && d < l && d < 4; d++)
					bits |= dot[k][d];
			}
			if (bits || (marked && row == r.h - 1))
				canvas_char(c, r, x, row, marked ? mark_style : s,
				    c->utf8 ? 0x2800u + (bits ? bits : 0xc0u) : bits ? (uint32_t)ascii[bits] : '_');
		}
	}
}
