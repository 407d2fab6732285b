/*
 * seems.c: what a file that is no checkpoint seems to be, by its first bytes or
 * by the names of its tensors.  See ckpt_impl.h.
 */
#include <string.h>

#include "ckpt/ckpt_impl.h"

#define HEAD 4096                /* bytes looked at from the beginning */
#define TAIL ((size_t)1 << 18)   /* of a zip, from the end */

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
		{ "lora_unet_", "a LoRA adapter for Stable Diffusion" },
		{ "lora_te_", "a LoRA adapter for Stable Diffusion" },
		{ "control_model.", "a ControlNet" },
		{ "double_blocks.", "a Flux image model" },
		{ "joint_blocks.", "a Stable Diffusion 3 model" },
		{ "model.joint_blocks.", "a Stable Diffusion 3 model" },
		{ "vision_model.", "a vision or CLIP model" },
		{ "visual.", "a CLIP model" },
		{ "roberta.", "a RoBERTa model" },
		{ "distilbert.", "a DistilBERT model" },
		{ "gpt_neox.", "a GPT-NeoX model" },
		{ "model.decoder.layers.", "an OPT or Whisper model" },
		{ "backbone.layers.0.mixer.", "a Mamba model" },
		{ "layer1.0.conv1.", "a ResNet" },
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

/* A word within n bytes from `at`. */
static bool
holds(const struct map *m, size_t at, size_t n, const char *word)
{
	size_t left = at < m->bytes ? m->bytes - at : 0;

	return left > 0 && memmem(m->p + at, left < n ? left : n, word, strlen(word)) != NULL;
}

struct word { const char *word, *what; };

static const char *
first_word(const struct map *m, size_t at, size_t n, const struct word *w, size_t words)
{
	for (size_t i = 0; i < words; i++)
		if (holds(m, at, n, w[i].word))
			return w[i].what;
	return NULL;
}

/* A pickle without the zip of torch.save: whose? */
static const char *
seems_pickle(const struct map *m)
{
	static const struct word words[] = {
		{ "sklearn", "a pickled scikit-learn model" }, { "xgboost", "a pickled XGBoost model" },
		{ "pandas", "a pickled pandas table" }, { "numpy", "a pickle of NumPy arrays" },
		{ "torch", "a pickle of tensors without torch.save's archive" },
	};
	const char *what = first_word(m, 0, HEAD, words, sizeof words / sizeof *words);

	return what ? what : "a bare pickle";
}

/* Field 1 (version, a small number), then field 2, the producer's name. */
static bool
seems_onnx(const struct map *m)
{
	return m->bytes > 8 && m->p[0] == 0x08 && m->p[1] < 0x20 && m->p[2] == 0x12 && m->p[3] > 0 && m->p[3] < 64 &&
	    m->bytes > 4 + (size_t)m->p[3];
}

const char *
seems_zip(const struct map *m)
{
	static const struct word words[] = {
		{ "/code/__torch__", "a TorchScript program" }, { "model.weights.h5", "a Keras model" },
		{ ".npy", "an archive of NumPy arrays (.npz)" }, { "[Content_Types].xml", "an office document" },
		{ "META-INF/", "a Java archive" },
	};
	size_t from = m->bytes > TAIL ? m->bytes - TAIL : 0;       /* the directory stands at the end */

	return first_word(m, from, TAIL, words, sizeof words / sizeof *words);
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
		{ "\x89HDF", 4, "an HDF5 file (Keras?)" },
		{ "\x93NUMPY", 6, "a NumPy array" },
		{ "\x1f\x8b", 2, "compressed with gzip" },
		{ "\xfd" "7zXZ", 5, "compressed with xz" },
		{ "\x28\xb5\x2f\xfd", 4, "compressed with zstd" },
		{ "BZh", 3, "compressed with bzip2" },
		{ "Rar!", 4, "a rar archive" },
		{ "7z\xbc\xaf", 4, "a 7z archive" },
		{ "%PDF", 4, "a PDF file" },
		{ "\x89PNG", 4, "a PNG picture" },
		{ "\xff\xd8\xff", 3, "a JPEG picture" },
		{ "GIF8", 4, "a GIF picture" },
		{ "RIFF", 4, "a WebP picture, or sound" },
		{ "\x7f" "ELF", 4, "a program" },
		{ "#!", 2, "a script" },
		{ "SQLite format 3", 15, "a database" },
		{ "PAR1", 4, "a Parquet table" },
		{ "ARROW1", 6, "an Arrow table" },
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
			return known[i].s[0] == '\x80' && known[i].n == 2 ? seems_pickle(m) : known[i].what;
	if (m->bytes >= 512 && !memcmp(m->p + 257, "ustar", 5))
		return "a tar archive";
	if (m->bytes >= 8 && !memcmp(m->p + 4, "TFL3", 4))
		return "a TensorFlow Lite model";
	if (seems_onnx(m))
		return "an ONNX model";
	if (m->p[0] >> 4 == 8 && m->bytes > 8 && (m->p[1] & 0xe0) == 0xa0 && holds(m, 0, HEAD, "params"))
		return "a msgpack file (Flax?)";
	for (size_t i = 0; i < n; i++) {
		text += (m->p[i] >= 32 && m->p[i] < 127) || (m->p[i] >= 9 && m->p[i] <= 13);
		zero += !m->p[i];
	}
	return text == n ? "a text file" : zero == n ? "nothing but zeros" : NULL;
}
