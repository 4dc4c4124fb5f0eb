/* SPDX-License-Identifier: Apache-2.0
 *
 * credentials.h - who we are to clients by TLS, and whom we believe
 *
 * DOC: Theory of Operation
 *
 * A set is read once, whole, from the PEM files that ioasidd gives, and never
 * changes: a new one takes its place. A set in which something does not fit is
 * refused, with words that name the file, and the former one stays.
 *
 * The authorities are those of the set, none of the system's. A client's
 * certificate is good if one of them has issued it, itself or through
 * certificates that the client shows, if it says that it is for clients, if its
 * time is now, and if nobody has revoked it. An authority whose list of revoked
 * certificates is out of date vouches for nobody. One that has no list is
 * believed without.
 */
#ifndef API_TLS_CREDENTIALS_H
#define API_TLS_CREDENTIALS_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tls/revoked.h"

/* The longest file of each kind, bytes. */
#define CREDENTIALS_MAX (256 << 10)
#define CREDENTIALS_REVOKED_MAX (4 << 20)

/* How many authorities. */
#define CREDENTIALS_AUTHORITIES_MAX 64

/**
 * struct credentials - A set; shared, never changed
 * @refs:	Loop thread only
 * @priority:	Versions and algorithms
 * @gnutls:	Key, certificates, authorities
 * @trust:	The authorities in @gnutls
 * @revoked:	The lists; NULL for none
 */
struct credentials {
	unsigned int refs;
	gnutls_priority_t priority;
	gnutls_certificate_credentials_t gnutls;
	gnutls_x509_trust_list_t trust;
	struct revoked *revoked;
};

/**
 * credentials_new() - Read a set
 * @files:	What each of @fds is: "certificate", "key", "authorities" and,
 *		if there are lists, "revoked"; others are passed over
 * @fds:	Sealed memfds; borrowed, their offsets are left alone
 * @n:		How many
 * @ret:	NULL if none of the four is there: no TLS is wanted
 * @err:	Names the file
 *
 * Return: 0; -EINVAL if it is not whole or does not fit; -EPERM if a file could
 * still change; -EFBIG; -ENOMEM.
 */
int credentials_new(char *const *files, const int *fds, size_t n,
		    struct credentials **ret, struct error *err);

struct credentials *credentials_ref(struct credentials *set);

/* credentials_unref() - NULL is allowed. The last one wipes the key. Return:
 * NULL.
 */
struct credentials *credentials_unref(struct credentials *set);

#endif
