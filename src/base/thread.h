/*
 * thread.h: threads of the program's own.
 */
#ifndef PSI_BASE_THREAD_H
#define PSI_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Start a thread that takes no signal: handlers run on the main thread.  But
 * for those of a crash, which must reach the handler that gives the terminal
 * back.  false: there can be no more threads. */
bool thread_start(pthread_t *t, void *(*run)(void *), void *arg);

#endif
