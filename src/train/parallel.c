/*
 * parallel.c: see parallel.h.  The only file that includes mpi.h.
 *
 * MPI does not promise that a sum comes out with the same bits in every
 * process, nor twice in a row.  So only data is exchanged by it: of a vector
 * each process adds up one part, in the order of the ranks, and gets the other
 * parts from the others.  That moves as much as the ring of an MPI_Allreduce.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/parallel.h"

/* Variables by which a launcher says how many processes it started. */
static const char *
launched(void)
{
	const char *n = getenv("OMPI_COMM_WORLD_SIZE");

	return n ? n : getenv("PMI_SIZE");
}

enum status
parallel_agree(const struct reduce *r, enum status st, struct error *e)
{
	if (!r || !r->doubles)
		return st;
	double failed[2] = { st != ST_OK, st != ST_OK && r->rank == 0 };
	enum status said = r->doubles(r->arg, failed, 2, st == ST_OK ? e : NULL);
	if (said != ST_OK)
		return st == ST_OK ? said : st;
	if (st == ST_OK || (r->rank > 0 && failed[1] > 0))
		return failed[0] > 0 ? ST_CANCELLED : ST_OK;
	return st;
}

#ifdef HAVE_MPI

#include <mpi.h>

#define PART 65536                       /* floats of a process's part at a time */

struct parallel {
	int rank, size;
	float *mine, *theirs;            /* [size, PART] each */
	double *sums;                    /* [size, most doubles] */
	size_t most;
};

static enum status
failed(int code, struct error *e)
{
	char text[MPI_MAX_ERROR_STRING] = "";
	int n;

	MPI_Error_string(code, text, &n);
	return error_set(e, ST_FAIL, "MPI: %s", text);
}

/* x [n], n at most size * PART: part i is x[i * part ..] of process i. */
static enum status
sum_parts(struct parallel *p, float *x, size_t n, struct error *e)
{
	size_t part = (n + (size_t)p->size - 1) / (size_t)p->size, all = part * (size_t)p->size;

	memcpy(p->mine, x, n * sizeof *x);
	memset(p->mine + n, 0, (all - n) * sizeof *x);
	int code = MPI_Alltoall(p->mine, (int)part, MPI_FLOAT, p->theirs, (int)part, MPI_FLOAT, MPI_COMM_WORLD);
	if (code != MPI_SUCCESS)
		return failed(code, e);
	for (size_t i = 0; i < part; i++) {
		double sum = 0;
		for (int r = 0; r < p->size; r++)
			sum += (double)p->theirs[(size_t)r * part + i];
		p->mine[i] = (float)sum;
	}
	code = MPI_Allgather(p->mine, (int)part, MPI_FLOAT, p->theirs, (int)part, MPI_FLOAT, MPI_COMM_WORLD);
	if (code != MPI_SUCCESS)
		return failed(code, e);
	memcpy(x, p->theirs, n * sizeof *x);
	return ST_OK;
}

static enum status
sum_floats(void *arg, float *x, size_t n, struct error *e)
{
	struct parallel *p = arg;
	size_t most = (size_t)p->size * PART;
	enum status st = ST_OK;

	for (size_t at = 0; at < n && st == ST_OK; at += most)
		st = sum_parts(p, x + at, n - at < most ? n - at : most, e);
	return st;
}

static enum status
sum_doubles(void *arg, double *x, size_t n, struct error *e)
{
	struct parallel *p = arg;

	if (n > p->most) {
		double *more = realloc(p->sums, n * (size_t)p->size * sizeof *more);
		if (!more)
			return error_set(e, ST_MEMORY, "out of memory for the sums of all processes");
		p->sums = more;
		p->most = n;
	}
	int code = MPI_Allgather(x, (int)n, MPI_DOUBLE, p->sums, (int)n, MPI_DOUBLE, MPI_COMM_WORLD);
	if (code != MPI_SUCCESS)
		return failed(code, e);
	for (size_t i = 0; i < n; i++) {
		x[i] = 0;
		for (int r = 0; r < p->size; r++)
			x[i] += p->sums[(size_t)r * n + i];
	}
	return ST_OK;
}

static void
parallel_free(struct parallel *p)
{
	if (!p)
		return;
	mem_free(p->mine);
	mem_free(p->theirs);
	free(p->sums);
	free(p);
}

enum status
parallel_begin(struct reduce *out, struct error *e)
{
	int given = MPI_THREAD_SINGLE, code;

	*out = (struct reduce){ .size = 1 };
	if (!launched())
		return ST_OK;
	code = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &given);
	if (code != MPI_SUCCESS)
		return failed(code, e);
	if (given < MPI_THREAD_SERIALIZED)
		return error_set(e, ST_USAGE, "this MPI is for programs of one thread only");
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
	struct parallel *p = mem_calloc(1, sizeof *p);
	if (!p)
		return error_set(e, ST_MEMORY, "out of memory for the exchange with other processes");
	MPI_Comm_rank(MPI_COMM_WORLD, &p->rank);
	MPI_Comm_size(MPI_COMM_WORLD, &p->size);
	p->mine = mem_aligned((size_t)p->size, PART * sizeof *p->mine);
	p->theirs = mem_aligned((size_t)p->size, PART * sizeof *p->theirs);
	if (!p->mine || !p->theirs) {
		parallel_free(p);
		return error_set(e, ST_MEMORY, "out of memory for the exchange with other processes");
	}
	*out = (struct reduce){ .rank = p->rank, .size = p->size, .floats = sum_floats, .doubles = sum_doubles,
		.arg = p };
	return ST_OK;
}

void
parallel_end(struct reduce *r)
{
	if (!r->arg)
		return;
	MPI_Finalize();
	parallel_free(r->arg);
	r->arg = NULL;
}

void
parallel_give_up(struct reduce *r, int status)
{
	if (r->arg)
		MPI_Abort(MPI_COMM_WORLD, status);
}

#else

enum status
parallel_begin(struct reduce *out, struct error *e)
{
	*out = (struct reduce){ .size = 1 };
	if (launched() && atoi(launched()) > 1)
		return error_set(e, ST_USAGE, "one of %.20s processes, but psiview was built without MPI "
				 "(configure --with-mpi)", launched());
	return ST_OK;
}

void
parallel_end(struct reduce *r)
{
	(void)r;
}

void
parallel_give_up(struct reduce *r, int status)
{
	(void)r;
	(void)status;
}

#endif
