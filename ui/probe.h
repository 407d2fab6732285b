/*
 * probe.h: what the terminal says about itself.  It is asked once, before the
 * screen starts, in one write that ends with DA1: every terminal answers that
 * one, so its answer says that no other will come.
 */
#ifndef PSI_UI_PROBE_H
#define PSI_UI_PROBE_H

#include <stdio.h>

#include "ui/input.h"
#include "ui/tty.h"

struct probe {
	bool asked, answered;    /* answered: DA1 came in time */
	double ms;               /* how long that took */
	char da1[64];            /* its parameters, "62;4;22" */
	bool sixel;              /* DA1 has ;4 */
	long background;         /* 0xrrggbb, -1: not said */
	int cell_w, cell_h;      /* pixels, from CSI 16 t; 0: not said */
	int registers;           /* colours of a sixel image, from XTSMGRAPHICS; 0: not said */
};

/* Terminals that are asked nothing: they print questions or have no answers. */
bool probe_knows(const char *term_name);
/* Ask and wait (250 ms, 1 s over ssh).  The device is raw.  Keys typed
 * meanwhile stay in `in`.  Call with ask false to fill p with "not said". */
void probe_run(struct probe *p, const struct tty *t, struct input *in, bool ask);
/* An answer, also a late one. */
void probe_reply(struct probe *p, const char *text, size_t bytes);

#endif
