/* order.c: see order.h.  Pure. */
#include "ckpt/order.h"

#include <stdlib.h>
#include <string.h>

#define PARTS 6

/* Parts of a name in module order.  Numbers sort as numbers; a part that is
 * not here makes the name unknown. */
static const char *const parts[] = {
	"vocab_embed", "embedding", "sigma_map",
	"temb_modules", "input_conv", "downsampling_modules", "middle_modules", "upsampling_modules", "output_modules",
	"cond_map", "embedding_table",           /* after sigma_map in a DiT, last in a U-Net */
	"blocks", "output_layer",
	/* inside a DiT block or its output layer */
	"norm1", "attn_qkv", "attn_out", "norm2", "mlp", "norm_final", "linear", "adaLN_modulation",
	/* inside a block of a U-Net */
	"groupnorm0", "conv0", "dense0", "groupnorm1", "conv1", "nin", "GroupNorm_0", "NIN_0", "NIN_1", "NIN_2",
	"NIN_3", "conv", "Conv_0", "W", "b", "weight", "bias",
};

struct key { int part[PARTS]; int index; };

static int
part_rank(const char *s, size_t n)
{
	char *end;

	if (*s >= '0' && *s <= '9' && n < 9) {
		long k = strtol(s, &end, 10);

		return end == s + n ? (int)k : -1;
	}
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strlen(parts[i]) == n && !memcmp(parts[i], s, n))
			return (int)i;
	return -1;
}

static bool
make_key(const char *name, struct key *k)
{
	int n = 0;

	memset(k->part, 0, sizeof k->part);
	while (*name) {
		size_t len = strcspn(name, ".");

		if (n == PARTS || (k->part[n++] = part_rank(name, len)) < 0)
			return false;
		name += len + (name[len] == '.');
	}
	return true;
}

static int
by_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	for (int i = 0; i < PARTS; i++)
		if (x->part[i] != y->part[i])
			return x->part[i] < y->part[i] ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

void
order_parameters(const struct tensor *t, int *index, int n)
{
	struct key *k = calloc((size_t)n + 1, sizeof *k);
	bool known = k != NULL;

	for (int i = 0; known && i < n; i++) {
		k[i].index = index[i];
		known = make_key(t[index[i]].name, &k[i]);
	}
	if (known) {
		qsort(k, (size_t)n, sizeof *k, by_key);
		for (int i = 0; i < n; i++)
			index[i] = k[i].index;
	}
	free(k);
}
