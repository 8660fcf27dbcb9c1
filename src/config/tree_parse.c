/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tree_parse.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/limits.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/reader.h"

/*
 * strongswan.conf and swanctl.conf are one grammar:
 *
 *   file       := { statement }
 *   statement  := section | setting | include | comment | blank
 *   section    := NAME [ ":" ref { "," ref } ] "{" { statement } "}"
 *   setting    := NAME "=" [ value ]
 *   value      := part { part }        joined by one blank; ends with the line, "#" or "}"
 *   part       := WORD | STRING
 *   include    := "include" blanks ( pattern | STRING )
 *   ref        := NAME { "." NAME }
 *
 * The text becomes a tree as written, with references kept aside; tree_resolve follows them.
 */

char tree_unset;

/* One run over a file and all that it includes. */
struct parse {
	struct tree *root;
	struct tree_refs *refs; /* of all sections */
	struct tree_files *files;
	size_t bytes;   /* read so far */
	size_t entries; /* sections and settings so far */
	bool includes;  /* allowed */
	struct errtext *err;
};

/* One file (or text) being read. */
struct source {
	struct parse *run;
	const struct source *outer; /* whose include this is, or NULL */
	struct reader in;
	unsigned line;
	const char *name;
	unsigned depth; /* of includes */
	dev_t dev;
	ino_t ino;
};

static bool parse_statements(struct source *src, struct tree *section, unsigned opened, unsigned depth);
static bool parse_include_file(const struct source *outer, const char *path, struct tree *section,
			       unsigned depth);

/* ---- characters */

#define CH_END (-1)

static int source_peek(const struct source *src)
{
	return reader_left(&src->in) ? src->in.p[0] : CH_END;
}

static int source_next(struct source *src)
{
	int c = source_peek(src);

	if (c == CH_END)
		return c;
	reader_skip(&src->in, 1);
	if (c == '\n')
		src->line++;
	return c;
}

static bool char_is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool char_is_name(int c)
{
	return c != CH_END && c != 0 && !strchr("#{}:.,=\" \t\r\n", c);
}

static bool char_is_word(int c)
{
	return c != CH_END && c != 0 && !strchr("#}\" \t\r\n", c);
}

static void source_skip_blanks(struct source *src)
{
	while (char_is_blank(source_peek(src)))
		(void)source_next(src);
}

static void source_skip_comment(struct source *src)
{
	while (source_peek(src) != CH_END && source_peek(src) != '\n')
		(void)source_next(src);
}

/* To the next thing that matters, over lines and comments. */
static void source_skip_space(struct source *src)
{
	for (;;) {
		int c = source_peek(src);

		if (c == '#')
			source_skip_comment(src);
		else if (c == '\n' || char_is_blank(c))
			(void)source_next(src);
		else
			return;
	}
}

/* The run of characters that satisfy `is`, maybe empty. */
static struct bytes source_take(struct source *src, bool (*is)(int c))
{
	struct reader from = src->in;
	size_t n = 0;

	while (is(source_peek(src))) {
		(void)source_next(src);
		n++;
	}
	return reader_bytes(&from, n);
}

/* ---- errors */

static void source_describe(struct source src, struct text *out)
{
	int c = source_peek(&src);
	struct bytes name = source_take(&src, char_is_name);
	int shown = name.n > 40 ? 40 : (int)name.n;

	if (c == CH_END)
		snprintf(out->s, sizeof(out->s), "end of file");
	else if (c == '\n')
		snprintf(out->s, sizeof(out->s), "end of line");
	else if (c == '"')
		snprintf(out->s, sizeof(out->s), "a string");
	else if (c < ' ' || c == 0x7f)
		snprintf(out->s, sizeof(out->s), "byte 0x%02x", (unsigned)c);
	else if (name.n)
		snprintf(out->s, sizeof(out->s), "'%.*s'", shown, (const char *)name.p);
	else
		snprintf(out->s, sizeof(out->s), "'%c'", c);
}

/* Always false, for `return source_fail(...)`. */
static bool source_fail(const struct source *src, const char *expected)
{
	struct text found;

	source_describe(*src, &found);
	errtext_set(src->run->err, "%s:%u: expected %s, found %s", src->name, src->line, expected,
		    found.s);
	return false;
}

/* ---- values */

static bool parse_string_escape(struct source *src, struct buf *out)
{
	int c = source_next(src);

	if (c == '\r' && source_peek(src) == '\n')
		c = source_next(src);
	switch (c) {
	case CH_END:
		return false;
	case '\n':
		return true; /* joins the lines */
	case 'n':
		c = '\n';
		break;
	case 'r':
		c = '\r';
		break;
	case 't':
		c = '\t';
		break;
	}
	buf_add_u8(out, (uint8_t)c);
	return true;
}

static bool parse_string(struct source *src, struct buf *out)
{
	unsigned opened = src->line;

	(void)source_next(src); /* the quote */
	for (;;) {
		int c = source_peek(src);
		struct text what;

		if (c == CH_END) {
			snprintf(what.s, sizeof(what.s), "'\"' to end the string of line %u", opened);
			return source_fail(src, what.s);
		}
		if (c == 0)
			return source_fail(src, "text");
		(void)source_next(src);
		if (c == '"')
			return true;
		if (c == '\\' && source_peek(src) != 0)
			(void)parse_string_escape(src, out); /* an end is seen in the next round */
		else if (c != '\r')
			buf_add_u8(out, (uint8_t)c);
	}
}

/* Parts up to the end of the line, "#" or "}". ret_unset: there was none. */
static bool parse_value(struct source *src, struct buf *out, bool *ret_unset)
{
	*ret_unset = true;
	for (;;) {
		int c;

		source_skip_blanks(src);
		c = source_peek(src);
		if (c == CH_END || c == '\n' || c == '#' || c == '}')
			return true;
		if (!*ret_unset)
			buf_add_u8(out, ' ');
		*ret_unset = false;
		if (c == '"') {
			if (!parse_string(src, out))
				return false;
		} else if (char_is_word(c)) {
			buf_add_bytes(out, source_take(src, char_is_word));
		} else {
			return source_fail(src, "a value");
		}
	}
}

static bool parse_setting(struct source *src, struct tree *section, struct bytes name, unsigned line)
{
	struct tree *old = tree_find_bytes(section, name), *t;
	struct buf value = { 0 };
	bool unset, ok;

	if (old && old->kind == TREE_SECTION)
		return source_fail(src, "'{' (a section has this name)");
	(void)source_next(src); /* '=' */
	ok = parse_value(src, &value, &unset);
	if (ok) {
		t = tree_add_value(section, name, buf_bytes(&value));
		t->raw = unset ? &tree_unset : NULL;
		t->line = line;
		t->file = src->name;
		src->run->entries++;
	}
	buf_wipe(&value);
	return ok;
}

/* ---- sections */

static bool parse_ref(struct source *src, struct buf *path)
{
	for (;;) {
		struct bytes name = source_take(src, char_is_name);

		if (!name.n)
			return source_fail(src, "the name of a section");
		buf_add_bytes(path, name);
		if (source_peek(src) != '.')
			return true;
		buf_add_u8(path, '.');
		(void)source_next(src);
	}
}

static struct tree_refs *parse_refs_of(struct parse *run, struct tree *section)
{
	struct tree_refs *refs = section->raw;

	if (!refs) {
		refs = xcalloc(1, sizeof(*refs));
		refs->next = run->refs;
		run->refs = refs;
		section->raw = refs;
	}
	return refs;
}

static bool parse_refs(struct source *src, struct tree *section)
{
	struct tree_refs *refs = parse_refs_of(src->run, section);

	do {
		struct buf path = { 0 };

		(void)source_next(src); /* ':' or ',' */
		source_skip_space(src);
		if (!parse_ref(src, &path)) {
			buf_free(&path);
			return false;
		}
		refs->paths = xrealloc(refs->paths, (refs->count + 1) * sizeof(*refs->paths));
		refs->paths[refs->count++] = buf_bytes(&path);
		src->run->entries++;
		source_skip_space(src);
	} while (source_peek(src) == ',');
	return true;
}

/* At ":" or "{" behind the name. */
static bool parse_section(struct source *src, struct tree *parent, struct bytes name, unsigned line,
			  unsigned depth)
{
	struct tree *old = tree_find_bytes(parent, name), *section;

	if (old && old->kind != TREE_SECTION)
		return source_fail(src, "'=' (a setting has this name)");
	if (depth >= LIMIT_CONF_DEPTH)
		return source_fail(src, "no deeper section");
	section = tree_add_section(parent, name);
	if (!old) {
		section->line = line;
		section->file = src->name;
		src->run->entries++;
	}
	if (source_peek(src) == ':' && !parse_refs(src, section))
		return false;
	if (source_peek(src) != '{')
		return source_fail(src, "'{'");
	(void)source_next(src);
	return parse_statements(src, section, line, depth + 1);
}

/* ---- includes */

/* The pattern as glob wants it: absolute, or behind the folder of the including file. */
static void include_folder(const struct source *src, struct buf *pattern)
{
	const char *slash = strrchr(src->name, '/');

	for (const char *p = src->name; slash && p <= slash; p++) {
		if (strchr("\\*?[", *p))
			buf_add_u8(pattern, '\\');
		buf_add_u8(pattern, (uint8_t)*p);
	}
}

static bool parse_pattern(struct source *src, struct buf *out)
{
	if (source_peek(src) == '"')
		return parse_string(src, out);
	if (!char_is_word(source_peek(src)))
		return source_fail(src, "a file name pattern");
	while (char_is_word(source_peek(src))) {
		int c = source_next(src);

		/* glob takes the character behind a backslash as it is, even a blank */
		buf_add_u8(out, (uint8_t)c);
		if (c == '\\' && source_peek(src) > 0 && source_peek(src) != '\n')
			buf_add_u8(out, (uint8_t)source_next(src));
	}
	return true;
}

static bool include_glob(const struct source *src, const char *pattern, struct tree *section,
			 unsigned depth)
{
	glob_t found = { 0 };
	int rc = glob(pattern, 0, NULL, &found);
	bool ok = true;

	if (rc == GLOB_NOMATCH) {
		LOG(CFG, 1, "no files found matching '%s'", pattern);
	} else if (rc != 0) {
		errtext_set(src->run->err, "%s:%u: reading the folder of '%s' failed", src->name,
			    src->line, pattern);
		ok = false;
	}
	for (size_t i = 0; ok && rc == 0 && i < found.gl_pathc; i++)
		ok = parse_include_file(src, found.gl_pathv[i], section, depth);
	if (rc == 0)
		globfree(&found);
	return ok;
}

/* Behind the word and the blanks. */
static bool parse_include(struct source *src, struct tree *section, unsigned depth)
{
	struct buf own = { 0 }, pattern = { 0 };
	bool ok = false;

	if (!src->run->includes) {
		source_fail(src, "no include here");
		goto out;
	}
	if (!parse_pattern(src, &own))
		goto out;
	if (buf_str(&own)[0] != '/')
		include_folder(src, &pattern);
	buf_add_bytes(&pattern, buf_bytes(&own));
	if (src->depth >= LIMIT_CONF_INCLUDE_DEPTH) {
		errtext_set(src->run->err, "%s:%u: expected fewer nested includes, found more than %d",
			    src->name, src->line, LIMIT_CONF_INCLUDE_DEPTH);
		goto out;
	}
	ok = include_glob(src, buf_str(&pattern), section, depth);
out:
	buf_free(&own);
	buf_free(&pattern);
	return ok;
}

/* ---- statements */

static bool parse_statement(struct source *src, struct tree *section, unsigned depth)
{
	unsigned line = src->line;
	struct bytes name = source_take(src, char_is_name);
	bool blanks = char_is_blank(source_peek(src));
	int c;

	source_skip_blanks(src);
	c = source_peek(src);
	if (c == '=')
		return parse_setting(src, section, name, line);
	if (blanks && c != '{' && c != ':' && bytes_equal_str(name, "include"))
		return parse_include(src, section, depth);
	source_skip_space(src); /* the brace may stand on the next line */
	c = source_peek(src);
	if (c == '{' || c == ':')
		return parse_section(src, section, name, line, depth);
	return source_fail(src, "'=', ':' or '{' behind a name");
}

/* opened: the line with the section's name, 0 for the file's own level, which its end closes. */
static bool parse_statements(struct source *src, struct tree *section, unsigned opened, unsigned depth)
{
	for (;;) {
		int c;

		source_skip_space(src);
		c = source_peek(src);
		if (c == CH_END && !opened)
			return true;
		if (c == '}' && opened) {
			(void)source_next(src);
			return true;
		}
		if (c == CH_END) {
			struct text what;

			snprintf(what.s, sizeof(what.s), "'}' to close '%.60s' of line %u", section->name,
				 opened);
			return source_fail(src, what.s);
		}
		if (!char_is_name(c))
			return source_fail(src, opened ? "a name or '}'" : "a name");
		if (!parse_statement(src, section, depth))
			return false;
	}
}

/* ---- files */

static const char *parse_keep_name(struct parse *run, const char *name)
{
	size_t n = strlen(name) + 1;
	struct tree_files *f = xmalloc(sizeof(*f) + n);

	memcpy(f->name, name, n);
	f->next = run->files;
	run->files = f;
	return f->name;
}

/* The text of an open file. False with errno set; EFBIG when all files together are too large. */
static bool file_read(struct parse *run, int fd, struct buf *out)
{
	for (;;) {
		uint8_t chunk[16384];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		run->bytes += (size_t)n;
		if (run->bytes > LIMIT_CONF_FILE) {
			errno = EFBIG;
			return false;
		}
		buf_add(out, chunk, (size_t)n);
	}
}

static bool source_is_open(const struct source *src, const struct stat *st)
{
	for (; src; src = src->outer) {
		if (src->dev == st->st_dev && src->ino == st->st_ino)
			return true;
	}
	return false;
}

/* For messages: "FILE:LINE: " of the include, or nothing. */
static void file_fail(struct parse *run, const struct source *outer, const char *path, const char *why)
{
	if (outer)
		errtext_set(run->err, "%s:%u: including '%s': %s", outer->name, outer->line, path, why);
	else
		errtext_set(run->err, "%s: %s", path, why);
}

/* Reads and parses a file into a section. outer: whose include it is, or NULL. */
static bool parse_file(struct parse *run, const struct source *outer, const char *path,
		       struct tree *section, unsigned depth)
{
	/* No waiting for the other end of a pipe that a pattern happens to match. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | (outer ? O_NONBLOCK : 0));
	struct buf text = { 0 };
	struct stat st;
	struct source src = {
		.run = run,
		.outer = outer,
		.line = 1,
		.depth = outer ? outer->depth + 1 : 0,
	};
	bool ok = false;

	if (fd < 0 || fstat(fd, &st) < 0) {
		file_fail(run, outer, path, strerror(errno));
		goto out;
	}
	if (outer && !S_ISREG(st.st_mode)) {
		LOG(CFG, 1, "'%s' is not a regular file and not included", path);
		ok = true;
		goto out;
	}
	if (source_is_open(outer, &st)) {
		file_fail(run, outer, path, "it includes itself");
		goto out;
	}
	if (!file_read(run, fd, &text)) {
		file_fail(run, outer, path, strerror(errno));
		goto out;
	}
	src.dev = st.st_dev;
	src.ino = st.st_ino;
	src.name = parse_keep_name(run, path);
	src.in = reader_of(buf_bytes(&text));
	ok = parse_statements(&src, section, 0, depth);
out:
	if (fd >= 0)
		close(fd);
	buf_wipe(&text);
	return ok;
}

static bool parse_include_file(const struct source *outer, const char *path, struct tree *section,
			       unsigned depth)
{
	return parse_file(outer->run, outer, path, section, depth);
}

/* ---- the whole */

static void parse_free_refs(struct parse *run)
{
	while (run->refs) {
		struct tree_refs *refs = run->refs;

		run->refs = refs->next;
		for (size_t i = 0; i < refs->count; i++)
			free((void *)refs->paths[i].p);
		free(refs->paths);
		free(refs->sections);
		free(refs);
	}
}

/* Follows the references if the text was good, and cleans up. */
static struct tree *parse_finish(struct parse *run, bool ok)
{
	struct tree *result = ok ? tree_resolve(run->root, run->entries, run->err) : NULL;

	parse_free_refs(run);
	tree_free(run->root);
	if (!result) {
		while (run->files) {
			struct tree_files *next = run->files->next;

			free(run->files);
			run->files = next;
		}
		return NULL;
	}
	result->files = run->files;
	return result;
}

struct tree *tree_parse_file(const char *file, struct errtext *err)
{
	struct parse run = { .root = tree_new(), .includes = true, .err = err };

	return parse_finish(&run, parse_file(&run, NULL, file, run.root, 0));
}

struct tree *tree_parse_text(struct bytes text, const char *name, struct errtext *err)
{
	struct parse run = { .root = tree_new(), .includes = name, .err = err };
	struct source src = { .run = &run, .in = reader_of(text), .line = 1 };

	src.name = parse_keep_name(&run, name ? name : "text");
	return parse_finish(&run, parse_statements(&src, run.root, 0, 0));
}
