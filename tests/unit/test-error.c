/* SPDX-License-Identifier: Apache-2.0
 *
 * test-error.c - errors keep their words whole, bounded and printable
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

/* One returning line: the number goes through, %m is that number. */
static void set_returns_its_number_and_words_it(void **state)
{
	struct error err = ERROR_NULL;

	errno = ENOTTY;
	assert_int_equal(error_set(&err, -ENOENT, ERROR_KERNEL_NO_IOMMUFD,
				   "open '%s': %m", "/dev/iommu"),
			 -ENOENT);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(err.kind, ERROR_KERNEL_NO_IOMMUFD);
	assert_int_equal(err.number, ENOENT);
	assert_string_equal(err.msg,
			    "open '/dev/iommu': No such file or directory");
}

/* Callers that need no words pass NULL. */
static void without_an_error_only_the_number_goes_through(void **state)
{
	assert_int_equal(error_set(NULL, -EIO, ERROR_STORE_IO, "x"), -EIO);
	/* A call that failed without errno has failed all the same. */
	assert_int_equal(error_set(NULL, 0, ERROR_STORE_IO, "x"), -EIO);
	error_object(NULL, "x");
	error_remedy(NULL, "x");
	error_cause(NULL, "device", "x", "x");
	error_prefix(NULL, "x");
}

/* An error that is used twice holds nothing of the first failure. */
static void set_forgets_what_was_there(void **state)
{
	struct error err = ERROR_NULL;

	error_set(&err, -EBUSY, ERROR_DEVICE_IN_USE, "first");
	error_object(&err, "devices/a");
	error_remedy(&err, "wait");
	error_cause(&err, "mount", "/srv", "is mounted");
	error_set(&err, -EIO, ERROR_STORE_IO, "second, not '%s'", err.msg);

	assert_string_equal(err.msg, "second, not 'first'");
	assert_string_equal(err.object, "");
	assert_string_equal(err.remedy, "");
	assert_int_equal(err.n_causes, 0);
}

/* The place nearest to the failure knows the object best. */
static void the_first_object_stays(void **state)
{
	struct error err = ERROR_NULL;

	error_set(&err, -EBUSY, ERROR_DEVICE_IN_USE, "in use");
	error_object(&err, "devices/%s", "a");
	error_object(&err, "groups/b");
	assert_string_equal(err.object, "devices/a");
}

/* Context is put in front, going up. */
static void prefixes_add_up(void **state)
{
	struct error err = ERROR_NULL;

	error_set(&err, -EIO, ERROR_KERNEL_SYSFS, "read");
	error_prefix(&err, "device %d", 7);
	error_prefix(&err, "prepare");
	assert_string_equal(err.msg, "prepare: device 7: read");
}

/* Long words are cut, never run over, and stay valid. */
static void what_does_not_fit_is_cut(void **state)
{
	struct error err = ERROR_NULL;
	char words[2000];

	memset(words, 'w', sizeof(words));
	/* A character of two bytes across the end of msg. */
	memcpy(words + sizeof(err.msg) - 2, "\xc3\xa4", 2);
	words[sizeof(words) - 1] = '\0';

	error_set(&err, -EIO, ERROR_STORE_IO, "%s", words);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_true(str_utf8_valid(err.msg, strlen(err.msg)));

	error_prefix(&err, "%s", words);
	error_remedy(&err, "%s", words);
	error_object(&err, "%s", words);
	error_cause(&err, words, words, "%s", words);
	assert_int_equal(strlen(err.remedy), sizeof(err.remedy) - 1);
	assert_int_equal(strlen(err.object), sizeof(err.object) - 1);
	assert_int_equal(strlen(err.causes[0].kind), 15);
	assert_int_equal(strlen(err.causes[0].name), 111);
	assert_int_equal(strlen(err.causes[0].detail), 127);
}

/* Names of processes are made by strangers; protobuf wants UTF-8. */
static void what_strangers_wrote_is_made_printable(void **state)
{
	struct error err = ERROR_NULL;

	error_set(&err, -EBUSY, ERROR_DEVICE_IN_USE, "by '%s'", "a\nb\xff");
	error_cause(&err, "process", "x\x1b[2J", "holds %s", "\x80");
	assert_string_equal(err.msg, "by 'a?b?'");
	assert_string_equal(err.causes[0].name, "x?[2J");
	assert_string_equal(err.causes[0].detail, "holds ?");
}

/* The first ones are kept, more do no harm. */
static void causes_are_bounded(void **state)
{
	struct error err = ERROR_NULL;

	error_set(&err, -EBUSY, ERROR_DEVICE_IN_USE, "in use");
	for (int i = 0; i < 3 * ERROR_MAX_CAUSES; i++)
		error_cause(&err, "process", "p", "number %d", i);
	assert_int_equal(err.n_causes, ERROR_MAX_CAUSES);
	assert_string_equal(err.causes[ERROR_MAX_CAUSES - 1].detail,
			    "number 15");
}

/* Every id finds its way to its name and back. */
static void the_catalogue_is_whole(void **state)
{
	for (unsigned int i = ERROR_NONE + 1; i < ERROR_COUNT; i++) {
		const struct error_kind *kind = error_kind(i);

		assert_non_null(kind->id);
		assert_int_equal(error_from_name(kind->id), i);
		assert_in_range(kind->http, 400, 599);
		assert_in_range(kind->grpc, 1, 16);
	}
	assert_int_equal(error_from_name("device.unheard-of"), ERROR_NONE);
	assert_string_equal(error_kind(ERROR_COUNT)->id, "daemon.internal");
	assert_string_equal(error_kind(ERROR_NONE)->id, "daemon.internal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_returns_its_number_and_words_it),
		cmocka_unit_test(without_an_error_only_the_number_goes_through),
		cmocka_unit_test(set_forgets_what_was_there),
		cmocka_unit_test(the_first_object_stays),
		cmocka_unit_test(prefixes_add_up),
		cmocka_unit_test(what_does_not_fit_is_cut),
		cmocka_unit_test(what_strangers_wrote_is_made_printable),
		cmocka_unit_test(causes_are_bounded),
		cmocka_unit_test(the_catalogue_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
