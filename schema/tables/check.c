/* SPDX-License-Identifier: Apache-2.0
 *
 * check.c - at build time: what the contract must keep to
 *
 * Each complaint names file and line. Refused is what lacks a route, a
 * permission or a comment, and what the code that reads the tables does not
 * know how to do: a message that can contain itself (protobuf-c has no depth
 * limit), a proto3 "optional" (protobuf-c refuses it), a message of another
 * package that JSON writes in a way of its own.
 */
#include <string.h>

#include "contract.h"

/* Numbers of the fields of descriptor.proto that hold elements. */
#define MESSAGE_FIELDS 2
#define MESSAGE_ONEOFS 8
#define ENUM_VALUES 2
#define FILE_SERVICES 6

/* As JSON is limited: api/transcode/json.h. A message may be in a list or a
 * map, so that each is two deep.
 */
#define DEPTH_MAX 8

/* As many as api/transcode/read.c can tell apart. */
#define FIELDS_MAX 64

/**
 * commented() - Complain about what has no comment
 * @contract:	Complained to
 * @place:	The element
 * @name:	Its name
 */
static void commented(struct contract *contract, const struct place *place,
		      const char *name)
{
	if (!place_comment(place))
		complain(contract, place, "%s has no comment", name);
}

/**
 * nesting() - How many messages lie in each other in one
 * @contract:	Complained to
 * @m:		The message
 *
 * Return: the number, the message itself included.
 */
static unsigned int nesting(struct contract *contract, struct message *m)
{
	unsigned int deepest = 0;

	if (m->visiting) {
		complain(contract, &m->place, "%s can contain itself",
			 m->name);
		return 0;
	}
	if (m->depth)
		return m->depth;
	m->visiting = true;
	for (size_t i = 0; i < m->proto->n_field; i++) {
		struct message *in;
		unsigned int depth;

		in = field_message(contract, m->proto->field[i]);
		depth = in ? nesting(contract, in) : 0;
		deepest = depth > deepest ? depth : deepest;
	}
	m->visiting = false;
	m->depth = deepest + 1;
	return m->depth;
}

/**
 * known_foreign() - Is it a message of another package that we can write?
 * @name:	Its full name
 */
static bool known_foreign(const char *name)
{
	return !strcmp(name, "google.protobuf.Timestamp") ||
	       !strcmp(name, "google.protobuf.Duration");
}

/**
 * check_field() - Check one field of a message
 * @contract:	Complained to
 * @m:		The message
 * @index:	The field's number there
 */
static void check_field(struct contract *contract, const struct message *m,
			size_t index)
{
	struct place at = place_in(&m->place, MESSAGE_FIELDS, index);
	const field_proto *f = m->proto->field[index];
	const char *name = format("%s.%s", m->name, f->name);
	const struct message *in = field_message(contract, f);

	commented(contract, &at, name);
	if (f->has_proto3_optional && f->proto3_optional)
		complain(contract, &at,
			 "%s is optional; use a oneof of one field", name);
	if (in && !in->own && !known_foreign(in->name))
		complain(contract, &at, "%s holds a %s, whose JSON is not known",
			 name, in->name);
	if (f->type == FIELD_TYPE(GROUP))
		complain(contract, &at, "%s is a group", name);
	for (size_t i = 0; i < index; i++) {
		const field_proto *other = m->proto->field[i];

		if (!strcmp(f->json_name, other->json_name) ||
		    !strcmp(f->json_name, other->name) ||
		    !strcmp(f->name, other->json_name))
			complain(contract, &at,
				 "%s and %s are the same name in JSON", name,
				 other->name);
	}
}

/**
 * check_message() - Check one message of the package
 * @contract:	Complained to
 * @m:		The message
 */
static void check_message(struct contract *contract, struct message *m)
{
	if (m->entry)
		return;
	commented(contract, &m->place, m->name);
	if (nesting(contract, m) > DEPTH_MAX)
		complain(contract, &m->place,
			 "in %s more than %d messages lie in each other",
			 m->name, DEPTH_MAX);
	if (m->proto->n_field > FIELDS_MAX)
		complain(contract, &m->place, "%s has more than %d fields",
			 m->name, FIELDS_MAX);
	for (size_t i = 0; i < m->proto->n_field; i++)
		check_field(contract, m, i);
	for (size_t i = 0; i < m->proto->n_oneof_decl; i++) {
		struct place at = place_in(&m->place, MESSAGE_ONEOFS, i);
		const char *name = m->proto->oneof_decl[i]->name;

		/* That of an optional is protoc's own, with a _ in front. */
		if (*name != '_')
			commented(contract, &at,
				  format("%s.%s", m->name, name));
	}
}

/**
 * check_enum() - Check one enum of the package
 * @contract:	Complained to
 * @e:		The enum
 */
static void check_enum(struct contract *contract, const struct enumeration *e)
{
	commented(contract, &e->place, e->name);
	if (e->proto->options && e->proto->options->allow_alias)
		complain(contract, &e->place,
			 "%s has two names for one number", e->name);
	for (size_t i = 0; i < e->proto->n_value; i++) {
		struct place at = place_in(&e->place, ENUM_VALUES, i);

		commented(contract, &at,
			  format("%s.%s", e->name, e->proto->value[i]->name));
	}
}

/**
 * overlap() - Is there a path that two routes take?
 * @a:		One route
 * @b:		Another
 */
static bool overlap(const struct route *a, const struct route *b)
{
	if (strcmp(a->verb, b->verb) != 0 ||
	    strcmp(a->custom, b->custom) != 0 ||
	    a->n_segments != b->n_segments)
		return false;
	for (size_t i = 0; i < a->n_segments; i++)
		if (a->segments[i] && b->segments[i] &&
		    strcmp(a->segments[i], b->segments[i]) != 0)
			return false;
	return true;
}

/**
 * check_route() - Check the route of a method against its request
 * @contract:	Complained to
 * @rpc:	The method
 */
static void check_route(struct contract *contract, const struct rpc *rpc)
{
	const struct route *route = &rpc->route;
	const field_proto *f;

	for (size_t i = 0; i < route->n_captures; i++) {
		const char *name = route->captures[i].field;

		f = field_find(contract, rpc->input, name);
		if (!f || field_repeated(f) || f->type == FIELD_TYPE(MESSAGE))
			complain(contract, &rpc->place,
				 "%s: the path's {%s} is no single value of %s",
				 rpc->name, name, rpc->input->name);
		else if (route->captures[i].n > 1 &&
			 f->type != FIELD_TYPE(STRING))
			complain(contract, &rpc->place,
				 "%s: the path's {%s} is no string", rpc->name,
				 name);
	}
	if (*route->body && strcmp(route->body, "*") != 0) {
		f = field_find(contract, rpc->input, route->body);
		if (!f || strchr(route->body, '.'))
			complain(contract, &rpc->place,
				 "%s: the body is no field of %s", rpc->name,
				 rpc->input->name);
	}
	if (*route->body && (!strcmp(route->verb, "GET") ||
			     !strcmp(route->verb, "DELETE")))
		complain(contract, &rpc->place, "%s: a %s has no body",
			 rpc->name, route->verb);
}

/**
 * check_rpc() - Check one method
 * @contract:	Complained to
 * @index:	Its number
 */
static void check_rpc(struct contract *contract, size_t index)
{
	const struct rpc *rpc = &contract->rpcs[index];

	commented(contract, &rpc->place, rpc->name);
	if (!rpc->permission)
		complain(contract, &rpc->place,
			 "%s needs no permission (ioasid.v1.permission)",
			 rpc->name);
	if (!rpc->input || !rpc->input->own || !rpc->output ||
	    !rpc->output->own) {
		complain(contract, &rpc->place,
			 "%s takes or gives a message of another package",
			 rpc->name);
		return;
	}
	if (!rpc->route.verb) {
		complain(contract, &rpc->place,
			 "%s has no route (google.api.http)", rpc->name);
		return;
	}
	check_route(contract, rpc);
	for (size_t i = 0; i < index; i++) {
		const struct rpc *other = &contract->rpcs[i];

		if (other->route.verb && overlap(&rpc->route, &other->route))
			complain(contract, &rpc->place,
				 "%s: %s %s is a route of %s too", rpc->name,
				 rpc->route.verb, rpc->route.path,
				 other->name);
	}
}

/**
 * check_file() - Check what is in one file and in no index
 * @contract:	Complained to
 * @file:	The file
 */
static void check_file(struct contract *contract, const file_proto *file)
{
	const struct place top = { .file = file };

	if (!file->syntax || strcmp(file->syntax, "proto3") != 0)
		complain(contract, &top, "%s is not proto3", file->name);
	for (size_t i = 0; i < file->n_service; i++) {
		struct place at = place_in(&top, FILE_SERVICES, i);

		commented(contract, &at, file->service[i]->name);
	}
}

/* contract_check() - Complain about all that is wrong with the contract */
bool contract_check(struct contract *contract)
{
	for (size_t i = 0; i < contract->set->n_file; i++)
		if (!strcmp(contract->set->file[i]->package,
			    contract->package))
			check_file(contract, contract->set->file[i]);
	for (size_t i = 0; i < contract->n_messages; i++)
		if (contract->messages[i].own)
			check_message(contract, &contract->messages[i]);
	for (size_t i = 0; i < contract->n_enums; i++)
		if (contract->enums[i].own)
			check_enum(contract, &contract->enums[i]);
	for (size_t i = 0; i < contract->n_rpcs; i++)
		check_rpc(contract, i);
	return !contract->complaints;
}
