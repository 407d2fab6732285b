/* confirm.c: a question before something is lost.  Screen thread. */
#include "ui/train.h"

static void
draw(struct app *a, struct canvas *c, struct rect r)
{
	const char *question = a->train->question;
	int w = text_width(question, strlen(question)) + 4;
	struct rect box = { .w = w > r.w ? r.w : w < 34 ? 34 : w, .h = 4 };
	struct rect in;
	size_t n = strlen(question), first = n;

	if (w > r.w) { /* two lines of words */
		box.h = 5;
		for (first = (size_t)r.w - 4; first > 0 && question[first] != ' ';)
			first--;
	}
	box.x = r.x + (r.w - box.w) / 2;
	box.y = r.y + (r.h - box.h) / 2;
	canvas_clear(c, box);
	in = canvas_frame(c, box, STYLE_FOCUS, "");
	canvas_putn(c, in, 1, 0, STYLE_BOLD, question, first);
	if (first < n)
		canvas_put(c, in, 1, 1, STYLE_BOLD, question + first + 1);
	canvas_put(c, in, 1, in.h - 1, STYLE_KEY, "y");
	canvas_put(c, in, 3, in.h - 1, STYLE_DIM, "yes");
	canvas_put(c, in, 8, in.h - 1, STYLE_KEY, "n Esc");
	canvas_put(c, in, 14, in.h - 1, STYLE_DIM, "no");
}

static bool
key(struct app *a, const struct key *k, int count)
{
	struct error e = { 0 };

	(void)count;
	if (strcmp(k->name, "y") == 0 || strcmp(k->name, "Y") == 0) {
		if (app_command(a, a->train->on_yes, &e) != ST_OK)
			app_say(a, true, "%s", e.msg);
		return false;
	}
	return !(strcmp(k->name, "n") == 0 || strcmp(k->name, "<Esc>") == 0 || strcmp(k->name, "q") == 0 ||
		 strcmp(k->name, "<C-c>") == 0);
}

void
confirm_open(struct app *a, const char *question, const char *command)
{
	struct train *t = a->train;

	snprintf(t->question, sizeof t->question, "%s", question);
	snprintf(t->on_yes, sizeof t->on_yes, "%s", command);
	app_popup(a, (struct popup){ .draw = draw, .key = key, .quiet = true });
}
