/* time.c: see time.h. */
#include "train/time.h"

#include <math.h>

#include "base/rng.h"

double
train_time(uint64_t seed, uint32_t step, uint32_t i, uint32_t n, double first)
{
	struct noise at = { .seed = seed, .step = step, .sample = i };
	double u = (noise_scalar(&at, STAGE_TIME) + i) / n;

	return first + (1 - first) * (u < 1 ? u : 0); /* the last one may round to 1 */
}

struct train_steps
train_time_grid(double t, int T)
{
	double i = fmin(fmax(ceil(t * T), 1), T);

	return (struct train_steps){ i / T, (i - 1) / T };
}
