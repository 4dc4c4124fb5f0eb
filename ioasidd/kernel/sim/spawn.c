/* SPDX-License-Identifier: Apache-2.0
 *
 * spawn.c - the machine's process, made and ended
 *
 * It has nothing of ioasidd-sim but its copy of the machine: no descriptor, no
 * session, no parent. So whatever ends ioasidd-sim leaves it alone.
 */
#include "kernel/sim/link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "kernel/sim/server.h"

#define MACHINE_NAME "ioasidd-machine"
#define BACKLOG 512

/**
 * struct home - Where a machine listens
 * @dir:	State folder, a descriptor of its own
 * @listener:	The socket
 * @inode:	Of its name in the folder
 */
struct home {
	int dir;
	int listener;
	ino_t inode;
};

/* home_deinit() - Close both */
static void home_deinit(struct home *home)
{
	home->dir = fd_close(home->dir);
	home->listener = fd_close(home->listener);
}

/**
 * home_init() - Listen; a name that an earlier machine has left goes
 * @home:	Filled
 * @dir:	State folder
 *
 * Return: 0 or -errno.
 */
static int home_init(struct home *home, int dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;

	/* Opened anew: who has a lock is told by the open folder. */
	home->dir = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	home->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
				SOCK_NONBLOCK, 0);
	if (home->dir < 0 || home->listener < 0)
		return -errno;
	(void)str_format(address.sun_path, sizeof(address.sun_path),
			 "/proc/self/fd/%d/" CONTROL_SOCKET, dir);
	if (unlinkat(dir, CONTROL_SOCKET, 0) && errno != ENOENT)
		return -errno;
	if (bind(home->listener, (struct sockaddr *)&address,
		 sizeof(address)) ||
	    listen(home->listener, BACKLOG) ||
	    fstatat(dir, CONTROL_SOCKET, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	home->inode = st.st_ino;

	return 0;
}

/**
 * home_leave() - Take our name out of the folder
 * @home:	Deinitialised
 *
 * First nobody can connect any more, and whoever waits to hears so. Only then
 * comes the lock, which those who look for a machine have: it may be that one
 * of them has started the next already.
 */
static void home_leave(struct home *home)
{
	struct stat st;

	home->listener = fd_close(home->listener);
	(void)flock(home->dir, LOCK_EX);
	if (!fstatat(home->dir, CONTROL_SOCKET, &st, AT_SYMLINK_NOFOLLOW) &&
	    st.st_ino == home->inode)
		(void)unlinkat(home->dir, CONTROL_SOCKET, 0);
	home_deinit(home);
}

/**
 * keeps_nobody() - May a process that goes on for long keep this descriptor?
 * @fd:		Standard error
 *
 * A pipe would not end for whoever reads it.
 */
static bool keeps_nobody(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode));
}

/**
 * leave_behind() - Have nothing of ioasidd-sim any more
 * @home:	What stays
 *
 * Return: 0 or -errno.
 */
static int leave_behind(const struct home *home)
{
	int a = home->dir < home->listener ? home->dir : home->listener;
	int b = home->dir < home->listener ? home->listener : home->dir;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    (!keeps_nobody(2) && dup2(null, 2) < 0))
		return -errno;
	if ((a > 3 && close_range(3, (unsigned int)a - 1, 0)) ||
	    (b > a + 1 && close_range((unsigned int)a + 1,
				      (unsigned int)b - 1, 0)) ||
	    close_range((unsigned int)b + 1, ~0U, 0) || chdir("/"))
		return -errno;

	(void)prctl(PR_SET_NAME, MACHINE_NAME);
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

/**
 * machine_main() - The machine's process
 *
 * Does not return. No exit handler of ioasidd-sim may run.
 */
__attribute__((noreturn)) static void
machine_main(struct home *home, struct sim *sim,
	     const struct control_hello *hello, unsigned int linger_s)
{
	int r = leave_behind(home);

	if (r == 0)
		r = machine_serve(sim, hello, home->listener, linger_s);
	if (r < 0)
		log_error("the simulated machine ends: error %d", -r);
	home_leave(home);
	_exit(r < 0);
}

/* spawn_machine() - Start the machine's process */
int spawn_machine(int dir, struct sim *sim, const struct control_hello *hello,
		  unsigned int linger_s, struct error *err)
{
	__attribute__((cleanup(home_deinit))) struct home home = { -1, -1, 0 };
	int status = 0, r;
	pid_t pid;

	r = home_init(&home, dir);
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_SYSTEM,
				 "listen for the simulated machine at '"
				 CONTROL_SOCKET "' in the state folder: %m");

	pid = fork();
	if (pid == 0) {
		/* The second child is nobody's, and no leader of a session. */
		(void)setsid();
		pid = fork();
		if (pid == 0)
			machine_main(&home, sim, hello, linger_s);
		_exit(pid < 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return error_set(err, pid < 0 ? -errno : -ECHILD,
				 ERROR_KERNEL_SYSTEM,
				 "start the simulated machine: %m");

	return 0;
}
