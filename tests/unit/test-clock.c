/* SPDX-License-Identifier: Apache-2.0
 *
 * test-clock.c - names are unique and sort in the order of their making
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define EACH 5000
#define THREADS 4

static char names[THREADS][EACH][ULID_SIZE];

static void clocks_go_forward(void **state)
{
	uint64_t mono = clock_mono_ns();

	assert_true(clock_mono_ns() >= mono);
	/* 2020 to 2100 */
	assert_in_range(clock_real_us() / 1000000, 1577836800, 4102444800);
}

/* Thousands of them fall into one millisecond. */
static void names_sort_in_the_order_of_their_making(void **state)
{
	for (int i = 0; i < EACH; i++) {
		ulid_make(names[0][i]);
		assert_true(ulid_valid(names[0][i]));
		if (i)
			assert_true(strcmp(names[0][i - 1], names[0][i]) < 0);
	}
}

static void only_names_are_names(void **state)
{
	assert_true(ulid_valid("01arz3ndektsv4rrffq69g5fav"));
	assert_true(ulid_valid("7zzzzzzzzzzzzzzzzzzzzzzzzz"));
	assert_false(ulid_valid("8zzzzzzzzzzzzzzzzzzzzzzzzz"));
	assert_false(ulid_valid("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
	assert_false(ulid_valid("01arz3ndektsv4rrffq69g5fa"));
	assert_false(ulid_valid("01arz3ndektsv4rrffq69g5favv"));
	assert_false(ulid_valid("01arz3ndektsv4rrffq69g5fau"));
	assert_false(ulid_valid("01arz3ndektsv4rrffq69g5fa/"));
	assert_false(ulid_valid(""));
}

/* The first ten digits are the milliseconds. */
static void a_name_begins_with_its_time(void **state)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint64_t before = clock_real_us() / 1000, ms = 0;
	char name[ULID_SIZE];

	ulid_make(name);
	for (int i = 0; i < 10; i++)
		ms = ms << 5 | (uint64_t)(strchr(digits, name[i]) - digits);
	assert_in_range(ms, before, clock_real_us() / 1000);
}

static void *make_many(void *data)
{
	char (*list)[ULID_SIZE] = data;

	for (int i = 0; i < EACH; i++)
		ulid_make(list[i]);

	return NULL;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void threads_never_make_the_same_name(void **state)
{
	char (*all)[ULID_SIZE] = &names[0][0];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_many,
						names[i]), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);

	qsort(all, THREADS * EACH, ULID_SIZE, compare);
	for (int i = 1; i < THREADS * EACH; i++)
		assert_true(strcmp(all[i - 1], all[i]) < 0);
}

/* Both start from the same last name, mostly in the same millisecond. */
static void a_fork_makes_other_names(void **state)
{
	char ours[ULID_SIZE], theirs[ULID_SIZE];
	int p[2];

	for (int i = 0; i < 50; i++) {
		pid_t pid;

		assert_int_equal(pipe(p), 0);
		ulid_make(ours);
		pid = fork();
		assert_true(pid >= 0);
		ulid_make(pid ? ours : theirs);
		if (!pid)
			_exit(write(p[1], theirs, ULID_SIZE) != ULID_SIZE);
		assert_int_equal(read(p[0], theirs, ULID_SIZE), ULID_SIZE);
		waitpid(pid, NULL, 0);
		close(p[0]);
		close(p[1]);
		assert_string_not_equal(ours, theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_go_forward),
		cmocka_unit_test(a_name_begins_with_its_time),
		cmocka_unit_test(names_sort_in_the_order_of_their_making),
		cmocka_unit_test(only_names_are_names),
		cmocka_unit_test(threads_never_make_the_same_name),
		cmocka_unit_test(a_fork_makes_other_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
