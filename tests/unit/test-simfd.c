/* SPDX-License-Identifier: Apache-2.0
 *
 * test-simfd.c - calls on a descriptor reach who has its other end, and back
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/simfd.h"

/* What the machine was asked last, and what it says next. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct simfd_request asked;
static int64_t says;
static bool silent;
/* Where it says that a descriptor belongs; -1: it gives none. */
static int64_t gives_at = -1;

/* Say what the machine is to answer. */
static void let_it_say(int64_t result)
{
	pthread_mutex_lock(&lock);
	says = result;
	pthread_mutex_unlock(&lock);
}

/* What it was asked. */
static struct simfd_request was_asked(void)
{
	struct simfd_request request;

	pthread_mutex_lock(&lock);
	request = asked;
	pthread_mutex_unlock(&lock);

	return request;
}

static int ends[2] = { -1, -1 };
static int before;
static pthread_t machine;

/* The other end: answers each call, after having written to its address. */
static void *serve(void *data)
{
	const int fd = *(const int *)data;
	const uint32_t word = 0x4711;
	struct simfd_request request;
	struct ucred caller;
	size_t n_fds;
	int answer;

	while (fd_receive_from(fd, &request, sizeof(request), &answer, 1,
			       &n_fds, &caller) == sizeof(request)) {
		struct iovec ours = { (void *)&word, sizeof(word) };
		struct iovec theirs = { (void *)(uintptr_t)request.address,
					sizeof(word) };
		struct simfd_reply reply;

		pthread_mutex_lock(&lock);
		asked = request;
		reply.result = says;
		if (request.op != SIMFD_PWRITE && request.address)
			(void)process_vm_writev(caller.pid, &ours, 1, &theirs,
						1, 0);
		if (!silent && gives_at >= 0) {
			const struct simfd_reply_fd made = {
				says, (uint64_t)gives_at,
			};

			(void)fd_send(answer, &made, sizeof(made), &fd, 1);
		} else if (!silent)
			(void)fd_send(answer, &reply, sizeof(reply), NULL, 0);
		fd_close(answer);
		pthread_mutex_unlock(&lock);
	}

	return NULL;
}

static int setup(void **state)
{
	int on = 1;

	before = fd_count();
	silent = false;
	gives_at = -1;
	says = 0;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) ||
	       setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
	       pthread_create(&machine, NULL, serve, &ends[1]);
}

/* Whatever happened, a test leaves as many descriptors as it found. */
static int teardown(void **state)
{
	if (ends[0] >= 0)
		(void)shutdown(ends[0], SHUT_RDWR);
	pthread_join(machine, NULL);
	ends[0] = fd_close(ends[0]);
	ends[1] = fd_close(ends[1]);
	return fd_count() != before;
}

static void sockets_are_told_from_others(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(simfd_is(ends[0]));
	assert_false(simfd_is(null));
	errno = ENOTTY;
	assert_false(simfd_is(-1));
	assert_int_equal(errno, ENOTTY);
	fd_close(null);
}

static void a_call_comes_with_its_number_and_its_answer_in_place(void **state)
{
	uint32_t word = 0;

	let_it_say(3);
	assert_int_equal(simfd_ioctl(ends[0], 0x3b71, &word), 3);
	assert_int_equal(word, 0x4711);
	assert_int_equal(was_asked().magic, SIMFD_MAGIC);
	assert_int_equal(was_asked().op, SIMFD_IOCTL);
	assert_int_equal(was_asked().number, 0x3b71);
	assert_int_equal(was_asked().address, (uintptr_t)&word);
}

static void reads_and_writes_say_where_and_how_much(void **state)
{
	const off_t at = (off_t)7 << 40;
	uint32_t word = 0;

	let_it_say(sizeof(word));
	assert_int_equal(simfd_pread(ends[0], &word, sizeof(word), at), 4);
	assert_int_equal(word, 0x4711);
	assert_int_equal(was_asked().op, SIMFD_PREAD);
	assert_int_equal(was_asked().number, at);
	assert_int_equal(was_asked().length, sizeof(word));

	assert_int_equal(simfd_pwrite(ends[0], &word, sizeof(word), at), 4);
	assert_int_equal(was_asked().op, SIMFD_PWRITE);
	assert_int_equal(was_asked().address, (uintptr_t)&word);
}

static void what_is_refused_has_its_errno(void **state)
{
	let_it_say(-EADDRINUSE);
	assert_int_equal(simfd_ioctl(ends[0], 1, NULL), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(simfd_pread(ends[0], NULL, 0, 0), -1);
	assert_int_equal(errno, EADDRINUSE);
}

/* Descriptors, without those of a call that the machine is about to end. */
static int count(void)
{
	int n;

	pthread_mutex_lock(&lock);
	n = fd_count();
	pthread_mutex_unlock(&lock);
	return n;
}

/* One that is given to it at @offset of an argument of 12 bytes. */
static int given_at(int64_t offset, uint32_t *arg)
{
	if (arg)
		memset(arg, 0xff, 3 * sizeof(arg[0]));
	pthread_mutex_lock(&lock);
	gives_at = offset;
	pthread_mutex_unlock(&lock);
	return simfd_ioctl(ends[0], 1, arg);
}

static void a_descriptor_is_named_in_the_argument_or_not_taken(void **state)
{
	uint32_t arg[3];
	int n = count();

	/* The machine writes the first word, a size of 0x4711. */
	assert_int_equal(given_at(8, arg), 0);
	assert_int_equal(count(), n + 1);
	assert_true(fcntl((int)arg[2], F_GETFD) & FD_CLOEXEC);
	fd_close((int)arg[2]);
	assert_int_equal(arg[1], UINT32_MAX);

	assert_int_equal(given_at(0x4711 - 3, arg), -1);
	assert_int_equal(errno, ENODEV);
	assert_int_equal(given_at(INT64_MAX, arg), -1);
	assert_int_equal(given_at(8, NULL), -1);
	assert_int_equal(count(), n);
	assert_int_equal(simfd_pread(ends[0], arg, sizeof(arg), 0), -1);
	assert_int_equal(count(), n);
}

static void a_machine_that_is_no_more_is_enodev(void **state)
{
	pthread_mutex_lock(&lock);
	silent = true;
	pthread_mutex_unlock(&lock);
	assert_int_equal(simfd_ioctl(ends[0], 1, NULL), -1);
	assert_int_equal(errno, ENODEV);

	(void)shutdown(ends[1], SHUT_RDWR);
	pthread_join(machine, NULL);
	ends[1] = fd_close(ends[1]);
	assert_int_equal(simfd_ioctl(ends[0], 1, NULL), -1);
	assert_int_equal(errno, ENODEV);
	/* For teardown. */
	assert_int_equal(pthread_create(&machine, NULL, serve, &ends[1]), 0);
}

static void *call_often(void *data)
{
	for (int i = 0; i < 200; i++) {
		uint32_t word = 0;

		if (simfd_ioctl(ends[0], 1, &word) || word != 0x4711)
			return NULL;
	}

	return data;
}

/* More than the socket holds at once, too: callers wait for room. */
static void threads_get_their_own_answers(void **state)
{
	pthread_t threads[16];
	void *good;

	for (size_t i = 0; i < 16; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often,
						threads), 0);
	for (size_t i = 0; i < 16; i++) {
		pthread_join(threads[i], &good);
		assert_ptr_equal(good, threads);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(sockets_are_told_from_others),
		T(a_call_comes_with_its_number_and_its_answer_in_place),
		T(reads_and_writes_say_where_and_how_much),
		T(what_is_refused_has_its_errno),
		T(a_descriptor_is_named_in_the_argument_or_not_taken),
		T(a_machine_that_is_no_more_is_enodev),
		T(threads_get_their_own_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
