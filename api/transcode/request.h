/* SPDX-License-Identifier: Apache-2.0
 *
 * request.h - HTTP requests to methods and their request messages
 *
 * DOC: Theory of Operation
 *
 * route_find() takes verb and path to a method; request_read() makes its
 * request from path, query and body, by the rules of google.api.http. Decided
 * here:
 *
 * - a segment of a path is decoded once, and may then hold no slash; empty
 *   segments are not passed over;
 * - a colon in the last segment, as written, begins a method's own verb;
 * - what the path binds must not be in the body; no field may be given twice;
 * - the query may give fields of a method whose body is "*", too, such as
 *   ?dry_run=true; it knows fields under both names, lists by repetition and
 *   fields of messages as a.b=. Unknown ones are refused.
 */
#ifndef API_TRANSCODE_REQUEST_H
#define API_TRANSCODE_REQUEST_H

#include "base/arena.h"
#include "base/error.h"
#include "transcode/tables.h"

/* Segments of a path that are looked at; no route has so many. */
#define PATH_SEGMENTS 16

/* Parameters of a query. */
#define QUERY_MAX 256

/* Room for "DELETE, GET, PATCH, POST, PUT" and a NUL. */
#define ALLOW_MAX 32

/**
 * struct route_match - What a path is
 * @rpc:	The method
 * @segments:	Of the path, decoded, each ended
 */
struct route_match {
	const struct rpc_type *rpc;
	const char *segments[PATH_SEGMENTS];
};

/**
 * route_find() - The method of an HTTP request
 * @contract:	Where to look
 * @verb:	"GET"
 * @path:	As sent, without query; not ended
 * @size:	Of @path
 * @arena:	For the segments
 * @ret:	The method
 * @allow:	On -EOPNOTSUPP: the verbs that the path has, for Allow
 * @err:	Filled on failure
 *
 * Return: 0; -ENOENT request.unknown-method (404); -EOPNOTSUPP
 * request.wrong-verb (405); -EBADMSG request.malformed: the path is not
 * encoded well; as arena_error().
 */
int route_find(const struct contract *contract, const char *verb,
	       const char *path, size_t size, struct arena *arena,
	       struct route_match *ret, char allow[ALLOW_MAX],
	       struct error *err);

/**
 * request_read() - Make a method's request
 * @match:	From route_find()
 * @query:	As sent, behind the question mark; not ended; may be NULL
 * @query_size:	Of @query
 * @body:	JSON; not ended
 * @body_size:	Of @body; 0 for none, which is an empty object to a method
 *		that takes one
 * @arena:	Where the message goes
 * @ret:	The message
 * @err:	Filled on failure
 *
 * Return: 0; as json_read(), and for paths and queries likewise; -EINVAL
 * request.invalid for a body where none may be.
 */
int request_read(const struct route_match *match, const char *query,
		 size_t query_size, const char *body, size_t body_size,
		 struct arena *arena, ProtobufCMessage **ret,
		 struct error *err);

/**
 * request_set() - Set a field of a request from text
 * @type:	Of the request
 * @message:	The request
 * @path:	Of the field, under either name, "etag" or "claimant.uid"
 * @text:	The value as in a query; valid UTF-8
 * @arena:	Of the request
 * @err:	Filled on failure
 *
 * For what comes in headers: Idempotency-Key, If-Match. It replaces nothing
 * that is checked for: the caller sees whether the field was given before.
 *
 * Return: 0; -EINVAL request.invalid; as arena_error().
 */
int request_set(const struct message_type *type, ProtobufCMessage *message,
		const char *path, const char *text, struct arena *arena,
		struct error *err);

#endif
