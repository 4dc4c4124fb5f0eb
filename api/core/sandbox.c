/* SPDX-License-Identifier: Apache-2.0
 *
 * sandbox.c - what the process gives up before it reads a stranger's byte
 *
 * DOC: Theory of Operation
 *
 * ioasidd starts this process under a uid of its own, without capabilities and
 * with three descriptors and the link. What is done here holds also if it does
 * not, as in tests.
 *
 * Should: read, write and poll what it has; receive descriptors over the link;
 * take memory; ask for the time and for chance; end.
 * Mustn't: open, connect, listen, execute, fork, trace, change what it is, call
 * ioctl(2) of any kind.
 *
 * The list is of what glibc 2.36 (Debian 12) and 2.41 (Debian 13),
 * libmicrohttpd, nghttp2 and GnuTLS call, seen with strace(1), and of what
 * ending badly needs. A call that is not in it fails with EPERM: whoever made
 * it says so in the log, which a killed process cannot.
 *
 * The address and thread sanitizers open files of /proc and make threads
 * whenever they have something to say, so builds with one have no filter.
 */
#include "core/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Descriptors: more connections than ioasidd lets through by far. */
#define DESCRIPTORS_MAX 16384

static const int allowed[] = {
	/* what it has */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(shutdown),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(fcntl),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	/* waiting */
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(eventfd2),
	SCMP_SYS(futex),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_yield),
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* time, chance, itself */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getrusage),
	/* signals and the end */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(tgkill),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/**
 * allow_some() - Allow calls that are harmless with some arguments only
 * @filter:	The filter
 *
 * Return: 0 or -errno.
 */
static int allow_some(scmp_filter_ctx filter)
{
	int r;

	/* Memory that is executed came with the program. */
	r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				     SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* How glibc asks for what fstat(2) tells: of a descriptor, no path. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				     SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH,
					     AT_EMPTY_PATH));
	/* TLS hands plaintext on by one; it leads nowhere else. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				     SCMP_SYS(socketpair), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	return r;
}

/**
 * enter_filter() - Let only calls through that are on the list
 *
 * Return: 0 or -errno.
 */
static int enter_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = 0;

	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = allow_some(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

/**
 * drop_capabilities() - Have none, and get none any more
 *
 * The bounding set can be lowered by a process with CAP_SETPCAP only; one
 * without needs no such promise beside no_new_privs.
 *
 * Return: 0 or -errno.
 */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	for (int i = 0; i <= CAP_LAST_CAP; i++)
		(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return -errno;
	return syscall(SYS_capset, &head, none) ? -errno : 0;
}

/**
 * limit() - Set a limit for good, not above what it is
 * @what:	RLIMIT_...
 * @most:	The limit
 *
 * Return: 0 or -errno.
 */
static int limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit limits;

	if (getrlimit(what, &limits))
		return -errno;
	if (limits.rlim_max > most)
		limits.rlim_max = most;
	limits.rlim_cur = limits.rlim_max;
	return setrlimit(what, &limits) ? -errno : 0;
}

/* sandbox_enter() - Give up all that serving does not need */
int sandbox_enter(struct error *err)
{
	int r;

	/* glibc reads /etc/localtime the first time that a time is taken apart,
	 * even one in UTC.
	 */
	tzset();
	r = limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
	if (r == 0)
		r = limit(RLIMIT_CORE, 0);
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSTEM, "setrlimit: %m");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "PR_SET_NO_NEW_PRIVS: %m");
	r = drop_capabilities();
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSTEM, "capset: %m");
	r = SANITIZED ? 0 : enter_filter();
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSTEM, "seccomp: %m");
	return 0;
}

#ifdef IOASID_FAULTS
/* sandbox_try_open() - Try to open a file, for tests */
int sandbox_try_open(void)
{
	_cleanup_fd_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}
#endif
