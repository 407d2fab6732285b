/* sink.c: see sink.h. */
#include "run/sink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "ckpt/safetensors.h"
#include "run/picture.h"
#include "run/trace.h"
#include "run/write_image.h"

#define DELAY 5                  /* hundredths of a second: a step, */
#define DELAY_START 50           /* the state before all steps, */
#define DELAY_END 200            /* and the finished samples */

struct sink {
	struct sink_setup s;
	struct recipe recipe;
	char hash[65];                   /* copy; s.hash and s.recipe point into this struct */
	char line[RECIPE_LINE + 80];     /* recipe of all samples, with the checkpoint's hash */
	int count, side;
	size_t pixels;                   /* bytes of one picture, 3 * side * side */
	struct sheet sheet;
	int width, height;
	uint8_t *rgb;                    /* [pixels] */
	uint8_t *canvas;                 /* PNG, GIF: [height*width*3] */
	uint8_t **frame;                 /* GIF: [frames] of [count*pixels] */
	int frames;
	struct st_writer *st;
};

/* ---- which format ---- */

static const char *
extension(const char *path)
{
	const char *dot = path ? strrchr(path, '.') : NULL;

	return dot && !strchr(dot, '/') ? dot + 1 : "";
}

/* One place for a number, "%d" or "%03d", in the name. */
static bool
numbered(const char *path)
{
	const char *p = path ? strchr(path, '%') : NULL;

	if (!p)
		return false;
	p++;
	p += strspn(p, "0123456789");
	return *p == 'd';
}

static bool
folder(const char *path)
{
	struct stat sb;
	size_t n = path ? strlen(path) : 0;

	return n > 0 && (path[n - 1] == '/' || (stat(path, &sb) == 0 && S_ISDIR(sb.st_mode)));
}

enum status
sink_choose(const char *format, const char *path, enum sink_format *out, struct error *e)
{
	static const struct { const char *name; enum sink_format f; } known[] = {
		{ "text", SINK_TEXT }, { "txt", SINK_TEXT }, { "jsonl", SINK_JSONL }, { "json", SINK_JSONL },
			{ "png", SINK_PNG },
		{ "gif", SINK_GIF }, { "npy", SINK_NPY }, { "safetensors", SINK_SAFETENSORS },
	};
	const char *name = format ? format : extension(path);

	*out = SINK_AUTO;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcasecmp(name, known[i].name) == 0)
			*out = known[i].f;
	if ((*out == SINK_PNG && (numbered(path) || folder(path))) || (!format && folder(path)))
		*out = SINK_PNG_EACH;
	if (*out == SINK_SAFETENSORS && !path)
		return error_set(e, ST_USAGE, "--format=safetensors needs -o FILE");
	if (*out != SINK_PNG_EACH && numbered(path))
		return error_set(e, ST_USAGE, "-o '%s': only PNG pictures go into a file each", path);
	return ST_OK;
}

enum status
sink_decide(enum sink_format *format, bool picture, const char *path, bool tty, struct error *e)
{
	static const char how[] = "-o FILE.png, .gif, .npy or .safetensors, or --format=jsonl";

	if (*format == SINK_AUTO && picture && path)
		return error_set(e, ST_USAGE, "-o '%s': the name does not say which format (%s)", path, how);
	if (*format == SINK_AUTO && picture && tty)
		return error_set(e, ST_USAGE, "the samples are pictures: where to? (%s)", how);
	if (*format == SINK_AUTO)
		*format = picture ? SINK_JSONL : SINK_TEXT;
	if (*format == SINK_TEXT && picture)
		return error_set(e, ST_USAGE, "the samples are pictures, not text (%s)", how);
	if (*format == SINK_PNG_EACH && !picture && !numbered(path))
		return error_set(e, ST_FAIL, "%s: is a directory", path);
	if ((*format == SINK_PNG || *format == SINK_PNG_EACH || *format == SINK_GIF) && !picture)
		return error_set(e, ST_USAGE, "the samples are text: no picture can be made of them");
	if (!path && tty && *format > SINK_JSONL)
		return error_set(e, ST_USAGE, "standard output is a terminal: where to? (-o FILE)");
	return ST_OK;
}

/* ---- the start ---- */

static enum status
named(const char *path, enum status st, struct error *e)
{
	if (st != ST_OK)
		error_prefix(e, path);
	return st;
}

static enum status
begin_safetensors(struct sink *k, struct error *e)
{
	int64_t dim[2] = { k->count, k->s.L };
	enum status st;

	k->st = st_writer_new(k->s.path);
	if (!k->st)
		return error_set(e, ST_MEMORY, "out of memory");
	if ((st = st_declare(k->st, "tokens", DT_I32, 2, dim, e)) == ST_OK &&
	    (st = st_metadata(k->st, "recipe", k->line, e)) == ST_OK)
		st = st_begin(k->st, e);
	return named(k->s.path, st, e);
}

/* A folder that is not there is made; what cannot be written to is refused now. */
static enum status
begin_each(struct sink *k, struct error *e)
{
	const char *path = k->s.path, *slash = strrchr(path, '/');
	char *dir = folder(path) ? mem_strdup(path) : slash ? mem_strndup(path, (size_t)(slash - path) + 1)
		: mem_strdup(".");
	enum status st = ST_OK;

	if (!dir)
		return error_set(e, ST_MEMORY, "out of memory");
	if (strchr(dir, '%') && numbered(dir))
		st = error_set(e, ST_USAGE, "-o '%s': the number belongs into the file's name", path);
	else if (folder(path) && mkdir(dir, 0777) != 0 && errno != EEXIST)
		st = error_set(e, ST_FAIL, "%s: %s", dir, strerror(errno));
	else if (access(dir, W_OK | X_OK) != 0)
		st = error_set(e, ST_FAIL, "%s: %s", dir, strerror(errno));
	free(dir);
	return st;
}

static enum status
begin_sheet(struct sink *k, struct error *e)
{
	bool gif = k->s.format == SINK_GIF, each = k->s.format == SINK_PNG_EACH;
	size_t n;

	k->sheet = (struct sheet){ .n = each ? 1 : k->count, .side = k->side, .columns = k->s.columns,
		.zoom = k->s.zoom,
		.gap = k->s.gap };
	enum status st = sheet_size(&k->sheet, gif ? GIF_MOST : PNG_MOST, &k->width, &k->height, e);
	if (st != ST_OK)
		return st;
	k->rgb = mem_calloc(1, k->pixels);
	if (mem_mul((size_t)k->width * (size_t)k->height, 3, &n))
		k->canvas = mem_calloc(1, n);
	if (!k->rgb || !k->canvas)
		return error_set(e, ST_MEMORY, "out of memory for a sheet of %d x %d pixels", k->width, k->height);
	return each ? begin_each(k, e) : ST_OK;
}

enum status
sink_new(const struct sink_setup *s, struct sink **out, struct error *e)
{
	struct sink *k = mem_calloc(1, sizeof *k);
	enum status st = ST_OK;

	if (!k)
		return error_set(e, ST_MEMORY, "out of memory");
	k->s = *s;
	k->recipe = *s->recipe;
	k->s.recipe = &k->recipe;
	snprintf(k->hash, sizeof k->hash, "%s", s->hash ? s->hash : "");
	k->s.hash = s->hash ? k->hash : NULL;
	k->count = s->recipe->samples;
	k->side = picture_side(s->L);
	k->pixels = (size_t)s->L;
	recipe_format(&k->recipe, k->line, RECIPE_LINE);
	if (s->hash) {
		size_t n = strlen(k->line);
		snprintf(k->line + n, sizeof k->line - n, " ckpt=%s", s->hash);
	}
	if (s->format == SINK_NPY)
		st = npy_head(s->out, k->count, s->L, k->line, e);
	else if (s->format == SINK_SAFETENSORS)
		st = begin_safetensors(k, e);
	else
		st = begin_sheet(k, e);
	if (st != ST_OK) {
		sink_free(k);
		return st;
	}
	*out = k;
	return ST_OK;
}

bool
sink_wants_steps(const struct sink *s)
{
	return s->s.format == SINK_GIF;
}

/* ---- a sample ---- */

/* The name of picture number i: in a folder sample-N.png. */
static char *
file_name(const struct sink *k, int i)
{
	const char *path = k->s.path, *p;
	char *end;

	if (folder(path))
		return mem_printf("%s%ssample-%04d.png", path, path[strlen(path) - 1] == '/' ? "" : "/", i);
	p = strchr(path, '%');
	long width = strtol(p + 1, &end, 10);
	bool zeros = p[1] == '0';
	int w = width > 20 ? 20 : (int)width;
	return zeros ? mem_printf("%.*s%0*d%s", (int)(p - path), path, w, i, end + 1)
	             : mem_printf("%.*s%*d%s", (int)(p - path), path, w, i, end + 1);
}

static enum status
write_each(struct sink *k, int i, struct error *e)
{
	char line[RECIPE_LINE + 80], *name = file_name(k, k->recipe.first + i);
	struct outfile *out = NULL;
	enum status st;

	if (!name)
		return error_set(e, ST_MEMORY, "out of memory");
	trace_recipe(&k->recipe, i, k->s.hash, line, sizeof line);
	st = outfile_open(name, &out, e);
	free(name);
	if (st != ST_OK)
		return st;
	sheet_put(&k->sheet, 0, k->rgb, k->canvas);
	st = png_write(out, k->width, k->height, k->canvas, line, e);
	if (st == ST_OK)
		return outfile_commit(out, e);
	outfile_abort(out);
	return st;
}

enum status
sink_sample(struct sink *k, int i, const int32_t *tok, struct error *e)
{
	size_t bytes = (size_t)k->s.L * sizeof *tok;

	switch (k->s.format) {
	case SINK_NPY:
		return outfile_write(k->s.out, tok, bytes, e);
	case SINK_SAFETENSORS:
		return named(k->s.path, st_write(k->st, tok, bytes, e), e);
	case SINK_PNG:
		picture_rgb(k->side, tok, k->rgb);
		sheet_put(&k->sheet, i, k->rgb, k->canvas);
		return ST_OK;
	case SINK_PNG_EACH:
		picture_rgb(k->side, tok, k->rgb);
		return write_each(k, i, e);
	default:
		return ST_OK; /* an animation takes states */
	}
}

/* ---- the steps ---- */

static enum status
make_frames(struct sink *k, int frames, struct error *e)
{
	size_t n;

	if (k->frames > 0)
		return frames == k->frames ? ST_OK : error_set(e, ST_FAIL, "samples of different numbers of steps");
	k->frame = mem_calloc((size_t)frames, sizeof *k->frame);
	bool ok = k->frame && mem_mul((size_t)k->count, k->pixels, &n);
	for (int f = 0; f < frames && ok; f++)
		ok = (k->frame[f] = mem_calloc(1, n)) != NULL;
	k->frames = frames;
	return ok ? ST_OK : error_set(e, ST_MEMORY, "out of memory for %d frames of %d pictures", frames, k->count);
}

enum status
sink_steps(struct sink *k, const struct tree *t, const struct node *end, int first, int S, struct error *e)
{
	struct state s;
	int f = 0;
	enum status st;

	for (const struct node *n = end; n; n = n->up)
		f++;
	if ((st = make_frames(k, f, e)) != ST_OK || (st = state_init(&s, S, k->s.L, e)) != ST_OK)
		return st;
	for (const struct node *n = end; n; n = n->up) {
		tree_read(t, n, &s);
		f--;
		for (int i = 0; i < S; i++)
			picture_rgb(k->side, s.tok + (size_t)i * (size_t)k->s.L,
				k->frame[f] + (size_t)(first + i) * k->pixels);
	}
	state_done(&s);
	return ST_OK;
}

static enum status
write_frames(struct sink *k, struct error *e)
{
	struct gif *g;
	enum status st = gif_begin(k->s.out, k->width, k->height, k->line, &g, e);

	if (st != ST_OK)
		return st;
	for (int f = 0; f < k->frames && st == ST_OK; f++) {
		for (int i = 0; i < k->count; i++)
			sheet_put(&k->sheet, i, k->frame[f] + (size_t)i * k->pixels, k->canvas);
		st = gif_frame(g, k->canvas, f == k->frames - 1 ? DELAY_END : f ? DELAY : DELAY_START, e);
	}
	if (st != ST_OK) {
		gif_end(g, NULL);
		return st;
	}
	return gif_end(g, e);
}

/* ---- the end ---- */

enum status
sink_finish(struct sink *k, struct error *e)
{
	enum status st = ST_OK;

	if (k->s.format == SINK_PNG)
		st = png_write(k->s.out, k->width, k->height, k->canvas, k->line, e);
	else if (k->s.format == SINK_GIF)
		st = write_frames(k, e);
	else if (k->s.format == SINK_SAFETENSORS) {
		st = named(k->s.path, st_commit(k->st, e), e);
		k->st = NULL;
	}
	return st;
}

void
sink_free(struct sink *k)
{
	if (!k)
		return;
	st_abort(k->st);
	for (int f = 0; f < k->frames && k->frame; f++)
		free(k->frame[f]);
	free(k->frame);
	free(k->rgb);
	free(k->canvas);
	free(k);
}
