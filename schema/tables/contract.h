/* SPDX-License-Identifier: Apache-2.0
 *
 * contract.h - at build time: the contract's descriptor set, indexed
 *
 * DOC: Theory of Operation
 *
 * schema-tables reads the FileDescriptorSet that protoc wrote, checks the
 * contract, and prints one thing made from it: the daemon's table of methods
 * (methods.c), the API process's tables of messages, routes and descriptors
 * (api.c), those of gRPC reflection (reflection.c), or the OpenAPI document
 * (openapi.c). It is linked with the generated
 * code of descriptor.proto, which no other program is. It runs once and ends:
 * nothing is freed.
 */
#ifndef SCHEMA_TABLES_CONTRACT_H
#define SCHEMA_TABLES_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "google/protobuf/descriptor.pb-c.h"

typedef Google__Protobuf__FileDescriptorSet file_set;
typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;
typedef Google__Protobuf__MethodDescriptorProto method_proto;

#define FIELD_TYPE(t) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##t

/* How deep elements of a file lie, as SourceCodeInfo counts. */
#define PLACE_MAX 16

#define ROUTE_SEGMENTS 16
#define ROUTE_CAPTURES 4

/**
 * struct place - Where in the .proto files an element is
 * @file:	Its file, with source info
 * @path:	The element, as SourceCodeInfo counts
 * @n:		Length of @path
 */
struct place {
	const file_proto *file;
	int32_t path[PLACE_MAX];
	size_t n;
};

/**
 * struct message - A message of any file
 * @name:	"ioasid.v1.Lease"
 * @proto:	What protoc says of it
 * @place:	Where it is
 * @own:	It is of the package that is printed
 * @entry:	It is the entry of a map
 * @used:	A method's request or reply can contain it
 * @depth:	How many messages lie in each other in it, itself included; 0
 *		before contract_check()
 * @visiting:	For contract_check()
 */
struct message {
	const char *name;
	const message_proto *proto;
	struct place place;
	bool own;
	bool entry;
	bool used;
	unsigned int depth;
	bool visiting;
};

/**
 * struct enumeration - An enum of any file; as struct message
 */
struct enumeration {
	const char *name;
	const enum_proto *proto;
	struct place place;
	bool own;
	bool used;
};

/**
 * struct capture - A part of a path that becomes a field
 * @field:	Path of the field in the request, "name" or "a.name"
 * @first:	Its first segment
 * @n:		How many
 */
struct capture {
	const char *field;
	size_t first;
	size_t n;
};

/**
 * struct route - Where a method is over HTTP
 * @verb:	"GET"
 * @path:	The template as written
 * @body:	"*", a field, or "" for none
 * @segments:	Each a literal, or NULL for any one segment
 * @captures:	What becomes fields
 * @custom:	What follows the colon at the end; "" for none
 */
struct route {
	const char *verb;
	const char *path;
	const char *body;
	const char *segments[ROUTE_SEGMENTS];
	size_t n_segments;
	struct capture captures[ROUTE_CAPTURES];
	size_t n_captures;
	const char *custom;
};

/**
 * struct rpc - A method of the package that is printed
 * @service:	"ioasid.v1.Devices"
 * @name:	"ioasid.v1.Devices/PrepareDevice"
 * @proto:	What protoc says of it
 * @place:	Where it is
 * @permission:	What a caller needs; NULL for none
 * @takes_descriptors: They may come with its request
 * @gives_descriptors: They come with its reply
 * @route:	Where it is; @verb is NULL if it has none
 * @input:	Its request
 * @output:	Its reply
 */
struct rpc {
	const char *service;
	const char *name;
	const method_proto *proto;
	struct place place;
	const char *permission;
	bool takes_descriptors;
	bool gives_descriptors;
	struct route route;
	struct message *input;
	struct message *output;
};

/**
 * struct contract - All of it
 * @set:	What protoc wrote
 * @package:	The package that is printed
 * @root:	Folder of the .proto files, for complaints
 */
struct contract {
	file_set *set;
	const char *package;
	const char *root;
	struct message *messages;
	size_t n_messages;
	struct enumeration *enums;
	size_t n_enums;
	struct rpc *rpcs;
	size_t n_rpcs;
	unsigned int complaints;
};

/* contract_load() - Read the descriptor set at @path, or end the program. */
void contract_load(struct contract *contract, const char *path);

/**
 * contract_check() - Complain about all that is wrong with the contract
 *
 * Return: true if nothing is.
 */
bool contract_check(struct contract *contract);

/* complain() - Say where the contract is wrong, and how. */
void complain(struct contract *contract, const struct place *place,
	      const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* place_in() - The place of the @index-th element of @kind inside another;
 * @kind: the number of the field that holds it.
 */
struct place place_in(const struct place *parent, int32_t kind, size_t index);

/* place_comment() - The comment before an element; NULL if there is none. */
const char *place_comment(const struct place *place);

/* message_find() - By name with a dot in front, ".ioasid.v1.Lease"; or NULL. */
struct message *message_find(const struct contract *contract,
			     const char *type);

/* enum_find() - Likewise. */
struct enumeration *enum_find(const struct contract *contract,
			      const char *type);

/**
 * field_find() - A field by its path
 * @in:		The message that the path begins in
 * @path:	"name", or "claimant.uid"
 *
 * Return: the field; NULL if there is none.
 */
const field_proto *field_find(const struct contract *contract,
			      const struct message *in, const char *path);

/* field_repeated() - Is it a list or map? */
bool field_repeated(const field_proto *field);

/* field_message() - The message that a field holds; NULL if it holds none. */
struct message *field_message(const struct contract *contract,
			      const field_proto *field);

/* field_is_map() - Is it a map? */
bool field_is_map(const struct contract *contract, const field_proto *field);

/**
 * symbol() - protobuf-c's name for what it makes of a type
 * @name:	"ioasid.v1.ListDevicesRequest"
 *
 * Return: "ioasid__v1__list_devices_request".
 */
const char *symbol(const char *name);

/**
 * route_parse() - Take a path template apart
 * @route:	@path is set; the rest is filled
 *
 * Return: NULL; what is wrong with the template.
 */
const char *route_parse(struct route *route);

/* print_text() - Print a C string literal, or NULL. */
void print_text(const char *s);

/* format() - Words that are never freed. */
const char *format(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/* room() - Zeroed memory, or the end of the program. */
void *room(size_t size);

/* print_methods() - The daemon's table of methods. */
void print_methods(const struct contract *contract);

/* print_api() - The API process's tables, as struct contract @name. */
void print_api(const struct contract *contract, const char *name);

/* print_reflection() - Tables of gRPC reflection of all files, as struct
 * reflection_tables @name.
 */
void print_reflection(const struct contract *contract, const char *name);

/* print_openapi() - The OpenAPI document. Return: false if it cannot be. */
bool print_openapi(struct contract *contract);

#endif
