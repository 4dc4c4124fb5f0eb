/* SPDX-License-Identifier: Apache-2.0
 *
 * test-process.c - a pid is believed only together with what holds on to it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"

static int before;

static int setup(void **state)
{
	before = fd_count();
	return 0;
}

static int teardown(void **state)
{
	return fd_count() != before;
}

/* A child that lives until it is killed. */
static pid_t child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}

	return pid;
}

/* End a child and wait for it: its pid is free afterwards. */
static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void the_boot_has_an_id(void **state)
{
	char id[37];

	assert_int_equal(process_boot_id(id, NULL), 0);
	assert_int_equal(strlen(id), 36);
	assert_int_equal(id[8], '-');
}

static void we_are_who_we_are(void **state)
{
	struct process process;
	uint64_t start;

	assert_int_equal(process_read(getpid(), &process, NULL), 0);
	assert_int_equal(process.pid, getpid());
	assert_int_equal(process.uid, geteuid());
	assert_int_equal(process.gid, getegid());
	assert_string_equal(process.comm, "test-process");
	start = process.start_ticks;
	assert_true(start > 0);
	assert_int_equal(process_read(getpid(), &process, NULL), 0);
	assert_true(process.start_ticks == start);
}

/* Names with what procfs itself uses as marks. */
static void names_cannot_mislead(void **state)
{
	static const char *const names[][2] = {
		{ "a) R 1 1 (b", "a) R 1 1 (b" },
		{ "((()", "((()" },
		{ ") 2 3 4 5 6 7", ") 2 3 4 5 6 7" },
		{ "a\nUid: 0 0 0", "a?Uid: 0 0 0" },
		{ "a\xff", "a?" },
		{ "", "" },
	};
	struct process process, mine;
	char old[16];

	process_read(getpid(), &mine, NULL);
	prctl(PR_GET_NAME, old);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		prctl(PR_SET_NAME, names[i][0]);
		assert_int_equal(process_read(getpid(), &process, NULL), 0);
		assert_string_equal(process.comm, names[i][1]);
		assert_true(process.start_ticks == mine.start_ticks);
		assert_int_equal(process.uid, mine.uid);
	}
	prctl(PR_SET_NAME, old);
}

/* No such process, in words. */
static void nobody_is_nobody(void **state)
{
	struct error err = ERROR_NULL;
	struct process process;
	pid_t pid = child();
	int pidfd = -1;

	end(pid);
	assert_int_equal(process_read(pid, &process, &err), -ESRCH);
	assert_int_equal(err.kind, ERROR_KERNEL_PROCESS);
	assert_int_equal(process_open(pid, 0, &pidfd, &err), -ESRCH);
	assert_int_equal(process_open(0, 0, &pidfd, &err), -ESRCH);
	assert_int_equal(process_open(-1, 0, &pidfd, &err), -ESRCH);
	assert_int_equal(pidfd, -1);
}

static void a_pidfd_tells_the_end(void **state)
{
	struct process process;
	pid_t pid = child();
	struct pollfd p = { .events = POLLIN };
	int pidfd = -1;

	assert_int_equal(process_read(pid, &process, NULL), 0);
	assert_int_equal(process_open(pid, process.start_ticks, &pidfd, NULL),
			 0);
	assert_int_equal(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	assert_false(process_ended(pidfd));
	kill(pid, SIGKILL);
	p.fd = pidfd;
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(process_ended(pidfd)); /* a zombie has ended */
	waitpid(pid, NULL, 0);
	assert_true(process_ended(pidfd));
	fd_close(pidfd);
}

static void a_zombie_is_not_opened(void **state)
{
	pid_t pid = child();
	siginfo_t info;
	int pidfd = -1;

	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT),
			 0);
	assert_int_equal(process_open(pid, 0, &pidfd, NULL), -ESRCH);
	end(pid);
}

/* The pid was given to somebody else meanwhile. */
static void another_start_is_another_process(void **state)
{
	struct error err = ERROR_NULL;
	struct process process;
	int pidfd = -1;

	process_read(getpid(), &process, NULL);
	assert_int_equal(process_open(getpid(), process.start_ticks + 1,
				      &pidfd, &err), -ESRCH);
	assert_int_equal(pidfd, -1);
	assert_non_null(strstr(err.msg, "test-process"));
}

/* Connect from a child, which then stays; returns our end. */
static int connected(pid_t *ret_pid)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener, sock, p[2];
	char c;

	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	/* an abstract name that the kernel chooses */
	assert_int_equal(bind(listener, (void *)&addr, sizeof(sa_family_t)),
			 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);

	*ret_pid = fork();
	if (!*ret_pid) {
		socklen_t size = sizeof(addr);

		getsockname(listener, (void *)&addr, &size);
		sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		if (connect(sock, (void *)&addr, size) ||
		    write(p[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(p[0], &c, 1), 1);
	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(sock >= 0);
	fd_close(listener);
	fd_close(p[0]);
	fd_close(p[1]);

	return sock;
}

static void a_peer_is_known_and_held_on_to(void **state)
{
	struct process process, read;
	int sock, pidfd = -1;
	pid_t pid;

	sock = connected(&pid);
	assert_int_equal(process_peer(sock, &process, &pidfd, NULL), 0);
	assert_int_equal(process_read(pid, &read, NULL), 0);
	assert_int_equal(process.pid, pid);
	assert_int_equal(process.uid, geteuid());
	assert_true(process.start_ticks == read.start_ticks);
	assert_int_equal(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	assert_false(process_ended(pidfd));
	end(pid);
	assert_true(process_ended(pidfd));
	fd_close(pidfd);
	fd_close(sock);
}

/* As a zombie and after; on kernels that still give a pidfd, and others. */
static void a_peer_that_has_ended_is_refused(void **state)
{
	struct error err = ERROR_NULL;
	struct process process;
	int sock, pidfd = -1;
	siginfo_t info;
	pid_t pid;

	sock = connected(&pid);
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	assert_int_equal(process_peer(sock, &process, &pidfd, &err), -ESRCH);
	end(pid);
	assert_int_equal(process_peer(sock, &process, &pidfd, &err), -ESRCH);
	assert_int_equal(pidfd, -1);
	assert_int_equal(err.kind, ERROR_KERNEL_PROCESS);
	fd_close(sock);
}

/* Make this process's kernel one that has no SO_PEERPIDFD (77). */
static void forget_peerpidfd(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[2])
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
				 + 4
#endif
			 ),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 77, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 6, .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}

/* What process_peer() answers in a child whose kernel is older. */
static int on_older_kernel(int sock)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return EAGAIN;
	if (!pid) {
		struct process process;
		int pidfd = -1, r;

		forget_peerpidfd();
		r = process_peer(sock, &process, &pidfd, NULL);
		_exit(r ? -r : process_ended(pidfd));
	}
	waitpid(pid, &status, 0);

	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void older_kernels_have_a_way_too(void **state)
{
	int sock;
	pid_t pid;

	sock = connected(&pid);
	assert_int_equal(on_older_kernel(sock), 0);
	end(pid);
	assert_int_equal(on_older_kernel(sock), ESRCH);
	fd_close(sock);
}

/* The process with the peer's pid has another uid than the one that connected.
 * Here it is the same process that has changed it, which looks the same.
 */
static void older_kernels_refuse_another_uid(void **state)
{
	int status;
	pid_t pid;

	if (geteuid())
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int sock[2];

		/* A socketpair's peer is its maker. */
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			       sock) ||
		    on_older_kernel(sock[0]) || setuid(65534))
			_exit(99);
		_exit(on_older_kernel(sock[0]));
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ESRCH);
}

static void memlock_is_set_as_it_is_said(void **state)
{
	const struct rlimit one = { 1 << 20, 3 << 20 };
	const struct rlimit two = { 2 << 20, 4 << 20 };
	struct rlimit limit, old;
	pid_t pid = child();
	int pidfd = -1;

	assert_int_equal(process_open(pid, 0, &pidfd, NULL), 0);
	prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit);
	assert_int_equal(process_memlock(pid, pidfd, NULL, &old, NULL), 0);
	assert_memory_equal(&old, &limit, sizeof(old));

	assert_int_equal(process_memlock(pid, pidfd, &two, NULL, NULL), 0);
	prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit);
	assert_memory_equal(&limit, &two, sizeof(limit));
	/* The hard limit goes down too, for which no privilege is needed. */
	assert_int_equal(process_memlock(pid, pidfd, &one, &old, NULL), 0);
	assert_memory_equal(&old, &two, sizeof(old));
	prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit);
	assert_memory_equal(&limit, &one, sizeof(limit));

	end(pid);
	assert_int_equal(process_memlock(pid, pidfd, &one, NULL, NULL),
			 -ESRCH);
	fd_close(pidfd);
}

/* Any of a process's uids counts, also one that it can only come back to. */
static void processes_of_a_user_are_found(void **state)
{
	/* Whom nobody is, here or on any sensible host. */
	const uid_t uid = 3987654321;
	struct process self, found;
	int status, sync[2];
	char c = 0;
	pid_t pid;

	if (geteuid())
		skip();
	assert_int_equal(process_of_user(uid, "", 0, &found, NULL), 0);
	assert_int_equal(pipe(sync), 0);
	pid = fork();
	if (pid == 0) {
		if (setresuid(0, 65533, uid) || write(sync[1], &c, 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(sync[0], &c, 1), 1);
	assert_int_equal(process_of_user(uid, "", 0, &found, NULL), 1);
	assert_int_equal(found.pid, pid);
	/* Itself does not count, nor does its control group: unless that is
	 * the root, which has everybody.
	 */
	assert_int_equal(process_of_user(uid, "", pid, &found, NULL), 0);
	assert_int_equal(process_of_user(uid, "/", 0, &found, NULL), 1);
	assert_int_equal(process_of_user(uid, "/there/is/none", 0, &found,
					 NULL), 1);
	assert_int_equal(process_read(pid, &self, NULL), 0);
	if (self.cgroup[0] && !str_eq(self.cgroup, "/"))
		assert_int_equal(process_of_user(uid, self.cgroup, 0, &found,
						 NULL), 0);
	/* A zombie does nothing. */
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_of_user(uid, "", 0, &found, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fd_close(sync[0]);
	fd_close(sync[1]);
}

/* prlimit(2) tells root with CAP_SYS_RESOURCE; procfs tells everybody. */
static void anybodys_memlock_can_be_read(void **state)
{
	const struct rlimit set = { 1 << 20, 3 << 20 };
	pid_t pid = child(), stranger;
	struct rlimit limit;
	int status;

	assert_int_equal(prlimit(pid, RLIMIT_MEMLOCK, &set, NULL), 0);
	assert_int_equal(process_read_memlock(pid, &limit), 0);
	assert_memory_equal(&limit, &set, sizeof(limit));

	stranger = fork();
	if (stranger == 0)
		_exit(setresuid(65533, 65533, 65533) ||
		      prlimit(pid, RLIMIT_MEMLOCK, NULL, &limit) != -1 ||
		      process_read_memlock(pid, &limit) ||
		      memcmp(&limit, &set, sizeof(limit)));
	assert_int_equal(waitpid(stranger, &status, 0), stranger);
	assert_int_equal(status, 0);
	end(pid);
	assert_int_equal(process_read_memlock(pid, &limit), -ESRCH);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_boot_has_an_id),
		T(processes_of_a_user_are_found),
		T(we_are_who_we_are),
		T(names_cannot_mislead),
		T(nobody_is_nobody),
		T(a_pidfd_tells_the_end),
		T(a_zombie_is_not_opened),
		T(another_start_is_another_process),
		T(a_peer_is_known_and_held_on_to),
		T(a_peer_that_has_ended_is_refused),
		T(older_kernels_have_a_way_too),
		T(older_kernels_refuse_another_uid),
		T(memlock_is_set_as_it_is_said),
		T(anybodys_memlock_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
