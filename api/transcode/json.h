/* SPDX-License-Identifier: Apache-2.0
 *
 * json.h - a strict reader of JSON text, value by value
 *
 * DOC: Theory of Operation
 *
 * The text is a stranger's. json-c is not used for it: it builds a tree first
 * (66 MiB for 256 KiB of "{},", and it takes no allocator that could say no),
 * lets the last of two keys win, turns large integers and 1e400 into others,
 * takes NaN, and replaces lone surrogates. Here nothing is allocated: the
 * caller asks for what comes next, gets pieces of the text, and decides.
 *
 * Strict means RFC 8259, and: UTF-8 without NUL, no lone surrogates, at most
 * JSON_DEPTH containers in each other. Duplicate keys are for the caller to
 * find, who knows what the keys are.
 */
#ifndef API_TRANSCODE_JSON_H
#define API_TRANSCODE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* How deep containers may lie in each other. */
#define JSON_DEPTH 16

/**
 * enum json_kind - What a value is, as its first character tells
 */
enum json_kind {
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_BOOL,
	JSON_NULL,
};

/**
 * struct json - Where reading stands
 * @start:	Of the text
 * @at:		The next character
 * @end:	Of the text
 * @depth:	Containers that are open
 */
struct json {
	const char *start;
	const char *at;
	const char *end;
	unsigned int depth;
};

/**
 * struct json_piece - A piece of the text
 * @at:		Of a string: behind the quotation mark
 * @size:	Of it, bytes, as written
 * @decoded:	Of a string: without escapes, bytes
 */
struct json_piece {
	const char *at;
	size_t size;
	size_t decoded;
};

/* json_init() - Begin to read @size bytes of @text. */
void json_init(struct json *json, const char *text, size_t size);

/* All of these: return 0, or -EBADMSG request.malformed with words that say
 * where in the text.
 */

/* json_kind() - What kind of value comes next. */
int json_kind(struct json *json, enum json_kind *ret, struct error *err);

/* json_enter() - Go into the object or array that comes next. */
int json_enter(struct json *json, struct error *err);

/**
 * json_more() - Is there another member or element?
 * @json:	In a container, behind a member or at its beginning
 * @close:	'}' or ']'
 * @first:	At its beginning
 * @ret:	False: the container has been left
 */
int json_more(struct json *json, char close, bool first, bool *ret,
	      struct error *err);

/* json_key() - Read a key and the colon behind it. */
int json_key(struct json *json, struct json_piece *ret, struct error *err);

/* json_string() - Read a string. */
int json_string(struct json *json, struct json_piece *ret, struct error *err);

/* json_number() - Read a number. */
int json_number(struct json *json, struct json_piece *ret, struct error *err);

/* json_literal() - Read true, false or null. */
int json_literal(struct json *json, struct json_piece *ret, struct error *err);

/* json_end() - See that nothing follows but space. */
int json_end(struct json *json, struct error *err);

/**
 * json_decode() - A string without its escapes
 * @piece:	From json_string() or json_key()
 * @dst:	@piece->decoded bytes; no NUL is added
 */
void json_decode(const struct json_piece *piece, char *dst);

/**
 * json_number_size() - How many bytes of a text are a number
 * @at:		The text
 * @end:	Of it
 *
 * Return: the length; 0 if it does not begin with one.
 */
size_t json_number_size(const char *at, const char *end);

#endif
