/* SPDX-License-Identifier: Apache-2.0
 *
 * test-log.c - a line is a line, whatever is in it
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

static int out[2], stderr_before;
static char text[65536];

/* Put a pipe in place of stderr; as the journal's stream if @journal. */
static void capture(bool journal)
{
	char stream[64];
	struct stat st;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	stderr_before = fcntl(2, F_DUPFD_CLOEXEC, 3);
	dup2(out[1], 2);
	fstat(2, &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino + !journal);
	setenv("JOURNAL_STREAM", stream, 1);
}

/* Give stderr back, and return what was written. */
static const char *captured(void)
{
	ssize_t n;

	dup2(stderr_before, 2);
	fd_close(stderr_before);
	fd_close(out[1]);
	n = read(out[0], text, sizeof(text) - 1);
	fd_close(out[0]);
	text[n > 0 ? n : 0] = '\0';

	return text;
}

static void under_systemd_lines_begin_with_their_priority(void **state)
{
	capture(true);
	log_init(LOG_LEVEL_INFO);
	log_warning("device %s", "x");
	log_info("more");
	assert_string_equal(captured(), "<4>device x\n<6>more\n");
}

/* A shell below a unit may have redirected stderr. */
static void elsewhere_lines_begin_with_the_time(void **state)
{
	int year, month, day, hour, minute, second, ms, end = 0;

	capture(false);
	log_init(LOG_LEVEL_INFO);
	log_error("words");
	captured();
	assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year,
				&month, &day, &hour, &minute, &second, &ms,
				&end),
			 7);
	assert_string_equal(text + end, "error: words\n");
}

static void less_urgent_lines_are_not_shown(void **state)
{
	capture(true);
	log_init(LOG_LEVEL_ERROR);
	log_debug("no");
	log_warning("no");
	log_error("yes");
	assert_string_equal(captured(), "<3>yes\n");
}

/* Nobody can write a second line, or one with another priority. */
static void strangers_cannot_make_lines(void **state)
{
	capture(true);
	log_init(LOG_LEVEL_INFO);
	log_info("name '%s'", "x\n<2>on fire\x1b[2J");
	assert_string_equal(captured(), "<6>name 'x?<2>on fire?[2J'\n");
}

static void errno_is_worded_and_kept(void **state)
{
	capture(true);
	log_init(LOG_LEVEL_INFO);
	errno = ENOENT;
	log_info("open: %m");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(captured(), "<6>open: No such file or directory\n");
}

static void long_lines_are_cut_and_ended(void **state)
{
	char words[4096];

	memset(words, 'w', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	capture(true);
	log_init(LOG_LEVEL_INFO);
	log_info("%s", words);
	captured();
	assert_int_equal(strlen(text), 2048);
	assert_int_equal(text[2047], '\n');
}

static void problems_name_id_object_and_causes(void **state)
{
	struct error err = ERROR_NULL;

	error_set(&err, -EBUSY, ERROR_DEVICE_IN_USE, "in use");
	error_object(&err, "devices/a");
	error_cause(&err, "mount", "/srv", "is mounted");
	capture(true);
	log_init(LOG_LEVEL_INFO);
	log_problem(LOG_LEVEL_WARNING, &err, "prepare %d", 1);
	log_problem(LOG_LEVEL_DEBUG, &err, "not shown");
	assert_string_equal(
		captured(),
		"<4>prepare 1: in use [device.in-use, devices/a]\n"
		"<4>prepare 1: in the way: mount /srv: is mounted\n");
}

static void levels_have_names(void **state)
{
	enum log_level level;

	assert_int_equal(log_level_from_name("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_from_name("error", &level), 0);
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_int_equal(log_level_from_name("loud", &level), -EINVAL);
}

static void *write_many(void *data)
{
	for (int i = 0; i < 200; i++)
		log_info("%s", (char *)data);

	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	char a[] = "aaaaaaaaaaaaaaaaaaaa", b[] = "bbbbbbbbbbbbbbbbbbbb";
	pthread_t threads[2];
	char *rest, *line;
	int lines = 0;

	capture(true);
	log_init(LOG_LEVEL_INFO);
	pthread_create(&threads[0], NULL, write_many, a);
	pthread_create(&threads[1], NULL, write_many, b);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	captured();
	rest = text;
	while ((line = strsep(&rest, "\n")) && *line) {
		assert_true(str_eq(line + 3, a) || str_eq(line + 3, b));
		lines++;
	}
	assert_int_equal(lines, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(under_systemd_lines_begin_with_their_priority),
		cmocka_unit_test(elsewhere_lines_begin_with_the_time),
		cmocka_unit_test(less_urgent_lines_are_not_shown),
		cmocka_unit_test(strangers_cannot_make_lines),
		cmocka_unit_test(errno_is_worded_and_kept),
		cmocka_unit_test(long_lines_are_cut_and_ended),
		cmocka_unit_test(problems_name_id_object_and_causes),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test(lines_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
