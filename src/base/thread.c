/* thread.c: see thread.h. */
#include "base/thread.h"

#include <signal.h>
#include <stddef.h>

bool
thread_start(pthread_t *t, void *(*run)(void *), void *arg)
{
	static const int crash[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	sigset_t all, old;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof crash / sizeof *crash; i++)
		sigdelset(&all, crash[i]);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	bool ok = pthread_create(t, NULL, run, arg) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}
