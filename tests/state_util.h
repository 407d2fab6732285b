/*
 * state_util.h: small training runs over data made in a scratch folder.
 */
#ifndef PSI_TESTS_STATE_UTIL_H
#define PSI_TESTS_STATE_UTIL_H

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <png.h>

#include "check.h"
#include "train/state.h"

static char scratch[] = "/tmp/psiview-test-XXXXXX";
static struct error e;

/* One of a few at a time. */
__attribute__((unused)) static const char *
file(const char *name)
{
	static char path[4][300];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof path[i], "%s/%s", scratch, name);
	return path[i];
}

__attribute__((unused)) static void
put_file(const char *name, const char *text)
{
	FILE *f = fopen(file(name), "wb");

	if (!f || fputs(text, f) < 0 || fclose(f))
		printf("# %s cannot be written\n", name);
}

__attribute__((unused)) static void
set(struct job *j, const char *name, const char *value)
{
	if (job_set(j, job_field_find(name), value, &e) != ST_OK)
		printf("# %s\n", e.msg);
}

/* A small run over Sudoku, text or pictures. */
__attribute__((unused)) static struct job
small(const char *task, const char *loss)
{
	static const char *const size[][2] = { { "hidden", "16" },  { "heads", "2" },  { "blocks", "2" },
					       { "cond", "8" },	    { "length", "8" }, { "ch", "8" },
					       { "ch-mult", "1,2" } };
	struct job j;

	job_init(&j);
	set(&j, "task", strcmp(task, "pictures") ? task : "images");
	if (!strcmp(task, "sudoku"))
		set(&j, "sudoku", "4");
	else
		set(&j, "data", file(task));
	set(&j, "loss", loss);
	for (size_t i = 0; i < sizeof size / sizeof *size; i++)
		set(&j, size[i][0], size[i][1]);
	set(&j, "held-out", "0.4");
	return j;
}

/* Opened; both NULL if it cannot be. */
__attribute__((unused)) static void
begin(struct job *j, struct source **src, struct train_state **s, const char *what)
{
	enum status st = source_open(j, NULL, src, &e);

	*s = NULL;
	if (st == ST_OK)
		st = state_new(j, s, &e);
	CHECK(st == ST_OK, "%s: begins%s%s", what, st ? ": " : "", st ? e.msg : "");
}

__attribute__((unused)) static void
end(struct source *src, struct train_state *s)
{
	state_free(s);
	source_close(src);
}

__attribute__((unused)) static void
put_png(const char *name, int shade)
{
	png_image png = { .version = PNG_IMAGE_VERSION, .width = 4, .height = 4, .format = PNG_FORMAT_RGB };
	uint8_t rgb[48];

	for (int i = 0; i < 48; i++)
		rgb[i] = (uint8_t)(shade + i);
	png_image_write_to_file(&png, file(name), 0, rgb, 0, NULL);
}

__attribute__((unused)) static void
make_data(void)
{
	put_file("text", "abcabc a bit of text, and enough of it: once more a bit of text, and enough of it");
	mkdir(file("pictures"), 0777);
	mkdir(file("pictures/cat"), 0777);
	mkdir(file("pictures/dog"), 0777);
	for (int i = 0; i < 6; i++) {
		char name[60];
		snprintf(name, sizeof name, "pictures/%s/%d.png", i % 2 ? "dog" : "cat", i);
		put_png(name, 20 * i);
	}
}

/* Make the folder and what is in it; false: that cannot be. */
__attribute__((unused)) static bool
scratch_begin(void)
{
	if (!mkdtemp(scratch))
		return false;
	make_data();
	return true;
}

__attribute__((unused)) static void
scratch_end(void)
{
	char clear[100];

	snprintf(clear, sizeof clear, "rm -rf %s", scratch);
	CHECK(system(clear) == 0, "cleared away");
}

#endif
