/*
 * test_data_image.c: CIFAR-10 batches and folders of PNG files as training
 * data: planes, labels, what is held out, mirroring, errors.
 */
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "train/data_image.h"

static char scratch[] = "/tmp/psiview-test-XXXXXX";
static char path[300];

static const char *
file(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", scratch, name);
	return path;
}

/* Record i: label i % 10, byte j of the planes (i + 3 j) % 256. */
static void
put_batch(const char *name, int first, int n, int extra)
{
	FILE *f = fopen(file(name), "wb");

	for (int i = first; f && i < first + n; i++) {
		fputc(i % 10, f);
		for (int j = 0; j < 3072; j++)
			fputc((i + 3 * j) % 256, f);
	}
	for (int i = 0; f && i < extra; i++)
		fputc(200, f);
	if (f)
		fclose(f);
}

static bool
put_png(const char *name, int w, int h, int shade)
{
	png_image png = { .version = PNG_IMAGE_VERSION, .width = (unsigned)w, .height = (unsigned)h,
		.format = PNG_FORMAT_RGB };
	uint8_t *rgb = malloc(3 * (size_t)w * (size_t)h);

	for (int i = 0; i < w * h; i++) {
		rgb[3 * i] = (uint8_t)shade;
		rgb[3 * i + 1] = (uint8_t)(10 * i);
		rgb[3 * i + 2] = 77;
	}
	bool ok = png_image_write_to_file(&png, file(name), 0, rgb, 0, NULL);
	free(rgb);
	return ok;
}

static void
refused(double held_out, enum status want, const char *what)
{
	struct image_options o = { .held_out = held_out, .spool = scratch };
	struct image_data *d = NULL;
	struct error e = { 0 };
	enum status st = image_data_open(file("data"), &o, NULL, &d, &e);

	CHECK(st == want && d == NULL && e.msg[0], "%s: refused", what);
	printf("#  %s\n", e.msg);
}

static void
check_draws(const struct image_data *d)
{
	struct image_info in = image_data_info(d);
	int32_t token[3072], other[3072];
	int bad = 0, mirrored = 0, low = 0, high = 0;

	for (uint32_t s = 0; s < 600; s++) {
		struct noise n = { .seed = 1, .sample = s };
		int label = image_data_draw(d, &n, true, token);
		size_t i = 0;
		bool same = false, turned = false;
		for (; i < in.train && !same && !turned; i++) {
			int l = image_data_at(d, i, false, other);
			same = l == label && memcmp(token, other, sizeof token) == 0;
			image_data_at(d, i, true, other);
			turned = l == label && memcmp(token, other, sizeof token) == 0;
		}
		bad += !same && !turned;
		mirrored += turned;
		low += i == 1;
		high += i == in.train;
	}
	CHECK(bad == 0 && low && high, "draws are pictures of the training part, from the first to the last");
	CHECK(mirrored > 240 && mirrored < 360, "half of them mirrored: %d of 600", mirrored); /* 4.9 sd: p = 1e-6 */
}

static void
check_cifar(void)
{
	struct image_options o = { .held_out = 0.25, .spool = scratch };
	struct image_data *d;
	int32_t token[3072];
	int bad = 0;

	mkdir(file("data"), 0700);
	put_batch("data/data_batch_2.bin", 7, 5, 0);
	put_batch("data/data_batch_1.bin", 0, 7, 0);
	if (!CHECK(image_data_open(file("data"), &o, NULL, &d, NULL) == ST_OK, "CIFAR-10 batches"))
		return;
	struct image_info in = image_data_info(d);
	CHECK(in.n == 12 && in.train == 9 && in.classes == 10 && in.width == 32 && in.height == 32, "its figures");
	for (int i = 0; i < 12; i++) {
		bad += image_data_at(d, (size_t)i, false, token) != i % 10;
		for (int j = 0; j < 3072; j++)
			bad += token[j] != (i + 3 * j) % 256;
		image_data_at(d, (size_t)i, true, token);
		for (int j = 0; j < 3072; j++)
			bad += token[j] != (i + 3 * (j / 32 * 32 + 31 - j % 32)) % 256;
	}
	CHECK(bad == 0, "records in the order of the files, and mirrored");
	check_draws(d);
	image_data_close(d);
	put_batch("data/test_batch.bin", 12, 4, 0);
	if (CHECK(image_data_open(file("data"), &o, NULL, &d, NULL) == ST_OK, "with a test batch")) {
		in = image_data_info(d);
		CHECK(in.n == 16 && in.train == 12, "the test batch is held out");
		image_data_close(d);
	}
	refused(1, ST_USAGE, "all held out");
	put_batch("data/test_batch.bin", 12, 4, 9);
	refused(0.1, ST_FAIL, "a record cut short");
	put_batch("data/test_batch.bin", 12, 4, 3073);
	refused(0.1, ST_FAIL, "a label of 200");
	unlink(file("data/data_batch_1.bin"));
	unlink(file("data/data_batch_2.bin"));
	unlink(file("data/test_batch.bin"));
	refused(0.1, ST_USAGE, "an empty folder");
	rmdir(file("data"));
	refused(0.1, ST_FAIL, "no folder");
}

static void
check_png(void)
{
	struct image_options o = { .held_out = 0.34, .spool = scratch };
	struct image_data *d;
	int32_t token[3 * 20];
	bool ok;

	mkdir(file("data"), 0700);
	mkdir(file("data/dog"), 0700);
	mkdir(file("data/ant"), 0700);
	ok = put_png("data/ant/a.png", 5, 4, 1) && put_png("data/ant/b.png", 5, 4, 2) &&
	    put_png("data/ant/c.PNG", 5, 4, 3);
	ok = ok && put_png("data/dog/x.png", 5, 4, 11) && put_png("data/dog/y.png", 5, 4, 12) &&
	    put_png("data/dog/z.png", 5, 4, 13);
	if (!CHECK(ok && image_data_open(file("data"), &o, NULL, &d, NULL) == ST_OK, "PNG folders"))
		return;
	struct image_info in = image_data_info(d);
	CHECK(in.n == 6 && in.train == 4 && in.classes == 2 && in.width == 5 && in.height == 4, "their figures");
	CHECK(strcmp(image_data_class(d, 0), "ant") == 0 && strcmp(image_data_class(d, 1), "dog") == 0,
	    "classes are folders in the order of their names");
	int label = image_data_at(d, 3, false, token);
	CHECK(label == 1 && token[0] == 12 && token[20 + 7] == 70 && token[40] == 77, "planes of the second dog");
	label = image_data_at(d, 4, true, token);
	CHECK(label == 0 && token[19] == 3 && token[20 + 5] == 90, "the last ones are of every class; mirrored");
	image_data_close(d);
	put_png("data/dog/y.png", 4, 5, 12);
	refused(0.3, ST_FAIL, "pictures of two sizes");
	FILE *f = fopen(file("data/dog/y.png"), "wb");
	if (f) {
		fputs("\x89PNG\r\n\x1a\nnothing", f);
		fclose(f);
	}
	refused(0.3, ST_FAIL, "a broken picture");
	static const char *const made[] = { "ant/a.png", "ant/b.png", "ant/c.PNG", "dog/x.png", "dog/y.png",
		"dog/z.png" };
	for (int i = 0; i < 6; i++) {
		char name[40];
		snprintf(name, sizeof name, "data/%s", made[i]);
		unlink(file(name));
	}
	rmdir(file("data/ant"));
	rmdir(file("data/dog"));
	rmdir(file("data"));
}

int
main(void)
{
	if (!CHECK(mkdtemp(scratch) != NULL, "scratch"))
		return check_done();
	check_cifar();
	check_png();
	CHECK(rmdir(scratch) == 0, "spools leave nothing behind");
	return check_done();
}
