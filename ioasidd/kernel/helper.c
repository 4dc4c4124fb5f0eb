/* SPDX-License-Identifier: Apache-2.0
 *
 * helper.c - one access to one sysfs file, in a process that can be left behind
 */
#include "kernel/helper.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "kernel/sysfs.h"

/* Exit status of a helper that could not let go of our descriptors; above
 * every errno that Linux has.
 */
#define EXIT_NO_CLOSE 255

/* What the child leaves for us, in memory that both have. */
struct answer {
	size_t size;
	char text[4096];
};

/* What their names begin with, and how long a name the kernel takes. */
#define NAME_BEGINS "ioasidd-"
#define NAME_ROOM 16

/**
 * name_of() - The name of a helper
 * @bdf:	What it is at; NULL for nothing
 * @ret:	The name
 */
static void name_of(const char *bdf, char ret[NAME_ROOM])
{
	const char *address = bdf ? strchr(bdf, ':') : NULL;

	if (address)
		(void)str_format(ret, NAME_ROOM, NAME_BEGINS "%s", address + 1);
	else
		(void)str_copy(ret, NAME_ROOM, HELPER_NAME);
}

static void answer_freep(struct answer **answer)
{
	if (*answer)
		(void)munmap(*answer, sizeof(**answer));
}

/**
 * end() - End the helper
 * @status:	Its exit status
 *
 * Not by _exit(3): ThreadSanitizer has one of its own, which takes its locks
 * and sleeps.
 */
__attribute__((noreturn, no_sanitize("thread"))) static void end(int status)
{
	for (;;)
		(void)syscall(SYS_exit_group, status);
}

/**
 * child() - What the helper does
 * @job:	What
 * @n_text:	Length of the job's text
 * @name:	What it is called from then on
 * @answer:	Where what is read goes
 *
 * It has one of our threads and a copy of our memory, in which any lock may be
 * held by a thread that it does not have. So: system calls, and nothing else,
 * not even through libc, where ThreadSanitizer stands in between with locks of
 * its own. The exit status is the errno.
 */
__attribute__((noreturn, no_sanitize("thread"))) static void
child(const struct helper_job *job, size_t n_text, const char *name,
      struct answer *answer)
{
	const uint64_t no_signals = 0;	/* the kernel's sigset_t */
	long n;

	(void)syscall(SYS_prctl, PR_SET_NAME, name, 0, 0, 0);
	if ((job->fd > 0 && syscall(SYS_close_range, 0, job->fd - 1, 0)) ||
	    syscall(SYS_close_range, job->fd + 1, ~0U, 0))
		end(EXIT_NO_CLOSE);
	/* Handlers are gone since clone3(). Let it be killed where it can. */
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL,
		      sizeof(no_signals));

	if (n_text && syscall(SYS_write, job->fd, job->text, n_text) < 0)
		end(errno);
	if (job->n_data && syscall(SYS_pwrite64, job->fd, job->data,
				   job->n_data, (long)job->at) < 0)
		end(errno);
	if (job->read) {
		n = syscall(SYS_pread64, job->fd, answer->text,
			    sizeof(answer->text) - 1, 0L);
		if (n < 0)
			end(errno);
		answer->size = (size_t)n;
	}
	end(0);
}

/**
 * start() - Make the child
 * @job:	What it does
 * @answer:	Shared memory
 * @ret_pid:	Its pid
 * @ret_pidfd:	And its pidfd
 *
 * Source: clone3(2), with CLONE_PIDFD since Linux 5.3, CLONE_CLEAR_SIGHAND
 * since 5.5.
 *
 * Return: 0; -EAGAIN, -ENOMEM and others of clone3(2).
 */
static int start(const struct helper_job *job, struct answer *answer,
		 pid_t *ret_pid, int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = 0,
	};
	size_t n_text = job->text ? strlen(job->text) : 0;
	char name[NAME_ROOM];
	sigset_t all, old;
	long pid;
	int r;

	name_of(job->bdf, name);
	(void)sigfillset(&all);
	r = pthread_sigmask(SIG_SETMASK, &all, &old);
	if (r)
		return -r;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child(job, n_text, name, answer);
	r = pid < 0 ? -errno : 0;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return r;

	*ret_pid = (pid_t)pid;
	*ret_pidfd = pidfd;
	return 0;
}

/**
 * wait_until() - Wait for the end of a child
 * @pidfd:	The child
 * @deadline:	CLOCK_MONOTONIC, ns
 *
 * Return: true if it has ended.
 */
static bool wait_until(int pidfd, uint64_t deadline)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	for (;;) {
		uint64_t now = clock_mono_ns(), ms;
		int r;

		/* Round up: a last millisecond is waited for, not spun. */
		ms = now < deadline ? (deadline - now + 999999) / 1000000 : 0;
		r = poll(&p, 1, ms > INT32_MAX ? INT32_MAX : (int)ms);
		if (r > 0)
			return true;
		if (r == 0 && clock_mono_ns() >= deadline)
			return false;
	}
}

/**
 * leave() - Note what is to be known of a helper that is left behind
 * @job:	What it does
 * @pid:	Its pid: our child, so the pid is its own until it is reaped
 * @timeout_ms:	How long it was waited for
 * @ret_stuck:	Filled
 * @err:	Filled
 *
 * Return: -ETIMEDOUT.
 */
static int leave(const struct helper_job *job, pid_t pid,
		 unsigned int timeout_ms, struct kernel_stuck *ret_stuck,
		 struct error *err)
{
	struct kernel_stuck stuck = { .pid = pid };
	struct process process;

	(void)str_copy(stuck.call, sizeof(stuck.call), job->call);
	/* Without these it is known by its pid alone: better than not. */
	if (!process_read(pid, &process, NULL))
		stuck.start_ticks = process.start_ticks;
	(void)process_boot_id(stuck.boot_id, NULL);
	*ret_stuck = stuck;

	return error_set(err, -ETIMEDOUT, ERROR_DEVICE_BLOCKED,
			 "%s has not come back from the kernel within %u ms; "
			 "helper process %d stays in it",
			 job->what, timeout_ms, (int)pid);
}

/* helper_run() - Start a helper and wait for it */
int helper_run(const struct helper_job *job, unsigned int timeout_ms,
	       char *ret, size_t size, struct kernel_stuck *ret_stuck,
	       struct error *err)
{
	uint64_t deadline = clock_mono_ns() + timeout_ms * UINT64_C(1000000);
	__attribute__((cleanup(answer_freep))) struct answer *answer = NULL;
	_cleanup_fd_ int pidfd = -1;
	siginfo_t info = { 0 };
	pid_t pid = 0;
	void *shared;
	int r;

	shared = mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return error_set(err, -errno, ERROR_KERNEL_HELPER,
				 "memory for a helper process: %m");
	answer = shared;

	r = start(job, answer, &pid, &pidfd);
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_HELPER,
				 "start a helper process for %s: %m",
				 job->what);
	if (!wait_until(pidfd, deadline))
		return leave(job, pid, timeout_ms, ret_stuck, err);

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL))
		return error_set(err, -errno, ERROR_KERNEL_HELPER,
				 "wait for helper process %d: %m", (int)pid);
	if (info.si_code != CLD_EXITED || info.si_status == EXIT_NO_CLOSE)
		return error_set(err, -EIO, ERROR_KERNEL_HELPER,
				 "helper process %d for %s ended by signal or "
				 "without having begun (status %d)",
				 (int)pid, job->what, info.si_status);
	if (info.si_status)
		return error_set(err, -info.si_status, ERROR_KERNEL_SYSFS,
				 "%s: %m", job->what);

	if (ret && job->raw) {
		if (answer->size < size)
			return error_set(err, -EIO, ERROR_KERNEL_SYSFS,
					 "%s: %zu bytes instead of %zu",
					 job->what, answer->size, size);
		memcpy(ret, answer->text, size);
	} else if (ret) {
		answer->text[answer->size] = '\0';
		(void)str_copy(ret, size, str_chomp(answer->text));
	}
	return 0;
}

/**
 * is_helper() - Is a process a helper?
 * @pid:	The process
 * @name:	The helper's name; what all begin with, too
 * @ret:	Filled if so
 *
 * Anybody may call a process so, but root must have started it.
 */
static bool is_helper(pid_t pid, const char *name, struct kernel_stuck *ret)
{
	_cleanup_fd_ int pidfd = -1;
	struct process process;

	if (process_read(pid, &process, NULL) || process.uid ||
	    !str_starts(process.comm, name) ||
	    process_open(pid, process.start_ticks, &pidfd, NULL) < 0)
		return false;
	*ret = (struct kernel_stuck){
		.pid = pid,
		.start_ticks = process.start_ticks,
	};
	(void)str_copy(ret->call, sizeof(ret->call), "a call");
	(void)process_boot_id(ret->boot_id, NULL);
	return true;
}

/* helper_find() - Is a helper at work on a function? */
int helper_find(int proc, const char *bdf, struct kernel_stuck *ret)
{
	_cleanup_dir_ DIR *dir = NULL;
	char wanted[NAME_ROOM] = NAME_BEGINS;
	const char *name;
	int r;

	if (bdf)
		name_of(bdf, wanted);
	r = sysfs_dir(proc, ".", &dir);
	if (r < 0)
		return r;
	while ((name = sysfs_next(dir))) {
		uint64_t pid;

		if (str_u64(name, 10, INT32_MAX, &pid) == 0 &&
		    is_helper((pid_t)pid, wanted, ret))
			return 1;
	}

	return 0;
}

/* helper_wait() - Wait for a helper that is not our child */
bool helper_wait(const struct kernel_stuck *stuck, unsigned int timeout_ms)
{
	uint64_t deadline = clock_mono_ns() + timeout_ms * UINT64_C(1000000);
	_cleanup_fd_ int pidfd = -1;

	if (process_open(stuck->pid, stuck->start_ticks, &pidfd, NULL) < 0)
		return true;

	return wait_until(pidfd, deadline);
}

/**
 * helper_ended() - Has a helper that was left behind ended?
 *
 * Start time before anything else: our own unreaped child keeps its pid, so a
 * process with that pid and another start is not it, and must not be reaped
 * even if it is a child of ours.
 */
bool helper_ended(const struct kernel_stuck *stuck)
{
	_cleanup_fd_ int pidfd = -1;
	struct process process;
	char boot_id[37];
	siginfo_t info;

	if (stuck->pid <= 0)
		return true;
	if (stuck->boot_id[0] && !process_boot_id(boot_id, NULL) &&
	    !str_eq(boot_id, stuck->boot_id))
		return true;
	/* Alive, or not to be told now; a zombie counts as ended. */
	if (process_open(stuck->pid, stuck->start_ticks, &pidfd, NULL) !=
	    -ESRCH)
		return false;

	if (!process_read(stuck->pid, &process, NULL) &&
	    process.start_ticks == stuck->start_ticks)
		/* ECHILD: not our child; its parent or init reaps it. */
		(void)waitid(P_PID, (id_t)stuck->pid, &info,
			     WEXITED | WNOHANG | __WALL);

	return true;
}
