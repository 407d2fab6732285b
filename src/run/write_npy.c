/* write_npy.c: NumPy's array files.  See write_image.h. */
#include "run/write_image.h"

#include <stdio.h>
#include <string.h>

#define MAGIC 10                 /* bytes before the header: magic, version, length */
#define ALIGN 64

enum status
npy_head(struct outfile *o, int n, int L, const char *recipe, struct error *e)
{
	char head[MAGIC + 2048] = "\x93NUMPY\x01";
	int bytes = snprintf(head + MAGIC, sizeof head - MAGIC - ALIGN,
	                     "{'descr': '<i4', 'fortran_order': False, 'shape': (%d, %d), } # recipe: %s", n, L,
		recipe);

	if (bytes < 0 || (size_t)bytes >= sizeof head - MAGIC - ALIGN)
		return error_set(e, ST_FAIL, "the recipe is too long for a .npy file");
	while ((MAGIC + bytes + 1) % ALIGN != 0)
		head[MAGIC + bytes++] = ' ';
	head[MAGIC + bytes++] = '\n';
	head[8] = (char)(bytes & 255);
	head[9] = (char)(bytes >> 8);
	return outfile_write(o, head, (size_t)(MAGIC + bytes), e);
}
