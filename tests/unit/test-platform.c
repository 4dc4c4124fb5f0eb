/* SPDX-License-Identifier: Apache-2.0
 *
 * test-platform.c - the table of the families of IOMMUs
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/platform.h"
#include "base/str.h"

static void each_family_is_found_by_its_name_once(void **state)
{
	const struct platform *all;
	size_t n = platform_all(&all);

	for (size_t i = 0; i < n; i++)
		assert_ptr_equal(platform_of(all[i].family), &all[i]);
	assert_string_equal(platform_of("nothing")->family, "other");
	assert_string_equal(all[n - 1].family, "other");
}

static void each_family_but_the_last_shows_in_sysfs(void **state)
{
	const struct platform *all;
	size_t n = platform_all(&all);

	for (size_t i = 0; i < n; i++) {
		int ways = (all[i].folder != NULL) + (all[i].prefix != NULL) +
			   (all[i].carrier != NULL);

		assert_int_equal(ways, i < n - 1);
		assert_true(all[i].folder || !all[i].registers[0]);
		/* A range. */
		assert_int_equal(all[i].aperture_last &
				 (all[i].aperture_last + 1), 0);
	}
}

static void windows_of_the_platform_are_powers_alone(void **state)
{
	const struct platform *all;
	size_t n = platform_all(&all);

	for (size_t i = 0; i < n; i++)
		assert_int_equal(all[i].spapr,
				 str_eq(all[i].family, "spapr-tce"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_family_is_found_by_its_name_once),
		cmocka_unit_test(each_family_but_the_last_shows_in_sysfs),
		cmocka_unit_test(windows_of_the_platform_are_powers_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
