/*
 * time.h: the times of a training step, stratified over the global batch.
 * Pure, any thread.
 */
#ifndef PSI_TRAIN_TIME_H
#define PSI_TRAIN_TIME_H

#include <stdint.h>

/* t of sample i of the n of a step, in [first, 1]: (u_i + i) / n stretched,
 * u_i of its own for each (seed, step, i).  The n samples are those of the
 * whole step, whatever shares it (micro-batches, processes). */
double train_time(uint64_t seed, uint32_t step, uint32_t i, uint32_t n, double first);

/* The time of a process in T steps that t belongs to: i/T, i = 1..T, and the
 * one before, (i-1)/T. */
struct train_steps {
	double t, s;
};
struct train_steps train_time_grid(double t, int T);

#endif
