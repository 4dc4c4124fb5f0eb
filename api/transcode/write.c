/* SPDX-License-Identifier: Apache-2.0
 *
 * write.c - messages to JSON
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "transcode/base64.h"
#include "transcode/scalar.h"
#include "transcode/transcode.h"

/**
 * struct writer - Where writing stands
 * @text:	Appended to
 * @defaults:	Write fields that have their default, too
 * @err:	Filled on failure
 */
struct writer {
	struct text *text;
	bool defaults;
	struct error *err;
};

static int write_object(struct writer *writer, const struct message_type *type,
			const ProtobufCMessage *message);

/**
 * unfit() - Say that a message cannot be written
 * @writer:	The writer
 * @field:	Which field
 * @why:	What is wrong with it
 *
 * Return: -EINVAL.
 */
static int unfit(struct writer *writer, const struct field_type *field,
		 const char *why)
{
	return error_set(writer->err, -EINVAL, ERROR_DAEMON_INTERNAL,
			 "the answer's field %s %s", field->json, why);
}

/**
 * write_real() - Write a number as short as it can be read back
 * @text:	Appended to
 * @value:	The number
 * @is_float:	It need only be read back as a float
 */
static void write_real(struct text *text, double value, bool is_float)
{
	char digits[40];

	if (isnan(value))
		return text_puts(text, "\"NaN\"");
	if (isinf(value))
		return text_puts(text, value < 0 ? "\"-Infinity\"" :
						   "\"Infinity\"");
	for (int n = is_float ? 6 : 15; n <= 17; n++) {
		snprintf(digits, sizeof(digits), "%.*g", n, value);
		if (is_float ? strtof(digits, NULL) == (float)value :
			       strtod(digits, NULL) == value)
			break;
	}
	text_puts(text, digits);
}

/**
 * write_base64() - Write bytes
 * @text:	Appended to
 * @data:	The bytes
 */
static void write_base64(struct text *text, const ProtobufCBinaryData *data)
{
	char four[4];

	text_puts(text, "\"");
	for (size_t i = 0; i < data->len; i += 3) {
		(void)base64_quad(data->data + i, data->len - i, four);
		text_put(text, four, sizeof(four));
	}
	text_puts(text, "\"");
}

/**
 * write_time() - Write a Timestamp or Duration
 * @writer:	The writer
 * @field:	Whose value it is
 * @message:	The value
 */
static int write_time(struct writer *writer, const struct field_type *field,
		      const ProtobufCMessage *message)
{
	const struct message_type *type = field->message;
	const uint8_t *base = (const uint8_t *)message;
	int64_t seconds = *(const int64_t *)(base +
					     type->memory->fields[0].offset);
	int32_t nanos = *(const int32_t *)(base +
					   type->memory->fields[1].offset);
	char words[64];
	int r;

	if (type->form == FORM_TIMESTAMP)
		r = timestamp_write(seconds, nanos, words, sizeof(words));
	else
		r = duration_write(seconds, nanos, words, sizeof(words));
	if (r < 0)
		return unfit(writer, field, "is out of range");
	text_quote(writer->text, words, strlen(words));
	return 0;
}

/**
 * write_string() - Write a string
 * @writer:	The writer
 * @field:	Whose value it is
 * @s:		The value; NULL counts as empty
 */
static int write_string(struct writer *writer, const struct field_type *field,
			const char *s)
{
	size_t size = s ? strlen(s) : 0;

	/* protobuf-c has not looked. */
	if (!str_utf8_valid(s, size))
		return unfit(writer, field, "is no UTF-8");
	text_quote(writer->text, s, size);
	return 0;
}

/**
 * write_value() - Write one value: of a field, a list or a map
 * @writer:	The writer
 * @field:	Whose value it is
 * @member:	The value
 */
static int write_value(struct writer *writer, const struct field_type *field,
		       const void *member)
{
	const ProtobufCMessage *message;
	const struct enum_value *value;

	switch (field->kind) {
	case KIND_BOOL:
		text_puts(writer->text, *(const protobuf_c_boolean *)member ?
						"true" : "false");
		return 0;
	case KIND_INT32:
		text_format(writer->text, "%" PRId32,
			    *(const int32_t *)member);
		return 0;
	case KIND_UINT32:
		text_format(writer->text, "%" PRIu32,
			    *(const uint32_t *)member);
		return 0;
	/* In strings: JavaScript's numbers have 53 bits. */
	case KIND_INT64:
		text_format(writer->text, "\"%" PRId64 "\"",
			    *(const int64_t *)member);
		return 0;
	case KIND_UINT64:
		text_format(writer->text, "\"%" PRIu64 "\"",
			    *(const uint64_t *)member);
		return 0;
	case KIND_FLOAT:
		write_real(writer->text, *(const float *)member, true);
		return 0;
	case KIND_DOUBLE:
		write_real(writer->text, *(const double *)member, false);
		return 0;
	case KIND_STRING:
		return write_string(writer, field, *(char *const *)member);
	case KIND_BYTES:
		write_base64(writer->text, member);
		return 0;
	case KIND_ENUM:
		value = enum_value_numbered(field->enumeration,
					    *(const int32_t *)member);
		if (value)
			text_quote(writer->text, value->name,
				   strlen(value->name));
		else
			text_format(writer->text, "%" PRId32,
				    *(const int32_t *)member);
		return 0;
	case KIND_MESSAGE:
		break;
	}
	message = *(const ProtobufCMessage *const *)member;
	if (field->message->form != FORM_OBJECT)
		return write_time(writer, field, message);
	return write_object(writer, field->message, message);
}

/**
 * write_list() - Write a list
 * @writer:	The writer
 * @field:	The field
 * @list:	Its values
 * @n:		How many
 */
static int write_list(struct writer *writer, const struct field_type *field,
		      const uint8_t *list, size_t n)
{
	size_t size = scalar_size(field);

	text_puts(writer->text, "[");
	for (size_t i = 0; i < n; i++) {
		int r;

		if (i)
			text_puts(writer->text, ",");
		r = write_value(writer, field, list + i * size);
		if (r < 0)
			return r;
	}
	text_puts(writer->text, "]");
	return 0;
}

/**
 * write_key() - Write the key of a map's entry and a colon
 * @writer:	The writer
 * @type:	Of the entry
 * @entry:	The entry
 */
static int write_key(struct writer *writer, const struct message_type *type,
		     const ProtobufCMessage *entry)
{
	const struct field_type *key = &type->fields[0];
	const uint8_t *member;
	bool bare = key->kind == KIND_BOOL || key->kind == KIND_INT32 ||
		    key->kind == KIND_UINT32;
	int r;

	member = (const uint8_t *)entry + type->memory->fields[0].offset;
	text_puts(writer->text, bare ? "\"" : "");
	r = write_value(writer, key, member);
	text_puts(writer->text, bare ? "\":" : ":");
	return r;
}

/**
 * write_map() - Write a map
 * @writer:	The writer
 * @field:	The field
 * @entries:	Its entries
 * @n:		How many
 *
 * An entry without a message as value has an empty one: the wire may leave it
 * out.
 */
static int write_map(struct writer *writer, const struct field_type *field,
		     ProtobufCMessage *const *entries, size_t n)
{
	static const char *const empty[] = {
		[FORM_OBJECT] = "{}",
		[FORM_TIMESTAMP] = "\"1970-01-01T00:00:00Z\"",
		[FORM_DURATION] = "\"0s\"",
	};
	const struct message_type *type = field->message;
	_cleanup_free_ struct map_entry *sorted = NULL;
	bool first = true;
	int r = 0;

	sorted = calloc(n + 1, sizeof(*sorted));
	if (!sorted)
		return error_set(writer->err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the answer");
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct map_entry){ entries[i], i };
	map_sort(type, sorted, n);
	text_puts(writer->text, "{");
	for (size_t i = 0; i < n && !r; i++) {
		const uint8_t *value;

		if (i + 1 < n && map_same_key(type, &sorted[i], &sorted[i + 1]))
			continue;
		text_puts(writer->text, first ? "" : ",");
		first = false;
		r = write_key(writer, type, sorted[i].message);
		value = (const uint8_t *)sorted[i].message +
			type->memory->fields[1].offset;
		if (r < 0)
			break;
		if (type->fields[1].kind == KIND_MESSAGE &&
		    !*(const void *const *)value)
			text_puts(writer->text,
				  empty[type->fields[1].message->form]);
		else
			r = write_value(writer, &type->fields[1], value);
	}
	text_puts(writer->text, "}");
	return r;
}

/**
 * is_default() - Has a field its default value?
 * @field:	The field, no list
 * @member:	Its value
 */
static bool is_default(const struct field_type *field, const void *member)
{
	static const uint8_t zero[sizeof(uint64_t)];

	if (field->kind == KIND_STRING) {
		const char *s = *(char *const *)member;

		return !s || !*s;
	}
	if (field->kind == KIND_BYTES)
		return !((const ProtobufCBinaryData *)member)->len;
	return !memcmp(member, zero, scalar_size(field));
}

/**
 * write_field() - Write a field of a message, if it is to be seen
 * @writer:	The writer
 * @type:	Of the message
 * @field:	The field
 * @message:	The message
 * @first:	Whether nothing was written before; becomes false
 */
static int write_field(struct writer *writer, const struct message_type *type,
		       const struct field_type *field,
		       const ProtobufCMessage *message, bool *first)
{
	const ProtobufCFieldDescriptor *memory = field_memory(type, field);
	const uint8_t *base = (const uint8_t *)message;
	const void *member = base + memory->offset;
	size_t n = 0;
	bool shown;

	if (field->repeated)
		n = *(const size_t *)(base + memory->quantifier_offset);
	if (field->repeated)
		shown = n || writer->defaults;
	else if (field->oneof)
		shown = *(const uint32_t *)(base + memory->quantifier_offset) ==
			field->number;
	else
		shown = !is_default(field, member) ||
			(writer->defaults && field->kind != KIND_MESSAGE);
	if (!shown)
		return 0;

	text_puts(writer->text, *first ? "" : ",");
	*first = false;
	text_quote(writer->text, field->json, strlen(field->json));
	text_puts(writer->text, ":");
	if (field->map)
		return write_map(writer, field,
				 *(ProtobufCMessage *const *const *)member, n);
	if (field->repeated)
		return write_list(writer, field,
				  *(const uint8_t *const *)member, n);
	return write_value(writer, field, member);
}

/**
 * write_object() - Write a message as an object
 * @writer:	The writer
 * @type:	Of it
 * @message:	The message
 */
static int write_object(struct writer *writer, const struct message_type *type,
			const ProtobufCMessage *message)
{
	bool first = true;

	text_puts(writer->text, "{");
	for (size_t i = 0; i < type->n_fields; i++) {
		int r;

		r = write_field(writer, type, &type->fields[i], message,
				&first);
		if (r < 0)
			return r;
	}
	text_puts(writer->text, "}");
	return 0;
}

/* json_write() - Write a message */
int json_write(const struct message_type *type,
	       const ProtobufCMessage *message, bool defaults,
	       struct text *text, struct error *err)
{
	struct writer writer = { text, defaults, err };
	int r;

	r = write_object(&writer, type, message);
	return r < 0 ? r : text_error(text, err);
}
