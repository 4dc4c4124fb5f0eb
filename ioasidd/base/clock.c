/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.c - the two clocks, and the names made from one of them
 */
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Crockford's base 32: no i, l, o, u. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static pthread_mutex_t ulid_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned __int128 ulid_last; /* guarded by ulid_lock */

/**
 * read_clock() - Read a clock
 * @id:		Which
 *
 * Cannot fail with the clocks that every Linux has.
 *
 * Return: nanoseconds.
 */
static uint64_t read_clock(clockid_t id)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(id, &ts);

	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* clock_mono_ns() - CLOCK_MONOTONIC, for durations and deadlines */
uint64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* clock_real_us() - CLOCK_REALTIME, microseconds since 1970, for records */
uint64_t clock_real_us(void)
{
	return read_clock(CLOCK_REALTIME) / 1000;
}

/**
 * chance() - 64 bits that nobody can foresee
 *
 * Should there be no getrandom(2), the clock and pid have to do: these are
 * names, not secrets.
 *
 * Return: the bits.
 */
static uint64_t chance(void)
{
	uint64_t value;
	ssize_t n;

	do {
		n = getrandom(&value, sizeof(value), 0);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(value))
		value = clock_mono_ns() * 0x9e3779b97f4a7c15 ^
			(uint64_t)getpid();

	return value;
}

/**
 * ulid_make() - Make a name that nobody has: time first, then chance
 *
 * 48 bits of milliseconds, 80 of chance. Should the time not have grown, the
 * last name is counted up, by a step left to chance: a process and its fork
 * start from the same last name.
 */
void ulid_make(char ret[ULID_SIZE])
{
	uint64_t ms = clock_real_us() / 1000, low = chance();
	unsigned __int128 value;

	pthread_mutex_lock(&ulid_lock);
	if (ms > (uint64_t)(ulid_last >> 80))
		value = (unsigned __int128)ms << 80 |
			(unsigned __int128)(chance() >> 48) << 64 | low;
	else
		value = ulid_last + 1 + (low >> 16);
	ulid_last = value;
	pthread_mutex_unlock(&ulid_lock);

	for (int i = ULID_SIZE - 2; i >= 0; i--) {
		ret[i] = digits[value & 31];
		value >>= 5;
	}
	ret[ULID_SIZE - 1] = '\0';
}

/* ulid_valid() - Is @s 26 characters that ulid_make() could have made? */
_Bool ulid_valid(const char *s)
{
	if (strnlen(s, ULID_SIZE) != ULID_SIZE - 1)
		return 0;

	/* 26 digits are 130 bits: the first has no more than three. */
	return s[0] <= '7' && strspn(s, digits) == ULID_SIZE - 1;
}
