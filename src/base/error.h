/*
 * error.h: the one status type, and the error a callee fills in.
 *
 * Every function that can fail returns an enum status and takes a struct
 * error * (may be NULL) as its last argument.  There is no global error
 * buffer; nothing below main prints or exits.  The values double as the exit
 * status of the program.
 */
#ifndef PSI_BASE_ERROR_H
#define PSI_BASE_ERROR_H

enum status {
	ST_OK = 0,
	ST_FAIL = 1,      /* anything that is not one of the following */
	ST_USAGE = 2,     /* the user asked for something that has no meaning */
	ST_CKPT = 3,      /* a checkpoint, tokenizer or tensor file cannot be used */
	ST_MEMORY = 4,    /* out of memory */
	ST_NUMERIC = 5,   /* NaN or infinity where a number is needed */
	ST_CANCELLED = 6, /* somebody set the cancel flag: never shown to a user */
};

struct error {
	enum status code;
	char msg[480];    /* one line, no newline, no program name */
};

/* Fill e (if not NULL) with a formatted message and return code, so that a
 * callee can write `return error_set(e, ST_CKPT, "...")`.  Control characters
 * in the result are replaced by '?': messages may quote file contents. */
enum status error_set(struct error *e, enum status code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "prefix: " before the message that is already there; returns its code. */
enum status error_prefix(struct error *e, const char *prefix);

#endif
