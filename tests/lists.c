/*
 * lists.c: prints the program's own lists (options, commands, knobs, presets,
 * causes, settings of a training job) for the manual and the completions, so that neither can say
 * something else than the program does.
 *
 *     lists mdoc commands      a table of man/psiview.1
 *     lists names knobs        one name per line
 *     lists bash words         lines of data/completions/psiview.bash
 *     lists zsh words          lines of data/completions/_psiview
 */
#include <stdio.h>
#include <string.h>

#include "psi/recipe.h"
#include "psi/step.h"
#include "run/command.h"
#include "run/options.h"
#include "train/job.h"

/* Text in an mdoc line: backslashes and hyphens escaped, and no word that
 * mdoc would take for a macro or for punctuation of its own. */
static void
put_text(const char *s)
{
	for (; *s; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else
			putchar(*s);
	}
}

/* An argument of a macro; one character alone might be punctuation to mdoc. */
static void
put_arg(const char *s)
{
	fputs(s[0] && !s[1] ? " \"\\&" : " \"", stdout);
	for (; *s; s++) {
		if (*s == '"')
			fputs("\"\"", stdout);
		else if (*s == '\\')
			fputs("\\e", stdout);
		else
			putchar(*s);
	}
	putchar('"');
}

/* A sentence of its own: capital first, full stop last, on its own lines. */
static void
put_sentence(const char *s)
{
	char first[2] = { s[0] >= 'a' && s[0] <= 'z' ? (char)(s[0] - 'a' + 'A') : s[0], 0 };
	size_t n = strlen(s);

	fputs("\\&", stdout);
	put_text(first);
	if (*s)
		put_text(s + 1);
	puts(n && s[n - 1] == '.' ? "" : ".");
}

/* A key as the manual writes it: "<C-l>" is Ctrl-L, "<lt>" is <. */
static void
put_key(const char *key, size_t n)
{
	static const struct { const char *from, *to; } plain[] = {
		{ "<lt>", "<" }, { "<Space>", "space" }, { "<S-Tab>", "Shift-Tab" },
	};
	char out[32];

	snprintf(out, sizeof out, "%.*s", (int)n, key);
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (strcmp(out, plain[i].from) == 0) {
			put_arg(plain[i].to);
			return;
		}
	if (n > 2 && key[0] == '<') {
		snprintf(out, sizeof out, "%.*s", (int)n - 2, key + 1);
		if (strncmp(out, "C-", 2) == 0)
			snprintf(out, sizeof out, "Ctrl-%c", key[3] >= 'a' ? key[3] - 'a' + 'A' : key[3]);
		else if (strncmp(out, "A-", 2) == 0)
			snprintf(out, sizeof out, "Alt-%.*s", (int)n - 4, key + 3);
	}
	put_arg(out);
}

static void
put_keys(const char *keys)
{
	for (const char *p = keys; *p;) {
		size_t n = strcspn(p, " ");
		put_key(p, n);
		p += n + strspn(p + n, " ");
		fputs(" ,", stdout);
	}
}

/* Where an option is known, in words. */
static void
put_where(unsigned subs)
{
	const char *between = "";

	if ((subs | 1u << SUB_HELP | 1u << SUB_TRAIN) == (1u << SUB_COUNT) - 1) {
		puts(subs & 1u << SUB_TRAIN ? "(all commands)" : "(all commands but train)");
		return;
	}
	putchar('(');
	for (int i = 0; i < SUB_COUNT; i++)
		if (subs & 1u << i) {
			printf("%s%s", between, i == SUB_VIEW ? "screen" : subcommand_list[i].name);
			between = ", ";
		}
	puts(")");
}

static void
put_option(const struct option_info *o)
{
	fputs(".It", stdout);
	if (o->letter)
		printf(" Fl %c ,", o->letter);
	printf(" Fl Fl %s", o->name);
	if (o->maybe)
		printf(" Ns Op = Ns Ar %s", o->arg);
	else if (o->arg)
		printf(" Ns = Ns Ar %s", o->arg);
	putchar('\n');
	put_sentence(o->help);
}

/* Knobs have a table of their own, training a page. */
static void
options_mdoc(void)
{
	struct option_info o;

	puts(".Bl -tag -width Ds");
	for (int i = 0; i < option_count(); i++) {
		option_at(i, &o);
		if (o.type == OPTION_KNOB || option_of_training(&o))
			continue;
		put_option(&o);
		put_where(o.subs);
	}
	puts(".El");
}

/* Of psiview train: the settings of a job, or all others. */
static void
training_mdoc(bool job)
{
	struct option_info o;

	puts(".Bl -tag -width Ds");
	for (int i = 0; i < option_count(); i++) {
		option_at(i, &o);
		if (o.subs & 1u << SUB_TRAIN && (o.type == OPTION_JOB) == job)
			put_option(&o);
	}
	puts(".El");
}

static void
train_mdoc(void)
{
	training_mdoc(false);
}

static void
job_mdoc(void)
{
	training_mdoc(true);
}

static void
jobs_mdoc(void)
{
	puts(".Bl -tag -width \"cifar10-small\"");
	for (int i = 0; i < job_preset_count(); i++) {
		printf(".It Cm %s\n", job_preset_name(i));
		put_sentence(job_preset_help(i));
	}
	puts(".El");
}

static void
commands_mdoc(void)
{
	for (int g = 0; g < GROUP_END; g++) {
		printf(".Ss %s\n.Bl -tag -width Ds\n", command_group_name((enum command_group)g));
		for (int i = 0; i < CMD_COUNT; i++) {
			const struct command *c = &command_list[i];
			if ((int)c->group != g)
				continue;
			fputs(".It Ic", stdout);
			put_keys(c->keys);
			printf(" :%s", c->name);
			if (*c->args) {
				fputs(" Ns Li", stdout);
				char args[160];
				snprintf(args, sizeof args, " %s", c->args);
				put_arg(args);
			}
			putchar('\n');
			put_sentence(c->help);
		}
		puts(".El");
	}
}

static void
knobs_mdoc(void)
{
	puts(".Bl -tag -width Ds");
	for (int i = 0; i < recipe_knob_count(); i++) {
		const struct knob *k = recipe_knob(i);
		printf(".It Cm %s", k->name);
		if (k->choices)
			put_arg(k->choices);
		else if ((k->type == KNOB_INT || k->type == KNOB_REAL) && k->hi <= 1e6)
			printf(" \"%g to %g\"", k->lo, k->hi);
		else if (k->type == KNOB_INT)
			printf(" \"%g or more\"", k->lo);
		putchar('\n');
		put_sentence(k->help);
		if (k->live)
			puts("(live)");
	}
	puts(".El");
}

static void
presets_mdoc(void)
{
	puts(".Bl -tag -width \"rescale-0.05\"");
	for (int i = 0; i < recipe_preset_count(); i++) {
		printf(".It Cm %s\n", recipe_preset_name(i));
		put_sentence(recipe_preset_help(i));
	}
	puts(".El");
}

static void
causes_mdoc(void)
{
	puts(".Bl -tag -width \"MMM\"");
	for (int i = 0; i < CAUSE_COUNT; i++) {
		const struct cause_info *c = cause_info((enum cause)i);
		char mark[2] = { c->mark > ' ' ? c->mark : 0, 0 };
		fputs(".It Li", stdout);
		put_arg(*mark ? mark : "none");
		putchar('\n');
		put_sentence(c->words);
	}
	puts(".El");
}

static const char *
sub_name(int i)
{
	return i == SUB_VIEW ? "screen" : subcommand_list[i].name;
}

/* Words separated by blanks instead of bars. */
static void
put_words(const char *choices)
{
	for (; *choices; choices++)
		putchar(*choices == '|' ? ' ' : *choices);
}

/* The words that may follow an option. */
static void
put_choices(int i, const struct option_info *o)
{
	if (i == OPT_PRESET)
		for (int k = 0; k < recipe_preset_count(); k++)
			printf("%s%s", k ? " " : "", recipe_preset_name(k));
	else if (i == OPT_JOB)
		for (int k = 0; k < job_preset_count(); k++)
			printf("%s%s", k ? " " : "", job_preset_name(k));
	else
		put_words(o->arg);
}

static bool
has_choices(int i, const struct option_info *o)
{
	return i == OPT_PRESET || i == OPT_JOB || strchr(o->arg, '|');
}

/* Settings of a job that are text are paths, but for one. */
static bool
wants_file(const struct option_info *o)
{
	return o->type == OPTION_FILE || (o->type == OPTION_JOB && strcmp(o->arg, "TEXT") == 0);
}

/* A branch of the case on "COMMAND:OPTION"; who: the command, or *. */
static void
bash_value(const struct option_info *o, int i, const char *who)
{
	if (!o->arg)
		return;
	fputs("\t", stdout);
	if (o->letter)
		printf("%s:-%c | ", who, o->letter);
	printf("%s:--%s) echo ", who, o->name);
	if (wants_file(o)) {
		fputs("file", stdout);
	} else if (has_choices(i, o)) {
		fputs("'words:", stdout);
		put_choices(i, o);
		putchar('\'');
	} else {
		fputs("any", stdout);
	}
	puts(" ;;");
}

/* An option whose name another one had before it is for its own commands. */
static void
bash_values(bool first)
{
	struct option_info o;

	for (int i = 0; i < option_count(); i++) {
		option_at(i, &o);
		if ((option_find(o.name) == i) != first)
			continue;
		if (first)
			bash_value(&o, i, "*");
		for (int s = 0; !first && s < SUB_COUNT; s++)
			if (o.subs & 1u << s)
				bash_value(&o, i, sub_name(s));
	}
}

static void
bash_words(void)
{
	struct option_info o;

	fputs("_psiview_subcommands='", stdout);
	for (int i = SUB_VIEW + 1; i < SUB_COUNT; i++)
		printf("%s%s", i > SUB_VIEW + 1 ? " " : "", subcommand_list[i].name);
	puts("'\n\n_psiview_options()\n{\n\tcase $1 in");
	for (int s = 0; s < SUB_COUNT; s++) {
		printf("\t%s) echo '", sub_name(s));
		for (int i = 0; i < option_count(); i++) {
			option_at(i, &o);
			if (o.subs & 1u << s)
				printf("--%s%s ", o.name, o.arg && !o.maybe ? "=" : "");
		}
		puts("' ;;");
	}
	puts("\tesac\n}\n\n_psiview_value()\n{\n\tcase $1:$2 in");
	bash_values(false);
	bash_values(true);
	puts("\tesac\n}");
}

/* Text inside single quotes and brackets of _arguments. */
static void
put_zsh(const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", stdout);
		else if (*s == '[' || *s == ']' || *s == ':')
			printf("\\%c", *s);
		else
			putchar(*s);
	}
}

static void
zsh_option(int i, const char *dashes, const char *name)
{
	struct option_info o;

	option_at(i, &o);
	printf("\t\t\t'%s%s%s%s[", i == OPT_CLAMP || i == OPT_GRID ? "*" : "", dashes, name,
		!o.arg ? "" : o.maybe ? "=-" : dashes[1] ? "=" : "+");
	put_zsh(o.help);
	putchar(']');
	if (o.arg) {
		const char *colons = o.maybe ? "::" : ":";
		if (wants_file(&o)) {
			printf("%sfile:_files", colons);
		} else if (has_choices(i, &o)) {
			printf("%svalue:(", colons);
			put_choices(i, &o);
			putchar(')');
		} else {
			printf("%svalue:", colons);
		}
	}
	puts("' \\");
}

static void
zsh_words(void)
{
	struct option_info o;

	puts("_psiview_commands()\n{\n\tcat <<'END'");
	for (int i = SUB_VIEW + 1; i < SUB_COUNT; i++)
		printf("%s:%s\n", subcommand_list[i].name, subcommand_list[i].help);
	puts("END\n}\n\n_psiview_arguments()\n{\n\tcase $1 in");
	for (int s = 0; s < SUB_COUNT; s++) {
		printf("\t%s)\n\t\t_arguments \\\n", sub_name(s));
		for (int i = 0; i < option_count(); i++) {
			char letter[2];
			option_at(i, &o);
			if (!(o.subs & 1u << s))
				continue;
			letter[0] = o.letter;
			letter[1] = 0;
			if (o.letter)
				zsh_option(i, "-", letter);
			zsh_option(i, "--", o.name);
		}
		fputs(s == SUB_HELP ? "\t\t\t'1:command:(" : "\t\t\t'1:checkpoint:_files' ;;\n", stdout);
		for (int i = SUB_VIEW + 1; s == SUB_HELP && i < SUB_COUNT; i++)
			printf("%s%s", subcommand_list[i].name, i < SUB_COUNT - 1 ? " " : ")' ;;\n");
	}
	puts("\tesac\n}");
}

static bool
names(const char *what)
{
	if (strcmp(what, "commands") == 0)
		for (int i = 0; i < CMD_COUNT; i++)
			puts(command_list[i].name);
	else if (strcmp(what, "knobs") == 0)
		for (int i = 0; i < recipe_knob_count(); i++)
			puts(recipe_knob(i)->name);
	else if (strcmp(what, "presets") == 0)
		for (int i = 0; i < recipe_preset_count(); i++)
			puts(recipe_preset_name(i));
	else if (strcmp(what, "jobs") == 0)
		for (int i = 0; i < job_preset_count(); i++)
			puts(job_preset_name(i));
	else if (strcmp(what, "subcommands") == 0)
		for (int i = SUB_VIEW + 1; i < SUB_COUNT; i++)
			puts(subcommand_list[i].name);
	else if (strcmp(what, "options") == 0)
		for (int i = 0; i < option_count(); i++) {
			struct option_info o;
			option_at(i, &o);
			puts(o.name);
		}
	else
		return false;
	return true;
}

int
main(int argc, char **argv)
{
	static const struct { const char *form, *name; void (*print)(void); } table[] = {
		{ "mdoc", "options", options_mdoc }, { "mdoc", "commands", commands_mdoc },
		{ "mdoc", "knobs", knobs_mdoc },
		{ "mdoc", "presets", presets_mdoc }, { "mdoc", "causes", causes_mdoc },
		{ "mdoc", "train", train_mdoc }, { "mdoc", "job", job_mdoc }, { "mdoc", "jobs", jobs_mdoc },
		{ "bash", "words", bash_words }, { "zsh", "words", zsh_words },
	};

	if (argc == 3 && strcmp(argv[1], "names") == 0)
		return names(argv[2]) ? 0 : 2;
	for (size_t i = 0; argc == 3 && i < sizeof table / sizeof *table; i++) {
		if (strcmp(argv[1], table[i].form) == 0 && strcmp(argv[2], table[i].name) == 0) {
			table[i].print();
			return 0;
		}
	}
	fprintf(stderr, "usage: lists mdoc options|commands|knobs|presets|causes|train|job|jobs\n"
		"       lists bash|zsh words\n       lists names options|commands|knobs|presets|jobs|subcommands\n");
	return 2;
}
