/* SPDX-License-Identifier: Apache-2.0
 *
 * bucket.h - so much a second, and so much at once after a pause
 */
#ifndef IOASIDD_BASE_BUCKET_H
#define IOASIDD_BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* What one is counted in, so that what a nanosecond brings is a whole number. */
#define BUCKET_ONE UINT64_C(1000000000)

/**
 * struct bucket - What somebody may still have
 * @level:	In BUCKET_ONE
 * @at_ns:	When that was so; 0 for a new one, which is full
 */
struct bucket {
	uint64_t level;
	uint64_t at_ns;
};

/* bucket_fill() - What a pause has brought. */
static inline void bucket_fill(struct bucket *bucket, uint64_t rate,
			       uint64_t burst, uint64_t now_ns)
{
	uint64_t full = burst * BUCKET_ONE, passed, room;

	/* With less allowed than before there may be more in it. */
	if (!bucket->at_ns || bucket->level > full) {
		bucket->level = full;
		bucket->at_ns = now_ns;
		return;
	}
	passed = now_ns > bucket->at_ns ? now_ns - bucket->at_ns : 0;
	room = full - bucket->level;
	bucket->level = passed > room / rate ? full :
					       bucket->level + passed * rate;
	bucket->at_ns = now_ns;
}

/**
 * bucket_take() - Take one
 * @rate:	How many a second; not 0
 * @burst:	How many at once after a pause; at most a million, not 0
 * @now_ns:	Monotonic, not 0
 * @ret_wait_ns: If there is none: in how long there will be
 *
 * Return: true if there was one.
 */
static inline bool bucket_take(struct bucket *bucket, uint64_t rate,
			       uint64_t burst, uint64_t now_ns,
			       uint64_t *ret_wait_ns)
{
	bucket_fill(bucket, rate, burst, now_ns);
	if (bucket->level >= BUCKET_ONE) {
		bucket->level -= BUCKET_ONE;
		return true;
	}
	*ret_wait_ns = (BUCKET_ONE - bucket->level + rate - 1) / rate;
	return false;
}

#endif
