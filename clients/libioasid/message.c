/* SPDX-License-Identifier: Apache-2.0
 *
 * message.c - read protobuf messages that a stranger may have sent
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "libioasid/message.h"

/**
 * struct budget - What reading one message may still take
 * @left:	Bytes
 * @refused:	More was asked for
 */
struct budget {
	size_t left;
	bool refused;
};

/**
 * budget_alloc() - malloc() within the budget, for protobuf-c
 * @data:	struct budget
 * @size:	Bytes
 *
 * What is freed meanwhile is not given back to the budget: it is small.
 *
 * Return: memory, or NULL.
 */
static void *budget_alloc(void *data, size_t size)
{
	struct budget *budget = data;

	if (size > budget->left) {
		budget->refused = true;
		return NULL;
	}
	budget->left -= size;
	return malloc(size);
}

/**
 * budget_free() - free() for protobuf-c
 * @data:	struct budget
 * @p:		Memory, or NULL
 */
static void budget_free(void *data, void *p)
{
	(void)data;
	free(p);
}

static bool message_valid(const ProtobufCMessage *message);

/**
 * value_valid() - Is one value of a field as it should be?
 * @type:	The field's type
 * @value:	Where the value is
 *
 * Return: false for a string that is not UTF-8, or a message with one.
 */
static bool value_valid(ProtobufCType type, const void *value)
{
	const char *s;
	const ProtobufCMessage *sub;

	if (type == PROTOBUF_C_TYPE_STRING) {
		s = *(char *const *)value;
		return s && str_utf8_valid(s, strlen(s));
	}
	if (type == PROTOBUF_C_TYPE_MESSAGE) {
		sub = *(ProtobufCMessage *const *)value;
		return !sub || message_valid(sub);
	}
	return true;
}

/**
 * field_valid() - Is a field, with all its values, as it should be?
 * @message:	The message that has it
 * @field:	Its descriptor
 *
 * Return: see value_valid().
 */
static bool field_valid(const ProtobufCMessage *message,
			const ProtobufCFieldDescriptor *field)
{
	const char *base = (const char *)message;
	const char *values;
	size_t n;

	if (field->type != PROTOBUF_C_TYPE_STRING &&
	    field->type != PROTOBUF_C_TYPE_MESSAGE)
		return true;
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
	    *(const uint32_t *)(base + field->quantifier_offset) != field->id)
		return true;
	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return value_valid(field->type, base + field->offset);

	n = *(const size_t *)(base + field->quantifier_offset);
	values = *(const char *const *)(base + field->offset);
	for (size_t i = 0; i < n; i++)
		if (!value_valid(field->type, values + i * sizeof(void *)))
			return false;
	return true;
}

/**
 * message_valid() - Are all strings in a message UTF-8?
 * @message:	An unpacked message; how deep it goes is the schema's doing
 *
 * protobuf-c does not look. A NUL inside a string has cut it off before.
 *
 * Return: true if they are.
 */
static bool message_valid(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;

	for (unsigned int i = 0; i < type->n_fields; i++)
		if (!field_valid(message, &type->fields[i]))
			return false;
	return true;
}

/* message_unpack() - See message.h. */
int message_unpack(const ProtobufCMessageDescriptor *type, const void *data,
		   size_t size, ProtobufCMessage **ret)
{
	struct budget budget = { .left = MESSAGE_MEMORY_MAX };
	ProtobufCAllocator allocator = {
		.alloc = budget_alloc,
		.free = budget_free,
		.allocator_data = &budget,
	};
	_cleanup_message_ ProtobufCMessage *message = NULL;

	errno = 0;
	message = protobuf_c_message_unpack(type, &allocator, size, data);
	if (!message)
		return errno == ENOMEM && !budget.refused ? -ENOMEM : -EPROTO;
	if (!message_valid(message))
		return -EPROTO;

	*ret = TAKE_PTR(message);
	return 0;
}

/* message_free() - See message.h. */
void *message_free(void *message)
{
	/* Made by budget_alloc(), which is malloc(): the default frees it. */
	protobuf_c_message_free_unpacked(message, NULL);
	return NULL;
}

/* message_field() - See message.h. */
void *message_field(const ProtobufCMessage *message, const char *name,
		    ProtobufCType type)
{
	const ProtobufCFieldDescriptor *field;

	field = protobuf_c_message_descriptor_get_field_by_name(
		message->descriptor, name);
	if (!field || field->type != type)
		return NULL;
	return (char *)message + field->offset;
}
