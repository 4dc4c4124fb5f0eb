/* SPDX-License-Identifier: Apache-2.0
 *
 * revoked.c - lists of revoked certificates (CRL), in little memory
 */
#include "tls/revoked.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

/* RFC 5280 allows numbers of 20 bytes. */
#define SERIAL_SIZE 20

/**
 * struct serial - The number of a certificate
 * @bytes:	Filled up with zeros in front
 */
struct serial {
	uint8_t bytes[SERIAL_SIZE];
};

/**
 * struct list - The list of one authority
 * @issuer:	Its name, DER
 * @next:	When it is out of date; -1 never
 * @serials:	What it revokes, sorted
 * @n:		How many
 */
struct list {
	gnutls_datum_t issuer;
	time_t next;
	struct serial *serials;
	size_t n;
};

/**
 * struct revoked - All lists
 * @lists:	They
 * @n:		How many
 */
struct revoked {
	struct list lists[REVOKED_LISTS_MAX];
	unsigned int n;
};

/* compare() - For qsort(3) and bsearch(3). */
static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct serial));
}

/**
 * serial_set() - Take a number as DER has it
 * @ret:	Filled
 * @bytes:	The number
 * @size:	How many bytes; a zero may be in front of twenty
 *
 * Return: false if it is too long.
 */
static bool serial_set(struct serial *ret, const uint8_t *bytes, size_t size)
{
	while (size && !*bytes) {
		bytes++;
		size--;
	}
	if (size > SERIAL_SIZE)
		return false;
	memset(ret->bytes, 0, SERIAL_SIZE - size);
	memcpy(ret->bytes + SERIAL_SIZE - size, bytes, size);
	return true;
}

/**
 * refuse() - A list is not to be gone by
 * @i:		Its place in the file, from 1
 * @words:	Why
 *
 * Return: -EINVAL.
 */
static int refuse(unsigned int i, const char *words, struct error *err)
{
	return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			 "revoked: list %u %s", i, words);
}

/* has_critical() - Has a list an extension that changes what it means? */
static bool has_critical(gnutls_x509_crl_t crl)
{
	for (unsigned int k = 0;; k++) {
		unsigned int critical = 0;
		char oid[64];
		size_t size = sizeof(oid);
		int r = gnutls_x509_crl_get_extension_info(crl, k, oid, &size,
							   &critical);

		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return false;
		if (r < 0 || critical)
			return true;
	}
}

/**
 * check() - Is a list one to go by?
 * @crl:	The list
 * @i:		Its place in the file, from 1
 *
 * Return: 0 or -EINVAL.
 */
static int check(gnutls_x509_crl_t crl, const gnutls_x509_crt_t *authorities,
		 unsigned int n, unsigned int i, struct error *err)
{
	unsigned int status = 0;

	if (has_critical(crl))
		return refuse(i, "has a critical extension, and none is known here",
			      err);
	if (gnutls_x509_crl_verify(crl, authorities, (int)n, 0, &status) < 0)
		return refuse(i, "cannot be verified", err);
	if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		return refuse(i, "is of none of the authorities", err);
	if (status & GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED)
		return refuse(i, "is out of date", err);
	if (status)
		return refuse(i, "does not bear its authority's signature, or is not valid yet",
			      err);
	return 0;
}

/**
 * take() - Keep the numbers of a list
 * @list:	Filled, with what its owner frees; untouched on failure
 * @crl:	Good
 * @i:		Its place in the file, from 1
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
static int take(struct list *list, gnutls_x509_crl_t crl, unsigned int i,
		struct error *err)
{
	int count = gnutls_x509_crl_get_crt_count(crl), r = 0;
	_cleanup_free_ struct serial *serials = NULL;
	gnutls_x509_crl_iter_t iter = NULL;
	gnutls_datum_t issuer;
	uint8_t bytes[64];

	if (count < 0)
		return refuse(i, "cannot be read", err);
	serials = calloc((size_t)count + 1, sizeof(*serials));
	if (!serials)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "revoked: no memory for list %u", i);
	for (int k = 0; r == 0 && k < count; k++) {
		size_t size = sizeof(bytes);

		r = gnutls_x509_crl_iter_crt_serial(crl, &iter, bytes, &size,
						    NULL);
		if (r == 0 && !serial_set(&serials[k], bytes, size))
			r = -1;
	}
	if (iter)
		gnutls_x509_crl_iter_deinit(iter);
	if (r < 0 || gnutls_x509_crl_get_raw_issuer_dn(crl, &issuer) < 0)
		return refuse(i, "has a number or a name that cannot be read",
			      err);

	qsort(serials, (size_t)count, sizeof(*serials), compare);
	*list = (struct list){
		.issuer = issuer,
		.next = gnutls_x509_crl_get_next_update(crl),
		.serials = TAKE_PTR(serials),
		.n = (size_t)count,
	};
	return 0;
}

/* revoked_new() - Read lists */
int revoked_new(const gnutls_datum_t *text,
		const gnutls_x509_crt_t *authorities, unsigned int n,
		struct revoked **ret, struct error *err)
{
	struct revoked *revoked = calloc(1, sizeof(*revoked));
	gnutls_x509_crl_t *crls = NULL;
	unsigned int n_crls = 0;
	int r;

	if (!revoked)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "revoked: no memory");
	r = gnutls_x509_crl_list_import2(&crls, &n_crls, text,
					 GNUTLS_X509_FMT_PEM, 0);
	if (r < 0)
		r = error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			      "revoked: holds no list of revoked certificates in PEM: %s",
			      gnutls_strerror(r));
	else if (n_crls > REVOKED_LISTS_MAX)
		r = error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			      "revoked: more than %d lists", REVOKED_LISTS_MAX);
	for (unsigned int i = 0; r >= 0 && i < n_crls; i++) {
		r = check(crls[i], authorities, n, i + 1, err);
		if (r == 0)
			r = take(&revoked->lists[revoked->n], crls[i], i + 1,
				 err);
		revoked->n += r == 0;
	}
	for (unsigned int i = 0; i < n_crls; i++)
		gnutls_x509_crl_deinit(crls[i]);
	gnutls_free(crls);
	if (r < 0) {
		(void)revoked_free(revoked);
		return r;
	}

	*ret = revoked;
	return 0;
}

/* revoked_free() - Forget lists */
struct revoked *revoked_free(struct revoked *revoked)
{
	if (!revoked)
		return NULL;
	for (unsigned int i = 0; i < revoked->n; i++) {
		gnutls_free(revoked->lists[i].issuer.data);
		free(revoked->lists[i].serials);
	}
	free(revoked);

	return NULL;
}

/* revoked_find() - Is a certificate revoked? */
enum revoked_state revoked_find(const struct revoked *revoked,
				gnutls_x509_crt_t cert)
{
	bool known = false, fresh = false, found = false;
	time_t now = time(NULL);
	gnutls_datum_t issuer;
	struct serial serial;
	uint8_t bytes[64];
	size_t size = sizeof(bytes);

	if (!revoked)
		return REVOKED_NOT;
	/* None that is that odd is in a list, but who could say so? */
	if (gnutls_x509_crt_get_serial(cert, bytes, &size) < 0 ||
	    !serial_set(&serial, bytes, size) ||
	    gnutls_x509_crt_get_raw_issuer_dn(cert, &issuer) < 0)
		return REVOKED_UNKNOWN;
	for (unsigned int i = 0; i < revoked->n; i++) {
		const struct list *list = &revoked->lists[i];

		if (list->issuer.size != issuer.size ||
		    memcmp(list->issuer.data, issuer.data, issuer.size) != 0)
			continue;
		known = true;
		fresh |= list->next == (time_t)-1 || list->next >= now;
		found |= bsearch(&serial, list->serials, list->n,
				 sizeof(serial), compare) != NULL;
	}
	gnutls_free(issuer.data);

	if (found)
		return REVOKED_IS;
	return known && !fresh ? REVOKED_UNKNOWN : REVOKED_NOT;
}
