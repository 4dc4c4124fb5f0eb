/* SPDX-License-Identifier: Apache-2.0
 *
 * test-grpc-metadata.c - headers and trailers of gRPC, and its two buckets
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "grpc/bucket.h"
#include "grpc/metadata.h"
#include "transcode/base64.h"

#define SECOND 1000000000ull

/* Each unit, leading noughts, the longest; what is longer than a clock. */
static void timeouts_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{ "1H", 3600 * SECOND },
		{ "2M", 120 * SECOND },
		{ "3S", 3 * SECOND },
		{ "4m", 4000000 },
		{ "5u", 5000 },
		{ "6n", 6 },
		{ "0S", 0 },
		{ "00000001S", SECOND },
		{ "99999999S", 99999999 * SECOND },
		{ "99999999H", UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t ns = 1;

		assert_int_equal(timeout_read(cases[i].text,
					      strlen(cases[i].text), &ns),
				 0);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void other_timeouts_are_refused(void **state)
{
	static const char *const cases[] = {
		"",   "S",   "1",    "1s", "123456789S", "-1S",
		"+1S", " 1S", "1 S", "1.5S", "1SS",	 "0x1S",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t ns = 7;

		assert_int_equal(timeout_read(cases[i], strlen(cases[i]), &ns),
				 -EINVAL);
		assert_int_equal(ns, 7);
	}
}

/* gRPC's own types, and what only looks like them. */
static void content_types_are_told_apart(void **state)
{
	static const char *const good[] = {
		"application/grpc",	  "application/grpc+proto",
		"Application/GRPC+Proto", "application/grpc;charset=x",
		"application/grpc ; x",	  "application/grpc+proto; x=y",
	};
	static const char *const bad[] = {
		"",		    "application/grp",
		"application/grpc-web", "application/grpc+json",
		"application/grpc+protobuf", "application/json",
		"application/grpc+", " application/grpc",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(content_type_is_grpc(good[i], strlen(good[i])));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(content_type_is_grpc(bad[i], strlen(bad[i])));
	assert_false(content_type_is_grpc("application/grpc+json",
					  strlen("application/grpc+")));
}

/* The room is what is used, to the byte. */
static void messages_are_percent_encoded(void **state)
{
	static const struct {
		const char *text;
		const char *written;
	} cases[] = {
		{ "", "" },
		{ "plain ~words!", "plain ~words!" },
		{ "100 %", "100 %25" },
		{ "\303\251", "%C3%A9" },
		{ "a\nb\x7f", "a%0Ab%7F" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = percent_size(cases[i].text);
		_cleanup_free_ char *written = malloc(size);

		assert_non_null(written);
		percent_write(cases[i].text, written);
		assert_string_equal(written, cases[i].written);
		assert_int_equal(strlen(written) + 1, size);
	}
}

/* What base64_read() reads, which is compared with Google's in tests/api. */
static void base64_comes_back(void **state)
{
	uint8_t data[256], back[260];
	char text[400];
	size_t size;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 11);
	for (size_t n = 0; n <= sizeof(data); n++) {
		size_t written = base64_write(data, n, text);

		assert_int_equal(written, strlen(text));
		assert_null(strchr(text, '='));
		assert_int_equal(base64_read(text, written, back, &size), 0);
		assert_int_equal(size, n);
		assert_memory_equal(back, data, n);
	}
	base64_write((const uint8_t *)"\xfb\xff", 2, text);
	assert_string_equal(text, "+/8");
}

/* A burst, then a rate; a long rest gives no more than a burst. */
static void buckets_have_a_burst_and_a_rate(void **state)
{
	struct bucket bucket = { 0 };
	uint64_t now = 1000 * SECOND;

	for (int i = 0; i < 5; i++)
		assert_true(bucket_take(&bucket, 5, 2, now));
	assert_false(bucket_take(&bucket, 5, 2, now));
	assert_false(bucket_take(&bucket, 5, 2, now + SECOND / 2 - 1));
	assert_true(bucket_take(&bucket, 5, 2, now + SECOND / 2));
	assert_false(bucket_take(&bucket, 5, 2, now + SECOND / 2));
	now += 3600 * SECOND;
	for (int i = 0; i < 5; i++)
		assert_true(bucket_take(&bucket, 5, 2, now));
	assert_false(bucket_take(&bucket, 5, 2, now));
	bucket_fill(&bucket, 5, now);
	assert_true(bucket_take(&bucket, 5, 2, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timeouts_are_read),
		cmocka_unit_test(other_timeouts_are_refused),
		cmocka_unit_test(content_types_are_told_apart),
		cmocka_unit_test(messages_are_percent_encoded),
		cmocka_unit_test(base64_comes_back),
		cmocka_unit_test(buckets_have_a_burst_and_a_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
