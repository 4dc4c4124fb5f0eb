/* SPDX-License-Identifier: Apache-2.0
 *
 * rate.h - how many requests a second each principal makes
 *
 * Loop thread. A principal is remembered after its last connection: to connect
 * anew brings nothing.
 */
#ifndef IOASIDD_FRONT_RATE_H
#define IOASIDD_FRONT_RATE_H

#include "base/bucket.h"
#include "front/limits.h"
#include "model/lease.h"

/* A place is looked for among so many. */
#define RATE_PROBES 8
#define RATE_ENTRIES 512

/**
 * struct rate_entry - One principal
 * @principal:	Who; empty for none
 * @bucket:	What it may still ask
 */
struct rate_entry {
	char principal[PRINCIPAL_SIZE];
	struct bucket bucket;
};

/**
 * struct rates - All that are remembered; all zeroes at first
 *
 * If there are more, one that may ask much is forgotten: that costs it least.
 */
struct rates {
	struct rate_entry entries[RATE_ENTRIES];
};

/**
 * rate_take() - May a principal make one more request now?
 *
 * Return: 0; -EAGAIN limit.rate, saying when to try again.
 */
int rate_take(struct rates *rates, const struct limits *limits,
	      const char *principal, uint64_t now_ns, struct error *err);

#endif
