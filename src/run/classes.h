/*
 * classes.h: names of classes.  Pure data, any thread.
 */
#ifndef PSI_RUN_CLASSES_H
#define PSI_RUN_CLASSES_H

#include <stdbool.h>

#include "ckpt/config.h"
#include "psi/recipe.h"

/* The name of a class, where the data are known: pictures with ten classes are
 * CIFAR-10.  NULL: it has none. */
const char *class_name(bool pictures, int classes, int label);

/* Set the label of r: a number, none, rows, or a name that the data of this
 * checkpoint gives its classes (pictures with ten classes: CIFAR-10's).
 * ST_USAGE: there is no such class. */
enum status class_set(struct recipe *r, const struct config *c, const char *value, struct error *e);

#endif
