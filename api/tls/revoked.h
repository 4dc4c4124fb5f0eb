/* SPDX-License-Identifier: Apache-2.0
 *
 * revoked.h - lists of revoked certificates (CRL), in little memory
 *
 * As GnuTLS keeps it a list of 70,000 is 57 MiB, and each certificate is
 * compared with all of it. Here it is the numbers alone, sorted.
 */
#ifndef API_TLS_REVOKED_H
#define API_TLS_REVOKED_H

#include <gnutls/x509.h>
#include <stdbool.h>

#include "base/error.h"

/* How many lists. */
#define REVOKED_LISTS_MAX 64

struct revoked;

/* What is known of a certificate. */
enum revoked_state {
	REVOKED_NOT,	/* in no list, or its issuer has none */
	REVOKED_IS,
	REVOKED_UNKNOWN, /* its issuer's lists are out of date */
	REVOKED_STATE_COUNT,
};

/**
 * revoked_new() - Read lists
 * @text:	PEM
 * @authorities: One of them must have signed each
 * @n:		How many
 * @ret:	Ends with revoked_free()
 * @err:	Begins with "revoked: "
 *
 * Return: 0; -EINVAL if one is out of date, not signed, of nobody, or has a
 * critical extension: that changes what a list means; -ENOMEM.
 */
int revoked_new(const gnutls_datum_t *text,
		const gnutls_x509_crt_t *authorities, unsigned int n,
		struct revoked **ret, struct error *err);

/* revoked_free() - NULL is allowed. Return: NULL. */
struct revoked *revoked_free(struct revoked *revoked);

/**
 * revoked_find() - Is a certificate revoked?
 * @revoked:	NULL: there are no lists
 *
 * Of several lists of its issuer all count that are not out of date.
 */
enum revoked_state revoked_find(const struct revoked *revoked,
				gnutls_x509_crt_t cert);

#endif
