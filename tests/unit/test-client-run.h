/* SPDX-License-Identifier: Apache-2.0
 *
 * test-client-run.h - run ioasidctl, the real program, against a fake daemon
 *
 * The fake daemon is a child process; ioasidctl lies two folders above the test
 * program.
 */
#ifndef TEST_CLIENT_RUN_H
#define TEST_CLIENT_RUN_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test-client-fake.h"

static char dir[] = "/tmp/test-client-ctl-XXXXXX";
static char ctl[400];		/* the program */
static char sock_path[100];
static char out[65536], errors[65536];	/* what it printed */
static pid_t daemon_pid;

/**
 * run_start() - Have a fake daemon
 * @serve:	Serves a connection to its end and closes it; called in the
 *		child, for one connection after the other
 *
 * Return: 0, or not.
 */
static inline int run_start(void (*serve)(int sock))
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener, sock;
	ssize_t n;

	n = readlink("/proc/self/exe", ctl, sizeof(ctl) - 1);
	if (n < 0)
		return -1;
	ctl[n] = '\0';
	for (int i = 0; i < 3; i++)
		*strrchr(ctl, '/') = '\0';
	strcat(ctl, "/ioasidctl");
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	(void)str_format(sock_path, sizeof(sock_path), "%s/sock", dir);
	(void)str_copy(addr.sun_path, sizeof(addr.sun_path), sock_path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(listener, (void *)&addr, sizeof(addr)) < 0 ||
	    chmod(sock_path, 0666) < 0 || listen(listener, 8) < 0)
		return -1;
	(void)setenv("IOASIDD_SOCKET", sock_path, 1);
	(void)setenv("LC_ALL", "C.UTF-8", 1);
	daemon_pid = fork();
	while (daemon_pid == 0) {
		sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (sock >= 0)
			serve(sock);
	}
	(void)fd_close(listener);
	return daemon_pid < 0;
}

/* run_stop() - End the fake daemon. Return: 0, or not. */
static inline int run_stop(void)
{
	char path[200];

	(void)kill(daemon_pid, SIGKILL);
	(void)waitpid(daemon_pid, NULL, 0);
	(void)unlink(sock_path);
	(void)str_format(path, sizeof(path), "%s/qemu-system-fake", dir);
	(void)unlink(path);
	return rmdir(dir);
}

static inline void read_all(int fd, char *buf, size_t size)
{
	size_t have = 0;
	ssize_t n;

	(void)lseek(fd, 0, SEEK_SET);
	while (have + 1 < size && (n = read(fd, buf + have, size - have - 1)) >
				  0)
		have += (size_t)n;
	buf[have] = '\0';
}

/**
 * run_ctl() - Run ioasidctl; what it prints is in out and errors
 * @uid:	As whom; only root may say another than himself
 *
 * Return: its exit code.
 */
static inline int run_ctl(uid_t uid, char *const *args)
{
	int fds[2], status;
	pid_t pid;

	if (access(ctl, X_OK) < 0)
		skip();
	fds[0] = memfd_create("out", MFD_CLOEXEC);
	fds[1] = memfd_create("err", MFD_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[0], 1);
		(void)dup2(fds[1], 2);
		if (uid != geteuid() && setresuid(uid, uid, uid) < 0)
			_exit(99);
		(void)execv(ctl, args);
		_exit(98);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	read_all(fds[0], out, sizeof(out));
	read_all(fds[1], errors, sizeof(errors));
	(void)fd_close(fds[0]);
	(void)fd_close(fds[1]);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define RUN_AS(uid, ...) \
	run_ctl(uid, (char *const[]){ (char *)"ioasidctl", __VA_ARGS__, NULL })
#define RUN(...) RUN_AS(geteuid(), __VA_ARGS__)

static inline void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s%s", part, out, errors);
}

/* run_qemu() - Make a command that is called like a QEMU, and says what it is
 * told.
 */
static inline void run_qemu(char path[200])
{
	FILE *script;

	(void)str_format(path, 200, "%s/qemu-system-fake", dir);
	script = fopen(path, "w");
	fprintf(script, "#!/bin/sh\necho \"$@\"\n");
	assert_int_equal(fclose(script), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

#endif
