/* main.c: options and wiring. */
#include <stdio.h>

int
main(void)
{
	return 0;
}
