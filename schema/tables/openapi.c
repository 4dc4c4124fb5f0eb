/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi.c - at build time: the contract as an OpenAPI 3.1 document
 *
 * Comments become descriptions; the ids that the comment of a method lists
 * after "Errors:" become its problem responses, with what every method can
 * answer. Ids that the catalogue does not have are complained about.
 */
#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "contract.h"

typedef struct json_object json;

#define MEMBER_FIELDS 2
#define ENUM_VALUES 2

#define PROBLEM "#/components/schemas/Problem"

/* What every method can answer. */
static const enum error_id common_errors[] = {
	ERROR_REQUEST_INVALID,	 ERROR_REQUEST_MALFORMED,
	ERROR_REQUEST_TOO_LARGE, ERROR_REQUEST_TOO_COMPLEX,
	ERROR_REQUEST_TOO_SLOW,	 ERROR_REQUEST_HEADERS_TOO_LARGE,
	ERROR_PERMISSION_DENIED, ERROR_LIMIT_CLIENTS,
	ERROR_LIMIT_REQUESTS,	 ERROR_DAEMON_READ_ONLY,
	ERROR_DAEMON_STOPPING,	 ERROR_DAEMON_INTERNAL,
	ERROR_DAEMON_NO_MEMORY,	 ERROR_DAEMON_UNREACHABLE,
};

/* put() - Give an object a member. */
static void put(json *in, const char *name, json *value)
{
	json_object_object_add(in, name, value);
}

/* put_text() - Give an object a member that is a string. */
static void put_text(json *in, const char *name, const char *value)
{
	put(in, name, json_object_new_string(value));
}

/* put_object() - Give an object a member that is an object. Return: that. */
static json *put_object(json *in, const char *name)
{
	json *value = json_object_new_object();

	put(in, name, value);
	return value;
}

/* put_list() - Give an object a member that is a list. Return: that. */
static json *put_list(json *in, const char *name)
{
	json *value = json_object_new_array();

	put(in, name, value);
	return value;
}

/* add_text() - Append a string to a list. */
static void add_text(json *list, const char *value)
{
	json_object_array_add(list, json_object_new_string(value));
}

/**
 * words_of() - The comment of an element as running text
 * @place:	The element
 *
 * Lines of a paragraph are joined; paragraphs stay.
 *
 * Return: the words; "" if there is no comment.
 */
static const char *words_of(const struct place *place)
{
	const char *in = place_comment(place);
	char *out, *at;

	if (!in)
		return "";
	out = at = room(strlen(in) + 1);
	for (; *in; in++) {
		if (*in == '\n' && in[1] == '\n') {
			*at++ = '\n';
			*at++ = '\n';
			in++;
		} else if (isspace((unsigned char)*in)) {
			if (at > out && !isspace((unsigned char)at[-1]))
				*at++ = ' ';
		} else {
			*at++ = *in;
		}
	}
	while (at > out && isspace((unsigned char)at[-1]))
		*--at = '\0';
	return out;
}

/* short_name() - "Lease.State" of "ioasid.v1.Lease.State". */
static const char *short_name(const struct contract *contract,
			      const char *name)
{
	size_t n = strlen(contract->package);

	if (!strncmp(name, contract->package, n) && name[n] == '.')
		return name + n + 1;
	return name;
}

/* reference() - A schema that is another one. */
static json *reference(const char *name)
{
	json *schema = json_object_new_object();

	put_text(schema, "$ref", format("#/components/schemas/%s", name));
	return schema;
}

/* of_type() - A schema of a type and format; NULL for no format. */
static json *of_type(const char *type, const char *form)
{
	json *schema = json_object_new_object();

	put_text(schema, "type", type);
	if (form)
		put_text(schema, "format", form);
	return schema;
}

/* of_pattern() - A schema of a string that matches a pattern. */
static json *of_pattern(const char *form, const char *pattern)
{
	json *schema = of_type("string", form);

	put_text(schema, "pattern", pattern);
	return schema;
}

/* of_message() - The schema of a field that holds a message. */
static json *of_message(const struct contract *contract,
			const struct message *m)
{
	if (!strcmp(m->name, "google.protobuf.Timestamp"))
		return of_type("string", "date-time");
	if (!strcmp(m->name, "google.protobuf.Duration"))
		return of_pattern(NULL, "^-?[0-9]+(\\.[0-9]{1,9})?s$");
	return reference(short_name(contract, m->name));
}

/**
 * of_value() - The schema of one value of a field
 * @contract:	All
 * @f:		The field
 */
static json *of_value(const struct contract *contract, const field_proto *f)
{
	json *schema;

	switch (f->type) {
	case FIELD_TYPE(DOUBLE):
		return of_type("number", "double");
	case FIELD_TYPE(FLOAT):
		return of_type("number", "float");
	case FIELD_TYPE(INT64):
	case FIELD_TYPE(SINT64):
	case FIELD_TYPE(SFIXED64):
		return of_pattern("int64", "^-?[0-9]+$");
	case FIELD_TYPE(UINT64):
	case FIELD_TYPE(FIXED64):
		return of_pattern("uint64", "^[0-9]+$");
	case FIELD_TYPE(INT32):
	case FIELD_TYPE(SINT32):
	case FIELD_TYPE(SFIXED32):
		return of_type("integer", "int32");
	case FIELD_TYPE(UINT32):
	case FIELD_TYPE(FIXED32):
		schema = of_type("integer", "uint32");
		put(schema, "minimum", json_object_new_int(0));
		put(schema, "maximum", json_object_new_int64(UINT32_MAX));
		return schema;
	case FIELD_TYPE(BOOL):
		return of_type("boolean", NULL);
	case FIELD_TYPE(BYTES):
		schema = of_type("string", NULL);
		put_text(schema, "contentEncoding", "base64");
		return schema;
	case FIELD_TYPE(ENUM):
		return reference(short_name(contract, f->type_name + 1));
	case FIELD_TYPE(MESSAGE):
		return of_message(contract, field_message(contract, f));
	case FIELD_TYPE(STRING):
	case FIELD_TYPE(GROUP):
	case _GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE_IS_INT_SIZE:
		break;
	}
	return of_type("string", NULL);
}

/**
 * of_field() - The schema of a field, with its comment
 * @contract:	All
 * @m:		The message
 * @index:	The field's number there
 */
static json *of_field(const struct contract *contract, const struct message *m,
		      size_t index)
{
	struct place at = place_in(&m->place, MEMBER_FIELDS, index);
	const field_proto *f = m->proto->field[index];
	json *schema;

	if (field_is_map(contract, f)) {
		const struct message *entry = field_message(contract, f);

		schema = of_type("object", NULL);
		put(schema, "additionalProperties",
		    of_value(contract, entry->proto->field[1]));
	} else if (field_repeated(f)) {
		schema = of_type("array", NULL);
		put(schema, "items", of_value(contract, f));
	} else {
		schema = of_value(contract, f);
	}
	put_text(schema, "description", words_of(&at));
	return schema;
}

/**
 * captured() - Does the path of a method bind a field?
 * @route:	The method's route; NULL for none
 * @name:	The field's name
 */
static bool captured(const struct route *route, const char *name)
{
	for (size_t i = 0; route && i < route->n_captures; i++)
		if (!strcmp(route->captures[i].field, name))
			return true;
	return false;
}

/**
 * of_fields() - The schema of a message
 * @contract:	All
 * @m:		The message
 * @route:	Leave out what its path binds, and allow nothing else; NULL
 */
static json *of_fields(const struct contract *contract,
		       const struct message *m, const struct route *route)
{
	json *schema = of_type("object", NULL), *properties;

	put_text(schema, "description", words_of(&m->place));
	properties = put_object(schema, "properties");
	for (size_t i = 0; i < m->proto->n_field; i++)
		if (!captured(route, m->proto->field[i]->name))
			put(properties, m->proto->field[i]->json_name,
			    of_field(contract, m, i));
	if (route)
		put(schema, "additionalProperties",
		    json_object_new_boolean(false));
	return schema;
}

/**
 * of_enum() - The schema of an enum: its names, each explained
 * @e:		The enum
 */
static json *of_enum(const struct enumeration *e)
{
	const char *words = words_of(&e->place);
	json *schema = of_type("string", NULL), *names;

	names = put_list(schema, "enum");
	for (size_t i = 0; i < e->proto->n_value; i++) {
		struct place at = place_in(&e->place, ENUM_VALUES, i);
		const char *name = e->proto->value[i]->name;

		add_text(names, name);
		words = format("%s\n- %s: %s", words, name, words_of(&at));
	}
	put_text(schema, "description", words);
	return schema;
}

/* is_input() - Is a message the request of a method? */
static bool is_input(const struct contract *contract, const struct message *m)
{
	for (size_t i = 0; i < contract->n_rpcs; i++)
		if (contract->rpcs[i].input == m)
			return true;
	return false;
}

/**
 * problem_schema() - The schema of an error over HTTP (RFC 9457)
 */
static json *problem_schema(void)
{
	static const char *const texts[][2] = {
		{ "type", "\"urn:ioasidd:error:\" and the id." },
		{ "title", "What the id means." },
		{ "detail", "The words for a person, of this one failure." },
		{ "instance", "The path of the request." },
		{ "id", "Stable identifier. Programs decide on this." },
		{ "object", "Resource name of what the error is about." },
		{ "remedy", "What would work." },
	};
	json *schema = of_type("object", NULL), *properties, *list, *text;

	put_text(schema, "description",
		 "What was refused or failed, what stood in the way and what would work.");
	properties = put_object(schema, "properties");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		text = of_type("string", NULL);
		put_text(text, "description", texts[i][1]);
		put(properties, texts[i][0], text);
	}
	text = of_type("integer", NULL);
	put_text(text, "description", "The HTTP status.");
	put(properties, "status", text);
	list = of_type("array", NULL);
	put(list, "items", reference("Cause"));
	put_text(list, "description", "Each thing that stands in the way.");
	put(properties, "causes", list);
	list = put_list(schema, "required");
	for (size_t i = 0; i < 3; i++)
		add_text(list, texts[i][0]);
	add_text(list, "status");
	add_text(list, "id");
	return schema;
}

/**
 * take_id() - Does a word of a comment name errors, and which?
 * @word:	Begins with it
 * @ret_size:	Its length
 *
 * "kernel.*" names all of a kind.
 */
static bool take_id(const char *word, size_t *ret_size)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz"), rest;

	if (!n || word[n] != '.')
		return false;
	rest = strspn(word + n + 1, "abcdefghijklmnopqrstuvwxyz-*");
	*ret_size = n + 1 + rest;
	return rest > 0;
}

/**
 * mark_ids() - Mark the errors that a word names
 * @word:	"device.busy" or "kernel.*"
 * @n:		Its length
 * @marks:	By enum error_id
 *
 * Return: false if the catalogue has none such.
 */
static bool mark_ids(const char *word, size_t n, bool *marks)
{
	bool found = false;

	for (unsigned int id = ERROR_NONE + 1; id < ERROR_COUNT; id++) {
		const char *name = error_kind(id)->id;

		if (word[n - 1] != '*' && strlen(name) != n)
			continue;
		if (strncmp(name, word, word[n - 1] == '*' ? n - 1 : n) != 0)
			continue;
		marks[id] = found = true;
	}
	return found;
}

/**
 * errors_of() - The errors that a method's comment lists
 * @contract:	Complained to
 * @rpc:	The method
 * @marks:	Those it answers, by enum error_id
 * @late:	Those with which the operation that it starts can end
 */
static void errors_of(struct contract *contract, const struct rpc *rpc,
		      bool *marks, bool *late)
{
	const char *words = words_of(&rpc->place), *operation;
	const char *at = strstr(words, "Errors:");
	size_t n;

	for (size_t i = 0; i < sizeof(common_errors) / sizeof(*common_errors);
	     i++)
		marks[common_errors[i]] = true;
	if (*rpc->route.body)
		marks[ERROR_REQUEST_CONTENT_TYPE] = true;
	if (!at)
		return;
	operation = strstr(at, "through the operation");
	for (at += strlen("Errors:"); *at; at += n) {
		n = strcspn(at, " ,;\n");
		if (take_id(at, &n) &&
		    !mark_ids(at, n, operation && at > operation ? late :
								   marks))
			complain(contract, &rpc->place,
				 "%s: the catalogue has no error '%.*s'",
				 rpc->name, (int)n, at);
		n += strspn(at + n, " .,;\n");
		if (!n)
			n = 1;
	}
}

/**
 * put_problems() - Document the errors of a method, a response a status
 * @responses:	Where they go
 * @marks:	By enum error_id
 */
static void put_problems(json *responses, const bool *marks)
{
	for (int status = 400; status < 600; status++) {
		json *response = NULL, *ids = NULL, *all, *schema;
		const char *words = "";

		for (unsigned int id = ERROR_NONE + 1; id < ERROR_COUNT;
		     id++) {
			const struct error_kind *kind = error_kind(id);

			if (!marks[id] || kind->http != status)
				continue;
			if (!ids)
				ids = json_object_new_array();
			add_text(ids, kind->id);
			words = format("%s%s- %s: %s", words, *words ? "\n" : "",
				       kind->id, kind->meaning);
		}
		if (!ids)
			continue;
		response = put_object(responses, format("%d", status));
		put_text(response, "description", words);
		schema = put_object(
			put_object(put_object(response, "content"),
				   "application/problem+json"),
			"schema");
		all = put_list(schema, "allOf");
		json_object_array_add(all, reference("Problem"));
		schema = json_object_new_object();
		put(put_object(put_object(schema, "properties"), "id"), "enum",
		    ids);
		json_object_array_add(all, schema);
	}
}

/**
 * singular() - What one of a collection is called in a path
 * @collection:	"devices"
 */
static const char *singular(const char *collection)
{
	size_t n = strlen(collection);

	return format("%.*s", (int)(n && collection[n - 1] == 's' ? n - 1 : n),
		      collection);
}

/**
 * put_path() - The path of a method as OpenAPI writes it, with its parameters
 * @rpc:	The method
 * @parameters:	Where the parameters go
 *
 * Return: the path.
 */
static const char *put_path(const struct rpc *rpc, json *parameters)
{
	const struct route *route = &rpc->route;
	const char *path = "", *last = "id";

	for (size_t i = 0; i < route->n_segments; i++) {
		json *parameter;

		if (route->segments[i]) {
			path = format("%s/%s", path, route->segments[i]);
			last = singular(route->segments[i]);
			continue;
		}
		path = format("%s/{%s}", path, last);
		parameter = json_object_new_object();
		put_text(parameter, "name", last);
		put_text(parameter, "in", "path");
		put(parameter, "required", json_object_new_boolean(true));
		put_text(parameter, "description",
			 "The part of the resource name after the slash.");
		put(parameter, "schema", of_type("string", NULL));
		json_object_array_add(parameters, parameter);
	}
	return *route->custom ? format("%s:%s", path, route->custom) : path;
}

/**
 * put_query() - The query parameters of a method
 * @contract:	All
 * @rpc:	The method
 * @parameters:	Where they go
 *
 * With a body of all fields any of them may be in the query instead; told is
 * the one that is meant to be there.
 */
static void put_query(const struct contract *contract, const struct rpc *rpc,
		      json *parameters)
{
	bool all = !strcmp(rpc->route.body, "*");

	for (size_t i = 0; i < rpc->input->proto->n_field; i++) {
		const field_proto *f = rpc->input->proto->field[i];
		struct place at = place_in(&rpc->input->place, MEMBER_FIELDS,
					   i);
		json *parameter, *schema;

		if (captured(&rpc->route, f->name) ||
		    !strcmp(rpc->route.body, f->name) ||
		    (all && strcmp(f->name, "dry_run") != 0) ||
		    field_message(contract, f))
			continue;
		schema = of_field(contract, rpc->input, i);
		json_object_object_del(schema, "description");
		parameter = json_object_new_object();
		put_text(parameter, "name", f->name);
		put_text(parameter, "in", "query");
		put_text(parameter, "description", words_of(&at));
		put(parameter, "schema", schema);
		json_object_array_add(parameters, parameter);
	}
}

/* has_field() - Has a message a field of a name? */
static bool has_field(const struct message *m, const char *name)
{
	for (size_t i = 0; i < m->proto->n_field; i++)
		if (!strcmp(m->proto->field[i]->name, name))
			return true;
	return false;
}

/**
 * put_header() - Document a header of a request
 * @parameters:	Where it goes
 * @name:	Its name
 * @words:	What it does
 */
static void put_header(json *parameters, const char *name, const char *words)
{
	json *parameter = json_object_new_object();

	put_text(parameter, "name", name);
	put_text(parameter, "in", "header");
	put_text(parameter, "description", words);
	put(parameter, "schema", of_type("string", NULL));
	json_object_array_add(parameters, parameter);
}

/**
 * put_headers() - The headers that a method's request may have
 * @rpc:	The method
 * @parameters:	Where they go
 *
 * They are fields of its request; a request that has both must not differ.
 */
static void put_headers(const struct rpc *rpc, json *parameters)
{
	if (has_field(rpc->input, "request_id"))
		put_header(parameters, "Idempotency-Key",
			   "The field request_id, with quotation marks or without.");
	if (has_field(rpc->input, "etag"))
		put_header(parameters, "If-Match",
			   "The field etag, as the header ETag gives it; or an asterisk, which asks for nothing.");
	if (rpc->proto->server_streaming && has_field(rpc->input, "revision"))
		put_header(parameters, "Last-Event-ID",
			   "The field revision; goes before one in the query.");
}

/**
 * put_result() - What a method answers when it has succeeded
 * @contract:	All
 * @rpc:	The method
 * @responses:	Where it goes
 */
static void put_result(const struct contract *contract, const struct rpc *rpc,
		       json *responses)
{
	bool stream = rpc->proto->server_streaming;
	json *response = put_object(responses, "200"), *header;
	const char *words = words_of(&rpc->output->place);

	if (stream)
		words = format("%s\n\nA stream of server-sent events: each has the revision as its id and this as its data. One whose name is \"error\" has a Problem as its data and is the last. Comments come when nothing else does.",
			       words);
	put_text(response, "description", words);
	if (!stream && has_field(rpc->output, "etag")) {
		header = put_object(put_object(response, "headers"), "ETag");
		put_text(header, "description",
			 "The field etag, as If-Match takes it.");
		put(header, "schema", of_type("string", NULL));
	}
	put(put_object(put_object(response, "content"),
		       stream ? "text/event-stream" : "application/json"),
	    "schema", of_message(contract, rpc->output));
}

/**
 * put_body() - What the body of a method's request is
 * @contract:	All
 * @rpc:	The method, with a body
 * @operation:	Where it goes
 */
static void put_body(const struct contract *contract, const struct rpc *rpc,
		     json *operation)
{
	json *body = put_object(operation, "requestBody"), *content;
	const char *field = rpc->route.body;
	json *schema;

	if (!strcmp(field, "*"))
		schema = of_fields(contract, rpc->input, &rpc->route);
	else
		schema = of_value(contract,
				  field_find(contract, rpc->input, field));
	content = put_object(put_object(body, "content"), "application/json");
	put(content, "schema", schema);
}

/**
 * put_operation() - Document one method
 * @contract:	Complained to
 * @rpc:	The method
 * @paths:	Where it goes
 */
static void put_operation(struct contract *contract, const struct rpc *rpc,
			  json *paths)
{
	bool marks[ERROR_COUNT] = { false }, late[ERROR_COUNT] = { false };
	json *operation = json_object_new_object(), *parameters, *path, *list;
	json *responses;
	const char *where, *verb;

	list = put_list(operation, "tags");
	add_text(list, short_name(contract, rpc->service));
	put_text(operation, "operationId", rpc->proto->name);
	put_text(operation, "description", words_of(&rpc->place));
	put_text(operation, "x-permission", rpc->permission);
	put_text(operation, "x-grpc-method", rpc->name);
	parameters = put_list(operation, "parameters");
	where = put_path(rpc, parameters);
	put_query(contract, rpc, parameters);
	put_headers(rpc, parameters);
	/* Releases of json-c print an empty list in different ways. */
	if (!json_object_array_length(parameters))
		json_object_object_del(operation, "parameters");
	if (*rpc->route.body)
		put_body(contract, rpc, operation);

	responses = put_object(operation, "responses");
	put_result(contract, rpc, responses);
	errors_of(contract, rpc, marks, late);
	put_problems(responses, marks);
	list = NULL;
	for (unsigned int id = ERROR_NONE + 1; id < ERROR_COUNT; id++) {
		if (!late[id])
			continue;
		if (!list)
			list = put_list(operation, "x-operation-errors");
		add_text(list, error_kind(id)->id);
	}

	if (!json_object_object_get_ex(paths, where, &path))
		path = put_object(paths, where);
	verb = rpc->route.verb;
	put(path, !strcmp(verb, "GET") ? "get" : !strcmp(verb, "PUT") ? "put" :
	    !strcmp(verb, "POST") ? "post" :
	    !strcmp(verb, "PATCH") ? "patch" : "delete", operation);
}

/**
 * put_own() - Document a path that is no method's
 * @paths:	Where it goes
 * @where:	The path
 * @name:	Its operationId
 * @words:	What it tells
 * @status:	What its answer says; it is all that it says
 * @marks:	Errors that it can answer, by enum error_id
 */
static void put_own(json *paths, const char *where, const char *name,
		    const char *words, const char *status, const bool *marks)
{
	json *operation = put_object(put_object(paths, where), "get");
	json *responses, *response, *schema;

	add_text(put_list(operation, "tags"), "Health");
	put_text(operation, "operationId", name);
	put_text(operation, "description", words);
	responses = put_object(operation, "responses");
	response = put_object(responses, "200");
	put_text(response, "description", "So it is.");
	schema = put_object(put_object(put_object(response, "content"),
				       "application/json"),
			    "schema");
	put_text(schema, "type", "object");
	schema = put_object(put_object(schema, "properties"), "status");
	put_text(schema, "const", status);
	put_problems(responses, marks);
}

/**
 * put_health() - Document /healthz and /readyz
 * @paths:	Where they go
 */
static void put_health(json *paths)
{
	bool none[ERROR_COUNT] = { false }, marks[ERROR_COUNT] = { false };

	marks[ERROR_DAEMON_UNREACHABLE] = true;
	marks[ERROR_DAEMON_STOPPING] = true;
	put_own(paths, "/healthz", "GetHealth",
		"GetHealth tells that ioasid-api, which reads this, is alive.",
		"alive", none);
	put_own(paths, "/readyz", "GetReadiness",
		"GetReadiness tells whether ioasidd answers within five seconds.",
		"ready", marks);
}

/**
 * put_schemas() - The schemas of all that is not a request
 * @contract:	All
 * @schemas:	Where they go
 */
static void put_schemas(const struct contract *contract, json *schemas)
{
	for (size_t i = 0; i < contract->n_enums; i++)
		if (contract->enums[i].used)
			put(schemas,
			    short_name(contract, contract->enums[i].name),
			    of_enum(&contract->enums[i]));
	for (size_t i = 0; i < contract->n_messages; i++) {
		const struct message *m = &contract->messages[i];

		if (m->used && m->own && !m->entry && !is_input(contract, m))
			put(schemas, short_name(contract, m->name),
			    of_fields(contract, m, NULL));
	}
	put(schemas, "Problem", problem_schema());
}

/**
 * check_ids() - Complain about two methods with one name
 * @contract:	Complained to
 *
 * A client that is generated from the document has one function for each.
 */
static void check_ids(struct contract *contract)
{
	for (size_t i = 0; i < contract->n_rpcs; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(contract->rpcs[i].proto->name,
				    contract->rpcs[k].proto->name))
				complain(contract, &contract->rpcs[i].place,
					 "%s and %s have one name",
					 contract->rpcs[i].name,
					 contract->rpcs[k].name);
}

/* print_openapi() - The OpenAPI document */
bool print_openapi(struct contract *contract)
{
	json *document = json_object_new_object(), *in;

	put_text(document, "openapi", "3.1.0");
	in = put_object(document, "info");
	put_text(in, "title", "ioasidd");
	put_text(in, "version", contract->package);
	put_text(in, "description",
		 "What the REST surface of ioasidd takes and gives; made from the .proto files. The id of a problem is the same on every surface.");
	in = put_object(in, "license");
	put_text(in, "name", "Apache-2.0");
	put_text(in, "identifier", "Apache-2.0");

	check_ids(contract);
	in = put_object(document, "paths");
	for (size_t i = 0; i < contract->n_rpcs; i++)
		put_operation(contract, &contract->rpcs[i], in);
	put_health(in);
	put_schemas(contract,
		    put_object(put_object(document, "components"), "schemas"));
	puts(json_object_to_json_string_ext(document,
					    JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_SPACED |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	return !contract->complaints;
}
