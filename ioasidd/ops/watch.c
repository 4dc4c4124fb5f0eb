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
#include "ops/watch.h"

/* How often offers are looked at while there are some that can run out. */
#define OFFERS_EVERY_NS UINT64_C(1000000000)

/**
 * struct watch - One holder, or one acknowledgement, that is waited for
 * @watches:	All of them
 * @lease:	The lease's name
 * @pidfd:	The holder; -1 for an acknowledgement
 * @source:	In the loop, on its thread only
 * @next:	In the list
 */
struct watch {
	struct watches *watches;
	char lease[NAME_SIZE];
	int pidfd;
	struct loop_source *source;
	struct watch *next;
};

/**
 * struct watches - All that is waited for; on the loop's thread only
 * @host:	The host
 * @list:	Holders and acknowledgements
 * @offers:	Timer that looks at offers
 */
struct watches {
	struct host *host;
	struct watch *list;
	struct loop_source *offers;
};

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
	loop_unwatch(watch->source);
	fd_close(watch->pidfd);
	free(watch);
}

/**
 * holder_ended() - A pidfd is readable
 * @data:	The watch
 * @events:	Unused
 */
static void holder_ended(void *data, uint32_t events)
{
	struct watch *watch = data;

	lease_later(watch->watches->host, watch->lease, lease_reclaim);
	forget(watch);
}

/**
 * acknowledge_over() - The time for an acknowledgement is over
 * @data:	The watch
 */
static void acknowledge_over(void *data)
{
	struct watch *watch = data;

	lease_later(watch->watches->host, watch->lease,
		    lease_note_silence);
	forget(watch);
}

/**
 * start() - On the loop: begin to wait
 * @data:	A new watch
 */
static void start(void *data)
{
	struct watch *watch = data;
	struct watches *watches = watch->watches;
	int r;

	watch->next = watches->list;
	watches->list = watch;
	if (watch->pidfd >= 0) {
		r = loop_watch(watches->host->loop, watch->pidfd, EPOLLIN,
			       holder_ended, watch, &watch->source);
	} else {
		r = loop_timer(watches->host->loop, acknowledge_over, watch,
			       &watch->source);
		if (r == 0)
			loop_arm(watch->source, clock_mono_ns() +
				 ACKNOWLEDGE_MS * UINT64_C(1000000));
	}
	if (r < 0) {
		log_error("cannot watch the holder of %s; a restart of ioasidd will",
			  watch->lease);
		forget(watch);
	}
}

/**
 * begin() - Have the loop wait for something
 * @lease:	The lease's name
 * @pidfd:	Owned; -1 for an acknowledgement
 *
 * Return: 0 or -ENOMEM.
 */
static int begin(struct host *host, const char *lease, int pidfd)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch) {
		fd_close(pidfd);
		return -ENOMEM;
	}
	watch->watches = host->watches;
	str_copy(watch->lease, sizeof(watch->lease), lease);
	watch->pidfd = pidfd;
	if (loop_post(host->loop, start, watch) == 0)
		return 0;
	fd_close(pidfd);
	free(watch);
	return -ENOMEM;
}

/**
 * watch_holder_consume() - See watch.h
 */
int watch_holder_consume(struct host *host, const char *lease, int pidfd)
{
	return begin(host, lease, pidfd);
}

/**
 * watch_acknowledge() - See watch.h
 */
int watch_acknowledge(struct host *host, const char *lease)
{
	return begin(host, lease, -1);
}

/* --- offers --- */

/**
 * look_at_offers() - End what has run out, come back while more can
 * @data:	The watches
 */
static void look_at_offers(void *data)
{
	struct watches *watches = data;
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
		if (lease->expires_us <= now)
			lease_later(watches->host, lease->name, lease_expire);
	}
	registry_unlock(reg);
	if (more)
		loop_arm(watches->offers, clock_mono_ns() + OFFERS_EVERY_NS);
}

/**
 * arm_offers() - On the loop: look at offers soon
 * @data:	The watches
 */
static void arm_offers(void *data)
{
	struct watches *watches = data;

	loop_arm(watches->offers, clock_mono_ns() + 1);
}

/**
 * watch_offers() - See watch.h
 */
void watch_offers(struct host *host)
{
	if (loop_post(host->loop, arm_offers, host->watches) < 0)
		log_error("no memory to watch an offer run out");
}

/**
 * watches_new() - See watch.h
 */
int watches_new(struct host *host, struct error *err)
{
	struct watches *watches = calloc(1, sizeof(*watches));

	if (!watches || loop_timer(host->loop, look_at_offers, watches,
				   &watches->offers) < 0) {
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
	if (!watches)
		return NULL;
	while (watches->list)
		forget(watches->list);
	loop_unwatch(watches->offers);
	free(watches);
	return NULL;
}
