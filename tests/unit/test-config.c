/* SPDX-License-Identifier: Apache-2.0
 *
 * test-config.c - configuration files: what they say, and how they are refused
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/config.h"

static char folder[64], file[96], dir[96];

/* write_file() - Make a file that is only ours to write */
static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0644), 0);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	strcpy(folder, "/tmp/ioasidd-config-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/d.conf", folder);
	snprintf(dir, sizeof(dir), "%s/policy.d", folder);
	assert_int_equal(mkdir(dir, 0755), 0);
	return 0;
}

static int teardown(void **state)
{
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* read_all() - Read file and folder */
static int read_all(struct config **ret, struct error *err)
{
	const struct config_paths paths = { file, true, dir, true };

	return config_read(&paths, ret, err);
}

/* what_is_said_is_read() */
static void what_is_said_is_read(void **state)
{
	struct error err = ERROR_NULL;
	struct config *config;
	char path[128];

	write_file(file, "# the daemon\n[daemon]\nsocket = /run/x.sock ; here\n"
		   "max-pinned=64G\nhistory = 0\nchanges = 77\nlog-level = debug\r\n\n"
		   "[api]\nceiling = viewer\nlisten = [::]:8443\n"
		   "header-timeout = 2min\nbody-timeout = 500ms\n"
		   "message-size = 64K\n[limits]\nconnections = 100\n"
		   "burst: 5\n[quota]\nspaces = 7\npinned = 1G\n"
		   "[quota cert:spiffe://example/one]\npinned = unlimited\n");
	snprintf(path, sizeof(path), "%s/20.conf", dir);
	write_file(path, "[grant two]\nuid = root\nrole = viewer\n");
	snprintf(path, sizeof(path), "%s/10.conf", dir);
	write_file(path, "[grant one]\ngid = 0, 1\nverbs = device.*\n"
		   "devices = *\n");
	snprintf(path, sizeof(path), "%s/30.conf.bak", dir);
	write_file(path, "nonsense");

	assert_int_equal(read_all(&config, &err), 0);
	assert_string_equal(config->socket, "/run/x.sock");
	assert_null(config->state_dir);
	assert_int_equal(config->max_pinned, UINT64_C(64) << 30);
	assert_int_equal(config->history, 0);
	assert_int_equal(config->changes, 77);
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config->api.ceiling, ROLE_VIEWER);
	assert_string_equal(config->api.listen, "[::]:8443");
	assert_int_equal(config->api.header_timeout_ms, 120000);
	assert_int_equal(config->api.body_timeout_ms, 500);
	assert_int_equal(config->api.idle_timeout_ms, 0);
	assert_int_equal(config->api.message_bytes, 65536);
	assert_int_equal(config->limits.clients, 100);
	assert_int_equal(config->limits.burst, 5);
	assert_int_equal(config->limits.clients_per_uid,
			 LIMITS_DEFAULT.clients_per_uid);
	assert_int_equal(quota_limit(&config->policy->quotas, "uid:1",
				     QUOTA_SPACES), 7);
	assert_int_equal(quota_limit(&config->policy->quotas, "uid:1",
				     QUOTA_PINNED), 1 << 30);
	assert_true(quota_limit(&config->policy->quotas, "uid:1",
				QUOTA_CONTEXTS) == QUOTA_UNLIMITED);
	assert_true(quota_limit(&config->policy->quotas,
				"cert:spiffe://example/one",
				QUOTA_PINNED) == QUOTA_UNLIMITED);
	assert_int_equal(quota_limit(&config->policy->quotas,
				     "cert:spiffe://example/one",
				     QUOTA_SPACES), 7);
	/* Sorted by the names of the files; each knows its line. */
	const struct grant *last =
		&config->policy->grants[config->policy->n_grants - 1];

	assert_string_equal(last[-1].name, "one");
	assert_string_equal(last->name, "two");
	snprintf(path, sizeof(path), "%s/20.conf:3", dir);
	assert_string_equal(last->where, path);
	config_free(config);
}

/* nothing_is_needed_but_what_was_named() */
static void nothing_is_needed_but_what_was_named(void **state)
{
	struct config_paths paths = { "/nonexistent/a", false,
				      "/nonexistent/b", false };
	struct error err = ERROR_NULL;
	struct config *config;

	assert_int_equal(config_read(&paths, &config, &err), 0);
	assert_null(config->socket);
	assert_int_equal(config->api.ceiling, ROLE_OPERATOR);
	config_free(config);
	paths.file_must = true;
	assert_int_equal(config_read(&paths, &config, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/a"));
	paths.file_must = false;
	paths.dir_must = true;
	assert_int_equal(config_read(&paths, &config, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/b"));
}

/* A line of ioasidd.conf that is refused: which, and why. */
static const struct {
	const char *text;
	unsigned int line;
	const char *why;
} bad[] = {
	{ "[demon]\n", 1, "no section" },
	{ "[daemon]\nsocket = /x\n[daemon]\n", 3, "comes twice" },
	{ "[quota]\nspaces = 1\n[quota]\n", 3, "comes twice" },
	{ "[quota uid:1]\n[quota uid:1]\n", 2, "comes twice" },
	{ "[quota root]\n", 1, "neither uid:NUMBER nor cert:NAME" },
	{ "[quota uid:4294967295]\n", 1, "neither uid:NUMBER nor cert:NAME" },
	{ "[quota cert:]\n", 1, "neither uid:NUMBER nor cert:NAME" },
	{ "[quota]\nspeed = 1\n", 2, "there is no key 'speed' in [quota]" },
	{ "[quota]\nspaces = -1\n", 2, "'-1' is not a number" },
	{ "[quota]\npinned = much\n", 2, "is not a size such as 512M" },
	{ "[daemon] x\n", 1, "nothing behind" },
	{ "[daemon\n", 1, "nothing behind" },
	{ "[grant x]\n", 1, "no section" },
	{ "socket = /x\n", 1, "before the first section" },
	{ "[daemon]\n\n# x\nsokcet = /x\n", 4, "no key 'sokcet'" },
	{ "[daemon]\nsocket = /x\nsocket = /y\n", 3, "comes twice" },
	{ "[daemon]\nsocket =\n", 2, "missing" },
	{ "[daemon]\nsocket = x\n", 2, "not a path" },
	{ "[daemon]\nsocket\n", 2, "neither" },
	{ "[daemon]\nsocket = /x\n /y\n", 3, "blank" },
	{ "[daemon]\nmax-pinned = lots\n", 2, "a size" },
	{ "[daemon]\nmax-pinned = 0\n", 2, "not within" },
	{ "[daemon]\nhistory = -1\n", 2, "a number" },
	{ "[daemon]\nhistory = 100001\n", 2, "not within" },
	{ "[daemon]\nlog-level = loud\n", 2, "error, warning" },
	{ "[api]\nceiling = root\n", 2, "viewer" },
	{ "[api]\nstreams = 0\n", 2, "not within" },
	{ "[api]\nmessage-size = 1M\n", 2, "not within" },
	{ "[api]\nheader-timeout = 10\n", 2, "a time" },
	{ "[api]\nheader-timeout = s\n", 2, "a time" },
	{ "[api]\nheader-timeout = 10h\n", 2, "a time" },
	{ "[api]\nheader-timeout = 99999999999999999999s\n", 2, "a time" },
	{ "[api]\nheader-timeout = 1ms\n", 2, "not within" },
	{ "[limits]\nchanges-per-uid = 33\n", 2, "not within" },
};

/* each_bad_line_is_named_with_the_reason() */
static void each_bad_line_is_named_with_the_reason(void **state)
{
	struct config *config = NULL;
	char begin[128];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = ERROR_NULL;

		write_file(file, bad[i].text);
		assert_int_equal(read_all(&config, &err), -EINVAL);
		assert_int_equal(err.kind, ERROR_DAEMON_CONFIGURATION);
		snprintf(begin, sizeof(begin), "%s:%u: ", file, bad[i].line);
		if (!str_starts(err.msg, begin) ||
		    !strstr(err.msg, bad[i].why))
			fail_msg("%s: %s", bad[i].text, err.msg);
		assert_null(config);
	}
}

/* The same of policy files. */
static const struct {
	const char *text;
	unsigned int line;
	const char *why;
} bad_grants[] = {
	{ "[daemon]\n", 1, "no section of a policy file" },
	{ "[grant ]\n", 1, "1 to 63" },
	{ "[grant a b]\n", 1, "letters" },
	{ "[grant a]\nuid = 1\nrole = viewer\n[grant a]\n", 4, "comes twice" },
	{ "[grant a]\nuid = 1\nuid = 2\n", 3, "comes twice" },
	{ "[grant a]\nuid = no-such-user\n", 2, "no uid" },
	{ "[grant a]\nuid = 1\n", 2, "gives nothing" },
	{ "[grant a]\n[grant b]\nuid = 1\nrole = viewer\n", 2, "nobody" },
	{ "[grant a]\nrole = viewer\n\n", 3, "nobody" },
	{ "[grant a]\nuid = 1\nrole = viewer\ndevice = *\n", 4, "no key" },
	{ "[grant a]\nuid = 1\nverbs = device.eat\n", 3, "no verb" },
};

/* each_bad_grant_is_named_with_the_reason() */
static void each_bad_grant_is_named_with_the_reason(void **state)
{
	struct config *config = NULL;
	char path[128], begin[160];

	write_file(file, "");
	snprintf(path, sizeof(path), "%s/10.conf", dir);
	for (size_t i = 0; i < ARRAY_SIZE(bad_grants); i++) {
		struct error err = ERROR_NULL;

		write_file(path, bad_grants[i].text);
		assert_int_equal(read_all(&config, &err), -EINVAL);
		snprintf(begin, sizeof(begin), "%s:%u: ", path,
			 bad_grants[i].line);
		if (!str_starts(err.msg, begin) ||
		    !strstr(err.msg, bad_grants[i].why))
			fail_msg("%s: %s", bad_grants[i].text, err.msg);
	}
}

/* what_others_could_write_is_refused() */
static void what_others_could_write_is_refused(void **state)
{
	struct error err = ERROR_NULL;
	struct config *config = NULL;

	write_file(file, "");
	assert_int_equal(chmod(file, 0664), 0);
	assert_int_equal(read_all(&config, &err), -EPERM);
	assert_non_null(strstr(err.msg, "0664"));
	assert_int_equal(chmod(file, 0644), 0);
	assert_int_equal(chmod(dir, 0757), 0);
	assert_int_equal(read_all(&config, &err), -EPERM);
	assert_int_equal(chmod(dir, 0755), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(file, 65534, 0), 0);
		assert_int_equal(read_all(&config, &err), -EPERM);
		assert_non_null(strstr(err.msg, "65534"));
		assert_int_equal(chown(file, 0, 0), 0);
	}
	assert_int_equal(read_all(&config, &err), 0);
	config_free(config);
}

/* what_is_no_file_or_no_text_is_refused() */
static void what_is_no_file_or_no_text_is_refused(void **state)
{
	struct error err = ERROR_NULL;
	struct config *config = NULL;
	char text[400];

	assert_int_equal(mkfifo(file, 0644), 0);
	assert_int_equal(read_all(&config, &err), -EINVAL);
	assert_int_equal(unlink(file), 0);
	write_file(file, "[daemon]\nsocket = /\xff\n");
	assert_int_equal(read_all(&config, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "UTF-8"));

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "[daemon]\nsocket=/", 17);
	write_file(file, text);
	assert_int_equal(read_all(&config, &err), -EINVAL);
	assert_non_null(strstr(err.msg, ":2: "));
	assert_non_null(strstr(err.msg, "more than"));
	assert_int_equal(truncate(file, 300 << 10), 0);
	assert_int_equal(read_all(&config, &err), -E2BIG);
	assert_null(config);
}

/* numbers_that_do_not_fit_each_other_are_refused() */
static void numbers_that_do_not_fit_each_other_are_refused(void **state)
{
	struct error err = ERROR_NULL;
	struct config *config = NULL;

	write_file(file, "[limits]\nconnections = 64\n");
	assert_int_equal(read_all(&config, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "connections-for-root"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_said_is_read),
		TEST(nothing_is_needed_but_what_was_named),
		TEST(each_bad_line_is_named_with_the_reason),
		TEST(each_bad_grant_is_named_with_the_reason),
		TEST(what_others_could_write_is_refused),
		TEST(what_is_no_file_or_no_text_is_refused),
		TEST(numbers_that_do_not_fit_each_other_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
