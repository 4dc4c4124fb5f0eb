/* SPDX-License-Identifier: Apache-2.0
 *
 * test-grpc-framing.c - messages in a stream of bytes, however it is cut
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "grpc/framing.h"

#define LIMIT 1000

/**
 * take() - Give bytes to a framing, so many at a time
 * @framing:	Not whole
 * @data:	What
 * @size:	Of it
 * @step:	At a time
 * @err:	Filled on failure
 *
 * Return: how many were used; -errno.
 */
static ssize_t take(struct framing *framing, const uint8_t *data, size_t size,
		    size_t step, struct error *err)
{
	size_t used = 0;

	while (used < size && !framing->whole) {
		size_t n = size - used < step ? size - used : step;
		_cleanup_free_ uint8_t *copy = malloc(n);
		const uint8_t *at = copy;
		size_t left = n;
		int r;

		assert_non_null(copy);
		memcpy(copy, data + used, n);
		r = framing_take(framing, &at, &left, err);
		if (r < 0)
			return r;
		assert_true(at == copy + n - left);
		assert_true(!left || framing->whole);
		used += n - left;
	}
	return (ssize_t)used;
}

/* Every size up to the limit, every cut, and what follows is left alone. */
static void messages_come_in_any_pieces(void **state)
{
	size_t budget = LIMIT;

	for (size_t size = 0; size <= LIMIT; size += size < 20 ? 1 : 97) {
		uint8_t data[FRAMING_PREFIX + LIMIT + 3];

		framing_write(size, data);
		for (size_t i = 0; i < size + 3; i++)
			data[FRAMING_PREFIX + i] = (uint8_t)i;
		for (size_t step = 1; step < 12; step++) {
			struct framing framing = { .limit = LIMIT,
						   .budget = &budget };
			struct error err = ERROR_NULL;

			assert_false(framing_started(&framing));
			assert_int_equal(take(&framing, data,
					      FRAMING_PREFIX + size + 3, step,
					      &err),
					 FRAMING_PREFIX + size);
			assert_true(framing.whole);
			assert_true(framing_started(&framing));
			assert_int_equal(framing.have, size);
			assert_int_equal(budget, LIMIT - size);
			if (size)
				assert_memory_equal(framing.data,
						    data + FRAMING_PREFIX,
						    size);
			framing_reset(&framing);
			assert_int_equal(budget, LIMIT);
			assert_false(framing_started(&framing));
		}
	}
}

/* A length alone takes nothing; memory follows what has come. */
static void a_length_alone_costs_nothing(void **state)
{
	size_t budget = 1 << 20;
	struct framing framing = { .limit = 1 << 20, .budget = &budget };
	struct error err = ERROR_NULL;
	uint8_t data[FRAMING_PREFIX + 300];

	memset(data, 0, sizeof(data));
	framing_write(1 << 20, data);
	assert_int_equal(take(&framing, data, FRAMING_PREFIX, 5, &err), 5);
	assert_int_equal(budget, 1 << 20);
	assert_int_equal(take(&framing, data, 300, 300, &err), 300);
	assert_int_equal(budget, (1 << 20) - 512);
	framing_reset(&framing);
	assert_int_equal(budget, 1 << 20);
}

/* What is refused, by its prefix alone, and how. */
static void other_prefixes_are_refused(void **state)
{
	static const struct {
		uint8_t prefix[FRAMING_PREFIX];
		int r;
		enum error_id id;
	} cases[] = {
		{ { 1, 0, 0, 0, 1 }, -EOPNOTSUPP, ERROR_REQUEST_COMPRESSED },
		{ { 2, 0, 0, 0, 1 }, -EBADMSG, ERROR_REQUEST_MALFORMED },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff },
		  -EBADMSG,
		  ERROR_REQUEST_MALFORMED },
		{ { 0, 0, 0, 3, 0xe9 }, -EMSGSIZE, ERROR_REQUEST_TOO_LARGE },
		{ { 0, 0xff, 0xff, 0xff, 0xff },
		  -EMSGSIZE,
		  ERROR_REQUEST_TOO_LARGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t budget = LIMIT;
		struct framing framing = { .limit = LIMIT, .budget = &budget };
		struct error err = ERROR_NULL;

		assert_int_equal(take(&framing, cases[i].prefix,
				      FRAMING_PREFIX, 1, &err),
				 cases[i].r);
		assert_int_equal(err.kind, cases[i].id);
		framing_reset(&framing);
	}
}

/* What one message keeps, another cannot. */
static void messages_share_a_budget(void **state)
{
	size_t budget = 600;
	struct framing one = { .limit = LIMIT, .budget = &budget };
	struct framing two = { .limit = LIMIT, .budget = &budget };
	struct error err = ERROR_NULL;
	uint8_t data[FRAMING_PREFIX + 500];

	memset(data, 0, sizeof(data));
	framing_write(500, data);
	assert_int_equal(take(&one, data, sizeof(data), 600, &err),
			 sizeof(data));
	assert_int_equal(take(&two, data, sizeof(data), 600, &err), -ENOBUFS);
	assert_int_equal(err.kind, ERROR_LIMIT_REQUESTS);
	framing_reset(&one);
	framing_reset(&two);
	assert_int_equal(budget, 600);
	assert_int_equal(take(&two, data, sizeof(data), 600, &err),
			 sizeof(data));
	framing_reset(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_in_any_pieces),
		cmocka_unit_test(a_length_alone_costs_nothing),
		cmocka_unit_test(other_prefixes_are_refused),
		cmocka_unit_test(messages_share_a_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
