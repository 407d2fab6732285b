/* hash.c: the name of a set of weights.  See ckpt.h, screen.md.  Any thread. */
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "ckpt/ckpt_impl.h"

#define EDGE 4096

static void
add_text(struct sha256_ctx *h, const char *s)
{
	sha256_update(h, strlen(s) + 1, (const uint8_t *)s);
}

/* Name, type, shape, the first and the last 4 KB (all of it if shorter). */
static void
add_tensor(struct sha256_ctx *h, const struct tensor *t)
{
	uint8_t buf[EDGE];
	char shape[TENSOR_DIMS * 24];
	size_t size = dtype_size(t->dtype), n = tensor_numel(t), k = EDGE / size;

	add_text(h, t->name);
	add_text(h, dtype_name(t->dtype));
	add_text(h, tensor_shape(t, shape, sizeof shape));
	if (k > n)
		k = n;
	tensor_copy(t, 0, k, buf);
	sha256_update(h, k * size, buf);
	if (n > k) {
		size_t from = n - k > k ? n - k : k;

		tensor_copy(t, from, n - from, buf);
		sha256_update(h, (n - from) * size, buf);
	}
}

enum status
ckpt_hash(const struct ckpt *c, bool ema, char hex[65], struct error *e)
{
	const struct tensor_list *l = ema ? &c->priv->ema : &c->priv->raw;
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx h;

	if (!l->n)
		return error_set(e, ST_CKPT, "the file has no %s weights", ema ? "EMA" : "raw");
	sha256_init(&h);
	add_text(&h, ckpt_format_name(c->format));
	for (int i = 0; i < l->n; i++)
		if (!ckpt_is_buffer(l->t[i].name))
			add_tensor(&h, &l->t[i]);
	sha256_digest(&h, sizeof digest, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return ST_OK;
}
