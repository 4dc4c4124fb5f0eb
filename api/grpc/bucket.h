/* SPDX-License-Identifier: Apache-2.0
 *
 * bucket.h - so many of something at once, and so many a second
 */
#ifndef API_GRPC_BUCKET_H
#define API_GRPC_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct bucket - Tokens
 * @tokens:	How many there are
 * @filled_ns:	When some were last added
 */
struct bucket {
	uint32_t tokens;
	uint64_t filled_ns;
};

/* bucket_fill() - Put in all that it can hold. */
static inline void bucket_fill(struct bucket *bucket, uint32_t burst,
			       uint64_t now_ns)
{
	bucket->tokens = burst;
	bucket->filled_ns = now_ns;
}

/**
 * bucket_take() - Take one
 * @burst:	What it can hold
 * @rate:	How many are added in a second
 * @now_ns:	CLOCK_MONOTONIC
 *
 * Return: false if there is none.
 */
static inline bool bucket_take(struct bucket *bucket, uint32_t burst,
			       uint32_t rate, uint64_t now_ns)
{
	uint64_t one_ns = 1000000000 / rate;
	uint64_t more = (now_ns - bucket->filled_ns) / one_ns;

	if (more > burst - bucket->tokens) {
		bucket_fill(bucket, burst, now_ns);
	} else {
		bucket->tokens += (uint32_t)more;
		bucket->filled_ns += more * one_ns;
	}
	if (!bucket->tokens)
		return false;
	bucket->tokens--;
	return true;
}

#endif
