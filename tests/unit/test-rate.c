/* SPDX-License-Identifier: Apache-2.0
 *
 * test-rate.c - requests a second, of each principal
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "front/rate.h"

#define MS UINT64_C(1000000)

/* a_new_bucket_is_full_and_fills_with_time() */
static void a_new_bucket_is_full_and_fills_with_time(void **state)
{
	struct bucket bucket = { .at_ns = 0 };
	uint64_t now = 7, wait = 0;

	for (int i = 0; i < 3; i++)
		assert_true(bucket_take(&bucket, 10, 3, now, &wait));
	assert_false(bucket_take(&bucket, 10, 3, now, &wait));
	assert_int_equal(wait, 100 * MS);
	assert_false(bucket_take(&bucket, 10, 3, now + 99 * MS, &wait));
	assert_int_equal(wait, 1 * MS);
	assert_true(bucket_take(&bucket, 10, 3, now + 100 * MS, &wait));
	assert_false(bucket_take(&bucket, 10, 3, now + 100 * MS, &wait));
	/* A year is no more than the burst. */
	now += UINT64_C(31536000) * 1000 * MS;
	for (int i = 0; i < 3; i++)
		assert_true(bucket_take(&bucket, 10, 3, now, &wait));
	assert_false(bucket_take(&bucket, 10, 3, now, &wait));
}

/* the_largest_numbers_do_not_overflow() */
static void the_largest_numbers_do_not_overflow(void **state)
{
	struct bucket bucket = { .at_ns = 0 };
	uint64_t wait;

	assert_true(bucket_take(&bucket, 1000000, 1000000, 1, &wait));
	assert_true(bucket_take(&bucket, 1000000, 1000000, UINT64_MAX, &wait));
	assert_int_equal(bucket.level, (1000000 - 1) * BUCKET_ONE);
	/* Less was allowed meanwhile; a clock does not go back, if it does. */
	assert_true(bucket_take(&bucket, 1, 1, 5, &wait));
	assert_false(bucket_take(&bucket, 1, 1, 4, &wait));
}

/* one_principal_does_not_take_from_another() */
static void one_principal_does_not_take_from_another(void **state)
{
	static struct rates rates;
	struct limits limits = LIMITS_DEFAULT;
	struct error err = ERROR_NULL;

	limits.rate = 10;
	limits.burst = 2;
	for (int i = 0; i < 2; i++)
		assert_int_equal(rate_take(&rates, &limits, "uid:1", 1, &err),
				 0);
	assert_int_equal(rate_take(&rates, &limits, "uid:1", 1, &err),
			 -EAGAIN);
	assert_int_equal(err.kind, ERROR_LIMIT_RATE);
	assert_string_equal(err.remedy, "try again in 101 ms");
	assert_int_equal(rate_take(&rates, &limits, "uid:2", 1, &err), 0);
	limits.rate = 0;
	assert_int_equal(rate_take(&rates, &limits, "uid:1", 1, &err), 0);
}

/* many_principals_do_not_free_one_that_has_used_all() */
static void many_principals_do_not_free_one_that_has_used_all(void **state)
{
	static struct rates rates;
	struct limits limits = LIMITS_DEFAULT;
	struct error err = ERROR_NULL;
	char name[64];

	limits.rate = 1;
	limits.burst = 4;
	for (int i = 0; i < 4; i++)
		assert_int_equal(rate_take(&rates, &limits, "uid:1", 1, &err),
				 0);
	for (int i = 0; i < 10000; i++) {
		str_format(name, sizeof(name), "cert:%d", i);
		assert_int_equal(rate_take(&rates, &limits, name, 1, &err), 0);
	}
	assert_int_equal(rate_take(&rates, &limits, "uid:1", 1, &err),
			 -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_bucket_is_full_and_fills_with_time),
		cmocka_unit_test(the_largest_numbers_do_not_overflow),
		cmocka_unit_test(one_principal_does_not_take_from_another),
		cmocka_unit_test(
			many_principals_do_not_free_one_that_has_used_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
