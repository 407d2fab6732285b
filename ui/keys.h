/*
 * keys.h: keys as text: "s", "S", "<C-l>", "<F2>", "<S-Tab>", "<A-1>", "<Up>",
 * "<Esc>", "<Space>", "<Enter>", "<Backspace>", and "<lt>" for '<' (the
 * notation of scripts).  Any other character is itself (UTF-8).
 */
#ifndef PSI_UI_KEYS_H
#define PSI_UI_KEYS_H

struct key { char name[16]; };

/* Typed digits before a key are its count ("10s"); keys_feed collects them.
 * Returns true when key/count make a complete command key. count 0: none. */
struct keys { int count; };
int keys_feed(struct keys *k, const struct key *in, int *count);

#endif
