/* SPDX-License-Identifier: Apache-2.0
 *
 * call.c - methods and their failures
 */
#include <stdarg.h>
#include <stdlib.h>

#include "ioasidctl/ctl.h"
#include "ioasidctl/output.h"
#include "libioasid/channel.h"

/**
 * exit_code() - The exit code for an error
 * @id:		Its id
 *
 * Return: enum ctl_exit.
 */
static int exit_code(const char *id)
{
	if (str_eq(id, IOASID_ERROR_UNREACHABLE) ||
	    str_eq(id, IOASID_ERROR_CLOSED))
		return CTL_UNREACHABLE;
	if (str_eq(id, IOASID_ERROR_TIMEOUT))
		return CTL_PENDING;
	return CTL_FAILED;
}

/* ctl_complain() - See ctl.h. */
int ctl_complain(const struct ioasid_error *err, const char *object)
{
	if (err->object[0])
		object = err->object;
	(void)fflush(stdout);
	fprintf(stderr, "ioasidctl: ");
	if (object && object[0]) {
		output_clean(stderr, object);
		fprintf(stderr, ": ");
	}
	output_clean(stderr, err->message);
	fprintf(stderr, " [");
	output_clean(stderr, err->id);
	fprintf(stderr, "]\n");
	for (size_t i = 0; i < err->n_causes; i++) {
		fprintf(stderr, "  ");
		output_clean(stderr, err->causes[i].kind);
		fprintf(stderr, " ");
		output_clean(stderr, err->causes[i].name);
		fprintf(stderr, "%s", err->causes[i].detail[0] ? ": " : "");
		output_clean(stderr, err->causes[i].detail);
		fprintf(stderr, "\n");
	}
	if (err->remedy[0]) {
		fprintf(stderr, "try: ");
		output_clean(stderr, err->remedy);
		fprintf(stderr, "\n");
	}
	return exit_code(err->id);
}

/* ctl_usage() - See ctl.h. */
int ctl_usage(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "ioasidctl: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	return CTL_USAGE;
}

/* ctl_fail() - See ctl.h. */
int ctl_fail(const char *fmt, ...)
{
	va_list ap;

	(void)fflush(stdout);
	fprintf(stderr, "ioasidctl: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	return CTL_FAILED;
}

/* ctl_no_memory() - See ctl.h. */
void ctl_no_memory(void)
{
	fprintf(stderr, "ioasidctl: no memory\n");
	exit(CTL_FAILED);
}

/* ctl_connect() - See ctl.h. */
int ctl_connect(struct ctl *ctl)
{
	struct ioasid_error err;

	if (ctl->conn)
		return CTL_DONE;
	if (ioasid_connect(ctl->socket, ctl->timeout_ms, &ctl->conn, &err) < 0)
		return ctl_complain(&err, NULL);
	return CTL_DONE;
}

/* ctl_disconnect() - See ctl.h. */
void ctl_disconnect(struct ctl *ctl)
{
	ctl->conn = ioasid_disconnect(ctl->conn);
}

/* ctl_call() - See ctl.h. */
int ctl_call(struct ctl *ctl, const char *method,
	     const ProtobufCMessage *request,
	     const ProtobufCMessageDescriptor *type, const char *object,
	     ProtobufCMessage **ret)
{
	struct ioasid_error err;
	int r;

	r = ctl_connect(ctl);
	if (r)
		return r;
	if (channel_call(ctl->conn, method, request, type, ret, &err) < 0)
		return ctl_complain(&err, object);
	return CTL_DONE;
}

/* ctl_list() - See ctl.h. */
int ctl_list(struct ctl *ctl, const char *method, ProtobufCMessage *request,
	     const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret)
{
	struct ioasid_error err;
	int r;

	r = ctl_connect(ctl);
	if (r)
		return r;
	if (channel_list(ctl->conn, method, request, type, ret, &err) < 0)
		return ctl_complain(&err, NULL);
	return CTL_DONE;
}
