/*
 * check.h: TAP for C tests.  Each CHECK is one test point.
 *
 *     int main(void) { CHECK(1 + 1 == 2, "sum"); return check_done(); }
 */
#ifndef PSI_TESTS_CHECK_H
#define PSI_TESTS_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int check_count, check_failed;

__attribute__((format(printf, 4, 5), unused)) static bool
check_point(bool ok, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	check_count++;
	printf("%s %d - ", ok ? "ok" : "not ok", check_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!ok) {
		check_failed++;
		printf("# at %s:%d\n", file, line);
	}
	fflush(stdout);
	return ok;
}

/* CHECK(condition, "what", ...): one test point; returns the condition. */
#define CHECK(cond, ...) check_point((cond), __FILE__, __LINE__, __VA_ARGS__)

/* A test point that cannot be run here, and why. */
__attribute__((format(printf, 1, 2), unused)) static void
check_skip(const char *fmt, ...)
{
	va_list ap;

	printf("ok %d # SKIP ", ++check_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

__attribute__((unused)) static int
check_done(void)
{
	printf("1..%d\n", check_count);
	return check_failed ? 1 : 0;
}

#endif
