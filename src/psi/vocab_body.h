/*
 * vocab_body.h: the bodies of vocab.c's loops, included once for each form.
 * Plain C on blocks of 128 tokens (32 Philox counters of 4 words), written so
 * that compilers turn every inner loop into vector code: choices by bit masks
 * (a branch on a float is not turned into one by compilers that keep traps).
 *
 * The includer defines FORM(name) and TARGET.
 */

/* exp(x) for x <= about 88; 0 below -87.  Cephes' polynomial (relative error 2e-7). */
static inline TARGET void
FORM(exp_block)(const float *restrict x, float *restrict out)
{
	for (int i = 0; i < BLOCK; i++) {
		float v = choose(x[i] > -87.0f, x[i], -87.0f);
		float k = v * 1.44269504f + 12582912.0f; /* round to an integer in the low bits */
		uint32_t bits;
		memcpy(&bits, &k, sizeof bits);
		k -= 12582912.0f;
		float r = v - k * 0.693359375f - k * -2.12194440e-4f;
		float p = 1.9875691500e-4f;
		p = p * r + 1.3981999507e-3f;
		p = p * r + 8.3334519073e-3f;
		p = p * r + 4.1665795894e-2f;
		p = p * r + 1.6666665459e-1f;
		p = p * r + 5.0000001201e-1f;
		p = p * r * r + r + 1.0f;
		uint32_t scale = (bits << 23) + 0x3f800000u;
		float s;
		memcpy(&s, &scale, sizeof s);
		out[i] = choose(x[i] > -87.0f, p * s, 0.0f);
	}
}

/* E = -log((word + .5) / 2^32) with full relative precision at both ends:
 * near u = 1 from the complement of the word (architecture.md section 4). */
static inline TARGET void
FORM(minus_log_block)(const uint32_t *restrict word, float *restrict out)
{
	for (int i = 0; i < BLOCK; i++) {
		uint32_t w = word[i];
		float u = uniform(w), v = uniform(~w);
		uint32_t bits;
		memcpy(&bits, &u, sizeof bits);
		/* u = m 2^e, m in [sqrt(1/2), sqrt 2) */
		uint32_t up = bits + (0x3f800000u - 0x3f3504f3u);
		float e = (float)((int32_t)(up >> 23) - 127);
		uint32_t mbits = (up & 0x007fffffu) + 0x3f3504f3u;
		float m;
		memcpy(&m, &mbits, sizeof m);
		float f = choose(e == 0.0f, -v, m - 1.0f);
		float z = f * f;
		float p = 7.0376836292e-2f;
		p = p * f - 1.1514610310e-1f;
		p = p * f + 1.1676998740e-1f;
		p = p * f - 1.2420140846e-1f;
		p = p * f + 1.4249322787e-1f;
		p = p * f - 1.6668057665e-1f;
		p = p * f + 2.0000714765e-1f;
		p = p * f - 2.4999993993e-1f;
		p = p * f + 3.3333331174e-1f;
		float y = p * f * z + e * -2.12194440e-4f - 0.5f * z;
		out[i] = -(f + y + e * 0.693359375f);
	}
}

/* Words of tokens first..first+127 (first % 4 == 0), in order of tokens. */
static inline TARGET void
FORM(words_block)(const struct noise *n, enum stage stage, uint32_t first, uint32_t *restrict word)
{
	uint32_t c0[BLOCK / 4], c1[BLOCK / 4], c2[BLOCK / 4], c3[BLOCK / 4];
	uint32_t k0 = (uint32_t)n->seed, k1 = (uint32_t)(n->seed >> 32);

	for (int l = 0; l < BLOCK / 4; l++) {
		c0[l] = n->pos | (uint32_t)stage << 24;
		c1[l] = (first / 4 + (uint32_t)l) | (uint32_t)n->nonce << 16;
		c2[l] = n->step;
		c3[l] = n->sample;
	}
	for (int r = 0; r < 10; r++) {
		for (int l = 0; l < BLOCK / 4; l++) {
			uint64_t p0 = (uint64_t)c0[l] * 0xD2511F53u, p1 = (uint64_t)c2[l] * 0xCD9E8D57u;
			c0[l] = (uint32_t)(p1 >> 32) ^ c1[l] ^ k0;
			c2[l] = (uint32_t)(p0 >> 32) ^ c3[l] ^ k1;
			c1[l] = (uint32_t)p1;
			c3[l] = (uint32_t)p0;
		}
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	for (int l = 0; l < BLOCK / 4; l++) {
		word[4 * l] = c0[l];
		word[4 * l + 1] = c1[l];
		word[4 * l + 2] = c2[l];
		word[4 * l + 3] = c3[l];
	}
}

static TARGET int
FORM(draw)(int V, const float *log_w, const struct noise *n, enum stage stage)
{
	float best[BLOCK], pad[BLOCK], w[BLOCK], e[BLOCK];
	int32_t where[BLOCK];
	uint32_t word[BLOCK];

	for (int i = 0; i < BLOCK; i++) {
		best[i] = INFINITY;
		where[i] = -1;
	}
	for (int first = 0; first < V; first += BLOCK) {
		const float *x = log_w + first;
		if (V - first < BLOCK)
			x = padded(x, V - first, pad);
		FORM(words_block)(n, stage, (uint32_t)first, word);
		FORM(minus_log_block)(word, e);
		FORM(exp_block)(x, w);
		for (int i = 0; i < BLOCK; i++) {
			float q = e[i] / w[i];
			bool less = q < best[i];
			best[i] = choose(less, q, best[i]);
			where[i] = less ? first + i : where[i];
		}
	}
	return first_best(best, where, V < BLOCK ? V : BLOCK);
}

static TARGET double
FORM(log_sum)(int V, const float *x)
{
	float pad[BLOCK], w[BLOCK], high[BLOCK];
	double sum[BLOCK] = { 0 };
	int lanes = V < BLOCK ? V : BLOCK;

	for (int i = 0; i < BLOCK; i++)
		high[i] = -INFINITY;
	for (int first = 0; first < V; first += BLOCK) {
		const float *b = V - first < BLOCK ? padded(x + first, V - first, pad) : x + first;
		for (int i = 0; i < BLOCK; i++)
			high[i] = choose(b[i] > high[i], b[i], high[i]);
	}
	float top = highest(high, lanes);
	if (!(top > -INFINITY && top < INFINITY))
		return top == -INFINITY ? none_or_nan(V, x) : NAN;
	for (int first = 0; first < V; first += BLOCK) {
		const float *b = V - first < BLOCK ? padded(x + first, V - first, pad) : x + first;
		float shifted[BLOCK];
		for (int i = 0; i < BLOCK; i++)
			shifted[i] = b[i] - top;
		FORM(exp_block)(shifted, w);
		/* a NaN compares false everywhere and would vanish: carry it */
		for (int i = 0; i < BLOCK; i++)
			sum[i] += (double)choose(shifted[i] == shifted[i], w[i], shifted[i]);
	}
	for (int i = 1; i < lanes; i++)
		sum[0] += sum[i];
	return top + log(sum[0]);
}
