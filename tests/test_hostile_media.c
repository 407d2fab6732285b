/*
 * test_hostile_media.c: checkpoints of pictures, Hugging Face folders and GPT-2,
 * cut short, with other numbers in their headers and configurations, and with
 * bytes changed: each is opened and its network checked and bound.  Either all
 * is well or it is refused as a checkpoint with one line.  Cases: the bundled
 * image demo, a small GPT-2 made here, and what lies below $PSIVIEW_GOLDEN.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "ckpt/ckpt.h"
#include "ckpt/safetensors.h"
#include "models/registry.h"
#include "tests/check.h"

#define LARGEST ((size_t)16 << 20)       /* larger files take their turn elsewhere */
#define CUTS 20
#define RUNS 60                  /* numbers changed in a header, of each kind */
#define FLIPS 120
#define HEAD 24576               /* bytes of a zip or safetensors that hold more than weights */

static char scratch[] = "hostile-media.XXXXXX";

struct hostile {
	const char *open;        /* what is opened: the file or its folder */
	int fd;                  /* the file that is changed */
	uint8_t *good;
	size_t bytes;
	int well, refused, odd;
	char first[300];         /* the first odd one */
};

static void
attempt(struct hostile *h, const char *what, size_t at)
{
	struct error e = { .code = ST_OK };
	struct ckpt *c = NULL;
	struct model *m = NULL;
	enum status st = ckpt_open(h->open, NULL, &c, &e);

	if (st == ST_OK)
		st = model_check(c, &e);
	if (st == ST_OK)
		st = model_open(c, c->n_ema == 0, NULL, &m, &e);
	model_free(m);
	ckpt_close(c);
	h->well += st == ST_OK;
	h->refused += st == ST_CKPT;
	if (st == ST_OK || (st == ST_CKPT && *e.msg && !strchr(e.msg, '\n')))
		return;
	if (h->odd++ == 0)
		snprintf(h->first, sizeof h->first, "%s at %zu: status %d '%.150s'", what, at, (int)st, e.msg);
}

static bool
put(struct hostile *h, const void *p, size_t n, size_t at)
{
	return pwrite(h->fd, p, n, (off_t)at) == (ssize_t)n;
}

/* Runs of digits, every so many of them, as zeros and as nines. */
static void
change_numbers(struct hostile *h, size_t end)
{
	int runs = 0, every, k = 0;
	char digits[64];

	for (size_t i = 1; i < end; i++)
		runs += h->good[i] >= '0' && h->good[i] <= '9' && !(h->good[i - 1] >= '0' && h->good[i - 1] <= '9');
	every = runs / RUNS + 1;
	for (size_t i = 1; i < end; i++) {
		size_t n = 0;
		while (i + n < end && n < sizeof digits && h->good[i + n] >= '0' && h->good[i + n] <= '9')
			n++;
		if (n == 0 || k++ % every)
			continue;
		for (int d = 0; d < 2; d++) {
			memset(digits, d ? '9' : '0', n);
			put(h, digits, n, i);
			attempt(h, "a number", i);
		}
		put(h, h->good + i, n, i);
		i += n;
	}
}

static void
flip_bytes(struct hostile *h, size_t end)
{
	uint64_t s = 99;

	for (int k = 0; k < FLIPS; k++) {
		s = s * 6364136223846793005u + 1442695040888963407u;
		size_t at = (size_t)(s >> 33) % end;
		uint8_t b = (uint8_t)(h->good[at] ^ (1u << (s >> 20 & 7)));
		put(h, &b, 1, at);
		attempt(h, "a bit", at);
		put(h, h->good + at, 1, at);
	}
}

/* From the end; all but the whole must be refused. */
static void
cut(struct hostile *h)
{
	int well = h->well;

	for (size_t k = 0; k < CUTS; k++) {
		size_t n = k == 0 ? h->bytes - 1 : h->bytes / CUTS * (CUTS - k) + 5;
		if (n >= h->bytes)
			continue;
		if (ftruncate(h->fd, (off_t)n) == 0)
			attempt(h, "the end", n);
	}
	if (h->well != well && h->odd++ == 0)
		snprintf(h->first, sizeof h->first, "a file that was cut opens");
}

static uint8_t *
read_all(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	struct stat sb;
	uint8_t *p = NULL;

	if (f && fstat(fileno(f), &sb) == 0 && sb.st_size > 0 && (size_t)sb.st_size <= LARGEST) {
		*bytes = (size_t)sb.st_size;
		p = malloc(*bytes);
		if (p && fread(p, 1, *bytes, f) != *bytes) {
			free(p);
			p = NULL;
		}
	}
	if (f)
		fclose(f);
	return p;
}

/* file: a path that may be written to; open: it, or its folder. */
static void
vary(const char *label, const char *file, const char *open_path)
{
	struct hostile h = { .open = open_path };
	bool json;

	h.good = read_all(file, &h.bytes);
	if (!h.good) {
		check_skip("%s: large", label);
		return;
	}
	h.fd = open(file, O_RDWR | O_CLOEXEC);
	attempt(&h, "as it is", 0);
	CHECK(h.well == 1, "%s: opens (%s)", label, h.first);
	json = h.good[0] == '{';
	size_t end = h.bytes < HEAD ? h.bytes : HEAD;
	if (!json && memcmp(h.good, "PK", 2) != 0 && h.bytes > 8) {       /* safetensors: its header */
		size_t header = 8 + (h.good[0] | (size_t)h.good[1] << 8 | (size_t)h.good[2] << 16);
		end = header < h.bytes ? header : h.bytes;
	}
	if (json || memcmp(h.good, "PK", 2) != 0)
		change_numbers(&h, end);
	flip_bytes(&h, end);
	if (!json)
		cut(&h);
	put(&h, h.good, h.bytes, 0);
	close(h.fd);
	CHECK(h.odd == 0 && h.refused > 0, "%s: %d variants open, %d are refused with a line%s%s", label,
		h.well, h.refused,
	      h.odd ? "; but " : "", h.first);
	free(h.good);
}

static bool
copy(const char *from, const char *to)
{
	size_t n;
	uint8_t *p = read_all(from, &n);
	FILE *f = p ? fopen(to, "wb") : NULL;
	bool ok = f && fwrite(p, 1, n, f) == n;

	if (f)
		ok &= fclose(f) == 0;
	free(p);
	return ok;
}

static const char *
base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void
vary_file(const char *path)
{
	char to[4096];

	snprintf(to, sizeof to, "%s/file", scratch);
	if (copy(path, to))
		vary(base(path), to, to);
	else
		check_skip("%s: large", base(path));
	unlink(to);
}

/* A folder of config.json and one file of weights. */
static void
vary_folder(const char *dir)
{
	static const char *const weights[] = { "model.safetensors", "pytorch_model.bin" };
	char from[4200], to[4200], config[4200], label[300];

	for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
		snprintf(from, sizeof from, "%s/%s", dir, weights[i]);
		snprintf(to, sizeof to, "%s/%s", scratch, weights[i]);
		if (access(from, R_OK) != 0)
			continue;
		if (!copy(from, to)) {
			check_skip("%s: large", base(dir));
			continue;
		}
		snprintf(from, sizeof from, "%s/config.json", dir);
		snprintf(config, sizeof config, "%s/config.json", scratch);
		copy(from, config);
		snprintf(label, sizeof label, "%.120s/%s", base(dir), weights[i]);
		vary(label, to, scratch);
		snprintf(label, sizeof label, "%.120s/config.json", base(dir));
		vary(label, config, scratch);
		unlink(to);
		unlink(config);
	}
}

static void
walk(const char *dir)
{
	char path[4096];
	struct stat sb;
	DIR *d = opendir(dir);

	if (!d)
		return;
	snprintf(path, sizeof path, "%s/config.json", dir);
	if (stat(path, &sb) == 0)
		vary_folder(dir);
	for (struct dirent *e; (e = readdir(d));) {
		int n = snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		size_t len = strlen(e->d_name);
		if (e->d_name[0] == '.' || n >= (int)sizeof path || stat(path, &sb) != 0 || strcmp(e->d_name,
			"hostile") == 0)
			continue;
		if (S_ISDIR(sb.st_mode))
			walk(path);
		else if (strstr(dir, "images") && ((len > 5 && strcmp(e->d_name + len - 5, ".ckpt") == 0) ||
		    (strstr(e->d_name, ".safetensors") && !strstr(e->d_name, ".golden."))))
			vary_file(path);
	}
	closedir(d);
}

/* ---- a small GPT-2 ---- */

static enum status
declare_gpt2(struct st_writer *w, bool data, struct error *e)
{
	static const struct { const char *name; int64_t dim[2]; } t[] = {
		{ "transformer.wte.weight", { 11, 8 } }, { "transformer.wpe.weight", { 16, 8 } },
		{ "transformer.h.0.ln_1.weight", { 8 } }, { "transformer.h.0.ln_1.bias", { 8 } },
		{ "transformer.h.0.attn.bias", { 16, 16 } },
		{ "transformer.h.0.attn.c_attn.weight", { 8, 24 } }, { "transformer.h.0.attn.c_attn.bias", { 24 } },
		{ "transformer.h.0.attn.c_proj.weight", { 8, 8 } }, { "transformer.h.0.attn.c_proj.bias", { 8 } },
		{ "transformer.h.0.ln_2.weight", { 8 } }, { "transformer.h.0.ln_2.bias", { 8 } },
		{ "transformer.h.0.mlp.c_fc.weight", { 8, 32 } }, { "transformer.h.0.mlp.c_fc.bias", { 32 } },
		{ "transformer.h.0.mlp.c_proj.weight", { 32, 8 } }, { "transformer.h.0.mlp.c_proj.bias", { 8 } },
		{ "transformer.ln_f.weight", { 8 } }, { "transformer.ln_f.bias", { 8 } },
	};
	static const float zeros[512];
	enum status st = ST_OK;

	for (size_t i = 0; i < sizeof t / sizeof *t && st == ST_OK; i++) {
		int64_t n = t[i].dim[0] * (t[i].dim[1] ? t[i].dim[1] : 1);
		st = data ? st_write(w, zeros, (size_t)n * sizeof *zeros, e)
		          : st_declare(w, t[i].name, DT_F32, t[i].dim[1] ? 2 : 1, t[i].dim, e);
	}
	return st;
}

static void
test_gpt2(void)
{
	char dir[100], path[200];
	struct error e = { .code = ST_OK };

	snprintf(dir, sizeof dir, "%s/gpt2", scratch);
	mkdir(dir, 0777);
	snprintf(path, sizeof path, "%s/config.json", dir);
	FILE *f = fopen(path, "w");
	fputs("{\"model_type\": \"gpt2\", \"vocab_size\": 11, \"n_positions\": 16, \"n_embd\": 8, "
	      "\"n_layer\": 1, \"n_head\": 2,\n"
	      "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05}\n", f);
	fclose(f);
	snprintf(path, sizeof path, "%s/model.safetensors", dir);
	struct st_writer *w = st_writer_new(path);
	enum status st = declare_gpt2(w, false, &e);
	if (st == ST_OK)
		st = st_begin(w, &e);
	if (st == ST_OK)
		st = declare_gpt2(w, true, &e);
	CHECK(st == ST_OK && st_commit(w, &e) == ST_OK, "a small GPT-2 (%s)", e.msg);
	vary_folder(dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/config.json", dir);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const char *golden = getenv("PSIVIEW_GOLDEN"), *src = getenv("SRCDIR");
	char path[4096];

	if (!mkdtemp(scratch))
		return 99;
	test_gpt2();
	if (src) {
		snprintf(path, sizeof path, "%s/data/unet-duo.safetensors", src);
		vary_file(path);
	}
	if (golden)
		walk(golden);
	rmdir(scratch);
	return check_done();
}
