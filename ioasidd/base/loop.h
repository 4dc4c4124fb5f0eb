/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.h - the loop thread: epoll, timers, and calls posted by other threads
 *
 * DOC: Theory of Operation
 *
 * One thread runs the loop and never blocks. A source is a descriptor that is
 * watched, or a timer. Handlers may destroy any source, their own too: it is
 * taken out of epoll at once and before its descriptor is closed (a duplicate
 * at a client would keep it there), and freed when the round has ended. Other
 * threads reach the loop by loop_post() and by nothing else.
 */
#ifndef IOASIDD_BASE_LOOP_H
#define IOASIDD_BASE_LOOP_H

#include <stdint.h>

struct loop;
struct loop_source;

/* @events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as epoll gives them */
typedef void (*loop_fd_fn)(void *data, uint32_t events);
typedef void (*loop_fn)(void *data);

/* loop_new() - Return: 0 or -errno. */
int loop_new(struct loop **ret);

/**
 * loop_free() - Destroy the loop, after every source of it has been ended
 * @loop:	NULL is allowed
 *
 * Posted calls that did not run are run now; they may end sources.
 *
 * Return: NULL.
 */
struct loop *loop_free(struct loop *loop);

/**
 * loop_run() - Run until loop_stop()
 *
 * Return: 0; -errno if epoll_wait(2) fails.
 */
int loop_run(struct loop *loop);

/* loop_stop() - Let loop_run() return after this round; called before it, after
 * its first round. From every thread, and from signal handlers.
 */
void loop_stop(struct loop *loop);

/**
 * loop_watch() - Watch a descriptor
 * @loop:	The loop; its thread only
 * @fd:		Borrowed; must stay open until loop_unwatch()
 * @events:	EPOLLIN, EPOLLOUT; level-triggered
 * @fn:		Called with @data for each round in which it is ready
 * @ret:	Ends with loop_unwatch()
 *
 * Return: 0 or -errno.
 */
int loop_watch(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn,
	       void *data, struct loop_source **ret);

/* loop_want() - Change the events watched for. EPOLLERR and EPOLLHUP come
 * always, with 0 too: who wants none of them for a while must unwatch.
 */
void loop_want(struct loop_source *source, uint32_t events);

/**
 * loop_timer() - Make a timer, not armed
 * @fn:		Called once each time that it was armed
 * @ret:	Ends with loop_unwatch()
 *
 * Return: 0 or -ENOMEM.
 */
int loop_timer(struct loop *loop, loop_fn fn, void *data,
	       struct loop_source **ret);

/* loop_arm() - Call at @mono_ns (CLOCK_MONOTONIC); 0 disarms. */
void loop_arm(struct loop_source *timer, uint64_t mono_ns);

/**
 * loop_unwatch() - End a source; its handler is not called again
 * @source:	NULL is allowed
 *
 * Return: NULL, to be assigned.
 */
struct loop_source *loop_unwatch(struct loop_source *source);

/**
 * loop_post() - Call @fn on the loop's thread, soon, in the order of posting
 * @loop:	The loop; from every thread
 * @fn:		What
 * @data:	For @fn
 *
 * Return: 0 or -ENOMEM.
 */
int loop_post(struct loop *loop, loop_fn fn, void *data);

/**
 * loop_insist() - The same, for what cannot be left undone
 *
 * Without memory it is tried again until there is some. From every thread but
 * the loop's.
 */
void loop_insist(struct loop *loop, loop_fn fn, void *data);

#endif
