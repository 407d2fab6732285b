/* classes.c: see classes.h. */
#include "run/classes.h"

#include <stdio.h>
#include <strings.h>

#define CIFAR_CLASSES 10

static const char *const cifar[CIFAR_CLASSES] = { "airplane", "automobile", "bird", "cat", "deer", "dog",
	"frog", "horse", "ship", "truck" };

const char *
class_name(bool pictures, int classes, int label)
{
	return pictures && classes == CIFAR_CLASSES && label >= 0 && label < CIFAR_CLASSES ? cifar[label] : NULL;
}

enum status
class_set(struct recipe *r, const struct config *c, const char *value, struct error *e)
{
	char number[16];
	bool named = strncasecmp(c->modality, "image", 5) == 0 && c->classes == CIFAR_CLASSES;

	for (int i = 0; i < CIFAR_CLASSES && named; i++)
		if (strcasecmp(value, cifar[i]) == 0) {
			snprintf(number, sizeof number, "%d", i);
			value = number;
		}
	if (recipe_set(r, "label", value, NULL) == ST_OK)
		return ST_OK;
	if (named)
		return error_set(e, ST_USAGE, "--class '%s': a number 0 to %d, none, rows, or airplane, automobile, "
		                 "bird, cat, deer, dog, frog, horse, ship, truck", value, CIFAR_CLASSES - 1);
	return error_set(e, ST_USAGE, "--class '%s': must be a number, none or rows", value);
}
