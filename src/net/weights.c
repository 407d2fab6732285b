/* weights.c: see weights.h.  Owns packed and widened copies. */
#include "net/weights.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ckpt/map.h"

struct form {
	float *data;            /* owned; NULL: not made, or the map serves as it is */
	bool ready;
};

struct weights {
	const struct net *net;
	const struct kern *kern;
	const struct tensor **tensor;   /* [n_par] */
	struct tensor *turned;          /* [n_par]: those of parameters that are stored as [in, out], as [out, in] */
	struct form *vector, *matrix, *back; /* [n_par] */
	size_t bytes;
	enum pool_priority prio;
};

/* The same data with rows and columns exchanged. */
static void
turn(struct weights *w, int par)
{
	const struct tensor *t = w->tensor[par];
	struct tensor *to = &w->turned[par];

	*to = *t;
	to->dim[0] = t->dim[1];
	to->dim[1] = t->dim[0];
	to->stride[0] = t->stride[1];
	to->stride[1] = t->stride[0];
	w->tensor[par] = to;
}

enum status
weights_new(const struct net *net, const struct tensor *t, int n, const char *what, const struct kern *kern,
	    struct weights **out, struct error *e)
{
	struct weights *w = mem_calloc(1, sizeof *w);
	size_t n_par = (size_t)net->n_par;

	*out = NULL;
	if (!w)
		return error_set(e, ST_MEMORY, "out of memory");
	w->net = net;
	w->kern = kern;
	w->prio = POOL_SAMPLE;
	w->tensor = mem_calloc(n_par, sizeof *w->tensor);
	w->turned = mem_calloc(n_par, sizeof *w->turned);
	w->vector = mem_calloc(n_par, sizeof *w->vector);
	w->matrix = mem_calloc(n_par, sizeof *w->matrix);
	w->back = mem_calloc(n_par, sizeof *w->back);
	enum status st = ST_OK;
	if (!w->tensor || !w->turned || !w->vector || !w->matrix || !w->back)
		st = error_set(e, ST_MEMORY, "out of memory");
	if (st == ST_OK)
		st = net_match(net, t, n, what, w->tensor, e);
	for (int i = 0; i < net->n_par && st == ST_OK; i++)
		if (net->par[i].transposed)
			turn(w, i);
	if (st != ST_OK) {
		weights_free(w);
		return st;
	}
	*out = w;
	return ST_OK;
}

void
weights_free(struct weights *w)
{
	if (!w)
		return;
	for (int i = 0; i < w->net->n_par; i++) {
		if (w->vector)
			mem_free(w->vector[i].data);
		if (w->matrix)
			mem_free(w->matrix[i].data);
		if (w->back)
			mem_free(w->back[i].data);
	}
	free(w->tensor);
	free(w->turned);
	free(w->vector);
	free(w->matrix);
	free(w->back);
	free(w);
}

void
weights_priority(struct weights *w, enum pool_priority prio)
{
	w->prio = prio;
}

void
weights_changed(struct weights *w)
{
	for (int i = 0; i < w->net->n_par; i++)
		w->vector[i].ready = w->matrix[i].ready = w->back[i].ready = false;
}

size_t
weights_bytes(const struct weights *w)
{
	return w->bytes;
}

static enum status
form_room(struct weights *w, struct form *f, size_t floats, struct error *e)
{
	if (f->data)
		return ST_OK;
	f->data = mem_aligned(floats, sizeof *f->data);
	if (!f->data)
		return error_set(e, ST_MEMORY, "out of memory for weights");
	w->bytes += floats * sizeof *f->data;
	return ST_OK;
}

/* A form holds all that is wanted of a tensor: its pages of the file may go. */
static void
form_done(struct form *f, const struct tensor *t)
{
	f->ready = true;
	if (t->mapped && tensor_contiguous(t))
		map_forget(t->data, tensor_numel(t) * dtype_size(t->dtype));
}

enum status
weights_vector(struct weights *w, int par, const float **out, struct error *e)
{
	*out = NULL;
	if (par < 0)
		return ST_OK;
	struct form *f = &w->vector[par];
	if (!f->ready) {
		size_t n = tensor_numel(w->tensor[par]);
		enum status st = form_room(w, f, n, e);
		if (st != ST_OK)
			return st;
		tensor_to_f32(w->tensor[par], 0, n, f->data);
		f->ready = true;
	}
	*out = f->data;
	return ST_OK;
}

/* Can the map be read as floats as it stands? */
static bool
plain(const struct tensor *t)
{
	return t->dtype == DT_F32 && tensor_contiguous(t) && (uintptr_t)t->data % sizeof(float) == 0;
}

const float *
weights_plain(const struct weights *w, int par)
{
	struct tensor t = *w->tensor[par];

	if (w->net->par[par].transposed) {
		t.dim[0] = w->tensor[par]->dim[1];
		t.dim[1] = w->tensor[par]->dim[0];
		t.stride[0] = w->tensor[par]->stride[1];
		t.stride[1] = w->tensor[par]->stride[0];
	}
	return plain(&t) ? (const float *)(const void *)t.data : NULL;
}

void
weights_row(const struct weights *w, int par, int64_t row, float *out)
{
	const struct tensor *t = w->tensor[par];
	size_t width = (size_t)t->dim[1];

	tensor_to_f32(t, (size_t)row * width, width, out);
}

/* Work items of making a form: 4 panels, or 64 rows to be widened.  The rows
 * of a panel are widened into a piece of the stack. */
#define ITEM_PANELS 4
#define ITEM_ROWS 64

struct making {
	const struct tensor *t;
	const struct kern *kern;
	int n, k;
	float *out;
	float *scratch;         /* [threads][panel columns * k]; NULL if the tensor is plain */
};

static void
pack_item(void *arg, int item, int worker)
{
	struct making *m = arg;
	int nr = m->kern->nr, first = item * ITEM_PANELS * nr;
	int last = first + ITEM_PANELS * nr < m->n ? first + ITEM_PANELS * nr : m->n;

	for (int j = first; j < last; j += nr) {
		int end = j + nr < last ? j + nr : last;
		const float *src = (const float *)(const void *)m->t->data + (size_t)j * (size_t)m->k;
		if (m->scratch) {
			float *s = m->scratch + (size_t)worker * (size_t)nr * (size_t)m->k;
			tensor_to_f32(m->t, (size_t)j * (size_t)m->k, (size_t)(end - j) * (size_t)m->k, s);
			src = s;
		}
		gemm_pack(m->kern, src, (size_t)m->k, true, m->k, 0, end - j, m->out + (size_t)j * (size_t)m->k);
	}
}

static void
widen_item(void *arg, int item, int worker)
{
	struct making *m = arg;
	size_t k = (size_t)m->k, first = (size_t)item * ITEM_ROWS;
	size_t rows = (size_t)m->n - first < ITEM_ROWS ? (size_t)m->n - first : ITEM_ROWS;

	(void)worker;
	tensor_to_f32(m->t, first * k, rows * k, m->out + first * k);
}

static enum status
make_packed(const struct weights *w, struct making *m, struct pool *pool, struct cancel *c, struct error *e)
{
	int per = ITEM_PANELS * m->kern->nr;

	if (!plain(m->t)) {
		m->scratch = mem_aligned((size_t)pool_threads(pool) * (size_t)m->kern->nr * (size_t)m->k,
			sizeof *m->scratch);
		if (!m->scratch)
			return error_set(e, ST_MEMORY, "out of memory");
	}
	enum status st = pool_run(pool, w->prio, (m->n + per - 1) / per, pack_item, m, c);
	mem_free(m->scratch);
	return st;
}

enum status
weights_matrix(struct weights *w, int par, bool packed, struct pool *pool, struct cancel *c, struct gemm_b *out,
	struct error *e)
{
	const struct tensor *t = w->tensor[par];
	struct form *f = &w->matrix[par];
	struct making m = { .t = t, .kern = w->kern, .n = (int)t->dim[0], .k = (int)t->dim[1] };
	enum status st = ST_OK;

	*out = (struct gemm_b){ .n = m.n, .k = m.k, .packed = packed, .by_column = true, .ld = (size_t)m.k };
	if (!packed && plain(t)) {
		out->p = (const float *)(const void *)t->data;
		return ST_OK;
	}
	if (!f->ready) {
		size_t floats = packed ? gemm_packed_floats(w->kern, m.n, m.k) : (size_t)m.n * (size_t)m.k;
		st = form_room(w, f, floats, e);
		m.out = f->data;
		if (st == ST_OK)
			st = packed ? make_packed(w, &m, pool, c, e)
			            : pool_run(pool, w->prio, (m.n + ITEM_ROWS - 1) / ITEM_ROWS, widen_item, &m, c);
		if (st == ST_OK)
			form_done(f, t);
	}
	out->p = f->data;
	return st;
}

/* Making the form of a convolution: an item is a panel of columns, each put in
 * the order [tap][in] first, or transformed. */
#define PLACES 36

struct unfolding {
	const struct tensor *t;
	const struct kern *kern;
	int n, k, taps;
	bool winograd;
	float *out;
	size_t raw, row;        /* floats of a column in the file; as unfolded */
	float *scratch;         /* [threads][raw + nr row] */
};

/* G g G^T of F(4x4, 3x3) for every input channel: place p to out[p step]. */
static void
transform(int k, const float *g, float *out, size_t step)
{
	static const double G[6][3] = { { .25, 0, 0 }, { -1. / 6, -1. / 6, -1. / 6 }, { -1. / 6, 1. / 6, -1. / 6 },
		{ 1. / 24, 1. / 12, 1. / 6 }, { 1. / 24, -1. / 12, 1. / 6 }, { 0, 0, 1 } };

	for (int i = 0; i < k; i++, g += 9)
		for (int r = 0; r < 6; r++) {
			double t[3];
			for (int c = 0; c < 3; c++)
				t[c] = G[r][0] * (double)g[c] + G[r][1] * (double)g[3 + c] + G[r][2] * (double)g[6 + c];
			for (int c = 0; c < 6; c++)
				out[(size_t)(6 * r + c) * step + (size_t)i] =
					(float)(G[c][0] * t[0] + G[c][1] * t[1] + G[c][2] * t[2]);
		}
}

/* Column j; winograd: place p goes nr k floats (BLAS: n k) after place p - 1. */
static void
unfold(const struct unfolding *u, int j, float *raw, float *out)
{
	size_t k = (size_t)u->k, taps = (size_t)u->taps;

	if (taps == 1) {
		for (size_t i = 0; i < k; i++)
			tensor_to_f32(u->t, i * (size_t)u->n + (size_t)j, 1, out + i);
		return;
	}
	tensor_to_f32(u->t, (size_t)j * u->raw, u->raw, raw);
	if (u->winograd) {
		transform(u->k, raw, out, (size_t)(u->kern->blas ? u->n : u->kern->nr) * k);
		return;
	}
	for (size_t i = 0; i < k; i++)
		for (size_t tap = 0; tap < taps; tap++)
			out[tap * k + i] = raw[i * taps + tap];
}

static void
unfold_item(void *arg, int item, int worker)
{
	const struct unfolding *u = arg;
	int nr = u->kern->nr, first = item * nr, cols = u->n - first < nr ? u->n - first : nr;
	size_t k = (size_t)u->k, place = (size_t)nr * k, step = u->winograd ? k : u->row;
	float *raw = u->scratch + (size_t)worker * (u->raw + (size_t)nr * u->row);
	float *rows = u->kern->blas ? u->out + (size_t)first * step : raw + u->raw;

	for (int j = 0; j < cols; j++)
		unfold(u, first + j, raw, rows + (size_t)j * step);
	if (u->kern->blas)
		return;
	if (u->winograd)
		for (size_t p = 0; p < PLACES; p++)
			gemm_pack(u->kern, rows + p * place, k, true, u->k, 0, cols,
			          u->out + p * gemm_packed_floats(u->kern, u->n, u->k) + (size_t)first * k);
	else
		gemm_pack(u->kern, rows, u->row, true, (int)u->row, 0, cols, u->out + (size_t)first * u->row);
}

enum status
weights_conv(struct weights *w, int par, bool winograd, struct pool *pool, struct cancel *c, struct gemm_b *out,
	struct error *e)
{
	const struct tensor *t = w->tensor[par];
	struct form *f = &w->matrix[par];
	bool flat = t->ndim == 2;
	struct unfolding u = { .t = t, .kern = w->kern, .n = (int)t->dim[flat], .k = (int)t->dim[!flat],
		               .taps = flat ? 1 : (int)(t->dim[2] * t->dim[3]), .winograd = winograd };
	size_t nr = (size_t)w->kern->nr, k = (size_t)u.k;
	enum status st = ST_OK;

	u.raw = k * (size_t)u.taps;
	u.row = winograd ? PLACES * k : u.raw;
	*out = (struct gemm_b){ .n = u.n, .k = winograd ? u.k : (int)u.raw, .packed = !w->kern->blas, .by_column = true,
		.ld = winograd ? k : u.raw };
	if (!f->ready) {
		size_t one = out->packed ? gemm_packed_floats(w->kern, u.n, out->k) : (size_t)u.n * (size_t)out->k;
		size_t floats = winograd ? PLACES * one : one;
		u.scratch = mem_aligned((size_t)pool_threads(pool) * (u.raw + nr * u.row), sizeof *u.scratch);
		if (!u.scratch)
			return error_set(e, ST_MEMORY, "out of memory for weights");
		st = form_room(w, f, floats, e);
		u.out = f->data;
		if (st == ST_OK)
			st = pool_run(pool, w->prio, (u.n + (int)nr - 1) / (int)nr, unfold_item, &u, c);
		mem_free(u.scratch);
		if (st == ST_OK)
			form_done(f, t);
	}
	out->p = f->data;
	return st;
}

/* A panel of inputs of the turned form: for each output, the taps of its
 * columns side by side, last first, as they are or transformed. */
static void
turned_panel(const struct unfolding *u, int first, int cols, float *raw)
{
	const struct kern *kern = u->kern;
	size_t nr = (size_t)kern->nr, k = (size_t)u->k, taps = (size_t)u->taps, parts = u->winograd ? PLACES : taps;
	size_t one = u->winograd ? gemm_packed_floats(kern, u->n, u->k) : k * nr; /* from a part to the next */
	float *tap = raw + nr * taps, *place = tap + nr * taps;

	memset(tap, 0, nr * taps * sizeof *tap);
	for (size_t o = 0; o < k; o++) {
		float *panel = u->out + (size_t)first * (u->winograd ? k : u->row) + o * nr;
		tensor_to_f32(u->t, (o * (size_t)u->n + (size_t)first) * taps, (size_t)cols * taps, raw);
		for (size_t j = 0; j < (size_t)cols; j++)
			for (size_t i = 0; i < taps; i++)
				tap[(taps - 1 - i) * nr + j] = raw[j * taps + i];
		if (u->winograd)
			kern->image->wino_weight((int)nr, tap, nr, kern->blas ? place : panel, kern->blas ? nr : one);
		const float *part = u->winograd ? place : tap;
		for (size_t p = 0; !u->winograd && !kern->blas && p < parts; p++)
			memcpy(panel + p * one, part + p * nr, nr * sizeof *panel);
		for (size_t p = 0; kern->blas && p < parts; p++)
			for (size_t j = 0; j < (size_t)cols; j++) {
				size_t at = (size_t)first + j;
				u->out[u->winograd ? (p * (size_t)u->n + at) * k + o : at * u->row + p * k + o] =
					part[p * nr + j];
			}
	}
}

static void
turned_item(void *arg, int item, int worker)
{
	const struct unfolding *u = arg;
	int nr = u->kern->nr, first = item * nr, cols = u->n - first < nr ? u->n - first : nr;
	size_t k = (size_t)u->k;
	float *raw = u->scratch + (size_t)worker * u->raw;

	if (u->taps > 1) {
		turned_panel(u, first, cols, raw);
		return;
	}
	float *rows = u->kern->blas ? u->out + (size_t)first * k : raw;
	tensor_to_f32(u->t, (size_t)first * k, (size_t)cols * k, rows);
	if (!u->kern->blas)
		gemm_pack(u->kern, rows, k, true, u->k, 0, cols, u->out + (size_t)first * k);
}

enum status
weights_turned(struct weights *w, int par, bool winograd, struct pool *pool, struct cancel *c, struct gemm_b *out,
	struct error *e)
{
	const struct tensor *t = w->tensor[par];
	struct form *f = &w->back[par];
	bool flat = t->ndim == 2;
	struct unfolding u = { .t = t, .kern = w->kern, .n = (int)t->dim[!flat], .k = (int)t->dim[flat],
		               .taps = flat ? 1 : (int)(t->dim[2] * t->dim[3]), .winograd = winograd };
	size_t nr = (size_t)w->kern->nr, k = (size_t)u.k;
	enum status st = ST_OK;

	u.row = k * (size_t)u.taps;
	u.raw = flat ? nr * k : nr * (size_t)(2 * u.taps + PLACES);
	*out = (struct gemm_b){ .n = u.n, .k = winograd ? u.k : (int)u.row, .packed = !w->kern->blas, .by_column = true,
		.ld = winograd ? k : u.row };
	if (!f->ready) {
		size_t one = out->packed ? gemm_packed_floats(w->kern, u.n, out->k) : (size_t)u.n * (size_t)out->k;
		u.scratch = mem_aligned((size_t)pool_threads(pool) * u.raw, sizeof *u.scratch);
		if (!u.scratch)
			return error_set(e, ST_MEMORY, "out of memory for weights");
		st = form_room(w, f, winograd ? PLACES * one : one, e);
		u.out = f->data;
		if (st == ST_OK)
			st = pool_run(pool, w->prio, (u.n + (int)nr - 1) / (int)nr, turned_item, &u, c);
		mem_free(u.scratch);
		if (st == ST_OK)
			form_done(f, t);
	}
	out->p = f->data;
	return st;
}

/* A few panels of inputs: rows of the matrix are runs of it. */
static void
back_item(void *arg, int item, int worker)
{
	struct making *m = arg; /* n: inputs, k: outputs */
	int nr = m->kern->nr, first = item * ITEM_PANELS * nr;
	int last = first + ITEM_PANELS * nr < m->n ? first + ITEM_PANELS * nr : m->n;

	(void)worker;
	for (int j = first; j < last; j += nr) {
		size_t cols = (size_t)(last - j < nr ? last - j : nr);
		float *panel = m->out + (size_t)j * (size_t)m->k;
		for (size_t o = 0; o < (size_t)m->k; o++, panel += nr) {
			tensor_to_f32(m->t, o * (size_t)m->n + (size_t)j, cols, panel);
			memset(panel + cols, 0, ((size_t)nr - cols) * sizeof *panel);
		}
	}
}

enum status
weights_back(struct weights *w, int par, struct pool *pool, struct cancel *c, struct gemm_b *out, struct error *e)
{
	const struct tensor *t = w->tensor[par];
	struct form *f = &w->back[par];
	struct making m = { .t = t, .kern = w->kern, .n = (int)t->dim[1], .k = (int)t->dim[0] };
	int per = ITEM_PANELS * w->kern->nr;
	enum status st = ST_OK;

	*out = (struct gemm_b){ .n = m.n, .k = m.k, .packed = true };
	if (w->kern->blas && plain(t)) {
		*out = (struct gemm_b){ .n = m.n, .k = m.k, .ld = (size_t)m.n };
		out->p = (const float *)(const void *)t->data;
		return ST_OK;
	}
	if (!f->ready) {
		st = form_room(w, f, gemm_packed_floats(w->kern, m.n, m.k), e);
		m.out = f->data;
		if (st == ST_OK)
			st = pool_run(pool, w->prio, (m.n + per - 1) / per, back_item, &m, c);
		if (st == ST_OK)
			form_done(f, t);
	}
	out->p = f->data;
	return st;
}
