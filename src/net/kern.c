/* kern.c: see kern.h.  Chooses; holds no arithmetic. */
#include "net/kern.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct kern *best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

const struct kern *
kern_named(const char *name)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
		return &kern_avx512;
	if (strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return &kern_avx2;
#endif
	return strcmp(name, "portable") == 0 ? &kern_portable : NULL;
}

static void
choose(void)
{
	static const char *const order[] = { "avx512", "avx2", "portable" };
	const char *asked = getenv("PSIVIEW_KERNEL");

	best = asked ? kern_named(asked) : NULL;
	for (size_t i = 0; !best && i < sizeof order / sizeof *order; i++)
		best = kern_named(order[i]);
}

const struct kern *
kern_best(void)
{
	pthread_once(&once, choose);
	return best;
}
