/* SPDX-License-Identifier: Apache-2.0
 *
 * test-codec.c - bytes of strangers become a message, or words why not
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "front/codec.h"
#include "front/contract.h"
#include "front/methods.h"

#define BUDGET (1 << 20)

/**
 * try() - Read bytes as a message
 * @type:	Of which type
 * @data:	The bytes
 * @size:	How many
 *
 * What they are copied into has no byte to spare, for the sanitizer.
 *
 * Return: the error's id; "ok" if there is none.
 */
static const char *try(const ProtobufCMessageDescriptor *type,
		       const void *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	_cleanup_arena_ struct arena arena;
	ProtobufCMessage *message;
	struct error err = ERROR_NULL;
	int r;

	assert_non_null(exact);
	memcpy(exact, data, size);
	arena_init(&arena, BUDGET);
	r = wire_unpack(type, exact, size, &arena, &message, &err);
	free(exact);
	assert_true(arena.used <= BUDGET);
	assert_int_equal(r < 0, err.kind != ERROR_NONE);

	return r < 0 ? error_kind(err.kind)->id : "ok";
}

#define TRY(type, bytes) try(PB(type), bytes, sizeof(bytes) - 1)

/* Whatever can be a request is read, in any order of fields. */
static void good_messages_are_read(void **state)
{
	_cleanup_arena_ struct arena arena;
	Ioasid__V1__GetDeviceRequest *get;
	struct error err = ERROR_NULL;
	ProtobufCMessage *message;

	arena_init(&arena, BUDGET);
	assert_int_equal(wire_unpack(PB(get_device_request),
				      (const uint8_t *)"\x0a\x03" "a/b", 5,
				      &arena, &message, &err), 0);
	get = (void *)message;
	assert_string_equal(get->name, "a/b");

	assert_string_equal(TRY(get_device_request, ""), "ok");
	assert_string_equal(TRY(list_devices_request, "\x18\x01\x08\x05"),
			    "ok");
	assert_string_equal(TRY(envelope, "\x12\x02\x0a\x00\x08\x01"), "ok");
}

/* A cut, a wrong type, a tag that is none: never read past the end. */
static void broken_bytes_are_malformed(void **state)
{
	static const char *const broken[] = {
		"\x0a",		       /* no length */
		"\x0a\x05" "ab",	       /* shorter than it says */
		"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
		"\x08\x01",	       /* a string as a number */
		"\x0b\x0c",	       /* a group */
		"\x0e\x00",	       /* wire type 6 */
		"\x02\x01" "a",	       /* field 0 */
		"\x80\x80\x80\x80\x20" "a",
		"\xff",
		"\x0a\x01" "a" "\x0a\x01" "a", /* twice */
	};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		assert_string_equal(try(PB(get_device_request), broken[i],
					strlen(broken[i])),
				    "request.malformed");
	/* Field 0 with a length of nothing. */
	assert_string_equal(TRY(get_device_request, "\x02\x00"),
			    "request.malformed");
}

/* protobuf-c would cut at the NUL, and pass on what is no UTF-8. */
static void strings_are_utf8_without_nul(void **state)
{
	assert_string_equal(TRY(get_device_request, "\x0a\x03" "a\0b"),
			    "request.malformed");
	assert_string_equal(TRY(get_device_request, "\x0a\x01\xff"),
			    "request.malformed");
	assert_string_equal(TRY(get_device_request, "\x0a\x02\xc3\xa4"),
			    "ok");
	/* Inside a message inside a list. */
	assert_string_equal(
		TRY(create_lease_request, "\x22\x04\x0a\x02" "a\xff"),
		"request.malformed");
}

static void strings_have_a_longest(void **state)
{
	char bytes[TEXT_MAX + 8];

	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes, "\x0a\x80\x08", 3); /* 1024 */
	assert_string_equal(try(PB(get_device_request), bytes, 3 + TEXT_MAX),
			    "ok");
	memcpy(bytes, "\x0a\x81\x08", 3);
	assert_string_equal(try(PB(get_device_request), bytes, 4 + TEXT_MAX),
			    "request.invalid");
}

static void unknown_numbers_of_enums_are_refused(void **state)
{
	assert_string_equal(TRY(create_lease_request, "\x10\x01"), "ok");
	assert_string_equal(TRY(create_lease_request, "\x10\x04"),
			    "request.invalid");
	assert_string_equal(
		TRY(create_lease_request,
		    "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		"request.invalid");
	/* 2^32 + 1, of which a reader may keep the 1. */
	assert_string_equal(TRY(create_lease_request,
				"\x10\x81\x80\x80\x80\x10"),
			    "request.invalid");
}

/* They are passed over, whatever they hold. */
static void unknown_fields_are_ignored(void **state)
{
	assert_string_equal(TRY(get_device_request,
				"\x0a\x01" "a" "\xfa\x01\x02\xff\x00"),
			    "ok");
	assert_string_equal(TRY(get_device_request, "\xf8\x01\x05"), "ok");
	assert_string_equal(TRY(get_version_request, "\x0a\x01\xff"), "ok");
}

/**
 * flood() - A packet full of two-byte messages
 * @type:	What they are read as
 * @tag:	Of the field
 */
static const char *flood(const ProtobufCMessageDescriptor *type, char tag)
{
	char *bytes = calloc(1, MESSAGE_MAX);
	const char *id;

	assert_non_null(bytes);
	for (size_t i = 0; i < MESSAGE_MAX; i += 2)
		bytes[i] = tag;
	id = try(type, bytes, MESSAGE_MAX);
	free(bytes);
	return id;
}

/* Each costs its sender two bytes and its reader some 150. */
static void empty_submessages_are_too_complex(void **state)
{
	assert_string_equal(flood(PB(create_lease_request), 0x22),
			    "request.too-complex");
	assert_string_equal(flood(PB(create_lease_request), 0x0a),
			    "request.too-complex");
	/* Unknown fields are remembered one by one by protobuf-c. */
	assert_string_equal(flood(PB(get_version_request), 0x0a),
			    "request.too-complex");
	assert_string_equal(flood(PB(envelope), 0x12), "request.malformed");
}

/* A message that can lie in itself; schema/tables.c lets none into the
 * contract, protobuf-c would follow it until the stack ends.
 */
static const ProtobufCMessageDescriptor self;
static const ProtobufCFieldDescriptor self_field = {
	.name = "self",
	.id = 2,
	.label = PROTOBUF_C_LABEL_NONE,
	.type = PROTOBUF_C_TYPE_MESSAGE,
	.offset = sizeof(ProtobufCMessage),
	.descriptor = &self,
};
static const ProtobufCIntRange self_ranges[] = { { 2, 0 }, { 0, 1 } };
static const unsigned int self_by_name[] = { 0 };
static const ProtobufCMessageDescriptor self = {
	.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
	.name = "self",
	.short_name = "self",
	.sizeof_message = sizeof(ProtobufCMessage) + sizeof(void *),
	.n_fields = 1,
	.fields = &self_field,
	.fields_sorted_by_name = self_by_name,
	.n_field_ranges = 1,
	.field_ranges = self_ranges,
};

/**
 * nest() - A message in a message in a message ...
 * @type:	What it is read as
 * @deep:	How many of them
 */
static const char *nest(const ProtobufCMessageDescriptor *type,
			unsigned int deep)
{
	static uint8_t bytes[65536];
	size_t at = sizeof(bytes);

	while (--deep) {
		size_t size = sizeof(bytes) - at;

		assert_true(at > 8);
		if (size > 16383)
			bytes[--at] = (uint8_t)(size >> 14);
		if (size > 127)
			bytes[--at] = (uint8_t)(size >> 7 & 0x7f) |
				      (size > 16383 ? 0x80 : 0);
		bytes[--at] = (uint8_t)(size & 0x7f) |
			      (size > 127 ? 0x80 : 0);
		bytes[--at] = 0x12;
	}
	return try(type, bytes + at, sizeof(bytes) - at);
}

/* Depth ends; what is unknown, or a payload, is not looked into. */
static void nesting_ends(void **state)
{
	assert_string_equal(nest(&self, NESTING_MAX), "ok");
	assert_string_equal(nest(&self, NESTING_MAX + 1),
			    "request.too-complex");
	assert_string_equal(nest(&self, 15000), "request.too-complex");
	assert_string_equal(nest(PB(envelope), 15000), "ok");
	assert_string_equal(nest(PB(get_version_request), 15000), "ok");
}

/**
 * depth_of() - How deep messages lie in each other
 * @type:	The outermost
 * @limit:	Where to stop counting
 */
static unsigned int depth_of(const ProtobufCMessageDescriptor *type,
			     unsigned int limit)
{
	unsigned int deepest = 0;

	for (unsigned int i = 0; limit && i < type->n_fields; i++) {
		unsigned int depth;

		if (type->fields[i].type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		depth = depth_of(type->fields[i].descriptor, limit - 1);
		if (depth > deepest)
			deepest = depth;
	}
	return deepest + 1;
}

/* What the scan takes for granted of the contract. */
static void the_contract_fits_the_scan(void **state)
{
	size_t n;
	const struct method *methods = methods_all(&n);

	assert_true(depth_of(PB(envelope), 20) <= NESTING_MAX);
	for (size_t i = 0; i < n; i++) {
		assert_true(depth_of(methods[i].input, 20) <= NESTING_MAX);
		assert_true(methods[i].input->n_fields <= 64);
	}
}

/* A list of numbers may be written in one piece. No request has such a list
 * yet, so its descriptor is made here.
 */
static void packed_lists_are_walked(void **state)
{
	static const ProtobufCFieldDescriptor field = {
		.name = "n",
		.id = 1,
		.label = PROTOBUF_C_LABEL_REPEATED,
		.type = PROTOBUF_C_TYPE_UINT32,
		.quantifier_offset = sizeof(ProtobufCMessage),
		.offset = sizeof(ProtobufCMessage) + sizeof(size_t),
		.flags = PROTOBUF_C_FIELD_FLAG_PACKED,
	};
	static const ProtobufCIntRange ranges[] = { { 1, 0 }, { 0, 1 } };
	static const unsigned int by_name[] = { 0 };
	static const ProtobufCMessageDescriptor type = {
		.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
		.name = "list",
		.short_name = "list",
		.sizeof_message = sizeof(ProtobufCMessage) + sizeof(size_t) +
				  sizeof(void *),
		.n_fields = 1,
		.fields = &field,
		.fields_sorted_by_name = by_name,
		.n_field_ranges = 1,
		.field_ranges = ranges,
	};

	assert_string_equal(try(&type, "\x0a\x02\x01\x02", 4), "ok");
	assert_string_equal(try(&type, "\x08\x01\x08\x02", 4), "ok");
	assert_string_equal(try(&type, "\x0a\x02\x01\x82", 4),
			    "request.malformed");
}

/* Changed, cut and lengthened messages: never more than an error. */
static void mutations_do_no_harm(void **state)
{
	static const char seed[] =
		"\x0a\x18" "devices/pci-0000-3b-00.0"
		"\x10\x01\x1a\x05\x08\xe8\x07\x10\x02"
		"\x22\x06\x0a\x01" "k" "\x12\x01" "v"
		"\x42\x06\x08\x80\x90\x9b\x94\x06\x52\x02" "id" "\x58\x01";
	unsigned int random = 1;
	size_t n;
	const struct method *methods = methods_all(&n);

	assert_string_equal(TRY(create_lease_request, seed), "ok");
	for (int i = 0; i < 20000; i++) {
		uint8_t bytes[sizeof(seed) + 8];
		size_t size = sizeof(seed) - 1;

		memcpy(bytes, seed, size);
		for (int j = rand_r(&random) % 4; j >= 0; j--)
			bytes[rand_r(&random) % size] =
				(uint8_t)rand_r(&random);
		if (rand_r(&random) % 4 == 0)
			size = (size_t)rand_r(&random) % size;
		(void)try(methods[i % n].input, bytes, size);
		(void)try(PB(create_lease_request), bytes, size);
		(void)try(PB(envelope), bytes, size);
		(void)codec_peek_id(bytes, size);
	}
}

static void the_id_is_told_if_it_comes_first(void **state)
{
	assert_int_equal(codec_peek_id((const uint8_t *)"\x08\x96\x01\xff",
				       4), 150);
	assert_int_equal(codec_peek_id((const uint8_t *)"\x12\x00\x08\x01",
				       4), 0);
	assert_int_equal(codec_peek_id((const uint8_t *)"\x08", 1), 0);
	assert_int_equal(codec_peek_id((const uint8_t *)"", 0), 0);
}

/* Also with the most that an error can hold. */
static void errors_carry_the_catalogues_remedy(void **state)
{
	_cleanup_arena_ struct arena arena;
	_cleanup_free_ struct packet *packet = NULL;
	struct error err = ERROR_NULL, bad = ERROR_NULL;
	ProtobufCMessage *message;
	const pb_envelope *envelope;
	char long_name[600];

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	error_set(&err, -1, ERROR_DEVICE_IN_USE, "%s", long_name);
	for (int i = 0; i < ERROR_MAX_CAUSES + 1; i++)
		error_cause(&err, "process", long_name, "%s", long_name);
	packet = packet_error(7, &err);
	assert_non_null(packet);

	arena_init(&arena, BUDGET);
	assert_int_equal(wire_unpack(PB(envelope), packet->data,
				      packet->size, &arena, &message, &bad),
			 0);
	envelope = (const void *)message;
	assert_int_equal(envelope->id, 7);
	assert_int_equal(envelope->body_case,
			 IOASID__V1__ENVELOPE__BODY_ERROR);
	assert_string_equal(envelope->error->id, "device.in-use");
	assert_string_equal(envelope->error->remedy,
			    error_kind(ERROR_DEVICE_IN_USE)->remedy);
	assert_int_equal(envelope->error->n_causes, ERROR_MAX_CAUSES);
	assert_string_equal(envelope->error->causes[0]->kind, "process");

	error_remedy(&err, "another one");
	free(packet);
	packet = packet_error(0, &err);
	assert_non_null(packet);
	assert_int_equal(wire_unpack(PB(envelope), packet->data,
				      packet->size, &arena, &message, &bad),
			 0);
	envelope = (const void *)message;
	assert_string_equal(envelope->error->remedy, "another one");
}

/* A reply that no packet can carry is an error in words, not on the wire. */
static void replies_have_a_longest(void **state)
{
	pb_device device = IOASID__V1__DEVICE__INIT;
	_cleanup_free_ char *text = calloc(1, MESSAGE_MAX + 1);
	_cleanup_free_ struct packet *packet = NULL;
	struct error err = ERROR_NULL;

	assert_non_null(text);
	memset(text, 'x', MESSAGE_MAX);
	device.name = text;
	assert_true(packet_reply(1, &device.base, 0, &packet, &err) < 0);
	assert_int_equal(err.kind, ERROR_DAEMON_INTERNAL);
	text[MESSAGE_MAX - 4] = '\0';
	assert_int_equal(packet_reply(UINT64_MAX, &device.base, 65, &packet,
				      &err), 0);
	assert_true(packet->size <= PACKET_MAX);
}

/* The arena never gives more than its budget, and all of it back. */
static void the_arena_keeps_its_budget(void **state)
{
	_cleanup_arena_ struct arena arena;
	size_t taken = 0;

	arena_init(&arena, 100000);
	while (arena_alloc(&arena, 100))
		taken += 100;
	assert_true(arena.exceeded);
	assert_false(arena_ok(&arena));
	assert_true(arena.used <= 100000);
	assert_true(taken > 80000);
	arena_deinit(&arena);
	assert_true(arena_ok(&arena));
	assert_int_equal(arena.used, 0);
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_true(arena.exceeded);
	arena_deinit(&arena);
	assert_non_null(arena_alloc(&arena, 99000));
	assert_null(arena_alloc(&arena, 99000));
	arena_deinit(&arena);
	assert_ptr_not_equal(arena_alloc(&arena, 0), arena_alloc(&arena, 0));
	assert_string_equal(arena_text(&arena, "a\xff\n"), "a??");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_messages_are_read),
		cmocka_unit_test(broken_bytes_are_malformed),
		cmocka_unit_test(strings_are_utf8_without_nul),
		cmocka_unit_test(strings_have_a_longest),
		cmocka_unit_test(unknown_numbers_of_enums_are_refused),
		cmocka_unit_test(unknown_fields_are_ignored),
		cmocka_unit_test(empty_submessages_are_too_complex),
		cmocka_unit_test(nesting_ends),
		cmocka_unit_test(the_contract_fits_the_scan),
		cmocka_unit_test(packed_lists_are_walked),
		cmocka_unit_test(mutations_do_no_harm),
		cmocka_unit_test(the_id_is_told_if_it_comes_first),
		cmocka_unit_test(errors_carry_the_catalogues_remedy),
		cmocka_unit_test(replies_have_a_longest),
		cmocka_unit_test(the_arena_keeps_its_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
