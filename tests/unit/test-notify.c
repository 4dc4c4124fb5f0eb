/* SPDX-License-Identifier: Apache-2.0
 *
 * test-notify.c - the manager is found and told, and its silence is bounded
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/notify.h"

static int manager = -1, before;
static char path[108];

/* Listen like the manager, by path or by abstract name. */
static void listen_at(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t n = strlen(name);

	memcpy(addr.sun_path, name, n);
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&addr,
			      (socklen_t)(offsetof(struct sockaddr_un,
						   sun_path) + n)), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static int setup(void **state)
{
	before = fd_count();
	snprintf(path, sizeof(path), "/tmp/test-notify.%d", (int)getpid());
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

static int teardown(void **state)
{
	manager = fd_close(manager);
	unlink(path);
	return fd_count() != before;
}

static void without_a_manager_nothing_happens(void **state)
{
	assert_int_equal(notify_send("READY=1"), 0);
	assert_int_equal(notify_barrier(10), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_send("READY=1"), 0);
}

static void paths_and_abstract_names_are_understood(void **state)
{
	char abstract[64], buf[64];

	snprintf(abstract, sizeof(abstract), "@test-notify-%d",
		 (int)getpid());
	for (int i = 0; i < 2; i++) {
		listen_at(i ? abstract : path);
		assert_int_equal(notify_send("READY=1\nSTATUS=up"), 1);
		assert_int_equal(fd_receive(manager, buf, sizeof(buf), NULL, 0,
					    NULL), 17);
		assert_memory_equal(buf, "READY=1\nSTATUS=up", 17);
		manager = fd_close(manager);
	}
}

/* A path of 108 characters has no NUL in the address. */
static void the_longest_path_is_understood(void **state)
{
	char dir[] = "/tmp/test-notify.XXXXXX", name[120], buf[8];

	assert_non_null(mkdtemp(dir));
	memset(name, 'n', sizeof(name));
	memcpy(name, dir, strlen(dir));
	name[strlen(dir)] = '/';
	name[108] = '\0';
	listen_at(name);
	assert_int_equal(notify_send("READY=1"), 1);
	assert_int_equal(fd_receive(manager, buf, sizeof(buf), NULL, 0, NULL),
			 7);
	unlink(name);
	rmdir(dir);

	name[108] = 'n';
	name[109] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_send("READY=1"), -EINVAL);
}

static void other_names_are_refused(void **state)
{
	static const char *const names[] = { "relative", "@", "/", "vsock:2:3",
					     "." };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		assert_int_equal(notify_send("READY=1"), -EINVAL);
	}
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	assert_int_equal(notify_send("READY=1"), -ENOENT);
}

static void a_manager_that_does_not_read_is_given_up(void **state)
{
	uint64_t start = clock_mono_ns();
	int r;

	listen_at(path);
	do {
		r = notify_send("STATUS=again");
	} while (r == 1);
	assert_int_equal(r, -EAGAIN);
	assert_in_range((clock_mono_ns() - start) / 1000000, 900, 30000);
}

static void *serve_barrier(void *data)
{
	char buf[64];
	int fd = -1;
	size_t n = 0;

	usleep(20000);
	if (fd_receive(manager, buf, sizeof(buf), &fd, 1, &n) > 0 && n)
		fd_close(fd);

	return NULL;
}

static void a_barrier_waits_for_the_manager(void **state)
{
	uint64_t start = clock_mono_ns();
	pthread_t thread;

	listen_at(path);
	assert_int_equal(pthread_create(&thread, NULL, serve_barrier, NULL),
			 0);
	assert_int_equal(notify_barrier(5000), 1);
	assert_true(clock_mono_ns() - start >= 20000000);
	pthread_join(thread, NULL);
	assert_int_equal(notify_barrier(20), -ETIMEDOUT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(without_a_manager_nothing_happens),
		T(paths_and_abstract_names_are_understood),
		T(the_longest_path_is_understood),
		T(other_names_are_refused),
		T(a_manager_that_does_not_read_is_given_up),
		T(a_barrier_waits_for_the_manager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
