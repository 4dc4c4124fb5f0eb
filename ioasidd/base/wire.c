/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.c - bytes of strangers to messages
 */
#include "base/wire.h"

#include <errno.h>

#include "base/str.h"

/* The largest number that a field can have (29 bits). */
#define FIELD_MAX 0x1fffffff

/* Fields of one message whose repetition is noticed. */
#define FIELDS_SEEN 64

/**
 * struct cursor - Where a walk over bytes stands
 * @at:		The next byte
 * @left:	How many there are
 */
struct cursor {
	const uint8_t *at;
	size_t left;
};

/**
 * struct value - The value of one field on the wire
 * @wire:	How it is written
 * @number:	Of a varint
 * @bytes:	Of what has a length
 */
struct value {
	ProtobufCWireType wire;
	uint64_t number;
	struct cursor bytes;
};

static int scan_message(const ProtobufCMessageDescriptor *type,
			struct cursor in, unsigned int depth,
			struct error *err);

/**
 * malformed() - Say that bytes are no message
 * @type:	What they should be
 * @what:	What is wrong with them
 * @err:	Filled
 *
 * Return: -EBADMSG.
 */
static int malformed(const ProtobufCMessageDescriptor *type, const char *what,
		     struct error *err)
{
	return error_set(err, -EBADMSG, ERROR_REQUEST_MALFORMED,
			 "the bytes are no %s: %s", type->short_name, what);
}

/**
 * take_varint() - Read a number of up to ten bytes
 * @in:		Moved behind it
 * @ret:	The number
 *
 * Return: false if it does not end.
 */
static bool take_varint(struct cursor *in, uint64_t *ret)
{
	uint64_t number = 0;

	for (unsigned int i = 0; i < 10 && i < in->left; i++) {
		number |= (uint64_t)(in->at[i] & 0x7f) << (7 * i);
		if (in->at[i] & 0x80)
			continue;
		in->at += i + 1;
		in->left -= i + 1;
		*ret = number;
		return true;
	}
	return false;
}

/**
 * take_bytes() - Read a given number of bytes
 * @in:		Moved behind them
 * @size:	How many
 * @ret:	The bytes
 *
 * Return: false if there are not so many.
 */
static bool take_bytes(struct cursor *in, uint64_t size, struct cursor *ret)
{
	if (size > in->left)
		return false;
	*ret = (struct cursor){ .at = in->at, .left = size };
	in->at += size;
	in->left -= size;
	return true;
}

/**
 * take_value() - Read what follows a tag
 * @in:		Moved behind it
 * @ret:	The value, with its @wire set by the caller
 *
 * Return: false if it does not end, or is written in a way that there is not,
 * or not any more: groups.
 */
static bool take_value(struct cursor *in, struct value *ret)
{
	switch (ret->wire) {
	case PROTOBUF_C_WIRE_TYPE_VARINT:
		return take_varint(in, &ret->number);
	case PROTOBUF_C_WIRE_TYPE_64BIT:
		return take_bytes(in, 8, &ret->bytes);
	case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
		return take_varint(in, &ret->number) &&
		       take_bytes(in, ret->number, &ret->bytes);
	case PROTOBUF_C_WIRE_TYPE_32BIT:
		return take_bytes(in, 4, &ret->bytes);
	}
	return false;
}

/**
 * wire_of() - How values of a type are written when alone
 * @type:	The type
 *
 * Return: the wire type.
 */
static ProtobufCWireType wire_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return PROTOBUF_C_WIRE_TYPE_32BIT;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return PROTOBUF_C_WIRE_TYPE_64BIT;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
		break;
	}
	return PROTOBUF_C_WIRE_TYPE_VARINT;
}

/**
 * scan_enum() - Check that a number is one of an enum's
 * @field:	The field
 * @number:	Its value
 *
 * Negative numbers are written in ten bytes; the contract has none.
 */
static int scan_enum(const ProtobufCFieldDescriptor *field, uint64_t number,
		     struct error *err)
{
	if (number <= INT32_MAX &&
	    protobuf_c_enum_descriptor_get_value(field->descriptor,
						 (int)number))
		return 0;
	return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			 "field %s: there is no value with the number %lld",
			 field->name, (long long)number);
}

/**
 * scan_packed() - Check a list of numbers that is written as one value
 * @type:	The message it is in
 * @field:	The field, repeated
 * @in:		The list
 */
static int scan_packed(const ProtobufCMessageDescriptor *type,
		       const ProtobufCFieldDescriptor *field, struct cursor in,
		       struct error *err)
{
	while (in.left) {
		struct value value = { .wire = wire_of(field->type) };
		int r;

		if (!take_value(&in, &value))
			return malformed(type, "a list ends in the middle",
					 err);
		if (field->type != PROTOBUF_C_TYPE_ENUM)
			continue;
		r = scan_enum(field, value.number, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/**
 * scan_text() - Check a string
 * @field:	The field
 * @in:		Its bytes
 */
static int scan_text(const ProtobufCFieldDescriptor *field, struct cursor in,
		     struct error *err)
{
	if (in.left > TEXT_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field %s: longer than %d bytes", field->name,
				 TEXT_MAX);
	if (!str_utf8_valid(in.at, in.left))
		return error_set(err, -EBADMSG, ERROR_REQUEST_MALFORMED,
				 "field %s: not UTF-8, or with a NUL in it",
				 field->name);
	return 0;
}

/**
 * scan_value() - Check the value of a field that the message has
 * @type:	The message
 * @field:	The field
 * @value:	Its value
 * @depth:	How deep we are
 */
static int scan_value(const ProtobufCMessageDescriptor *type,
		      const ProtobufCFieldDescriptor *field,
		      const struct value *value, unsigned int depth,
		      struct error *err)
{
	ProtobufCWireType wanted = wire_of(field->type);

	if (value->wire != wanted) {
		if (field->label == PROTOBUF_C_LABEL_REPEATED &&
		    value->wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
			return scan_packed(type, field, value->bytes, err);
		return malformed(type, "a field is of another type", err);
	}

	switch (field->type) {
	case PROTOBUF_C_TYPE_ENUM:
		return scan_enum(field, value->number, err);
	case PROTOBUF_C_TYPE_STRING:
		return scan_text(field, value->bytes, err);
	case PROTOBUF_C_TYPE_MESSAGE:
		return scan_message(field->descriptor, value->bytes, depth + 1,
				    err);
	default: /* protobuf's enum, not ours: all others can be any bytes */
		return 0;
	}
}

/**
 * scan_message() - Walk over the bytes of a message
 * @type:	What it should be
 * @in:		The bytes
 * @depth:	How deep we are
 */
static int scan_message(const ProtobufCMessageDescriptor *type,
			struct cursor in, unsigned int depth,
			struct error *err)
{
	uint64_t seen = 0;

	if (depth > NESTING_MAX)
		return error_set(err, -E2BIG, ERROR_REQUEST_TOO_COMPLEX,
				 "messages lie in each other more than %d deep",
				 NESTING_MAX);

	while (in.left) {
		const ProtobufCFieldDescriptor *field;
		struct value value = { 0 };
		uint64_t tag;
		size_t index;
		int r;

		if (!take_varint(&in, &tag) || tag >> 3 == 0 ||
		    tag >> 3 > FIELD_MAX)
			return malformed(type, "a tag is none", err);
		value.wire = tag & 7;
		if (!take_value(&in, &value))
			return malformed(type, "a field ends in the middle",
					 err);

		field = protobuf_c_message_descriptor_get_field(
			type, (unsigned int)(tag >> 3));
		if (!field)
			continue;
		index = (size_t)(field - type->fields);
		if (field->label != PROTOBUF_C_LABEL_REPEATED &&
		    index < FIELDS_SEEN) {
			if (seen & 1ull << index)
				return malformed(type, "a field comes twice",
						 err);
			seen |= 1ull << index;
		}
		r = scan_value(type, field, &value, depth, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* wire_unpack() - Read a message that a stranger wrote */
int wire_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data,
		size_t size, struct arena *arena, ProtobufCMessage **ret,
		struct error *err)
{
	struct cursor in = { .at = data, .left = size };
	ProtobufCMessage *message;
	int r;

	r = scan_message(type, in, 1, err);
	if (r < 0)
		return r;

	message = protobuf_c_message_unpack(type, &arena->allocator, size,
					    data);
	if (arena->exceeded)
		return error_set(err, -E2BIG, ERROR_REQUEST_TOO_COMPLEX,
				 "reading the %s takes more than %zu bytes",
				 type->short_name, arena->budget);
	if (arena->failed)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory to read the %s", type->short_name);
	if (!message)
		return malformed(type, "protobuf cannot read them", err);

	*ret = message;
	return 0;
}

/* wire_first_number() - The number that a message begins with */
bool wire_first_number(const uint8_t *data, size_t size, uint32_t field,
		       uint64_t *ret)
{
	struct cursor in = { .at = data, .left = size };
	uint64_t tag;

	return take_varint(&in, &tag) && tag == (uint64_t)field << 3 &&
	       take_varint(&in, ret);
}
