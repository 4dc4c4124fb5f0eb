/* SPDX-License-Identifier: Apache-2.0
 *
 * test-fdstore.c - descriptors outlive us at the manager, and only ours return
 *
 * The manager is a thread that understands just what is sent here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "store/fdstore.h"

#define KEPT_MAX 16

struct kept {
	char name[300];
	bool nopoll;
	int fd;
};

static int sock = -1, before;
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept kept[KEPT_MAX];	/* the manager's, under the lock */
static size_t n_kept;

/* Deal with one message. Returns false at the end. */
static bool serve(void)
{
	char text[1024], name[300] = "", *rest = text, *line;
	bool put = false, drop = false, nopoll = false;
	int fd = -1;
	size_t n = 0;
	ssize_t size = fd_receive(sock, text, sizeof(text) - 1, &fd, 1, &n);

	if (size <= 0)
		return false;
	text[size] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		put = put || str_eq(line, "FDSTORE=1");
		drop = drop || str_eq(line, "FDSTOREREMOVE=1");
		nopoll = nopoll || str_eq(line, "FDPOLL=0");
		if (str_starts(line, "FDNAME="))
			str_copy(name, sizeof(name), line + 7);
		if (str_eq(line, "STOP"))
			return false;
	}
	pthread_mutex_lock(&lock);
	for (size_t i = 0; drop && i < n_kept; i++) {
		if (!str_eq(kept[i].name, name))
			continue;
		fd_close(kept[i].fd);
		kept[i--] = kept[--n_kept];
	}
	if (put && n && n_kept < KEPT_MAX) {
		str_copy(kept[n_kept].name, sizeof(name), name);
		kept[n_kept].nopoll = nopoll;
		kept[n_kept++].fd = TAKE_FD(fd);
	}
	pthread_mutex_unlock(&lock);
	fd_close(fd); /* a barrier's */

	return true;
}

static void *manage(void *data)
{
	while (serve())
		;

	return NULL;
}

static int setup(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char name[64];

	before = fd_count();
	snprintf(name, sizeof(name), "@test-fdstore-%d", (int)getpid());
	setenv("NOTIFY_SOCKET", name, 1);
	memcpy(addr.sun_path + 1, name + 1, strlen(name) - 1);
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(sock, (struct sockaddr *)&addr,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				strlen(name))) ||
	       pthread_create(&thread, NULL, manage, NULL);
}

/* Let the manager finish what it was told. */
static void stop_manager(void)
{
	struct sockaddr_un addr;
	socklen_t size = sizeof(addr);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	getsockname(sock, (struct sockaddr *)&addr, &size);
	sendto(fd, "STOP", 4, 0, (struct sockaddr *)&addr, size);
	fd_close(fd);
	pthread_join(thread, NULL);
}

static int teardown(void **state)
{
	stop_manager();
	sock = fd_close(sock);
	while (n_kept)
		fd_close(kept[--n_kept].fd);
	unsetenv("NOTIFY_SOCKET");
	return fd_count() != before;
}

/* How many the manager keeps, once a barrier has been passed. */
static size_t count_kept(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = n_kept;
	pthread_mutex_unlock(&lock);

	return n;
}

/* A descriptor that is known by what is in it. */
static int memfd(const char *content)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_equal(write(fd, content, strlen(content)),
			 strlen(content));

	return fd;
}

static void what_is_put_is_kept_by_its_name(void **state)
{
	int fd = memfd("seven");
	char buf[8] = "";

	assert_int_equal(fdstore_put("context-7", fd, NULL), 0);
	fd_close(fd);
	assert_int_equal(count_kept(), 1);
	assert_string_equal(kept[0].name, "context-7");
	assert_true(kept[0].nopoll);
	assert_int_equal(pread(kept[0].fd, buf, sizeof(buf), 0), 5);
	assert_string_equal(buf, "seven");

	assert_int_equal(fdstore_remove("context-8", NULL), 0);
	assert_int_equal(count_kept(), 1);
	assert_int_equal(fdstore_remove("context-7", NULL), 0);
	assert_int_equal(count_kept(), 0);
}

/* A name with a line feed could say anything to the manager. */
static void names_that_are_none_are_refused(void **state)
{
	static const char *const names[] = {
		"", "context", "-7", "context-", "Context-7", "con text-7",
		"context-7\nFDSTOREREMOVE=1", "context-7:8", "7-context",
		"c-../7/",
	};
	struct error err = ERROR_NULL;
	char longest[FDSTORE_NAME_MAX + 2];
	int fd = memfd("x");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(fdstore_put(names[i], fd, &err), -EINVAL);
		assert_int_equal(fdstore_remove(names[i], &err), -EINVAL);
	}
	memset(longest, 'a', sizeof(longest));
	longest[1] = '-';
	longest[FDSTORE_NAME_MAX + 1] = '\0';
	assert_int_equal(fdstore_put(longest, fd, &err), -EINVAL);
	longest[FDSTORE_NAME_MAX] = '\0';
	assert_int_equal(fdstore_put(longest, fd, &err), 0);
	assert_int_equal(fdstore_put("context-7", -1, &err), -EINVAL);
	assert_int_equal(count_kept(), 1);
	fd_close(fd);
}

static void without_a_manager_nothing_is_promised(void **state)
{
	struct error err = ERROR_NULL;
	char *name = strdup(getenv("NOTIFY_SOCKET"));
	int fd = memfd("x");

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(fdstore_put("context-7", fd, &err), -ENOTCONN);
	assert_int_equal(err.kind, ERROR_KERNEL_SYSTEM);
	setenv("NOTIFY_SOCKET", name, 1);
	fd_close(fd);
	free(name);
}

static void the_room_is_what_the_manager_says(void **state)
{
	unsetenv("FDSTORE");
	assert_int_equal(fdstore_room(), 0);
	setenv("FDSTORE", "512", 1);
	assert_int_equal(fdstore_room(), 512);
	setenv("FDSTORE", "many", 1);
	assert_int_equal(fdstore_room(), 0);
	unsetenv("FDSTORE");
}

/* Wants what holds "good"; notes what it was asked. */
static bool verify(void *data, const char *name, int fd)
{
	char buf[8] = "", *asked = data;

	strcat(strcat(asked, name), " ");
	if (pread(fd, buf, sizeof(buf) - 1, 0) != 4 || !str_eq(buf, "good") ||
	    fcntl(fd, F_GETFD) != FD_CLOEXEC)
		return false;
	fd_close(fd);

	return true;
}

/**
 * restart() - What fdstore_take() does in a process started by the manager
 * @names:	$LISTEN_FDNAMES; NULL for none
 * @asked:	The names that verify() must be asked for, each with a blank
 *
 * Return: what fdstore_take() returned; 100 if something else is wrong.
 */
static int restart(const int *fds, size_t n, const char *names,
		   const char *asked)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		char number[24], got[256] = "";
		int r;

		/* Out of the way of 3 and those that follow. */
		for (size_t i = 0; i < n; i++)
			dup2(fds[i], 200 + (int)i);
		closefrom(200 + (int)n);
		for (size_t i = 0; i < n; i++)
			dup2(200 + (int)i, 3 + (int)i);
		for (size_t i = 0; i < n; i++)
			close(200 + (int)i);
		for (int fd = 3 + (int)n; fd < 200; fd++)
			close(fd);

		snprintf(number, sizeof(number), "%d", (int)getpid());
		setenv("LISTEN_PID", number, 1);
		snprintf(number, sizeof(number), "%zu", n);
		setenv("LISTEN_FDS", number, 1);
		if (names)
			setenv("LISTEN_FDNAMES", names, 1);
		r = fdstore_take(verify, got, NULL);
		if (fcntl(3, F_GETFD) >= 0 || getenv("LISTEN_FDS") ||
		    getenv("LISTEN_PID") || getenv("LISTEN_FDNAMES") ||
		    !str_eq(got, asked) || fdstore_take(verify, got, NULL))
			_exit(100);
		_exit(r < 0 ? 101 : r);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));

	return WEXITSTATUS(status);
}

/* What is not ours, or not what it was, is closed and dropped. */
static void only_what_is_verified_comes_back(void **state)
{
	int good = memfd("good"), evil = memfd("evil");
	int fds[] = { good, evil, good, good };

	assert_int_equal(fdstore_put("context-1", good, NULL), 0);
	assert_int_equal(fdstore_put("context-2", evil, NULL), 0);
	assert_int_equal(restart(fds, 4,
				 "context-1:context-2:stored:context-4",
				 "context-1 context-2 context-4 "), 2);
	/* Waits for the message about context-2. */
	assert_int_equal(fdstore_remove("context-4", NULL), 0);
	assert_int_equal(count_kept(), 1);
	assert_string_equal(kept[0].name, "context-1");
	fd_close(good);
	fd_close(evil);
}

/* Which of the two is it? */
static void names_that_two_have_are_refused(void **state)
{
	int good = memfd("good"), fds[] = { good, good, good };

	assert_int_equal(restart(fds, 3, "context-1:context-2:context-1",
				 "context-2 "), 1);
	fd_close(good);
}

static void nameless_descriptors_are_refused(void **state)
{
	int good = memfd("good"), fds[] = { good, good };

	assert_int_equal(restart(fds, 2, NULL, ""), 0);
	assert_int_equal(restart(fds, 2, "", ""), 0);
	assert_int_equal(restart(fds, 2, ":", ""), 0);
	assert_int_equal(restart(fds, 2, "context-1", "context-1 "), 1);
	assert_int_equal(restart(fds, 1, "context-1:context-2",
				 "context-1 "), 1);
	assert_int_equal(restart(fds, 0, "context-1", ""), 0);
	fd_close(good);
}

/* They were meant for a process above us, or somebody plays. */
static void variables_for_others_are_not_believed(void **state)
{
	int open = fd_count();
	char got[64] = "";

	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "context-1:context-2", 1);
	assert_int_equal(fdstore_take(verify, got, NULL), 0);
	assert_null(getenv("LISTEN_FDS"));
	assert_string_equal(got, "");
	assert_int_equal(fd_count(), open);

	setenv("LISTEN_PID", "x", 1);
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(fdstore_take(verify, got, NULL), -EINVAL);
	assert_string_equal(got, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_put_is_kept_by_its_name),
		T(names_that_are_none_are_refused),
		T(without_a_manager_nothing_is_promised),
		T(the_room_is_what_the_manager_says),
		T(only_what_is_verified_comes_back),
		T(names_that_two_have_are_refused),
		T(nameless_descriptors_are_refused),
		T(variables_for_others_are_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
