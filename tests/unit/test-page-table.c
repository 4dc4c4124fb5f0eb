/* SPDX-License-Identifier: Apache-2.0
 *
 * test-page-table.c - page tables of a lease: what hangs on what, and who is where
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "model/lease.h"

#define A "devices/pci-0000-01-00.0"
#define B "devices/pci-0000-02-00.0"
#define C "devices/pci-0000-03-00.0"

static void add_space(struct lease *lease, const char *name, uint32_t id)
{
	struct space space = SPACE_NULL;

	str_copy(space.name, sizeof(space.name), name);
	space.kernel_id = id;
	assert_int_equal(lease_add_space(lease, &space), 0);
}

static void add_table(struct lease *lease, const char *name,
		      const char *parent, uint32_t id)
{
	struct page_table table = PAGE_TABLE_NULL;

	str_copy(table.name, sizeof(table.name), name);
	str_copy(table.parent, sizeof(table.parent), parent);
	table.kernel_id = id;
	table.fault_id = 9;
	table.dirty_on = true;
	assert_int_equal(lease_add_table(lease, &table), 0);
	assert_null(table.bindings);
}

/* Two spaces; on the first a page table with a guest's; three devices. */
static int setup(void **state)
{
	struct lease *lease = lease_new();

	strv_add(&lease->devices, A);
	strv_add(&lease->devices, B);
	strv_add(&lease->devices, C);
	lease->n_device_ids = 3;
	add_space(lease, "spaces/one", 10);
	add_space(lease, "spaces/two", 20);
	add_table(lease, "pageTables/host", "spaces/one", 30);
	add_table(lease, "pageTables/guest", "pageTables/host", 40);
	*state = lease;
	return 0;
}

static int teardown(void **state)
{
	lease_free(*state);
	return 0;
}

static void a_device_is_in_one_place_and_each_pasid_in_another(void **state)
{
	struct lease *lease = *state;
	struct page_table *host = lease_table(lease, "pageTables/host");
	struct strv devices = STRV_NULL;

	strv_add(&devices, A);
	assert_int_equal(lease_place_of(lease, A), 0);
	strv_add(&lease->spaces[1].devices, A);
	assert_int_equal(lease_place_of(lease, A), 20);
	lease_move(lease, &devices, "pageTables/host");
	assert_int_equal(page_table_bind(host, A, 0), 0);
	assert_int_equal(page_table_bind(host, A, 0), 0);
	assert_int_equal(page_table_bind(host, A, 5), 0);
	assert_int_equal(host->n_bindings, 2);
	assert_int_equal(lease_place_of(lease, A), 30);
	assert_ptr_equal(lease_table_of(lease, A), host);
	lease_move(lease, &devices, "pageTables/host");
	assert_int_equal(lease_place_of(lease, A), 30);
	lease_move(lease, &devices, NULL);
	assert_int_equal(lease_place_of(lease, A), 0);
	/* Moving a device leaves its PASIDs where they are. */
	assert_true(page_table_is_on(host, A, 5));
	page_table_unbind(host, A, 5);
	page_table_unbind(host, A, 5);
	assert_int_equal(host->n_bindings, 0);
	strv_deinit(&devices);
}

static void a_space_is_for_all_that_hangs_on_it(void **state)
{
	struct lease *lease = *state;
	struct page_table *guest = lease_table(lease, "pageTables/guest");
	struct strv users = STRV_NULL;

	assert_ptr_equal(lease_root_of(lease, guest), &lease->spaces[0]);
	strv_add(&lease->spaces[0].devices, A);
	strv_add(&lease->spaces[1].devices, B);
	assert_int_equal(page_table_bind(guest, C, 3), 0);
	assert_int_equal(lease_users_of(lease, &lease->spaces[0], &users), 0);
	assert_int_equal(users.n, 2);
	assert_true(strv_has(&users, A) && strv_has(&users, C));
	strv_deinit(&users);
	assert_int_equal(lease_users_of(lease, &lease->spaces[1], &users), 0);
	assert_int_equal(users.n, 1);
	strv_deinit(&users);
}

static void what_hangs_on_itself_has_no_root(void **state)
{
	struct lease *lease = *state;

	str_copy(lease->tables[0].parent, NAME_SIZE, "pageTables/guest");
	assert_null(lease_root_of(lease, &lease->tables[0]));
	assert_null(lease_root_of(lease, &lease->tables[1]));
}

static void a_copy_has_all_of_it(void **state)
{
	struct lease *lease = *state, *copy;

	assert_int_equal(page_table_bind(&lease->tables[1], B, 2), 0);
	strv_add(&lease->tables[1].labels, "k");
	strv_add(&lease->tables[1].labels, "v");
	copy = lease_copy(lease);
	lease_drop_table(lease, 0);
	assert_int_equal(lease->n_tables, 1);
	assert_string_equal(lease->tables[0].name, "pageTables/guest");
	assert_int_equal(copy->n_tables, 2);
	assert_true(page_table_is_on(&copy->tables[1], B, 2));
	assert_string_equal(copy->tables[1].labels.items[1], "v");
	lease_free(copy);
}

static void without_an_iommufd_ids_mean_nothing(void **state)
{
	struct lease *lease = *state;

	lease_forget_ids(lease);
	assert_int_equal(lease->n_device_ids, 0);
	assert_int_equal(lease->spaces[1].kernel_id, 0);
	assert_int_equal(lease->tables[0].kernel_id, 0);
	assert_int_equal(lease->tables[1].fault_id, 0);
	assert_false(lease->tables[1].dirty_on);
}

static void no_more_are_bound_than_can_be(void **state)
{
	struct page_table *table = &((struct lease *)*state)->tables[0];

	for (uint32_t i = 0; i < PAGE_TABLE_BINDINGS_MAX; i++)
		assert_int_equal(page_table_bind(table, A, i), 0);
	assert_int_equal(page_table_bind(table, A, PASID_MAX), -E2BIG);
	assert_int_equal(page_table_bind(table, A, 0), 0);
	assert_int_equal(page_table_data_size(PAGE_TABLE_VTD_S1), 24);
	assert_int_equal(page_table_data_size(PAGE_TABLE_ARM_SMMUV3), 16);
	assert_int_equal(page_table_data_size(99), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_device_is_in_one_place_and_each_pasid_in_another),
		TEST(a_space_is_for_all_that_hangs_on_it),
		TEST(what_hangs_on_itself_has_no_root),
		TEST(a_copy_has_all_of_it),
		TEST(without_an_iommufd_ids_mean_nothing),
		TEST(no_more_are_bound_than_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
