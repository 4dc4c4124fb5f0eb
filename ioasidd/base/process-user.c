/* SPDX-License-Identifier: Apache-2.0
 *
 * process-user.c - what else runs as a user
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"

/**
 * is_of() - Is a process a user's, and alive?
 * @proc:	procfs
 * @pid:	Its pid
 * @uid:	The user
 *
 * Who has the uid as real or saved one can take it at any time.
 */
static bool is_of(int proc, const char *pid, uid_t uid)
{
	char path[32], text[8192], *line;
	unsigned int id[4];
	ssize_t n;

	if (!str_format(path, sizeof(path), "%s/status", pid))
		return false;
	n = fd_read_file(proc, path, text, sizeof(text));
	if (n < 0 && n != -EFBIG)
		return false;
	line = strstr(text, "\nState:\t");
	if (!line || strchr("ZX", line[8]))
		return false;
	line = strstr(line, "\nUid:");
	if (!line || sscanf(line + 5, "%u %u %u %u", &id[0], &id[1], &id[2],
			    &id[3]) != 4)
		return false;
	return id[0] == uid || id[1] == uid || id[2] == uid || id[3] == uid;
}

/**
 * is_below() - Is a control group another, or below it?
 * @path:	The one; empty if it is not known
 * @of:		The other; empty, or the root, has nothing of its own
 */
static bool is_below(const char *path, const char *of)
{
	const char *rest;

	if (!*of || str_eq(of, "/"))
		return false;
	rest = str_starts(path, of);
	return rest && (!*rest || *rest == '/');
}

/* process_of_user() - See process.h. */
int process_of_user(uid_t uid, const char *cgroup, pid_t but,
		    struct process *ret, struct error *err)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	struct process process;
	uint64_t pid;
	int r = 0;

	if (!dir)
		return error_set(err, -errno, ERROR_KERNEL_PROCESS,
				 "read /proc: %m");
	while (r == 0 && (entry = readdir(dir))) {
		if (str_u64(entry->d_name, 10, INT32_MAX, &pid) < 0 ||
		    (pid_t)pid == but || !is_of(dirfd(dir), entry->d_name, uid))
			continue;
		/* It has ended meanwhile, or is in the control group. */
		if (process_read((pid_t)pid, &process, NULL) < 0 ||
		    is_below(process.cgroup, cgroup))
			continue;
		*ret = process;
		r = 1;
	}
	closedir(dir);
	return r;
}
