/* SPDX-License-Identifier: Apache-2.0
 *
 * tables.c - at build time: from the contract's descriptor set to C tables
 *
 * Reads the FileDescriptorSet that protoc wrote and prints one initialiser of
 * struct method (ioasidd/front/methods.h) for each method, with its route and
 * permission. Linked with the generated code of descriptor.proto, which the
 * daemon is not. The contract is checked on the way, and the build fails for a
 * method without route or permission, a message that can contain itself
 * (protobuf-c has no depth limit), a proto3 "optional" (protobuf-c refuses it)
 * and anything without a comment.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "google/api/http.pb-c.h"
#include "google/protobuf/descriptor.pb-c.h"

/* Numbers of the method options: schema/google/api/annotations.proto and
 * schema/ioasid/v1/options.proto.
 */
#define OPTION_HTTP 72295728
#define OPTION_PERMISSION 51801

#define PACKAGE "ioasid.v1"

typedef Google__Protobuf__FileDescriptorSet file_set;
typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__MethodDescriptorProto method_proto;
typedef Google__Protobuf__SourceCodeInfo__Location location;

static int complaints;

/**
 * complain() - Say what is wrong with the contract
 * @what:	The element
 * @why:	What is wrong with it
 */
static void complain(const char *what, const char *why)
{
	fprintf(stderr, "schema: %s %s\n", what, why);
	complaints++;
}

/**
 * read_all() - Read the descriptor set
 * @path:	The file
 * @ret_size:	Its length
 *
 * Return: its content; the program ends if it cannot be read.
 */
static uint8_t *read_all(const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "rb");
	size_t room = 1 << 20, size;
	uint8_t *data = malloc(room);

	if (!f || !data) {
		fprintf(stderr, "schema: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	size = fread(data, 1, room, f);
	if (ferror(f) || size == room) {
		fprintf(stderr, "schema: %s: cannot be read whole\n", path);
		exit(1);
	}
	fclose(f);
	*ret_size = size;
	return data;
}

/**
 * option_find() - The bytes of an extension that protobuf-c left unknown
 * @options:	The options message; NULL for none
 * @number:	The extension's field number
 * @ret_size:	Length of its value
 *
 * protobuf-c keeps the length varint in front of the value.
 *
 * Return: the value; NULL if the option is not there.
 */
static const uint8_t *option_find(const ProtobufCMessage *options,
				  uint32_t number, size_t *ret_size)
{
	unsigned int i;

	for (i = 0; options && i < options->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *field;
		size_t skip = 1;

		field = &options->unknown_fields[i];
		if (field->tag != number)
			continue;
		while (skip < field->len && (field->data[skip - 1] & 0x80))
			skip++;
		*ret_size = field->len - skip;
		return field->data + skip;
	}
	return NULL;
}

/**
 * symbol() - protobuf-c's name for the descriptor of a message
 * @type:	".ioasid.v1.ListDevicesRequest"
 * @ret:	"ioasid__v1__list_devices_request__descriptor"
 * @size:	Room there
 */
static void symbol(const char *type, char *ret, size_t size)
{
	size_t n = 0;

	for (type++; *type && n + 16 < size; type++) {
		if (*type == '.') {
			ret[n++] = '_';
			ret[n++] = '_';
			continue;
		}
		if (isupper((unsigned char)*type) && n && ret[n - 1] != '_')
			ret[n++] = '_';
		ret[n++] = tolower((unsigned char)*type);
	}
	snprintf(ret + n, size - n, "__descriptor");
}

/**
 * print_method() - Check one method and print its initialiser
 * @service:	The service's name
 * @method:	The method
 */
static void print_method(const char *service, const method_proto *method)
{
	const ProtobufCMessage *options = NULL;
	const char *verb = NULL, *path = NULL;
	const uint8_t *http, *permission;
	size_t http_size, permission_size;
	char name[256], in[256], out[256];
	Google__Api__HttpRule *rule;

	snprintf(name, sizeof(name), PACKAGE ".%s/%s", service, method->name);
	if (method->options)
		options = &method->options->base;
	http = option_find(options, OPTION_HTTP, &http_size);
	permission = option_find(options, OPTION_PERMISSION, &permission_size);
	if (!http)
		return complain(name, "has no route (google.api.http)");
	if (!permission)
		return complain(name, "needs no permission (ioasid.v1.permission)");

	rule = google__api__http_rule__unpack(NULL, http_size, http);
	if (rule && rule->pattern_case == GOOGLE__API__HTTP_RULE__PATTERN_GET)
		verb = "GET", path = rule->get;
	if (rule && rule->pattern_case == GOOGLE__API__HTTP_RULE__PATTERN_POST)
		verb = "POST", path = rule->post;
	if (!verb)
		return complain(name, "has a route that is neither GET nor POST");

	symbol(method->input_type, in, sizeof(in));
	symbol(method->output_type, out, sizeof(out));
	printf("{\n\t.name = \"%s\",\n\t.permission = \"%.*s\",\n"
	       "\t.input = &%s,\n\t.output = &%s,\n"
	       "\t.verb = \"%s\",\n\t.path = \"%s\",\n\t.body = \"%s\",\n},\n",
	       name, (int)permission_size, (const char *)permission, in, out,
	       verb, path, rule->body);
	google__api__http_rule__free_unpacked(rule, NULL);
}

/**
 * find_message() - A message of our package by its full name
 * @set:	All files
 * @type:	".ioasid.v1.Lease"
 *
 * Return: the message; NULL if it is another package's, or nested.
 */
static const message_proto *find_message(const file_set *set, const char *type)
{
	size_t i, j;

	if (strncmp(type, "." PACKAGE ".", sizeof("." PACKAGE ".") - 1) != 0)
		return NULL;
	type += sizeof("." PACKAGE ".") - 1;
	for (i = 0; i < set->n_file; i++)
		for (j = 0; j < set->file[i]->n_message_type; j++)
			if (!strcmp(set->file[i]->message_type[j]->name, type))
				return set->file[i]->message_type[j];
	return NULL;
}

/**
 * contains() - Can one message contain another?
 * @set:	All files
 * @in:		Where to look
 * @what:	What for
 * @depth:	How deep we are
 */
static bool contains(const file_set *set, const message_proto *in,
		     const message_proto *what, unsigned int depth)
{
	size_t i;

	if (depth > 32)
		return true;
	for (i = 0; i < in->n_field; i++) {
		const message_proto *of;

		if (!in->field[i]->type_name)
			continue;
		of = find_message(set, in->field[i]->type_name);
		if (of && (of == what || contains(set, of, what, depth + 1)))
			return true;
	}
	return false;
}

/**
 * commented() - Does an element of a file have a comment before it?
 * @file:	The file, with source info
 * @path:	The element, as SourceCodeInfo counts
 * @n:		Length of @path
 */
static bool commented(const file_proto *file, const int32_t *path, size_t n)
{
	size_t i;

	for (i = 0; i < file->source_code_info->n_location; i++) {
		const location *l = file->source_code_info->location[i];

		if (l->n_path == n &&
		    !memcmp(l->path, path, n * sizeof(*path)))
			return l->leading_comments && *l->leading_comments;
	}
	return false;
}

/**
 * check_message() - Check one message and its fields
 * @set:	All files
 * @file:	The one it is in
 * @index:	Its number there
 */
static void check_message(const file_set *set, const file_proto *file,
			  int32_t index)
{
	const message_proto *m = file->message_type[index];
	int32_t path[] = { 4, index, 2, 0 };
	char name[256];
	size_t i;

	if (!commented(file, path, 2))
		complain(m->name, "has no comment");
	if (contains(set, m, m, 0))
		complain(m->name, "can contain itself");
	for (i = 0; i < m->n_field; i++) {
		path[3] = i;
		snprintf(name, sizeof(name), "%s.%s", m->name,
			 m->field[i]->name);
		if (!commented(file, path, 4))
			complain(name, "has no comment");
		if (m->field[i]->has_proto3_optional &&
		    m->field[i]->proto3_optional)
			complain(name, "is optional; use a oneof of one field");
	}
}

/**
 * main() - Check the contract, print the table
 */
int main(int argc, char **argv)
{
	file_set *set;
	uint8_t *data;
	size_t size, i, j, k;

	if (argc != 2) {
		fprintf(stderr, "usage: schema-tables SCHEMA.FDS\n");
		return 2;
	}
	data = read_all(argv[1], &size);
	set = google__protobuf__file_descriptor_set__unpack(NULL, size, data);
	if (!set) {
		fprintf(stderr, "schema: %s is no descriptor set\n", argv[1]);
		return 1;
	}

	printf("/* Made by schema/tables.c from schema/ioasid/v1. */\n\n");
	for (i = 0; i < set->n_file; i++) {
		const file_proto *file = set->file[i];

		if (strcmp(file->package, PACKAGE) != 0)
			continue;
		for (j = 0; j < file->n_message_type; j++)
			check_message(set, file, j);
		for (j = 0; j < file->n_service; j++)
			for (k = 0; k < file->service[j]->n_method; k++)
				print_method(file->service[j]->name,
					     file->service[j]->method[k]);
	}
	google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
	free(data);
	return complaints ? 1 : 0;
}
