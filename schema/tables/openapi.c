/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi.c - at build time: the contract as an OpenAPI 3.1 document
 *
 * Comments become descriptions. Here are the paths, with their parameters,
 * bodies and answers.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "openapi.h"

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
