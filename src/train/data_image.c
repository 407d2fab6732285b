/* data_image.c: see data_image.h. */
#include "train/data_image.h"

#include <dirent.h>
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "train/spool.h"

#define CIFAR_SIDE 32
#define CIFAR_RECORD (1 + 3 * CIFAR_SIDE * CIFAR_SIDE)
#define MOST_PIXELS (1 << 20)    /* of one picture */

struct image_data {
	struct spool spool;          /* records: label (2 bytes), planes */
	struct image_info info;
	char **class;                /* [classes], or NULL */
};

/* A PNG file: its place in its class comes before its class. */
struct picture {
	char *path;
	int rank, label;
};

struct gather {
	struct picture *p;
	size_t n, cap;
};

static size_t
planes(const struct image_data *d)
{
	return 3 * (size_t)d->info.width * (size_t)d->info.height;
}

static enum status
put(struct image_data *d, int label, const uint8_t *plane, struct error *e)
{
	uint8_t byte[2] = { (uint8_t)label, (uint8_t)(label >> 8) };
	enum status st = spool_write(&d->spool, byte, 2, e);

	if (st == ST_OK)
		st = spool_write(&d->spool, plane, planes(d), e);
	d->info.n += st == ST_OK;
	return st;
}

/* ---- folders ---- */

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

static bool
named(const char *name, const char *begin, const char *end)
{
	size_t n = strlen(name), k = strlen(end);

	return n > k && strncmp(name, begin, strlen(begin)) == 0 && strcasecmp(name + n - k, end) == 0;
}

static void
free_list(struct dirent **list, int n)
{
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

/* ---- CIFAR-10 ---- */

static enum status
read_batch(struct image_data *d, const char *path, const struct cancel *c, struct error *e)
{
	uint8_t record[CIFAR_RECORD];
	FILE *f = fopen(path, "rbe");
	enum status st = ST_OK;
	size_t got;

	if (!f)
		return error_set(e, ST_FAIL, "%s: %s", path, strerror(errno));
	while (st == ST_OK && (got = fread(record, 1, sizeof record, f)) > 0) {
		if (cancel_asked(c))
			st = error_set(e, ST_CANCELLED, "cancelled");
		else if (got < sizeof record)
			st = error_set(e, ST_FAIL, "%s: its end is not that of a record of %d bytes", path,
			    CIFAR_RECORD);
		else if (record[0] > 9)
			st = error_set(e, ST_FAIL, "%s: label %d is not one of 0 to 9", path, record[0]);
		else
			st = put(d, record[0], record + 1, e);
	}
	if (st == ST_OK && ferror(f))
		st = error_set(e, ST_FAIL, "%s: %s", path, strerror(errno));
	fclose(f);
	return st;
}

static enum status
read_batches(struct image_data *d, const char *folder, struct dirent **list, int n, const char *begin,
    const struct cancel *c, struct error *e)
{
	enum status st = ST_OK;

	for (int i = 0; i < n && st == ST_OK; i++) {
		if (!named(list[i]->d_name, begin, ".bin"))
			continue;
		char *path = mem_printf("%s/%s", folder, list[i]->d_name);
		st = path ? read_batch(d, path, c, e) : error_set(e, ST_MEMORY, "out of memory");
		free(path);
	}
	return st;
}

static enum status
read_cifar(struct image_data *d, const char *folder, struct dirent **list, int n, const struct cancel *c,
    struct error *e)
{
	d->info.width = d->info.height = CIFAR_SIDE;
	d->info.classes = 10;
	enum status st = read_batches(d, folder, list, n, "data_batch", c, e);
	size_t train = d->info.n;
	if (st == ST_OK)
		st = read_batches(d, folder, list, n, "test_batch", c, e);
	d->info.train = d->info.n > train ? train : 0;
	return st;
}

/* ---- PNG ---- */

/* The picture as planes [3 * height * width] in *out (malloced); the first one
 * says how large all are. */
static enum status
decode(struct image_data *d, const char *path, uint8_t **out, struct error *e)
{
	png_image png = { .version = PNG_IMAGE_VERSION };
	int width = d->info.width, height = d->info.height;

	*out = NULL;
	if (!png_image_begin_read_from_file(&png, path))
		return error_set(e, ST_FAIL, "%s: %s", path, png.message);
	png.format = PNG_FORMAT_RGB;
	if (png.width == 0 || png.height == 0 || png.width > MOST_PIXELS / png.height ||
	    (width && (png.width != (unsigned)width || png.height != (unsigned)height))) {
		enum status st = error_set(e, ST_FAIL, "%s: a picture of %u x %u (%s)", path, png.width, png.height,
		    width ? "all must be of one size" : "too large");
		png_image_free(&png);
		return st;
	}
	size_t pixels = (size_t)png.width * png.height;
	uint8_t *rgb = malloc(6 * pixels);
	if (!rgb) {
		png_image_free(&png);
		return error_set(e, ST_MEMORY, "out of memory");
	}
	png_color background = { 0, 0, 0 };
	if (!png_image_finish_read(&png, &background, rgb + 3 * pixels, 0, NULL)) {
		free(rgb);
		return error_set(e, ST_FAIL, "%s: %s", path, png.message);
	}
	for (size_t i = 0; i < pixels; i++)
		for (size_t k = 0; k < 3; k++)
			rgb[k * pixels + i] = rgb[3 * pixels + 3 * i + k];
	d->info.width = (int)png.width;
	d->info.height = (int)png.height;
	*out = rgb;
	return ST_OK;
}

/* The PNG files of a folder. */
static enum status
gather_class(struct gather *g, const char *folder, int label, struct error *e)
{
	struct dirent **list;
	int n = scandir(folder, &list, visible, by_bytes), rank = 0;
	enum status st = ST_OK;

	if (n < 0)
		return error_set(e, ST_FAIL, "%s: %s", folder, strerror(errno));
	for (int i = 0; i < n && st == ST_OK; i++) {
		struct stat sb;
		if (!named(list[i]->d_name, "", ".png"))
			continue;
		struct picture *more = mem_grow(g->p, &g->cap, g->n + 1, sizeof *g->p);
		g->p = more ? more : g->p;
		char *path = more ? mem_printf("%s/%s", folder, list[i]->d_name) : NULL;
		if (!path)
			st = error_set(e, ST_MEMORY, "out of memory");
		else if (stat(path, &sb) == 0 && S_ISREG(sb.st_mode))
			g->p[g->n++] = (struct picture){ path, rank++, label };
		else
			free(path);
	}
	free_list(list, n);
	return st;
}

static int
in_turn(const void *a, const void *b)
{
	const struct picture *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return (x->label > y->label) - (x->label < y->label);
}

/* Folders are the classes; without any the folder itself is the only one. */
static enum status
gather_folders(struct image_data *d, struct gather *g, const char *folder, struct dirent **list, int n,
    struct error *e)
{
	enum status st = ST_OK;

	d->class = mem_calloc((size_t)n + 1, sizeof *d->class);
	if (!d->class)
		return error_set(e, ST_MEMORY, "out of memory");
	for (int i = 0; i < n && st == ST_OK; i++) {
		char *path = mem_printf("%s/%s", folder, list[i]->d_name);
		struct stat sb;
		if (!path) {
			st = error_set(e, ST_MEMORY, "out of memory");
		} else if (stat(path, &sb) == 0 && S_ISDIR(sb.st_mode)) {
			d->class[d->info.classes] = mem_strdup(list[i]->d_name);
			if (!d->class[d->info.classes])
				st = error_set(e, ST_MEMORY, "out of memory");
			else
				st = gather_class(g, path, d->info.classes++, e);
		}
		free(path);
	}
	if (st != ST_OK || d->info.classes)
		return st;
	d->class[0] = mem_strdup(folder);
	d->info.classes = 1;
	return d->class[0] ? gather_class(g, folder, 0, e) : error_set(e, ST_MEMORY, "out of memory");
}

static enum status
read_pngs(struct image_data *d, const char *folder, struct dirent **list, int n, const struct cancel *c,
    struct error *e)
{
	struct gather g = { 0 };
	enum status st = gather_folders(d, &g, folder, list, n, e);

	if (st == ST_OK && g.n == 0)
		st = error_set(e, ST_USAGE, "%s: neither data_batch_*.bin nor PNG files", folder);
	if (st == ST_OK)
		qsort(g.p, g.n, sizeof *g.p, in_turn);
	for (size_t i = 0; i < g.n && st == ST_OK; i++) {
		uint8_t *plane = NULL;
		st = cancel_asked(c) ? error_set(e, ST_CANCELLED, "cancelled") : decode(d, g.p[i].path, &plane, e);
		if (st == ST_OK)
			st = put(d, g.p[i].label, plane, e);
		free(plane);
	}
	for (size_t i = 0; i < g.n; i++)
		free(g.p[i].path);
	free(g.p);
	return st;
}

/* ---- opening ---- */

static enum status
split(struct image_data *d, const char *path, double held_out, struct error *e)
{
	size_t held = (size_t)(held_out * (double)d->info.n + 0.5);

	if (d->info.train)
		return ST_OK;
	held = held ? held : 1;
	if (held >= d->info.n)
		return error_set(e, ST_USAGE, "%s: %zu pictures are too few, %zu of them held out", path, d->info.n,
		    held);
	d->info.train = d->info.n - held;
	return ST_OK;
}

static enum status
read_folder(struct image_data *d, const char *path, const struct image_options *o, const struct cancel *c,
    struct error *e)
{
	struct dirent **list;
	int n = scandir(path, &list, visible, by_bytes);
	bool cifar = false;

	if (n < 0)
		return error_set(e, errno == ENOTDIR ? ST_USAGE : ST_FAIL, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++)
		cifar |= named(list[i]->d_name, "data_batch", ".bin");
	enum status st = (cifar ? read_cifar : read_pngs)(d, path, list, n, c, e);
	free_list(list, n);
	if (st == ST_OK)
		st = split(d, path, o->held_out, e);
	return st == ST_OK ? spool_map(&d->spool, e) : st;
}

enum status
image_data_open(const char *path, const struct image_options *o, const struct cancel *c, struct image_data **out,
    struct error *e)
{
	*out = NULL;
	if (!(o->held_out > 0 && o->held_out < 1))
		return error_set(e, ST_USAGE, "the share held out must lie between 0 and 1, not at %g", o->held_out);
	struct image_data *d = mem_calloc(1, sizeof *d);
	if (!d)
		return error_set(e, ST_MEMORY, "out of memory");
	enum status st = spool_init(&d->spool, o->spool, e);
	if (st == ST_OK)
		st = read_folder(d, path, o, c, e);
	if (st != ST_OK) {
		image_data_close(d);
		return st;
	}
	*out = d;
	return ST_OK;
}

void
image_data_close(struct image_data *d)
{
	if (!d)
		return;
	for (int i = 0; d->class && i < d->info.classes; i++)
		free(d->class[i]);
	free(d->class);
	spool_done(&d->spool);
	free(d);
}

struct image_info
image_data_info(const struct image_data *d)
{
	return d->info;
}

const char *
image_data_class(const struct image_data *d, int label)
{
	return d->class ? d->class[label] : NULL;
}

int
image_data_at(const struct image_data *d, size_t i, bool mirror, int32_t *token)
{
	size_t w = (size_t)d->info.width, rows = 3 * (size_t)d->info.height;
	const uint8_t *p = d->spool.map + i * (2 + planes(d));
	int label = p[0] | p[1] << 8;

	p += 2;
	for (size_t r = 0; r < rows; r++)
		for (size_t x = 0; x < w; x++)
			token[r * w + x] = p[r * w + (mirror ? w - 1 - x : x)];
	return label;
}

int
image_data_draw(const struct image_data *d, const struct noise *n, bool mirror, int32_t *token)
{
	struct noise side = *n;
	size_t i = (size_t)(noise_scalar(n, STAGE_DATA) * (double)d->info.train);

	side.nonce++;
	return image_data_at(d, i, mirror && noise_scalar(&side, STAGE_DATA) < 0.5, token);
}
