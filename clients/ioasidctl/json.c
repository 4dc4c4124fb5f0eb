/* SPDX-License-Identifier: Apache-2.0
 *
 * json.c - any message as JSON, by the mapping of proto3
 *
 * Walks protobuf-c's descriptors, so that it knows every message of the
 * contract, those of later versions too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "google/protobuf/timestamp.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"

/**
 * need() - Go on only with memory
 * @object:	What json-c made
 *
 * Return: @object, never NULL.
 */
static struct json_object *need(struct json_object *object)
{
	if (!object)
		ctl_no_memory();
	return object;
}

/**
 * put() - Add a member to an object
 * @to:		The object
 * @name:	Its name
 * @value:	The value; passes to the object; NULL for null
 */
static void put(struct json_object *to, const char *name,
		struct json_object *value)
{
	if (json_object_object_add(to, name, value) < 0)
		ctl_no_memory();
}

/**
 * camel() - A field's name in JSON
 * @name:	"page_size"
 * @ret:	"pageSize"
 * @size:	Room there
 */
static void camel(const char *name, char *ret, size_t size)
{
	size_t n = 0;
	bool upper = false;

	for (; *name && n + 1 < size; name++) {
		if (*name == '_') {
			upper = true;
			continue;
		}
		ret[n++] = upper && *name >= 'a' && *name <= 'z' ?
			   (char)(*name - 'a' + 'A') : *name;
		upper = false;
	}
	ret[n] = '\0';
}

/**
 * json_base64() - Bytes in base64
 * @bytes:	The bytes
 *
 * Return: a string.
 */
static struct json_object *json_base64(const ProtobufCBinaryData *bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	struct json_object *object;
	size_t n = 0;
	char *text;

	text = malloc((bytes->len + 2) / 3 * 4 + 1);
	if (!text)
		ctl_no_memory();
	for (size_t i = 0; i < bytes->len; i += 3) {
		size_t left = bytes->len - i;
		uint32_t v = (uint32_t)bytes->data[i] << 16;

		v |= left > 1 ? (uint32_t)bytes->data[i + 1] << 8 : 0;
		v |= left > 2 ? bytes->data[i + 2] : 0;
		text[n++] = digits[v >> 18];
		text[n++] = digits[v >> 12 & 63];
		text[n++] = left > 1 ? digits[v >> 6 & 63] : '=';
		text[n++] = left > 2 ? digits[v & 63] : '=';
	}
	text[n] = '\0';
	object = json_object_new_string(text);
	free(text);
	return need(object);
}

/**
 * json_timestamp() - A time as RFC 3339, in UTC
 * @t:		The time
 *
 * With 0, 3, 6 or 9 digits of fraction, as many as it needs.
 *
 * Return: a string; NULL, which is null, for a time that is none.
 */
static struct json_object *json_timestamp(const Google__Protobuf__Timestamp *t)
{
	time_t seconds = (time_t)t->seconds;
	char date[32], text[64];
	struct tm tm;

	/* The years 1 to 9999, as the mapping has it. */
	if (t->seconds < -62135596800 || t->seconds > 253402300799 ||
	    t->nanos < 0 || t->nanos > 999999999 || !gmtime_r(&seconds, &tm))
		return NULL;
	/* strftime() does not fill the year up to four digits. */
	(void)str_format(date, sizeof(date), "%04d-%02d-%02dT%02d:%02d:%02d",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
			 tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (t->nanos % 1000)
		(void)str_format(text, sizeof(text), "%s.%09dZ", date,
				 t->nanos);
	else if (t->nanos % 1000000)
		(void)str_format(text, sizeof(text), "%s.%06dZ", date,
				 t->nanos / 1000);
	else if (t->nanos)
		(void)str_format(text, sizeof(text), "%s.%03dZ", date,
				 t->nanos / 1000000);
	else
		(void)str_format(text, sizeof(text), "%sZ", date);
	return need(json_object_new_string(text));
}

/**
 * json_enum() - A value of an enum by its name
 * @type:	The enum
 * @value:	The value
 *
 * Return: a string; a number for a value that we do not know.
 */
static struct json_object *json_enum(const ProtobufCEnumDescriptor *type,
				     int value)
{
	const ProtobufCEnumValue *v;

	v = protobuf_c_enum_descriptor_get_value(type, value);
	return need(v ? json_object_new_string(v->name) :
			json_object_new_int(value));
}

/**
 * json_number64() - A 64-bit number as a string
 * @value:	The number
 * @is_signed:	It is an int64_t
 *
 * Return: a string.
 */
static struct json_object *json_number64(uint64_t value, bool is_signed)
{
	char text[32];

	if (is_signed)
		(void)str_format(text, sizeof(text), "%" PRId64,
				 (int64_t)value);
	else
		(void)str_format(text, sizeof(text), "%" PRIu64, value);
	return need(json_object_new_string(text));
}

/**
 * value_size() - How far apart the values of a repeated field lie
 * @type:	Their type
 *
 * Return: bytes.
 */
static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	}
	return sizeof(void *);
}

/**
 * json_value() - One value of a field
 * @field:	The field
 * @value:	Where the value is; a message is not NULL
 *
 * Return: its JSON; NULL for null.
 */
static struct json_object *json_value(const ProtobufCFieldDescriptor *field,
				      const void *value)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return need(json_object_new_int(*(const int32_t *)value));
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return need(json_object_new_int64(*(const uint32_t *)value));
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return json_number64(*(const uint64_t *)value, true);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return json_number64(*(const uint64_t *)value, false);
	case PROTOBUF_C_TYPE_FLOAT:
		return need(json_object_new_double(
			(double)*(const float *)value));
	case PROTOBUF_C_TYPE_DOUBLE:
		return need(json_object_new_double(*(const double *)value));
	case PROTOBUF_C_TYPE_BOOL:
		return need(json_object_new_boolean(
			*(const protobuf_c_boolean *)value));
	case PROTOBUF_C_TYPE_ENUM:
		return json_enum(field->descriptor, *(const int *)value);
	case PROTOBUF_C_TYPE_STRING:
		return need(json_object_new_string(
			*(char *const *)value));
	case PROTOBUF_C_TYPE_BYTES:
		return json_base64(value);
	case PROTOBUF_C_TYPE_MESSAGE:
		return json_of(*(ProtobufCMessage *const *)value);
	}
	return NULL;
}

/**
 * is_map() - Is a field a map?
 * @field:	A field
 *
 * protobuf-c does not tell: for it a map is a repeated message "<Name>Entry"
 * of a key and a value. The contract has no other message of such a name.
 *
 * Return: true if it is.
 */
static bool is_map(const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *type = field->descriptor;
	size_t n;

	if (field->label != PROTOBUF_C_LABEL_REPEATED ||
	    field->type != PROTOBUF_C_TYPE_MESSAGE || type->n_fields != 2)
		return false;
	n = strlen(type->short_name);
	return n > 5 && str_eq(type->short_name + n - 5, "Entry") &&
	       str_eq(type->fields[0].name, "key") &&
	       str_eq(type->fields[1].name, "value");
}

/**
 * json_map() - A map as an object
 * @entries:	Its entries
 * @n:		How many
 *
 * Return: the object.
 */
static struct json_object *json_map(ProtobufCMessage *const *entries, size_t n)
{
	struct json_object *map = need(json_object_new_object());

	for (size_t i = 0; i < n; i++) {
		const ProtobufCFieldDescriptor *f =
			entries[i]->descriptor->fields;
		const char *base = (const char *)entries[i];
		struct json_object *key = json_value(&f[0],
						     base + f[0].offset);

		put(map, json_object_get_string(key),
		    json_value(&f[1], base + f[1].offset));
		json_object_put(key);
	}
	return map;
}

/**
 * json_repeated() - A repeated field as an array, a map as an object
 * @field:	The field
 * @base:	The message that has it
 *
 * Return: the array or object.
 */
static struct json_object *json_repeated(const ProtobufCFieldDescriptor *field,
					 const char *base)
{
	size_t n = *(const size_t *)(base + field->quantifier_offset);
	const char *values = *(const char *const *)(base + field->offset);
	size_t size = value_size(field->type);
	struct json_object *array;

	if (is_map(field))
		return json_map((ProtobufCMessage *const *)values, n);
	array = need(json_object_new_array());
	for (size_t i = 0; i < n; i++)
		if (json_object_array_add(array, json_value(field,
					  values + i * size)) < 0)
			ctl_no_memory();
	return array;
}

/**
 * json_field() - Add one field to its message's object
 * @to:		The object
 * @field:	The field
 * @base:	The message that has it
 */
static void json_field(struct json_object *to,
		       const ProtobufCFieldDescriptor *field, const char *base)
{
	const void *value = base + field->offset;
	bool absent = field->type == PROTOBUF_C_TYPE_MESSAGE;
	char name[64];

	camel(field->name, name, sizeof(name));
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		put(to, name, json_repeated(field, base));
		return;
	}
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
	    *(const uint32_t *)(base + field->quantifier_offset) != field->id)
		return;
	if (absent && !*(ProtobufCMessage *const *)value)
		return;
	put(to, name, json_value(field, value));
}

/* json_of() - See json.h. */
struct json_object *json_of(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	struct json_object *object;

	if (type == &google__protobuf__timestamp__descriptor)
		return json_timestamp((const void *)message);

	object = need(json_object_new_object());
	for (unsigned int i = 0; i < type->n_fields; i++)
		json_field(object, &type->fields[i], (const char *)message);
	return object;
}

/* json_print_line() - See json.h. */
void json_print_line(const ProtobufCMessage *message)
{
	struct json_object *object = json_of(message);

	printf("%s\n", json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN |
		JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

/* json_print() - See json.h. */
void json_print(const ProtobufCMessage *message)
{
	struct json_object *object = json_of(message);

	printf("%s\n", json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
		JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
