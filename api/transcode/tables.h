/* SPDX-License-Identifier: Apache-2.0
 *
 * tables.h - the contract as tables: what a build-time generator knows of it
 *
 * DOC: Theory of Operation
 *
 * protobuf-c's descriptors say how messages lie in memory and on the wire, and
 * have lost the rest: names in JSON, which lists are maps, streaming, options.
 * schema/tables (schema-tables ... api) makes these tables from protoc's
 * descriptor set, for each message that a request or reply can contain. They
 * are constant: the process that reads the network parses no descriptor.
 */
#ifndef API_TRANSCODE_TABLES_H
#define API_TRANSCODE_TABLES_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * enum value_kind - What a field holds, as JSON and memory have it
 *
 * sint32 and sfixed32 are KIND_INT32, and so on: they differ on the wire only.
 */
enum value_kind {
	KIND_BOOL,
	KIND_INT32,
	KIND_INT64,
	KIND_UINT32,
	KIND_UINT64,
	KIND_FLOAT,
	KIND_DOUBLE,
	KIND_STRING,
	KIND_BYTES,
	KIND_ENUM,
	KIND_MESSAGE,
};

/**
 * enum message_form - How JSON writes a message
 * @FORM_OBJECT:	As an object of its fields
 * @FORM_ENTRY:		As one member of an object: the entry of a map
 * @FORM_TIMESTAMP:	As a string of RFC 3339
 * @FORM_DURATION:	As a string of seconds, "1.5s"
 */
enum message_form {
	FORM_OBJECT,
	FORM_ENTRY,
	FORM_TIMESTAMP,
	FORM_DURATION,
};

/**
 * struct enum_value - One value of an enum
 */
struct enum_value {
	const char *name;
	int32_t number;
};

/**
 * struct enum_type - An enum, values as declared
 */
struct enum_type {
	const char *name;
	const struct enum_value *values;
	size_t n_values;
};

/**
 * struct field_type - A field of a message
 * @name:	In the .proto, "page_size"
 * @json:	In JSON, "pageSize"
 * @oneof:	Name of the oneof it is in; NULL if none
 * @number:	On the wire
 * @kind:	What it holds, or each element of it
 * @repeated:	It is a list, or a map
 * @map:	It is a map; @message is of FORM_ENTRY
 * @enumeration: With KIND_ENUM
 * @message:	With KIND_MESSAGE
 */
struct field_type {
	const char *name;
	const char *json;
	const char *oneof;
	uint32_t number;
	enum value_kind kind;
	bool repeated;
	bool map;
	const struct enum_type *enumeration;
	const struct message_type *message;
};

/**
 * struct message_type - A message
 * @name:	"ioasid.v1.Lease"
 * @form:	How JSON writes it
 * @memory:	How it lies in memory; @memory->fields[i] is @fields[i]
 * @fields:	By number
 * @n_fields:	How many
 */
struct message_type {
	const char *name;
	enum message_form form;
	const ProtobufCMessageDescriptor *memory;
	const struct field_type *fields;
	size_t n_fields;
};

/**
 * struct route_capture - A part of a path that becomes a field
 * @field:	Path of the field in the request, "name" or "lease.name"
 * @first:	Its first segment
 * @n:		How many
 */
struct route_capture {
	const char *field;
	size_t first;
	size_t n;
};

/**
 * struct rpc_type - A method
 * @service:	"ioasid.v1.Devices"
 * @method:	"PrepareDevice"
 * @name:	"ioasid.v1.Devices/PrepareDevice"
 * @permission:	"<object>.<verb>"
 * @input:	Its request
 * @output:	Its reply, or each of them
 * @client_streaming: Requests are a stream
 * @server_streaming: Replies are a stream
 * @verb:	Of its HTTP route
 * @path:	The template, as written in the .proto
 * @body:	"*": the request; a field of it; "" for none
 * @segments:	Of the path; NULL stands for any one segment
 * @n_segments:	How many
 * @custom:	What follows the colon at the end of the path; "" for none
 * @captures:	What becomes fields
 * @n_captures:	How many
 */
struct rpc_type {
	const char *service;
	const char *method;
	const char *name;
	const char *permission;
	const struct message_type *input;
	const struct message_type *output;
	bool client_streaming;
	bool server_streaming;
	const char *verb;
	const char *path;
	const char *body;
	const char *const *segments;
	size_t n_segments;
	const char *custom;
	const struct route_capture *captures;
	size_t n_captures;
};

/**
 * struct contract - All of it
 * @package:	"ioasid.v1"
 * @rpcs:	Methods, as declared
 * @n_rpcs:	How many
 * @messages:	All that a request or reply can contain
 * @n_messages:	How many
 */
struct contract {
	const char *package;
	const struct rpc_type *rpcs;
	size_t n_rpcs;
	const struct message_type *const *messages;
	size_t n_messages;
};

/* The contract of ioasidd; generated. */
extern const struct contract contract_ioasid;

/* contract_message() - A message by its full name; NULL if there is none. */
const struct message_type *contract_message(const struct contract *contract,
					    const char *name);

/* contract_rpc() - A method by "service/method", of @size bytes; or NULL. */
const struct rpc_type *contract_rpc(const struct contract *contract,
				    const char *name, size_t size);

/**
 * field_named() - A field by its name in JSON or in the .proto
 * @type:	Of the message
 * @name:	Its name, not ended
 * @size:	Of @name, bytes
 *
 * Return: the field; NULL if there is none.
 */
const struct field_type *field_named(const struct message_type *type,
				       const char *name, size_t size);

/* enum_value_named() - By name, of @size bytes; NULL if there is none. */
const struct enum_value *enum_value_named(const struct enum_type *type,
					  const char *name, size_t size);

/* enum_value_numbered() - By number; NULL if there is none. */
const struct enum_value *enum_value_numbered(const struct enum_type *type,
					     int32_t number);

/* field_memory() - How a field of a type lies in memory. */
static inline const ProtobufCFieldDescriptor *
field_memory(const struct message_type *type, const struct field_type *field)
{
	return &type->memory->fields[field - type->fields];
}

#endif
