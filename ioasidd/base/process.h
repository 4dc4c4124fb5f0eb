/* SPDX-License-Identifier: Apache-2.0
 *
 * process.h - other processes: who they are, whether they live, their limits
 *
 * A pid alone is never trusted: it is recycled. Pid and start time together
 * name a process within a boot; a pidfd holds on to one.
 */
#ifndef IOASIDD_BASE_PROCESS_H
#define IOASIDD_BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/error.h"

/**
 * struct process - A process, as the kernel tells
 * @pid:		Its process id in our pid namespace
 * @start_ticks:	Field 22 of /proc/<pid>/stat; 0 if unknown
 * @uid:		Effective uid; of a peer, when it connected
 * @gid:		Effective gid, likewise
 * @cgroup:		Path in the unified hierarchy; empty if none, or if it
 *			does not fit: half a path would name something else
 * @comm:		Its name, for messages; the process chose it
 */
struct process {
	pid_t pid;
	uint64_t start_ticks;
	uid_t uid;
	gid_t gid;
	char cgroup[256];
	char comm[32];
};

/* process_group_id() - The gid of a group. Asks NSS: at start-up and on reload only.
 * Return: the gid; -1 if this host has no such group.
 */
gid_t process_group_id(const char *name);

/**
 * process_user_id() - The uid and gid of a user. Asks NSS: at start-up and on reload only.
 *
 * Return: 0; -ENOENT if this host has no such user.
 */
int process_user_id(const char *name, uid_t *ret_uid, gid_t *ret_gid);

/* process_boot_id() - The identity of this boot, 36 characters and a NUL. */
int process_boot_id(char ret[37], struct error *err);

/**
 * process_read() - Read what procfs says of a process
 *
 * Return: 0; -ESRCH if there is none.
 */
int process_read(pid_t pid, struct process *ret, struct error *err);

/**
 * process_open() - Hold on to a process that is known by pid and start time
 * @start_ticks:	0 to take whichever process has the pid now
 * @ret_pidfd:		Readable when it has ended; close-on-exec
 *
 * Return: 0; -ESRCH if it has ended or the pid is another process's by now.
 */
int process_open(pid_t pid, uint64_t start_ticks, int *ret_pidfd,
		 struct error *err);

/* process_ended() - Has the process behind @pidfd ended? */
bool process_ended(int pidfd);

/**
 * process_peer() - Who is at the other end of a connection
 * @sock:	Connected AF_UNIX socket
 * @ret:	Filled by SO_PEERCRED, the rest by procfs
 * @ret_pidfd:	SO_PEERPIDFD; pidfd_open(2) on kernels without it
 *
 * Call it right after accept(2). Without SO_PEERPIDFD the pid could have been
 * recycled before we looked: then the process must have started before this
 * call and have the uid of the credentials, or it is refused. What remains on
 * such kernels is a pid recycled by the same uid between connect(2) and here.
 *
 * Return: 0; -ESRCH if the peer has ended; -EPERM if it has no pid here, being
 * in another pid namespace.
 */
int process_peer(int sock, struct process *ret, int *ret_pidfd,
		 struct error *err);

/**
 * process_of_user() - Find a process of a user outside of a control group
 * @uid:	The user: by any of its real, effective, saved and file system uid
 * @cgroup:	Who is in it, or below it, does not count; the root, or "",
 *		stands for none
 * @but:	Nor does this process
 * @ret:	The first that was found
 *
 * A zombie does nothing any more. What begins while we look may be overlooked.
 *
 * Return: 1: there is one; 0: there is none; -errno: procfs cannot be read.
 */
int process_of_user(uid_t uid, const char *cgroup, pid_t but,
		    struct process *ret, struct error *err);

/* process_read_memlock() - Read a process's limit of locked memory, of anybody
 * and without privilege. Return: 0 or -errno.
 */
int process_read_memlock(pid_t pid, struct rlimit *ret);

/**
 * process_memlock() - Read, and change if @new is given, a process's limit of
 *		       locked memory
 * @pid:	The process
 * @pidfd:	The same process: checked to be alive before and after
 * @new:	What to set, as setrlimit(2) takes it; NULL to only read
 * @ret_old:	What it was; may be NULL
 *
 * Return: 0; -ESRCH if the process has ended.
 */
int process_memlock(pid_t pid, int pidfd, const struct rlimit *new,
		    struct rlimit *ret_old, struct error *err);

#endif
