/* SPDX-License-Identifier: Apache-2.0
 *
 * contract.c - at build time: read the contract's descriptor set and index it
 */
#include "contract.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "google/api/http.pb-c.h"

/* Numbers of the method options: schema/google/api/annotations.proto and
 * schema/ioasid/v1/options.proto.
 */
#define OPTION_HTTP 72295728
#define OPTION_PERMISSION 51801
#define OPTION_TAKES_DESCRIPTORS 51802
#define OPTION_GIVES_DESCRIPTORS 51803

/* Numbers of the fields of descriptor.proto that hold elements of a file. */
#define FILE_MESSAGES 4
#define FILE_ENUMS 5
#define FILE_SERVICES 6
#define MESSAGE_MESSAGES 3
#define MESSAGE_ENUMS 4
#define SERVICE_METHODS 2

/* More than any contract will have. */
#define ELEMENTS_MAX 4096

/* room() - Zeroed memory, or the end of the program */
void *room(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		fprintf(stderr, "schema: no memory\n");
		exit(1);
	}
	return p;
}

/* format() - Words that are never freed */
const char *format(const char *fmt, ...)
{
	va_list args;
	char *s;
	int n;

	va_start(args, fmt);
	n = vasprintf(&s, fmt, args);
	va_end(args);
	if (n < 0) {
		fprintf(stderr, "schema: no memory\n");
		exit(1);
	}
	return s;
}

/**
 * location_of() - What SourceCodeInfo says of an element
 * @place:	The element
 *
 * Return: its location; NULL if there is none.
 */
static const Google__Protobuf__SourceCodeInfo__Location *
location_of(const struct place *place)
{
	const Google__Protobuf__SourceCodeInfo *info;

	info = place->file->source_code_info;
	for (size_t i = 0; info && i < info->n_location; i++) {
		const Google__Protobuf__SourceCodeInfo__Location *l;

		l = info->location[i];
		if (l->n_path == place->n &&
		    !memcmp(l->path, place->path,
			    place->n * sizeof(*place->path)))
			return l;
	}
	return NULL;
}

/* complain() - Say where the contract is wrong, and how */
void complain(struct contract *contract, const struct place *place,
	      const char *fmt, ...)
{
	const Google__Protobuf__SourceCodeInfo__Location *l;
	va_list args;

	l = location_of(place);
	fprintf(stderr, "%s/%s:%d: ", contract->root, place->file->name,
		l && l->n_span ? l->span[0] + 1 : 1);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	contract->complaints++;
}

/* place_in() - The place of an element inside another */
struct place place_in(const struct place *parent, int32_t kind, size_t index)
{
	struct place place = *parent;

	if (place.n + 2 > PLACE_MAX) {
		fprintf(stderr, "schema: %s: nested too deep\n",
			parent->file->name);
		exit(1);
	}
	place.path[place.n++] = kind;
	place.path[place.n++] = (int32_t)index;
	return place;
}

/* place_comment() - The comment before an element */
const char *place_comment(const struct place *place)
{
	const Google__Protobuf__SourceCodeInfo__Location *l;

	l = location_of(place);
	if (!l || !l->leading_comments || !*l->leading_comments)
		return NULL;
	return l->leading_comments;
}

/**
 * read_all() - Read a file, or end the program
 * @path:	The file
 * @ret_size:	Its length
 *
 * Return: its content.
 */
static uint8_t *read_all(const char *path, size_t *ret_size)
{
	const size_t most = 1 << 22;
	FILE *f = fopen(path, "rb");
	uint8_t *data = room(most);

	if (!f) {
		fprintf(stderr, "schema: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	*ret_size = fread(data, 1, most, f);
	if (ferror(f) || *ret_size == most) {
		fprintf(stderr, "schema: %s: cannot be read whole\n", path);
		exit(1);
	}
	fclose(f);
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
	for (unsigned int i = 0; options && i < options->n_unknown_fields;
	     i++) {
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
 * route_read() - Read the HTTP rule of a method
 * @contract:	Complained to
 * @rpc:	The method; its route is filled
 * @data:	The rule
 * @size:	Its length
 */
static void route_read(struct contract *contract, struct rpc *rpc,
		       const uint8_t *data, size_t size)
{
	struct route *route = &rpc->route;
	Google__Api__HttpRule *rule;
	const char *wrong;

	rule = google__api__http_rule__unpack(NULL, size, data);
	if (!rule)
		return complain(contract, &rpc->place,
				"%s has a route that cannot be read",
				rpc->name);
	switch (rule->pattern_case) {
	case GOOGLE__API__HTTP_RULE__PATTERN_GET:
		route->verb = "GET", route->path = rule->get;
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_PUT:
		route->verb = "PUT", route->path = rule->put;
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_POST:
		route->verb = "POST", route->path = rule->post;
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_DELETE:
		route->verb = "DELETE", route->path = rule->delete_;
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_PATCH:
		route->verb = "PATCH", route->path = rule->patch;
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN__NOT_SET:
	case _GOOGLE__API__HTTP_RULE__PATTERN__CASE_IS_INT_SIZE:
		return complain(contract, &rpc->place,
				"%s has a route without a verb", rpc->name);
	}
	if (rule->n_additional_bindings || *rule->response_body)
		complain(contract, &rpc->place,
			 "%s: additional_bindings and response_body are not served",
			 rpc->name);
	route->body = rule->body;
	wrong = route_parse(route);
	if (wrong)
		complain(contract, &rpc->place, "%s: the path %s %s",
			 rpc->name, route->path, wrong);
}

/**
 * rpc_add() - Take a method into the index
 * @contract:	The index
 * @service:	Its service's full name
 * @place:	Where it is
 * @proto:	What protoc says of it
 */
static void rpc_add(struct contract *contract, const char *service,
		    const struct place *place, const method_proto *proto)
{
	struct rpc *rpc = &contract->rpcs[contract->n_rpcs++];
	const ProtobufCMessage *options = NULL;
	const uint8_t *data;
	size_t size;

	rpc->service = service;
	rpc->name = format("%s/%s", service, proto->name);
	rpc->proto = proto;
	rpc->place = *place;
	rpc->input = message_find(contract, proto->input_type);
	rpc->output = message_find(contract, proto->output_type);
	if (proto->options)
		options = &proto->options->base;
	data = option_find(options, OPTION_PERMISSION, &size);
	if (data)
		rpc->permission = format("%.*s", (int)size,
					 (const char *)data);
	/* Booleans that nobody writes down as false. */
	rpc->takes_descriptors = option_find(options, OPTION_TAKES_DESCRIPTORS,
					     &size);
	rpc->gives_descriptors = option_find(options, OPTION_GIVES_DESCRIPTORS,
					     &size);
	data = option_find(options, OPTION_HTTP, &size);
	if (data)
		route_read(contract, rpc, data, size);
}

/**
 * enums_add() - Take enums into the index
 * @contract:	The index
 * @scope:	What their names begin with
 * @in:		Where they are
 * @kind:	Number of the field there
 * @protos:	What protoc says of them
 * @n:		How many
 */
static void enums_add(struct contract *contract, const char *scope,
		      const struct place *in, int32_t kind,
		      enum_proto *const *protos, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct enumeration *e;

		if (contract->n_enums == ELEMENTS_MAX)
			exit(1);
		e = &contract->enums[contract->n_enums++];
		e->name = format("%s.%s", scope, protos[i]->name);
		e->proto = protos[i];
		e->place = place_in(in, kind, i);
		e->own = !strcmp(in->file->package, contract->package);
	}
}

/**
 * message_add() - Take a message and what is nested in it into the index
 * @contract:	The index
 * @scope:	What its name begins with
 * @place:	Where it is
 * @proto:	What protoc says of it
 */
static void message_add(struct contract *contract, const char *scope,
			const struct place *place, const message_proto *proto)
{
	struct message *m;

	if (contract->n_messages == ELEMENTS_MAX)
		exit(1);
	m = &contract->messages[contract->n_messages++];
	m->name = format("%s.%s", scope, proto->name);
	m->proto = proto;
	m->place = *place;
	m->own = !strcmp(place->file->package, contract->package);
	m->entry = proto->options && proto->options->map_entry;
	enums_add(contract, m->name, place, MESSAGE_ENUMS, proto->enum_type,
		  proto->n_enum_type);
	for (size_t i = 0; i < proto->n_nested_type; i++) {
		struct place in = place_in(place, MESSAGE_MESSAGES, i);

		message_add(contract, m->name, &in, proto->nested_type[i]);
	}
}

/**
 * methods_add() - Take the methods of a file into the index
 * @contract:	The index, with all messages in it
 * @file:	The file
 */
static void methods_add(struct contract *contract, const file_proto *file)
{
	const struct place top = { .file = file };

	for (size_t i = 0; i < file->n_service; i++) {
		const service_proto *service = file->service[i];
		struct place in = place_in(&top, FILE_SERVICES, i);
		const char *name;

		name = format("%s.%s", file->package, service->name);
		for (size_t k = 0; k < service->n_method; k++) {
			struct place at = place_in(&in, SERVICE_METHODS, k);

			if (contract->n_rpcs == ELEMENTS_MAX)
				exit(1);
			rpc_add(contract, name, &at, service->method[k]);
		}
	}
}

/**
 * mark_used() - Mark a message and all that it can contain
 * @contract:	The index
 * @m:		The message; NULL for none
 */
static void mark_used(const struct contract *contract, struct message *m)
{
	if (!m || m->used)
		return;
	m->used = true;
	for (size_t i = 0; i < m->proto->n_field; i++) {
		const field_proto *f = m->proto->field[i];
		struct enumeration *e = NULL;

		if (f->type_name)
			e = enum_find(contract, f->type_name);
		if (e)
			e->used = true;
		mark_used(contract, field_message(contract, f));
	}
}

/* contract_load() - Read the descriptor set, or end the program */
void contract_load(struct contract *contract, const char *path)
{
	uint8_t *data;
	size_t size;

	data = read_all(path, &size);
	contract->set = google__protobuf__file_descriptor_set__unpack(
		NULL, size, data);
	if (!contract->set) {
		fprintf(stderr, "schema: %s is no descriptor set\n", path);
		exit(1);
	}
	contract->messages = room(ELEMENTS_MAX * sizeof(struct message));
	contract->enums = room(ELEMENTS_MAX * sizeof(struct enumeration));
	contract->rpcs = room(ELEMENTS_MAX * sizeof(struct rpc));
	for (size_t i = 0; i < contract->set->n_file; i++) {
		const file_proto *file = contract->set->file[i];
		const struct place top = { .file = file };

		enums_add(contract, file->package, &top, FILE_ENUMS,
			  file->enum_type, file->n_enum_type);
		for (size_t k = 0; k < file->n_message_type; k++) {
			struct place at = place_in(&top, FILE_MESSAGES, k);

			message_add(contract, file->package, &at,
				    file->message_type[k]);
		}
	}
	for (size_t i = 0; i < contract->set->n_file; i++)
		if (!strcmp(contract->set->file[i]->package,
			    contract->package))
			methods_add(contract, contract->set->file[i]);
	for (size_t i = 0; i < contract->n_rpcs; i++) {
		mark_used(contract, contract->rpcs[i].input);
		mark_used(contract, contract->rpcs[i].output);
	}
}

/* message_find() - By name with a dot in front */
struct message *message_find(const struct contract *contract,
			     const char *type)
{
	for (size_t i = 0; i < contract->n_messages; i++)
		if (!strcmp(contract->messages[i].name, type + 1))
			return &contract->messages[i];
	return NULL;
}

/* enum_find() - Likewise */
struct enumeration *enum_find(const struct contract *contract,
			      const char *type)
{
	for (size_t i = 0; i < contract->n_enums; i++)
		if (!strcmp(contract->enums[i].name, type + 1))
			return &contract->enums[i];
	return NULL;
}

/* field_repeated() - Is it a list or map? */
bool field_repeated(const field_proto *field)
{
	return field->label ==
	       GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
}

/* field_message() - The message that a field holds */
struct message *field_message(const struct contract *contract,
			      const field_proto *field)
{
	if (field->type != FIELD_TYPE(MESSAGE))
		return NULL;
	return message_find(contract, field->type_name);
}

/* field_is_map() - Is it a map? */
bool field_is_map(const struct contract *contract, const field_proto *field)
{
	const struct message *m = field_message(contract, field);

	return m && m->entry;
}

/* field_find() - A field by its path */
const field_proto *field_find(const struct contract *contract,
			      const struct message *in, const char *path)
{
	const field_proto *found = NULL;

	while (in) {
		size_t n = strcspn(path, ".");

		found = NULL;
		for (size_t i = 0; i < in->proto->n_field; i++) {
			const field_proto *f = in->proto->field[i];

			if (strlen(f->name) == n &&
			    !memcmp(f->name, path, n))
				found = f;
		}
		if (!found || !path[n])
			return found;
		if (field_repeated(found))
			return NULL;
		in = field_message(contract, found);
		path += n + 1;
	}
	return NULL;
}

/**
 * symbol() - protobuf-c's name for what it makes of a type
 *
 * Of letters in a row that are upper case only the first begins a word.
 */
const char *symbol(const char *name)
{
	char *s = room(2 * strlen(name) + 1);
	bool upper = false, begins = true;
	size_t n = 0;

	for (; *name; name++) {
		if (*name == '.') {
			s[n++] = '_';
			s[n++] = '_';
			begins = true, upper = false;
			continue;
		}
		if (isupper((unsigned char)*name) && !upper && !begins)
			s[n++] = '_';
		s[n++] = (char)tolower((unsigned char)*name);
		upper = isupper((unsigned char)*name);
		begins = false;
	}
	return s;
}

/* print_text() - Print a C string literal, or NULL */
void print_text(const char *s)
{
	if (!s) {
		printf("NULL");
		return;
	}
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		if (*s == '\n')
			printf("\\n");
		else
			putchar(*s);
	}
	putchar('"');
}
