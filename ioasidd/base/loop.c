/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.c - the loop thread: epoll, timers, and calls posted by other threads
 *
 * DOC: Theory of Operation
 *
 * A round is: wait, timers that are due, descriptors that are ready, posted
 * calls, freeing. epoll gives a batch of pointers to sources; a handler may end
 * any of them, so an ended source only gets a mark and goes to the graveyard,
 * which is emptied when the batch is done. What a handler arms, posts or
 * watches anew takes its turn in the next round, so nothing can starve the
 * rest.
 *
 * Timers are a binary heap by deadline. Its array always has room for every
 * timer there is: arming cannot fail.
 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define NOT_IN_HEAP SIZE_MAX
#define BATCH 64

/* How long to wait for memory before it is asked for again. */
#define INSIST_NAP_NS 10000000

/**
 * struct loop_source - A watched descriptor, or a timer; loop thread only
 * @loop:	Whose it is
 * @next:	In the graveyard
 * @data:	For the handler
 * @dead:	Ended: only freeing is left
 * @fd:		What is watched; -1 for a timer
 * @events:	Wanted
 * @fd_fn:	Handler of a descriptor
 * @timer_fn:	Handler of a timer
 * @deadline:	When, CLOCK_MONOTONIC
 * @index:	Place in the heap, or NOT_IN_HEAP
 * @due:	Taken out of the heap to be called in this round
 * @next_due:	In the list of those
 */
struct loop_source {
	struct loop *loop;
	struct loop_source *next;
	void *data;
	bool dead;

	int fd;
	uint32_t events;
	loop_fd_fn fd_fn;

	loop_fn timer_fn;
	uint64_t deadline;
	size_t index;
	bool due;
	struct loop_source *next_due;
};

struct post {
	struct post *next;
	loop_fn fn;
	void *data;
};

/**
 * struct loop - The loop
 * @epoll:	Watches @wake and every descriptor; fixed
 * @wake:	eventfd: there are posted calls, or @stop; fixed
 * @stop:	Every thread
 * @lock:	Guards @posts and @posts_end
 * @posts:	Posted calls, oldest first
 * @posts_end:	Where the next one is hung
 * @heap:	Armed timers; loop thread only, like all that follows
 * @n_heap:	How many
 * @heap_room:	Room in @heap
 * @n_timers:	How many timers there are, armed or not
 * @n_sources:	How many sources there are that are not dead
 * @graveyard:	Dead ones, freed at the end of the round
 */
struct loop {
	int epoll;
	int wake;
	_Atomic bool stop;

	pthread_mutex_t lock;
	struct post *posts;
	struct post **posts_end;

	struct loop_source **heap;
	size_t n_heap;
	size_t heap_room;
	size_t n_timers;
	size_t n_sources;
	struct loop_source *graveyard;
};

/* loop_new() - Make a loop */
int loop_new(struct loop **ret)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	_cleanup_fd_ int epoll = -1, wake = -1;
	struct loop *loop;

	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		return -errno;
	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake < 0)
		return -errno;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event))
		return -errno;

	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	pthread_mutex_init(&loop->lock, NULL);
	loop->posts_end = &loop->posts;
	loop->epoll = TAKE_FD(epoll);
	loop->wake = TAKE_FD(wake);

	*ret = loop;
	return 0;
}

/**
 * wake_up() - Let the loop thread leave its wait
 * @loop:	From every thread, and from signal handlers
 *
 * Can fail only when the counter is full: then it is awake anyway.
 */
static void wake_up(struct loop *loop)
{
	uint64_t one = 1;
	int saved = errno;

	if (write(loop->wake, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN);
	errno = saved;
}

/**
 * run_posts() - Run the calls that have been posted so far
 * @loop:	The loop
 *
 * The eventfd is read before the list is taken: a call that is posted in
 * between costs an idle round and is never forgotten.
 */
static void run_posts(struct loop *loop)
{
	struct post *list, *next;
	uint64_t count;

	if (read(loop->wake, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN);

	pthread_mutex_lock(&loop->lock);
	list = loop->posts;
	loop->posts = NULL;
	loop->posts_end = &loop->posts;
	pthread_mutex_unlock(&loop->lock);

	for (; list; list = next) {
		next = list->next;
		list->fn(list->data);
		free(list);
	}
}

/**
 * bury() - Free the sources that were ended in this round
 * @loop:	The loop
 */
static void bury(struct loop *loop)
{
	while (loop->graveyard) {
		struct loop_source *source = loop->graveyard;

		loop->graveyard = source->next;
		free(source);
	}
}

/**
 * has_posts() - Are there posted calls?
 * @loop:	The loop
 *
 * Return: true if there are.
 */
static bool has_posts(struct loop *loop)
{
	bool has;

	pthread_mutex_lock(&loop->lock);
	has = loop->posts;
	pthread_mutex_unlock(&loop->lock);

	return has;
}

/* loop_free() - Destroy the loop, after every source of it has been ended */
struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;

	while (has_posts(loop))
		run_posts(loop);

	assert(!loop->n_sources);
	bury(loop);
	(void)fd_close(loop->epoll);
	(void)fd_close(loop->wake);
	pthread_mutex_destroy(&loop->lock);
	free(loop->heap);
	free(loop);

	return NULL;
}

/**
 * heap_place() - Put a timer into a place of the heap
 * @loop:	The loop
 * @index:	The place
 * @timer:	The timer
 */
static void heap_place(struct loop *loop, size_t index,
		       struct loop_source *timer)
{
	loop->heap[index] = timer;
	timer->index = index;
}

/**
 * heap_up() - Move a timer towards the top until its parent is not later
 * @loop:	The loop
 * @timer:	In the heap
 */
static void heap_up(struct loop *loop, struct loop_source *timer)
{
	size_t i = timer->index;

	while (i) {
		size_t parent = (i - 1) / 2;

		if (loop->heap[parent]->deadline <= timer->deadline)
			break;
		heap_place(loop, i, loop->heap[parent]);
		i = parent;
	}
	heap_place(loop, i, timer);
}

/**
 * heap_down() - Move a timer down until none of its children is earlier
 * @loop:	The loop
 * @timer:	In the heap
 */
static void heap_down(struct loop *loop, struct loop_source *timer)
{
	size_t i = timer->index;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= loop->n_heap)
			break;
		if (child + 1 < loop->n_heap &&
		    loop->heap[child + 1]->deadline <
			    loop->heap[child]->deadline)
			child++;
		if (loop->heap[child]->deadline >= timer->deadline)
			break;
		heap_place(loop, i, loop->heap[child]);
		i = child;
	}
	heap_place(loop, i, timer);
}

/**
 * heap_remove() - Take a timer out of the heap
 * @timer:	Nothing is done if it is not there
 *
 * The last one takes its place, and may belong further up or further down.
 */
static void heap_remove(struct loop_source *timer)
{
	struct loop *loop = timer->loop;
	struct loop_source *last;

	if (timer->index == NOT_IN_HEAP)
		return;

	last = loop->heap[--loop->n_heap];
	if (last != timer) {
		heap_place(loop, timer->index, last);
		heap_up(loop, last);
		heap_down(loop, last);
	}
	timer->index = NOT_IN_HEAP;
}

/**
 * run_timers() - Call the timers that are due
 * @loop:	The loop
 *
 * All of them leave the heap before the first is called, so that a timer that
 * is armed for the past by a handler waits for the next round.
 */
static void run_timers(struct loop *loop)
{
	struct loop_source *first = NULL, **end = &first;
	uint64_t now;

	if (!loop->n_heap)
		return;

	now = clock_mono_ns();
	while (loop->n_heap && loop->heap[0]->deadline <= now) {
		struct loop_source *timer = loop->heap[0];

		heap_remove(timer);
		timer->due = true;
		timer->next_due = NULL;
		*end = timer;
		end = &timer->next_due;
	}

	/* One that was ended meanwhile is freed after the round only. */
	for (struct loop_source *timer = first; timer;
	     timer = timer->next_due) {
		if (!timer->due)
			continue;
		timer->due = false;
		timer->timer_fn(timer->data);
	}
}

/**
 * wait_ms() - How long epoll may wait
 * @loop:	The loop
 *
 * Rounded up: waking up early would only mean to wait once more.
 *
 * Return: milliseconds; -1 without end.
 */
static int wait_ms(struct loop *loop)
{
	uint64_t now, ms;

	if (!loop->n_heap)
		return -1;

	now = clock_mono_ns();
	if (loop->heap[0]->deadline <= now)
		return 0;

	ms = (loop->heap[0]->deadline - now - 1) / 1000000 + 1;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/**
 * run_descriptors() - Call the handlers of a batch
 * @events:	As epoll_wait(2) gave them
 * @n:		How many
 *
 * A handler may have ended a later source of the batch, or may have changed
 * what that one wants.
 *
 * Return: true if the eventfd was among them.
 */
static bool run_descriptors(const struct epoll_event *events, int n)
{
	bool woken = false;

	for (int i = 0; i < n; i++) {
		struct loop_source *source = events[i].data.ptr;
		uint32_t wanted;

		if (!source) {
			woken = true;
			continue;
		}
		if (source->dead)
			continue;
		wanted = events[i].events &
			 (source->events | EPOLLERR | EPOLLHUP);
		if (wanted)
			source->fd_fn(source->data, wanted);
	}

	return woken;
}

/* loop_run() - Run until loop_stop() */
int loop_run(struct loop *loop)
{
	struct epoll_event events[BATCH];

	do {
		int n = epoll_wait(loop->epoll, events, BATCH, wait_ms(loop));

		if (n < 0 && errno != EINTR)
			return -errno;

		run_timers(loop);
		if (run_descriptors(events, n))
			run_posts(loop);
		bury(loop);
	} while (!atomic_exchange(&loop->stop, false));

	return 0;
}

/* loop_stop() - Let loop_run() return after this round */
void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	wake_up(loop);
}

/**
 * source_new() - Make a source of either kind
 * @loop:	The loop
 * @data:	For its handler
 *
 * Return: the source; NULL without memory.
 */
static struct loop_source *source_new(struct loop *loop, void *data)
{
	struct loop_source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->loop = loop;
	source->data = data;
	source->fd = -1;
	source->index = NOT_IN_HEAP;

	return source;
}

/* loop_watch() - Watch a descriptor */
int loop_watch(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn,
	       void *data, struct loop_source **ret)
{
	struct loop_source *source = source_new(loop, data);
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (!source)
		return -ENOMEM;
	source->fd = fd;
	source->events = events;
	source->fd_fn = fn;

	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event)) {
		int r = -errno;

		free(source);
		return r;
	}

	loop->n_sources++;
	*ret = source;
	return 0;
}

/**
 * loop_want() - Change the events watched for
 *
 * Fails only if the descriptor was closed under us, which is a bug of its
 * owner: see loop_watch().
 */
void loop_want(struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };
	int r;

	if (source->events == events)
		return;

	r = epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->fd, &event);
	assert(!r);
	(void)r;
	source->events = events;
}

/* loop_timer() - Make a timer, not armed */
int loop_timer(struct loop *loop, loop_fn fn, void *data,
	       struct loop_source **ret)
{
	struct loop_source *source;

	if (loop->n_timers == loop->heap_room) {
		size_t room = loop->heap_room ? 2 * loop->heap_room : 16;
		struct loop_source **heap;

		heap = reallocarray(loop->heap, room, sizeof(*heap));
		if (!heap)
			return -ENOMEM;
		loop->heap = heap;
		loop->heap_room = room;
	}

	source = source_new(loop, data);
	if (!source)
		return -ENOMEM;
	source->timer_fn = fn;
	loop->n_timers++;
	loop->n_sources++;

	*ret = source;
	return 0;
}

/* loop_arm() - Call at @mono_ns (CLOCK_MONOTONIC); 0 disarms */
void loop_arm(struct loop_source *timer, uint64_t mono_ns)
{
	struct loop *loop = timer->loop;

	assert(timer->fd < 0 && !timer->dead);
	timer->due = false;
	heap_remove(timer);
	if (!mono_ns)
		return;

	timer->deadline = mono_ns;
	heap_place(loop, loop->n_heap++, timer);
	heap_up(loop, timer);
}

/* loop_unwatch() - End a source; its handler is not called again */
struct loop_source *loop_unwatch(struct loop_source *source)
{
	struct loop *loop;

	if (!source)
		return NULL;

	assert(!source->dead);
	loop = source->loop;
	if (source->fd >= 0) {
		/* While the descriptor is open: once it is closed epoll still
		 * holds the file if somebody else does, and nobody can take it
		 * out any more.
		 */
		int r = epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd,
				  NULL);

		assert(!r);
		(void)r;
	} else {
		source->due = false;
		heap_remove(source);
		loop->n_timers--;
	}

	source->dead = true;
	source->next = loop->graveyard;
	loop->graveyard = source;
	loop->n_sources--;

	return NULL;
}

/* loop_post() - Call @fn on the loop's thread, soon, in the order of posting */
int loop_post(struct loop *loop, loop_fn fn, void *data)
{
	struct post *post = malloc(sizeof(*post));

	if (!post)
		return -ENOMEM;
	*post = (struct post){ .fn = fn, .data = data };

	pthread_mutex_lock(&loop->lock);
	*loop->posts_end = post;
	loop->posts_end = &post->next;
	pthread_mutex_unlock(&loop->lock);
	wake_up(loop);

	return 0;
}

/* loop_insist() - Call @fn on the loop's thread, whatever it takes */
void loop_insist(struct loop *loop, loop_fn fn, void *data)
{
	const struct timespec nap = { .tv_nsec = INSIST_NAP_NS };

	while (loop_post(loop, fn, data) < 0)
		(void)nanosleep(&nap, NULL); /* short is fine */
}
