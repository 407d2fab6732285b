/*
 * ckpt.h: open any supported checkpoint; map it, list its tensors, read its
 * configuration.  Executes nothing that is in the file and touches no weight.
 *
 * Formats (worked out from the content): Lightning .ckpt (torch.save zip),
 * safetensors file or Hugging Face folder (also sharded, also
 * pytorch_model.bin), psiview's own safetensors.
 *
 * A struct ckpt is immutable after ckpt_open and may be read by any thread;
 * all pointers below live until ckpt_close, which unmaps the file.
 */
#ifndef PSI_CKPT_CKPT_H
#define PSI_CKPT_CKPT_H

#include "ckpt/config.h"
#include "ckpt/tensor.h"

enum ckpt_format { CKPT_LIGHTNING, CKPT_SAFETENSORS, CKPT_HF, CKPT_HF_SHARDED, CKPT_HF_BIN, CKPT_OWN };

struct st_file;

/* A tokenizer found inside the file. */
enum ckpt_tokenizer { CKPT_TOK_NONE, CKPT_TOK_JSON /* bytes of a tokenizer.json */, CKPT_TOK_TEXT8,
	CKPT_TOK_CHARS /* JSON array of strings */, CKPT_TOK_BYTES, CKPT_TOK_PIXELS };

struct ckpt {
	char *path;                            /* as given */
	char *dir;                             /* folder to look for a tokenizer in */
	enum ckpt_format format;
	struct config config;                  /* completed */
	int n_raw, n_ema;
	const struct tensor *raw, *ema;        /* names without `backbone.`; n_ema 0: no EMA in the file */
	int n_adam;                            /* Lightning: AdamW's moments, where they fit the weights; else 0 */
	const struct tensor *adam_m, *adam_v;
	bool holds_ema;                        /* own inference files: the one set of weights is what was the EMA */
	enum ckpt_tokenizer tok_kind;
	const uint8_t *tok_data;
	size_t tok_bytes;
	uint64_t file_bytes;                   /* all files together */
	char (*warning)[240];                  /* things worth telling (a CRC field, NaN not looked for ...) */
	int n_warning;
	const char *layout;                    /* own files: JSON of a layout (own.h), else NULL */
	const struct st_file *own;             /* own files: all that is in them, moments and metadata; else NULL */
	const char *job;                       /* own files a training can go on from: its settings, JSON; else NULL */
	struct ckpt_private *priv;
};

/* Open path (a file or a Hugging Face folder).  Errors: the reason, without
 * the path: the caller puts "FILE: " before it. */
enum status ckpt_open(const char *path, const struct config_override *o, struct ckpt **out, struct error *e);
void ckpt_close(struct ckpt *c);
const char *ckpt_format_name(enum ckpt_format f);

/* Buffers are no parameters: rotary frequencies (computed anew), GPT-2's masks. */
bool ckpt_is_buffer(const char *name);

/* NULL when absent. */
const struct tensor *ckpt_find(const struct ckpt *c, bool ema, const char *name);

/* Lower-case hex SHA-256 over format, names, dtypes, shapes and the first and
 * last 4 KB of each used tensor (screen.md), in the order of the file.  Touches those pages only. */
enum status ckpt_hash(const struct ckpt *c, bool ema, char hex[65], struct error *e);

/* Check what opening does not: the CRCs of a zip, and that every weight is
 * finite.  Reads the whole file.  Calls say(arg, line) for each finding.
 * ST_OK: nothing is wrong (a finding may still be worth knowing); ST_CKPT: a CRC
 * does not match; ST_NUMERIC: a weight is not finite; then *e sums up. */
enum status ckpt_verify(const struct ckpt *c, void (*say)(void *arg, const char *line), void *arg, struct error *e);

#endif
