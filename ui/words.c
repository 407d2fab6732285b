/*
 * words.c: sentences and numbers about states and positions, and the log that
 * keeps them.  Screen thread only.
 */
#include "ui/app_private.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "text/show.h"

#define LOG_MAX 5000

void
say_number(double v, char *buf, size_t size)
{
	double m = fabs(v);

	if (!isfinite(v))
		snprintf(buf, size, "-");
	else if (v == 0 || v == 1)
		snprintf(buf, size, "%g", v);
	else if (m >= 99.95)
		snprintf(buf, size, "%.0f", v);
	else if (m >= 9.995)
		snprintf(buf, size, "%.1f", v);
	else if (m >= .995)
		snprintf(buf, size, "%.2f", v);
	else if (m >= .00995)
		snprintf(buf, size, m < .0995 ? "%.3f" : "%.2f", v);
	else if (m >= .00095)
		snprintf(buf, size, "%.4f", v);
	else
		snprintf(buf, size, "%.0e", v);
	if (strncmp(buf, "0.", 2) == 0)
		memmove(buf, buf + 1, strlen(buf));
	else if (strncmp(buf, "-0.", 3) == 0)
		memmove(buf + 1, buf + 2, strlen(buf) - 1);
}

void
say_change(double v, char *buf, size_t size)
{
	if (fabs(v) < 5e-3) {
		snprintf(buf, size, fabs(v) < 5e-4 ? "0" : "%+.0e", v);
		return;
	}
	buf[0] = v < 0 ? '-' : '+';
	say_number(fabs(v), buf + 1, size - 1);
}

void
say_token(const struct app *a, int32_t tok, char *buf, size_t size)
{
	char text[64];

	if (tok < 0) {
		snprintf(buf, size, "(not drawn yet)");
		return;
	}
	show_one(a->tok, tok, 0, text, sizeof text);
	if (tok_special(a->tok, tok))
		snprintf(buf, size, "%s", text);
	else
		snprintf(buf, size, "\"%s\"", text);
}

/* +24 .3 ~3 !2 _5 =4 same 9: every cause that occurred, by the one list. */
void
say_counts(const struct step_counts *n, char *buf, size_t size)
{
	size_t at = 0;
	int same = n->by_cause[CAUSE_PRED_SAME] + n->by_cause[CAUSE_CORR_SAME];

	buf[0] = 0;
	for (int c = 0; c < CAUSE_COUNT && at < size; c++) {
		const struct cause_info *info = cause_info((enum cause)c);

		if (info && info->mark && info->mark != ' ' && n->by_cause[c] > 0)
			at += (size_t)snprintf(buf + at, size - at, "%s%c%d", at ? " " : "", info->mark,
				n->by_cause[c]);
	}
	if (same > 0 && at < size)
		at += (size_t)snprintf(buf + at, size - at, "%ssame %d", at ? " " : "", same);
	if (at == 0)
		snprintf(buf, size, "no change");
}

void
say_state(const struct app *a, char *buf, size_t size)
{
	const struct node *n = a->cursor.node;
	char counts[120], t[16], alpha[16], h[16];

	if (!n) {
		snprintf(buf, size, "starting");
		return;
	}
	say_number(n->t, t, sizeof t);
	say_number(alpha_at(&a->model->alpha, n->t), alpha, sizeof alpha);
	say_number(n->entropy, h, sizeof h);
	say_counts(&n->counts, counts, sizeof counts);
	if (n->up)
		snprintf(buf, size, "step %d/%d t %s alpha %s  %s  H %s", n->step, node_steps(n), t, alpha, counts, h);
	else
		snprintf(buf, size, "step 0/%d t %s alpha %s  first state: pure noise  H %s", node_steps(n), t, alpha,
			h);
}

void
say_position(const struct app *a, int pos, char *buf, size_t size)
{
	const struct app_private *p = a->priv;
	size_t k = (size_t)a->cursor.sample * (size_t)p->L + (size_t)pos;
	enum cause c = (enum cause)p->cause[pos];
	const struct cause_info *info = cause_info(c);
	char now[48], was[48], prob[16];

	say_token(a, p->tok[pos], now, sizeof now);
	say_token(a, p->preview ? p->now.tok[k] : p->before.tok[k], was, sizeof was);
	say_number(p->prob[pos], prob, sizeof prob);
	switch (c) {
	case CAUSE_UNTOUCHED:
		snprintf(buf, size, "token %d %s: untouched by this step", pos, now);
		break;
	case CAUSE_PRED_SAME:
	case CAUSE_CORR_SAME:
		snprintf(buf, size, "token %d keeps %s: %s (p %s)", pos, now, info->words, prob);
		break;
	case CAUSE_PRED:
	case CAUSE_CORR:
	case CAUSE_REMOVAL:
		snprintf(buf, size, "%c token %d: %s becomes %s, %s (p %s)", info->mark, pos, was, now, info->words,
			prob);
		break;
	default:
		snprintf(buf, size, "%c token %d: %s becomes %s, %s", info->mark, pos, was, now, info->words);
		break;
	}
}

void
app_log(struct app *a, bool error, const char *text)
{
	struct app_private *p = a->priv;
	struct log_line *grown;
	char *copy = mem_strdup(text);

	if (a->on_log)
		a->on_log(a->on_log_arg, error, text);
	if (!copy)
		return;
	if (p->n_log == LOG_MAX) { /* the oldest tenth goes */
		for (int i = 0; i < LOG_MAX / 10; i++)
			free(p->log[i].text);
		p->n_log -= LOG_MAX / 10;
		memmove(p->log, p->log + LOG_MAX / 10, (size_t)p->n_log * sizeof *p->log);
	}
	grown = mem_grow(p->log, &p->log_cap, (size_t)p->n_log + 1, sizeof *grown);
	if (!grown) {
		free(copy);
		return;
	}
	p->log = grown;
	p->log[p->n_log++] = (struct log_line){ copy, error };
}

void
log_step(struct app *a)
{
	const struct node *n = a->cursor.node;
	char line[300], name[8];
	int at;

	branch_name(a, branch_of(a, n), name);
	at = snprintf(line, sizeof line, "run %d %s  ", run_of(a, n), name);
	say_state(a, line + at, sizeof line - (size_t)at);
	app_log(a, false, line);
}
