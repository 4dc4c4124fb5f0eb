/* SPDX-License-Identifier: Apache-2.0
 *
 * repeat.c - what tells a request that is repeated from a new one
 */
#include "front/repeat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/str.h"

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

/* by_key() - The order of two entries of a map; @data: where the key lies */
static int by_key(const void *a, const void *b, void *data)
{
	const size_t *at = data;
	const char *x = *(char *const *)a + *at;
	const char *y = *(char *const *)b + *at;

	return strcmp(*(char *const *)x, *(char *const *)y);
}

/* is_entry() - Is it the entry of a map whose keys are strings? */
static bool is_entry(const ProtobufCMessageDescriptor *type)
{
	return type->n_fields == 2 && str_eq(type->fields[0].name, "key") &&
	       str_eq(type->fields[1].name, "value") &&
	       type->fields[0].type == PROTOBUF_C_TYPE_STRING;
}

/* is_set() - Is there a message in a field that is no list? */
static bool is_set(const ProtobufCMessage *message,
		   const ProtobufCFieldDescriptor *field)
{
	const char *base = (const char *)message;

	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
	    *(const uint32_t *)(base + field->quantifier_offset) != field->id)
		return false;
	return *(ProtobufCMessage *const *)(base + field->offset);
}

/**
 * sort_maps() - Bring the entries of maps into one order
 * @message:	The message, and all in it
 *
 * protobuf-c knows maps as lists, and protobuf has no order for them. It nests
 * no deeper than the contract.
 */
static void sort_maps(ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;

	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		char *at = (char *)message + field->offset;
		const ProtobufCMessageDescriptor *of = field->descriptor;
		ProtobufCMessage **list;
		size_t n, key;

		if (field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (field->label != PROTOBUF_C_LABEL_REPEATED) {
			if (is_set(message, field))
				sort_maps(*(ProtobufCMessage **)at);
			continue;
		}
		list = *(ProtobufCMessage ***)at;
		n = *(size_t *)((char *)message + field->quantifier_offset);
		for (size_t k = 0; k < n; k++)
			sort_maps(list[k]);
		if (!n || !is_entry(of))
			continue;
		key = of->fields[0].offset;
		qsort_r(list, n, sizeof(*list), by_key, &key);
	}
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
	sort_maps(wish); /* in place: the request's, too, and it is the same */
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
