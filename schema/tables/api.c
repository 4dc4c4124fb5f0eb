/* SPDX-License-Identifier: Apache-2.0
 *
 * api.c - at build time: the API process's tables (api/transcode/tables.h)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract.h"

/**
 * kind_of() - The enum value_kind of a field
 * @field:	The field
 *
 * Return: its name; NULL for a group, which contract_check() has refused.
 */
static const char *kind_of(const field_proto *field)
{
	switch (field->type) {
	case FIELD_TYPE(DOUBLE):
		return "KIND_DOUBLE";
	case FIELD_TYPE(FLOAT):
		return "KIND_FLOAT";
	case FIELD_TYPE(INT64):
	case FIELD_TYPE(SINT64):
	case FIELD_TYPE(SFIXED64):
		return "KIND_INT64";
	case FIELD_TYPE(UINT64):
	case FIELD_TYPE(FIXED64):
		return "KIND_UINT64";
	case FIELD_TYPE(INT32):
	case FIELD_TYPE(SINT32):
	case FIELD_TYPE(SFIXED32):
		return "KIND_INT32";
	case FIELD_TYPE(UINT32):
	case FIELD_TYPE(FIXED32):
		return "KIND_UINT32";
	case FIELD_TYPE(BOOL):
		return "KIND_BOOL";
	case FIELD_TYPE(STRING):
		return "KIND_STRING";
	case FIELD_TYPE(BYTES):
		return "KIND_BYTES";
	case FIELD_TYPE(ENUM):
		return "KIND_ENUM";
	case FIELD_TYPE(MESSAGE):
		return "KIND_MESSAGE";
	case FIELD_TYPE(GROUP):
	case _GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE_IS_INT_SIZE:
		break;
	}
	return NULL;
}

/**
 * form_of() - The enum message_form of a message
 * @m:		The message
 */
static const char *form_of(const struct message *m)
{
	if (m->entry)
		return "FORM_ENTRY";
	if (!strcmp(m->name, "google.protobuf.Timestamp"))
		return "FORM_TIMESTAMP";
	if (!strcmp(m->name, "google.protobuf.Duration"))
		return "FORM_DURATION";
	return "FORM_OBJECT";
}

/**
 * print_enum() - Print the table of an enum
 * @e:		The enum
 */
static void print_enum(const struct enumeration *e)
{
	printf("static const struct enum_value values_%s[] = {\n",
	       symbol(e->name));
	for (size_t i = 0; i < e->proto->n_value; i++)
		printf("\t{ \"%s\", %d },\n", e->proto->value[i]->name,
		       e->proto->value[i]->number);
	printf("};\n\nstatic const struct enum_type enum_%s = {\n"
	       "\t\"%s\", values_%s, %zu\n};\n\n",
	       symbol(e->name), e->name, symbol(e->name), e->proto->n_value);
}

/**
 * by_number() - Order fields as protobuf-c does
 * @a:		One field
 * @b:		Another
 *
 * Return: as strcmp().
 */
static int by_number(const void *a, const void *b)
{
	const field_proto *const *x = a, *const *y = b;

	return (*x)->number < (*y)->number ? -1 : (*x)->number > (*y)->number;
}

/**
 * print_field() - Print the initialiser of a field
 * @contract:	All
 * @m:		The message it is in
 * @f:		The field
 */
static void print_field(const struct contract *contract,
			const struct message *m, const field_proto *f)
{
	const struct message *in = field_message(contract, f);

	printf("\t{\n\t\t.name = \"%s\", .json = \"%s\", .number = %d,\n"
	       "\t\t.kind = %s,\n",
	       f->name, f->json_name, f->number, kind_of(f));
	if (f->has_oneof_index)
		printf("\t\t.oneof = \"%s\",\n",
		       m->proto->oneof_decl[f->oneof_index]->name);
	if (field_repeated(f))
		printf("\t\t.repeated = true,\n");
	if (in && in->entry)
		printf("\t\t.map = true,\n");
	if (in)
		printf("\t\t.message = &message_%s,\n", symbol(in->name));
	if (f->type == FIELD_TYPE(ENUM))
		printf("\t\t.enumeration = &enum_%s,\n",
		       symbol(f->type_name + 1));
	printf("\t},\n");
}

/**
 * print_message() - Print the table of a message
 * @contract:	All
 * @m:		The message
 */
static void print_message(const struct contract *contract,
			  const struct message *m)
{
	const char *name = symbol(m->name);
	size_t n = m->proto->n_field;
	const field_proto **fields = room((n + 1) * sizeof(*fields));

	if (n)
		memcpy(fields, m->proto->field, n * sizeof(*fields));
	qsort(fields, n, sizeof(*fields), by_number);
	if (n)
		printf("static const struct field_type fields_%s[] = {\n",
		       name);
	for (size_t i = 0; i < n; i++)
		print_field(contract, m, fields[i]);
	if (n)
		printf("};\n\n");
	printf("static const struct message_type message_%s = {\n"
	       "\t.name = \"%s\",\n\t.form = %s,\n"
	       "\t.memory = &%s__descriptor,\n",
	       name, m->name, form_of(m), name);
	if (n)
		printf("\t.fields = fields_%s,\n\t.n_fields = %zu,\n", name, n);
	printf("};\n\n");
}

/**
 * print_route() - Print the segments and captures of a method's path
 * @index:	The method's number
 * @route:	Its route
 */
static void print_route(size_t index, const struct route *route)
{
	printf("static const char *const segments_%zu[] = { ", index);
	for (size_t i = 0; i < route->n_segments; i++) {
		print_text(route->segments[i]);
		printf(", ");
	}
	printf("};\n");
	if (!route->n_captures)
		return;
	printf("static const struct route_capture captures_%zu[] = { ", index);
	for (size_t i = 0; i < route->n_captures; i++)
		printf("{ \"%s\", %zu, %zu }, ", route->captures[i].field,
		       route->captures[i].first, route->captures[i].n);
	printf("};\n");
}

/**
 * print_rpc() - Print the initialiser of a method
 * @index:	Its number
 * @rpc:	The method
 */
static void print_rpc(size_t index, const struct rpc *rpc)
{
	const struct route *route = &rpc->route;

	printf("\t{\n\t\t.service = \"%s\",\n\t\t.method = \"%s\",\n"
	       "\t\t.name = \"%s\",\n\t\t.permission = \"%s\",\n"
	       "\t\t.input = &message_%s,\n\t\t.output = &message_%s,\n",
	       rpc->service, rpc->proto->name, rpc->name, rpc->permission,
	       symbol(rpc->input->name), symbol(rpc->output->name));
	if (rpc->proto->client_streaming)
		printf("\t\t.client_streaming = true,\n");
	if (rpc->proto->server_streaming)
		printf("\t\t.server_streaming = true,\n");
	printf("\t\t.verb = \"%s\",\n\t\t.path = \"%s\",\n"
	       "\t\t.body = \"%s\",\n\t\t.custom = \"%s\",\n"
	       "\t\t.segments = segments_%zu,\n\t\t.n_segments = %zu,\n",
	       route->verb, route->path, route->body, route->custom, index,
	       route->n_segments);
	if (route->n_captures)
		printf("\t\t.captures = captures_%zu,\n\t\t.n_captures = %zu,\n",
		       index, route->n_captures);
	printf("\t},\n");
}

/**
 * print_includes() - Include what declares protobuf-c's descriptors
 * @contract:	All
 */
static void print_includes(const struct contract *contract)
{
	for (size_t i = 0; i < contract->set->n_file; i++) {
		const file_proto *file = contract->set->file[i];
		bool used = false;

		for (size_t k = 0; k < contract->n_messages; k++)
			if (contract->messages[k].place.file == file)
				used |= contract->messages[k].used;
		if (used)
			printf("#include \"%.*s.pb-c.h\"\n",
			       (int)(strlen(file->name) - strlen(".proto")),
			       file->name);
	}
}

/* print_api() - The API process's tables */
void print_api(const struct contract *contract, const char *name)
{
	printf("/* Made by schema/tables from %s's .proto files. */\n\n"
	       "#include \"transcode/tables.h\"\n\n",
	       contract->package);
	print_includes(contract);
	putchar('\n');
	for (size_t i = 0; i < contract->n_enums; i++)
		if (contract->enums[i].used)
			print_enum(&contract->enums[i]);
	for (size_t i = 0; i < contract->n_messages; i++)
		if (contract->messages[i].used)
			printf("static const struct message_type message_%s;\n",
			       symbol(contract->messages[i].name));
	putchar('\n');
	for (size_t i = 0; i < contract->n_messages; i++)
		if (contract->messages[i].used)
			print_message(contract, &contract->messages[i]);
	printf("static const struct message_type *const messages[] = {\n");
	for (size_t i = 0; i < contract->n_messages; i++)
		if (contract->messages[i].used)
			printf("\t&message_%s,\n",
			       symbol(contract->messages[i].name));
	printf("};\n\n");
	for (size_t i = 0; i < contract->n_rpcs; i++)
		print_route(i, &contract->rpcs[i].route);
	printf("\nstatic const struct rpc_type rpcs[] = {\n");
	for (size_t i = 0; i < contract->n_rpcs; i++)
		print_rpc(i, &contract->rpcs[i]);
	printf("};\n\n");
	printf("const struct contract %s = {\n\t.package = \"%s\",\n"
	       "\t.rpcs = rpcs,\n\t.n_rpcs = %zu,\n"
	       "\t.messages = messages,\n"
	       "\t.n_messages = sizeof(messages) / sizeof(*messages),\n};\n",
	       name, contract->package, contract->n_rpcs);
}
