/* SPDX-License-Identifier: Apache-2.0
 *
 * headers.c - headers of requests: what is refused, what they mean
 *
 * DOC: Theory of Operation
 *
 * Who is in front of us, a proxy say, may read a request differently than
 * libmicrohttpd does, and then takes a part of its body for another request.
 * libmicrohttpd 0.9.75 believes the first of two Content-Lengths, prefers a
 * Transfer-Encoding of any kind to either, and takes spaces into a header's
 * name. So what is not perfectly clear is refused here, before a byte of the
 * body is read, and the connection ends with the answer.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "rest/private.h"

/* What a header costs beside name and value (RFC 7541, 4.1, as in HTTP/2). */
#define HEADER_OVERHEAD 32

/* Characters of a name beside letters and digits (RFC 9110, 5.6.2). */
#define TOKEN_MARKS "!#$%&'*+-.^_`|~"

/**
 * struct survey - What has been seen of the headers
 * @size:	Of all, bytes
 * @lengths:	How many say Content-Length
 * @length:	Its value
 * @encodings:	How many say Transfer-Encoding
 * @encoding:	Its value
 * @hosts:	How many say Host
 * @wrong:	What no header may have; NULL if none has
 */
struct survey {
	size_t size;
	unsigned int lengths;
	const char *length;
	unsigned int encodings;
	const char *encoding;
	unsigned int hosts;
	const char *wrong;
};

/* is_token() - Is it a header's name? */
static bool is_token(const char *name)
{
	for (const char *at = name; *at; at++) {
		char c = (char)(*at | 0x20);

		if (!(c >= 'a' && c <= 'z') && !(*at >= '0' && *at <= '9') &&
		    !strchr(TOKEN_MARKS, *at))
			return false;
	}
	return *name;
}

/* is_value() - Is it a header's value? Bytes beyond ASCII are. */
static bool is_value(const char *value)
{
	for (const char *at = value; *at; at++)
		if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
			return false;
	return true;
}

/**
 * look_at() - Take a header into account
 * @data:	struct survey
 * @kind:	Unused
 * @name:	Its name
 * @value:	Its value
 *
 * Return: MHD_YES: the next one.
 */
static enum MHD_Result look_at(void *data, enum MHD_ValueKind kind,
			       const char *name, const char *value)
{
	struct survey *survey = data;

	value = value ? value : "";
	survey->size += strlen(name) + strlen(value) + HEADER_OVERHEAD;
	if (!is_token(name))
		survey->wrong = "a header's name is none";
	else if (!is_value(value))
		survey->wrong = "a header has a control character";
	if (!strcasecmp(name, "Content-Length")) {
		survey->lengths++;
		survey->length = value;
	} else if (!strcasecmp(name, "Transfer-Encoding")) {
		survey->encodings++;
		survey->encoding = value;
	} else if (!strcasecmp(name, "Host")) {
		survey->hosts++;
	}
	return MHD_YES;
}

/**
 * unclear() - What could be read in two ways
 * @survey:	Of the headers
 * @ret_length:	Content-Length; 0 if there is none
 *
 * Return: it in words; NULL if nothing.
 */
static const char *unclear(const struct survey *survey, uint64_t *ret_length)
{
	*ret_length = 0;
	if (survey->wrong)
		return survey->wrong;
	if (survey->hosts > 1)
		return "there are two Hosts";
	if (survey->lengths > 1)
		return "there are two Content-Lengths";
	if (survey->encodings > 1)
		return "there are two Transfer-Encodings";
	if (survey->lengths && survey->encodings)
		return "there are Content-Length and Transfer-Encoding";
	if (survey->encodings && strcasecmp(survey->encoding, "chunked") != 0)
		return "Transfer-Encoding is not chunked";
	if (survey->lengths &&
	    str_u64(survey->length, 10, UINT64_MAX - 1, ret_length) < 0)
		return "Content-Length is no number";
	return NULL;
}

/* headers_check() - See that headers mean the same to everybody */
int headers_check(struct exchange *exchange, uint64_t *ret_body,
		  struct error *err)
{
	uint32_t most = exchange->client->rest->limits->header_bytes;
	struct survey survey = { .size = strlen(exchange->uri) };
	uint64_t length;
	const char *why;

	(void)MHD_get_connection_values(exchange->client->mhd, MHD_HEADER_KIND,
					look_at, &survey); /* counts */
	why = unclear(&survey, &length);
	if (why)
		return error_set(err, -EBADMSG, ERROR_REQUEST_MALFORMED,
				 "the headers are not clear: %s", why);
	if (survey.size > most)
		return error_set(err, -E2BIG, ERROR_REQUEST_HEADERS_TOO_LARGE,
				 "the headers have %zu bytes; %u is the most",
				 survey.size, most);
	*ret_body = survey.encodings ? UINT64_MAX : length;
	return 0;
}

/* header_of() - The value of a header; NULL if there is none. */
static const char *header_of(const struct exchange *exchange, const char *name)
{
	return MHD_lookup_connection_value(exchange->client->mhd,
					   MHD_HEADER_KIND, name);
}

/**
 * after_space() - What follows white space
 */
static const char *after_space(const char *at)
{
	return at + strspn(at, " \t");
}

/* is_json() - Is a Content-Type application/json, in UTF-8? */
static bool is_json(const char *type)
{
	const size_t n = strlen("application/json");
	const char *charset;

	if (strncasecmp(type, "application/json", n) != 0)
		return false;
	type = after_space(type + n);
	if (!*type)
		return true;
	if (*type != ';')
		return false;
	type = after_space(type + 1);
	if (strncasecmp(type, "charset=", strlen("charset=")) != 0)
		return !*type;
	charset = type + strlen("charset=");
	return !strcasecmp(charset, "utf-8") ||
	       !strcasecmp(charset, "\"utf-8\"");
}

/* headers_type() - See that a body is JSON */
int headers_type(struct exchange *exchange, struct error *err)
{
	const char *type = header_of(exchange, "Content-Type");
	const char *coding = header_of(exchange, "Content-Encoding");

	if (coding && strcasecmp(coding, "identity") != 0)
		return error_set(err, -EINVAL, ERROR_REQUEST_CONTENT_TYPE,
				 "Content-Encoding: bodies must not be compressed");
	if (type && is_json(type))
		return 0;
	return error_set(err, -EINVAL, ERROR_REQUEST_CONTENT_TYPE,
			 "the body is %s%s, not application/json in UTF-8",
			 type ? "said to be " : "of no stated type",
			 type ? type : "");
}

/**
 * text_field() - A field of a request that a header can set
 * @type:	Of the request
 * @name:	Its name
 *
 * Return: the field; NULL if there is none such.
 */
static const struct field_type *text_field(const struct message_type *type,
					   const char *name)
{
	const struct field_type *field = field_named(type, name, strlen(name));

	return field && field->kind == KIND_STRING && !field->repeated ? field :
									 NULL;
}

/**
 * set_text() - Set a field from a header
 * @exchange:	Of a method
 * @message:	The request message
 * @header:	The header's name
 * @name:	The field's name
 * @value:	What the header says
 * @err:	Filled on failure
 *
 * Return: 0; -EINVAL request.invalid: the method has no such field, or the
 * request has it already, otherwise.
 */
static int set_text(struct exchange *exchange, ProtobufCMessage *message,
		    const char *header, const char *name, const char *value,
		    struct error *err)
{
	const struct rpc_type *rpc = exchange->match.rpc;
	const struct field_type *field = text_field(rpc->input, name);
	const char *given;

	if (!field)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s: %s has no field %s", header, rpc->method,
				 name);
	given = *(const char **)((uint8_t *)message +
				 field_memory(rpc->input, field)->offset);
	if (given && *given && !str_eq(given, value))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s is not what the request has as %s", header,
				 name);
	if (!str_utf8_valid(value, strlen(value)))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s is no UTF-8", header);
	return request_set(rpc->input, message, name, value, &exchange->arena,
			   err);
}

/**
 * unquote() - What is between quotation marks
 * @value:	A header's value
 * @arena:	For it
 * @ret:	What is between them; NULL if they are not there, or not alone
 *
 * Return: 0; -ENOMEM.
 */
static int unquote(const char *value, struct arena *arena, const char **ret)
{
	size_t n = strlen(value);
	char *copy;

	*ret = NULL;
	if (n < 2 || value[0] != '"' || value[n - 1] != '"' ||
	    memchr(value + 1, '"', n - 2))
		return 0;
	copy = arena_alloc(arena, n - 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, value + 1, n - 2);
	copy[n - 2] = '\0';
	*ret = copy;
	return 0;
}

/**
 * apply_match() - If-Match: the object must be as it was read
 * @exchange:	Of a method
 * @message:	The request message
 * @value:	Of the header
 * @err:	Filled on failure
 *
 * "*" asks that the object is there, which every method does.
 *
 * Return: as headers_apply().
 */
static int apply_match(struct exchange *exchange, ProtobufCMessage *message,
		       const char *value, struct error *err)
{
	const char *etag;

	if (str_eq(value, "*"))
		return 0;
	if (unquote(value, &exchange->arena, &etag) < 0)
		return arena_error(&exchange->arena, "headers", err);
	if (!etag || !*etag)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "If-Match is not one entity tag, \"...\", as ETag gives it");
	return set_text(exchange, message, "If-Match", "etag", etag, err);
}

/**
 * apply_key() - Idempotency-Key: the request's id
 * @exchange:	Of a method
 * @message:	The request message
 * @value:	Of the header, with quotation marks or without
 * @err:	Filled on failure
 *
 * Return: as headers_apply().
 */
static int apply_key(struct exchange *exchange, ProtobufCMessage *message,
		     const char *value, struct error *err)
{
	const char *key;

	if (unquote(value, &exchange->arena, &key) < 0)
		return arena_error(&exchange->arena, "headers", err);
	key = key ? key : value;
	if (!*key)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "Idempotency-Key is empty");
	return set_text(exchange, message, "Idempotency-Key", "request_id", key,
			err);
}

/**
 * apply_last() - Last-Event-ID: the last revision that has arrived
 * @exchange:	Of a method that streams
 * @message:	The request message
 * @value:	Of the header
 * @err:	Filled on failure
 *
 * It is what a browser sends when it connects again, to the same address: so
 * it goes before a revision in the query.
 *
 * Return: as headers_apply().
 */
static int apply_last(struct exchange *exchange, ProtobufCMessage *message,
		      const char *value, struct error *err)
{
	const struct message_type *type = exchange->match.rpc->input;

	if (!field_named(type, "revision", strlen("revision")))
		return 0;
	return request_set(type, message, "revision", value, &exchange->arena,
			   err);
}

/* headers_apply() - Take what headers say into the request message */
int headers_apply(struct exchange *exchange, ProtobufCMessage *message,
		  struct error *err)
{
	const char *value;
	int r = 0;

	value = header_of(exchange, "If-Match");
	if (value)
		r = apply_match(exchange, message, value, err);
	value = header_of(exchange, "Idempotency-Key");
	if (r == 0 && value)
		r = apply_key(exchange, message, value, err);
	value = header_of(exchange, "Last-Event-ID");
	if (r == 0 && value && *value && exchange->match.rpc->server_streaming)
		r = apply_last(exchange, message, value, err);
	return r;
}
