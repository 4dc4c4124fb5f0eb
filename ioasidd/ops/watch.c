/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.c - holders that end, offers that run out, silent holders
 */
#include <errno.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ops/lease.h"
#include "ops/scan.h"
#include "ops/watch.h"
#include "ops/workers.h"

/* How often what can run out, or could not be begun, is looked at. */
#define AGAIN_NS UINT64_C(1000000000)

/**
 * struct later - Something to be done about a lease
 * @watches:	All that is waited for
 * @lease:	The lease's name
 * @fn:		What
 * @next:	In the list of those that are tried again
 */
struct later {
	struct watches *watches;
	char lease[NAME_SIZE];
	int (*fn)(struct host *host, const char *lease);
	struct later *next;
};

/**
 * struct watch - One holder, or one acknowledgement, that is waited for
 * @watches:	All of them
 * @lease:	The lease's name
 * @pidfd:	The holder; -1 for an acknowledgement
 * @fn:		What is done when it has come
 * @due:	It has come, but there was no memory to begin with @fn
 * @deadline:	Of an acknowledgement, CLOCK_MONOTONIC
 * @source:	In the loop; NULL if it could not be watched, or is due
 * @next:	In the list
 */
struct watch {
	struct watches *watches;
	char lease[NAME_SIZE];
	int pidfd;
	int (*fn)(struct host *host, const char *lease);
	bool due;
	uint64_t deadline;
	struct loop_source *source;
	struct watch *next;
};

/**
 * struct watches - All that is waited for; on the loop's thread only
 * @host:	The host
 * @list:	Holders and acknowledgements
 * @laters:	What is to be tried again
 * @scan:	The machine is to be read again
 * @timer:	Looks at offers, and at what could not be begun
 */
struct watches {
	struct host *host;
	struct watch *list;
	struct later *laters;
	bool scan;
	struct loop_source *timer;
};

/**
 * again() - Come back to what could not be done
 * @watches:	The watches
 */
static void again(struct watches *watches)
{
	loop_arm(watches->timer, clock_mono_ns() + AGAIN_NS);
}

/* --- on a worker --- */

/**
 * come_back() - On the loop: try something again in a second
 * @data:	struct later; the list's
 */
static void come_back(void *data)
{
	struct later *later = data;

	later->next = later->watches->laters;
	later->watches->laters = later;
	again(later->watches);
}

/**
 * run_later() - On a worker
 * @data:	struct later; owned
 */
static void run_later(void *data)
{
	struct later *later = data;
	struct host *host = later->watches->host;

	if (later->fn(host, later->lease) == -EAGAIN)
		loop_insist(host->loop, come_back, later);
	else
		free(later);
}

/**
 * watch_later() - See watch.h
 */
int watch_later(struct host *host, const char *lease,
		int (*fn)(struct host *host, const char *lease))
{
	struct later *later;

	/* We are ending, and a start looks after every lease. */
	if (!host->workers)
		return 0;
	later = malloc(sizeof(*later));
	if (!later)
		return -ENOMEM;
	*later = (struct later){ .watches = host->watches, .fn = fn };
	str_copy(later->lease, sizeof(later->lease), lease);
	if (workers_submit(host->workers, run_later, later) == 0)
		return 0;
	free(later);
	return -ENOMEM;
}

/**
 * try_laters() - Try again what has failed for want of memory
 *
 * What fails again is back in the list afterwards.
 */
static void try_laters(struct watches *watches)
{
	struct later *later = TAKE_PTR(watches->laters), *next;

	for (; later; later = next) {
		next = later->next;
		if (workers_submit(watches->host->workers, run_later, later) <
		    0)
			come_back(later);
	}
}

/* --- holders and acknowledgements --- */

/**
 * forget() - End a watch
 * @watch:	Taken out of the list
 */
static void forget(struct watch *watch)
{
	struct watch **at = &watch->watches->list;

	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	watch_free(watch);
}

/**
 * come_due() - What was waited for has come
 * @data:	The watch; ended if a worker has it now
 */
static void come_due(void *data)
{
	struct watch *watch = data;
	struct watches *watches = watch->watches;

	if (watch_later(watches->host, watch->lease, watch->fn) == 0) {
		forget(watch);
		return;
	}
	watch->due = true;
	watch->source = loop_unwatch(watch->source);
	again(watches);
}

/**
 * holder_ended() - A pidfd is readable
 * @data:	The watch
 * @events:	Unused
 */
static void holder_ended(void *data, uint32_t events)
{
	come_due(data);
}

/**
 * try_to_wait() - Have the loop wait for it
 * @watch:	In the list
 *
 * Return: 0; -errno: it is to be tried again.
 */
static int try_to_wait(struct watch *watch)
{
	struct loop *loop = watch->watches->host->loop;
	int r;

	if (watch->pidfd >= 0)
		return loop_watch(loop, watch->pidfd, EPOLLIN, holder_ended,
				  watch, &watch->source);
	r = loop_timer(loop, come_due, watch, &watch->source);
	if (r == 0)
		loop_arm(watch->source, watch->deadline);
	return r;
}

/**
 * start() - On the loop: begin to wait
 * @data:	A new watch
 */
static void start(void *data)
{
	struct watch *watch = data;
	struct watches *watches = watch->watches;

	watch->next = watches->list;
	watches->list = watch;
	if (try_to_wait(watch) < 0)
		again(watches);
}

/**
 * try_watches() - Try again to begin what could not be begun
 */
static void try_watches(struct watches *watches)
{
	struct watch *watch, *next;

	for (watch = watches->list; watch; watch = next) {
		next = watch->next;
		if (watch->due)
			come_due(watch);
		else if (!watch->source && try_to_wait(watch) < 0)
			again(watches);
	}
}

/**
 * watch_new() - See watch.h
 */
int watch_new(struct host *host, const char *lease, struct watch **ret)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->watches = host->watches;
	str_copy(watch->lease, sizeof(watch->lease), lease);
	watch->pidfd = -1;
	*ret = watch;
	return 0;
}

/**
 * watch_free() - See watch.h
 */
struct watch *watch_free(struct watch *watch)
{
	if (!watch)
		return NULL;
	loop_unwatch(watch->source);
	fd_close(watch->pidfd);
	free(watch);
	return NULL;
}

/**
 * watch_holder_consume() - See watch.h
 */
void watch_holder_consume(struct watch *watch, int pidfd)
{
	watch->pidfd = pidfd;
	watch->fn = lease_reclaim;
	loop_insist(watch->watches->host->loop, start, watch);
}

/**
 * watch_acknowledge_consume() - See watch.h
 */
void watch_acknowledge_consume(struct watch *watch)
{
	watch->fn = lease_note_silence;
	watch->deadline = clock_mono_ns() + ACKNOWLEDGE_MS * UINT64_C(1000000);
	loop_insist(watch->watches->host->loop, start, watch);
}

/* --- offers, and all that is tried again --- */

/**
 * look_at_offers() - End what has run out
 *
 * Return: true if more can run out.
 */
static bool look_at_offers(struct watches *watches)
{
	struct registry *reg = watches->host->registry;
	uint64_t now = clock_real_us();
	bool more = false;
	size_t i;

	registry_lock(reg);
	for (i = 0; i < reg->n_leases; i++) {
		const struct lease *lease = reg->leases[i];

		if (lease->state != LEASE_OFFERED || !lease->expires_us)
			continue;
		more = true;
		/* Without memory: it is looked at again. */
		if (lease->expires_us <= now)
			(void)watch_later(watches->host, lease->name,
					  lease_expire);
	}
	registry_unlock(reg);
	return more;
}

/**
 * look() - Look at offers, and try again what could not be begun
 * @data:	The watches
 */
static void look(void *data)
{
	struct watches *watches = data;

	/* We are ending: a start looks at all of it. */
	if (!watches->host->workers)
		return;
	try_laters(watches);
	try_watches(watches);
	if (watches->scan) {
		watches->scan = false;
		scan_soon(watches->host);
	}
	if (look_at_offers(watches))
		again(watches);
}

/**
 * arm_offers() - On the loop: look at offers soon
 * @data:	The watches
 */
static void arm_offers(void *data)
{
	struct watches *watches = data;

	loop_arm(watches->timer, clock_mono_ns() + 1);
}

/**
 * watch_offers() - See watch.h
 */
void watch_offers(struct host *host)
{
	loop_insist(host->loop, arm_offers, host->watches);
}

/**
 * watch_scan() - See watch.h
 */
void watch_scan(struct host *host)
{
	host->watches->scan = true;
	again(host->watches);
}

/**
 * watches_new() - See watch.h
 */
int watches_new(struct host *host, struct error *err)
{
	struct watches *watches = calloc(1, sizeof(*watches));

	if (!watches || loop_timer(host->loop, look, watches,
				   &watches->timer) < 0) {
		free(watches);
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	}
	watches->host = host;
	host->watches = watches;
	return 0;
}

/**
 * watches_free() - See watch.h
 */
struct watches *watches_free(struct watches *watches)
{
	struct later *later;

	if (!watches)
		return NULL;
	while (watches->list)
		forget(watches->list);
	while ((later = watches->laters)) {
		watches->laters = later->next;
		free(later);
	}
	loop_unwatch(watches->timer);
	free(watches);
	return NULL;
}
