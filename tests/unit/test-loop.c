/* SPDX-License-Identifier: Apache-2.0
 *
 * test-loop.c - the loop stands handlers that end anything, and other threads
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
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"

#define MS 1000000ull
#define MANY 20

static struct loop *loop;
static int before;

static int setup(void **state)
{
	before = fd_count();
	return loop_new(&loop);
}

static int teardown(void **state)
{
	loop = loop_free(loop);
	return fd_count() != before;
}

/* A timer's or posted handler that ends the run. */
static void stop(void *data)
{
	loop_stop(loop);
}

/* Run for some time, and at least one round. */
static void run_for(uint64_t ns)
{
	struct loop_source *timer;

	assert_int_equal(loop_timer(loop, stop, NULL, &timer), 0);
	loop_arm(timer, clock_mono_ns() + ns);
	assert_int_equal(loop_run(loop), 0);
	loop_unwatch(timer);
}

struct end {
	int fds[2];
	struct loop_source *source;
	uint32_t events;
	int calls;
};

static struct end ends[MANY];

static void make_end(struct end *end, uint32_t events, loop_fd_fn fn)
{
	*end = (struct end){ 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    end->fds), 0);
	assert_int_equal(loop_watch(loop, end->fds[0], events, fn, end,
				    &end->source), 0);
}

static void drop_end(struct end *end)
{
	end->source = loop_unwatch(end->source);
	end->fds[0] = fd_close(end->fds[0]);
	end->fds[1] = fd_close(end->fds[1]);
}

static void count_and_stop(void *data, uint32_t events)
{
	struct end *end = data;

	end->calls++;
	end->events |= events;
	loop_stop(loop);
}

static void readiness_is_told_until_it_is_over(void **state)
{
	char c;

	make_end(&ends[0], EPOLLIN, count_and_stop);
	assert_int_equal(write(ends[0].fds[1], "x", 1), 1);
	loop_run(loop);
	loop_run(loop);
	assert_int_equal(ends[0].calls, 2);
	assert_int_equal(ends[0].events, EPOLLIN);
	assert_int_equal(read(ends[0].fds[0], &c, 1), 1);
	run_for(MS);
	assert_int_equal(ends[0].calls, 2);
	drop_end(&ends[0]);
}

static void wants_can_be_changed(void **state)
{
	make_end(&ends[0], EPOLLIN, count_and_stop);
	assert_int_equal(write(ends[0].fds[1], "x", 1), 1);
	loop_want(ends[0].source, EPOLLOUT);
	loop_run(loop);
	assert_int_equal(ends[0].events, EPOLLOUT);
	loop_want(ends[0].source, 0);
	run_for(MS);
	assert_int_equal(ends[0].calls, 1);
	drop_end(&ends[0]);
}

/* A regular file cannot be watched; nothing is left of the attempt. */
static void what_cannot_be_watched_is_refused(void **state)
{
	struct loop_source *source = NULL;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_int_equal(loop_watch(loop, fd, EPOLLIN, count_and_stop, NULL,
				    &source), -EPERM);
	fd_close(fd);
	assert_int_equal(loop_watch(loop, fd, EPOLLIN, count_and_stop, NULL,
				    &source), -EBADF);
	assert_null(source);
}

static int ended_calls;

/* Ends every source, its own too. */
static void end_all(void *data, uint32_t events)
{
	ended_calls++;
	for (int i = 0; i < MANY; i++)
		drop_end(&ends[i]);
}

/* All are ready in one batch, and the first handler ends the lot. */
static void a_handler_may_end_every_source(void **state)
{
	ended_calls = 0;
	for (int i = 0; i < MANY; i++) {
		make_end(&ends[i], EPOLLIN, end_all);
		assert_int_equal(write(ends[i].fds[1], "x", 1), 1);
	}
	run_for(5 * MS);
	assert_int_equal(ended_calls, 1);
}

static struct end fresh;

/* Ends all and watches a new descriptor, likely of the same number. */
static void replace_all(void *data, uint32_t events)
{
	ended_calls++;
	for (int i = 0; i < MANY; i++)
		drop_end(&ends[i]);
	make_end(&fresh, EPOLLIN, count_and_stop);
}

/* Readiness of the ended one must not reach the new one. */
static void a_new_source_gets_no_events_of_an_old_one(void **state)
{
	ended_calls = 0;
	for (int i = 0; i < MANY; i++) {
		make_end(&ends[i], EPOLLIN, replace_all);
		assert_int_equal(write(ends[i].fds[1], "x", 1), 1);
	}
	run_for(5 * MS);
	assert_int_equal(ended_calls, 1);
	assert_int_equal(fresh.calls, 0);
	assert_int_equal(write(fresh.fds[1], "x", 1), 1);
	loop_run(loop);
	assert_int_equal(fresh.calls, 1);
	drop_end(&fresh);
}

/* Takes back what the others want. */
static void want_nothing_of_others(void *data, uint32_t events)
{
	struct end *end = data;

	end->calls++;
	for (int i = 0; i < MANY; i++)
		if (&ends[i] != end)
			loop_want(ends[i].source, 0);
	loop_stop(loop);
}

/* The batch still has their readiness. */
static void a_want_taken_back_holds_within_the_round(void **state)
{
	int calls = 0;

	for (int i = 0; i < MANY; i++) {
		make_end(&ends[i], EPOLLIN, want_nothing_of_others);
		assert_int_equal(write(ends[i].fds[1], "x", 1), 1);
	}
	loop_run(loop);
	for (int i = 0; i < MANY; i++) {
		calls += ends[i].calls;
		drop_end(&ends[i]);
	}
	assert_int_equal(calls, 1);
}

/* A client holds a copy: closing ours would leave it in epoll for ever. */
static void a_copy_elsewhere_wakes_nobody(void **state)
{
	int copy;

	make_end(&ends[0], EPOLLIN, count_and_stop);
	copy = dup(ends[0].fds[0]);
	assert_int_equal(write(ends[0].fds[1], "x", 1), 1);
	ends[0].source = loop_unwatch(ends[0].source);
	ends[0].fds[0] = fd_close(ends[0].fds[0]);
	run_for(MS);
	assert_int_equal(ends[0].calls, 0);
	fd_close(copy);
	fd_close(ends[0].fds[1]);
}

static int order[4096];
static int n_order;

static void note(void *data)
{
	order[n_order++] = (int)(intptr_t)data;
}

/* Whatever the order of arming, moving and disarming. */
static void timers_fire_by_deadline_and_once(void **state)
{
	struct loop_source *timers[1000];
	uint64_t now = clock_mono_ns();
	int expected = 0;

	srand(1);
	n_order = 0;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(loop_timer(loop, note, (void *)(intptr_t)i,
					    &timers[i]), 0);
	for (int i = 0; i < 5000; i++) {
		int which = rand() % 1000;

		loop_arm(timers[which],
			 rand() % 4 ? now + (uint64_t)rand() % (9 * MS) : 0);
	}
	/* Number i is due after 3 us times i; each seventh never. */
	for (int i = 999; i >= 0; i--)
		loop_arm(timers[i], i % 7 ? now + (uint64_t)i * 3000 : 0);
	run_for(10 * MS);
	run_for(0);

	for (int i = 0, at = 0; i < 1000; i++) {
		if (i % 7 == 0)
			continue;
		expected++;
		assert_int_equal(order[at++], i);
	}
	assert_int_equal(n_order, expected);
	for (int i = 0; i < 1000; i++)
		loop_unwatch(timers[i]);
}

static void timers_are_not_early(void **state)
{
	uint64_t start = clock_mono_ns();

	run_for(3 * MS + 1);
	assert_true(clock_mono_ns() >= start + 3 * MS + 1);
}

static struct loop_source *pair[2];
static int pair_calls;

static void end_both(void *data)
{
	pair_calls++;
	pair[0] = loop_unwatch(pair[0]);
	pair[1] = loop_unwatch(pair[1]);
}

/* Both were due in the same round. */
static void a_due_timer_that_is_ended_does_not_fire(void **state)
{
	pair_calls = 0;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(loop_timer(loop, end_both, NULL, &pair[i]),
				 0);
		loop_arm(pair[i], 1);
	}
	run_for(MS);
	assert_int_equal(pair_calls, 1);
}

static void disarm_both(void *data)
{
	pair_calls++;
	loop_arm(pair[0], 0);
	loop_arm(pair[1], 0);
}

static void a_due_timer_that_is_disarmed_does_not_fire(void **state)
{
	pair_calls = 0;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(loop_timer(loop, disarm_both, NULL, &pair[i]),
				 0);
		loop_arm(pair[i], 1);
	}
	run_for(MS);
	assert_int_equal(pair_calls, 1);
	for (int i = 0; i < 2; i++)
		loop_unwatch(pair[i]);
}

static void rearm_for_the_past(void *data)
{
	pair_calls++;
	loop_arm(pair[0], 1);
}

/* It fires each round, and descriptors have their turn. */
static void a_timer_armed_for_the_past_starves_nobody(void **state)
{
	pair_calls = 0;
	assert_int_equal(loop_timer(loop, rearm_for_the_past, NULL, &pair[0]),
			 0);
	loop_arm(pair[0], 1);
	make_end(&ends[0], EPOLLIN, count_and_stop);
	assert_int_equal(write(ends[0].fds[1], "x", 1), 1);
	loop_run(loop);
	assert_int_equal(pair_calls, 1);
	assert_int_equal(ends[0].calls, 1);
	pair[0] = loop_unwatch(pair[0]);
	drop_end(&ends[0]);
}

static void note_and_post_again(void *data)
{
	note(data);
	if (n_order < 3)
		assert_int_equal(loop_post(loop, note_and_post_again, data),
				 0);
	else
		loop_stop(loop);
}

static void a_posted_call_may_post(void **state)
{
	n_order = 0;
	assert_int_equal(loop_post(loop, note_and_post_again, NULL), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(n_order, 3);
}

#define POSTS 20000
#define POSTERS 4

struct posted {
	int thread, number;
};

static struct posted posted[POSTERS][POSTS];
static int next_number[POSTERS];
static int posted_calls;
static bool disorder;

static void take(void *data)
{
	struct posted *p = data;

	if (next_number[p->thread]++ != p->number)
		disorder = true;
	if (++posted_calls == POSTERS * POSTS)
		loop_stop(loop);
}

static void *post_many(void *data)
{
	int thread = (int)(intptr_t)data;

	for (int i = 0; i < POSTS; i++) {
		posted[thread][i] = (struct posted){ thread, i };
		if (loop_post(loop, take, &posted[thread][i]))
			abort();
	}

	return NULL;
}

/* None is lost, and those of one thread keep their order. */
static void posts_of_threads_arrive_in_order(void **state)
{
	pthread_t threads[POSTERS];

	for (int i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many,
						(void *)(intptr_t)i), 0);
	assert_int_equal(loop_run(loop), 0);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(posted_calls, POSTERS * POSTS);
	assert_false(disorder);
}

static void *stop_soon(void *data)
{
	usleep(2000);
	loop_stop(loop);

	return NULL;
}

static void any_thread_may_stop_the_loop(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, stop_soon, NULL), 0);
	assert_int_equal(loop_run(loop), 0);
	pthread_join(thread, NULL);
}

static void a_stop_before_the_run_is_not_lost(void **state)
{
	loop_stop(loop);
	assert_int_equal(loop_run(loop), 0);
}

static void end_first(void *data)
{
	drop_end(&ends[0]);
}

/* What was posted too late is run by the end itself. */
static void posts_left_over_are_run_at_the_end(void **state)
{
	n_order = 0;
	make_end(&ends[0], EPOLLIN, count_and_stop);
	loop_post(loop, note, (void *)1);
	loop_post(loop, end_first, NULL);
	loop_post(loop, note, (void *)2);
	loop = loop_free(loop);
	assert_int_equal(n_order, 2);
	assert_int_equal(order[1], 2);
	assert_null(loop_free(NULL));
	assert_null(loop_unwatch(NULL));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(readiness_is_told_until_it_is_over),
		T(wants_can_be_changed),
		T(what_cannot_be_watched_is_refused),
		T(a_handler_may_end_every_source),
		T(a_new_source_gets_no_events_of_an_old_one),
		T(a_want_taken_back_holds_within_the_round),
		T(a_copy_elsewhere_wakes_nobody),
		T(timers_fire_by_deadline_and_once),
		T(timers_are_not_early),
		T(a_due_timer_that_is_ended_does_not_fire),
		T(a_due_timer_that_is_disarmed_does_not_fire),
		T(a_timer_armed_for_the_past_starves_nobody),
		T(a_posted_call_may_post),
		T(posts_of_threads_arrive_in_order),
		T(any_thread_may_stop_the_loop),
		T(a_stop_before_the_run_is_not_lost),
		T(posts_left_over_are_run_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
