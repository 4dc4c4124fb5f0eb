/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of changes alone, and as the registry fills it: each published
 * revision once and in order, whoever foresaw which, and whatever is forgotten.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "front-host.h"
#include "model/changes.h"

/**
 * add() - Enter a change
 * @log:	The log
 * @revision:	Its revision
 * @size:	Bytes of its object
 */
static void add(struct changes *log, uint64_t revision, size_t size)
{
	const struct touched touched = {
		.collection = CHANGE_LEASES,
		.name = "leases/1",
		.revision = revision,
		.principal = "uid:5",
	};
	struct logged *entry = logged_new(&touched, size);

	assert_non_null(entry);
	assert_string_equal(entry->principal, "uid:5");
	changes_add_consume(log, entry, revision);
}

/**
 * next() - The revision of the change after another
 *
 * Return: the revision; 0 for none yet; -ESTALE.
 */
static int64_t next(const struct changes *log, uint64_t after)
{
	const struct logged *entry;
	int r = changes_next(log, after, &entry);

	return r < 0 ? r : entry ? (int64_t)entry->revision : 0;
}

static void an_empty_log_knows_what_it_does_not_keep(void **state)
{
	struct changes log = { .floor = 0 };

	changes_begin(&log, 7);
	assert_int_equal(next(&log, 6), -ESTALE);
	assert_int_equal(next(&log, 7), 0);
	assert_int_equal(next(&log, UINT64_MAX), 0);
	changes_deinit(&log);
}

static void every_change_is_found_from_any_revision(void **state)
{
	struct changes log = { .floor = 0 };

	changes_begin(&log, 1);
	/* Numbers may be left out. */
	for (uint64_t r = 3; r < 300; r += 3)
		add(&log, r, 10);
	for (uint64_t after = 1; after < 297; after++)
		assert_int_equal(next(&log, after), after / 3 * 3 + 3);
	assert_int_equal(next(&log, 297), 0);
	changes_deinit(&log);
}

static void the_oldest_are_forgotten_by_number(void **state)
{
	static const size_t kept[] = { 0, 1, 64, CHANGES_MAX };
	const uint64_t last = CHANGES_MAX + 1000;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const size_t n = kept[i] ? kept[i] : CHANGES_MAX;
		struct changes log = { .kept = kept[i] };

		for (uint64_t r = 1; r <= last; r++)
			add(&log, r, 0);
		assert_int_equal(log.n, n);
		assert_int_equal(next(&log, last - n - 1), -ESTALE);
		for (uint64_t r = last - n; r < last; r++)
			assert_int_equal(next(&log, r), r + 1);
		changes_deinit(&log);
	}
}

static void the_oldest_are_forgotten_by_size(void **state)
{
	struct changes log = { .floor = 0 };

	for (uint64_t r = 1; r <= 100; r++) {
		add(&log, r, CHANGES_BYTES_MAX / 10);
		assert_true(log.bytes <= CHANGES_BYTES_MAX);
	}
	assert_int_equal(log.n, 9);
	assert_int_equal(next(&log, 90), -ESTALE);
	assert_int_equal(next(&log, 91), 92);

	/* One that is larger than all is kept, alone. */
	add(&log, 101, CHANGES_BYTES_MAX);
	assert_int_equal(log.n, 1);
	assert_int_equal(next(&log, 100), 101);
	changes_deinit(&log);
}

static void a_change_without_memory_is_not_missed_unawares(void **state)
{
	struct changes log = { .floor = 0 };

	add(&log, 1, 0);
	add(&log, 2, 0);
	changes_add_consume(&log, NULL, 3);
	assert_int_equal(next(&log, 0), -ESTALE);
	assert_int_equal(next(&log, 2), -ESTALE);
	assert_int_equal(next(&log, 3), 0);
	add(&log, 4, 0);
	assert_int_equal(next(&log, 3), 4);
	changes_deinit(&log);
}

/* --- as the registry fills it --- */

static unsigned int told;

static struct logged *write_name(void *data, struct registry *reg,
				 const struct touched *touched,
				 const void *object)
{
	return logged_new(touched, 0);
}

static void entered(void *data)
{
	told++;
}

static struct registry_observer observer = {
	.write = write_name,
	.entered = entered,
};

/**
 * observed() - A registry of a machine whose changes are logged from here on
 */
static struct registry *observed(void)
{
	struct registry *reg = machine_registry(4);

	registry_lock(reg);
	registry_observe(reg, &observer);
	registry_unlock(reg);
	told = 0;
	observer.wanted = true;
	return reg;
}

/**
 * expect() - Find the next change in the log
 * @at:		Revision to look behind; moves on
 * @name:	Of the object that changed; NULL for no change
 *
 * Return: the change.
 */
static const struct logged *expect(struct registry *reg, uint64_t *at,
				   const char *name)
{
	const struct logged *entry;

	assert_int_equal(changes_next(&reg->changes, *at, &entry), 0);
	if (!name) {
		assert_null(entry);
		return NULL;
	}
	assert_non_null(entry);
	assert_string_equal(entry->name, name);
	assert_true(entry->revision > *at);
	assert_true(entry->revision <= reg->shown);
	*at = entry->revision;
	return entry;
}

static void many_changes_under_one_lock_are_one(void **state)
{
	struct registry *reg = observed();
	struct device *one = reg->devices[1], *two = reg->devices[2];
	uint64_t at = reg->shown;

	registry_lock(reg);
	registry_changed_device(reg, one, 0);
	registry_changed_device(reg, two, 0);
	registry_changed_device(reg, one, 0);
	assert_true(two->revision > one->revision);
	registry_unlock(reg);
	assert_int_equal(told, 1);
	expect(reg, &at, one->name);
	assert_int_equal(at, one->revision);
	expect(reg, &at, two->name);
	assert_int_equal(at, two->revision);
	expect(reg, &at, NULL);

	/* Nobody is told until somebody wants to be. */
	registry_lock(reg);
	registry_changed_device(reg, one, 0);
	registry_unlock(reg);
	assert_int_equal(told, 1);
	expect(reg, &at, one->name);
	registry_free(reg);
}

static void what_was_foreseen_is_taken_if_nothing_came_before(void **state)
{
	struct registry *reg = observed();
	struct device *one = reg->devices[1], *two = reg->devices[2];
	uint64_t first, second, at = reg->shown;

	registry_lock(reg);
	first = registry_foresee(reg);
	second = registry_foresee(reg);
	registry_unlock(reg);
	/* A list that is made now is of before both. */
	assert_true(reg->shown < first);
	expect(reg, &at, NULL);

	registry_lock(reg);
	registry_changed_device(reg, two, second);
	registry_unlock(reg);
	assert_int_equal(two->revision, second);
	/* A list that is made now has the second: the first comes after it. */
	registry_lock(reg);
	registry_changed_device(reg, one, first);
	registry_unlock(reg);
	assert_true(one->revision > second);

	expect(reg, &at, two->name);
	expect(reg, &at, one->name);
	expect(reg, &at, NULL);
	registry_free(reg);
}

static void an_operation_shows_in_the_lease_it_reclaims(void **state)
{
	struct registry *reg = observed();
	struct lease *lease = lease_new();
	struct operation *op;
	const struct logged *entry;
	uint64_t at = reg->shown;

	str_copy(lease->name, NAME_SIZE, "leases/01");
	lease->claimant_uid = 7;
	op = operation_new(OPERATION_RECLAIM, lease->name, "ioasidd", "");
	str_copy(lease->reclaim, NAME_SIZE, op->name);
	registry_lock(reg);
	assert_int_equal(registry_reserve_lease(reg), 0);
	assert_int_equal(registry_reserve_operation(reg), 0);
	registry_publish_lease_consume(reg, lease);
	registry_unlock(reg);
	entry = expect(reg, &at, lease->name);
	assert_true(entry->audience.leased);
	assert_int_equal(entry->audience.uid, 7);
	registry_lock(reg);
	registry_publish_operation_consume(reg, op);
	registry_unlock(reg);
	entry = expect(reg, &at, op->name);
	assert_string_equal(entry->principal, "ioasidd");
	expect(reg, &at, lease->name);
	expect(reg, &at, NULL);
	registry_free(reg);
}

static void what_is_forgotten_is_removed(void **state)
{
	struct registry *reg = observed();
	const struct logged *entry;
	struct operation *op, *gone_op;
	struct lease *gone_lease;
	uint64_t at;

	reg->history = 0;
	op = operation_new(OPERATION_PREPARE, reg->devices[1]->name, "uid:3",
			   "");
	op->state = OPERATION_DONE;
	registry_lock(reg);
	assert_int_equal(registry_add_operation_consume(reg, op), 0);
	registry_unlock(reg);
	at = reg->shown;
	registry_lock(reg);
	registry_pop_ended(reg, 0, &gone_lease, &gone_op);
	registry_unlock(reg);
	assert_null(gone_lease);
	assert_ptr_equal(gone_op, op);
	entry = expect(reg, &at, op->name);
	assert_true(entry->removed);
	assert_string_equal(entry->principal, "uid:3");
	operation_free(gone_op);
	registry_free(reg);
}

/**
 * scan() - Scan the machine again
 * @gone:	Its last VF is not there any more
 */
static void scan(struct registry *reg, bool gone)
{
	struct kernel_inventory *inv = machine_new(4);
	size_t n = inv->n_devices;

	if (gone) {
		inv->devices[n - 2] = inv->devices[n - 1];
		inv->n_devices--;
	}
	registry_lock(reg);
	assert_true(registry_scan(reg, inv) >= 0);
	registry_unlock(reg);
	machine_free(inv);
}

static void a_scan_tells_of_all_that_differs(void **state)
{
	struct registry *reg = observed();
	uint64_t start = reg->shown, at = start;
	size_t n = reg->n_devices;

	scan(reg, false);
	expect(reg, &at, NULL);
	assert_int_equal(reg->shown, start);

	/* Its PF shows which VFs it has, its IOMMU what is behind it. */
	scan(reg, true);
	assert_int_equal(reg->n_devices, n - 1);
	assert_false(expect(reg, &at, "devices/pci-0000-01-00.0")->removed);
	assert_true(expect(reg, &at, "devices/pci-0000-03-00.3")->removed);
	assert_false(expect(reg, &at, "groups/pci-0000-01-00.0")->removed);
	assert_true(expect(reg, &at, "groups/pci-0000-03-00.3")->removed);
	assert_false(expect(reg, &at, "iommus/dmar0")->removed);
	expect(reg, &at, NULL);

	scan(reg, false);
	assert_int_equal(reg->n_devices, n);
	assert_false(expect(reg, &at, "devices/pci-0000-01-00.0")->removed);
	assert_false(expect(reg, &at, "devices/pci-0000-03-00.3")->removed);
	assert_false(expect(reg, &at, "groups/pci-0000-01-00.0")->removed);
	assert_false(expect(reg, &at, "groups/pci-0000-03-00.3")->removed);
	assert_false(expect(reg, &at, "iommus/dmar0")->removed);
	expect(reg, &at, NULL);
	registry_free(reg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_log_knows_what_it_does_not_keep),
		cmocka_unit_test(every_change_is_found_from_any_revision),
		cmocka_unit_test(the_oldest_are_forgotten_by_number),
		cmocka_unit_test(the_oldest_are_forgotten_by_size),
		cmocka_unit_test(a_change_without_memory_is_not_missed_unawares),
		cmocka_unit_test(many_changes_under_one_lock_are_one),
		cmocka_unit_test(what_was_foreseen_is_taken_if_nothing_came_before),
		cmocka_unit_test(an_operation_shows_in_the_lease_it_reclaims),
		cmocka_unit_test(what_is_forgotten_is_removed),
		cmocka_unit_test(a_scan_tells_of_all_that_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
