/* SPDX-License-Identifier: Apache-2.0
 *
 * reflection.c - at build time: the tables of gRPC reflection
 * (api/grpc/reflection.h)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract.h"

/* Room for all names of a contract; main() ends the program beyond. */
#define NAMES_MAX 8192

/**
 * struct named - A name and the file that declares it
 */
struct named {
	const char *name;
	size_t file;
};

static struct named names[NAMES_MAX];
static size_t n_names;

/* add() - Note a name inside a scope. Return: the whole name. */
static const char *add(const char *scope, const char *name, size_t file)
{
	const char *whole = *scope ? format("%s.%s", scope, name) : name;

	if (n_names == NAMES_MAX) {
		fprintf(stderr, "schema-tables: more than %d names\n",
			NAMES_MAX);
		exit(1);
	}
	names[n_names++] = (struct named){ .name = whole, .file = file };
	return whole;
}

/* add_enum() - Note an enum and its values, which are names beside it. */
static void add_enum(const char *scope, const enum_proto *e, size_t file)
{
	add(scope, e->name, file);
	for (size_t i = 0; i < e->n_value; i++)
		add(scope, e->value[i]->name, file);
}

/**
 * add_message() - Note a message and all that it declares
 * @scope:	What it is in
 * @m:		The message
 * @file:	Its file
 *
 * What calls itself here goes as deep as the .proto files do.
 */
static void add_message(const char *scope, const message_proto *m, size_t file)
{
	const char *name = add(scope, m->name, file);

	for (size_t i = 0; i < m->n_field; i++)
		add(name, m->field[i]->name, file);
	for (size_t i = 0; i < m->n_oneof_decl; i++)
		add(name, m->oneof_decl[i]->name, file);
	for (size_t i = 0; i < m->n_extension; i++)
		add(name, m->extension[i]->name, file);
	for (size_t i = 0; i < m->n_enum_type; i++)
		add_enum(name, m->enum_type[i], file);
	for (size_t i = 0; i < m->n_nested_type; i++)
		add_message(name, m->nested_type[i], file);
}

/* add_file() - Note all that a file declares. */
static void add_file(const file_proto *proto, size_t file)
{
	const char *package = proto->package ? proto->package : "";

	for (size_t i = 0; i < proto->n_message_type; i++)
		add_message(package, proto->message_type[i], file);
	for (size_t i = 0; i < proto->n_enum_type; i++)
		add_enum(package, proto->enum_type[i], file);
	for (size_t i = 0; i < proto->n_extension; i++)
		add(package, proto->extension[i]->name, file);
	for (size_t i = 0; i < proto->n_service; i++) {
		const service_proto *service = proto->service[i];
		const char *name = add(package, service->name, file);

		for (size_t k = 0; k < service->n_method; k++)
			add(name, service->method[k]->name, file);
	}
}

/* by_name() - Order names. Return: as strcmp(). */
static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* file_index() - The number of a file that is imported. */
static size_t file_index(const file_set *set, const char *name)
{
	size_t i = 0;

	while (strcmp(set->file[i]->name, name) != 0)
		i++;
	return i;
}

/* print_imports() - Print what each file imports. */
static void print_imports(const file_set *set)
{
	for (size_t i = 0; i < set->n_file; i++) {
		printf("static const uint16_t imports_%zu[] = { ", i);
		for (size_t k = 0; k < set->file[i]->n_dependency; k++)
			printf("%zu, ",
			       file_index(set, set->file[i]->dependency[k]));
		printf("0 };\n");
	}
	printf("\nstatic const struct reflection_imports imports[] = {\n");
	for (size_t i = 0; i < set->n_file; i++)
		printf("\t{ imports_%zu, %zu },\n", i,
		       set->file[i]->n_dependency);
	printf("};\n\n");
}

/* print_extensions() - Print what the files extend, at their top. */
static void print_extensions(const file_set *set)
{
	printf("static const struct reflection_extension extensions[] = {\n");
	for (size_t i = 0; i < set->n_file; i++)
		for (size_t k = 0; k < set->file[i]->n_extension; k++)
			printf("\t{ \"%s\", %d, %zu },\n",
			       set->file[i]->extension[k]->extendee + 1,
			       set->file[i]->extension[k]->number, i);
	printf("};\n\n");
}

/* print_services() - Print the names of all services. */
static void print_services(const file_set *set)
{
	printf("static const char *const services[] = {\n");
	for (size_t i = 0; i < set->n_file; i++)
		for (size_t k = 0; k < set->file[i]->n_service; k++)
			printf("\t\"%s.%s\",\n", set->file[i]->package,
			       set->file[i]->service[k]->name);
	printf("};\n\n");
}

/**
 * length_size() - How many bytes the length of something takes on the wire
 * @length:	The length
 */
static size_t length_size(size_t length)
{
	size_t n = 1;

	for (; length > 0x7f; length >>= 7)
		n++;
	return n;
}

/* print_descriptors() - Print the descriptor set, without comments, and where
 * each file is in it.
 */
static void print_descriptors(file_set *set)
{
	size_t at = 0, size;
	uint8_t *data;

	printf("static const struct reflection_file files[] = {\n");
	for (size_t i = 0; i < set->n_file; i++) {
		set->file[i]->source_code_info = NULL;
		size = google__protobuf__file_descriptor_proto__get_packed_size(
			set->file[i]);
		at += 1 + length_size(size);
		printf("\t{ \"%s\", %zu, %zu },\n", set->file[i]->name, at,
		       size);
		at += size;
	}
	printf("};\n\nstatic const uint8_t descriptor_set[] = {");
	size = google__protobuf__file_descriptor_set__get_packed_size(set);
	data = room(size + 1);
	google__protobuf__file_descriptor_set__pack(set, data);
	for (size_t i = 0; i < size; i++)
		printf("%s%u,", i % 20 ? "" : "\n\t", data[i]);
	printf("\n};\n\n");
}

/* print_reflection() - The tables of gRPC reflection */
void print_reflection(const struct contract *contract, const char *name)
{
	file_set *set = contract->set;

	printf("/* Made by schema/tables from %s's .proto files. */\n\n"
	       "#include \"grpc/reflection.h\"\n\n",
	       contract->package);
	for (size_t i = 0; i < set->n_file; i++)
		add_file(set->file[i], i);
	qsort(names, n_names, sizeof(*names), by_name);
	printf("static const struct reflection_symbol symbols[] = {\n");
	for (size_t i = 0; i < n_names; i++)
		printf("\t{ \"%s\", %zu },\n", names[i].name, names[i].file);
	printf("};\n\n");
	print_imports(set);
	print_extensions(set);
	print_services(set);
	print_descriptors(set);
	printf("const struct reflection_tables %s = {\n"
	       "\t.descriptor_set = descriptor_set,\n"
	       "\t.files = files,\n\t.imports = imports,\n"
	       "\t.n_files = %zu,\n"
	       "\t.symbols = symbols,\n\t.n_symbols = %zu,\n"
	       "\t.extensions = extensions,\n"
	       "\t.n_extensions = sizeof(extensions) / sizeof(*extensions),\n"
	       "\t.services = services,\n"
	       "\t.n_services = sizeof(services) / sizeof(*services),\n};\n",
	       name, set->n_file, n_names);
}
