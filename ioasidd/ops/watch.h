/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.h - what the host waits for: holders that end, offers that run out,
 *	     acknowledgements that do not come
 *
 * Kept on the loop's thread. What is due runs on a worker.
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

/**
 * watch_holder_consume() - Reclaim a lease when its holder ends
 * @lease:	Its name
 * @pidfd:	The holder; owned in any case
 *
 * From every thread.
 *
 * Return: 0; -ENOMEM: it will not be noticed.
 */
int watch_holder_consume(struct host *host, const char *lease, int pidfd);

/**
 * watch_acknowledge() - Say so if a lease is not acknowledged in time
 * @lease:	Its name
 */
int watch_acknowledge(struct host *host, const char *lease);

/**
 * watch_offers() - An offer that can run out was made
 *
 * From every thread.
 */
void watch_offers(struct host *host);

#endif
