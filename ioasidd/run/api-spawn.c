/* SPDX-License-Identifier: Apache-2.0
 *
 * api-spawn.c - a process with no privilege and one descriptor
 *
 * The child has one of our threads and a copy of our memory, in which any lock
 * may be held by a thread that it does not have. So it makes system calls and
 * does nothing else; see kernel/helper.c, which does likewise. setresuid(3) of
 * libc would even wait for the threads that are not there.
 */
#include "run/api-spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define LINK_FD 3
#define EXIT_NOT_SO 126
#define EXIT_NOT_RUN 127

/* Descriptors that it may have: as many connections as there can be, each with
 * one more behind TLS, and some.
 */
#define FILES_MAX 4096

/* No kernel has more capabilities: they are bits of 64. */
#define CAPABILITIES_MAX 64

/**
 * struct plan - What the child needs, made before
 * @spawn:	What was asked for
 * @parent:	Our pid
 * @null:	/dev/null, and as @link and @program above all that are set up
 * @link:	likewise
 * @program:	likewise
 * @files:	RLIMIT_NOFILE
 * @envp:	Its environment
 */
struct plan {
	const struct api_spawn *spawn;
	pid_t parent;
	int null, link, program;
	struct rlimit files;
	char *envp[2];
};

/**
 * end() - End the child; see kernel/helper.c
 * @status:	Its exit status
 */
__attribute__((noreturn, no_sanitize("thread"))) static void end(int status)
{
	for (;;)
		(void)syscall(SYS_exit_group, status);
}

/**
 * set_up_files() - Have no descriptor but 0 to 3 after exec
 * @plan:	The plan
 */
__attribute__((no_sanitize("thread"))) static bool
set_up_files(const struct plan *plan)
{
	const struct rlimit none = { 0, 0 };

	return syscall(SYS_dup3, plan->null, 0, 0) >= 0 &&
	       syscall(SYS_dup3, plan->null, 1, 0) >= 0 &&
	       syscall(SYS_dup3, plan->link, LINK_FD, 0) >= 0 &&
	       !syscall(SYS_close_range, LINK_FD + 1, ~0U,
			CLOSE_RANGE_CLOEXEC) &&
	       !syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, NULL) &&
	       !syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &plan->files, NULL);
}

/**
 * drop_privilege() - Be nobody, for good
 * @spawn:	As whom
 *
 * Source: capabilities(7), prctl(2). The signal of the parent's death is
 * cleared by each change of credentials, so it comes last.
 */
__attribute__((no_sanitize("thread"))) static bool
drop_privilege(const struct api_spawn *spawn)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	const struct __user_cap_data_struct none[2] = { { .effective = 0 } };

	if (spawn->uid != (uid_t)-1) {
		/* EINVAL: there are no more. */
		for (long cap = 0; cap < CAPABILITIES_MAX; cap++)
			if (syscall(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0))
				break;
		if (syscall(SYS_setgroups, 0, NULL) ||
		    syscall(SYS_setresgid, spawn->gid, spawn->gid,
			    spawn->gid) ||
		    syscall(SYS_setresuid, spawn->uid, spawn->uid, spawn->uid))
			return false;
	}
	return !syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0,
			0, 0) &&
	       !syscall(SYS_capset, &head, none) &&
	       !syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

/**
 * child() - Become the program
 * @plan:	The plan
 */
__attribute__((noreturn, no_sanitize("thread"))) static void
child(const struct plan *plan)
{
	const struct api_spawn *spawn = plan->spawn;
	const uint64_t no_signals = 0; /* the kernel's sigset_t */

	(void)syscall(SYS_setsid); /* a new process leads no group yet */
	if (syscall(SYS_chdir, "/") || !set_up_files(plan) ||
	    !drop_privilege(spawn))
		end(EXIT_NOT_SO);
	/* It may be that he has ended before we asked to be told. */
	if (syscall(SYS_getppid) != plan->parent)
		end(EXIT_NOT_SO);
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL,
		      sizeof(no_signals));

	(void)syscall(SYS_execve, spawn->path, spawn->argv, plan->envp);
	/* A folder on the way may be closed to whom we are by now. */
	(void)syscall(SYS_execveat, plan->program, "", spawn->argv, plan->envp,
		      AT_EMPTY_PATH);
	end(EXIT_NOT_RUN);
}

/**
 * make() - Make the child
 * @plan:	The plan
 * @ret_pid:	Its pid
 * @ret_pidfd:	And its pidfd
 *
 * Handlers are gone then; what we ignore, SIGPIPE and SIGHUP, it ignores, too.
 *
 * Return: 0 or -errno.
 */
static int make(const struct plan *plan, pid_t *ret_pid, int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = 0,
	};
	sigset_t all, old;
	long pid;
	int r;

	(void)sigfillset(&all);
	r = pthread_sigmask(SIG_SETMASK, &all, &old);
	if (r)
		return -r;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child(plan);
	r = pid < 0 ? -errno : 0;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return r;

	*ret_pid = (pid_t)pid;
	*ret_pidfd = pidfd;
	return 0;
}

/* api_spawn() - Run it */
int api_spawn(const struct api_spawn *spawn, pid_t *ret_pid, int *ret_pidfd)
{
	_cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_cleanup_fd_ int high_null = -1, link = -1, program = -1;
	const char *stream = getenv("JOURNAL_STREAM");
	struct plan plan = { .spawn = spawn, .parent = getpid() };
	char journal[80]; /* two numbers */

	if (null < 0 || getrlimit(RLIMIT_NOFILE, &plan.files))
		return -errno;
	if (plan.files.rlim_max > FILES_MAX)
		plan.files.rlim_max = FILES_MAX;
	plan.files.rlim_cur = plan.files.rlim_max;
	if (stream && str_format(journal, sizeof(journal), "JOURNAL_STREAM=%s",
				 stream))
		plan.envp[0] = journal;
	/* Out of the way of those that are made of them. */
	high_null = fcntl(null, F_DUPFD_CLOEXEC, LINK_FD + 1);
	link = fcntl(spawn->link, F_DUPFD_CLOEXEC, LINK_FD + 1);
	program = fcntl(spawn->program, F_DUPFD_CLOEXEC, LINK_FD + 1);
	if (high_null < 0 || link < 0 || program < 0)
		return -errno;
	plan.null = high_null;
	plan.link = link;
	plan.program = program;

	return make(&plan, ret_pid, ret_pidfd);
}
