/* SPDX-License-Identifier: Apache-2.0
 *
 * start.c - how long ioasidd takes to start
 *
 *	start IOASIDD FOLDER	the daemon, and where its state may be
 *
 * From fork(2) until a client has the hello. By then the database was checked
 * and the machine looked at. The reference is what starting any program takes.
 */
#include "base/str.h"
#include "bench.h"

#define ROUNDS 21

/**
 * measure_start() - Start ioasidd
 * @data:	struct daemon
 *
 * Return: milliseconds.
 */
static double measure_start(void *data)
{
	uint64_t start = clock_mono_ns(), end;
	struct daemon *daemon = data;
	int sock = daemon_start(daemon);

	end = clock_mono_ns();
	close(sock);
	daemon_stop(daemon);
	return (double)(end - start) / 1e6;
}

/**
 * measure_first() - Start ioasidd where it has never been
 * @data:	struct daemon
 *
 * Return: milliseconds.
 */
static double measure_first(void *data)
{
	char path[96];

	str_format(path, sizeof(path), "%s/state.db",
		   ((struct daemon *)data)->dir);
	if (unlink(path) < 0 && errno != ENOENT)
		die("%s: %m", path);
	return measure_start(data);
}

/**
 * measure_true() - Start true(1) and wait for its end
 *
 * Return: milliseconds.
 */
static double measure_true(void *data)
{
	uint64_t start = clock_mono_ns();
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork: %m");
	if (pid == 0) {
		execlp("true", "true", (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || status)
		die("true ended with %#x", status);
	return (double)(clock_mono_ns() - start) / 1e6;
}

int main(int argc, char **argv)
{
	struct daemon daemon = { .pid = 0 };
	struct bench first = { .what = "the first time: the database is made",
			       .ours = measure_first, .data = &daemon,
			       .reference = measure_true, .rounds = ROUNDS };
	struct bench again = { .what = "later: the database is there",
			       .ours = measure_start, .data = &daemon,
			       .reference = measure_true, .rounds = ROUNDS };

	if (argc != 3)
		die("start IOASIDD FOLDER");
	daemon.program = argv[1];
	str_copy(daemon.dir, sizeof(daemon.dir), argv[2]);

	bench_title("start of ioasidd, until a client has its first answer",
		    "true(1): fork(2), exec(2), wait(2)", "milliseconds",
		    "lower");
	bench_run(&first);
	bench_run(&again);
	return 0;
}
