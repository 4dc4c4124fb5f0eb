/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.h - errors as HTTP and gRPC carry them
 *
 * The id is the same on both, and on the native socket. HTTP carries a problem
 * of RFC 9457 with members of our own; gRPC a google.rpc.Status, whose details
 * are told here as plain values for whoever packs them.
 */
#ifndef API_TRANSCODE_PROBLEM_H
#define API_TRANSCODE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "transcode/transcode.h"

#define PROBLEM_TYPE "urn:ioasidd:error:"
#define STATUS_DOMAIN "ioasidd"

/**
 * problem_write() - Write an error as application/problem+json
 * @error:	The error, filled
 * @instance:	Path of the request; NULL to leave it out
 * @text:	Appended to
 * @err:	Filled on failure
 *
 * Return: its HTTP status; as text_error().
 */
int problem_write(const struct error *error, const char *instance,
		  struct text *text, struct error *err);

/**
 * struct status_violation - One cause of an error
 * @field:	It is a google.rpc.BadRequest.FieldViolation; else a
 *		google.rpc.PreconditionFailure.Violation
 * @type:	Of the latter: the cause's kind
 * @subject:	The field, or what stands in the way
 * @description: What is wrong with it, or what it does
 */
struct status_violation {
	bool field;
	const char *type;
	const char *subject;
	const char *description;
};

/**
 * struct status - What a google.rpc.Status carries
 * @code:	google.rpc.Code
 * @message:	Words for a person
 * @reason:	google.rpc.ErrorInfo.reason: the id
 * @domain:	google.rpc.ErrorInfo.domain
 * @object:	google.rpc.ErrorInfo.metadata["object"]; empty if none
 * @remedy:	google.rpc.ErrorInfo.metadata["remedy"]; empty if none
 * @violations:	Details
 * @n_violations: How many
 *
 * Points into the error that it was made of.
 */
struct status {
	int code;
	const char *message;
	const char *reason;
	const char *domain;
	const char *object;
	const char *remedy;
	struct status_violation violations[ERROR_MAX_CAUSES];
	size_t n_violations;
};

/* status_from_error() - What a google.rpc.Status of an error carries. */
void status_from_error(const struct error *error, struct status *ret);

#endif
