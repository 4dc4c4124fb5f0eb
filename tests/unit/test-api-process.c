/* SPDX-License-Identifier: Apache-2.0
 *
 * test-api-process.c - ioasid-api's life, and what it is given to read
 *
 * This program is the ioasid-api, too: started as such it takes what it is
 * given, says on standard error what that was, and refuses what says "bad".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "front-host.h"
#include "front/api-wire.h"
#include "front/server.h"
#include "run/api-process.h"

/* --- as ioasid-api --- */

/**
 * take() - Read a file of the config, and say what it is
 *
 * Return: may it be used?
 */
static bool take(const char *name, int fd)
{
	char text[64] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0 || write(fd, "x", 1) >= 0) /* sealed */
		_exit(3);
	dprintf(2, "(%d has %s=%s)\n", (int)getpid(), name, text);
	return strcmp(text, "bad") != 0;
}

/**
 * answer() - Say whether a config is used
 */
static void answer(bool good)
{
	Ioasid__V1__LinkConfigured done = IOASID__V1__LINK_CONFIGURED__INIT;
	pb_link_packet packet = IOASID__V1__LINK_PACKET__INIT;
	uint8_t out[256];

	done.refused = (char *)(good ? "" : "it says so itself");
	packet.body_case = IOASID__V1__LINK_PACKET__BODY_CONFIGURED;
	packet.configured = &done;
	if (fd_send(3, out, ioasid__v1__link_packet__pack(&packet, out), NULL,
		    0) < 0)
		_exit(4);
}

/**
 * be_the_api() - Take config after config, until ioasidd goes
 */
static int be_the_api(void)
{
	static uint8_t data[4096];

	(void)fcntl(3, F_SETFL, 0); /* wait */
	for (;;) {
		int fds[WIRE_FDS_MAX];
		size_t n_fds;
		pb_link_packet *packet;
		bool good = true;
		ssize_t n = fd_receive(3, data, sizeof(data), fds,
				       WIRE_FDS_MAX, &n_fds);

		if (n <= 0)
			return 0;
		packet = ioasid__v1__link_packet__unpack(NULL, (size_t)n,
							 data);
		if (!packet || packet->body_case !=
			       IOASID__V1__LINK_PACKET__BODY_CONFIG)
			return 5;
		for (size_t i = 0; i < n_fds; i++) {
			good &= take(packet->config->files[i], fds[i]);
			close(fds[i]);
		}
		answer(good);
		ioasid__v1__link_packet__free_unpacked(packet, NULL);
	}
}

/* --- as the test --- */

/**
 * struct world - A front, and what was said on standard error
 */
struct world {
	struct host host;
	struct front *front;
	struct api_process *process;
	struct api_options options;
	char dir[64], native[96], path[96], key[96];
	int fds_before;
	int stderr_before;
	int words;
	char said[65536];
	size_t n_said;
};

/**
 * write_key() - Let the file be such
 */
static void write_key(const struct world *w, const char *text)
{
	int fd = open(w->key, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct error err = ERROR_NULL;
	int ends[2];

	assert_non_null(w);
	w->fds_before = fd_count();
	strcpy(w->dir, "/tmp/ioasidd-api-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->native, sizeof(w->native), "%s/sock", w->dir);
	snprintf(w->path, sizeof(w->path), "%s/api.sock", w->dir);
	snprintf(w->key, sizeof(w->key), "%s/key", w->dir);
	write_key(w, "first");
	w->options = (struct api_options){
		.program = "/proc/self/exe",
		.link = { .socket = w->path, .ceiling = ROLE_OPERATOR },
		.key = w->key,
		.log_level = LOG_LEVEL_INFO,
	};
	w->host.registry = machine_registry(1);
	assert_int_equal(loop_new(&w->host.loop), 0);
	assert_int_equal(front_start(&w->host, w->native, &w->front, &err), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	w->words = ends[0];
	w->stderr_before = fcntl(2, F_DUPFD_CLOEXEC, 3);
	assert_true(dup2(ends[1], 2) == 2);
	close(ends[1]);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	api_process_stop(w->process);
	dup2(w->stderr_before, 2);
	close(w->stderr_before);
	close(w->words);
	assert_int_equal(access(w->path, F_OK), -1);
	front_stop(w->front);
	registry_free(w->host.registry);
	loop_free(w->host.loop);
	assert_int_equal(fd_count(), w->fds_before);
	unlink(w->key);
	rmdir(w->dir);
	free(w);
	return 0;
}

/**
 * wait_for() - Let the loop run until somebody has said something
 *
 * Its line is forgotten then, and no other: ioasid-api may be faster than we
 * are.
 *
 * Return: where it says so.
 */
static const char *wait_for(struct world *w, const char *words)
{
	static char last[256];

	for (int i = 0; i < 10000; i++) {
		char *at;
		ssize_t n;

		loop_stop(w->host.loop);
		assert_int_equal(loop_run(w->host.loop), 0);
		n = read(w->words, w->said + w->n_said,
			 sizeof(w->said) - 1 - w->n_said);
		if (n > 0)
			w->n_said += (size_t)n;
		w->said[w->n_said] = '\0';
		at = strstr(w->said, words);
		if (at && strchr(at, '\n')) {
			char *rest = strchr(at, '\n') + 1;
			char *line = at;

			while (line > w->said && line[-1] != '\n')
				line--;
			rest[-1] = '\0';
			str_copy(last, sizeof(last), at);
			w->n_said -= (size_t)(rest - line);
			memmove(line, rest, w->n_said + 1 - (size_t)(line - w->said));
			return last;
		}
		usleep(1000);
	}
	dprintf(w->stderr_before, "no '%s' in: %s\n", words, w->said);
	fail();
	return NULL;
}

/**
 * start() - Start it
 *
 * Return: its pid.
 */
static pid_t start(struct world *w)
{
	struct error err = ERROR_NULL;

	assert_int_equal(api_process_start(w->front, &w->options, &w->process,
					   &err), 0);
	return atoi(wait_for(w, "is started, pid ") + 16);
}

static void it_is_given_its_files(void **state)
{
	struct world *w = *state;

	(void)start(w);
	(void)wait_for(w, "has limits=)");
	(void)wait_for(w, "has key=first)");
}

static void a_reload_gives_it_new_ones(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_NULL;
	pid_t pid = start(w);

	(void)wait_for(w, "has key=first)");
	write_key(w, "second");
	assert_int_equal(api_process_reload(w->process, &w->options, &err), 0);
	(void)wait_for(w, "has key=second)");
	/* And whoever comes after it. */
	kill(pid, SIGKILL);
	(void)wait_for(w, "has key=second)");
}

static void what_it_refuses_is_not_given_again(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_NULL;
	pid_t pid = start(w);

	(void)wait_for(w, "has key=first)");
	write_key(w, "bad");
	assert_int_equal(api_process_reload(w->process, &w->options, &err), 0);
	(void)wait_for(w, "goes on with the old one: it says so itself");
	kill(pid, SIGKILL);
	(void)wait_for(w, "has key=first)");
}

static void what_cannot_be_read_changes_nothing(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_NULL;
	pid_t pid = start(w);
	char big[65536] = { 0 };
	int fd;

	(void)wait_for(w, "has key=first)");
	unlink(w->key);
	assert_int_equal(api_process_reload(w->process, &w->options, &err),
			 -ENOENT);
	assert_non_null(strstr(err.msg, "the key '"));
	fd = open(w->key, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < 65; i++)
		assert_int_equal(write(fd, big, sizeof(big)), sizeof(big));
	close(fd);
	assert_int_equal(api_process_reload(w->process, &w->options, &err),
			 -EFBIG);
	kill(pid, SIGKILL);
	(void)wait_for(w, "has key=first)");
}

/* Read while there is none: the next one has them. */
static void a_reload_without_it_is_for_the_next(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_NULL;
	pid_t pid = start(w);

	(void)wait_for(w, "has key=first)");
	kill(pid, SIGKILL);
	(void)wait_for(w, "has ended, signal 9; it is started again in 100 ms");
	write_key(w, "second");
	assert_int_equal(api_process_reload(w->process, &w->options, &err), 0);
	(void)wait_for(w, "has key=second)");
}

static void without_a_program_there_is_no_api(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_NULL;

	w->options.program = "/nowhere/ioasid-api";
	assert_int_equal(api_process_start(w->front, &w->options, &w->process,
					   &err), 0);
	assert_null(w->process);
	(void)wait_for(w, "there is no '/nowhere/ioasid-api'");
}

/* What cannot be executed is tried again, not often. */
static void what_is_no_program_is_tried_again(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_NULL;

	w->options.program = w->key;
	assert_int_equal(api_process_start(w->front, &w->options, &w->process,
					   &err), 0);
	(void)wait_for(w, "status 127; it is started again in 100 ms");
	(void)wait_for(w, "status 127; it is started again in 200 ms");
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(it_is_given_its_files),
		IN_A_WORLD(a_reload_gives_it_new_ones),
		IN_A_WORLD(what_it_refuses_is_not_given_again),
		IN_A_WORLD(what_cannot_be_read_changes_nothing),
		IN_A_WORLD(a_reload_without_it_is_for_the_next),
		IN_A_WORLD(without_a_program_there_is_no_api),
		IN_A_WORLD(what_is_no_program_is_tried_again),
	};

	if (argc == 2 && str_starts(argv[1], "--log-level="))
		return be_the_api();
	log_init(LOG_LEVEL_INFO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
