/* SPDX-License-Identifier: Apache-2.0
 *
 * bench.h - what the benchmarks share: rounds, medians, the table, the daemon
 *
 * DOC: Theory of Operation
 *
 * What a machine does in a second says little: others use it too, and the next
 * one is another one. So each figure has a named reference that is measured in
 * the same run, in turns with it, and the ratio of the two is what counts. A
 * round measures both, one after the other, and has a ratio of its own; the
 * table shows the medians of all rounds, and between which ratios the middle
 * half of them is. A round that is not counted goes before. Nothing here passes
 * or fails by time.
 */
#ifndef IOASIDD_TESTS_BENCH_H
#define IOASIDD_TESTS_BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define ROUNDS_MAX 31

/* How long the daemon may take to start, on a slow machine. */
#define START_MS 60000

/* Say why, and end. */
#define die(...)                              \
	do {                                  \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr);          \
		exit(1);                      \
	} while (0)

/**
 * struct bench - One row of the table
 * @what:	What is measured
 * @ours:	One measurement of ioasidd
 * @reference:	One of the reference
 * @data:	For both
 * @rounds:	How many, at most ROUNDS_MAX
 */
struct bench {
	const char *what;
	double (*ours)(void *data);
	double (*reference)(void *data);
	void *data;
	int rounds;
};

/**
 * bench_title() - Begin a table
 * @title:	What it is about
 * @reference:	What ioasidd is compared with
 * @unit:	Of both
 * @better:	"lower" or "higher"
 *
 * Lines begin as comments of TAP: the test machine passes those on.
 */
static inline void bench_title(const char *title, const char *reference,
			       const char *unit, const char *better)
{
	printf("# %s\n#   reference: %s\n", title, reference);
	printf("#   unit: %s; ratio: ioasidd / reference, %s is better\n", unit,
	       better);
	printf("#   %-40s %10s %10s %8s   %s\n", "", "ioasidd", "reference",
	       "ratio", "middle half");
}

/**
 * bench_compare() - Order numbers, for qsort(3)
 */
static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/**
 * bench_median() - The middle of some numbers
 * @values:	Sorted afterwards
 * @n:		How many
 */
static inline double bench_median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), bench_compare);
	return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

/**
 * bench_run() - Measure in turns, and print a row
 * @bench:	What
 *
 * Which of the two goes first changes from round to round.
 */
static inline void bench_run(const struct bench *bench)
{
	double ours[ROUNDS_MAX] = { 0 }, reference[ROUNDS_MAX] = { 0 };
	double ratio[ROUNDS_MAX] = { 0 };
	int n = bench->rounds;

	(void)bench->ours(bench->data);
	(void)bench->reference(bench->data);
	for (int i = 0; i < n; i++) {
		if (i % 2)
			ours[i] = bench->ours(bench->data);
		reference[i] = bench->reference(bench->data);
		if (i % 2 == 0)
			ours[i] = bench->ours(bench->data);
		ratio[i] = ours[i] / reference[i];
	}
	printf("#   %-40s %10.1f %10.1f %8.2f", bench->what,
	       bench_median(ours, n), bench_median(reference, n),
	       bench_median(ratio, n));
	printf("   %.2f to %.2f of %d rounds\n", ratio[n / 4],
	       ratio[n - 1 - n / 4], n);
	fflush(stdout);
}

/* --- the daemon --- */

/**
 * struct daemon - An ioasidd of the benchmark's own
 * @program:	Its path
 * @machine:	Description of the machine that it simulates; NULL for none
 * @config:	Its configuration file; NULL for none
 * @dir:	Where its state, socket and log are
 * @pid:	Of the process
 */
struct daemon {
	const char *program;
	const char *machine;
	const char *config;
	char dir[64];
	pid_t pid;
};

/**
 * daemon_socket() - Where it listens
 */
static inline void daemon_socket(const struct daemon *daemon,
				 struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/sock", daemon->dir);
}

/**
 * daemon_exec() - Become it
 * @addr:	Where it is to listen
 */
static inline void daemon_exec(const struct daemon *daemon,
			       struct sockaddr_un *addr)
{
	const char *argv[16] = { daemon->program, "--foreground",
				 "--state-dir", daemon->dir, "--socket",
				 addr->sun_path };
	int n = 6;

	if (daemon->config) {
		argv[n++] = "--config";
		argv[n++] = daemon->config;
	}
	/* A machine is new for each start, and ends with it. */
	if (daemon->machine) {
		argv[n++] = "--machine-linger=0";
		argv[n++] = "--machine";
		argv[n++] = daemon->machine;
	}
	argv[n] = NULL;
	(void)execv(daemon->program, (char *const *)argv);
	_exit(127);
}

/**
 * daemon_start() - Start it and wait for its first answer
 * @daemon:	@program and @dir are set
 *
 * Return: a connection that has had its hello.
 */
static inline int daemon_start(struct daemon *daemon)
{
	const struct timespec nap = { .tv_nsec = 100000 };
	uint64_t end = clock_mono_ns() + START_MS * UINT64_C(1000000);
	struct sockaddr_un addr;
	char log[80], hello[4096];
	int sock;

	snprintf(log, sizeof(log), "%s/log", daemon->dir);
	daemon_socket(daemon, &addr);
	daemon->pid = fork();
	if (daemon->pid < 0)
		die("fork: %m");
	if (daemon->pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		(void)dup2(fd, 1);
		(void)dup2(fd, 2);
		daemon_exec(daemon, &addr);
	}

	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		die("socket: %m");
	while (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (clock_mono_ns() > end ||
		    waitpid(daemon->pid, NULL, WNOHANG))
			die("ioasidd has not started: see %s", log);
		(void)nanosleep(&nap, NULL);
	}
	if (recv(sock, hello, sizeof(hello), 0) <= 0)
		die("no hello: %m");
	return sock;
}

/**
 * daemon_stop() - End it
 */
static inline void daemon_stop(struct daemon *daemon)
{
	int status;

	(void)kill(daemon->pid, SIGTERM);
	if (waitpid(daemon->pid, &status, 0) < 0 || status)
		die("ioasidd ended with %#x: see %s/log", status, daemon->dir);
}

#endif
