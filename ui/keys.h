/*
 * keys.h: keys as text: "s", "S", "<C-l>", "<F2>", "<S-Tab>", "<A-1>", "<Up>",
 * "<Esc>", "<Space>", "<Enter>", "<Backspace>", and "<lt>" for '<' (the
 * notation of scripts).  Any other character is itself (UTF-8).  A mouse is
 * "<Click:12,30>", "<Drag:12,30>" (column, row from 1), "<WheelUp>", "<WheelDown>".
 */
#ifndef PSI_UI_KEYS_H
#define PSI_UI_KEYS_H

#include <stdbool.h>
#include <stddef.h>

struct key { char name[16]; };

/* The next key of a text in that notation ("10s<C-l>"); moves *text on.  false:
 * nothing left.  Aliases (<BS>, <CR>, <Return>, <Del>, <gt>) are understood;
 * a '<' that begins no name is itself. */
bool keys_next(const char **text, struct key *out);
/* k is what:x,y ("Click", "Drag"): the cell, from 0. */
bool key_at(const struct key *k, const char *what, int *x, int *y);
/* A name as people write it: "Ctrl-L", "Alt-1", "Space", "<". */
void key_show(const char *name, char *buf, size_t size);
/* The character a key types, as UTF-8 (also for <Space> and <lt>); NULL: none. */
const char *key_text(const struct key *k);

/* Typed digits before a key are its count ("10s"); keys_feed collects them.
 * Returns true when key/count make a complete command key. count 0: none. */
struct keys { int count; };
int keys_feed(struct keys *k, const struct key *in, int *count);

#endif
