/* SPDX-License-Identifier: Apache-2.0
 *
 * test-tls.c - credentials that do not fit are refused with the file's name;
 *		certificates of clients are good or not; keys do not stay
 *
 * The files are made anew by tests/api/pki.sh, run from the top of the tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "tls/verify.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static char folder[] = "/tmp/ioasid-tls.XXXXXX";
static int before;

static int make_files(void **state)
{
	char command[128];

	if (!mkdtemp(folder))
		return -1;
	str_format(command, sizeof(command), "tests/api/pki.sh %s", folder);
	return system(command);
}

static int drop_files(void **state)
{
	char command[128];

	str_format(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static int setup(void **state)
{
	before = fd_count();
	return 0;
}

static int teardown(void **state)
{
	return fd_count() != before;
}

/* What a file of the folder holds; ended with a NUL. */
static char *slurp(const char *name, size_t *ret_size)
{
	char path[128], *text = calloc(1, 65536);
	ssize_t n;

	assert_non_null(text);
	str_format(path, sizeof(path), "%s/%s", folder, name);
	n = fd_read_file(AT_FDCWD, path, text, 65536);
	assert_true(n >= 0);
	*ret_size = (size_t)n;
	return text;
}

/* A memfd with a file of the folder in it. */
static int sealed(const char *name, int seals)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t size;
	char *text = slurp(name, &size);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	explicit_bzero(text, size);
	free(text);
	return fd;
}

/* Read a set of files of the folder; NULL for one that is not there. */
static int read_set(const char *certificate, const char *key,
		    const char *authorities, const char *revoked,
		    struct credentials **ret, struct error *err)
{
	const char *names[] = { certificate, key, authorities, revoked };
	static char *const kinds[] = { "certificate", "key", "authorities",
				       "revoked" };
	char *files[5];
	int fds[5], r;
	size_t n = 0;

	for (size_t i = 0; i < 4; i++) {
		if (!names[i])
			continue;
		files[n] = kinds[i];
		fds[n++] = sealed(names[i], SEALS);
	}
	files[n] = (char *)"limits";
	fds[n++] = sealed("empty.pem", SEALS);
	r = credentials_new(files, fds, n, ret, err);
	while (n)
		(void)fd_close(fds[--n]);
	return r;
}

static void a_whole_set_is_taken(void **state)
{
	struct error err = ERROR_NULL;
	struct credentials *set = NULL;

	assert_int_equal(read_set("server.pem", "server-key.pem", "ca.pem",
				  "revoked.pem", &set, &err), 0);
	assert_non_null(set);
	assert_int_equal(err.kind, ERROR_NONE);
	assert_ptr_equal(credentials_ref(set), set);
	assert_null(credentials_unref(set));
	assert_null(credentials_unref(set));
	assert_null(credentials_unref(NULL));
}

static void lists_may_be_missing(void **state)
{
	struct credentials *set = NULL;

	assert_int_equal(read_set("server.pem", "server-key.pem", "ca.pem",
				  NULL, &set, NULL), 0);
	assert_non_null(set);
	credentials_unref(set);
}

static void nothing_is_no_tls(void **state)
{
	struct credentials *set = (struct credentials *)&set;

	assert_int_equal(read_set(NULL, NULL, NULL, NULL, &set, NULL), 0);
	assert_null(set);
}

static void a_wrong_set_is_refused_by_the_files_name(void **state)
{
	static const struct {
		const char *certificate, *key, *authorities, *revoked;
		const char *words;
	} cases[] = {
		{ NULL, "server-key.pem", "ca.pem", NULL,
		  "certificate: is missing" },
		{ "server.pem", NULL, "ca.pem", NULL, "key: is missing" },
		{ "server.pem", "server-key.pem", NULL, NULL,
		  "authorities: is missing" },
		{ NULL, NULL, NULL, "revoked.pem", "certificate: is missing" },
		{ "server.pem", "client-key.pem", "ca.pem", NULL,
		  "key: does not belong to the certificate" },
		{ "server.pem", "encrypted-key.pem", "ca.pem", NULL,
		  "key: is encrypted" },
		{ "server.pem", "server.pem", "ca.pem", NULL, "key: " },
		{ "server.pem", "junk.pem", "ca.pem", NULL, "key: " },
		{ "server.pem", "empty.pem", "ca.pem", NULL, "key: is empty" },
		{ "server-expired.pem", "server-expired-key.pem", "ca.pem",
		  NULL, "certificate: CN=server-expired has expired" },
		{ "client-early.pem", "client-early-key.pem", "ca.pem", NULL,
		  "certificate: CN=client-early is not valid yet" },
		{ "server-for-clients.pem", "server-for-clients-key.pem",
		  "ca.pem", NULL, "certificate: is not for servers" },
		{ "junk.pem", "server-key.pem", "ca.pem", NULL,
		  "certificate: " },
		{ "empty.pem", "server-key.pem", "ca.pem", NULL,
		  "certificate: is empty" },
		{ "unsorted.pem", "server-key.pem", "ca.pem", NULL,
		  "certificate: each certificate is to be followed" },
		{ "server.pem", "server-key.pem", "junk.pem", NULL,
		  "authorities: " },
		{ "server.pem", "server-key.pem", "empty.pem", NULL,
		  "authorities: is empty" },
		{ "server.pem", "server-key.pem", "client.pem", NULL,
		  "authorities: CN=client is not the certificate of an authority" },
		{ "server.pem", "server-key.pem", "old-ca.pem", NULL,
		  "authorities: CN=old-ca has expired" },
		{ "server.pem", "server-key.pem", "sub-and-ca.pem",
		  "revoked-sub.pem",
		  "authorities: CN=sub-ca is in a list of revoked certificates" },
		{ "server.pem", "server-key.pem", "ca.pem", "junk.pem",
		  "revoked: " },
		{ "server.pem", "server-key.pem", "ca.pem", "ca.pem",
		  "revoked: " },
		{ "server.pem", "server-key.pem", "ca.pem", "empty.pem",
		  "revoked: is empty" },
		{ "server.pem", "server-key.pem", "ca.pem",
		  "revoked-stranger.pem",
		  "revoked: list 1 is of none of the authorities" },
		{ "server.pem", "server-key.pem", "ca.pem", "revoked-old.pem",
		  "revoked: list 1 is out of date" },
		{ "server.pem", "server-key.pem", "ca.pem",
		  "revoked-forged.pem", "revoked: list 1 " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = ERROR_NULL;
		struct credentials *set = NULL;
		int r = read_set(cases[i].certificate, cases[i].key,
				 cases[i].authorities, cases[i].revoked, &set,
				 &err);

		if (r != -EINVAL || !str_starts(err.msg, cases[i].words))
			fail_msg("case %zu: %d, '%s' is not '%s'", i, r,
				 err.msg, cases[i].words);
		assert_null(set);
	}
}

static void a_file_that_can_change_is_refused(void **state)
{
	static char *const files[] = { "certificate" };
	struct error err = ERROR_NULL;
	struct credentials *set = NULL;
	int fd = sealed("server.pem", F_SEAL_SHRINK | F_SEAL_GROW);

	assert_int_equal(credentials_new(files, &fd, 1, &set, &err), -EPERM);
	assert_string_equal(err.msg, "certificate: is not a sealed memfd");
	(void)fd_close(fd);
}

static void a_file_is_taken_once_and_of_some_length(void **state)
{
	static char *const files[] = { "key", "key" };
	struct error err = ERROR_NULL;
	struct credentials *set = NULL;
	int fds[2];

	fds[0] = fds[1] = sealed("server-key.pem", SEALS);
	assert_int_equal(credentials_new(files, fds, 2, &set, &err), -EINVAL);
	assert_string_equal(err.msg, "key: is there twice");
	(void)fd_close(fds[0]);

	fds[0] = memfd_create("long", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fds[0], CREDENTIALS_MAX + 1), 0);
	assert_int_equal(fcntl(fds[0], F_ADD_SEALS, SEALS), 0);
	assert_int_equal(credentials_new(files, fds, 1, &set, &err), -EFBIG);
	(void)fd_close(fds[0]);
}

static void one_authority_may_have_expired(void **state)
{
	struct credentials *set = NULL;

	assert_int_equal(read_set("server.pem", "server-key.pem",
				  "old-and-ca.pem", NULL, &set, NULL), 0);
	credentials_unref(set);
}

/* A chain out of a PEM file, judged by the set of the files. */
static int judge(const char *client, const char *authorities,
		 const char *revoked, gnutls_alert_description_t *ret_alert,
		 struct error *err)
{
	gnutls_datum_t text, chain[16];
	gnutls_x509_crt_t *certs;
	struct credentials *set;
	unsigned int n;
	size_t size;
	int r;

	assert_int_equal(read_set("server.pem", "server-key.pem", authorities,
				  revoked, &set, NULL), 0);
	text.data = (unsigned char *)slurp(client, &size);
	text.size = (unsigned int)size;
	assert_int_equal(gnutls_x509_crt_list_import2(
				 &certs, &n, &text, GNUTLS_X509_FMT_PEM, 0), 0);
	assert_true(n <= 16);
	for (unsigned int i = 0; i < n; i++) {
		gnutls_x509_crt_export2(certs[i], GNUTLS_X509_FMT_DER,
					&chain[i]);
		gnutls_x509_crt_deinit(certs[i]);
	}
	r = verify_chain(set, chain, n, ret_alert, err);
	for (unsigned int i = 0; i < n; i++)
		gnutls_free(chain[i].data);
	gnutls_free(certs);
	free(text.data);
	credentials_unref(set);
	return r;
}

static void certificates_of_clients_are_judged(void **state)
{
	static const struct {
		const char *client, *authorities, *revoked;
		gnutls_alert_description_t alert;
		const char *words;
	} cases[] = {
		{ "client.pem", "ca.pem", "revoked.pem", 0, NULL },
		{ "client-nameless.pem", "ca.pem", NULL, 0, NULL },
		{ "client-rsa.pem", "ca.pem", NULL, 0, NULL },
		{ "client-sub.pem", "ca.pem", "revoked.pem", 0, NULL },
		{ "client-sub.pem", "sub-and-ca.pem", NULL, 0, NULL },
		{ "client-revoked.pem", "ca.pem", NULL, 0, NULL },
		{ "client-revoked.pem", "ca.pem", "revoked-none.pem", 0, NULL },
		{ "client-revoked.pem", "ca.pem", "revoked.pem",
		  GNUTLS_A_CERTIFICATE_REVOKED, "was revoked" },
		{ "client-sub.pem", "ca.pem", "revoked-sub.pem",
		  GNUTLS_A_CERTIFICATE_REVOKED, "was revoked" },
		{ "client-expired.pem", "ca.pem", NULL,
		  GNUTLS_A_CERTIFICATE_EXPIRED, "has expired" },
		{ "client-early.pem", "ca.pem", NULL, GNUTLS_A_BAD_CERTIFICATE,
		  "is not valid yet" },
		{ "client-purposeless.pem", "ca.pem", NULL,
		  GNUTLS_A_UNSUPPORTED_CERTIFICATE,
		  "does not say that it is for clients" },
		{ "client-any-purpose.pem", "ca.pem", NULL,
		  GNUTLS_A_UNSUPPORTED_CERTIFICATE,
		  "does not say that it is for clients" },
		{ "client-is-server.pem", "ca.pem", NULL,
		  GNUTLS_A_UNSUPPORTED_CERTIFICATE, "is not for clients" },
		{ "server.pem", "ca.pem", NULL,
		  GNUTLS_A_UNSUPPORTED_CERTIFICATE, "is not for clients" },
		{ "client-stranger.pem", "ca.pem", NULL, GNUTLS_A_UNKNOWN_CA,
		  "is of no authority" },
		{ "client.pem", "other-ca.pem", NULL, GNUTLS_A_UNKNOWN_CA,
		  "is of no authority" },
		{ "client.pem", "ca-impostor.pem", NULL, GNUTLS_A_UNKNOWN_CA,
		  "is of no authority" },
		{ "client-by-client.pem", "ca.pem", NULL, GNUTLS_A_UNKNOWN_CA,
		  "" },
		{ "by-client-chain.pem", "ca.pem", NULL, GNUTLS_A_UNKNOWN_CA,
		  "" },
		{ "client-weak.pem", "ca.pem", NULL, GNUTLS_A_BAD_CERTIFICATE,
		  "is signed or keyed too weakly" },
		{ "nine.pem", "ca.pem", NULL, GNUTLS_A_BAD_CERTIFICATE,
		  "comes with too many others" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		gnutls_alert_description_t alert = 0;
		struct error err = ERROR_NULL;
		char words[256];
		int r = judge(cases[i].client, cases[i].authorities,
			      cases[i].revoked, &alert, &err);

		str_format(words, sizeof(words),
			   "the client's certificate %s",
			   cases[i].words ? cases[i].words : "");
		if (r != (cases[i].words ? -EACCES : 0) ||
		    alert != cases[i].alert ||
		    (r && !str_starts(err.msg, words)))
			fail_msg("case %zu: %d, alert %d, '%s'", i, r, alert,
				 err.msg);
	}
}

static void a_missing_certificate_is_refused(void **state)
{
	gnutls_alert_description_t alert = 0;
	struct credentials *set;

	assert_int_equal(read_set("server.pem", "server-key.pem", "ca.pem",
				  NULL, &set, NULL), 0);
	assert_int_equal(verify_chain(set, NULL, 0, &alert, NULL), -EACCES);
	assert_int_equal(alert, GNUTLS_A_CERTIFICATE_REQUIRED);
	credentials_unref(set);
}

/* Read names out of the first certificate of a PEM file. */
static int names_of(const char *client, struct identity *ret,
		    struct error *err)
{
	gnutls_datum_t text, der;
	gnutls_x509_crt_t cert;
	size_t size;
	int r;

	text.data = (unsigned char *)slurp(client, &size);
	text.size = (unsigned int)size;
	gnutls_x509_crt_init(&cert);
	assert_int_equal(gnutls_x509_crt_import(cert, &text,
						GNUTLS_X509_FMT_PEM), 0);
	gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_DER, &der);
	r = identity_read(&der, ret, err);
	gnutls_x509_crt_deinit(cert);
	gnutls_free(der.data);
	free(text.data);
	return r;
}

static void uris_and_dns_names_are_read_and_no_others(void **state)
{
	_cleanup_identity_ struct identity identity = IDENTITY_NULL;

	assert_int_equal(names_of("client.pem", &identity, NULL), 0);
	assert_int_equal(identity.uris.n, 2);
	assert_string_equal(identity.uris.items[0], "spiffe://test/one");
	assert_string_equal(identity.uris.items[1], "https://example.test/two");
	assert_int_equal(identity.names.n, 1);
	assert_string_equal(identity.names.items[0], "node-1.example.test");
}

static void names_that_cannot_be_shown_are_refused(void **state)
{
	struct identity identity = IDENTITY_NULL;
	struct error err = ERROR_NULL;

	assert_int_equal(names_of("client-blank.pem", &identity, &err),
			 -EACCES);
	assert_non_null(strstr(err.msg, "not printable"));
	assert_int_equal(names_of("client-many-names.pem", &identity, &err),
			 -EACCES);
	assert_non_null(strstr(err.msg, "more than 64 names"));
	assert_int_equal(identity.uris.n, 0);
}

/**
 * in_memory() - Is a secret anywhere in memory that can be written?
 * @secret:	Looked for elsewhere than at @secret itself
 * @size:	How many
 *
 * By /proc, so that a sanitizer's poison is no obstacle.
 */
static bool in_memory(const uint8_t *secret, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	static uint8_t chunk[1 << 20];
	bool found = false;
	char line[512];

	assert_non_null(maps);
	assert_true(mem >= 0);
	while (!found && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;
		char how[8];

		if (sscanf(line, "%lx-%lx %7s", &from, &to, how) != 3 ||
		    how[1] != 'w' ||
		    (!strstr(line, "[heap]") && strchr(line, '/')))
			continue;
		if (to - from > (256ul << 20)) /* a sanitizer's shadow */
			continue;
		for (; from < to && !found; from += sizeof(chunk) - size) {
			size_t want = to - from < sizeof(chunk) ?
					      to - from :
					      sizeof(chunk);
			ssize_t n = pread(mem, chunk, want, (off_t)from);

			for (uint8_t *p = chunk;
			     n >= (ssize_t)size && p && !found;) {
				p = memmem(p, (size_t)(chunk + n - p), secret,
					   size);
				if (!p)
					break;
				found = from + (size_t)(p - chunk) !=
					(uintptr_t)secret;
				p++;
			}
		}
	}
	memset(chunk, 0, sizeof(chunk));
	(void)fd_close(mem);
	(void)fclose(maps);
	return found;
}

static void a_key_is_wiped_when_its_set_is_freed(void **state)
{
	static uint8_t text[32], secret[32], turned[32];
	gnutls_x509_privkey_t key;
	gnutls_datum_t pem, d;
	struct credentials *set;
	size_t size;

	/* The scalar, as it is in the file and as GMP has it in memory. */
	pem.data = (unsigned char *)slurp("server-key.pem", &size);
	pem.size = (unsigned int)size;
	memcpy(text, strstr((char *)pem.data, "-----\n") + 70, sizeof(text));
	gnutls_x509_privkey_init(&key);
	assert_int_equal(gnutls_x509_privkey_import2(
				 key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0), 0);
	assert_int_equal(gnutls_x509_privkey_export_ecc_raw(key, NULL, NULL,
							    NULL, &d), 0);
	memcpy(secret, d.data + d.size - 32, 32);
	for (size_t i = 0; i < 32; i++)
		turned[i] = secret[31 - i];
	gnutls_x509_privkey_deinit(key);
	explicit_bzero(d.data, d.size);
	gnutls_free(d.data);
	explicit_bzero(pem.data, pem.size);
	free(pem.data);

	assert_int_equal(read_set("server.pem", "server-key.pem", "ca.pem",
				  NULL, &set, NULL), 0);
	assert_true(in_memory(secret, 32) || in_memory(turned, 32));
	credentials_unref(set);
	assert_false(in_memory(secret, 32));
	assert_false(in_memory(turned, 32));
	assert_false(in_memory(text, 32));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_whole_set_is_taken),
		T(lists_may_be_missing),
		T(nothing_is_no_tls),
		T(a_wrong_set_is_refused_by_the_files_name),
		T(a_file_that_can_change_is_refused),
		T(a_file_is_taken_once_and_of_some_length),
		T(one_authority_may_have_expired),
		T(certificates_of_clients_are_judged),
		T(a_missing_certificate_is_refused),
		T(uris_and_dns_names_are_read_and_no_others),
		T(names_that_cannot_be_shown_are_refused),
		T(a_key_is_wiped_when_its_set_is_freed),
	};

	return cmocka_run_group_tests(tests, make_files, drop_files);
}
