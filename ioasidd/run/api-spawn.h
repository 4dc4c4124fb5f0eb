/* SPDX-License-Identifier: Apache-2.0
 *
 * api-spawn.h - a process with no privilege and one descriptor
 */
#ifndef IOASIDD_RUN_API_SPAWN_H
#define IOASIDD_RUN_API_SPAWN_H

#include <sys/types.h>

/**
 * struct api_spawn - What is to be run, and as whom
 * @path:	The program
 * @program:	The same, open: its folder may be ours alone
 * @link:	What becomes descriptor 3; borrowed
 * @uid:	As whom; -1 to stay who we are
 * @gid:	Likewise
 * @argv:	Its arguments, the name first, ended with NULL
 */
struct api_spawn {
	const char *path;
	int program;
	int link;
	uid_t uid;
	gid_t gid;
	char *const *argv;
};

/**
 * api_spawn() - Run it
 * @ret_pid:	Its pid; to be reaped by waitid(2) with P_PIDFD and __WALL
 * @ret_pidfd:	Readable when it has ended; the caller's
 *
 * It has no capability, no supplementary group, no descriptor but 0 to 3 (0 and
 * 1 are /dev/null, 2 is ours), nothing in its environment but JOURNAL_STREAM,
 * cannot gain anything by exec, leaves no core, and is killed when the thread
 * that called this ends. If it cannot be run it ends with status 127, if it
 * cannot be made so with 126.
 *
 * Return: 0 or -errno.
 */
int api_spawn(const struct api_spawn *spawn, pid_t *ret_pid, int *ret_pidfd);

#endif
