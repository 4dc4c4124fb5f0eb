/* SPDX-License-Identifier: Apache-2.0
 *
 * test-fd.c - descriptors have one owner, and strangers cannot add any
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

static int sock[2];	/* we send on the first, receive on the second */
static int before;	/* descriptors open when the test began */
static int null;

static int setup(void **state)
{
	before = fd_count();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
					       SOCK_NONBLOCK, 0, sock);
}

/* Whatever happened, a test leaves as many descriptors as it found. */
static int teardown(void **state)
{
	null = fd_close(null);
	sock[0] = fd_close(sock[0]);
	sock[1] = fd_close(sock[1]);
	return fd_count() != before;
}

/* Send @n copies of one descriptor with "hi". */
static void send_many(size_t n)
{
	int fds[FD_MESSAGE_MAX];

	for (size_t i = 0; i < n; i++)
		fds[i] = null;
	assert_int_equal(fd_send(sock[0], "hi", 2, fds, n), 0);
}

/* The connection is still in step: the next packet comes whole. */
static void assert_in_step(void)
{
	char buf[8];

	assert_int_equal(fd_send(sock[0], "next", 4, NULL, 0), 0);
	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), NULL, 0, NULL),
			 4);
	assert_memory_equal(buf, "next", 4);
}

static void packets_come_with_their_descriptors(void **state)
{
	struct stat a, b;
	size_t n = 77;
	char buf[8];
	int fds[3];

	send_many(3);
	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), fds, 3, &n), 2);
	assert_memory_equal(buf, "hi", 2);
	assert_int_equal(n, 3);
	fstat(null, &a);
	for (int i = 0; i < 3; i++) {
		fstat(fds[i], &b);
		assert_true(a.st_rdev == b.st_rdev && a.st_ino == b.st_ino);
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		fd_close(fds[i]);
	}
}

static void fewer_descriptors_than_room_are_counted(void **state)
{
	size_t n = 77;
	char buf[8];
	int fds[3];

	send_many(1);
	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), fds, 3, &n), 2);
	assert_int_equal(n, 1);
	fd_close(fds[0]);
	send_many(0);
	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), fds, 3, &n), 2);
	assert_int_equal(n, 0);
}

/* As many as the kernel lets through. */
static void the_most_that_a_message_can_have_comes_through(void **state)
{
	int fds[FD_MESSAGE_MAX];
	size_t n;
	char buf[8];

	send_many(FD_MESSAGE_MAX);
	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), fds,
				    FD_MESSAGE_MAX, &n),
			 2);
	assert_int_equal(n, FD_MESSAGE_MAX);
	while (n)
		fd_close(fds[--n]);
}

/* More than there is room for; one more is where CMSG_SPACE() pads. */
static void surplus_descriptors_are_refused_and_closed(void **state)
{
	for (size_t room = 1; room < 8; room++) {
		for (size_t more = 1; more < 4; more++) {
			int fds[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };
			int open = fd_count();
			size_t n = 77;
			char buf[8];

			send_many(room + more);
			assert_int_equal(fd_receive(sock[1], buf, sizeof(buf),
						    fds, room, &n),
					 -EPROTO);
			assert_int_equal(n, 77);
			assert_int_equal(fds[0], -1);
			assert_int_equal(fd_count(), open);
		}
	}
	assert_in_step();
}

static void unexpected_descriptors_are_refused_and_closed(void **state)
{
	int open = fd_count();
	char buf[8];

	send_many(1);
	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), NULL, 0, NULL),
			 -EPROTO);
	send_many(FD_MESSAGE_MAX);
	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), NULL, 0, NULL),
			 -EPROTO);
	assert_int_equal(fd_count(), open);
	assert_in_step();
}

/* The limit of open files cuts a message short in the kernel. */
static void truncated_descriptors_are_refused_and_closed(void **state)
{
	int open = fd_count(), next = fcntl(null, F_DUPFD_CLOEXEC, 0);
	struct rlimit old, low;
	size_t n = 77;
	char buf[8];
	int fds[4], r;

	fd_close(next);
	send_many(4);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)next + 2; /* room for two of the four */
	setrlimit(RLIMIT_NOFILE, &low);
	r = (int)fd_receive(sock[1], buf, sizeof(buf), fds, 4, &n);
	setrlimit(RLIMIT_NOFILE, &old);

	assert_int_equal(r, -EPROTO);
	assert_int_equal(n, 77);
	assert_int_equal(fd_count(), open);
	assert_in_step();
}

/* And so it does when there is room for none. */
static void descriptors_that_are_all_lost_are_missed(void **state)
{
	int open = fd_count(), next = fcntl(null, F_DUPFD_CLOEXEC, 0), r;
	struct rlimit old, low;
	size_t n = 77;
	char buf[8];
	int fds[4];

	fd_close(next);
	send_many(1);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)next;
	setrlimit(RLIMIT_NOFILE, &low);
	r = (int)fd_receive(sock[1], buf, sizeof(buf), fds, 4, &n);
	setrlimit(RLIMIT_NOFILE, &old);

	assert_int_equal(r, -EPROTO);
	assert_int_equal(fd_count(), open);
}

/* Too long a packet is gone, and so are its descriptors. */
static void long_packets_are_refused_with_their_descriptors(void **state)
{
	int open = fd_count();
	size_t n = 77;
	char buf[8];
	int fds[2];

	assert_int_equal(fd_send(sock[0], "123456789", 9, &null, 1), 0);
	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), fds, 2, &n),
			 -EMSGSIZE);
	assert_int_equal(n, 77);
	assert_int_equal(fd_count(), open);
	assert_in_step();
}

/* The socket may have been made by somebody who turned such things on. */
static void other_control_messages_are_refused(void **state)
{
	static const int options[] = { SO_PASSCRED, SO_PASSPIDFD };
	int open = fd_count(), on = 1, off = 0;

	for (size_t i = 0; i < 2; i++) {
		size_t n = 77;
		char buf[8];
		int fds[40];

		if (setsockopt(sock[1], SOL_SOCKET, options[i], &on,
			       sizeof(on)))
			continue; /* SO_PASSPIDFD is of Linux 6.5 */
		for (size_t room = 1; room < 40; room++) {
			send_many(0);
			assert_int_equal(fd_receive(sock[1], buf, sizeof(buf),
						    fds, room, &n),
					 -EPROTO);
			send_many(1);
			assert_int_equal(fd_receive(sock[1], buf, sizeof(buf),
						    fds, room, &n),
					 -EPROTO);
		}
		assert_int_equal(n, 77);
		assert_int_equal(fd_count(), open);
		setsockopt(sock[1], SOL_SOCKET, options[i], &off, sizeof(off));
		assert_in_step();
	}
}

static void the_end_is_told(void **state)
{
	size_t n = 77;
	char buf[8];
	int fds[1];

	sock[0] = fd_close(sock[0]);
	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), fds, 1, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(fd_send(sock[1], "hi", 2, NULL, 0), -EPIPE);
}

/* A stranger may send an empty packet with a descriptor. */
static void empty_packets_are_an_end_and_leave_nothing(void **state)
{
	struct msghdr msg = { 0 };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	int open = fd_count(), fds[1];
	size_t n = 77;
	char buf[8];

	memcpy(CMSG_DATA(&control.header), &null, sizeof(null));
	msg.msg_control = &control;
	msg.msg_controllen = sizeof(control);
	assert_int_equal(sendmsg(sock[0], &msg, 0), 0);
	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), fds, 1, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(fd_count(), open);
}

static void nothing_blocks(void **state)
{
	char buf[1024] = { 0 };
	size_t n;
	int fds[1], r;

	assert_int_equal(fd_receive(sock[1], buf, sizeof(buf), fds, 1, &n),
			 -EAGAIN);
	do {
		r = fd_send(sock[0], buf, sizeof(buf), NULL, 0);
	} while (!r);
	assert_int_equal(r, -EAGAIN);
}

static void senseless_calls_are_refused(void **state)
{
	int fds[FD_MESSAGE_MAX + 1] = { 0 };
	size_t n;
	char c;

	assert_int_equal(fd_send(sock[0], "", 0, NULL, 0), -EINVAL);
	assert_int_equal(fd_send(sock[0], "x", 1, fds, FD_MESSAGE_MAX + 1),
			 -EINVAL);
	assert_int_equal(fd_receive(sock[1], &c, 1, fds, FD_MESSAGE_MAX + 1,
				    &n),
			 -EINVAL);
	assert_int_equal(fd_receive(sock[1], &c, 0, NULL, 0, NULL), -EINVAL);
}

/* TAKE_FD() empties, the attribute closes, fd_close() keeps errno. */
static void owners_are_visible(void **state)
{
	int open = fd_count(), kept;

	{
		_cleanup_fd_ int a = dup(null), b = dup(null);

		assert_int_equal(fd_count(), open + 2);
		kept = TAKE_FD(a);
		assert_int_equal(a, -1);
		assert_true(b >= 0);
	}
	assert_int_equal(fd_count(), open + 1);
	errno = ENOTTY;
	assert_int_equal(fd_close(kept), -1);
	assert_int_equal(fd_close(kept), -1); /* EBADF; nobody is told */
	assert_int_equal(fd_close(-1), -1);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(fd_count(), open);
}

/* Whoever wants to know who sends hears it, and is still in step. */
static void credentials_come_with_packet_and_descriptors(void **state)
{
	struct ucred creds = { 0 };
	int on = 1, fds[2];
	char buf[8];
	size_t n;

	assert_int_equal(setsockopt(sock[1], SOL_SOCKET, SO_PASSCRED, &on,
				    sizeof(on)), 0);
	send_many(2);
	assert_int_equal(fd_receive_from(sock[1], buf, sizeof(buf), fds, 2, &n,
					 &creds), 2);
	assert_int_equal(n, 2);
	assert_int_equal(creds.pid, getpid());
	assert_int_equal(creds.uid, getuid());
	fd_close(fds[0]);
	fd_close(fds[1]);
	/* No more descriptors than without: the room is as exact. */
	send_many(2);
	assert_int_equal(fd_receive_from(sock[1], buf, sizeof(buf), fds, 1, &n,
					 &creds), -EPROTO);
	send_many(1);
	assert_int_equal(fd_receive_from(sock[1], buf, sizeof(buf), NULL, 0,
					 NULL, &creds), -EPROTO);
}

static void missing_credentials_are_refused(void **state)
{
	struct ucred creds;
	char buf[8];
	size_t n;
	int fd;

	send_many(1);
	assert_int_equal(fd_receive_from(sock[1], buf, sizeof(buf), &fd, 1, &n,
					 &creds), -EPROTO);
	assert_in_step();
}

static void small_files_are_read_whole_or_not(void **state)
{
	char path[] = "/tmp/test-fd.XXXXXX", buf[8];
	int fd = mkstemp(path), r;

	assert_int_equal(write(fd, "1234567", 7), 7);
	assert_int_equal(fd_read_file(AT_FDCWD, path, buf, sizeof(buf)), 7);
	assert_string_equal(buf, "1234567");
	assert_int_equal(fd_read_file(AT_FDCWD, path, buf, 7), -EFBIG);
	assert_string_equal(buf, "123456");
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(fd_read_file(AT_FDCWD, path, buf, 1), 0);
	assert_string_equal(buf, "");
	unlink(path);
	fd_close(fd);

	r = (int)fd_read_file(AT_FDCWD, path, buf, sizeof(buf));
	assert_int_equal(r, -ENOENT);
	assert_int_equal(fd_read_file(AT_FDCWD, "/tmp", buf, sizeof(buf)),
			 -EISDIR);
	assert_true(fd_read_file(AT_FDCWD, "/proc/self/stat", buf, 8) ==
		    -EFBIG);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(packets_come_with_their_descriptors),
		T(fewer_descriptors_than_room_are_counted),
		T(the_most_that_a_message_can_have_comes_through),
		T(surplus_descriptors_are_refused_and_closed),
		T(unexpected_descriptors_are_refused_and_closed),
		T(truncated_descriptors_are_refused_and_closed),
		T(descriptors_that_are_all_lost_are_missed),
		T(long_packets_are_refused_with_their_descriptors),
		T(other_control_messages_are_refused),
		T(the_end_is_told),
		T(empty_packets_are_an_end_and_leave_nothing),
		T(nothing_blocks),
		T(senseless_calls_are_refused),
		T(credentials_come_with_packet_and_descriptors),
		T(missing_credentials_are_refused),
		T(owners_are_visible),
		T(small_files_are_read_whole_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
