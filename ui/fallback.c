/* fallback.c: see fallback.h.  Pure. */
#include "ui/fallback.h"

#include <stddef.h>

#include <uninorm.h>

/* Single characters, ascending. */
static const struct { uint16_t ch; char ascii; } table[] = {
	{ 0xa0, ' ' }, { 0xab, '<' }, { 0xac, '-' }, { 0xad, '-' }, { 0xb0, 'o' }, { 0xb1, '+' }, { 0xb4, '\'' },
	{ 0xb5, 'u' }, { 0xb7, '.' }, { 0xbb, '>' }, { 0xd7, 'x' }, { 0xd8, 'O' }, { 0xdf, 's' }, { 0xf7, '/' },
	{ 0xf8, 'o' }, { 0x3b1, 'a' }, { 0x3b2, 'b' }, { 0x3b3, 'g' }, { 0x3b4, 'd' }, { 0x3b5, 'e' },
	{ 0x3b7, 'n' }, { 0x3b8, 'o' }, { 0x3ba, 'k' }, { 0x3bb, 'l' }, { 0x3bc, 'u' }, { 0x3c0, 'p' },
	{ 0x3c3, 's' }, { 0x3c4, 't' }, { 0x3c8, 'Y' }, { 0x3a8, 'Y' }, { 0x2022, '*' }, { 0x2026, '.' },
	{ 0x2030, '%' }, { 0x2032, '\'' }, { 0x2033, '"' }, { 0x2039, '<' }, { 0x203a, '>' }, { 0x2190, '<' },
	{ 0x2191, '^' }, { 0x2192, '>' }, { 0x2193, 'v' }, { 0x2194, '-' }, { 0x2195, '|' }, { 0x21b5, '<' },
	{ 0x2212, '-' }, { 0x2215, '/' }, { 0x2217, '*' }, { 0x2219, '.' }, { 0x223c, '~' }, { 0x2248, '~' },
	{ 0x2260, '#' }, { 0x2264, '<' }, { 0x2265, '>' }, { 0x22c5, '.' }, { 0x2423, '_' }, { 0x25a0, '#' },
	{ 0x25a1, 'o' }, { 0x25b2, '^' }, { 0x25b6, '>' }, { 0x25b8, '>' }, { 0x25bc, 'v' }, { 0x25be, 'v' },
	{ 0x25c0, '<' }, { 0x25c2, '<' }, { 0x25c6, '*' }, { 0x25cb, 'o' }, { 0x25cf, '*' }, { 0x2605, '*' },
	{ 0x2713, 'v' }, { 0x2717, 'x' },
};

static char
box(uint32_t ch)
{
	switch (ch) {
	case 0x2500: case 0x2501: case 0x2504: case 0x2505: case 0x2508: case 0x2509: case 0x254c: case 0x254d:
	case 0x2574: case 0x2576: case 0x2578: case 0x257a: case 0x257c: case 0x257e:
		return '-';
	case 0x2550:
		return '=';
	case 0x2502: case 0x2503: case 0x2506: case 0x2507: case 0x250a: case 0x250b: case 0x254e: case 0x254f:
	case 0x2551: case 0x2575: case 0x2577: case 0x2579: case 0x257b: case 0x257d: case 0x257f:
		return '|';
	case 0x2571:
		return '/';
	case 0x2572:
		return '\\';
	case 0x2573:
		return 'X';
	default:
		return '+';
	}
}

static char
block(uint32_t ch)
{
	switch (ch) {
	case 0x2580: case 0x2594: case 0x2598: case 0x259d:
		return '"';
	case 0x2581: case 0x2582: case 0x2596: case 0x2597:
		return '_';
	case 0x2583: case 0x2584: case 0x2585:
		return '=';
	case 0x258c: case 0x258d: case 0x258e: case 0x258f: case 0x2590: case 0x2595:
		return '|';
	case 0x2591:
		return '.';
	case 0x2592:
		return ':';
	default:
		return '#';
	}
}

/* Braille by how many dots it has. */
static char
braille(uint32_t ch)
{
	return " ..::****"[__builtin_popcount(ch & 0xff)];
}

char
ascii_for(uint32_t ch)
{
	ucs4_t part[UC_DECOMPOSITION_MAX_LENGTH];
	int tag;

	if (ch < 0x80)
		return (char)ch;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].ch == ch)
			return table[i].ascii;
	if (ch >= 0x2010 && ch <= 0x2015)
		return '-';
	if (ch >= 0x2018 && ch <= 0x201b)
		return '\'';
	if (ch >= 0x201c && ch <= 0x201f)
		return '"';
	if (ch >= 0x2500 && ch <= 0x257f)
		return box(ch);
	if (ch >= 0x2580 && ch <= 0x259f)
		return block(ch);
	if (ch >= 0x2800 && ch <= 0x28ff)
		return braille(ch);
	/* a letter with an accent, a ligature, a digit in a circle */
	if (uc_decomposition(ch, &tag, part) > 0 && part[0] != ch)
		return ascii_for(part[0]);
	return '?';
}
