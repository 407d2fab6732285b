/* choose.c: see choose.h. */
#include "ui/choose.h"

#include <stdio.h>
#include <string.h>

#include "ui/sixel.h"

#define REGISTERS 256            /* of a terminal that does not say */

enum picture_kind
picture_choose(const char *choice, const struct probe *p, int colours, bool utf8)
{
	enum picture_kind cells = utf8 && colours > 0 ? PICTURE_HALF : PICTURE_ASCII;

	if (strcmp(choice, "off") == 0)
		return PICTURE_OFF;
	if (strcmp(choice, "ascii") == 0)
		return PICTURE_ASCII;
	if (strcmp(choice, "half") == 0)
		return cells;
	if (sixel_built() && (strcmp(choice, "sixel") == 0 || (p->sixel && colours > 0)))
		return PICTURE_SIXEL;
	return cells;
}

const char *
picture_cell_size(const struct tty *t, const struct probe *p, int *w, int *h)
{
	int cols, rows, px, py;

	if (tty_size(t, &cols, &rows, &px, &py) && px >= cols && py >= rows) {
		*w = px / cols;
		*h = py / rows;
		return "from the window's size";
	}
	*w = p->cell_w > 0 ? p->cell_w : 10;
	*h = p->cell_w > 0 ? p->cell_h : 20;
	return p->cell_w > 0 ? "as the terminal said" : "assumed";
}

int
picture_registers(const struct probe *p)
{
	return p->registers > 1 ? p->registers : REGISTERS;
}

void
picture_words(enum picture_kind k, int colours, bool direct, char *buf, size_t size)
{
	if (k == PICTURE_SIXEL)
		snprintf(buf, size, "sixel");
	else if (k == PICTURE_HALF && direct)
		snprintf(buf, size, "half-blocks in 24-bit colour");
	else if (k == PICTURE_HALF)
		snprintf(buf, size, "half-blocks in %d colours", colours > 256 ? 256 : colours);
	else
		snprintf(buf, size, k == PICTURE_ASCII ? "a ramp of characters" : "off");
}
