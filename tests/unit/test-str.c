/* SPDX-License-Identifier: Apache-2.0
 *
 * test-str.c - strings from strangers are bounded and checked
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/str.h"

/* The copy is always ended, and says when it is not the whole. */
static void copies_are_bounded(void **state)
{
	char dst[4];

	assert_true(str_copy(dst, sizeof(dst), "abc"));
	assert_string_equal(dst, "abc");
	assert_false(str_copy(dst, sizeof(dst), "abcd"));
	assert_string_equal(dst, "abc");
	assert_true(str_copy(dst, 1, ""));
	assert_false(str_copy(dst, 1, "a"));
	assert_string_equal(dst, "");
	assert_true(str_format(dst, sizeof(dst), "%d", 123));
	assert_false(str_format(dst, sizeof(dst), "%d", 1234));
	assert_string_equal(dst, "123");
}

static void beginnings_and_ends(void **state)
{
	char line[] = "value \t\n", blank[] = " \n", empty[] = "";

	assert_true(str_eq("a", "a"));
	assert_false(str_eq("a", "ab"));
	assert_string_equal(str_starts("vfio7", "vfio"), "7");
	assert_string_equal(str_starts("vfio", "vfio"), "");
	assert_null(str_starts("vfi", "vfio"));
	assert_string_equal(str_chomp(line), "value");
	assert_string_equal(str_chomp(blank), "");
	assert_string_equal(str_chomp(empty), "");
}

/* Table 3-7 of the Unicode Standard, its edges. */
static void only_well_formed_utf8_is_valid(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool valid;
	} cases[] = {
		{ "", 0, true },
		{ "plain", 5, true },
		{ "a\0b", 3, false },
		{ "\xc2\x80", 2, true },
		{ "\xdf\xbf", 2, true },
		{ "\xe0\xa0\x80", 3, true },
		{ "\xed\x9f\xbf", 3, true },
		{ "\xee\x80\x80", 3, true },
		{ "\xf0\x90\x80\x80", 4, true },
		{ "\xf4\x8f\xbf\xbf", 4, true },
		{ "\x80", 1, false },		  /* begins in the middle */
		{ "\xc0\x80", 2, false },	  /* overlong */
		{ "\xc1\xbf", 2, false },	  /* overlong */
		{ "\xe0\x9f\xbf", 3, false },	  /* overlong */
		{ "\xf0\x8f\xbf\xbf", 4, false }, /* overlong */
		{ "\xed\xa0\x80", 3, false },	  /* surrogate */
		{ "\xed\xbf\xbf", 3, false },	  /* surrogate */
		{ "\xf4\x90\x80\x80", 4, false }, /* beyond U+10FFFF */
		{ "\xf5\x80\x80\x80", 4, false },
		{ "\xff", 1, false },
		{ "\xc2", 1, false },		  /* cut */
		{ "\xe2\x82", 2, false },	  /* cut */
		{ "\xf0\x90\x80", 3, false },	  /* cut */
		{ "\xe2\x28\xa1", 3, false },
		{ "\xf0\x90\x28\x80", 4, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(str_utf8_valid(cases[i].bytes, cases[i].size),
				 cases[i].valid);
}

/* What is left is one line, for a terminal and for protobuf. */
static void cleaning_leaves_one_printable_line(void **state)
{
	char text[] = "t\x1b[31m\n\x7f\xc2\x85\xc3\xa4\xffz\xe2\x82";

	assert_string_equal(str_clean(text), "t?[31m????\xc3\xa4?z??");
	assert_true(str_utf8_valid(text, strlen(text)));
}

static void numbers_are_read_whole_or_not(void **state)
{
	static const struct {
		const char *s;
		int base;
		uint64_t max;
		int r;
		uint64_t value;
	} cases[] = {
		{ "0", 10, UINT64_MAX, 0, 0 },
		{ "010", 0, UINT64_MAX, 0, 10 },
		{ "0x10", 0, UINT64_MAX, 0, 16 },
		{ "0Xff", 0, UINT64_MAX, 0, 255 },
		{ "fF", 16, UINT64_MAX, 0, 255 },
		{ "18446744073709551615", 10, UINT64_MAX, 0, UINT64_MAX },
		{ "ffffffffffffffff", 16, UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", 10, UINT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999999", 10, UINT64_MAX, -ERANGE, 0 },
		{ "10000000000000000", 16, UINT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999x", 10, UINT64_MAX, -EINVAL, 0 },
		{ "256", 10, 255, -ERANGE, 0 },
		{ "255", 10, 255, 0, 255 },
		{ "", 10, UINT64_MAX, -EINVAL, 0 },
		{ "", 0, UINT64_MAX, -EINVAL, 0 },
		{ "0x", 0, UINT64_MAX, -EINVAL, 0 },
		{ "0x0x1", 0, UINT64_MAX, -EINVAL, 0 },
		{ "0x10", 10, UINT64_MAX, -EINVAL, 0 },
		{ "0x10", 16, UINT64_MAX, -EINVAL, 0 },
		{ "-1", 10, UINT64_MAX, -EINVAL, 0 },
		{ "+1", 10, UINT64_MAX, -EINVAL, 0 },
		{ " 1", 10, UINT64_MAX, -EINVAL, 0 },
		{ "1 ", 10, UINT64_MAX, -EINVAL, 0 },
		{ "1a", 10, UINT64_MAX, -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 77;

		assert_int_equal(str_u64(cases[i].s, cases[i].base,
					 cases[i].max, &value),
				 cases[i].r);
		assert_true(value == (cases[i].r ? 77 : cases[i].value));
	}
}

static void sizes_have_one_letter_at_most(void **state)
{
	static const struct {
		const char *s;
		int r;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "2k", 0, 2048 },
		{ "512M", 0, 512ull << 20 },
		{ "3g", 0, 3ull << 30 },
		{ "16777215T", 0, 16777215ull << 40 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "16777216T", -ERANGE, 0 },
		{ "18446744073709551615K", -ERANGE, 0 },
		{ "99999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "M", -EINVAL, 0 },
		{ "1MB", -EINVAL, 0 },
		{ "1 M", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1P", -EINVAL, 0 },
		{ "-1M", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 77;

		assert_int_equal(str_size(cases[i].s, &value), cases[i].r);
		assert_true(value == (cases[i].r ? 77 : cases[i].value));
	}
}

static void lists_own_their_strings(void **state)
{
	_cleanup_strv_ struct strv v = STRV_NULL;
	char word[] = "b";

	strv_sort(&v);
	assert_false(strv_has(&v, "b"));
	assert_int_equal(strv_add(&v, word), 0);
	word[0] = 'x';
	assert_int_equal(strv_add(&v, "c"), 0);
	assert_int_equal(strv_addf(&v, "%c%d", 'a', 1), 0);
	strv_sort(&v);

	assert_int_equal(v.n, 3);
	assert_string_equal(v.items[0], "a1");
	assert_string_equal(v.items[1], "b");
	assert_string_equal(v.items[2], "c");
	assert_null(v.items[3]);
	assert_true(strv_has(&v, "b"));
	assert_false(strv_has(&v, "x"));

	strv_deinit(&v);
	assert_null(v.items);
	assert_int_equal(v.n, 0);
}

static void a_copy_of_a_list_is_appended(void **state)
{
	_cleanup_strv_ struct strv from = STRV_NULL, to = STRV_NULL;

	assert_int_equal(strv_copy(&from, &to), 0);
	assert_int_equal(to.n, 0);
	assert_int_equal(strv_add(&from, "a"), 0);
	assert_int_equal(strv_add(&from, "b"), 0);
	assert_int_equal(strv_copy(&from, &to), 0);
	assert_int_equal(strv_copy(&from, &to), 0);
	assert_int_equal(to.n, 4);
	assert_string_equal(to.items[3], "b");
	assert_null(to.items[4]);
	assert_ptr_not_equal(to.items[0], from.items[0]);
}

static void what_is_taken_out_of_a_list_leaves_no_gap(void **state)
{
	_cleanup_strv_ struct strv v = STRV_NULL;

	strv_remove(&v, "a");
	for (const char *word = "abab"; *word; word++)
		assert_int_equal(strv_addf(&v, "%c", *word), 0);
	strv_remove(&v, "x");
	assert_int_equal(v.n, 4);
	strv_remove(&v, "a");
	assert_int_equal(v.n, 3);
	assert_string_equal(v.items[0], "b");
	assert_string_equal(v.items[1], "a");
	assert_string_equal(v.items[2], "b");
	assert_null(v.items[3]);
	strv_remove(&v, "a");
	strv_remove(&v, "b");
	strv_remove(&v, "b");
	assert_int_equal(v.n, 0);
	assert_null(v.items[0]);
	assert_int_equal(strv_add(&v, "c"), 0);
	assert_string_equal(v.items[0], "c");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_are_bounded),
		cmocka_unit_test(beginnings_and_ends),
		cmocka_unit_test(only_well_formed_utf8_is_valid),
		cmocka_unit_test(cleaning_leaves_one_printable_line),
		cmocka_unit_test(numbers_are_read_whole_or_not),
		cmocka_unit_test(sizes_have_one_letter_at_most),
		cmocka_unit_test(lists_own_their_strings),
		cmocka_unit_test(a_copy_of_a_list_is_appended),
		cmocka_unit_test(what_is_taken_out_of_a_list_leaves_no_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
