/* SPDX-License-Identifier: Apache-2.0
 *
 * prog.h - what the client programs of the test machine share
 */
#ifndef IOASIDD_TESTS_PROG_H
#define IOASIDD_TESTS_PROG_H

#include <stdio.h>
#include <stdlib.h>

#include "libioasid/ioasid.h"

/* No call takes longer, on a slow machine with a sanitizer. */
#define TIMEOUT_MS 60000

/* Say why, and end. */
#define die(...)                              \
	do {                                  \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr);          \
		exit(1);                      \
	} while (0)

/**
 * refused() - End with the words of an error
 * @what:	What was asked for
 * @err:	What was said
 */
static inline void refused(const char *what, const struct ioasid_error *err)
{
	die("%s: %s: %s [%s]", what, err->object, err->message, err->id);
}

/**
 * connect_daemon() - Connect to the daemon that $IOASIDD_SOCKET names
 *
 * Return: the connection.
 */
static inline struct ioasid *connect_daemon(void)
{
	struct ioasid_error err;
	struct ioasid *conn;

	if (ioasid_connect(getenv("IOASIDD_SOCKET"), TIMEOUT_MS, &conn, &err) <
	    0)
		refused("connect", &err);
	return conn;
}

/**
 * claim_lease() - Claim a lease, and acknowledge it
 * @conn:	The connection
 * @lease:	Its name
 *
 * Return: the descriptors.
 */
static inline struct ioasid_claim *claim_lease(struct ioasid *conn,
					       const char *lease)
{
	struct ioasid_claim *claim;
	struct ioasid_error err;

	if (ioasid_lease_claim(conn, lease, &claim, &err) < 0)
		refused("claim", &err);
	if (ioasid_lease_acknowledge(conn, lease, &err) < 0)
		refused("acknowledge", &err);
	return claim;
}

#endif
