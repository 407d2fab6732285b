/* named.c: tokenizers of the user's own, by name; see token.h. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/token.h"

/* $XDG_DATA_HOME/psiview/tokenizers, malloced; NULL: there is no home. */
static char *
data_folder(void)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (data && data[0] == '/')
		return mem_printf("%s/psiview/tokenizers", data);
	return home && home[0] ? mem_printf("%s/.local/share/psiview/tokenizers", home) : NULL;
}

/* A name from a file must not lead out of the folder. */
static bool
stays_inside(const char *name)
{
	if (!*name || *name == '/')
		return false;
	for (const char *p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || !p[2]))
			return false;
	}
	return true;
}

int
tok_places(const char *name, char *path[TOK_PLACES])
{
	static const char *const suffix[TOK_PLACES] = { "", ".tokenizer.json", ".json", ".txt" };
	char *folder = stays_inside(name) ? data_folder() : NULL;
	int n = 0;

	for (int i = 0; folder && i < TOK_PLACES; i++)
		if ((path[n] = mem_printf("%s/%s%s", folder, name, suffix[i])))
			n++;
	free(folder);
	return n;
}
