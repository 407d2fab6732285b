/* data_text.c: see data_text.h. */
#include "train/data_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "text/utf8.h"
#include "train/spool.h"

#define PIECE (1 << 20)          /* bytes of text tokenized at a time */
#define DEEP 32                  /* folders in folders */

struct text_data {
	struct spool spool;
	int width;                   /* bytes of a token */
	int L, bos, eos;             /* bos -1: windows are not wrapped */
	size_t n, train, window;     /* tokens; the first `train` of them; of a window */
};

/* A walk over all the text, piece by piece: into tokens, or to see its characters. */
struct reading {
	struct text_data *d;         /* NULL: characters */
	const struct tokenizer *t;
	uint8_t *seen;
	const struct cancel *c;
	char *piece;                 /* [PIECE] */
};

bool
text_data_wraps(const struct tokenizer *t)
{
	return (t->kind == TOK_BPE || t->kind == TOK_WORDPIECE) && t->bos >= 0 && t->eos >= 0;
}

/* ---- from text to the spool ---- */

static enum status
put(struct text_data *d, const int32_t *id, size_t n, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t v = (uint32_t)id[i];
		uint8_t byte[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
		enum status st = spool_write(&d->spool, byte, (size_t)d->width, e);
		if (st != ST_OK)
			return st;
	}
	d->n += n;
	return ST_OK;
}

static bool
is_graph(char c)
{
	return c > ' ' && c < 127;
}

/* Where the first n bytes may be cut without changing a token: before a single
 * blank between two words, where BPE's and word pieces' own splitting cuts too;
 * text without any is cut between two characters. */
static size_t
place_to_cut(const char *s, size_t n)
{
	for (size_t i = n - 2; i > n / 2; i--)
		if ((s[i] == ' ' || s[i] == '\n') && is_graph(s[i - 1]) && is_graph(s[i + 1]))
			return i;
	size_t i = n - 1;
	while (i > n - 4 && ((unsigned char)s[i] & 0xc0) == 0x80)
		i--;
	return i;
}

static void
see(const struct reading *r, size_t bytes)
{
	uint32_t ch;

	for (size_t i = 0; i < bytes;) {
		i += utf8_next(r->piece + i, bytes - i, &ch);
		if (ch != UTF8_BAD)
			r->seen[ch / 8] |= (uint8_t)(1 << ch % 8);
	}
}

static enum status
encode(const struct reading *r, size_t bytes, struct error *e)
{
	int32_t *id;
	size_t n;

	/* a few broken characters are let pass, what is no text at all is not */
	if (!(r->t && r->t->kind == TOK_BYTES) && memchr(r->piece, '\0', bytes))
		return error_set(e, ST_FAIL, "is not text: there is a zero byte in it (tokenizer bytes takes any)");
	if (!r->d) {
		see(r, bytes);
		return ST_OK;
	}
	enum status st = tok_encode_lossy(r->t, r->piece, bytes, &id, &n, e);

	if (st != ST_OK)
		return st;
	st = put(r->d, id, n, e);
	free(id);
	return st;
}

static enum status
encode_stream(const struct reading *r, int fd, struct error *e)
{
	size_t have = 0;

	for (;;) {
		ssize_t got = read(fd, r->piece + have, PIECE - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(e, ST_FAIL, "%s", strerror(errno));
		if (cancel_asked(r->c))
			return error_set(e, ST_CANCELLED, "cancelled");
		have += (size_t)got;
		if (got > 0 && have < PIECE)
			continue;
		size_t cut = got > 0 ? place_to_cut(r->piece, have) : have;
		enum status st = cut ? encode(r, cut, e) : ST_OK;
		if (st != ST_OK || got == 0)
			return st;
		memmove(r->piece, r->piece + cut, have -= cut);
	}
}

/* Non-blocking, so that a pipe in the folder cannot hold us up. */
static enum status
encode_file(const struct reading *r, const char *path, struct error *e)
{
	size_t before = r->d ? r->d->n : 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set(e, ST_FAIL, "%s: %s", path, strerror(errno));
	enum status st = encode_stream(r, fd, e);
	close(fd);
	if (st != ST_OK)
		return st == ST_CANCELLED ? st : error_prefix(e, path);
	return r->d && r->d->bos >= 0 && r->d->n > before ? put(r->d, &r->d->eos, 1, e) : ST_OK;
}

static int
visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum status
encode_path(const struct reading *r, const char *path, int depth, struct error *e)
{
	struct dirent **list;
	struct stat sb;
	enum status st = ST_OK;

	if (stat(path, &sb))
		return error_set(e, ST_FAIL, "%s: %s", path, strerror(errno));
	if (S_ISREG(sb.st_mode))
		return encode_file(r, path, e);
	if (!S_ISDIR(sb.st_mode))
		return depth ? ST_OK : error_set(e, ST_USAGE, "%s: neither a file nor a folder", path);
	if (depth == DEEP)
		return error_set(e, ST_USAGE, "%s: folders too deep in folders", path);
	int n = scandir(path, &list, visible, by_bytes);
	if (n < 0)
		return error_set(e, ST_FAIL, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		char *child = st == ST_OK ? mem_printf("%s/%s", path, list[i]->d_name) : NULL;
		if (st == ST_OK)
			st = child ? encode_path(r, child, depth + 1, e) : error_set(e, ST_MEMORY, "out of memory");
		free(child);
		free(list[i]);
	}
	free(list);
	return st;
}

/* ---- opening ---- */

static enum status
split(struct text_data *d, const char *path, double held_out, struct error *e)
{
	size_t held = (size_t)(held_out * (double)d->n + 0.5);

	held = held < d->window ? d->window : held;
	if (d->n < held || d->n - held < d->window)
		return error_set(e, ST_USAGE, "%s: %zu tokens are too few for windows of %zu, some of them held out",
		    path, d->n, d->window);
	d->train = d->n - held;
	return ST_OK;
}

static enum status
read_all(struct text_data *d, const char *path, const struct tokenizer *t, const struct text_options *o,
    const struct cancel *c, struct error *e)
{
	struct reading r = { .d = d, .t = t, .c = c, .piece = malloc(PIECE) };

	if (!r.piece)
		return error_set(e, ST_MEMORY, "out of memory");
	enum status st = encode_path(&r, path, 0, e);
	free(r.piece);
	if (st == ST_OK)
		st = split(d, path, o->held_out, e);
	return st == ST_OK ? spool_map(&d->spool, e) : st;
}

enum status
text_data_characters(const char *path, const struct cancel *c, uint8_t *seen, struct error *e)
{
	struct reading r = { .seen = seen, .c = c, .piece = malloc(PIECE) };

	if (!r.piece)
		return error_set(e, ST_MEMORY, "out of memory");
	memset(seen, 0, TEXT_CHARACTERS / 8);
	enum status st = encode_path(&r, path, 0, e);
	free(r.piece);
	return st;
}

enum status
text_data_open(const char *path, const struct tokenizer *t, const struct text_options *o, const struct cancel *c,
    struct text_data **out, struct error *e)
{
	bool wrap = text_data_wraps(t);

	*out = NULL;
	if (o->L < 1 + 2 * wrap)
		return error_set(e, ST_USAGE, "windows of %d tokens are too short", o->L);
	if (!(o->held_out > 0 && o->held_out < 1))
		return error_set(e, ST_USAGE, "the share held out must lie between 0 and 1, not at %g", o->held_out);
	struct text_data *d = mem_calloc(1, sizeof *d);
	if (!d)
		return error_set(e, ST_MEMORY, "out of memory");
	d->L = o->L;
	d->bos = wrap ? t->bos : -1;
	d->eos = wrap ? t->eos : -1;
	d->window = (size_t)(o->L - 2 * wrap);
	d->width = t->n <= 256 ? 1 : t->n <= 65536 ? 2 : 4;
	enum status st = spool_init(&d->spool, o->spool, e);
	if (st == ST_OK)
		st = read_all(d, path, t, o, c, e);
	if (st != ST_OK) {
		text_data_close(d);
		return st;
	}
	*out = d;
	return ST_OK;
}

void
text_data_close(struct text_data *d)
{
	if (!d)
		return;
	spool_done(&d->spool);
	free(d);
}

/* ---- windows ---- */

size_t
text_data_tokens(const struct text_data *d)
{
	return d->n;
}

size_t
text_data_train(const struct text_data *d)
{
	return d->train;
}

static int32_t
token_at(const struct text_data *d, size_t i)
{
	const uint8_t *p = d->spool.map + i * (size_t)d->width;
	uint32_t v = 0;

	for (int b = 0; b < d->width; b++)
		v |= (uint32_t)p[b] << 8 * b;
	return (int32_t)v;
}

static void
window(const struct text_data *d, size_t start, int32_t *out)
{
	if (d->bos >= 0) {
		*out++ = d->bos;
		out[d->window] = d->eos;
	}
	for (size_t i = 0; i < d->window; i++)
		out[i] = token_at(d, start + i);
}

void
text_data_draw(const struct text_data *d, const struct noise *n, int32_t *out)
{
	size_t places = d->train - d->window + 1;

	window(d, (size_t)(noise_scalar(n, STAGE_DATA) * (double)places), out);
}

void
text_data_held_out(const struct text_data *d, size_t i, size_t n, int32_t *out)
{
	size_t last = d->n - d->train - d->window;

	window(d, d->train + (n > 1 ? (size_t)((unsigned __int128)last * i / (n - 1)) : 0), out);
}
