/*
 * kern_image.h: the kernels of networks over images, channels last: the part
 * of struct kern that a U-Net needs.  Pure; the rules of kern.h hold.
 */
#ifndef PSI_NET_KERN_IMAGE_H
#define PSI_NET_KERN_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

struct kern_image {
	/* Of each of n columns of x [rows,ld]: the mean, and the sum of squared
	 * deviations from it. */
	void (*moments)(int rows, int n, const float *x, size_t ld, double *mean, double *m2);
	/* x scale + shift */
	void (*affine)(int n, const float *x, const float *scale, const float *shift, float *out);
	/* silu of that */
	void (*affine_silu)(int n, const float *x, const float *scale, const float *shift, float *out);
	/* (x + bias + res) factor; bias, res NULL: 0. */
	void (*add)(int n, const float *x, const float *bias, const float *res, float factor, float *out);
	/* Winograd's F(4x4, 3x3), n columns (rounded up to whole vectors).  in: 6x6
	 * pixels -> the 36 places of v, `place` floats apart; out: those of m -> 4x4
	 * pixels [16,ld]. */
	void (*wino_in)(int n, const float *x, size_t row, size_t pixel, float *v, size_t place);
	void (*wino_out)(int n, const float *m, size_t place, float *y, size_t ld);
	/* A y A^T: 4x4 pixels of a gradient -> its 36 places, whole vectors of them. */
	void (*wino_spread)(int n, const float *y, size_t row, size_t pixel, float *v, size_t place);
	/* G^T c G: the 36 places of a weight's gradient -> its nine taps, `tap` floats apart. */
	void (*wino_taps)(int n, const float *c, size_t place, float *g, size_t tap);
	/* G g G^T, n columns: taps g (`tap` floats apart) -> the 36 places of a weight. */
	void (*wino_weight)(int n, const float *g, size_t tap, float *out, size_t place);
	/* What the gradient `factor` d of y = x scale + shift (silu: of silu of that) says, n channels of a
	 * pixel: added to dx (NULL: not), d_scale and d_shift. */
	void (*affine_back)(int n, float factor, const float *d, const float *x, const float *scale,
			    const float *shift, bool silu, float *dx, float *d_scale, float *d_shift);
	/* dx += (x - mean) slope + shift */
	void (*centred)(int n, const float *x, const float *mean, const float *slope, const float *shift, float *dx);
	/* Logits of n bins over [-1, 1] of a logistic with this mean and log scale
	 * (networks.md, output).  In double. */
	void (*logistic)(int n, double mu, double log_scale, bool fix, float *out);
	/* What the gradient d [n] of those logits says of mu and of the log scale. */
	void (*logistic_back)(int n, double mu, double log_scale, bool fix, const float *d, double *d_mu,
			      double *d_scale);
};

#endif
