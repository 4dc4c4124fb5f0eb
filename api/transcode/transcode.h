/* SPDX-License-Identifier: Apache-2.0
 *
 * transcode.h - messages to JSON and back, by the contract's tables
 *
 * DOC: Theory of Operation
 *
 * The mapping is proto3's, with the choices that schema/README.md lists. What
 * is read comes from a stranger: all memory is from an arena with a budget;
 * unknown fields, fields that come twice (under either name) and second values
 * of a oneof are refused, and named. What is written comes from ioasidd and
 * has a limit too. Neither side uses the other's types: these tables and
 * protobuf-c's messages are all that they share.
 */
#ifndef API_TRANSCODE_TRANSCODE_H
#define API_TRANSCODE_TRANSCODE_H

#include "base/arena.h"
#include "base/error.h"
#include "transcode/tables.h"

/* The longest path of a field in the words of an error. */
#define FIELD_PATH_MAX 112

/**
 * json_read() - Read a message that a stranger wrote
 * @type:	What it should be
 * @text:	One JSON value, not ended
 * @size:	Of @text, bytes
 * @arena:	Where the message goes
 * @ret:	The message; lives as long as the arena
 *
 * Return: 0; -EBADMSG request.malformed: it is no JSON; -EINVAL
 * request.invalid: the first field that is wrong is named, in the words and as
 * a cause of kind "field"; -E2BIG request.too-complex; -ENOMEM
 * daemon.no-memory.
 */
int json_read(const struct message_type *type, const char *text, size_t size,
	      struct arena *arena, ProtobufCMessage **ret, struct error *err);

/**
 * json_read_into() - Read into a message that there is
 * @type:	Of the message
 * @message:	Empty
 * @only:	The text is the value of this field; NULL: it is all of it
 * @ret_set:	A bit for each field that was given and is not null
 *
 * Return: as json_read().
 */
int json_read_into(const struct message_type *type, ProtobufCMessage *message,
		   const struct field_type *only, const char *text,
		   size_t size, struct arena *arena, uint64_t *ret_set,
		   struct error *err);

/**
 * message_slot() - Where the next value of a field goes in its message
 * @type:	Of the message
 * @message:	The message; a oneof is set to the field, a list grows by one
 * @field:	The field; no map
 * @arena:	Where a list grows
 * @ret:	Of scalar_size() bytes, zeroed
 *
 * Return: 0; -EEXIST if the oneof has another value; -ENOMEM.
 */
int message_slot(const struct message_type *type, ProtobufCMessage *message,
		 const struct field_type *field, struct arena *arena,
		 void **ret);

/* arena_error_fill() - What arena_error() does with @err. */
void arena_error_fill(const struct arena *arena, const char *what,
		      struct error *err);

/**
 * arena_error() - Say why an arena gave no memory
 * @arena:	The arena
 * @what:	What was to be read
 * @err:	Filled
 *
 * Return: -E2BIG request.too-complex; -ENOMEM daemon.no-memory.
 */
static inline int arena_error(const struct arena *arena, const char *what,
			      struct error *err)
{
	arena_error_fill(arena, what, err);
	return arena->exceeded ? -E2BIG : -ENOMEM;
}

/* field_error_fill() - What field_error() does with @err. */
void field_error_fill(struct error *err, const char *path, const char *why);

/**
 * field_error() - Say what is wrong with a field
 * @err:	Filled: request.invalid, with a cause of kind "field"
 * @path:	Of the field
 * @why:	What is wrong; follows the path in the words
 *
 * Here, so that analysers see that it returns a failure.
 *
 * Return: -EINVAL.
 */
static inline int field_error(struct error *err, const char *path,
			      const char *why)
{
	field_error_fill(err, path, why);
	return -EINVAL;
}

/**
 * struct map_entry - An entry of a map, to be ordered
 * @message:	The entry
 * @index:	Where it was
 */
struct map_entry {
	const ProtobufCMessage *message;
	size_t index;
};

/* map_sort() - Order entries by key, equal ones by index. @type: of an entry. */
void map_sort(const struct message_type *type, struct map_entry *entries,
	      size_t n);

/* map_same_key() - Have two entries the same key? */
bool map_same_key(const struct message_type *type, const struct map_entry *a,
		  const struct map_entry *b);

/**
 * struct text - Text that grows up to a limit
 * @data:	The text, ended with a NUL; NULL when empty
 * @size:	Without the NUL
 * @room:	At @data
 * @limit:	What @size may become
 * @exceeded:	The limit was not enough; stays set
 * @failed:	There was no memory; stays set
 */
struct text {
	char *data;
	size_t size;
	size_t room;
	size_t limit;
	bool exceeded;
	bool failed;
};

#define TEXT_NULL(most) ((struct text){ .limit = (most) })

/* text_deinit() - Free it; empty afterwards. */
void text_deinit(struct text *text);

#define _cleanup_text_ __attribute__((cleanup(text_deinit)))

/* text_put() - Append bytes. */
void text_put(struct text *text, const char *s, size_t size);

/* text_puts() - Append a string. */
void text_puts(struct text *text, const char *s);

/* text_format() - Append words of less than 64 bytes: numbers. */
void text_format(struct text *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* text_quote() - Append a JSON string of valid UTF-8. */
void text_quote(struct text *text, const char *s, size_t size);

/* text_error() - Say why it is not whole. Return: 0 if it is; -EMSGSIZE
 * daemon.internal; -ENOMEM daemon.no-memory.
 */
int text_error(const struct text *text, struct error *err);

/**
 * json_write() - Write a message
 * @type:	Of it
 * @message:	The message
 * @defaults:	Write fields that have their default, too, but for oneofs and
 *		messages
 * @text:	Appended to; half of it may be there on failure
 *
 * Fields come by number, the entries of maps by key; of two with one key the
 * later is written.
 *
 * Return: 0; -EINVAL daemon.internal: a string is no UTF-8 or a time is out of
 * range; as text_error().
 */
int json_write(const struct message_type *type,
	       const ProtobufCMessage *message, bool defaults,
	       struct text *text, struct error *err);

#endif
