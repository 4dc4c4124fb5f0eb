/* SPDX-License-Identifier: Apache-2.0
 *
 * api-process.c - ioasid-api: started, watched, started again
 */
#include "run/api-process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "front/api-wire.h"
#include "front/server.h"
#include "run/api-files.h"
#include "run/api-spawn.h"

#define PROGRAM_NAME "ioasid-api"

/* Who it is, and on a host that does not know him. */
#define USER_NAME "ioasid-api"
#define NOBODY 65534

/* How long until it is started again, at first and at most; who has lived so
 * long starts at the first again.
 */
#define BACK_OFF_MIN_MS 100
#define BACK_OFF_MAX_MS 30000
#define LIVED_MS 60000

/* How long it may say farewell to its clients, once ioasidd stops. */
#define FAREWELL_MS 1000

/**
 * struct api_process - ioasid-api; loop thread only
 * @loop:	Fixed, like all up to @link
 * @path:	The program
 * @program:	The same, open
 * @uid:	As whom it runs; -1: as who we are
 * @gid:	likewise
 * @log_level:	Its argument
 * @link:	Its clients
 * @files:	What it is to know
 * @offered:	What it has been sent since and has not taken yet; empty if there
 *		is nothing such
 * @pid:	The process; 0 while there is none
 * @pidfd:	likewise, -1
 * @source:	Tells that it has ended
 * @restart:	Starts it again
 * @started_ns:	When it was started
 * @back_off_ms: How long to wait the next time
 */
struct api_process {
	struct loop *loop;
	char path[PATH_MAX];
	int program;
	uid_t uid;
	gid_t gid;
	char log_level[32];
	struct api_link *link;
	struct api_link_files files;
	struct api_link_files offered;
	pid_t pid;
	int pidfd;
	struct loop_source *source;
	struct loop_source *restart;
	uint64_t started_ns;
	uint64_t back_off_ms;
};

static void start_again(void *data);

/**
 * find_program() - Where the program is
 * @wanted:	What was asked for; NULL for what comes with us
 * @ret:	Its path
 * @ret_fd:	The same, open
 *
 * Return: 0 or -errno, with the last path looked at.
 */
static int find_program(const char *wanted, char ret[PATH_MAX], int *ret_fd)
{
	static const char *const places[] = { "/", "/../libexec/" };
	char self[PATH_MAX - 32];
	ssize_t n;
	int fd = -1;

	if (wanted) {
		if (!str_copy(ret, PATH_MAX, wanted))
			return -ENAMETOOLONG;
		fd = open(ret, O_PATH | O_CLOEXEC);
	} else {
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		if (n < 0)
			return -errno;
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
	}
	for (size_t i = 0; !wanted && fd < 0 && i < ARRAY_SIZE(places); i++) {
		(void)str_format(ret, PATH_MAX, "%s%s" PROGRAM_NAME, self,
				 places[i]); /* fits */
		fd = open(ret, O_PATH | O_CLOEXEC);
	}
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/**
 * choose_user() - As whom the program runs
 * @process:	Filled
 */
static void choose_user(struct api_process *process)
{
	process->uid = (uid_t)-1;
	process->gid = (gid_t)-1;
	if (geteuid() != 0)
		return;
	if (!process_user_id(USER_NAME, &process->uid, &process->gid))
		return;
	log_info("this host has no user " USER_NAME ": the API runs as %d",
		 NOBODY);
	process->uid = NOBODY;
	process->gid = NOBODY;
}

/**
 * use_offered() - What it was sent is what it has
 * @process:	Has offered something
 */
static void use_offered(struct api_process *process)
{
	api_files_deinit(&process->files);
	process->files = process->offered;
	process->offered.n = 0;
}

/**
 * on_ended() - It has ended
 * @data:	The process
 * @events:	Unused
 */
static void on_ended(void *data, uint32_t events)
{
	struct api_process *process = data;
	uint64_t lived_ms =
		(clock_mono_ns() - process->started_ns) / 1000000;
	siginfo_t info = { .si_pid = 0 };

	(void)waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | __WALL);
	process->source = loop_unwatch(process->source);
	process->pidfd = fd_close(process->pidfd);
	api_link_detach(process->link);
	if (process->offered.n)
		use_offered(process);
	if (lived_ms >= LIVED_MS)
		process->back_off_ms = BACK_OFF_MIN_MS;
	log_warning(PROGRAM_NAME " (pid %d) has ended, %s %d; it is started again in %llu ms",
		    (int)process->pid,
		    info.si_code == CLD_EXITED ? "status" : "signal",
		    info.si_status, (unsigned long long)process->back_off_ms);
	process->pid = 0;
	loop_arm(process->restart,
		 clock_mono_ns() + process->back_off_ms * 1000000);
	process->back_off_ms *= 2;
	if (process->back_off_ms > BACK_OFF_MAX_MS)
		process->back_off_ms = BACK_OFF_MAX_MS;
}

/**
 * spawn() - Run it
 * @process:	Has none
 * @link:	Its end of the link
 *
 * Return: 0 or -errno.
 */
static int spawn(struct api_process *process, int link)
{
	char name[] = PROGRAM_NAME;
	char *argv[] = { name, process->log_level, NULL };
	const struct api_spawn what = {
		.path = process->path,
		.program = process->program,
		.link = link,
		.uid = process->uid,
		.gid = process->gid,
		.argv = argv,
	};
	int r = api_spawn(&what, &process->pid, &process->pidfd);

	if (r < 0)
		return r;
	process->started_ns = clock_mono_ns();
	return loop_watch(process->loop, process->pidfd, EPOLLIN, on_ended,
			  process, &process->source);
}

/**
 * kill_it() - Let it end at once
 * @process:	Has one
 */
static void kill_it(const struct api_process *process)
{
	(void)syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
}

/**
 * forget() - Take back a start that has failed half-way
 * @process:	Not watched
 */
static void forget(struct api_process *process)
{
	if (process->pidfd < 0)
		return;
	process->source = loop_unwatch(process->source);
	kill_it(process);
	(void)waitid(P_PIDFD, (id_t)process->pidfd, NULL, WEXITED | __WALL);
	process->pidfd = fd_close(process->pidfd);
	process->pid = 0;
}

/**
 * let_end() - Give it the time to say farewell to its clients
 * @process:	Its link is closed, so it ends by itself
 */
static void let_end(const struct api_process *process)
{
	struct pollfd ended = { .fd = process->pidfd, .events = POLLIN };

	if (process->pidfd >= 0)
		(void)poll(&ended, 1, FAREWELL_MS); /* or it is killed */
}

/**
 * start() - Start it
 * @process:	Has none
 *
 * Return: 0 or -errno.
 */
static int start(struct api_process *process)
{
	_cleanup_fd_ int ours = -1, theirs = -1;
	int r;

	r = api_wire_pair(&ours, &theirs);
	if (r < 0)
		return r;
	r = spawn(process, theirs);
	if (r >= 0)
		r = api_link_attach_consume(process->link, TAKE_FD(ours),
					    &process->files);
	if (r < 0) {
		forget(process);
		return r;
	}
	log_info(PROGRAM_NAME " is started, pid %d", (int)process->pid);
	return 0;
}

/**
 * start_again() - It is time to
 * @data:	The process
 */
static void start_again(void *data)
{
	struct api_process *process = data;
	int r = start(process);

	if (r >= 0)
		return;
	errno = -r;
	log_warning(PROGRAM_NAME " cannot be started: %m; tried again in %d ms",
		    BACK_OFF_MAX_MS);
	loop_arm(process->restart,
		 clock_mono_ns() + BACK_OFF_MAX_MS * 1000000ull);
}

/**
 * on_failed() - It is of no use any more
 * @owner:	The process
 * @why:	Why
 *
 * It has closed its end as a rule because it has ended; then there is nothing
 * to kill.
 */
static void on_failed(void *owner, const char *why)
{
	struct api_process *process = owner;

	log_warning(PROGRAM_NAME " (pid %d): %s", (int)process->pid, why);
	kill_it(process);
	api_link_detach(process->link);
}

/**
 * on_configured() - It has taken its files, or not
 * @owner:	The process
 * @refused:	Why not; empty if it has
 */
static void on_configured(void *owner, const char *refused)
{
	struct api_process *process = owner;

	if (*refused)
		log_error(PROGRAM_NAME " does not take its configuration%s: %s",
			  process->offered.n ? ", and goes on with the old one" :
					       "",
			  refused);
	if (!process->offered.n)
		return;
	if (*refused)
		api_files_deinit(&process->offered);
	else
		use_offered(process);
}

static const struct api_link_events link_events = {
	.failed = on_failed,
	.configured = on_configured,
};

/**
 * begin() - Do all that can fail before it is started for the first time
 * @process:	Has its program
 * @front:	Answers its clients
 * @options:	What is asked for
 *
 * Return: 0 or -errno.
 */
static int begin(struct api_process *process, struct front *front,
		 const struct api_options *options, struct error *err)
{
	static const char *const levels[] = {
		[LOG_LEVEL_ERROR] = "error",   [LOG_LEVEL_WARNING] = "warning",
		[LOG_LEVEL_NOTICE] = "notice", [LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	int r;

	choose_user(process);
	(void)str_format(process->log_level, sizeof(process->log_level),
			 "--log-level=%s", levels[options->log_level]);
	process->back_off_ms = BACK_OFF_MIN_MS;
	r = api_files_read(options, &process->files, err);
	if (r >= 0)
		r = api_link_new(front, &options->link, &link_events, process,
				 &process->link, err);
	if (r < 0)
		return r;
	r = loop_timer(process->loop, start_again, process,
		       &process->restart);
	if (r >= 0)
		r = start(process);
	return r >= 0 ? 0 : error_set(err, r, ERROR_KERNEL_SYSTEM,
				      "start '%s': %m", process->path);
}

/* api_process_start() - Listen and start it */
int api_process_start(struct front *front, const struct api_options *options,
		      struct api_process **ret, struct error *err)
{
	struct api_process *process = calloc(1, sizeof(*process));
	int r;

	if (!process)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the API");
	process->loop = front->host->loop;
	process->pidfd = -1;
	r = find_program(options->program, process->path, &process->program);
	if (r == -ENOENT) {
		log_warning("there is no '%s': the API is not served",
			    process->path);
		free(process);
		*ret = NULL;
		return 0;
	}
	if (r < 0) {
		error_set(err, r, ERROR_KERNEL_SYSTEM, "open '%s': %m",
			  process->path);
		free(process);
		return r;
	}
	r = begin(process, front, options, err);
	if (r < 0) {
		api_process_stop(process);
		return r;
	}

	*ret = process;
	return 0;
}

/* api_process_reload() - Read the files anew, and let it use them */
int api_process_reload(struct api_process *process,
		       const struct api_options *options, struct error *err)
{
	struct api_link_files files;
	int r = api_files_read(options, &files, err);

	if (r < 0)
		return r;
	api_files_deinit(&process->offered);
	process->offered = files;
	if (process->pid)
		api_link_configure(process->link, &process->offered);
	else
		use_offered(process);
	return 0;
}

/* api_process_stop() - End it, and listen no more */
struct api_process *api_process_stop(struct api_process *process)
{
	if (!process)
		return NULL;

	process->restart = loop_unwatch(process->restart);
	process->link = api_link_free(process->link);
	let_end(process);
	forget(process);
	api_files_deinit(&process->files);
	api_files_deinit(&process->offered);
	(void)fd_close(process->program);
	free(process);

	return NULL;
}
