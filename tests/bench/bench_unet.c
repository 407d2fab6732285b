/*
 * bench_unet.c: times of the U-Net alone, random weights at the published size
 * (ch 128, mult 1,2,2,2: 35.8 million parameters).  Prints `name value unit`
 * lines; run.sh puts them beside those of peer_unet.py.
 *
 * usage: bench_unet [SECONDS per figure [THREADS]]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "../dit_reference.h"
#include "ckpt/safetensors.h"
#include "models/describe.h"
#include "net/netmodel.h"

/* Random weights in a file, as they are in use; in a process of its own, so
 * that making them does not count. */
static bool
write_weights(const struct net *net, const char *path)
{
	pid_t child = fork();
	struct random_weights w;
	struct error e;
	int status;

	if (child != 0)
		return child > 0 && waitpid(child, &status, 0) == child && status == 0;
	struct st_writer *out = st_writer_new(path);
	random_weights_init(&w, net, 1, DT_F32);
	for (int i = 0; i < w.n; i++)
		if (st_declare(out, w.t[i].name, DT_F32, w.t[i].ndim, w.t[i].dim, &e) != ST_OK)
			_exit(1);
	if (st_begin(out, &e) != ST_OK)
		_exit(1);
	for (int i = 0; i < w.n; i++)
		if (st_write(out, w.t[i].data, tensor_numel(&w.t[i]) * sizeof(float), &e) != ST_OK)
			_exit(1);
	_exit(st_commit(out, &e) != ST_OK);
}

struct job {
	struct model *m;
	int n;
	int32_t *tok;
	double *sigma;
	float *feat, *logit;
};

static void
trunk(struct job *j)
{
	j->m->trunk(j->m, j->n, j->tok, j->sigma, NULL, j->feat, NULL, NULL);
}

static void
head(struct job *j)
{
	for (int i = 0; i < j->n * j->m->L; i += 128)
		j->m->rows(j->m, 128, j->feat + 2 * i, j->logit, NULL, NULL);
}

/* The best time, and the least processor time, of fn over `patience` seconds. */
static double
best(void (*fn)(struct job *), struct job *j, double patience, double *processor)
{
	double t = INFINITY, start = now(CLOCK_MONOTONIC);

	*processor = INFINITY;
	fn(j);
	for (int n = 0; n < 3 || now(CLOCK_MONOTONIC) - start < patience; n++) {
		double at = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
		fn(j);
		t = fmin(t, now(CLOCK_MONOTONIC) - at);
		*processor = fmin(*processor, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
	}
	return t;
}

static void
bench(struct job *j, const char *name, int n, double patience, double before)
{
	double cpu_trunk, cpu_head, t, h;

	j->n = n;
	t = best(trunk, j, patience, &cpu_trunk);
	h = best(head, j, patience, &cpu_head);
	printf("%s.trunk %.3f ms\n%s.head %.3f ms\n%s.forward %.3f ms\n", name, 1e3 * t, name, 1e3 * h, name,
	       1e3 * (t + h));
	printf("%s.trunk_cpu %.3f ms\n%s.forward_cpu %.3f ms\n", name, 1e3 * cpu_trunk, name,
	       1e3 * (cpu_trunk + cpu_head));
	printf("%s.memory %.1f MB\n", name, resident_mb() - before);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct config c = { .algo = ALGO_DUO,
			    .backbone = BACKBONE_UNET,
			    .vocab = 256,
			    .length = 3072,
			    .mask = -1,
			    .ch = 128,
			    .num_scales = 4,
			    .ch_mult = { 1, 2, 2, 2 },
			    .num_res_blocks = 2,
			    .attn_scale = 1,
			    .unet_time = 1,
			    .timed = true,
			    .time_embed_dim = 128,
			    .time_scale_factor = 1000,
			    .skip_rescale = 1 };
	double patience = argc > 1 ? atof(argv[1]) : 4, before = resident_mb();
	struct net *net = net_new();
	struct st_file *file = NULL;
	struct error e = { 0 };
	struct job j = { .n = 8 };
	struct pool *pool = pool_new(argc > 2 ? atoi(argv[2]) : 0);
	size_t rows = 8 * 3072;
	char folder[] = "/tmp/bench-unet-XXXXXX", path[64];

	if (unet_describe(&c, net, &e) != ST_OK || net_finish(net, &e) != ST_OK || !mkdtemp(folder))
		return 1;
	printf("# kernels: %s, U-Net of %.1f million parameters\n", kern_best()->name,
	       (double)net_parameters(net) / 1e6);
	fflush(stdout);
	snprintf(path, sizeof path, "%s/weights", folder);
	bool ok = write_weights(net, path) && st_open(path, &file, &e) == ST_OK &&
		  net_model_new(net, file->tensor, file->n, "weights", kern_best(), pool, false, &j.m, &e) == ST_OK;
	unlink(path);
	rmdir(folder);
	if (!ok) {
		fprintf(stderr, "%s: %s\n", path, e.msg);
		return 1;
	}
	j.tok = calloc(rows, sizeof *j.tok);
	j.sigma = calloc(8, sizeof *j.sigma);
	j.feat = calloc(rows * 2, sizeof *j.feat);
	j.logit = calloc((size_t)128 * 256, sizeof *j.logit);
	for (size_t i = 0; i < rows; i++)
		j.tok[i] = (int32_t)(i * 7919 % 256);
	for (int i = 0; i < 8; i++)
		j.sigma[i] = .5;
	bench(&j, "unet", 1, patience, before);
	bench(&j, "unet8", 8, patience, before);
	model_free(j.m);
	pool_free(pool);
	st_close(file);
	free(j.tok);
	free(j.sigma);
	free(j.feat);
	free(j.logit);
	return 0;
}
