/* choose.h: which way of showing pictures suits this terminal.  Pure. */
#ifndef PSI_UI_CHOOSE_H
#define PSI_UI_CHOOSE_H

#include "ui/picture.h"
#include "ui/probe.h"
#include "ui/term.h"

/* choice: "auto", "sixel", "half", "ascii", "off".  auto: sixel where the terminal
 * says so, else half-blocks, else (no colours, no UTF-8) the ramp. */
enum picture_kind picture_choose(const char *choice, const struct probe *p, int colours, bool utf8);
/* Pixels of a cell: from the window's size, else as the terminal said, else 10x20; says which. */
const char *picture_cell_size(const struct tty *t, const struct probe *p, int *w, int *h);
/* Colours of a sixel image. */
int picture_registers(const struct probe *p);
/* In words, "half-blocks in 24-bit colour". */
void picture_words(enum picture_kind k, int colours, bool direct, char *buf, size_t size);

#endif
