/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi.h - at build time: what the parts of the OpenAPI document share
 *
 * openapi.c has the document with its paths; openapi-schemas.c has the schemas
 * that they refer to; openapi-errors.c has their problem responses;
 * openapi-json.c has what JSON and words are made with.
 */
#ifndef SCHEMA_TABLES_OPENAPI_H
#define SCHEMA_TABLES_OPENAPI_H

#include <json-c/json.h>

#include "contract.h"

typedef struct json_object json;

/* Where a message has its fields, as SourceCodeInfo counts. */
#define MEMBER_FIELDS 2

/* put() - Give an object a member. */
void put(json *in, const char *name, json *value);

/* put_text() - Give an object a member that is a string. */
void put_text(json *in, const char *name, const char *value);

/* put_object() - Give an object a member that is an object. Return: that. */
json *put_object(json *in, const char *name);

/* put_list() - Give an object a member that is a list. Return: that. */
json *put_list(json *in, const char *name);

/* add_text() - Append a string to a list. */
void add_text(json *list, const char *value);

/**
 * words_of() - The comment of an element as running text
 * @place:	The element
 *
 * Lines of a paragraph are joined; paragraphs stay.
 *
 * Return: the words; "" if there is no comment.
 */
const char *words_of(const struct place *place);

/* short_name() - "Lease.State" of "ioasid.v1.Lease.State". */
const char *short_name(const struct contract *contract,
		       const char *name);

/* reference() - A schema that is another one. */
json *reference(const char *name);

/* of_type() - A schema of a type and format; NULL for no format. */
json *of_type(const char *type, const char *form);

/* of_message() - The schema of a field that holds a message. */
json *of_message(const struct contract *contract, const struct message *m);

/**
 * of_value() - The schema of one value of a field
 * @contract:	All
 * @f:		The field
 */
json *of_value(const struct contract *contract, const field_proto *f);

/**
 * of_field() - The schema of a field, with its comment
 * @contract:	All
 * @m:		The message
 * @index:	The field's number there
 */
json *of_field(const struct contract *contract, const struct message *m,
	       size_t index);

/**
 * captured() - Does the path of a method bind a field?
 * @route:	The method's route; NULL for none
 * @name:	The field's name
 */
bool captured(const struct route *route, const char *name);

/**
 * of_fields() - The schema of a message
 * @contract:	All
 * @m:		The message
 * @route:	Leave out what its path binds, and allow nothing else; NULL
 */
json *of_fields(const struct contract *contract, const struct message *m,
		const struct route *route);

/**
 * put_schemas() - The schemas of all that is not a request
 * @contract:	All
 * @schemas:	Where they go
 */
void put_schemas(const struct contract *contract, json *schemas);

/**
 * errors_of() - The errors that a method's comment lists
 * @contract:	Complained to
 * @rpc:	The method
 * @marks:	Those it answers, by enum error_id
 * @late:	Those with which the operation that it starts can end
 */
void errors_of(struct contract *contract, const struct rpc *rpc,
	       bool *marks, bool *late);

/**
 * put_problems() - Document the errors of a method, a response a status
 * @responses:	Where they go
 * @marks:	By enum error_id
 */
void put_problems(json *responses, const bool *marks);

#endif
