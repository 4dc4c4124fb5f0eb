/* SPDX-License-Identifier: Apache-2.0
 *
 * request.c - paths, queries and bodies to request messages
 */
#include "transcode/request.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "transcode/scalar.h"
#include "transcode/transcode.h"

/**
 * struct slot - A field of a message somewhere in the request
 * @type:	Of the message that it is in
 * @message:	That message
 * @field:	The field
 */
struct slot {
	const struct message_type *type;
	ProtobufCMessage *message;
	const struct field_type *field;
};

/**
 * struct request - What is being made
 * @message:	The request
 * @arena:	Where it is
 * @given:	A bit for each field of it that body or path have set
 * @slots:	What the query has set, to find what comes twice
 * @n_slots:	How many
 * @err:	Filled on failure
 */
struct request {
	const struct message_type *type;
	ProtobufCMessage *message;
	struct arena *arena;
	uint64_t given;
	struct slot slots[QUERY_MAX];
	size_t n_slots;
	struct error *err;
};

/* hex() - The value of a hexadecimal digit; 16 if it is none. */
static unsigned int hex(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 16;
}

/**
 * percent_decode() - Decode a part of a path or query
 * @text:	The part
 * @size:	Of it
 * @plus:	A plus is a space
 * @arena:	Where the result goes
 * @ret:	The result, ended
 *
 * Return: NULL; what is wrong with it; "" without memory.
 */
static const char *percent_decode(const char *text, size_t size, bool plus,
				  struct arena *arena, const char **ret)
{
	char *out = arena_alloc(arena, size + 1);
	size_t n = 0;

	if (!out)
		return "";
	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '%') {
			if (size - i < 3 || hex(text[i + 1]) > 15 ||
			    hex(text[i + 2]) > 15)
				return "has a % without two digits";
			c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		out[n++] = c;
	}
	if (!str_utf8_valid(out, n))
		return "is no UTF-8, or has a NUL";
	out[n] = '\0';
	*ret = out;
	return NULL;
}

/**
 * undecodable() - Say why a part of a path or query cannot be decoded
 * @arena:	Asked for it
 * @what:	Which part
 * @why:	From percent_decode()
 * @err:	Filled
 */
static int undecodable(const struct arena *arena, const char *what,
		       const char *why, struct error *err)
{
	if (!*why)
		return arena_error(arena, what, err);
	return error_set(err, -EBADMSG, ERROR_REQUEST_MALFORMED, "the %s %s",
			 what, why);
}

/**
 * path_split() - Take a path apart
 * @path:	The path
 * @size:	Of it
 * @arena:	For the parts
 * @segments:	PATH_SEGMENTS; decoded
 * @ret_n:	How many; 0 if no route can be meant
 * @ret_custom:	What follows a colon in the last; "" for none
 * @err:	Filled on failure
 */
static int path_split(const char *path, size_t size, struct arena *arena,
		      const char **segments, size_t *ret_n,
		      const char **ret_custom, struct error *err)
{
	const char *at = path, *end = path + size, *why;
	size_t n = 0;

	*ret_n = 0;
	*ret_custom = "";
	while (at < end && *at == '/') {
		const char *next, *colon = NULL;

		at++;
		next = memchr(at, '/', (size_t)(end - at));
		if (!next) {
			next = end;
			colon = memrchr(at, ':', (size_t)(end - at));
		}
		if (n == PATH_SEGMENTS || at == (colon ? colon : next))
			return 0;
		why = percent_decode(at, (size_t)((colon ? colon : next) - at),
				     false, arena, &segments[n]);
		if (!why && strchr(segments[n], '/'))
			why = "has an encoded slash in it";
		if (!why && colon)
			why = percent_decode(colon + 1,
					     (size_t)(end - colon - 1), false,
					     arena, ret_custom);
		if (why)
			return undecodable(arena, "path", why, err);
		/* "x:" is not "x". */
		if (colon && !**ret_custom)
			return 0;
		n++;
		at = next;
	}
	*ret_n = at == end ? n : 0;
	return 0;
}

/**
 * path_fits() - Has a method this path?
 * @rpc:	The method
 * @segments:	Of the path
 * @n:		How many
 * @custom:	What follows the colon
 */
static bool path_fits(const struct rpc_type *rpc, const char *const *segments,
		      size_t n, const char *custom)
{
	if (rpc->n_segments != n || !str_eq(rpc->custom, custom))
		return false;
	for (size_t i = 0; i < n; i++)
		if (rpc->segments[i] && !str_eq(rpc->segments[i], segments[i]))
			return false;
	return true;
}

/* route_find() - The method of an HTTP request */
int route_find(const struct contract *contract, const char *verb,
	       const char *path, size_t size, struct arena *arena,
	       struct route_match *ret, char allow[ALLOW_MAX],
	       struct error *err)
{
	static const char *const verbs[] = { "DELETE", "GET", "PATCH", "POST",
					     "PUT" };
	bool has[ARRAY_SIZE(verbs)] = { false };
	struct route_match match = { NULL, { NULL } };
	const char *custom;
	bool found = false;
	size_t n;
	int r;

	r = path_split(path, size, arena, match.segments, &n, &custom, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < contract->n_rpcs; i++) {
		const struct rpc_type *rpc = &contract->rpcs[i];

		if (!path_fits(rpc, match.segments, n, custom))
			continue;
		if (str_eq(rpc->verb, verb)) {
			match.rpc = rpc;
			*ret = match;
			return 0;
		}
		for (size_t k = 0; k < ARRAY_SIZE(verbs); k++)
			has[k] |= str_eq(rpc->verb, verbs[k]);
		found = true;
	}
	if (!found)
		return error_set(err, -ENOENT, ERROR_REQUEST_UNKNOWN_METHOD,
				 "there is nothing at %.*s", (int)size, path);
	*allow = '\0';
	for (size_t k = 0; k < ARRAY_SIZE(verbs); k++)
		if (has[k])
			str_format(allow + strlen(allow),
				   ALLOW_MAX - strlen(allow), "%s%s",
				   *allow ? ", " : "", verbs[k]);
	return error_set(err, -EOPNOTSUPP, ERROR_REQUEST_WRONG_VERB,
			 "%.*s takes %s, not %s", (int)size, path, allow,
			 verb);
}

/**
 * slot_into() - Where the message of a field on the way is, or is to be
 * @request:	The request
 * @slot:	The field
 * @ret:	NULL is there if there is no message yet
 *
 * In a oneof the same memory may hold another field's message.
 *
 * Return: false if it does.
 */
static bool slot_into(struct request *request, const struct slot *slot,
		      void **ret)
{
	const ProtobufCFieldDescriptor *memory;
	uint8_t *base = (uint8_t *)slot->message;
	const uint32_t *which;

	memory = field_memory(slot->type, slot->field);
	which = (const uint32_t *)(base + memory->quantifier_offset);
	*ret = base + memory->offset;
	if (slot->field->oneof && *which == slot->field->number)
		return true;
	if (slot->field->oneof)
		return !message_slot(slot->type, slot->message, slot->field,
				     request->arena, ret);
	return true;
}

/**
 * slot_find() - Go to a field by its path, making the messages on the way
 * @request:	The request
 * @path:	"name", "claimant.uid"
 * @ret:	The field
 */
static int slot_find(struct request *request, const char *path,
		     struct slot *ret)
{
	struct slot slot = { request->type, request->message, NULL };
	const char *at = path;

	for (;;) {
		size_t n = strcspn(at, ".");
		const struct field_type *field;
		void *where;

		field = field_named(slot.type, at, n);
		if (!field)
			return field_error(request->err, path, "is unknown");
		slot.field = field;
		at += n;
		if (!*at)
			break;
		if (field->kind != KIND_MESSAGE || field->repeated ||
		    field->message->form != FORM_OBJECT)
			return field_error(request->err, path,
					   "is unknown: what is before the dot has no fields");
		if (!slot_into(request, &slot, &where))
			return field_error(request->err, path,
					   "is a second value of a oneof");
		if (!*(void **)where)
			*(void **)where = arena_message(
				request->arena, field->message->memory);
		slot.message = *(void **)where;
		if (!slot.message)
			return arena_error(request->arena, "request",
					   request->err);
		slot.type = field->message;
		at++;
	}
	*ret = slot;
	return 0;
}

/**
 * slot_put() - Set a field, or add to a list
 * @request:	The request
 * @path:	Of the field, for words
 * @slot:	The field
 * @text:	The value
 */
static int slot_put(struct request *request, const char *path,
		    const struct slot *slot, const char *text)
{
	struct scalar scalar = { SCALAR_TEXT, text, strlen(text) };
	char why[WHY_MAX];
	void *member;
	int r;

	if (slot->field->map || (slot->field->kind == KIND_MESSAGE &&
				 slot->field->message->form == FORM_OBJECT))
		return field_error(request->err, path,
				   "can only be given in a body");
	r = message_slot(slot->type, slot->message, slot->field,
			 request->arena, &member);
	if (r == -EEXIST)
		return field_error(request->err, path,
				   "is a second value of a oneof");
	if (!r)
		r = scalar_read(slot->field, &scalar, request->arena, member,
				why);
	if (r == -ENOMEM)
		return arena_error(request->arena, "request", request->err);
	return r < 0 ? field_error(request->err, path, why) : 0;
}

/* given_bit() - The bit of the first field of a path in the request. */
static uint64_t given_bit(const struct request *request, const char *path)
{
	const struct field_type *field;

	field = field_named(request->type, path, strcspn(path, "."));
	return field ? 1ull << (field - request->type->fields) : 0;
}

/**
 * put_parameter() - Take a parameter of the query into the request
 * @request:	The request
 * @name:	Path of a field
 * @value:	Its value
 */
static int put_parameter(struct request *request, const char *name,
			 const char *value)
{
	struct slot slot;
	int r;

	if (request->given & given_bit(request, name))
		return field_error(request->err, name,
				   "is in the query, and in the path or body too");
	r = slot_find(request, name, &slot);
	if (r < 0)
		return r;
	for (size_t i = 0; i < request->n_slots; i++)
		if (!slot.field->repeated &&
		    request->slots[i].message == slot.message &&
		    request->slots[i].field == slot.field)
			return field_error(request->err, name,
					   "is in the query twice");
	if (request->n_slots == QUERY_MAX)
		return error_set(request->err, -E2BIG,
				 ERROR_REQUEST_TOO_COMPLEX,
				 "the query has more than %d parameters",
				 QUERY_MAX);
	request->slots[request->n_slots++] = slot;
	return slot_put(request, name, &slot, value);
}

/**
 * put_query() - Take the query into the request
 * @request:	The request
 * @query:	As sent
 * @size:	Of it
 */
static int put_query(struct request *request, const char *query, size_t size)
{
	const char *at = query, *end = query + size;

	while (at < end) {
		const char *next = memchr(at, '&', (size_t)(end - at));
		const char *equals, *name, *value, *why;
		int r;

		next = next ? next : end;
		equals = memchr(at, '=', (size_t)(next - at));
		why = percent_decode(at, (size_t)((equals ? equals : next) -
						  at),
				     true, request->arena, &name);
		equals = equals ? equals + 1 : next;
		if (!why)
			why = percent_decode(equals, (size_t)(next - equals),
					     true, request->arena, &value);
		if (why)
			return undecodable(request->arena, "query", why,
					   request->err);
		r = put_parameter(request, name, value);
		if (r < 0)
			return r;
		at = next < end ? next + 1 : end;
	}
	return 0;
}

/**
 * put_captures() - Take what the path binds into the request
 * @request:	The request, with the body in it
 * @match:	The path
 */
static int put_captures(struct request *request,
			const struct route_match *match)
{
	const struct rpc_type *rpc = match->rpc;
	uint64_t bound = 0;

	for (size_t i = 0; i < rpc->n_captures; i++) {
		const struct route_capture *capture = &rpc->captures[i];
		char value[1024];
		struct slot slot;
		size_t n = 0;
		int r;

		if (request->given & given_bit(request, capture->field))
			return field_error(request->err, capture->field,
					   "is in the path and must not be in the body");
		for (size_t k = 0; k < capture->n; k++) {
			if (!str_format(value + n, sizeof(value) - n, "%s%s",
					k ? "/" : "",
					match->segments[capture->first + k]))
				return field_error(request->err,
						   capture->field,
						   "is too long");
			n = strlen(value);
		}
		r = slot_find(request, capture->field, &slot);
		if (!r)
			r = slot_put(request, capture->field, &slot, value);
		if (r < 0)
			return r;
		bound |= given_bit(request, capture->field);
	}
	request->given |= bound;
	return 0;
}

/**
 * put_body() - Take the body into the request
 * @request:	The request, empty
 * @rpc:	The method
 * @body:	The body
 * @size:	Of it
 */
static int put_body(struct request *request, const struct rpc_type *rpc,
		    const char *body, size_t size)
{
	const struct field_type *only = NULL;
	uint64_t set;
	int r;

	if (!size)
		return 0;
	if (!*rpc->body)
		return error_set(request->err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s %s takes no body", rpc->verb, rpc->path);
	if (!str_eq(rpc->body, "*"))
		only = field_named(request->type, rpc->body,
				     strlen(rpc->body));
	r = json_read_into(request->type, request->message, only, body, size,
			   request->arena, &set, request->err);
	if (r < 0)
		return r;
	request->given |= set;
	return 0;
}

/* request_read() - Make a method's request */
int request_read(const struct route_match *match, const char *query,
		 size_t query_size, const char *body, size_t body_size,
		 struct arena *arena, ProtobufCMessage **ret,
		 struct error *err)
{
	const struct message_type *type = match->rpc->input;
	struct request request = { .type = type, .arena = arena, .err = err };
	int r;

	request.message = arena_message(arena, type->memory);
	if (!request.message)
		return arena_error(arena, "request", err);
	r = put_body(&request, match->rpc, body, body_size);
	if (!r)
		r = put_captures(&request, match);
	if (!r && query)
		r = put_query(&request, query, query_size);
	if (r < 0)
		return r;
	*ret = request.message;
	return 0;
}

/* request_set() - Set a field of a request from text */
int request_set(const struct message_type *type, ProtobufCMessage *message,
		const char *path, const char *text, struct arena *arena,
		struct error *err)
{
	struct request request = {
		.type = type, .message = message, .arena = arena, .err = err
	};
	struct slot slot;
	int r;

	r = slot_find(&request, path, &slot);
	return r < 0 ? r : slot_put(&request, path, &slot, text);
}
