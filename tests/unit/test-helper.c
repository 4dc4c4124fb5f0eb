/* SPDX-License-Identifier: Apache-2.0
 *
 * test-helper.c - the process that may be left behind: what it answers, what it
 *		   inherits, and that nothing stays of it
 *
 * A full pipe stands for a sysfs file whose write does not come back.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "kernel/helper.h"

#define SECONDS_10 10000

/* Make a pipe that is full; its ends are the caller's. */
static void full_pipe(int ends[2])
{
	char page[4096] = { 0 };

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	while (write(ends[1], page, 1) > 0)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
}

/* Read a file of a process; @path without /proc/<pid>/. */
static void read_proc(pid_t pid, const char *path, char *buf, size_t size)
{
	char full[64];

	snprintf(full, sizeof(full), "/proc/%d/%s", (int)pid, path);
	assert_true(fd_read_file(AT_FDCWD, full, buf, size) >= 0);
}

/* Wait for the end of a helper, as the daemon would. */
static void await_end(const struct kernel_stuck *stuck)
{
	struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < SECONDS_10; i++) {
		if (helper_ended(stuck))
			return;
		nanosleep(&ms, NULL);
	}
	fail_msg("helper %d does not end", (int)stuck->pid);
}

/* Is there no such child, dead or alive? */
static void assert_no_child(pid_t pid)
{
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)pid, &info,
				WEXITED | WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
}

static void a_write_is_made_and_read_back(void **state)
{
	char path[] = "/tmp/ioasidd-helper-XXXXXX", text[8];
	struct kernel_stuck stuck = { 0 };
	struct error err = ERROR_NULL;
	_cleanup_fd_ int fd = mkstemp(path);
	struct helper_job job = { .call = "unbind", .what = "test", .fd = fd,
				  .text = "0000:03:00.0\n", .read = true };

	assert_true(fd >= 0);
	assert_int_equal(helper_run(&job, SECONDS_10, text, sizeof(text),
				    &stuck, &err), 0);
	assert_string_equal(text, "0000:03"); /* cut to the room there is */
	assert_int_equal(stuck.pid, 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
	assert_int_equal(errno, ECHILD);
	unlink(path);
}

static void an_errno_of_the_write_comes_back(void **state)
{
	struct kernel_stuck stuck = { 0 };
	struct error err = ERROR_NULL;
	_cleanup_fd_ int fd = -1;
	struct helper_job job = { .call = "unbind", .what = "write nothing",
				  .text = "not a number" };

	fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	job.fd = fd;
	assert_int_equal(helper_run(&job, SECONDS_10, NULL, 0, &stuck, &err),
			 -EINVAL);
	assert_int_equal(err.kind, ERROR_KERNEL_SYSFS);
	assert_non_null(strstr(err.msg, "write nothing: Invalid argument"));

	fd_close(fd);
	fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	job.fd = fd;
	assert_int_equal(helper_run(&job, SECONDS_10, NULL, 0, &stuck, &err),
			 -ENOSPC);
	assert_int_equal(stuck.pid, 0);
}

static void past_its_time_it_is_left_behind_and_reaped_later(void **state)
{
	struct kernel_stuck stuck = { 0 };
	struct error err = ERROR_NULL;
	int ends[2], fds = fd_count();
	struct helper_job job = { .call = "probe", .what = "probe of x",
				  .text = "x" };
	uint64_t start;
	char text[4096];

	full_pipe(ends);
	job.fd = ends[1];
	start = clock_mono_ns();
	assert_int_equal(helper_run(&job, 100, NULL, 0, &stuck, &err),
			 -ETIMEDOUT);
	assert_in_range((clock_mono_ns() - start) / 1000000, 100, 5000);
	assert_int_equal(err.kind, ERROR_DEVICE_BLOCKED);
	assert_true(stuck.pid > 0);
	assert_true(stuck.start_ticks > 0);
	assert_int_equal(strlen(stuck.boot_id), 36);
	assert_string_equal(stuck.call, "probe");
	assert_false(helper_ended(&stuck));

	/* Whoever reaps what is nobody's does not take it from us. */
	assert_true(waitpid(-1, NULL, WNOHANG) <= 0);
	while (read(ends[0], text, sizeof(text)) == sizeof(text))
		if (helper_ended(&stuck))
			break;
	await_end(&stuck);
	assert_no_child(stuck.pid);
	assert_true(helper_ended(&stuck)); /* for ever */

	close(ends[0]);
	close(ends[1]);
	assert_int_equal(fd_count(), fds);
}

static void handler(int signo)
{
}

static void it_inherits_one_descriptor_and_no_handlers(void **state)
{
	struct sigaction act = { .sa_handler = handler }, old;
	struct kernel_stuck stuck = { 0 };
	struct helper_job job = { .call = "unbind", .what = "test",
				  .text = "x" };
	char path[64], text[8192];
	int ends[2], n = 0;
	struct dirent *e;
	DIR *dir;

	sigaction(SIGUSR1, &act, &old);
	full_pipe(ends);
	job.fd = ends[1];
	assert_int_equal(helper_run(&job, 200, NULL, 0, &stuck, NULL),
			 -ETIMEDOUT);

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)stuck.pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(atoi(e->d_name), ends[1]);
		n++;
	}
	closedir(dir);
	assert_int_equal(n, 1);

	read_proc(stuck.pid, "comm", text, sizeof(text));
	assert_string_equal(text, HELPER_NAME "\n");
	read_proc(stuck.pid, "status", text, sizeof(text));
	assert_non_null(strstr(text, "\nSigCgt:\t0000000000000000\n"));
	assert_non_null(strstr(text, "\nSigBlk:\t0000000000000000\n"));

	/* It can be killed where the kernel lets it be. */
	kill(stuck.pid, SIGKILL);
	await_end(&stuck);
	assert_no_child(stuck.pid);
	sigaction(SIGUSR1, &old, NULL);
	close(ends[0]);
	close(ends[1]);
}

static void another_boot_or_another_process_counts_as_ended(void **state)
{
	struct kernel_stuck stuck = { 0 };
	pid_t child;
	int status;

	assert_true(helper_ended(&stuck));

	/* A process with that pid, and another start or another boot */
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	stuck.pid = child;
	stuck.start_ticks = 1;
	assert_true(helper_ended(&stuck));
	stuck.start_ticks = 0;
	strcpy(stuck.boot_id, "00000000-0000-0000-0000-000000000000");
	assert_true(helper_ended(&stuck));

	/* It was not reaped for that, dead or alive. */
	kill(child, SIGKILL);
	stuck.boot_id[0] = '\0';
	stuck.start_ticks = 1;
	assert_true(helper_ended(&stuck));
	assert_int_equal(waitpid(child, &status, 0), child);
}

/* A helper in a thread, to be killed from outside. */
struct run {
	struct helper_job job;
	struct error err;
	int result;
};

static void *run_thread(void *data)
{
	struct run *run = data;
	struct kernel_stuck stuck;

	run->result = helper_run(&run->job, SECONDS_10, NULL, 0, &stuck,
				 &run->err);

	return NULL;
}

/* Find the helper among our children; 0 if it is not there yet. */
static pid_t find_helper(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (!found && (e = readdir(dir))) {
		char path[300], text[512];
		int ppid;

		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		if (atoi(e->d_name) > 0 &&
		    fd_read_file(AT_FDCWD, path, text, sizeof(text)) > 0 &&
		    sscanf(text, "%*d (" HELPER_NAME ") %*c %d", &ppid) == 1 &&
		    ppid == getpid())
			found = atoi(e->d_name);
	}
	closedir(dir);

	return found;
}

static void one_that_was_killed_is_a_failure(void **state)
{
	struct run run = { .job = { .call = "unbind", .what = "test",
				    .text = "x" } };
	pthread_t thread;
	int ends[2];
	pid_t pid;

	full_pipe(ends);
	run.job.fd = ends[1];
	assert_int_equal(pthread_create(&thread, NULL, run_thread, &run), 0);
	while (!(pid = find_helper()))
		usleep(1000);
	kill(pid, SIGKILL);
	pthread_join(thread, NULL);
	assert_int_equal(run.result, -EIO);
	assert_int_equal(run.err.kind, ERROR_KERNEL_HELPER);
	assert_no_child(pid);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_is_made_and_read_back),
		cmocka_unit_test(an_errno_of_the_write_comes_back),
		cmocka_unit_test(
			past_its_time_it_is_left_behind_and_reaped_later),
		cmocka_unit_test(it_inherits_one_descriptor_and_no_handlers),
		cmocka_unit_test(
			another_boot_or_another_process_counts_as_ended),
		cmocka_unit_test(one_that_was_killed_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
