/* SPDX-License-Identifier: Apache-2.0
 *
 * verify.c - certificates of clients: path, purpose, time, revocation, names
 *
 * GnuTLS finds the path to an authority. Three things it would let pass, and we
 * do not: a certificate without any purpose, a list that has become out of
 * date, a name with a NUL in it.
 */
#include "tls/verify.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/**
 * refused() - A certificate is not good
 * @alert:	What to tell its owner
 * @ret_alert:	Written
 * @words:	For the log
 *
 * Return: -EACCES.
 */
static int refused(gnutls_alert_description_t alert,
		   gnutls_alert_description_t *ret_alert, const char *words,
		   struct error *err)
{
	*ret_alert = alert;
	return error_set(err, -EACCES, ERROR_PERMISSION_UNAUTHENTICATED,
			 "the client's certificate %s", words);
}

/**
 * is_for_clients() - Does a certificate say that it is for clients?
 * @cert:	The certificate
 *
 * One that is for any purpose does not: it was not made for this.
 */
static bool is_for_clients(gnutls_x509_crt_t cert)
{
	char oid[64];

	for (unsigned int i = 0;; i++) {
		size_t size = sizeof(oid);
		int r = gnutls_x509_crt_get_key_purpose_oid(cert, i, oid,
							    &size, NULL);

		if (r == 0 && str_eq(oid, GNUTLS_KP_TLS_WWW_CLIENT))
			return true;
		if (r < 0 && r != GNUTLS_E_SHORT_MEMORY_BUFFER)
			return false;
	}
}

/**
 * judge_path() - Say what is wrong with a path
 * @status:	What GnuTLS found, not 0
 *
 * Return: as refused().
 */
static int judge_path(unsigned int status,
		      gnutls_alert_description_t *ret_alert, struct error *err)
{
	static const struct {
		unsigned int status;
		gnutls_alert_description_t alert;
		const char *words;
	} faults[] = {
		{ GNUTLS_CERT_SIGNER_NOT_FOUND, GNUTLS_A_UNKNOWN_CA,
		  "is of no authority that is known here" },
		{ GNUTLS_CERT_SIGNER_NOT_CA, GNUTLS_A_UNKNOWN_CA,
		  "was issued by one that is no authority" },
		{ GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED,
		  "has expired, or one that leads to it" },
		{ GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_BAD_CERTIFICATE,
		  "is not valid yet, or one that leads to it" },
		{ GNUTLS_CERT_PURPOSE_MISMATCH,
		  GNUTLS_A_UNSUPPORTED_CERTIFICATE,
		  "is not for clients, or one that leads to it is not" },
		{ GNUTLS_CERT_INSECURE_ALGORITHM, GNUTLS_A_BAD_CERTIFICATE,
		  "is signed or keyed too weakly" },
		{ GNUTLS_CERT_SIGNATURE_FAILURE, GNUTLS_A_BAD_CERTIFICATE,
		  "does not bear its issuer's signature" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		if (status & faults[i].status)
			return refused(faults[i].alert, ret_alert,
				       faults[i].words, err);
	return refused(GNUTLS_A_BAD_CERTIFICATE, ret_alert, "is not good", err);
}

/**
 * check_revoked() - Is none of a chain revoked?
 * @set:	With the lists
 * @certs:	The chain
 * @n:		How many
 *
 * Also one that does not belong to the path, and came for no reason, counts.
 *
 * Return: as refused().
 */
static int check_revoked(const struct credentials *set,
			 gnutls_x509_crt_t *certs, unsigned int n,
			 gnutls_alert_description_t *ret_alert,
			 struct error *err)
{
	for (unsigned int i = 0; i < n; i++) {
		switch (revoked_find(set->revoked, certs[i])) {
		case REVOKED_NOT:
			continue;
		case REVOKED_IS:
			return refused(GNUTLS_A_CERTIFICATE_REVOKED, ret_alert,
				       "was revoked, or one that leads to it",
				       err);
		case REVOKED_UNKNOWN:
		case REVOKED_STATE_COUNT:
			return refused(GNUTLS_A_CERTIFICATE_UNKNOWN, ret_alert,
				       "has an issuer whose list of revoked certificates is out of date",
				       err);
		}
	}
	return 0;
}

/**
 * verify_certs() - Is a chain good?
 * @set:	The authorities and the lists
 * @certs:	The chain
 * @n:		How many, not 0
 *
 * Return: as verify_chain().
 */
static int verify_certs(const struct credentials *set, gnutls_x509_crt_t *certs,
			unsigned int n, gnutls_alert_description_t *ret_alert,
			struct error *err)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	unsigned int bits, status;
	int r;

	for (unsigned int i = 0; i < n; i++)
		if (gnutls_x509_crt_get_pk_algorithm(certs[i], &bits) < 0 ||
		    bits > VERIFY_KEY_BITS_MAX)
			return refused(GNUTLS_A_UNSUPPORTED_CERTIFICATE,
				       ret_alert, "has a key that is too long",
				       err);

	r = gnutls_x509_trust_list_verify_crt2(
		set->trust, certs, n, &purpose, 1,
		GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM), &status, NULL);
	if (r < 0)
		return refused(GNUTLS_A_BAD_CERTIFICATE, ret_alert,
			       gnutls_strerror(r), err);
	if (status)
		return judge_path(status, ret_alert, err);

	if (!is_for_clients(certs[0]))
		return refused(GNUTLS_A_UNSUPPORTED_CERTIFICATE, ret_alert,
			       "does not say that it is for clients", err);
	return check_revoked(set, certs, n, ret_alert, err);
}

/* verify_chain() - Is a client's certificate good, now, to this set? */
int verify_chain(const struct credentials *set, const gnutls_datum_t *chain,
		 unsigned int n, gnutls_alert_description_t *ret_alert,
		 struct error *err)
{
	gnutls_x509_crt_t certs[VERIFY_CHAIN_MAX];
	unsigned int have = 0;
	int r = 0;

	if (!n)
		return refused(GNUTLS_A_CERTIFICATE_REQUIRED, ret_alert,
			       "is missing", err);
	if (n > VERIFY_CHAIN_MAX)
		return refused(GNUTLS_A_BAD_CERTIFICATE, ret_alert,
			       "comes with too many others", err);

	while (have < n && r == 0) {
		r = gnutls_x509_crt_init(&certs[have]);
		if (r < 0)
			break;
		r = gnutls_x509_crt_import(certs[have], &chain[have],
					   GNUTLS_X509_FMT_DER);
		have++;
	}
	if (r < 0)
		r = refused(GNUTLS_A_BAD_CERTIFICATE, ret_alert,
			    "cannot be read", err);
	else
		r = verify_certs(set, certs, n, ret_alert, err);
	while (have)
		gnutls_x509_crt_deinit(certs[--have]);

	return r;
}

/**
 * name_ok() - Can a name be shown, and compared, as it is?
 * @name:	Its bytes
 * @size:	How many
 *
 * Whoever has a name cut off at a NUL is somebody else.
 */
static bool name_ok(const char *name, size_t size)
{
	if (!size || size > IDENTITY_NAME_MAX)
		return false;
	for (size_t i = 0; i < size; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return true;
}

/**
 * add_name() - Take one alternative name
 * @identity:	Takes it if it is a URI or DNS name
 * @type:	What it is
 * @name:	Its bytes; a NUL follows them. Changed
 * @size:	How many
 *
 * Return: as identity_read().
 */
static int add_name(struct identity *identity, int type, char *name,
		    size_t size, struct error *err)
{
	struct strv *list;

	if (type == GNUTLS_SAN_URI)
		list = &identity->uris;
	else if (type == GNUTLS_SAN_DNSNAME)
		list = &identity->names;
	else
		return 0;

	if (!name_ok(name, size))
		return error_set(err, -EACCES, ERROR_PERMISSION_UNAUTHENTICATED,
				 "the client's certificate has a name that is empty, too long or not printable");
	if (list->n == IDENTITY_NAMES_MAX)
		return error_set(err, -EACCES, ERROR_PERMISSION_UNAUTHENTICATED,
				 "the client's certificate has more than %d names of a kind",
				 IDENTITY_NAMES_MAX);
	if (type == GNUTLS_SAN_DNSNAME)
		for (size_t i = 0; i < size; i++)
			name[i] = (char)tolower((unsigned char)name[i]);
	if (strv_add(list, name))
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for a client's names");
	return 0;
}

/**
 * add_names() - Take all alternative names
 * @cert:	The certificate
 * @identity:	Takes them
 *
 * Return: as identity_read().
 */
static int add_names(gnutls_x509_crt_t cert, struct identity *identity,
		     struct error *err)
{
	for (unsigned int i = 0;; i++) {
		char name[IDENTITY_NAME_MAX + 2] = { 0 };
		size_t size = sizeof(name) - 1;
		unsigned int kind = GNUTLS_SAN_URI;
		int r;

		r = gnutls_x509_crt_get_subject_alt_name2(cert, i, name, &size,
							  &kind, NULL);
		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return 0;
		/* One that does not fit may be of a type that is not read. */
		if (r == GNUTLS_E_SHORT_MEMORY_BUFFER &&
		    kind != GNUTLS_SAN_URI && kind != GNUTLS_SAN_DNSNAME)
			continue;
		if (r < 0)
			return error_set(err, -EACCES,
					 ERROR_PERMISSION_UNAUTHENTICATED,
					 "the client's certificate has names that cannot be read: %s",
					 gnutls_strerror(r));
		r = add_name(identity, (int)kind, name, size, err);
		if (r < 0)
			return r;
	}
}

/* identity_read() - Read who a certificate says that it is */
int identity_read(const gnutls_datum_t *der, struct identity *ret,
		  struct error *err)
{
	_cleanup_identity_ struct identity identity = IDENTITY_NULL;
	size_t size = sizeof(identity.fingerprint);
	gnutls_x509_crt_t cert;
	int r;

	if (gnutls_x509_crt_init(&cert) < 0)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for a client's certificate");
	r = gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER);
	if (r == 0)
		r = gnutls_fingerprint(GNUTLS_DIG_SHA256, der,
				       identity.fingerprint, &size);
	if (r < 0)
		r = error_set(err, -EACCES, ERROR_PERMISSION_UNAUTHENTICATED,
			      "the client's certificate cannot be read: %s",
			      gnutls_strerror(r));
	else
		r = add_names(cert, &identity, err);
	gnutls_x509_crt_deinit(cert);
	if (r < 0)
		return r;

	*ret = identity;
	identity = IDENTITY_NULL;
	return 0;
}

/* identity_deinit() - Forget whose certificate it is */
void identity_deinit(struct identity *identity)
{
	strv_deinit(&identity->uris);
	strv_deinit(&identity->names);
}
