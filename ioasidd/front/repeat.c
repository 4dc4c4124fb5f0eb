/* SPDX-License-Identifier: Apache-2.0
 *
 * repeat.c - what tells a request that is repeated from a new one
 */
#include "front/repeat.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"

/**
 * member() - Where a field lies in a message
 * @message:	The message
 * @name:	The field's
 * @ret:	What it is
 *
 * Return: where; NULL if there is no such field.
 */
static void *member(const ProtobufCMessage *message, const char *name,
		    const ProtobufCFieldDescriptor **ret)
{
	*ret = protobuf_c_message_descriptor_get_field_by_name(
		message->descriptor, name);
	return *ret ? (char *)message + (*ret)->offset : NULL;
}

/* repeat_id() - See repeat.h */
const char *repeat_id(const ProtobufCMessage *input)
{
	const ProtobufCFieldDescriptor *field;
	char *const *id = member(input, "request_id", &field);

	return id ? *id : "";
}

/**
 * forget() - Make a field as if it was not said
 * @message:	The message; what it had is not freed
 * @name:	A string or a bool; of no message that has none of it
 */
static void forget(ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field;
	void *at = member(message, name, &field);

	if (!at)
		return;
	if (field->type == PROTOBUF_C_TYPE_STRING)
		*(char **)at = "";
	else
		*(protobuf_c_boolean *)at = false;
}

/**
 * hash_wish() - Hash what a request asks for
 * @call:	Has the request, and memory
 * @ret:	The hash
 *
 * Return: 0; -ENOMEM.
 */
static int hash_wish(const struct call *call, uint8_t ret[SHA256_SIZE])
{
	const ProtobufCMessageDescriptor *type = call->input->descriptor;
	size_t size, name_size = strlen(type->name) + 1;
	ProtobufCMessage *wish;
	uint8_t *bytes;

	wish = arena_alloc(call->arena, type->sizeof_message);
	if (!wish)
		return -ENOMEM;
	memcpy(wish, call->input, type->sizeof_message);
	forget(wish, "request_id");
	forget(wish, "etag");
	forget(wish, "dry_run");

	size = protobuf_c_message_get_packed_size(wish);
	bytes = arena_alloc(call->arena, name_size + size);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, type->name, name_size);
	(void)protobuf_c_message_pack(wish, bytes + name_size); /* = size */
	sha256(bytes, name_size + size, ret);
	return 0;
}

/* repeat_fingerprint() - See repeat.h */
int repeat_fingerprint(const struct call *call, char ret[REQUEST_FINGERPRINT_SIZE],
		       struct error *err)
{
	uint8_t hash[SHA256_SIZE];
	size_t i;
	int r;

	ret[0] = '\0';
	if (!*repeat_id(call->input))
		return 0;
	r = hash_wish(call, hash);
	if (r < 0)
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the request");
	for (i = 0; i < SHA256_SIZE; i++)
		snprintf(ret + 2 * i, 3, "%02x", hash[i]);
	return 0;
}
