/* SPDX-License-Identifier: Apache-2.0
 *
 * status.h - an error as gRPC's trailers carry it
 */
#ifndef API_GRPC_STATUS_H
#define API_GRPC_STATUS_H

#include "base/error.h"

/* The longest google.rpc.Status that we send, before base64: gRPC's C core and
 * Java refuse more than 8 KiB of metadata in all.
 */
#define STATUS_MAX 4096

/**
 * struct call_status - How a call ended
 * @code:	grpc-status
 * @message:	grpc-message, encoded; NULL for none
 * @details:	grpc-status-details-bin, encoded; NULL for none
 */
struct call_status {
	int code;
	char *message;
	char *details;
};

/**
 * call_status_set() - Say how a call ended
 * @status:	Empty
 * @error:	The error; NULL for success
 *
 * Causes that would make the details longer than STATUS_MAX are left out, last
 * ones first. Without memory the code alone is set.
 */
void call_status_set(struct call_status *status, const struct error *error);

/* call_status_deinit() - Free it. */
void call_status_deinit(struct call_status *status);

#endif
