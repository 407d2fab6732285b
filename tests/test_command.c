/* test_command.c: the one list of commands, and keys. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "run/command.h"
#include "ui/keys.h"

static void
test_list(void)
{
	bool complete = true, unique = true, keys_unique = true, keys_known = true;
	int keys = 0;

	for (int i = 0; i < CMD_COUNT; i++) {
		const struct command *c = &command_list[i];
		complete &= (int)c->id == i && c->name && *c->name && c->keys && c->args && c->help && *c->help &&
		    c->group < GROUP_END;
		for (int j = 0; j < i; j++)
			unique &= strcmp(c->name, command_list[j].name) != 0;
		char copy[256], *save, *k;
		snprintf(copy, sizeof copy, "%s", c->keys);
		for (k = strtok_r(copy, " ", &save); k; k = strtok_r(NULL, " ", &save)) {
			const char *text = k;
			struct key parsed;
			keys++;
			keys_known &= keys_next(&text, &parsed) && *text == 0 && strcmp(parsed.name, k) == 0;
			keys_unique &= command_by_key(k) == c;
		}
	}
	CHECK(complete, "every command has its place, a name, help and a group");
	CHECK(unique, "no name twice");
	CHECK(keys > 40 && keys_known, "keys are written in the one notation");
	CHECK(keys_unique, "no key twice");
}

static void
test_parse(void)
{
	const char *args;
	char line[64];

	CHECK(command_parse(":step 10", &args) == &command_list[CMD_STEP] && strcmp(args, "10") == 0,
	    "name and argument");
	CHECK(command_parse("  set  top-p .9", &args) == &command_list[CMD_SET] && strcmp(args, "top-p .9") == 0,
	    "blanks");
	CHECK(command_find("inv") == NULL && command_find("") == NULL && command_find("s") == NULL,
	    "unknown, empty, ambiguous");
	CHECK(command_find("insp") == &command_list[CMD_INSPECT], "unique prefix");
	CHECK(command_find("next") == &command_list[CMD_NEXT_HIT], "an exact name wins over longer ones");
	CHECK(command_parse("", &args) == NULL && command_parse("   ", &args) == NULL, "nothing typed");
	char big[300];
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = 0;
	CHECK(command_parse(big, &args) == NULL, "a very long word");
	CHECK(command_line_of_key("s", 10, line, sizeof line) && strcmp(line, "step 10") == 0, "10s");
	CHECK(command_line_of_key("g", 40, line, sizeof line) && strcmp(line, "goto 40") == 0, "40g");
	CHECK(command_line_of_key("g", 0, line, sizeof line) && strcmp(line, "first") == 0, "g");
	CHECK(command_line_of_key("<A-2>", 0, line, sizeof line) && strcmp(line, "view inspect") == 0, "Alt-2");
	CHECK(command_line_of_key("<F8>", 3, line, sizeof line) && strcmp(line, "view help") == 0, "F8");
	CHECK(!command_line_of_key("<A-9>", 0, line, sizeof line) && !command_line_of_key("", 0, line, sizeof line),
	    "no such key");
}

static const char *
words(const char *what, int i)
{
	static const char *const knob[] = { "kappa", "steps", "top-k", "top-p" };
	static const char *const value[] = { "linear", "lcl" };

	if (strcmp(what, "knob") == 0)
		return i < 4 ? knob[i] : NULL;
	if (strcmp(what, "value profile") == 0)
		return i < 2 ? value[i] : NULL;
	return NULL;
}

/* The completions of line, joined by blanks. */
static const char *
completions(const char *line)
{
	static char all[2000];
	char *out[64];
	int n = command_complete(line, words, out, 64);

	all[0] = 0;
	for (int i = 0; i < n; i++) {
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? " " : "", out[i]);
		free(out[i]);
	}
	return all;
}

static void
test_complete(void)
{
	char *out[2];

	CHECK(strcmp(completions("st"), "step stop") == 0, "commands");
	CHECK(strcmp(completions(":sam"), "sample") == 0, "after a colon");
	CHECK(strcmp(completions("set "), "kappa steps top-k top-p") == 0, "knobs");
	CHECK(strcmp(completions("set top"), "top-k top-p") == 0, "some knobs");
	CHECK(strcmp(completions("set profile l"), "linear lcl") == 0, "values of a knob");
	CHECK(strcmp(completions("set profile=li"), "linear") == 0, "with =");
	CHECK(strcmp(completions("colour c"), "cause confidence") == 0, "choices");
	CHECK(strcmp(completions("help qu"), "quit") == 0, "help completes commands");
	CHECK(strcmp(completions("colour cause x"), "") == 0 && strcmp(completions("quit x"), "") == 0,
	    "nothing more to complete");
	int n = command_complete("", words, out, 2);
	CHECK(n == 2, "no more than asked for");
	for (int i = 0; i < n; i++)
		free(out[i]);
}

/* keys_next over text gives the names in want, joined by blanks. */
static bool
keys_are(const char *text, const char *want)
{
	char got[300] = "";
	struct key k;

	while (keys_next(&text, &k))
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", *got ? " " : "", k.name);
	if (strcmp(got, want) != 0)
		printf("# got %s\n", got);
	return strcmp(got, want) == 0;
}

static void
test_keys(void)
{
	struct keys collect = { 0 };
	struct key k;
	int count, x, y;
	const char *text;

	CHECK(keys_are("10s<C-l><S-Tab>é<lt><BS>", "1 0 s <C-l> <S-Tab> é <lt> <Backspace>"), "names and aliases");
	CHECK(keys_are("a < b<", "a <Space> <lt> <Space> b <lt>"), "a lone < is itself");
	CHECK(keys_are("<averyveryverylongname>x", "<lt> a v e r y v e r y v e r y l o n g n a m e > x"),
	    "no such name");
	CHECK(keys_are("\xff\xc3", "\xff \xc3"), "bad UTF-8 goes byte by byte");
	bool ready[4];
	text = "120s";
	for (int i = 0; i < 4 && keys_next(&text, &k); i++)
		ready[i] = keys_feed(&collect, &k, &count);
	CHECK(!ready[0] && !ready[1] && !ready[2] && ready[3] && count == 120, "a count");
	CHECK(keys_feed(&collect, &(struct key){ "0" }, &count) && count == 0, "0 begins no count");
	for (int i = 0; i < 30; i++)
		keys_feed(&collect, &(struct key){ "9" }, &count);
	CHECK(keys_feed(&collect, &(struct key){ "s" }, &count) && count == 999999, "a count has an end");
	CHECK(key_at(&(struct key){ "<Click:12,30>" }, "Click", &x, &y) && x == 11 && y == 29, "a click");
	CHECK(!key_at(&(struct key){ "<Click:12>" }, "Click", &x, &y), "half a click");
	CHECK(!key_at(&(struct key){ "a" }, "Click", &x, &y), "none");
	CHECK(strcmp(key_text(&(struct key){ "<Space>" }), " ") == 0 && !key_text(&(struct key){ "<Up>" }),
	    "what a key types");
}

static void
test_show(void)
{
	static const char *const pair[][2] = {
		{ "s", "s" }, { "<C-l>", "Ctrl-L" }, { "<A-1>", "Alt-1" }, { "<S-Tab>", "Shift-Tab" },
		{ "<Space>", "Space" }, { "<lt>", "<" }, { ">", ">" }, { "", "" }, { "<C-Left>", "Ctrl-Left" },
	};

	for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
		char got[32];
		key_show(pair[i][0], got, sizeof got);
		CHECK(strcmp(got, pair[i][1]) == 0, "%s is shown as '%s'", pair[i][0], got);
	}
}

int
main(void)
{
	test_list();
	test_parse();
	test_complete();
	test_keys();
	test_show();
	return check_done();
}
