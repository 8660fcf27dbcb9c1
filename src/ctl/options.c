/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "ctl/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "util/mem.h"

#define OPTIONS_FILES 8 /* --options within --options, most */

static const struct ctl_option common_options[] = {
	{ "help", 'h', NULL, "show the usage of this command" },
	{ "raw", 'r', NULL, "print the messages as they are, in one line each" },
	{ "pretty", 'P', NULL, "print the messages as they are, indented" },
	{ "debug", 'v', "level", "level of own log lines, default: 1" },
	{ "options", '+', "file", "read more options from a file" },
	{ "uri", 'u', "uri", "socket of the daemon: unix:///path or tcp://host:port" },
};

/* ---- usage ---------------------------------------------------------------- */

static void usage_option(FILE *out, const struct ctl_option *o)
{
	char left[40];

	snprintf(left, sizeof(left), "--%s%s%s%s", o->name, o->arg ? " <" : "", o->arg ? o->arg : "",
		 o->arg ? ">" : "");
	fprintf(out, "    -%c, %-24s %s\n", o->letter, left, o->help);
}

static void usage_verb(const struct ctl_verb *verb, FILE *out)
{
	fprintf(out, "usage:\n  swanctl --%s [options]\n  %s\n\noptions:\n", verb->name, verb->help);
	for (const struct ctl_option *o = verb->options; o->name; o++)
		usage_option(out, o);
	for (size_t i = 0; i < ARRAY_LEN(common_options); i++)
		usage_option(out, &common_options[i]);
}

void ctl_usage(const struct ctl *ctl, FILE *out)
{
	fprintf(out, "Bewick swanctl %s\n", PACKAGE_VERSION);
	if (ctl->verb) {
		usage_verb(ctl->verb, out);
		return;
	}
	fprintf(out, "usage:\n  swanctl --command [options]\n\ncommands:\n");
	for (const struct ctl_verb *const *group = ctl_verb_groups; *group; group++) {
		for (const struct ctl_verb *v = *group; v->name; v++)
			fprintf(out, "    -%c, --%-18s %s\n", v->letter, v->name, v->help);
	}
}

/* ---- finding verbs -------------------------------------------------------- */

static const struct ctl_verb *verb_by_letter(int letter)
{
	for (const struct ctl_verb *const *group = ctl_verb_groups; *group; group++) {
		for (const struct ctl_verb *v = *group; v->name; v++) {
			if (v->letter == letter)
				return v;
		}
	}
	return NULL;
}

/* Exactly this name, or the only one that begins so. */
static const struct ctl_verb *verb_by_name(const char *name)
{
	const struct ctl_verb *found = NULL;
	int matches = 0;

	for (const struct ctl_verb *const *group = ctl_verb_groups; *group; group++) {
		for (const struct ctl_verb *v = *group; v->name; v++) {
			if (strcmp(v->name, name) == 0)
				return v;
			if (strncmp(v->name, name, strlen(name)) == 0) {
				found = v;
				matches++;
			}
		}
	}
	if (matches != 1)
		fprintf(stderr, "swanctl: %s command '--%s'\n", matches ? "ambiguous" : "unknown", name);
	return matches == 1 ? found : NULL;
}

static const struct ctl_verb *verb_find(const char *arg)
{
	const struct ctl_verb *verb = NULL;

	if (strncmp(arg, "--", 2) == 0 && arg[2])
		return verb_by_name(arg + 2);
	if (arg[0] == '-' && arg[1] && !arg[2])
		verb = verb_by_letter(arg[1]);
	if (!verb)
		fprintf(stderr, "swanctl: unknown command '%s'\n", arg);
	return verb;
}

/* ---- options -------------------------------------------------------------- */

const char *ctl_opt(const struct ctl *ctl, const char *name)
{
	for (int i = 0; ctl->verb->options[i].name; i++) {
		if (strcmp(ctl->verb->options[i].name, name) == 0)
			return ctl->values[i];
	}
	return NULL;
}

bool ctl_flag(const struct ctl *ctl, const char *name)
{
	return ctl_opt(ctl, name) != NULL;
}

/* The arguments being parsed: those of the command line, with files in their place. */
struct args {
	struct ctl *ctl; /* owns the words */
	char **v;	 /* only the array */
	int n;
	int files;
};

static void args_add_word(struct args *a, char *word)
{
	a->v = xrealloc(a->v, sizeof(char *) * (size_t)(a->n + 2));
	a->v[a->n++] = word;
	a->v[a->n] = NULL;
}

static void args_add(struct args *a, const char *arg, size_t n)
{
	struct ctl *ctl = a->ctl;

	ctl->words = xrealloc(ctl->words, sizeof(char *) * (ctl->n_words + 1));
	ctl->words[ctl->n_words] = xstrndup(arg, n);
	args_add_word(a, ctl->words[ctl->n_words++]);
}

/* Words of a file: separated by white space, may be quoted. A line that begins with # is a comment. */
static bool args_add_file(struct args *a, FILE *f)
{
	struct buf word = { 0 };
	bool in_word = false, comment = false;
	int c, quote = 0, last = '\n';

	while ((c = getc(f)) != EOF) {
		if (comment) {
			comment = c != '\n';
		} else if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? 0 : c;
			in_word = true;
		} else if (!quote && c == '#' && last == '\n') {
			comment = true;
		} else if (!quote && strchr(" \t\r\n", c)) {
			if (in_word)
				args_add(a, buf_str(&word), word.n);
			in_word = false;
			buf_reset(&word);
		} else {
			in_word = true;
			buf_add_u8(&word, (uint8_t)c);
		}
		last = c;
	}
	if (in_word && !quote)
		args_add(a, buf_str(&word), word.n);
	buf_free(&word);
	return !quote && !ferror(f);
}

/* Goes on with what the file says, then with the arguments from `rest` on. */
static bool args_options_file(struct args *a, const char *file, int rest)
{
	struct args more = { .ctl = a->ctl, .files = a->files + 1 };
	FILE *f = fopen(file, "re");
	bool ok;

	if (!f) {
		fprintf(stderr, "swanctl: cannot read options from '%s': %s\n", file, strerror(errno));
		return false;
	}
	args_add_word(&more, a->v[0]);
	ok = more.files <= OPTIONS_FILES && args_add_file(&more, f);
	fclose(f);
	if (!ok)
		fprintf(stderr, "swanctl: invalid options in '%s'\n", file);
	for (int i = rest; i < a->n; i++)
		args_add_word(&more, a->v[i]);
	free(a->v);
	*a = more;
	return ok;
}

static bool option_debug(struct ctl *ctl, const char *arg)
{
	char *end;
	long level = strtol(arg, &end, 10);

	if (*end || end == arg || level < -1 || level > 4) {
		fprintf(stderr, "swanctl: debug level '%s' is not one of -1 to 4\n", arg);
		return false;
	}
	ctl->debug = (int)level;
	return true;
}

static bool option_common(struct ctl *ctl, int letter, const char *arg)
{
	switch (letter) {
	case 'h':
		ctl->help = true;
		return true;
	case 'r':
		if (ctl->format == CTL_PLAIN)
			ctl->format = CTL_RAW;
		return true;
	case 'P':
		ctl->format = CTL_PRETTY;
		return true;
	case 'v':
		return option_debug(ctl, arg);
	case 'u':
		ctl->uri = arg;
		return true;
	}
	return false;
}

/* The letters of the verb's own options come first: a common one must not hide them. */
static bool option_set(struct ctl *ctl, int letter, char *arg)
{
	for (int i = 0; ctl->verb->options[i].name; i++) {
		if (ctl->verb->options[i].letter == letter) {
			ctl->values[i] = arg ? arg : "";
			return true;
		}
	}
	return option_common(ctl, letter, arg);
}

static void getopt_add(const struct ctl_option *o, struct option *longs, int *n, char *shorts)
{
	size_t len = strlen(shorts);

	longs[(*n)++] = (struct option){ o->name, o->arg ? required_argument : no_argument, NULL,
					 o->letter };
	shorts[len++] = (char)o->letter;
	if (o->arg)
		shorts[len++] = ':';
	shorts[len] = '\0';
}

static bool options_parse(struct ctl *ctl, struct args *a)
{
	struct option longs[CTL_OPTIONS + ARRAY_LEN(common_options) + 1] = { { 0 } };
	char shorts[2 * ARRAY_LEN(longs) + 1] = "";
	int n = 0, c;

	for (const struct ctl_option *o = ctl->verb->options; o->name; o++)
		getopt_add(o, longs, &n, shorts);
	for (size_t i = 0; i < ARRAY_LEN(common_options); i++)
		getopt_add(&common_options[i], longs, &n, shorts);
	optind = 0;
	while ((c = getopt_long(a->n, a->v, shorts, longs, NULL)) != -1) {
		if (c == '?')
			return false;
		if (c == '+') {
			if (!args_options_file(a, optarg, optind))
				return false;
			optind = 0;
		} else if (!option_set(ctl, c, optarg)) {
			return false;
		}
	}
	if (optind < a->n) {
		fprintf(stderr, "swanctl: unexpected argument '%s'\n", a->v[optind]);
		return false;
	}
	return true;
}

bool ctl_parse(struct ctl *ctl, int argc, char **argv)
{
	struct args a = { .ctl = ctl };
	bool ok;

	if (argc < 2)
		return true;
	ctl->verb = verb_find(argv[1]);
	if (!ctl->verb)
		return false;
	args_add(&a, "swanctl", strlen("swanctl"));
	for (int i = 2; i < argc; i++)
		args_add(&a, argv[i], strlen(argv[i]));
	ok = options_parse(ctl, &a);
	free(a.v);
	return ok;
}

void ctl_parse_free(struct ctl *ctl)
{
	for (size_t i = 0; i < ctl->n_words; i++)
		free(ctl->words[i]);
	free(ctl->words);
	ctl->words = NULL;
	ctl->n_words = 0;
}
