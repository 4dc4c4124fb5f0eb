/* SPDX-License-Identifier: Apache-2.0
 *
 * verify.h - is a client's certificate good, and who does it say that it is?
 */
#ifndef API_TLS_VERIFY_H
#define API_TLS_VERIFY_H

#include <gnutls/gnutls.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "tls/credentials.h"

/* What a client may make us look at: certificates of a chain, bits of a key,
 * alternative names of a certificate and bytes of one.
 */
#define VERIFY_CHAIN_MAX 8
#define VERIFY_KEY_BITS_MAX 8192
#define IDENTITY_NAMES_MAX 64
#define IDENTITY_NAME_MAX 1024

/**
 * struct identity - Whose certificate it is
 * @uris:	Alternative names of type URI, printable ASCII
 * @names:	Of type DNS, likewise, in small letters
 * @fingerprint: SHA-256 of the certificate
 */
struct identity {
	struct strv uris;
	struct strv names;
	uint8_t fingerprint[32];
};

#define IDENTITY_NULL ((struct identity){ .uris = STRV_NULL })

/**
 * verify_chain() - Is a client's certificate good, now, to this set?
 * @set:	The authorities and the lists
 * @chain:	The certificate, DER, and those that lead to an authority
 * @n:		How many; 0 is refused
 * @ret_alert:	What to tell the client; written on failure only
 * @err:	Why not
 *
 * Return: 0; -EACCES; -ENOMEM.
 */
int verify_chain(const struct credentials *set, const gnutls_datum_t *chain,
		 unsigned int n, gnutls_alert_description_t *ret_alert,
		 struct error *err);

/**
 * identity_read() - Read who a certificate says that it is
 * @der:	The certificate
 * @ret:	Freed with identity_deinit()
 *
 * Return: 0; -EACCES if it has more names than allowed, or some that no log and
 * no policy could show as they are; -ENOMEM.
 */
int identity_read(const gnutls_datum_t *der, struct identity *ret,
		  struct error *err);

/* identity_deinit() - Empty afterwards. */
void identity_deinit(struct identity *identity);

#define _cleanup_identity_ __attribute__((cleanup(identity_deinit)))

#endif
