/* plain.h: --plain: the app without a screen. */
#ifndef PSI_UI_PLAIN_H
#define PSI_UI_PLAIN_H

#include "ui/app.h"

/* One line on standard output per event, for screen readers and logs; commands
 * come from standard input, a line each, and are done one after the other.
 * Returns the program's status. */
int plain_run(struct app *a, const struct term_options *o, struct error *e);

#endif
