/* SPDX-License-Identifier: Apache-2.0
 *
 * status.c - an error as gRPC's trailers carry it
 */
#include "grpc/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/str.h"
#include "google/protobuf/any.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "grpc/metadata.h"
#include "transcode/problem.h"

#define TYPE_PREFIX "type.googleapis.com/"

/* What making the details may take: packed parts, and the whole. */
#define BUDGET 65536

typedef Google__Rpc__ErrorInfo error_info;
typedef Google__Rpc__ErrorInfo__MetadataEntry metadata_entry;
typedef Google__Rpc__BadRequest bad_request;
typedef Google__Rpc__BadRequest__FieldViolation field_violation;
typedef Google__Rpc__PreconditionFailure precondition_failure;
typedef Google__Rpc__PreconditionFailure__Violation violation;

/**
 * wrap() - Put a message into an Any
 * @arena:	For its bytes
 * @message:	The message
 * @type:	"type.googleapis.com/..."
 * @any:	Filled
 *
 * Return: false without memory.
 */
static bool wrap(struct arena *arena, const ProtobufCMessage *message,
		 const char *type, Google__Protobuf__Any *any)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *data = arena_alloc(arena, size ? size : 1);

	if (!data)
		return false;
	google__protobuf__any__init(any);
	any->type_url = (char *)type;
	any->value.len = protobuf_c_message_pack(message, data);
	any->value.data = data;
	return true;
}

/* wrap_info() - The google.rpc.ErrorInfo of a status. */
static bool wrap_info(struct arena *arena, const struct status *status,
		      Google__Protobuf__Any *any)
{
	error_info info = GOOGLE__RPC__ERROR_INFO__INIT;
	metadata_entry entries[2], *list[2];
	const char *const keys[] = { "object", "remedy" };
	const char *const values[] = { status->object, status->remedy };

	info.reason = (char *)status->reason;
	info.domain = (char *)status->domain;
	info.metadata = list;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		metadata_entry *entry = &entries[info.n_metadata];

		if (!*values[i])
			continue;
		google__rpc__error_info__metadata_entry__init(entry);
		entry->key = (char *)keys[i];
		entry->value = (char *)values[i];
		list[info.n_metadata++] = entry;
	}
	return wrap(arena, &info.base, TYPE_PREFIX "google.rpc.ErrorInfo",
		    any);
}

/**
 * wrap_fields() - The google.rpc.BadRequest of a status
 * @n:		How many of its violations are looked at
 * @any:	Filled
 * @n_any:	Counted up if there is one
 */
static bool wrap_fields(struct arena *arena, const struct status *status,
			size_t n, Google__Protobuf__Any *any, size_t *n_any)
{
	field_violation all[ERROR_MAX_CAUSES], *list[ERROR_MAX_CAUSES];
	bad_request bad = GOOGLE__RPC__BAD_REQUEST__INIT;

	bad.field_violations = list;
	for (size_t i = 0; i < n; i++) {
		const struct status_violation *from = &status->violations[i];

		if (!from->field)
			continue;
		google__rpc__bad_request__field_violation__init(&all[i]);
		all[i].field = (char *)from->subject;
		all[i].description = (char *)from->description;
		list[bad.n_field_violations++] = &all[i];
	}
	if (!bad.n_field_violations)
		return true;
	(*n_any)++;
	return wrap(arena, &bad.base, TYPE_PREFIX "google.rpc.BadRequest",
		    any);
}

/* wrap_failures() - The google.rpc.PreconditionFailure, likewise. */
static bool wrap_failures(struct arena *arena, const struct status *status,
			  size_t n, Google__Protobuf__Any *any, size_t *n_any)
{
	violation all[ERROR_MAX_CAUSES], *list[ERROR_MAX_CAUSES];
	precondition_failure failure = GOOGLE__RPC__PRECONDITION_FAILURE__INIT;

	failure.violations = list;
	for (size_t i = 0; i < n; i++) {
		const struct status_violation *from = &status->violations[i];

		if (from->field)
			continue;
		google__rpc__precondition_failure__violation__init(&all[i]);
		all[i].type = (char *)from->type;
		all[i].subject = (char *)from->subject;
		all[i].description = (char *)from->description;
		list[failure.n_violations++] = &all[i];
	}
	if (!failure.n_violations)
		return true;
	(*n_any)++;
	return wrap(arena, &failure.base,
		    TYPE_PREFIX "google.rpc.PreconditionFailure", any);
}

/**
 * pack() - Pack a google.rpc.Status with some of the causes
 * @arena:	For it
 * @from:	What it says
 * @n:		How many causes
 * @ret:	Its bytes
 * @ret_size:	How many
 *
 * Return: false without memory.
 */
static bool pack(struct arena *arena, const struct status *from, size_t n,
		 uint8_t **ret, size_t *ret_size)
{
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
	Google__Protobuf__Any any[3];
	Google__Protobuf__Any *list[3] = { &any[0], &any[1], &any[2] };
	size_t n_any = 1, size;
	uint8_t *data;

	if (!wrap_info(arena, from, &any[0]) ||
	    !wrap_fields(arena, from, n, &any[n_any], &n_any) ||
	    !wrap_failures(arena, from, n, &any[n_any], &n_any))
		return false;
	status.code = from->code;
	status.message = (char *)from->message;
	status.details = list;
	status.n_details = n_any;
	size = google__rpc__status__get_packed_size(&status);
	data = arena_alloc(arena, size);
	if (!data)
		return false;
	*ret_size = google__rpc__status__pack(&status, data);
	*ret = data;
	return true;
}

/**
 * details() - Make grpc-status-details-bin
 * @from:	What it says
 *
 * Return: encoded; NULL without memory.
 */
static char *details(const struct status *from)
{
	size_t n = from->n_violations, size = 0;
	char *text = NULL;

	for (;; n--) {
		_cleanup_arena_ struct arena arena;
		uint8_t *data;

		arena_init(&arena, BUDGET);
		if (!pack(&arena, from, n, &data, &size))
			return NULL;
		if (n && size > STATUS_MAX)
			continue;
		text = malloc(base64_room(size));
		if (text)
			base64_write(data, size, text);
		return text;
	}
}

/* call_status_set() - Say how a call ended */
void call_status_set(struct call_status *status, const struct error *error)
{
	struct status from;

	status->code = 0;
	if (!error)
		return;
	status_from_error(error, &from);
	status->code = from.code;
	status->message = malloc(percent_size(from.message));
	if (status->message)
		percent_write(from.message, status->message);
	status->details = details(&from);
}

/* call_status_deinit() - Free it */
void call_status_deinit(struct call_status *status)
{
	free(status->message);
	free(status->details);
	status->message = NULL;
	status->details = NULL;
}
