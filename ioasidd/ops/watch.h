/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.h - what the host waits for: holders that end, offers that run out,
 *	     acknowledgements that do not come
 *
 * Kept on the loop's thread. What is due runs on a worker. What cannot be begun
 * for want of memory is tried again every second.
 */
#ifndef IOASIDD_OPS_WATCH_H
#define IOASIDD_OPS_WATCH_H

#include "ops/host.h"

/* How long a holder has to say that its descriptors have arrived. */
#define ACKNOWLEDGE_MS 5000

/**
 * watches_new() - Start watching; on the loop's thread
 * @host:	Its loop and workers are there; @host->watches is set
 */
int watches_new(struct host *host, struct error *err);

/* watches_free() - Stop; on the loop's thread. Return: NULL. */
struct watches *watches_free(struct watches *watches);

struct watch;

/**
 * watch_new() - Get ready to wait for a holder, before there is no way back
 * @lease:	Its lease's name
 * @ret:	For watch_holder_consume(); or ends with watch_free()
 *
 * Return: 0 or -ENOMEM.
 */
int watch_new(struct host *host, const char *lease, struct watch **ret);

/* watch_free() - It is not needed. NULL is allowed. Return: NULL. */
struct watch *watch_free(struct watch *watch);

#define _cleanup_watch_ __attribute__((cleanup(watch_freep)))

static inline void watch_freep(struct watch **watch)
{
	watch_free(*watch);
}

/**
 * watch_holder_consume() - Reclaim a lease when its holder ends
 * @watch:	Of watch_new()
 * @pidfd:	The holder; owned
 *
 * From every thread but the loop's, or before it runs.
 */
void watch_holder_consume(struct watch *watch, int pidfd);

/* watch_acknowledge_consume() - Say so if a lease is not acknowledged in time.
 * As watch_holder_consume().
 */
void watch_acknowledge_consume(struct watch *watch);

/**
 * watch_offers() - An offer that can run out was made
 *
 * From every thread but the loop's, or before it runs.
 */
void watch_offers(struct host *host);

/**
 * watch_scan() - The machine could not be read: do it again in a second
 *
 * On the loop's thread; scan_now() has it called there.
 */
void watch_scan(struct host *host);

/**
 * watch_later() - Have something done about a lease on a worker
 * @lease:	Its name
 * @fn:		What; looks the lease up again. If it returns -EAGAIN it has
 *		done nothing, and is called again in a second.
 *
 * From every thread.
 *
 * Return: 0; -ENOMEM: it will not be called.
 */
int watch_later(struct host *host, const char *lease,
		int (*fn)(struct host *host, const char *lease));

#endif
