/* list.c: lists of named tensors, and how names are read.  See ckpt_impl.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/ckpt_impl.h"

enum status
list_init(struct tensor_list *l, size_t n, struct error *e)
{
	*l = (struct tensor_list){ 0 };
	l->t = mem_calloc(n, sizeof *l->t);
	if (!l->t || !names_init(&l->names, n))
		return error_set(e, ST_MEMORY, "out of memory");
	return ST_OK;
}

enum status
list_add(struct tensor_list *l, const char *name, size_t bytes, const struct tensor *t, struct error *e)
{
	uint32_t i;

	if (names_find(&l->names, name, bytes, &i)) {
		char *keep = l->t[i].name;

		l->t[i] = *t;
		l->t[i].name = keep;
		return ST_OK;
	}
	l->t[l->n] = *t;
	l->t[l->n].name = mem_strndup(name, bytes);
	if (!l->t[l->n].name)
		return error_set(e, ST_MEMORY, "out of memory");
	names_add(&l->names, l->t[l->n].name, bytes, (uint32_t)l->n);
	l->n++;
	return ST_OK;
}

void
list_done(struct tensor_list *l)
{
	for (int i = 0; i < l->n; i++)
		free(l->t[i].name);
	free(l->t);
	names_done(&l->names);
}

struct prefix
prefix_of(const char *const *names, size_t n)
{
	struct prefix p = { "", false };

	for (size_t i = 0; i < n; i++) {
		if (!strncmp(names[i], "backbone.", 9))
			return (struct prefix){ "backbone.", true };
		if (!strncmp(names[i], "transformer.wte", 15))
			p = (struct prefix){ "transformer.", false };
	}
	return p;
}

bool
name_strip(const char *name, size_t bytes, const struct prefix *p, char *buf, size_t size)
{
	static const char compiled[] = "_orig_mod.";
	size_t k = strlen(p->strip), n = 0;

	if (bytes >= 7 && !memcmp(name, "teacher", 7))
		return false;
	for (size_t i = 0; i < bytes;) {
		if (bytes - i >= sizeof compiled - 1 && !memcmp(name + i, compiled, sizeof compiled - 1)) {
			i += sizeof compiled - 1;
			continue;
		}
		if (n + 1 >= size)
			return false;
		buf[n++] = name[i++];
	}
	buf[n] = '\0';
	if (!strncmp(buf, p->strip, k))
		memmove(buf, buf + k, n - k + 1);
	else if (p->only)
		return false;
	return *buf != '\0';
}

bool
ckpt_is_buffer(const char *name)
{
	static const char *const ends[] = { "inv_freq", ".attn.bias", ".attn.masked_bias" };
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (n >= strlen(ends[i]) && !strcmp(name + n - strlen(ends[i]), ends[i]))
			return true;
	return false;
}

void
ckpt_warn(struct ckpt *c, const char *fmt, ...)
{
	char (*q)[240] = realloc(c->warning, (size_t)(c->n_warning + 1) * sizeof *q);
	va_list ap;

	if (!q)
		return;
	c->warning = q;
	va_start(ap, fmt);
	vsnprintf(q[c->n_warning++], sizeof *q, fmt, ap);
	va_end(ap);
}

/* "a.b.c" begins with `prefix` in at least one name. */
static bool
any_name(const char *const *names, size_t n, const char *prefix)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(names[i], prefix, strlen(prefix)))
			return true;
	return false;
}

const char *
seems_names(const char *const *names, size_t n)
{
	static const struct { const char *prefix, *what; } known[] = {
		{ "model.diffusion_model.", "a Stable Diffusion model" },
		{ "first_stage_model.", "a Stable Diffusion autoencoder" },
		{ "model.layers.0.self_attn.", "a LLaMA-like language model" },
		{ "model.embed_tokens.", "a LLaMA-like language model" },
		{ "layers.0.attention.", "a LLaMA model" },
		{ "encoder.layer.0.", "a BERT-like model" },
		{ "bert.", "a BERT model" },
		{ "text_model.", "a CLIP model" },
		{ "down_blocks.", "a diffusers U-Net" },
		{ "base_model.model.", "a LoRA adapter" },
		{ "encoder.block.0.", "a T5 model" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (any_name(names, n, known[i].prefix))
			return known[i].what;
	return NULL;
}

static bool
begins(const struct map *m, const char *s, size_t n)
{
	return m->bytes >= n && !memcmp(m->p, s, n);
}

const char *
seems_file(const struct map *m)
{
	static const struct { const char *s; size_t n; const char *what; } known[] = {
		{ "version https://git-lfs", 23, "a Git LFS pointer, not the file itself (git lfs pull fetches it)" },
		{ "<!", 2, "an HTML or XML page (a download that failed?)" },
		{ "<html", 5, "an HTML page (a download that failed?)" },
		{ "<?xml", 5, "an XML page (a download that failed?)" },
		{ "GGUF", 4, "a GGUF file (llama.cpp)" },
		{ "\x89HDF", 4, "an HDF5 file" },
		{ "\x93NUMPY", 6, "a NumPy array" },
		{ "\x1f\x8b", 2, "compressed with gzip" },
		{ "\xfd" "7zXZ", 5, "compressed with xz" },
		{ "\x28\xb5\x2f\xfd", 4, "compressed with zstd" },
		{ "%PDF", 4, "a PDF file" },
		{ "PK", 2, "a zip archive that is cut short" },
		{ "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14,
		    "a file that torch.save wrote before PyTorch 1.6: load it and save it again with a newer torch" },
		{ "\x80\x02", 2, "a bare pickle" }, { "\x80\x03", 2, "a bare pickle" },
		{ "\x80\x04", 2, "a bare pickle" },		{ "\x80\x05", 2, "a bare pickle" },
	};
	size_t text = 0, zero = 0, n = m->bytes < 4096 ? m->bytes : 4096;

	if (!m->bytes)
		return "an empty file";
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (begins(m, known[i].s, known[i].n))
			return known[i].what;
	for (size_t i = 0; i < n; i++) {
		text += (m->p[i] >= 32 && m->p[i] < 127) || (m->p[i] >= 9 && m->p[i] <= 13);
		zero += !m->p[i];
	}
	return text == n ? "a text file" : zero == n ? "nothing but zeros" : NULL;
}
