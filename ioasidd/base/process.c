/* SPDX-License-Identifier: Apache-2.0
 *
 * process.c - other processes: who they are, whether they live, their limits
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* asm-generic/socket.h of Linux 6.5 */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* process_group_id() - The gid of a group */
gid_t process_group_id(const char *name)
{
	const struct group *group = getgrnam(name);

	return group ? group->gr_gid : (gid_t)-1;
}

/* process_user_id() - The uid and gid of a user */
int process_user_id(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		return -ENOENT;
	*ret_uid = user->pw_uid;
	*ret_gid = user->pw_gid;
	return 0;
}

/* process_boot_id() - The identity of this boot */
int process_boot_id(char ret[37], struct error *err)
{
	const char *path = "/proc/sys/kernel/random/boot_id";
	char id[64];
	ssize_t n;

	n = fd_read_file(AT_FDCWD, path, id, sizeof(id));
	if (n < 0)
		return error_set(err, (int)n, ERROR_KERNEL_PROCESS,
				 "read '%s': %m", path);
	if (!str_copy(ret, 37, str_chomp(id)) || strlen(ret) != 36)
		return error_set(err, -EBADMSG, ERROR_KERNEL_PROCESS,
				 "'%s' holds no boot id", path);

	return 0;
}

/**
 * gone() - Turn procfs's ways to say that a process has ended into one
 * @pid:	The process
 * @r:		What reading gave, negative
 * @file:	What was read
 * @err:	Filled
 *
 * Return: -ESRCH, or @r.
 */
static int gone(pid_t pid, int r, const char *file, struct error *err)
{
	if (r == -ENOENT || r == -ESRCH)
		return error_set(err, -ESRCH, ERROR_KERNEL_PROCESS,
				 "process %d has ended", (int)pid);

	return error_set(err, r, ERROR_KERNEL_PROCESS, "read /proc/%d/%s: %m",
			 (int)pid, file);
}

/**
 * parse_stat() - Read name and start time out of /proc/<pid>/stat
 * @stat:	The text
 * @ret:	@comm and @start_ticks are filled
 *
 * The name is in parentheses and may hold parentheses, spaces and newlines: the
 * last ')' ends it. Field 3 follows it. See proc(5).
 *
 * Return: 0 or -EBADMSG.
 */
static int parse_stat(char *stat, struct process *ret)
{
	char *name = strchr(stat, '('), *p = strrchr(stat, ')');

	if (!name || !p || p < name)
		return -EBADMSG;
	*p++ = '\0';
	(void)str_copy(ret->comm, sizeof(ret->comm), name + 1);
	str_clean(ret->comm);

	for (int field = 3; field <= 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -EBADMSG;
		p++;
	}
	if (sscanf(p, "%" SCNu64, &ret->start_ticks) != 1)
		return -EBADMSG;

	return 0;
}

/**
 * parse_id() - Read an effective id out of /proc/<pid>/status
 * @status:	The text
 * @key:	"\nUid:" or "\nGid:"
 * @ret:	The second of its numbers
 *
 * Return: 0 or -EBADMSG.
 */
static int parse_id(const char *status, const char *key, unsigned int *ret)
{
	const char *line = strstr(status, key);

	if (!line || sscanf(line + strlen(key), "%*u %u", ret) != 1)
		return -EBADMSG;

	return 0;
}

/**
 * parse_cgroup() - Find the path in the unified hierarchy
 * @text:	/proc/<pid>/cgroup; changed
 * @ret:	@cgroup is filled
 */
static void parse_cgroup(char *text, struct process *ret)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		const char *path = str_starts(line, "0::");

		if (!path)
			continue;
		/* An unended last line was cut off by our buffer. */
		if (!rest || !str_copy(ret->cgroup, sizeof(ret->cgroup), path))
			ret->cgroup[0] = '\0';
		str_clean(ret->cgroup);
		return;
	}
}

/**
 * process_read() - Read what procfs says of a process
 *
 * All files are opened below one descriptor of its folder, which stays with
 * this process when its pid is given to another.
 */
int process_read(pid_t pid, struct process *ret, struct error *err)
{
	struct process process = { .pid = pid };
	_cleanup_fd_ int dir = -1;
	char path[32], text[8192];
	ssize_t n;
	int r;

	(void)str_format(path, sizeof(path), "/proc/%d", (int)pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return gone(pid, -errno, "", err);

	n = fd_read_file(dir, "stat", text, sizeof(text));
	if (n < 0)
		return gone(pid, (int)n, "stat", err);
	r = parse_stat(text, &process);
	if (r < 0)
		return gone(pid, r, "stat", err);

	/* Ids come early; a long list of groups may follow. */
	n = fd_read_file(dir, "status", text, sizeof(text));
	if (n < 0 && n != -EFBIG)
		return gone(pid, (int)n, "status", err);
	r = parse_id(text, "\nUid:", &process.uid);
	if (!r)
		r = parse_id(text, "\nGid:", &process.gid);
	if (r < 0)
		return gone(pid, r, "status", err);

	n = fd_read_file(dir, "cgroup", text, sizeof(text));
	if (n < 0 && n != -EFBIG && n != -ENOENT)
		return gone(pid, (int)n, "cgroup", err);
	parse_cgroup(text, &process);

	*ret = process;
	return 0;
}

/* process_ended() - Has the process behind @pidfd ended? */
bool process_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLIN | POLLHUP);
}

/**
 * read_held() - Read what procfs says of the process behind a pidfd
 * @pid:	Its pid, as far as we know
 * @pidfd:	Holds on to it
 * @ret:	What procfs says
 * @err:	Filled on failure
 *
 * That it is alive after reading proves that it was the one that was read: the
 * pid was its own until then.
 *
 * Return: 0; -ESRCH if it has ended.
 */
static int read_held(pid_t pid, int pidfd, struct process *ret,
		     struct error *err)
{
	int r = process_read(pid, ret, err);

	if (r < 0)
		return r;
	if (process_ended(pidfd))
		return gone(pid, -ESRCH, "", err);

	return 0;
}

/* process_open() - Hold on to a process that is known by pid and start time */
int process_open(pid_t pid, uint64_t start_ticks, int *ret_pidfd,
		 struct error *err)
{
	_cleanup_fd_ int pidfd = -1;
	struct process process;
	int r;

	/* Close-on-exec from birth, as all pidfds. */
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* EINVAL, since Linux 6.9 ENOENT: a thread, or no pid at all */
	if (pidfd < 0 && (errno == EINVAL || errno == ENOENT))
		errno = ESRCH;
	if (pidfd < 0)
		return error_set(err, -errno, ERROR_KERNEL_PROCESS,
				 "open process %d: %m", (int)pid);

	r = read_held(pid, pidfd, &process, err);
	if (r < 0)
		return r;
	if (start_ticks && start_ticks != process.start_ticks)
		return error_set(err, -ESRCH, ERROR_KERNEL_PROCESS,
				 "process %d has ended, its pid is that of "
				 "another one, '%s', by now",
				 (int)pid, process.comm);

	*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}

/**
 * boot_ticks() - Now, as procfs counts the start of processes
 *
 * Return: clock ticks since boot, time asleep included.
 */
static uint64_t boot_ticks(void)
{
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &ts);

	return (uint64_t)ts.tv_sec * hz +
	       (uint64_t)ts.tv_nsec * hz / 1000000000;
}

/**
 * peer_by_pid() - Hold on to a peer on kernels without SO_PEERPIDFD
 * @cred:	SO_PEERCRED
 * @now:	boot_ticks() when we were asked
 * @ret_pidfd:	The process
 * @err:	Filled on failure
 *
 * Return: 0; -ESRCH if it has ended, or another process has its pid.
 */
static int peer_by_pid(const struct ucred *cred, uint64_t now, int *ret_pidfd,
		       struct error *err)
{
	struct process process = { .pid = cred->pid };
	_cleanup_fd_ int pidfd = -1;
	int r;

	r = process_open(cred->pid, 0, &pidfd, err);
	if (r < 0)
		return r;
	r = read_held(cred->pid, pidfd, &process, err);
	if (r < 0)
		return r;
	if (process.start_ticks > now || process.uid != cred->uid)
		return error_set(err, -ESRCH, ERROR_KERNEL_PROCESS,
				 "process %d, which connected, has ended; its "
				 "pid is that of '%s' by now",
				 (int)cred->pid, process.comm);

	*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}

/**
 * peer_pidfd() - Hold on to the process at the other end
 * @sock:	Connected
 * @cred:	SO_PEERCRED
 * @now:	boot_ticks() when we were asked
 * @ret_pidfd:	The process
 * @err:	Filled on failure
 *
 * A process that is gone for good was told by EINVAL or ESRCH; Linux 6.16 and
 * later hand out a pidfd, which is readable at once.
 *
 * Return: 0; -ESRCH if it has ended.
 */
static int peer_pidfd(int sock, const struct ucred *cred, uint64_t now,
		      int *ret_pidfd, struct error *err)
{
	socklen_t size = sizeof(int);
	int pidfd = -1;

	if (!getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size)) {
		*ret_pidfd = pidfd;
		return 0;
	}

	switch (errno) {
	case ENOPROTOOPT:
		return peer_by_pid(cred, now, ret_pidfd, err);
	case EINVAL:
	case ENODATA:
	case ESRCH:
		return gone(cred->pid, -ESRCH, "", err);
	default:
		return error_set(err, -errno, ERROR_KERNEL_PROCESS,
				 "SO_PEERPIDFD: %m");
	}
}

/* process_peer() - Who is at the other end of a connection */
int process_peer(int sock, struct process *ret, int *ret_pidfd,
		 struct error *err)
{
	_cleanup_fd_ int pidfd = -1;
	uint64_t now = boot_ticks();
	struct process process;
	struct ucred cred;
	socklen_t size = sizeof(cred);
	int r;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &size))
		return error_set(err, -errno, ERROR_KERNEL_PROCESS,
				 "SO_PEERCRED: %m");
	if (cred.pid <= 0)
		return error_set(err, -EPERM, ERROR_KERNEL_PROCESS,
				 "the peer has no pid here: it is in another "
				 "pid namespace");

	r = peer_pidfd(sock, &cred, now, &pidfd, err);
	if (r < 0)
		return r;
	r = read_held(cred.pid, pidfd, &process, err);
	if (r < 0)
		return r;
	process.uid = cred.uid;
	process.gid = cred.gid;

	*ret = process;
	*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}

/**
 * parse_limit() - Read a limit as procfs writes it
 *
 * Return: false if it is none.
 */
static bool parse_limit(char **rest, rlim_t *ret)
{
	const char *word = strtok_r(NULL, " ", rest);
	uint64_t value = RLIM_INFINITY;

	if (!word || (!str_eq(word, "unlimited") &&
		      str_u64(word, 10, UINT64_MAX, &value) < 0))
		return false;
	*ret = value;
	return true;
}

/**
 * read_limits() - Read the limit of locked memory from procfs
 * @pid:	The process
 * @ret:	The limit
 *
 * prlimit(2) of somebody else's process needs CAP_SYS_RESOURCE, even to read.
 *
 * Return: true if it is there.
 */
static bool read_limits(pid_t pid, struct rlimit *ret)
{
	static const char name[] = "\nMax locked memory ";
	char path[32], text[4096], *line, *rest;

	(void)str_format(path, sizeof(path), "/proc/%d/limits", (int)pid);
	if (fd_read_file(AT_FDCWD, path, text, sizeof(text)) < 0)
		return false;
	line = strstr(text, name);
	if (!line)
		return false;
	line += sizeof(name) - 1;
	line[strcspn(line, "\n")] = '\0';
	rest = line;
	return parse_limit(&rest, &ret->rlim_cur) &&
	       parse_limit(&rest, &ret->rlim_max);
}

/* process_read_memlock() - Read a process's limit of locked memory */
int process_read_memlock(pid_t pid, struct rlimit *ret)
{
	int r;

	if (!prlimit(pid, RLIMIT_MEMLOCK, NULL, ret))
		return 0;
	r = -errno;

	return r == -EPERM && read_limits(pid, ret) ? 0 : r;
}

/* process_memlock() - Read, and change, a process's limit of locked memory */
int process_memlock(pid_t pid, int pidfd, const struct rlimit *new,
		    struct rlimit *ret_old, struct error *err)
{
	struct rlimit old;
	int r;

	if (process_ended(pidfd))
		return gone(pid, -ESRCH, "", err);

	r = process_read_memlock(pid, &old);
	if (!r && new && prlimit(pid, RLIMIT_MEMLOCK, new, NULL))
		r = -errno;
	if (r < 0)
		r = error_set(err, r, ERROR_KERNEL_PROCESS,
			      "%s the locked-memory limit of process %d: %m",
			      new ? "set" : "read", (int)pid);

	/* Ended: whatever was done was done to nobody that we know. */
	if (process_ended(pidfd))
		return gone(pid, -ESRCH, "", err);
	if (r < 0)
		return r;

	if (ret_old)
		*ret_old = old;
	return 0;
}
