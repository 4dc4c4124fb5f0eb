/* SPDX-License-Identifier: Apache-2.0
 *
 * read.c - JSON to messages
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "transcode/json.h"
#include "transcode/scalar.h"
#include "transcode/transcode.h"

/* Elements that a list has room for first. */
#define LIST_FIRST 4

/**
 * struct step - One step of the path to a value
 * @field:	The field
 * @index:	In a list; -1 for none
 * @key:	In a map; @key.at is NULL for none
 */
struct step {
	const struct field_type *field;
	long index;
	struct json_piece key;
};

/**
 * struct reader - Where reading stands
 * @json:	The text
 * @arena:	Where messages go
 * @steps:	The path to the value that is read
 * @n_steps:	How many
 * @err:	Filled on failure
 */
struct reader {
	struct json json;
	struct arena *arena;
	struct step steps[JSON_DEPTH + 1];
	size_t n_steps;
	struct error *err;
};

static int read_object(struct reader *reader, const struct message_type *type,
		       ProtobufCMessage *message, uint64_t *ret_set);

/* field_error_fill() - What field_error() does with @err */
void field_error_fill(struct error *err, const char *path, const char *why)
{
	error_fill(err, -EINVAL, ERROR_REQUEST_INVALID, "field %s %s", path,
		   why);
	error_cause(err, "field", path, "%s", why);
}

/* arena_error_fill() - What arena_error() does with @err */
void arena_error_fill(const struct arena *arena, const char *what,
		      struct error *err)
{
	if (arena->exceeded)
		error_fill(err, -E2BIG, ERROR_REQUEST_TOO_COMPLEX,
			   "reading the %s takes more than %zu bytes", what,
			   arena->budget);
	else
		error_fill(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
			   "no memory to read the %s", what);
}

/**
 * invalid() - Say what is wrong with the value that is read
 * @reader:	Knows the path
 * @name:	A member of it; NULL for the value itself
 * @size:	Of @name
 * @why:	What is wrong
 *
 * Return: -EINVAL.
 */
static int invalid(struct reader *reader, const char *name, size_t size,
		   const char *why)
{
	char path[FIELD_PATH_MAX] = "";
	size_t n = 0;

	for (size_t i = 0; i < reader->n_steps && n < sizeof(path); i++) {
		const struct step *step = &reader->steps[i];

		str_format(path + n, sizeof(path) - n, "%s%s", n ? "." : "",
			   step->field->json);
		n = strlen(path);
		if (step->index >= 0)
			str_format(path + n, sizeof(path) - n, "[%ld]",
				   step->index);
		if (step->key.at)
			str_format(path + n, sizeof(path) - n, "[\"%.*s\"]",
				   (int)step->key.size, step->key.at);
		n = strlen(path);
	}
	if (name)
		str_format(path + n, sizeof(path) - n, "%s%.*s", n ? "." : "",
			   (int)size, name);
	return field_error(reader->err, *path ? path : "(the whole)", why);
}

/* out_of_memory() - Say why the arena gave none. */
static int out_of_memory(struct reader *reader)
{
	return arena_error(reader->arena, "JSON text", reader->err);
}

/**
 * decoded() - A string of the text, without escapes
 * @reader:	Gives memory if it has any
 * @piece:	The string
 *
 * Return: it, not ended; NULL without memory.
 */
static const char *decoded(struct reader *reader,
			   const struct json_piece *piece)
{
	char *copy;

	if (piece->decoded == piece->size)
		return piece->at;
	copy = arena_alloc(reader->arena, piece->decoded);
	if (copy)
		json_decode(piece, copy);
	return copy;
}

/**
 * read_scalar() - Read a value that is no object and no list
 * @reader:	The reader
 * @field:	What it is for
 * @kind:	What comes next
 * @member:	Where it goes
 */
static int read_scalar(struct reader *reader, const struct field_type *field,
		       enum json_kind kind, void *member)
{
	struct json_piece piece = { NULL, 0, 0 };
	struct scalar scalar = { .source = SCALAR_STRING };
	char why[WHY_MAX];
	int r = 0;

	switch (kind) {
	case JSON_STRING:
		r = json_string(&reader->json, &piece, reader->err);
		break;
	case JSON_NUMBER:
		scalar.source = SCALAR_NUMBER;
		r = json_number(&reader->json, &piece, reader->err);
		break;
	case JSON_BOOL:
		scalar.source = SCALAR_BOOL;
		r = json_literal(&reader->json, &piece, reader->err);
		break;
	case JSON_OBJECT:
		return invalid(reader, NULL, 0, "must not be an object");
	case JSON_ARRAY:
		return invalid(reader, NULL, 0, "must not be a list");
	case JSON_NULL:
		return invalid(reader, NULL, 0, "must not be null");
	}
	if (r < 0)
		return r;
	scalar.text = decoded(reader, &piece);
	scalar.size = piece.decoded;
	if (!scalar.text)
		return out_of_memory(reader);
	r = scalar_read(field, &scalar, reader->arena, member, why);
	if (r == -ENOMEM)
		return out_of_memory(reader);
	return r < 0 ? invalid(reader, NULL, 0, why) : 0;
}

/**
 * read_value() - Read one value: of a field, a list or a map
 * @reader:	The reader
 * @field:	What it is for
 * @member:	Where it goes
 */
static int read_value(struct reader *reader, const struct field_type *field,
		      void *member)
{
	ProtobufCMessage *message;
	enum json_kind kind;
	uint64_t set;
	int r;

	r = json_kind(&reader->json, &kind, reader->err);
	if (r < 0)
		return r;
	if (kind != JSON_OBJECT || field->kind != KIND_MESSAGE ||
	    field->message->form != FORM_OBJECT)
		return read_scalar(reader, field, kind, member);
	message = arena_message(reader->arena, field->message->memory);
	if (!message)
		return out_of_memory(reader);
	r = read_object(reader, field->message, message, &set);
	if (r < 0)
		return r;
	*(ProtobufCMessage **)member = message;
	return 0;
}

/* message_slot() - Where the next value of a field goes in its message */
int message_slot(const struct message_type *type, ProtobufCMessage *message,
		 const struct field_type *field, struct arena *arena,
		 void **ret)
{
	const ProtobufCFieldDescriptor *memory = field_memory(type, field);
	uint8_t *base = (uint8_t *)message, *list;
	size_t size = scalar_size(field), *n;

	if (!field->repeated) {
		if (field->oneof) {
			uint32_t *which;

			which = (uint32_t *)(base + memory->quantifier_offset);
			if (*which)
				return -EEXIST;
			*which = field->number;
		}
		*ret = base + memory->offset;
		return 0;
	}
	n = (size_t *)(base + memory->quantifier_offset);
	list = *(uint8_t **)(base + memory->offset);
	/* It is full at each power of two. */
	if (!*n || (*n >= LIST_FIRST && !(*n & (*n - 1)))) {
		uint8_t *old = list;

		list = arena_alloc(arena, size * (*n ? *n * 2 : LIST_FIRST));
		if (!list)
			return -ENOMEM;
		if (*n)
			memcpy(list, old, size * *n);
		*(uint8_t **)(base + memory->offset) = list;
	}
	*ret = list + size * (*n)++;
	return 0;
}

/**
 * read_list() - Read a list
 * @reader:	The reader
 * @type:	Of the message
 * @message:	The message
 * @field:	The field
 */
static int read_list(struct reader *reader, const struct message_type *type,
		     ProtobufCMessage *message, const struct field_type *field)
{
	struct step *step = &reader->steps[reader->n_steps - 1];
	bool more;
	void *slot;
	int r;

	r = json_enter(&reader->json, reader->err);
	for (step->index = 0; !r; step->index++) {
		r = json_more(&reader->json, ']', !step->index, &more,
			      reader->err);
		if (r < 0 || !more)
			break;
		if (message_slot(type, message, field, reader->arena, &slot) <
		    0)
			return out_of_memory(reader);
		r = read_value(reader, field, slot);
	}
	return r;
}

/**
 * read_entry() - Read one member of a map
 * @reader:	The reader
 * @field:	The map
 * @ret:	The entry
 */
static int read_entry(struct reader *reader, const struct field_type *field,
		      ProtobufCMessage **ret)
{
	struct step *step = &reader->steps[reader->n_steps - 1];
	const struct message_type *type = field->message;
	struct scalar key = { .source = SCALAR_TEXT };
	ProtobufCMessage *entry;
	char why[WHY_MAX];
	uint8_t *base;
	int r;

	r = json_key(&reader->json, &step->key, reader->err);
	if (r < 0)
		return r;
	entry = arena_message(reader->arena, type->memory);
	key.text = decoded(reader, &step->key);
	key.size = step->key.decoded;
	if (!entry || !key.text)
		return out_of_memory(reader);
	base = (uint8_t *)entry;
	r = scalar_read(&type->fields[0], &key, reader->arena,
			base + type->memory->fields[0].offset, why);
	if (r == -ENOMEM)
		return out_of_memory(reader);
	if (r < 0)
		return invalid(reader, NULL, 0, why);
	r = read_value(reader, &type->fields[1],
		       base + type->memory->fields[1].offset);
	if (r < 0)
		return r;
	*ret = entry;
	return 0;
}

/**
 * map_unique() - See that no key of a map came twice
 * @reader:	The reader
 * @field:	The map
 * @entries:	Its entries
 * @n:		How many
 *
 * Ordered first: comparing each with each takes minutes for what a request can
 * carry.
 */
static int map_unique(struct reader *reader, const struct field_type *field,
		      ProtobufCMessage *const *entries, size_t n)
{
	const struct message_type *type = field->message;
	struct map_entry *sorted;

	sorted = arena_alloc(reader->arena, n * sizeof(*sorted));
	if (!sorted)
		return out_of_memory(reader);
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct map_entry){ entries[i], i };
	map_sort(type, sorted, n);
	for (size_t i = 1; i < n; i++) {
		const uint8_t *base = (const uint8_t *)sorted[i].message;
		const char *key = "";

		if (!map_same_key(type, &sorted[i - 1], &sorted[i]))
			continue;
		if (type->fields[0].kind == KIND_STRING)
			key = *(char *const *)(base +
					       type->memory->fields[0].offset);
		return error_set(reader->err, -EBADMSG,
				 ERROR_REQUEST_MALFORMED,
				 "the JSON text has a key of %s twice: %s",
				 field->json, *key ? key : "(see there)");
	}
	return 0;
}

/**
 * read_map() - Read a map
 * @reader:	The reader
 * @type:	Of the message
 * @message:	The message
 * @field:	The field
 */
static int read_map(struct reader *reader, const struct message_type *type,
		    ProtobufCMessage *message, const struct field_type *field)
{
	const ProtobufCFieldDescriptor *memory = field_memory(type, field);
	uint8_t *base = (uint8_t *)message;
	bool first = true, more;
	void *slot;
	int r;

	r = json_enter(&reader->json, reader->err);
	for (; !r; first = false) {
		r = json_more(&reader->json, '}', first, &more, reader->err);
		if (r < 0 || !more)
			break;
		if (message_slot(type, message, field, reader->arena, &slot) <
		    0)
			return out_of_memory(reader);
		r = read_entry(reader, field, slot);
	}
	if (r < 0)
		return r;
	return map_unique(reader, field,
			  *(ProtobufCMessage ***)(base + memory->offset),
			  *(size_t *)(base + memory->quantifier_offset));
}

/**
 * read_field() - Read the value of a field into its message
 * @reader:	The reader, with the field as last step
 * @type:	Of the message
 * @message:	The message
 * @field:	The field
 * @ret_set:	It was not null
 */
static int read_field(struct reader *reader, const struct message_type *type,
		      ProtobufCMessage *message,
		      const struct field_type *field, bool *ret_set)
{
	enum json_kind kind;
	struct json_piece null;
	void *slot;
	int r;

	r = json_kind(&reader->json, &kind, reader->err);
	if (r < 0)
		return r;
	*ret_set = kind != JSON_NULL;
	if (kind == JSON_NULL)
		return json_literal(&reader->json, &null, reader->err);
	if (field->repeated && kind != (field->map ? JSON_OBJECT : JSON_ARRAY))
		return invalid(reader, NULL, 0,
			       field->map ? "must be an object" :
					    "must be a list");
	if (field->map)
		return read_map(reader, type, message, field);
	if (field->repeated)
		return read_list(reader, type, message, field);
	if (message_slot(type, message, field, reader->arena, &slot) < 0) {
		char why[WHY_MAX];

		str_format(why, sizeof(why), "is a second value of %s",
			   field->oneof);
		return invalid(reader, NULL, 0, why);
	}
	return read_value(reader, field, slot);
}

/**
 * read_member() - Read one member of an object into a message
 * @reader:	The reader
 * @type:	Of the message
 * @message:	The message
 * @seen:	A bit for each field that came before
 * @ret_set:	A bit is added if the field is set now
 */
static int read_member(struct reader *reader, const struct message_type *type,
		       ProtobufCMessage *message, uint64_t *seen,
		       uint64_t *ret_set)
{
	const struct field_type *field;
	struct json_piece key;
	const char *name;
	uint64_t bit;
	bool set;
	int r;

	r = json_key(&reader->json, &key, reader->err);
	if (r < 0)
		return r;
	name = decoded(reader, &key);
	if (!name)
		return out_of_memory(reader);
	field = field_named(type, name, key.decoded);
	if (!field)
		return invalid(reader, key.at, key.size, "is unknown");
	bit = 1ull << (field - type->fields);
	if (*seen & bit)
		return error_set(reader->err, -EBADMSG,
				 ERROR_REQUEST_MALFORMED,
				 "the JSON text has the field %s twice in one object",
				 field->json);
	*seen |= bit;
	if (reader->n_steps == ARRAY_SIZE(reader->steps))
		return invalid(reader, key.at, key.size, "lies too deep");
	reader->steps[reader->n_steps++] =
		(struct step){ .field = field, .index = -1 };
	r = read_field(reader, type, message, field, &set);
	if (r < 0)
		return r;
	reader->n_steps--;
	*ret_set |= set ? bit : 0;
	return 0;
}

/**
 * read_object() - Read an object into a message
 * @reader:	The reader
 * @type:	Of the message
 * @message:	The message, empty
 * @ret_set:	A bit for each field that is set now
 */
static int read_object(struct reader *reader, const struct message_type *type,
		       ProtobufCMessage *message, uint64_t *ret_set)
{
	uint64_t seen = 0;
	bool first = true, more;
	int r;

	*ret_set = 0;
	r = json_enter(&reader->json, reader->err);
	for (; !r; first = false) {
		r = json_more(&reader->json, '}', first, &more, reader->err);
		if (r < 0 || !more)
			break;
		r = read_member(reader, type, message, &seen, ret_set);
	}
	return r;
}

/* json_read_into() - Read into a message that there is */
int json_read_into(const struct message_type *type, ProtobufCMessage *message,
		   const struct field_type *only, const char *text,
		   size_t size, struct arena *arena, uint64_t *ret_set,
		   struct error *err)
{
	struct reader reader = { .arena = arena, .err = err };
	enum json_kind kind;
	bool set;
	int r;

	json_init(&reader.json, text, size);
	if (only) {
		reader.steps[reader.n_steps++] =
			(struct step){ .field = only, .index = -1 };
		r = read_field(&reader, type, message, only, &set);
		*ret_set = set ? 1ull << (only - type->fields) : 0;
	} else {
		r = json_kind(&reader.json, &kind, err);
		if (r < 0)
			return r;
		if (kind != JSON_OBJECT)
			return invalid(&reader, NULL, 0, "must be an object");
		r = read_object(&reader, type, message, ret_set);
	}
	return r < 0 ? r : json_end(&reader.json, err);
}

/* json_read() - Read a message that a stranger wrote */
int json_read(const struct message_type *type, const char *text, size_t size,
	      struct arena *arena, ProtobufCMessage **ret, struct error *err)
{
	ProtobufCMessage *message = arena_message(arena, type->memory);
	uint64_t set;
	int r;

	if (!message)
		return arena_error(arena, "JSON text", err);
	r = json_read_into(type, message, NULL, text, size, arena, &set, err);
	if (r < 0)
		return r;
	*ret = message;
	return 0;
}
