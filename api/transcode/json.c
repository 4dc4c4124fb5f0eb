/* SPDX-License-Identifier: Apache-2.0
 *
 * json.c - a strict reader of JSON text, value by value
 */
#include "transcode/json.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

/**
 * malformed() - Say that the text is no JSON
 * @json:	Where reading stands
 * @what:	What is wrong
 * @err:	Filled
 *
 * Return: -EBADMSG.
 */
static int malformed(const struct json *json, const char *what,
		     struct error *err)
{
	return error_set(err, -EBADMSG, ERROR_REQUEST_MALFORMED,
			 "the JSON text has %s at byte %zu", what,
			 (size_t)(json->at - json->start));
}

/* json_init() - Begin to read */
void json_init(struct json *json, const char *text, size_t size)
{
	*json = (struct json){ .start = text, .at = text, .end = text + size };
}

/**
 * skip_space() - Go on to what is no space
 * @json:	Moved
 *
 * Return: the character there; 0 at the end of the text, as for a NUL in it.
 */
static char skip_space(struct json *json)
{
	while (json->at < json->end &&
	       (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' ||
		*json->at == '\r'))
		json->at++;
	return json->at < json->end ? *json->at : '\0';
}

/* json_kind() - What kind of value comes next */
int json_kind(struct json *json, enum json_kind *ret, struct error *err)
{
	char c = skip_space(json);

	if (c == '{')
		*ret = JSON_OBJECT;
	else if (c == '[')
		*ret = JSON_ARRAY;
	else if (c == '"')
		*ret = JSON_STRING;
	else if (c == '-' || (c >= '0' && c <= '9'))
		*ret = JSON_NUMBER;
	else if (c == 't' || c == 'f')
		*ret = JSON_BOOL;
	else if (c == 'n')
		*ret = JSON_NULL;
	else
		return malformed(json, "no value", err);
	return 0;
}

/* json_enter() - Go into the container that comes next */
int json_enter(struct json *json, struct error *err)
{
	if (json->depth == JSON_DEPTH)
		return malformed(json, "more than 16 objects and arrays in each other",
				 err);
	json->depth++;
	json->at++;
	return 0;
}

/* json_more() - Is there another member or element? */
int json_more(struct json *json, char close, bool first, bool *ret,
	      struct error *err)
{
	char c = skip_space(json);

	if (c == close && json->at < json->end) {
		json->at++;
		json->depth--;
		*ret = false;
		return 0;
	}
	if (!first) {
		if (c != ',')
			return malformed(json, "no comma and no end of a list or object",
					 err);
		json->at++;
	}
	*ret = true;
	return 0;
}

/**
 * hex4() - Read the four digits of an escape
 * @at:		The digits
 * @end:	Of the text
 * @ret:	The number
 *
 * Return: false if there are not four.
 */
static bool hex4(const char *at, const char *end, uint32_t *ret)
{
	uint32_t value = 0;

	if (end - at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = at[i];

		value <<= 4;
		if (c >= '0' && c <= '9')
			value |= (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value |= (uint32_t)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			value |= (uint32_t)(c - 'A') + 10;
		else
			return false;
	}
	*ret = value;
	return true;
}

/**
 * take_escape() - Read one escape
 * @at:		Behind the backslash; moved behind the escape
 * @end:	Of the text
 * @ret:	The character
 *
 * Return: NULL; what is wrong with it.
 */
static const char *take_escape(const char **at, const char *end, uint32_t *ret)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *name;
	uint32_t low;

	if (*at == end)
		return "an escape that does not end";
	if (**at != 'u') {
		name = **at ? strchr(names, **at) : NULL;
		if (!name)
			return "an unknown escape";
		*ret = (unsigned char)values[name - names];
		(*at)++;
		return NULL;
	}
	if (!hex4(*at + 1, end, ret))
		return "an escape without four digits";
	*at += 5;
	if (!*ret)
		return "a NUL character";
	if (*ret < 0xd800 || *ret > 0xdfff)
		return NULL;
	if (*ret > 0xdbff || end - *at < 6 || (*at)[0] != '\\' ||
	    (*at)[1] != 'u' || !hex4(*at + 2, end, &low) || low < 0xdc00 ||
	    low > 0xdfff)
		return "a lone surrogate";
	*ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
	*at += 6;
	return NULL;
}

/* utf8_size() - How many bytes a character takes. */
static size_t utf8_size(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

/**
 * utf8_put() - Write a character
 * @dst:	Room for utf8_size()
 * @c:		The character
 *
 * Return: behind it.
 */
static char *utf8_put(char *dst, uint32_t c)
{
	size_t n = utf8_size(c);

	if (n == 1) {
		*dst = (char)c;
		return dst + 1;
	}
	for (size_t i = n - 1; i; i--, c >>= 6)
		dst[i] = (char)(0x80 | (c & 0x3f));
	*dst = (char)((0xf00 >> n) | c);
	return dst + n;
}

/* json_string() - Read a string */
int json_string(struct json *json, struct json_piece *ret, struct error *err)
{
	const char *wrong, *plain;
	struct json_piece piece;
	uint32_t c;

	if (skip_space(json) != '"')
		return malformed(json, "no string where one must be", err);
	plain = piece.at = ++json->at;
	piece.decoded = 0;
	for (;; json->at++) {
		if (json->at == json->end)
			return malformed(json, "a string that does not end",
					 err);
		if ((unsigned char)*json->at < 0x20)
			return malformed(json, "a control character in a string",
					 err);
		if (*json->at != '"' && *json->at != '\\')
			continue;
		/* Up to here nothing is escaped. */
		if (!str_utf8_valid(plain, (size_t)(json->at - plain))) {
			json->at = plain;
			return malformed(json, "a string that is no UTF-8",
					 err);
		}
		piece.decoded += (size_t)(json->at - plain);
		if (*json->at == '"')
			break;
		plain = json->at + 1;
		wrong = take_escape(&plain, json->end, &c);
		if (wrong)
			return malformed(json, wrong, err);
		piece.decoded += utf8_size(c);
		json->at = plain - 1;
	}
	piece.size = (size_t)(json->at - piece.at);
	json->at++;
	*ret = piece;
	return 0;
}

/* json_decode() - A string without its escapes */
void json_decode(const struct json_piece *piece, char *dst)
{
	const char *at = piece->at, *end = piece->at + piece->size;

	while (at < end) {
		uint32_t c = 0;

		if (*at != '\\') {
			*dst++ = *at++;
			continue;
		}
		at++;
		(void)take_escape(&at, end, &c); /* has been read before */
		dst = utf8_put(dst, c);
	}
}

/* json_key() - Read a key and the colon behind it */
int json_key(struct json *json, struct json_piece *ret, struct error *err)
{
	int r;

	r = json_string(json, ret, err);
	if (r < 0)
		return r;
	if (skip_space(json) != ':')
		return malformed(json, "no colon behind a key", err);
	json->at++;
	return 0;
}

/* digits() - Behind the digits that a text begins with. */
static const char *digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* json_number_size() - How many bytes of a text are a number */
size_t json_number_size(const char *at, const char *end)
{
	const char *start = at, *next;

	if (at < end && *at == '-')
		at++;
	next = digits(at, end);
	/* A zero in front is octal to some readers. */
	if (next == at || (*at == '0' && next > at + 1))
		return 0;
	at = next;
	if (at < end && *at == '.') {
		next = digits(at + 1, end);
		if (next == at + 1)
			return 0;
		at = next;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		next = digits(at, end);
		if (next == at)
			return 0;
		at = next;
	}
	return (size_t)(at - start);
}

/**
 * word_ends() - Does a number or literal end here?
 * @at:		Behind it
 * @end:	Of the text
 */
static bool word_ends(const char *at, const char *end)
{
	return at == end || (*at && strchr(" \t\r\n,]}:", *at));
}

/* json_number() - Read a number */
int json_number(struct json *json, struct json_piece *ret, struct error *err)
{
	size_t n;

	skip_space(json);
	n = json_number_size(json->at, json->end);
	if (!n || !word_ends(json->at + n, json->end))
		return malformed(json, "what is no number", err);
	*ret = (struct json_piece){ json->at, n, n };
	json->at += n;
	return 0;
}

/* json_literal() - Read true, false or null */
int json_literal(struct json *json, struct json_piece *ret, struct error *err)
{
	static const char *const words[] = { "true", "false", "null" };

	skip_space(json);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(json->end - json->at) < n ||
		    memcmp(json->at, words[i], n) != 0 ||
		    !word_ends(json->at + n, json->end))
			continue;
		*ret = (struct json_piece){ json->at, n, n };
		json->at += n;
		return 0;
	}
	return malformed(json, "an unknown word", err);
}

/* json_end() - See that nothing follows but space */
int json_end(struct json *json, struct error *err)
{
	skip_space(json);
	if (json->at < json->end)
		return malformed(json, "something behind its end", err);
	return 0;
}
