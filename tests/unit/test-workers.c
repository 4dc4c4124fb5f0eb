/* SPDX-License-Identifier: Apache-2.0
 *
 * test-workers.c - work gets done, and threads of a burst end
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/str.h"
#include "ops/workers.h"

#define MAX 8

static atomic_uint at_work, done;
static atomic_bool go;

/* nap() - For some milliseconds. */
static void nap(long ms)
{
	const struct timespec time = { .tv_sec = ms / 1000,
				       .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&time, NULL); /* short is fine */
}

/* threads() - How many this process has. */
static unsigned int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int n = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* until() - Wait for a number to be reached, half a minute at most. */
static void until(const atomic_uint *number, unsigned int wanted)
{
	for (int i = 0; i < 3000 && atomic_load(number) != wanted; i++)
		nap(10);
	assert_int_equal(atomic_load(number), wanted);
}

/* wait_to_go() - Work that all threads are needed for. */
static void wait_to_go(void *data)
{
	(void)data;
	atomic_fetch_add(&at_work, 1);
	while (!atomic_load(&go))
		nap(1);
	atomic_fetch_add(&done, 1);
}

/* submit_more() - Work that makes work, while the pool ends too. */
static void submit_more(void *data)
{
	struct workers *workers = data;

	nap(20);
	for (int i = 0; i < 4; i++)
		assert_int_equal(workers_submit(workers, wait_to_go, NULL), 0);
}

/* burst() - Twice as much work as threads, all at once. */
static void burst(struct workers *workers)
{
	atomic_store(&go, false);
	atomic_store(&at_work, 0);
	atomic_store(&done, 0);
	for (int i = 0; i < 2 * MAX; i++)
		assert_int_equal(workers_submit(workers, wait_to_go, NULL), 0);
	until(&at_work, MAX);
	atomic_store(&go, true);
	until(&done, 2 * MAX);
}

/* As many work at once as there may be; afterwards all end, and a second burst
 * gets as many again.
 */
static void threads_of_a_burst_end(void **state)
{
	struct workers *workers;
	unsigned int before;

	assert_int_equal(workers_new(MAX, &workers), 0);
	burst(workers);
	before = threads() - MAX; /* a sanitizer has one, too */
	for (int i = 0; i < 3000 && threads() > before; i++)
		nap(10);
	assert_int_equal(threads(), before);
	burst(workers);
	assert_int_equal(threads(), before + MAX);
	assert_null(workers_free(workers));
	assert_int_equal(threads(), before);
}

/* What was submitted is done before the pool has ended, and what that submits. */
static void work_that_makes_work_ends_first(void **state)
{
	struct workers *workers;

	atomic_store(&go, true);
	for (int i = 0; i < 20; i++) {
		atomic_store(&done, 0);
		assert_int_equal(workers_new(MAX, &workers), 0);
		assert_int_equal(workers_submit(workers, submit_more, workers),
				 0);
		assert_null(workers_free(workers));
		assert_int_equal(atomic_load(&done), 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_of_a_burst_end),
		cmocka_unit_test(work_that_makes_work_ends_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
