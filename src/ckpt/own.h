/*
 * own.h: the metadata of psiview's own safetensors files, one for all writers.
 *
 *     config          JSON with the published field names, and model.mask, model.bos (ids),
 *                     model.vocab_size (classifiers)
 *     weights         ema, raw or both: what the unprefixed tensors are ("ema." ones are the EMA)
 *     family, base    "classifier" and its trunk, dit or unet: a noisy classifier
 *     step, epoch     numbers
 *     tokenizer       text8, bytes or pixels; or instead of it
 *     vocabulary      a JSON array of strings, entry i = token i; or
 *     tokenizer.json  its text
 *     layout          a JSON object, how a text wants to stand: "columns": N for rows of N cells;
 *                     "first": the position in the first cell (those before it are not shown);
 *                     "box_rows", "box_columns": cells between the lines of a grid
 *     job             settings of the training run that goes on from here, JSON (train/job.h)
 *     seed            with the step it names every random number to come: there is no generator state
 *     data            tokens of its text, or pictures, that there were: is it the same data still?
 *     best, best_step its smallest validation bound (nats per token), and after which step
 *     format          "pt": what transformers wants to see
 *
 * Pure, any thread.
 */
#ifndef PSI_CKPT_OWN_H
#define PSI_CKPT_OWN_H

#include "ckpt/config.h"
#include "ckpt/safetensors.h"

struct own_metadata {
	const struct config *config;      /* completed; .step < 0: not known */
	const char *weights;
	const char *vocabulary_key, *vocabulary;         /* "tokenizer", "vocabulary" or "tokenizer.json"; NULL: none */
	const char *layout;               /* NULL: none */
};

enum status own_declare(struct st_writer *w, const struct own_metadata *m, struct error *e);

#endif
