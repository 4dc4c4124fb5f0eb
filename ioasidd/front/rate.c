/* SPDX-License-Identifier: Apache-2.0
 *
 * rate.c - how many requests a second each principal makes
 */
#include "front/rate.h"

#include <errno.h>
#include <inttypes.h>

/**
 * hash() - Where a principal is looked for first
 *
 * FNV-1a: names that meet share no bucket, only a few places.
 */
static uint64_t hash(const char *name)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		value = (value ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return value;
}

/**
 * find() - A principal's place, new if it has none
 */
static struct rate_entry *find(struct rates *rates,
			       const struct limits *limits,
			       const char *principal, uint64_t now_ns)
{
	uint64_t at = hash(principal);
	struct rate_entry *best = NULL;

	for (size_t i = 0; i < RATE_PROBES; i++) {
		struct rate_entry *entry =
			&rates->entries[(at + i) % RATE_ENTRIES];

		if (str_eq(entry->principal, principal))
			return entry;
		bucket_fill(&entry->bucket, limits->rate, limits->burst,
			    now_ns);
		if (!best || entry->bucket.level > best->bucket.level)
			best = entry;
	}
	(void)str_copy(best->principal, sizeof(best->principal),
		       principal); /* as long */
	best->bucket = (struct bucket){ .at_ns = 0 };
	return best;
}

/* rate_take() - May a principal make one more request now? */
int rate_take(struct rates *rates, const struct limits *limits,
	      const char *principal, uint64_t now_ns, struct error *err)
{
	struct rate_entry *entry;
	uint64_t wait_ns;
	int r;

	if (!limits->rate)
		return 0;
	entry = find(rates, limits, principal, now_ns);
	if (bucket_take(&entry->bucket, limits->rate, limits->burst, now_ns,
			&wait_ns))
		return 0;
	r = error_set(err, -EAGAIN, ERROR_LIMIT_RATE,
		      "%s has made more than %" PRIu64 " requests a second",
		      principal, limits->rate);
	error_remedy(err, "try again in %" PRIu64 " ms",
		     wait_ns / 1000000 + 1);
	return r;
}
