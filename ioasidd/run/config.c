/* SPDX-License-Identifier: Apache-2.0
 *
 * config.c - read what ioasidd.conf(5) says
 *
 * inih takes lines apart; what it would pass over is looked at before it sees
 * the line: sections without keys, lines that go on in the next one, and those
 * that are longer than it can take.
 */
#include "run/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/process.h"
#include "run/keys.h"

/* Of one file, and of all. */
#define FILE_BYTES_MAX (256 << 10)
#define FILES_MAX 256
#define GRANTS_MAX 4096
#define QUOTAS_MAX 4096

/* The group whose members are viewers. */
#define VIEWERS "ioasid"

/**
 * struct reading - A file while it is read
 * @config:	Where it goes
 * @path:	Its name
 * @policy:	It has grants, and nothing else
 * @rest:	What was not read yet
 * @line:	Number of the line that inih has
 * @section:	That it is in; empty before the first one
 * @grant:	That it is in; NULL for none
 * @quota:	Likewise
 * @keys:	That the section has had
 * @sections:	That there were
 * @why:	What is wrong; empty while nothing is
 * @r:		What it is to return; 0 while nothing is wrong
 */
struct reading {
	struct config *config;
	const char *path;
	bool policy;
	const char *rest;
	unsigned int line;
	char section[288];
	struct grant *grant;
	struct quota *quota;
	struct strv keys;
	struct strv sections;
	char why[224];
	int r;
};

/* wrong() - Keep what is wrong with a line, if it is the first */
#define wrong(in, ret, ...)                                          \
	({                                                           \
		if (!(in)->r) {                                      \
			str_format((in)->why, sizeof((in)->why),     \
				   __VA_ARGS__);                     \
			(in)->r = ret;                               \
		}                                                    \
	})

/**
 * names_number() - The number of a user or group, as grant_set() wants it
 * @kind:	"uid" or "gid"
 * @name:	Its name
 */
static int names_number(const char *kind, const char *name, uint32_t *ret)
{
	gid_t gid;
	uid_t uid;

	if (str_eq(kind, "uid")) {
		if (process_user_id(name, &uid, &gid) < 0)
			return -ENOENT;
		*ret = uid;
		return 0;
	}
	gid = process_group_id(name);
	if (gid == (gid_t)-1)
		return -ENOENT;
	*ret = gid;
	return 0;
}

/**
 * end_section() - Is what was read whole?
 */
static void end_section(struct reading *in)
{
	const char *lacks = in->grant ? grant_check(in->grant) : NULL;

	if (lacks)
		wrong(in, -EINVAL, "before here, in [%s]: %s", in->section,
		      lacks);
	in->grant = NULL;
	in->quota = NULL;
	strv_deinit(&in->keys);
}

/**
 * begin_grant() - A section of a policy file begins
 */
static void begin_grant(struct reading *in)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";
	struct policy *policy = in->config->policy;
	const char *name = str_starts(in->section, "grant ");

	if (!name) {
		wrong(in, -EINVAL, "[%s] is no section of a policy file; [grant NAME] is",
		      in->section);
		return;
	}
	if (!*name || strlen(name) > 63 || name[strspn(name, allowed)]) {
		wrong(in, -EINVAL, "[%s]: a name has 1 to 63 letters, digits or _.-",
		      in->section);
		return;
	}
	for (size_t i = 0; i < policy->n_grants; i++)
		if (str_eq(policy->grants[i].name, name) &&
		    policy->grants[i].who.n)
			wrong(in, -EINVAL, "[%s] comes twice; it is at %s, too",
			      in->section, policy->grants[i].where);
	if (policy->n_grants >= GRANTS_MAX)
		wrong(in, -E2BIG, "more than %d grants", GRANTS_MAX);
	in->grant = policy_add(policy, name);
	if (!in->grant)
		wrong(in, -ENOMEM, "no memory");
}

/**
 * begin_quota() - A section of limits begins
 * @owner:	Whose; "" for each
 */
static void begin_quota(struct reading *in, const char *owner)
{
	struct quotas *quotas = &in->config->policy->quotas;

	if (quotas->n >= QUOTAS_MAX) {
		wrong(in, -E2BIG, "more than %d quotas", QUOTAS_MAX);
		return;
	}
	in->quota = quotas_add(quotas, owner);
	if (!in->quota)
		wrong(in, -EINVAL, "[%s]: '%s' is neither uid:NUMBER nor cert:NAME",
		      in->section, owner);
}

/**
 * begin_section() - A line that begins with a bracket
 * @text:	The line, without blanks around it
 */
static void begin_section(struct reading *in, const char *text)
{
	size_t n = strcspn(text, "]");

	end_section(in);
	if (!text[n] || text[n + 1]) {
		wrong(in, -EINVAL, "a section is [NAME] and nothing behind it");
		return;
	}
	if (!str_format(in->section, sizeof(in->section), "%.*s", (int)n - 1,
			text + 1)) {
		wrong(in, -EINVAL, "the section's name is too long");
		return;
	}
	if (in->policy) {
		begin_grant(in);
		return;
	}
	if (str_eq(in->section, "quota"))
		begin_quota(in, "");
	else if (str_starts(in->section, "quota "))
		begin_quota(in, str_starts(in->section, "quota "));
	else if (!keys_section(in->section))
		wrong(in, -EINVAL, "[%s] is no section; [daemon], [api], [limits], [quota] and [quota OWNER] are",
		      in->section);
	if (strv_has(&in->sections, in->section))
		wrong(in, -EINVAL, "[%s] comes twice", in->section);
	if (strv_add(&in->sections, in->section) < 0)
		wrong(in, -ENOMEM, "no memory");
}

/**
 * next_line() - Give inih a line, as fgets(3) would
 * @line:	Where it goes
 * @size:	Room there
 * @data:	The reading
 */
static char *next_line(char *line, int size, void *data)
{
	struct reading *in = data;
	size_t n = strcspn(in->rest, "\n");
	char *text;

	if (in->r || !*in->rest)
		return NULL;
	in->line++;
	if (n + 3 > (size_t)size) {
		wrong(in, -EINVAL, "the line has more than %d bytes; make two grants of it",
		      size - 3);
		return NULL;
	}
	memcpy(line, in->rest, n);
	line[n] = '\0';
	in->rest += n + (in->rest[n] == '\n');

	text = str_chomp(line);
	text += strspn(text, " \t");
	if (text != line && *text && *text != '#' && *text != ';')
		wrong(in, -EINVAL, "the line begins with a blank");
	else if (*text == '[')
		begin_section(in, text);
	return in->r ? NULL : line;
}

/**
 * on_key() - inih has found a key and its value
 * @data:	The reading
 * @section:	As inih has it, maybe cut
 * @key:	likewise
 * @value:	Without blanks around it
 *
 * Return: 1.
 */
static int on_key(void *data, const char *section, const char *key,
		  const char *value)
{
	struct reading *in = data;
	char why[160] = "no memory", where[POLICY_WHERE_SIZE];
	int r;

	if (in->r)
		return 1;
	if (!in->section[0])
		wrong(in, -EINVAL, "'%s' stands before the first section", key);
	else if (strv_has(&in->keys, key))
		wrong(in, -EINVAL, "'%s' comes twice in [%s]", key,
		      in->section);
	if (in->r)
		return 1;
	r = strv_add(&in->keys, key);
	if (r == 0 && in->grant) {
		str_format(where, sizeof(where), "%s:%u", in->path, in->line);
		r = grant_set(in->grant, key, value, where, names_number, why);
	} else if (r == 0 && in->quota) {
		r = keys_set_quota(in->quota, key, value, why);
	} else if (r == 0) {
		r = keys_set(in->config, in->section, key, value, why);
	}
	if (r < 0)
		wrong(in, r, "%s", why);
	return 1;
}

/**
 * read_lines() - Read what is in a file
 * @text:	All of it
 *
 * Return: 0 or -errno.
 */
static int read_lines(struct reading *in, const char *text, size_t size,
		      struct error *err)
{
	int at;

	in->rest = text;
	if (!str_utf8_valid(text, size))
		return error_set(err, -EINVAL, ERROR_DAEMON_CONFIGURATION,
				 "%s: is not text in UTF-8", in->path);
	at = ini_parse_stream(next_line, in, on_key, in);
	if (at > 0 && !in->r) {
		in->line = (unsigned int)at;
		wrong(in, -EINVAL, "neither [SECTION] nor KEY = VALUE");
	}
	end_section(in);
	strv_deinit(&in->sections);
	if (!in->r)
		return 0;
	return error_set(err, in->r, ERROR_DAEMON_CONFIGURATION, "%s:%u: %s",
			 in->path, in->line, in->why);
}

/**
 * check_owner() - Could others have written it?
 * @fd:		The file or folder
 * @path:	Its name
 * @ret:	What it is
 *
 * Return: 0; -EPERM; -errno.
 */
static int check_owner(int fd, const char *path, struct stat *ret,
		       struct error *err)
{
	if (fstat(fd, ret))
		return error_set(err, -errno, ERROR_DAEMON_CONFIGURATION,
				 "%s: %m", path);
	if (ret->st_uid != 0 && ret->st_uid != geteuid())
		return error_set(err, -EPERM, ERROR_DAEMON_CONFIGURATION,
				 "%s: belongs to uid %u, not to root", path,
				 (unsigned int)ret->st_uid);
	if (ret->st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, -EPERM, ERROR_DAEMON_CONFIGURATION,
				 "%s: others than its owner may write it (mode %04o)",
				 path, ret->st_mode & 07777u);
	return 0;
}

/**
 * read_file() - Read a file
 * @at:		Folder; AT_FDCWD
 * @name:	In it
 * @in:		With its path
 *
 * Return: 0; -ENOENT; -errno.
 */
static int read_file(int at, const char *name, struct reading *in,
		     struct error *err)
{
	_cleanup_free_ char *text = calloc(1, FILE_BYTES_MAX + 2);
	_cleanup_fd_ int fd = -1;
	size_t size = 0;
	struct stat st;
	ssize_t n = 1;
	int r;

	if (!text)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for %s", in->path);
	/* A FIFO must not stop us. */
	fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, -errno, ERROR_DAEMON_CONFIGURATION,
				 "%s: %m", in->path);
	r = check_owner(fd, in->path, &st, err);
	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, ERROR_DAEMON_CONFIGURATION,
				 "%s: is no file", in->path);
	while (n > 0 && size <= FILE_BYTES_MAX) {
		n = read(fd, text + size, FILE_BYTES_MAX + 1 - size);
		if (n < 0)
			return error_set(err, -errno,
					 ERROR_DAEMON_CONFIGURATION, "%s: %m",
					 in->path);
		size += (size_t)n;
	}
	if (size > FILE_BYTES_MAX)
		return error_set(err, -E2BIG, ERROR_DAEMON_CONFIGURATION,
				 "%s: has more than %d bytes", in->path,
				 FILE_BYTES_MAX);
	return read_lines(in, text, size, err);
}

/**
 * list_files() - The files of a folder that end in .conf, sorted
 * @fd:		The folder; borrowed
 * @path:	Its name
 * @ret:	Their names
 *
 * Return: 0 or -errno.
 */
static int list_files(int fd, const char *path, struct strv *ret,
		      struct error *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), r = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!dir) {
		r = error_set(err, -errno, ERROR_DAEMON_CONFIGURATION,
			      "%s: %m", path);
		(void)fd_close(copy);
		return r;
	}
	while (r == 0 && (entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || n < 6 ||
		    !str_eq(entry->d_name + n - 5, ".conf"))
			continue;
		r = strv_add(ret, entry->d_name);
		if (r == 0 && ret->n > FILES_MAX)
			r = -E2BIG;
	}
	(void)closedir(dir);
	strv_sort(ret);
	return r == 0 ? 0 : error_set(err, r, ERROR_DAEMON_CONFIGURATION,
				      "%s: %m", path);
}

/**
 * read_folder() - Read the policy files
 * @config:	Where they go
 * @path:	Of the folder
 *
 * Return: 0; -ENOENT; -errno.
 */
static int read_folder(struct config *config, const char *path,
		       struct error *err)
{
	_cleanup_strv_ struct strv names = STRV_NULL;
	_cleanup_fd_ int fd = -1;
	char whole[256];
	struct stat st;
	int r;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, ERROR_DAEMON_CONFIGURATION,
				 "%s: %m", path);
	r = check_owner(fd, path, &st, err);
	if (r == 0)
		r = list_files(fd, path, &names, err);
	for (size_t i = 0; i < names.n && r == 0; i++) {
		struct reading in = { .config = config, .path = whole,
				      .policy = true };

		str_format(whole, sizeof(whole), "%s/%s", path,
			   names.items[i]);
		r = read_file(fd, names.items[i], &in, err);
		if (r == -ENOENT)
			r = -EIO; /* it was there just now: try again */
	}
	return r;
}

/**
 * check_limits() - Do the numbers fit each other?
 */
static int check_limits(const struct config *config, struct error *err)
{
	const struct limits *limits = &config->limits;

	if (limits->clients_for_root < limits->clients)
		return 0;
	return error_set(err, -EINVAL, ERROR_DAEMON_CONFIGURATION,
			 "[limits]: connections-for-root is not less than connections: nobody else could connect");
}

/* config_read() - Read all files */
int config_read(const struct config_paths *paths, struct config **ret,
		struct error *err)
{
	struct config *config = calloc(1, sizeof(*config));
	struct reading in = { .config = config, .path = paths->file };
	int r = 0;

	if (config)
		config->policy = policy_new(process_group_id(VIEWERS));
	if (!config || !config->policy) {
		config_free(config);
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the configuration");
	}
	config->history = UINT64_MAX;
	config->limits = LIMITS_DEFAULT;
	config->api.ceiling = ROLE_OPERATOR;

	if (paths->file)
		r = read_file(AT_FDCWD, paths->file, &in, err);
	if (r == -ENOENT && !paths->file_must)
		r = 0;
	if (r == 0 && paths->dir) {
		r = read_folder(config, paths->dir, err);
		if (r == -ENOENT && !paths->dir_must)
			r = 0;
	}
	if (r == 0)
		r = check_limits(config, err);
	if (r < 0)
		config_free(config);
	else
		*ret = config;
	return r;
}

/* config_free() - NULL is allowed */
struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	free(config->socket);
	free(config->state_dir);
	free(config->api.socket);
	free(config->api.listen);
	free(config->api.certificate);
	free(config->api.key);
	free(config->api.authorities);
	free(config->api.revoked);
	policy_unref(config->policy);
	free(config);
	return NULL;
}
