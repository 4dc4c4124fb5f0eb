/* SPDX-License-Identifier: Apache-2.0
 *
 * receive.c - descriptors of strangers, of which only memory comes in
 *
 * In the child there are system calls and nothing else: other threads of the
 * parent may have held any lock.
 */
#include "base/receive.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#ifndef __clang__
/* gcc 12's -fanalyzer loses what hangs on a list when it is walked to its end. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* Where the child has the packet's socket, and its end of the pair. */
#define FROM_FD 0
#define TO_FD 1

/* How long the child may take to answer, and to end after that. */
#define ANSWER_MS 5000
#define END_MS 500

/* A sanitizer's memory takes a child its time, to be made and to end. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW 20
#else
#define SLOW 1
#endif

/* How long the loop waits for a child's end, which it does once for a uid: and a
 * worker for one that is about to come.
 */
#define DROP_MS (100 * SLOW)
#define SOON_MS (20 * SLOW)

/* Descriptors of one packet that the kernel lets pass. */
#define KERNEL_MAX 253

/* Children that were left behind at once, of all uids. */
#define LEFT_MAX 64

/**
 * struct left - A child that does not end
 * @pidfd:	It
 * @uid:	Because of whom
 */
struct left {
	int pidfd;
	uid_t uid;
};

/**
 * struct kept - A socket that cannot be closed yet
 * @next:	In the list
 * @sock:	It; nothing comes any more
 * @uid:	Of whom
 */
struct kept {
	struct kept *next;
	int sock;
	uid_t uid;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct left left[LEFT_MAX];	/* guarded by lock */
static size_t n_left;			/* likewise */
static struct kept *kept;		/* likewise */

/**
 * enum task - What a child is for
 * @TASK_PASS:	It receives a packet and passes on what is memory
 * @TASK_DROP:	It receives a packet, and ends with all of it
 * @TASK_END:	It has the socket when everybody else has closed it
 */
enum task {
	TASK_PASS,
	TASK_DROP,
	TASK_END,
};

/**
 * struct answer - What the child says; its descriptors come with it
 * @r:		0 or -errno
 * @n:		How many there were
 * @kinds:	Of each: 0, it comes along; or RECEIVE_FILE and the like
 */
struct answer {
	int r;
	uint32_t n;
	int8_t kinds[RECEIVE_MAX];
};

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(RECEIVE_MAX * sizeof(int))];
};

union large_control {
	struct cmsghdr align;
	char room[CMSG_SPACE(KERNEL_MAX * sizeof(int))];
};

/* --- the child --- */

/* begins() - Does a path begin so? */
__attribute__((no_sanitize("thread"))) static bool
begins(const char *path, const char *with)
{
	while (*with)
		if (*path++ != *with++)
			return false;
	return true;
}

/**
 * kind_of() - What is it? Asks nobody but the kernel
 */
__attribute__((no_sanitize("thread"))) static int8_t kind_of(int fd)
{
	char path[32] = "", link[] = "/proc/self/fd/\0\0\0\0\0";
	size_t at = sizeof("/proc/self/fd/") - 1;

	if (syscall(SYS_fcntl, fd, F_GET_SEALS) >= 0)
		return 0;
	if (fd >= 100)
		link[at++] = (char)('0' + fd / 100);
	if (fd >= 10)
		link[at++] = (char)('0' + fd / 10 % 10);
	link[at] = (char)('0' + fd % 10);
	if (syscall(SYS_readlinkat, AT_FDCWD, link, path,
		    sizeof(path) - 1) < 0)
		return RECEIVE_FILE;
	if (begins(path, "pipe:"))
		return RECEIVE_PIPE;
	if (begins(path, "socket:"))
		return RECEIVE_SOCKET;
	if (begins(path, "/dmabuf:"))
		return RECEIVE_DMABUF;
	return begins(path, "anon_inode:") ? RECEIVE_KERNEL : RECEIVE_FILE;
}

/**
 * take() - Receive the packet
 * @fds:	Gets its descriptors
 */
__attribute__((no_sanitize("thread"))) static void
take(struct answer *answer, int *fds)
{
	union control control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = CMSG_LEN(RECEIVE_MAX * sizeof(int)),
	};
	const struct cmsghdr *cmsg = &control.align;
	const unsigned char *from = CMSG_DATA(&control.align);

	if (syscall(SYS_recvmsg, FROM_FD, &msg, MSG_CMSG_CLOEXEC) < 0) {
		answer->r = -errno;
		return;
	}
	if (msg.msg_controllen >= CMSG_LEN(0) &&
	    cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		answer->n = (uint32_t)((cmsg->cmsg_len - CMSG_LEN(0)) /
				       sizeof(int));
	if (msg.msg_flags & MSG_CTRUNC) {
		answer->r = -EPROTO;
		return;
	}
	for (uint32_t i = 0; i < answer->n; i++) {
		for (size_t k = 0; k < sizeof(int); k++)
			((unsigned char *)&fds[i])[k] =
				from[i * sizeof(int) + k];
		answer->kinds[i] = kind_of(fds[i]);
	}
}

/**
 * pass() - Answer, with what is memory
 */
__attribute__((no_sanitize("thread"))) static void
pass(const struct answer *answer, const int *fds)
{
	union control control = { .room = { 0 } };
	struct iovec iov = { .iov_base = (void *)answer,
			     .iov_len = sizeof(*answer) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int *to = (int *)CMSG_DATA(&control.align);
	uint32_t n = 0;

	for (uint32_t i = 0; answer->r == 0 && i < answer->n; i++)
		if (!answer->kinds[i])
			to[n++] = fds[i];
	if (n) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	(void)syscall(SYS_sendmsg, TO_FD, &msg,
		      MSG_DONTWAIT | MSG_NOSIGNAL); /* he waits, or is gone */
}

/**
 * drop() - Receive a packet, and know nothing of it
 *
 * Return: was there one that is not empty?
 */
__attribute__((no_sanitize("thread"))) static bool drop(void)
{
	union large_control control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = CMSG_LEN(KERNEL_MAX * sizeof(int)),
	};

	return syscall(SYS_recvmsg, FROM_FD, &msg,
		       MSG_CMSG_CLOEXEC | MSG_DONTWAIT) > 0;
}

/**
 * child() - Do the task, end
 * @sock:	Where the packet waits; above 2
 * @pair:	Where to answer, or where the end comes; likewise
 */
__attribute__((noreturn, no_sanitize("thread"))) static void
child(int sock, int pair, enum task task)
{
	char byte;
	struct answer answer = { .r = 0 };
	int fds[RECEIVE_MAX];

	if (syscall(SYS_dup3, sock, FROM_FD, 0) >= 0 &&
	    syscall(SYS_dup3, pair, TO_FD, 0) >= 0 &&
	    !syscall(SYS_close_range, TO_FD + 1, ~0U, 0)) {
		if (task == TASK_PASS) {
			take(&answer, fds);
			pass(&answer, fds);
		} else if (task == TASK_DROP) {
			(void)drop();
		} else {
			/* With something unread its peer would not read what
			 * was said last (ECONNRESET).
			 */
			while (drop())
				;
			(void)syscall(SYS_read, TO_FD, &byte, 1);
		}
	}
	for (;;)
		(void)syscall(SYS_exit_group, 0);
}

/* --- the parent --- */

/**
 * start() - Make the child
 *
 * Return: its pidfd or -errno.
 */
static int start(int sock, int pair, enum task task)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = 0,
	};
	sigset_t all, old;
	long pid;
	int r;

	(void)sigfillset(&all);
	r = pthread_sigmask(SIG_SETMASK, &all, &old);
	if (r)
		return -r;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		child(sock, pair, task);
	r = pid < 0 ? -errno : pidfd;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

/**
 * ready() - Wait until there is something to read, or the end
 */
static bool ready(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, timeout_ms);
	} while (r < 0 && errno == EINTR);
	return r > 0;
}

/**
 * reap() - See whether a child has ended
 *
 * Return: true: its pidfd is closed.
 */
static bool reap(int pidfd, int timeout_ms)
{
	siginfo_t info;

	if (!ready(pidfd, timeout_ms))
		return false;
	(void)waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL);
	(void)fd_close(pidfd);
	return true;
}

/**
 * is_barred() - Is there a child left because of a uid? Or too many in all
 */
static bool is_barred(uid_t uid)
{
	bool barred = false;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n_left;)
		if (reap(left[i].pidfd, 0))
			left[i] = left[--n_left];
		else
			barred |= left[i++].uid == uid;
	barred |= n_left == LEFT_MAX;
	pthread_mutex_unlock(&lock);
	return barred;
}

/**
 * leave() - A child does not end: note it
 */
static void leave(int pidfd, uid_t uid)
{
	pthread_mutex_lock(&lock);
	if (n_left < LEFT_MAX)
		left[n_left++] = (struct left){ pidfd, uid };
	else
		(void)fd_close(pidfd);
	pthread_mutex_unlock(&lock);
}

/**
 * hear() - Take the child's answer
 * @pair:	Our end
 *
 * Return: 0 or -errno.
 */
static int hear(int pair, int fds[RECEIVE_MAX], size_t *ret_n)
{
	struct answer answer;
	int got[RECEIVE_MAX];
	size_t n_got = 0, at = 0;
	ssize_t n;

	if (!ready(pair, ANSWER_MS))
		return -ETIMEDOUT;
	n = fd_receive(pair, &answer, sizeof(answer), got, RECEIVE_MAX,
		       &n_got);
	if (n == sizeof(answer) && answer.r == 0 && answer.n <= RECEIVE_MAX) {
		for (uint32_t i = 0; i < answer.n; i++)
			fds[i] = answer.kinds[i] ? answer.kinds[i] :
				 at < n_got	 ? got[at++] : RECEIVE_FILE;
		*ret_n = answer.n;
		return 0;
	}
	if (n > 0)
		receive_close(got, n_got);
	return n == sizeof(answer) && answer.r < 0 ? answer.r : -ETIMEDOUT;
}

/**
 * spawn() - Make a child with a socket
 * @ret_ours:	Our end of the pair
 *
 * Return: its pidfd or -errno.
 */
static int spawn(int sock, enum task task, int *ret_ours)
{
	_cleanup_fd_ int from = -1, ours = -1, theirs = -1;
	int pair[2], pidfd;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ours = pair[0];
	theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, TO_FD + 1);
	(void)fd_close(pair[1]);
	/* Not where the child puts them. */
	from = fcntl(sock, F_DUPFD_CLOEXEC, TO_FD + 1);
	if (theirs < 0 || from < 0)
		return -errno;
	pidfd = start(from, theirs, task);
	if (pidfd >= 0)
		*ret_ours = TAKE_FD(ours);
	return pidfd;
}

/**
 * is_barred_long() - The same, also after a moment: on a worker
 *
 * A child that the loop has not waited for is about to end.
 */
static bool is_barred_long(uid_t uid)
{
	const struct timespec soon = { .tv_nsec = SOON_MS * 1000000L };

	if (!is_barred(uid))
		return false;
	(void)nanosleep(&soon, NULL); /* short is fine */
	return is_barred(uid);
}

/* receive_memory() - See receive.h */
int receive_memory(int sock, uid_t uid, int fds[RECEIVE_MAX], size_t *ret_n)
{
	_cleanup_fd_ int ours = -1;
	int pidfd, r;

	if (is_barred_long(uid))
		return -EBUSY;
	pidfd = spawn(sock, TASK_PASS, &ours);
	if (pidfd < 0)
		return pidfd;
	r = hear(ours, fds, ret_n);
	if (!reap(pidfd, END_MS))
		leave(pidfd, uid);
	return r;
}

/* receive_drop() - See receive.h */
int receive_drop(int sock, uid_t uid)
{
	_cleanup_fd_ int ours = -1;
	int pidfd;

	if (is_barred(uid))
		return -EBUSY;
	pidfd = spawn(sock, TASK_DROP, &ours);
	if (pidfd < 0)
		return pidfd;
	if (reap(pidfd, DROP_MS))
		return 0;
	leave(pidfd, uid);
	return -ETIMEDOUT;
}

/**
 * waits() - Does a packet with descriptors wait? Those before it are dropped
 * @sock:	Nothing comes any more
 *
 * Also an empty packet has its sender's credentials, and the end has none.
 */
static bool waits(int sock)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	const int on = 1;
	int broken = 0;
	char byte;

	if (setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return true;
	for (;;) {
		struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(sock, &msg, MSG_PEEK | MSG_DONTWAIT);

		/* That its other end was closed is said once. */
		if (n < 0 && (errno == EAGAIN || broken++))
			return errno != EAGAIN;
		if (n < 0)
			continue;
		if (msg.msg_flags & MSG_CTRUNC)
			return true;
		if (n == 0 && !msg.msg_controllen)
			return false;
		(void)recv(sock, &byte, 1, MSG_DONTWAIT); /* seen above */
	}
}

/**
 * keep() - Leave a socket open until it can be closed
 *
 * Without memory for ever.
 */
static void keep(int sock, uid_t uid)
{
	struct kept *one = malloc(sizeof(*one)), **at = &kept;

	if (!one)
		return;
	*one = (struct kept){ .sock = sock, .uid = uid };
	pthread_mutex_lock(&lock);
	while (*at)
		at = &(*at)->next;
	*at = one;
	pthread_mutex_unlock(&lock);
}

/**
 * end() - Close a socket, by a child if descriptors wait in it
 * @sock:	Nothing comes any more; closed, or kept
 */
static void end(int sock, uid_t uid)
{
	int ours = -1, pidfd;

	if (!waits(sock)) {
		(void)fd_close(sock);
		return;
	}
	pidfd = is_barred(uid) ? -EBUSY : spawn(sock, TASK_END, &ours);
	if (pidfd < 0) {
		keep(sock, uid);
		return;
	}
	/* In this order: the child ends when it has the last one. */
	(void)fd_close(sock);
	(void)fd_close(ours);
	if (!reap(pidfd, DROP_MS))
		leave(pidfd, uid);
}

/* receive_end_consume() - See receive.h */
void receive_end_consume(int sock, uid_t uid)
{
	struct kept *one;

	(void)shutdown(sock, SHUT_RD); /* or nobody is there */
	end(sock, uid);
	/* One that could not be closed before, in turn. */
	pthread_mutex_lock(&lock);
	one = kept;
	if (one)
		kept = one->next;
	pthread_mutex_unlock(&lock);
	if (one)
		end(one->sock, one->uid);
	free(one);
}

/* receive_close() - See receive.h */
void receive_close(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)fd_close(fds[i]); /* nothing, if it did not come in */
}
