/*
 * data_image.h: pictures as training data: a folder of CIFAR-10 binary batches
 * (data_batch_*.bin: records of a label byte and 3072 bytes, red, green and
 * blue plane of 32 x 32), or a folder of PNG files, one folder per class.  A
 * picture is 3 planes, row by row: tokens 0..255 in the order of the model.
 * The pictures are decoded once into a spool (spool.h), so that the folder may
 * vanish afterwards.  Opened by one thread; then immutable: any thread.
 *
 * Held out are the pictures of test_batch.bin where there is one, else the
 * last ones.  PNG files are taken in turn, one of each class, so that the last
 * ones are of every class.
 */
#ifndef PSI_TRAIN_DATA_IMAGE_H
#define PSI_TRAIN_DATA_IMAGE_H

#include <stdbool.h>

#include "base/pool.h"
#include "base/rng.h"

struct image_data;

struct image_options {
	double held_out;             /* share kept for validation; 0 < . < 1 */
	const char *spool;           /* folder for the spool; NULL: as spool.h */
};

/* Errors name the file. */
enum status image_data_open(const char *path, const struct image_options *o, const struct cancel *c,
                            struct image_data **out, struct error *e);
void image_data_close(struct image_data *d);

struct image_info {
	int width, height, classes;
	size_t n, train;             /* pictures in all; the first `train` are for training */
};

struct image_info image_data_info(const struct image_data *d);
/* The folder's name of a PNG class; NULL: CIFAR-10. */
const char *image_data_class(const struct image_data *d, int label);

/* Picture i, perhaps mirrored: token [3 * height * width]; returns its label. */
int image_data_at(const struct image_data *d, size_t i, bool mirror, int32_t *token);
/* A random picture of the training part, mirrored every other time if
 * `mirror`; the noise's seed, step and sample name it. */
int image_data_draw(const struct image_data *d, const struct noise *n, bool mirror, int32_t *token);

#endif
