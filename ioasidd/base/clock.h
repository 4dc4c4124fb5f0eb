/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.h - the two clocks, and the names made from one of them
 */
#ifndef IOASIDD_BASE_CLOCK_H
#define IOASIDD_BASE_CLOCK_H

#include <stdint.h>

/* clock_mono_ns() - CLOCK_MONOTONIC, for durations and deadlines. */
uint64_t clock_mono_ns(void);

/* clock_real_us() - CLOCK_REALTIME, microseconds since 1970, for records. */
uint64_t clock_real_us(void);

/* Length of a ULID with its NUL. */
#define ULID_SIZE 27

/**
 * ulid_make() - Make a name that nobody has: time first, then chance
 * @ret:	26 characters of Crockford's base 32 in lower case, and a NUL
 *
 * Names made by one process sort in the order in which they were made, also
 * within one millisecond and if the clock is set back. Safe from every thread.
 */
void ulid_make(char ret[ULID_SIZE]);

/* ulid_valid() - Is @s 26 characters that ulid_make() could have made? */
_Bool ulid_valid(const char *s);

#endif
