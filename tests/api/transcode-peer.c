/* SPDX-License-Identifier: Apache-2.0
 *
 * transcode-peer.c - transcodes for a test: lines in, lines out
 *
 * A line in: CONTRACT TYPE WHAT HEX, with a dot for no bytes. CONTRACT is
 * "ioasid" or "everything"; WHAT is "write" (protobuf to JSON), "write-all"
 * (with defaults), "read" (JSON to protobuf) or "types"; TYPE may be "-" with
 * that. A line out: "ok HEX", or "no ID WORDS".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "transcode/transcode.h"

/* What a request may be, and what reading one may take. */
#define BUDGET (8 << 20)
#define ANSWER_MAX (4 << 20)

extern const struct contract contract_everything;

/**
 * unhex() - Read bytes
 * @s:		Two digits each, or "."
 * @ret_size:	How many
 *
 * Return: exactly those bytes, for the sanitizer to guard.
 */
static uint8_t *unhex(const char *s, size_t *ret_size)
{
	size_t n = str_eq(s, ".") ? 0 : strlen(s) / 2;
	uint8_t *data = malloc(n ? n : 1);

	if (!data)
		exit(1);
	for (size_t i = 0; i < n; i++) {
		char two[3] = { s[2 * i], s[2 * i + 1], '\0' };

		data[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	*ret_size = n;
	return data;
}

/* answer() - Print bytes. */
static void answer(const void *data, size_t size)
{
	const uint8_t *bytes = data;

	fputs("ok ", stdout);
	for (size_t i = 0; i < size; i++)
		printf("%02x", bytes[i]);
	fputs(size ? "\n" : ".\n", stdout);
}

/* refuse() - Print an error. */
static void refuse(const struct error *err)
{
	printf("no %s %s\n", error_kind(err->kind)->id, err->msg);
}

/* write_json() - From protobuf to JSON. */
static void write_json(const struct message_type *type, const uint8_t *data,
		       size_t size, bool defaults)
{
	_cleanup_text_ struct text text = TEXT_NULL(ANSWER_MAX);
	struct error err = ERROR_NULL;
	ProtobufCMessage *message;

	message = protobuf_c_message_unpack(type->memory, NULL, size, data);
	if (!message) {
		puts("no unpack");
		return;
	}
	if (json_write(type, message, defaults, &text, &err) < 0)
		refuse(&err);
	else
		answer(text.data, text.size);
	protobuf_c_message_free_unpacked(message, NULL);
}

/* read_json() - From JSON to protobuf. */
static void read_json(const struct message_type *type, const uint8_t *data,
		      size_t size)
{
	_cleanup_free_ uint8_t *packed = NULL;
	_cleanup_arena_ struct arena arena;
	struct error err = ERROR_NULL;
	ProtobufCMessage *message;
	size_t n;

	arena_init(&arena, BUDGET);
	if (json_read(type, (const char *)data, size, &arena, &message, &err) <
	    0) {
		refuse(&err);
		return;
	}
	n = protobuf_c_message_get_packed_size(message);
	packed = malloc(n ? n : 1);
	if (!packed)
		exit(1);
	protobuf_c_message_pack(message, packed);
	answer(packed, n);
}

/* types() - Print the names of all messages that are objects. */
static void types(const struct contract *contract)
{
	fputs("ok", stdout);
	for (size_t i = 0; i < contract->n_messages; i++)
		if (contract->messages[i]->form == FORM_OBJECT)
			printf(" %s", contract->messages[i]->name);
	putchar('\n');
}

/* main() - Answer until there is nothing more to read */
int main(void)
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		const struct contract *contract = &contract_ioasid;
		char *save, *name = strtok_r(line, " \n", &save);
		char *type_name = strtok_r(NULL, " \n", &save);
		char *what = strtok_r(NULL, " \n", &save);
		char *hex = strtok_r(NULL, " \n", &save);
		const struct message_type *type;
		_cleanup_free_ uint8_t *data = NULL;
		size_t size;

		if (!name || !type_name || !what || !hex)
			return 2;
		if (str_eq(name, "everything"))
			contract = &contract_everything;
		data = unhex(hex, &size);
		type = contract_message(contract, type_name);
		if (str_eq(what, "types"))
			types(contract);
		else if (!type)
			return 2;
		else if (str_eq(what, "read"))
			read_json(type, data, size);
		else
			write_json(type, data, size,
				   str_eq(what, "write-all"));
		fflush(stdout);
	}
	return 0;
}
