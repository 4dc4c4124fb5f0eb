/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - ioasidd: the process, from the command line to the exit status
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/notify.h"
#include "ops/authorize.h"
#include "ops/parked.h"
#include "run/daemon.h"
#include "run/machine.h"

/**
 * prepare_process() - Leave behind what the one who started us had, but for
 *		       what the service manager has kept for us
 * @d:		Gets that
 *
 * Each client and each lease takes descriptors, so the limit is raised as far
 * as it goes.
 */
static void prepare_process(struct daemon *d)
{
	struct error err = ERROR_NULL;
	struct rlimit limit;

	umask(0077);
	if (parked_take(&d->host.parked, &err) < 0)
		log_problem(LOG_LEVEL_WARNING, &err,
			    "what was kept for us is lost");
	/* Workers allocate little and seldom: an arena for each of them would
	 * only keep what a burst of requests has used.
	 */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)close_range((unsigned int)parked_top(d->host.parked), ~0U, 0);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/**
 * go_background() - Let a child go on, and wait until it is ready
 * @ret_fd:	In the child: to be closed when ready; a byte first if well
 *
 * Return: 0 in the child; the parent ends here. -errno.
 */
static int go_background(int *ret_fd)
{
	char ready = 0;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		fd_close(ends[1]);
		_exit(read(ends[0], &ready, 1) == 1 ? 0 : 1);
	}
	fd_close(ends[0]);
	setsid();
	*ret_fd = ends[1];
	return 0;
}

/**
 * say_ready() - Tell whoever waits for it that we serve
 * @d:		The daemon
 */
static void say_ready(struct daemon *d)
{
	log_notice("%s " IOASIDD_VERSION " serves %s", machine_program,
		   d->options.socket);
	(void)notify_send("READY=1");
	if (d->ready_fd >= 0 && write(d->ready_fd, "", 1) != 1)
		log_warning("nobody waited for the start");
	d->ready_fd = fd_close(d->ready_fd);
}

/**
 * serve() - Start, serve, stop
 * @d:		The daemon, configured
 *
 * Return: the exit status.
 */
static int serve(struct daemon *d)
{
	size_t started;
	int r;

	if (!d->options.foreground && !getenv("NOTIFY_SOCKET") &&
	    go_background(&d->ready_fd) < 0)
		return 1;
	log_init(d->options.log_level);
	r = fault_init();
	if (r < 0) {
		log_error("the plan of faults cannot be used: %s",
			  strerror(-r));
		return EXIT_USAGE;
	}
	configure_use(d, d->config, &d->options);

	r = parts_start(d, &started);
	if (r == 0) {
		say_ready(d);
		r = loop_run(d->host.loop);
		(void)notify_send("STOPPING=1");
	}
	parts_stop(d, started);
	policy_use_consume(NULL);
	if (d->dead)
		return EXIT_NOT_DURABLE;
	return r < 0 || d->cut ? 1 : 0;
}

/**
 * main() - Read what is asked for, and do it
 */
int main(int argc, char **argv)
{
	struct daemon d = { .signals = -1, .uevents = -1, .ready_fd = -1 };
	int r;

	r = options_parse(argc, argv, &d.asked);
	if (r != 0)
		return r < 0 ? EXIT_USAGE : 0;
	/* Before names are looked up, which may keep descriptors open. */
	prepare_process(&d);
	r = configure(&d) < 0 ? EXIT_USAGE : machine_command(&d.options);
	if (r < 0)
		r = serve(&d);
	/* If that has not come so far, the next start takes it over. */
	parked_free(d.host.parked);
	config_free(d.config);
	return r;
}
