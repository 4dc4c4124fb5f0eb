/* SPDX-License-Identifier: Apache-2.0
 *
 * locate.c - on which line of a JSON text is what?
 */
#include "kernel/sim/locate.h"

#include <string.h>

/* What an object of ours has is far below; more keys are not compared. */
#define KEYS_MAX 64
#define DEPTH_MAX 32

/**
 * struct cursor - A place in the text
 * @p:		The character
 * @line:	Its line, from 1
 */
struct cursor {
	const char *p;
	unsigned int line;
};

/**
 * struct key - A key of an object, between its quotes
 */
struct key {
	const char *start;
	size_t size;
	unsigned int line;
};

/**
 * step() - Go one character on; stays at the end
 */
static void step(struct cursor *c)
{
	if (!*c->p)
		return;
	c->line += *c->p == '\n';
	c->p++;
}

/**
 * skip_space() - Go on to what is no white space
 */
static void skip_space(struct cursor *c)
{
	while (*c->p && strchr(" \t\r\n", *c->p))
		step(c);
}

/**
 * skip_string() - Go behind the string that begins here
 */
static void skip_string(struct cursor *c)
{
	for (step(c); *c->p && *c->p != '"'; step(c))
		if (*c->p == '\\')
			step(c);
	step(c);
}

/**
 * skip_value() - Go behind the value that begins here
 */
static void skip_value(struct cursor *c)
{
	int depth = 0;

	do {
		skip_space(c);
		if (*c->p == '"') {
			skip_string(c);
		} else if (*c->p && strchr("{[", *c->p)) {
			depth++;
			step(c);
		} else if (*c->p && strchr("}]", *c->p)) {
			depth--;
			step(c);
		} else if (*c->p && strchr(",:", *c->p)) {
			step(c);
		} else {
			while (*c->p && !strchr(",:{}[]\" \t\r\n", *c->p))
				step(c);
		}
	} while (depth > 0 && *c->p);
}

/**
 * same_key() - Are two keys written the same?
 */
static bool same_key(const struct key *a, const struct key *b)
{
	return a->size == b->size && !memcmp(a->start, b->start, a->size);
}

/**
 * next_key() - The next key of an object
 * @c:		Behind the brace or a value; then at the value of the key
 * @ret:	The key
 *
 * Return: false if there is none.
 */
static bool next_key(struct cursor *c, struct key *ret)
{
	skip_space(c);
	if (*c->p == ',') {
		step(c);
		skip_space(c);
	}
	if (*c->p != '"')
		return false;

	ret->line = c->line;
	ret->start = c->p + 1;
	skip_string(c);
	ret->size = (size_t)(c->p - ret->start);
	ret->size -= ret->size > 0; /* the quote at its end */
	skip_space(c);
	if (*c->p != ':')
		return false;
	step(c);
	skip_space(c);

	return true;
}

/**
 * enter_object() - Go to the value of a key
 * @c:		At the value that is an object
 * @ret_line:	Line of the key
 *
 * Return: false if there is no such thing; @c is anywhere then.
 */
static bool enter_object(struct cursor *c, const char *name,
			 unsigned int *ret_line)
{
	struct key key;

	if (*c->p != '{')
		return false;
	step(c);
	while (next_key(c, &key)) {
		if (key.size == strlen(name) &&
		    !memcmp(key.start, name, key.size)) {
			*ret_line = key.line;
			return true;
		}
		skip_value(c);
	}

	return false;
}

/**
 * enter_array() - Go to an element
 *
 * As enter_object().
 */
static bool enter_array(struct cursor *c, size_t index, unsigned int *ret_line)
{
	if (*c->p != '[')
		return false;
	step(c);
	skip_space(c);
	for (size_t i = 0; *c->p && *c->p != ']'; i++) {
		if (i == index) {
			*ret_line = c->line;
			return true;
		}
		skip_value(c);
		skip_space(c);
		if (*c->p != ',')
			return false;
		step(c);
		skip_space(c);
	}

	return false;
}

/* locate_line() - On which line is a value? */
unsigned int locate_line(const char *text, const struct locate_step *steps,
			 size_t n)
{
	struct cursor c = { .p = text, .line = 1 };
	unsigned int line;

	skip_space(&c);
	line = c.line;
	for (size_t i = 0; i < n; i++) {
		bool found = steps[i].key ?
			enter_object(&c, steps[i].key, &line) :
			enter_array(&c, steps[i].index, &line);

		if (!found)
			break;
	}

	return line;
}

/* locate_offset() - On which line is a byte of a text? */
unsigned int locate_offset(const char *text, size_t offset)
{
	unsigned int line = 1;

	for (size_t i = 0; i < offset && text[i]; i++)
		line += text[i] == '\n';

	return line;
}

static bool find_duplicate(struct cursor *c, int depth, struct key *ret);

/**
 * duplicate_key() - Look through an object
 *
 * As find_duplicate().
 */
static bool duplicate_key(struct cursor *c, int depth, struct key *ret)
{
	struct key keys[KEYS_MAX], key;
	size_t n = 0;

	step(c);
	while (next_key(c, &key)) {
		for (size_t i = 0; i < n; i++) {
			if (!same_key(&keys[i], &key))
				continue;
			*ret = key;
			return true;
		}
		if (n < KEYS_MAX)
			keys[n++] = key;
		if (find_duplicate(c, depth + 1, ret))
			return true;
	}
	step(c);

	return false;
}

/**
 * find_duplicate() - Look through the value that begins here, and go behind it
 * @depth:	How deep it is
 * @ret:	The second of two same keys
 */
static bool find_duplicate(struct cursor *c, int depth, struct key *ret)
{
	skip_space(c);
	if (depth < DEPTH_MAX && *c->p == '{')
		return duplicate_key(c, depth, ret);
	if (depth >= DEPTH_MAX || *c->p != '[') {
		skip_value(c);
		return false;
	}

	step(c);
	skip_space(c);
	while (*c->p && *c->p != ']') {
		if (find_duplicate(c, depth + 1, ret))
			return true;
		skip_space(c);
		if (*c->p == ',')
			step(c);
		skip_space(c);
	}
	step(c);

	return false;
}

/* locate_duplicate() - Has an object the same key twice? */
bool locate_duplicate(const char *text, unsigned int *ret_line,
		      const char **ret_key, size_t *ret_size)
{
	struct cursor c = { .p = text, .line = 1 };
	struct key key;

	if (!find_duplicate(&c, 0, &key))
		return false;

	*ret_line = key.line;
	*ret_key = key.start;
	*ret_size = key.size;
	return true;
}
