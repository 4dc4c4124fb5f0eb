/* SPDX-License-Identifier: Apache-2.0
 *
 * credentials.c - reads a set of credentials, or says what is wrong with it
 *
 * GnuTLS overwrites the keys that it frees; the PEM text is ours to overwrite.
 */
#include "tls/credentials.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

/* What keeps a memfd as it is. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Of 1.3 what is there, but for the groups of finite fields: a handshake costs
 * ten times as much with them. PROFILE_MEDIUM asks for 112 bits of security.
 */
#define PRIORITY                                                  \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519:" \
	"+GROUP-SECP256R1:+GROUP-SECP384R1:%PROFILE_MEDIUM"

#define NAME_SIZE 160

/**
 * struct pem - A file
 * @file:	Its name, for words; NULL if there is none
 * @text:	What is in it, ended with a NUL; wiped and freed
 */
struct pem {
	const char *file;
	gnutls_datum_t text;
};

#define PEM_NULL ((struct pem){ .file = NULL })

/* pem_deinit() - Overwrite and free. */
static void pem_deinit(struct pem *pem)
{
	if (pem->text.data)
		explicit_bzero(pem->text.data, pem->text.size);
	free(pem->text.data);
}

#define _cleanup_pem_ __attribute__((cleanup(pem_deinit)))

/**
 * struct certs - Certificates out of one file
 * @items:	Array of GnuTLS's
 * @n:		How many
 */
struct certs {
	gnutls_x509_crt_t *items;
	unsigned int n;
};

/* certs_deinit() - Free all. */
static void certs_deinit(struct certs *certs)
{
	for (unsigned int i = 0; i < certs->n; i++)
		gnutls_x509_crt_deinit(certs->items[i]);
	gnutls_free(certs->items);
}

#define _cleanup_certs_ __attribute__((cleanup(certs_deinit)))

/**
 * invalid() - Say what GnuTLS says of a file
 * @file:	Its name
 * @r:		GnuTLS's number
 *
 * Return: -EINVAL or -ENOMEM.
 */
static int invalid(const char *file, int r, struct error *err)
{
	if (r == GNUTLS_E_MEMORY_ERROR)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "%s: no memory to read it", file);
	return error_set(err, -EINVAL, ERROR_REQUEST_INVALID, "%s: %s", file,
			 gnutls_strerror(r));
}

/**
 * name_of() - Whose certificate it is, for words
 * @cert:	The certificate
 * @buf:	NAME_SIZE bytes
 *
 * Return: @buf.
 */
static const char *name_of(gnutls_x509_crt_t cert, char *buf)
{
	size_t size = NAME_SIZE;

	if (gnutls_x509_crt_get_dn(cert, buf, &size) < 0)
		str_copy(buf, NAME_SIZE, "a certificate without a short name");
	return buf;
}

/**
 * pem_read() - Read one of the files
 * @file:	Which
 * @max:	The longest, bytes
 * @ret:	@file is NULL if it is not among @files
 *
 * Return: 0; -EPERM if it is not sealed; -EINVAL if it is there twice or empty;
 * -EFBIG; -ENOMEM; what pread(2) says.
 */
static int pem_read(char *const *files, const int *fds, size_t n,
		    const char *file, size_t max, struct pem *ret,
		    struct error *err)
{
	_cleanup_pem_ struct pem pem = PEM_NULL;
	struct stat st;
	int fd = -1, seals;
	ssize_t got;

	for (size_t i = 0; i < n; i++) {
		if (!str_eq(files[i], file))
			continue;
		if (fd >= 0)
			return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
					 "%s: is there twice", file);
		fd = fds[i];
	}
	if (fd < 0)
		return 0;

	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS)
		return error_set(err, -EPERM, ERROR_REQUEST_INVALID,
				 "%s: is not a sealed memfd", file);
	if (fstat(fd, &st))
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "%s: fstat: %m", file);
	if (!st.st_size)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s: is empty", file);
	if (st.st_size > (off_t)max)
		return error_set(err, -EFBIG, ERROR_REQUEST_INVALID,
				 "%s: is longer than %zu bytes", file, max);

	pem.text.size = (unsigned int)st.st_size;
	pem.text.data = calloc(1, (size_t)st.st_size + 1);
	if (!pem.text.data)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "%s: no memory to read it", file);
	got = pread(fd, pem.text.data, pem.text.size, 0);
	if (got != st.st_size)
		return error_set(err, got < 0 ? -errno : -EIO,
				 ERROR_KERNEL_SYSTEM, "%s: pread: %m", file);

	pem.file = file;
	*ret = pem;
	pem = PEM_NULL;
	return 0;
}

/**
 * certs_read() - Read certificates
 * @pem:	The file
 * @flags:	Of gnutls_x509_crt_list_import2()
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
static int certs_read(const struct pem *pem, unsigned int flags,
		      struct certs *ret, struct error *err)
{
	struct certs certs = { .items = NULL };
	int r;

	r = gnutls_x509_crt_list_import2(&certs.items, &certs.n, &pem->text,
					 GNUTLS_X509_FMT_PEM, flags);
	if (r == GNUTLS_E_CERTIFICATE_LIST_UNSORTED)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s: each certificate is to be followed by its issuer's",
				 pem->file);
	if (r == GNUTLS_E_NO_CERTIFICATE_FOUND)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s: holds no certificate in PEM", pem->file);
	if (r < 0)
		return invalid(pem->file, r, err);

	*ret = certs;
	return 0;
}

/**
 * is_for_servers() - May a certificate be a server's?
 * @cert:	The certificate
 *
 * Return: true if it names no purpose, or this one among others.
 */
static bool is_for_servers(gnutls_x509_crt_t cert)
{
	char oid[64];

	for (unsigned int i = 0;; i++) {
		size_t size = sizeof(oid);
		int r = gnutls_x509_crt_get_key_purpose_oid(cert, i, oid,
							    &size, NULL);

		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return !i;
		if (r == 0 && (str_eq(oid, GNUTLS_KP_TLS_WWW_SERVER) ||
			       str_eq(oid, GNUTLS_KP_ANY)))
			return true;
		if (r < 0 && r != GNUTLS_E_SHORT_MEMORY_BUFFER)
			return false;
	}
}

/**
 * check_time() - Is a certificate's time now?
 * @cert:	The certificate
 * @file:	Where it is from
 *
 * Return: 0 or -EINVAL.
 */
static int check_time(gnutls_x509_crt_t cert, const char *file,
		      struct error *err)
{
	time_t now = time(NULL);
	char name[NAME_SIZE];

	if (gnutls_x509_crt_get_expiration_time(cert) < now)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s: %s has expired", file,
				 name_of(cert, name));
	if (gnutls_x509_crt_get_activation_time(cert) > now)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s: %s is not valid yet", file,
				 name_of(cert, name));
	return 0;
}

/**
 * add_identity() - Take our certificate and its key
 * @set:	To be filled
 * @certificate: Our certificate, then its issuer's and so on
 * @key:	Its key, not encrypted
 *
 * GnuTLS compares key and certificate.
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
static int add_identity(struct credentials *set, const struct pem *certificate,
			const struct pem *key, struct error *err)
{
	_cleanup_certs_ struct certs chain = { .items = NULL };
	gnutls_x509_privkey_t private;
	int r;

	r = certs_read(certificate, GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED,
		       &chain, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < chain.n; i++) {
		r = check_time(chain.items[i], certificate->file, err);
		if (r < 0)
			return r;
	}
	if (!is_for_servers(chain.items[0]))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s: is not for servers: its key purposes are others",
				 certificate->file);

	r = gnutls_x509_privkey_init(&private);
	if (r < 0)
		return invalid(key->file, r, err);
	r = gnutls_x509_privkey_import2(private, &key->text,
					GNUTLS_X509_FMT_PEM, NULL, 0);
	if (r == 0)
		r = gnutls_certificate_set_x509_key(set->gnutls, chain.items,
						    (int)chain.n, private);
	gnutls_x509_privkey_deinit(private);

	if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s: does not belong to the certificate",
				 key->file);
	if (r == GNUTLS_E_DECRYPTION_FAILED)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s: is encrypted", key->file);
	return r < 0 ? invalid(key->file, r, err) : 0;
}

/**
 * add_authorities() - Take those that vouch for clients
 * @set:	To be filled
 * @pem:	The file
 * @certs:	Filled with them
 *
 * One that may issue nothing is refused: GnuTLS would take it for itself. One
 * that has expired is left in while another is valid; it vouches for nobody.
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
static int add_authorities(struct credentials *set, const struct pem *pem,
			   struct certs *certs, struct error *err)
{
	unsigned int valid = 0;
	char name[NAME_SIZE];
	int r;

	r = certs_read(pem, 0, certs, err);
	if (r < 0)
		return r;
	if (certs->n > CREDENTIALS_AUTHORITIES_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%s: more than %d certificates", pem->file,
				 CREDENTIALS_AUTHORITIES_MAX);
	for (unsigned int i = 0; i < certs->n; i++) {
		if (gnutls_x509_crt_get_ca_status(certs->items[i], NULL) <= 0)
			return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
					 "%s: %s is not the certificate of an authority",
					 pem->file,
					 name_of(certs->items[i], name));
		valid += check_time(certs->items[i], pem->file, err) == 0;
	}
	if (!valid) /* the words are there */
		return -EINVAL;

	r = gnutls_certificate_set_x509_trust(set->gnutls, certs->items,
					      (int)certs->n);
	if (r < 0)
		return invalid(pem->file, r, err);
	gnutls_certificate_get_trust_list(set->gnutls, &set->trust);

	if (err)
		*err = ERROR_NULL;
	return 0;
}

/**
 * add_lists() - Take the lists of revoked certificates
 * @set:	To be filled
 * @authorities: One of them must have signed each
 * @pem:	The file
 *
 * An authority is believed as it is, whoever has issued it: GnuTLS looks no
 * further. So one that its own issuer has revoked is noticed here or never.
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
static int add_lists(struct credentials *set, const struct certs *authorities,
		     const struct pem *pem, struct error *err)
{
	char name[NAME_SIZE];
	int r;

	r = revoked_new(&pem->text, authorities->items, authorities->n,
			&set->revoked, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < authorities->n; i++)
		if (revoked_find(set->revoked, authorities->items[i]) ==
		    REVOKED_IS)
			return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
					 "authorities: %s is in a list of revoked certificates",
					 name_of(authorities->items[i], name));
	return 0;
}

/**
 * set_new() - Make an empty set
 *
 * Return: NULL without memory.
 */
static struct credentials *set_new(void)
{
	struct credentials *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->refs = 1;
	if (gnutls_certificate_allocate_credentials(&set->gnutls) < 0 ||
	    gnutls_priority_init(&set->priority, PRIORITY, NULL) < 0)
		return credentials_unref(set);
	return set;
}

/**
 * build() - Make a set of the files
 * @pems:	Certificate, key, authorities and lists, which may be without
 * @ret:	The set
 *
 * Return: as credentials_new().
 */
static int build(const struct pem pems[4], struct credentials **ret,
		 struct error *err)
{
	_cleanup_certs_ struct certs authorities = { .items = NULL };
	struct credentials *set = set_new();
	int r;

	if (!set)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for credentials");

	r = add_identity(set, &pems[0], &pems[1], err);
	if (r == 0)
		r = add_authorities(set, &pems[2], &authorities, err);
	if (r == 0 && pems[3].file)
		r = add_lists(set, &authorities, &pems[3], err);
	if (r < 0) {
		(void)credentials_unref(set);
		return r;
	}

	*ret = set;
	return 0;
}

/* credentials_new() - Read a set */
int credentials_new(char *const *files, const int *fds, size_t n,
		    struct credentials **ret, struct error *err)
{
	static const struct {
		const char *file;
		size_t max;
	} wanted[4] = {
		{ "certificate", CREDENTIALS_MAX },
		{ "key", CREDENTIALS_MAX },
		{ "authorities", CREDENTIALS_MAX },
		{ "revoked", CREDENTIALS_REVOKED_MAX },
	};
	struct pem pems[4] = { PEM_NULL, PEM_NULL, PEM_NULL, PEM_NULL };
	int r = 0;

	for (size_t i = 0; i < 4 && r == 0; i++)
		r = pem_read(files, fds, n, wanted[i].file, wanted[i].max,
			     &pems[i], err);
	if (r == 0 &&
	    !(pems[0].file || pems[1].file || pems[2].file || pems[3].file)) {
		*ret = NULL;
		return 0;
	}
	for (size_t i = 0; i < 3 && r == 0; i++)
		if (!pems[i].file)
			r = error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				      "%s: is missing, and TLS needs it",
				      wanted[i].file);
	if (r == 0)
		r = build(pems, ret, err);
	for (size_t i = 0; i < 4; i++)
		pem_deinit(&pems[i]);

	return r;
}

/* credentials_ref() - Share a set */
struct credentials *credentials_ref(struct credentials *set)
{
	set->refs++;
	return set;
}

/* credentials_unref() - Let go of a set */
struct credentials *credentials_unref(struct credentials *set)
{
	if (!set)
		return NULL;
	assert(set->refs);
	if (--set->refs)
		return NULL;

	(void)revoked_free(set->revoked);
	if (set->priority)
		gnutls_priority_deinit(set->priority);
	if (set->gnutls)
		gnutls_certificate_free_credentials(set->gnutls);
	free(set);

	return NULL;
}
