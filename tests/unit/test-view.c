/* SPDX-License-Identifier: Apache-2.0
 *
 * test-view.c - what clients see is what the registry has, in pages that fit
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "front-host.h"
#include "front/view.h"
#include "ops/ops.h"

#define VF "devices/pci-0000-03-00.0"

static const struct caller root = {
	.process = { .uid = 0 },
	.pidfd = -1,
	.principal = "uid:0",
	.ceiling = ROLE_ADMIN,
};
static const struct caller alice = {
	.process = { .uid = 1000, .pid = 4711 },
	.pidfd = -1,
	.principal = "uid:1000",
};

/**
 * walk() - Walk over all pages of a list
 * @reg:	The registry
 * @collection:	Which
 * @want:	Caller, size and whether all
 * @ret_pages:	How many pages there were; may be NULL
 *
 * Each page fits a packet, and is in order with the one before.
 *
 * Return: how many objects.
 */
static size_t walk(struct registry *reg, enum collection collection,
		   struct page want, size_t *ret_pages)
{
	bool down = collection >= COLLECTION_LEASES;
	char token[2 * NAME_SIZE] = "", last[2 * NAME_SIZE] = "";
	size_t n = 0, pages = 0;

	do {
		_cleanup_arena_ struct arena arena;
		struct error err = ERROR_NULL;
		struct page page = want;
		size_t size = 0;

		arena_init(&arena, VIEW_BUDGET);
		page.token = token;
		registry_lock(reg);
		assert_int_equal(view_page(&arena, reg, collection, &page,
					   &err), 0);
		registry_unlock(reg);
		for (size_t i = 0; i < page.n_items; i++) {
			/* The name is the first field of each of them. */
			const char *name = *(char **)(page.items[i] + 1);

			size += 5 + protobuf_c_message_get_packed_size(
					    page.items[i]);
			if (*last && down)
				assert_true(strcmp(last, name) > 0);
			else if (*last)
				assert_true(strcmp(last, name) < 0);
			str_copy(last, sizeof(last), name);
		}
		assert_true(size < MESSAGE_MAX);
		assert_true(page.n_items <= page.size);
		str_copy(token, sizeof(token), page.next);
		n += page.n_items;
		pages++;
	} while (*token);

	if (ret_pages)
		*ret_pages = pages;
	return n;
}

static void devices_are_listed_by_name_in_pages(void **state)
{
	struct registry *reg = machine_registry(256);
	struct page page = { .caller = &root };
	size_t pages;

	assert_int_equal(walk(reg, COLLECTION_DEVICES, page, &pages), 258);
	assert_int_equal(pages, 3);
	page.all = true;
	assert_int_equal(walk(reg, COLLECTION_DEVICES, page, NULL), 260);
	page.size = 1;
	assert_int_equal(walk(reg, COLLECTION_DEVICES, page, &pages), 260);
	assert_int_equal(pages, 260);
	page.size = 260;
	assert_int_equal(walk(reg, COLLECTION_DEVICES, page, &pages), 260);
	assert_int_equal(pages, 1);
	assert_int_equal(walk(reg, COLLECTION_GROUPS, page, NULL), 258);
	assert_int_equal(walk(reg, COLLECTION_IOMMUS, page, NULL), 1);
	assert_int_equal(walk(reg, COLLECTION_LEASES, page, NULL), 0);
	registry_free(reg);
}

/**
 * ask() - Ask for a page
 * @size:	Of it
 * @token:	From where
 *
 * Return: the error's id; "ok" if there is none.
 */
static const char *ask(struct registry *reg, enum collection collection,
		       uint32_t size, const char *token)
{
	struct page page = { .size = size, .token = token, .caller = &root };
	_cleanup_arena_ struct arena arena;
	struct error err = ERROR_NULL;
	int r;

	arena_init(&arena, VIEW_BUDGET);
	registry_lock(reg);
	r = view_page(&arena, reg, collection, &page, &err);
	registry_unlock(reg);
	return r < 0 ? error_kind(err.kind)->id : "ok";
}

static void tokens_and_sizes_are_checked(void **state)
{
	struct registry *reg = machine_registry(2);

	assert_string_equal(ask(reg, COLLECTION_DEVICES, 1000, ""), "ok");
	assert_string_equal(ask(reg, COLLECTION_DEVICES, 1001, ""),
			    "request.invalid");
	assert_string_equal(ask(reg, COLLECTION_DEVICES, 0, VF), "ok");
	assert_string_equal(ask(reg, COLLECTION_DEVICES, 0, "devices/zz"),
			    "ok");
	assert_string_equal(ask(reg, COLLECTION_DEVICES, 0, "devices/"),
			    "list.bad-token");
	assert_string_equal(ask(reg, COLLECTION_DEVICES, 0, "leases/a"),
			    "list.bad-token");
	assert_string_equal(ask(reg, COLLECTION_LEASES, 0, "leases/A"),
			    "list.bad-token");
	assert_string_equal(ask(reg, COLLECTION_GROUPS, 0, "x"),
			    "list.bad-token");
	registry_free(reg);
}

/* A device that leaves between two pages takes no other with it. */
static void a_token_outlives_its_object(void **state)
{
	struct registry *reg = machine_registry(8);
	struct page page = { .token = "devices/pci-0000-03-00.3x",
			     .caller = &root };
	_cleanup_arena_ struct arena arena;
	struct error err = ERROR_NULL;

	arena_init(&arena, VIEW_BUDGET);
	registry_lock(reg);
	assert_int_equal(view_page(&arena, reg, COLLECTION_DEVICES, &page,
				   &err), 0);
	assert_int_equal(page.n_items, 4);
	assert_string_equal(((pb_device *)page.items[0])->name,
			    "devices/pci-0000-03-00.4");
	registry_unlock(reg);
	registry_free(reg);
}

static void a_device_is_shown_with_all_it_has(void **state)
{
	struct registry *reg = machine_registry(3);
	_cleanup_arena_ struct arena arena;
	const pb_device *device;
	char etag[24];

	machine_prepare(reg, VF);
	arena_init(&arena, VIEW_BUDGET);
	registry_lock(reg);
	device = view_device(&arena, reg, registry_device(reg, VF));
	assert_string_equal(device->name, VF);
	assert_int_equal(device->state, IOASID__V1__DEVICE__STATE__READY);
	etag_of(device->revision, etag);
	assert_string_equal(device->etag, etag);
	assert_string_equal(device->bus, "pci");
	assert_string_equal(device->group, "groups/pci-0000-03-00.0");
	assert_string_equal(device->iommu, "iommus/dmar0");
	assert_string_equal(device->driver, "vfio-pci");
	assert_string_equal(device->former_driver, "igbvf");
	assert_true(device->no_reset);
	assert_false(device->unsafe_interrupts);
	assert_int_equal(device->isolated_msi,
			 IOASID__V1__DEVICE__ISOLATED_MSI__YES);
	assert_int_equal(device->numa_node, -1);
	assert_string_equal(device->pci->bdf, "0000:03:00.0");
	assert_string_equal(device->pci->physical_function,
			    "devices/pci-0000-01-00.0");
	assert_int_equal(device->pci->n_reset_set, 1);
	assert_string_equal(device->pci->reset_set[0], VF);
	assert_int_equal(device->capabilities->n_iova_ranges, 1);
	assert_int_equal(device->capabilities->iova_ranges[0]->last,
			 UINT64_MAX);
	assert_int_equal(device->capabilities->hw_info.len, 4);
	assert_string_equal(device->capabilities->backend, "iommufd");
	assert_int_equal(device->capabilities->dma_entries, 65535);
	assert_int_equal(device->capabilities->probed->seconds, 1700000000);
	assert_int_equal(device->capabilities->probed->nanos, 123456000);

	device = view_device(&arena, reg,
			     registry_device(reg, "devices/pci-0000-01-00.0"));
	assert_int_equal(device->state, IOASID__V1__DEVICE__STATE__HOST);
	assert_int_equal(device->pci->n_virtual_functions, 3);
	assert_string_equal(device->pci->virtual_functions[2],
			    "devices/pci-0000-03-00.2");
	assert_int_equal(device->pci->n_reset_methods, 3);
	assert_string_equal(device->pci->reset_methods[1], "pm");
	assert_null(device->capabilities);
	registry_unlock(reg);
	assert_true(arena_ok(&arena));
	registry_free(reg);
}

static void a_group_names_what_blocks_it(void **state)
{
	struct registry *reg = machine_registry(1);
	_cleanup_arena_ struct arena arena;
	const pb_group *group;

	arena_init(&arena, VIEW_BUDGET);
	registry_lock(reg);
	group = view_group(&arena, registry_group(
					   reg, "groups/pci-0000-01-00.0"));
	assert_false(group->viable);
	assert_int_equal(group->n_blockers, 1);
	assert_string_equal(group->blockers[0]->name,
			    "devices/pci-0000-01-00.0");
	assert_int_equal(group->n_reserved_regions, 1);
	assert_string_equal(group->reserved_regions[0]->type, "msi");
	assert_false(group->unassignable);
	group = view_group(&arena, registry_group(
					   reg, "groups/pci-0000-03-00.0"));
	assert_true(group->viable);
	assert_int_equal(group->n_blockers, 0);
	assert_int_equal(group->n_devices, 1);
	registry_unlock(reg);
	registry_free(reg);
}

/* Names of IOMMUs are drivers' words; ours have few characters. */
static void iommus_have_resource_names(void **state)
{
	struct registry *reg = machine_registry(4);
	_cleanup_arena_ struct arena arena;
	char name[CHANGE_NAME_SIZE], etag[24];
	const pb_iommu *iommu;

	iommu_name_from_sysfs("smmu3.0x0000000009050000", name);
	assert_string_equal(name, "iommus/smmu3.0x0000000009050000");
	iommu_name_from_sysfs("PCI/a:b\xff", name);
	assert_string_equal(name, "iommus/pci-a-b-");
	iommu_name_from_sysfs("", name);
	assert_string_equal(name, "");

	arena_init(&arena, VIEW_BUDGET);
	registry_lock(reg);
	iommu = view_iommu(&arena, reg, &reg->iommus[0]);
	assert_int_equal(iommu->n_devices, 7);
	assert_int_equal(iommu->n_registers, 1);
	assert_true(iommu->revision > 0);
	str_copy(etag, sizeof(etag), iommu->etag);
	iommu = view_iommu(&arena, reg, &reg->iommus[0]);
	assert_string_equal(iommu->etag, etag);
	registry_unlock(reg);
	registry_free(reg);
}

/**
 * add_operation() - Put an operation into the registry
 * @reg:	The registry, locked
 * @principal:	Whose
 * @n_steps:	With how many steps, as long as steps get
 */
static struct operation *add_operation(struct registry *reg,
				       const char *principal, size_t n_steps)
{
	struct operation *op = operation_new(OPERATION_RECLAIM, "leases/x",
					     principal, "");
	struct step step = { .took_us = UINT64_MAX, .at_us = 1ull << 50 };

	assert_non_null(op);
	memset(step.object, 'o', sizeof(step.object) - 1);
	memset(step.act, 'a', sizeof(step.act) - 1);
	memset(step.method, 'm', sizeof(step.method) - 1);
	memset(step.result, 'r', sizeof(step.result) - 1);
	for (size_t i = 0; i < n_steps; i++) {
		step.took_us = i;
		assert_int_equal(operation_add_step(op, &step), 0);
	}
	assert_int_equal(registry_add_operation_consume(reg, op), 0);
	return op;
}

/* The longest operation there can be does not fit a packet as it is. */
static void an_operation_always_fits(void **state)
{
	struct registry *reg = machine_registry(0);
	_cleanup_arena_ struct arena arena;
	const pb_operation *op;
	size_t pages;

	arena_init(&arena, VIEW_BUDGET);
	registry_lock(reg);
	op = view_operation(&arena, add_operation(reg, "uid:0",
						  OPERATION_STEPS_MAX));
	assert_true(protobuf_c_message_get_packed_size(&op->base) <
		    MESSAGE_MAX * 3 / 4);
	assert_true(op->n_steps > 300 && op->n_steps < OPERATION_STEPS_MAX);
	assert_string_equal(op->steps[0]->act, "...");
	assert_int_equal(op->steps[1]->took_us,
			 OPERATION_STEPS_MAX - op->n_steps + 1);
	assert_int_equal(op->steps[op->n_steps - 1]->took_us,
			 OPERATION_STEPS_MAX - 1);

	op = view_operation(&arena, add_operation(reg, "uid:0", 5));
	assert_int_equal(op->n_steps, 5);
	assert_int_equal(op->steps[0]->took_us, 0);
	for (int i = 0; i < 8; i++)
		(void)add_operation(reg, i % 2 ? "uid:1000" : "uid:0",
				    OPERATION_STEPS_MAX);
	registry_unlock(reg);

	assert_int_equal(walk(reg, COLLECTION_OPERATIONS,
			      (struct page){ .caller = &root }, &pages), 10);
	assert_true(pages >= 9);
	assert_int_equal(walk(reg, COLLECTION_OPERATIONS,
			      (struct page){ .caller = &alice }, NULL), 4);
	registry_free(reg);
}

/**
 * add_lease() - Put a lease into the registry
 * @reg:	The registry, locked
 * @uid:	To whom it is addressed
 * @pid:	likewise
 */
static struct lease *add_lease(struct registry *reg, uid_t uid, pid_t pid)
{
	struct lease *lease = lease_new();
	char ulid[ULID_SIZE];

	assert_non_null(lease);
	ulid_make(ulid);
	snprintf(lease->name, sizeof(lease->name), "leases/%s", ulid);
	lease->claimant_uid = uid;
	lease->claimant_pid = pid;
	assert_int_equal(strv_add(&lease->devices, VF), 0);
	assert_int_equal(registry_add_lease_consume(reg, lease), 0);
	return lease;
}

/* What strangers named is made fit; what is too much leaves the newest. */
static void a_lease_always_fits(void **state)
{
	struct registry *reg = machine_registry(1);
	struct holder holder = { .why = "" };
	_cleanup_arena_ struct arena arena;
	const pb_lease *view;
	struct operation *op;
	struct lease *lease;

	machine_prepare(reg, VF);
	arena_init(&arena, VIEW_BUDGET);
	registry_lock(reg);
	op = add_operation(reg, "ioasidd", OPERATION_STEPS_MAX);
	lease = add_lease(reg, 1000, 0);
	memset(holder.process.cgroup, 0xff,
	       sizeof(holder.process.cgroup) - 1);
	memset(holder.why, 'y', sizeof(holder.why) - 1);
	for (int i = 0; i < 500; i++) {
		holder.process.pid = i;
		assert_int_equal(lease_add_holder(lease, &holder), 0);
	}
	for (int i = 0; i < LEASE_LABELS_MAX; i++) {
		assert_int_equal(strv_addf(&lease->labels, "%063d", i), 0);
		assert_int_equal(strv_addf(&lease->labels, "%0255d", i), 0);
	}
	for (int i = 1; i < LEASE_DEVICES_MAX; i++)
		assert_int_equal(strv_addf(&lease->devices,
					   "devices/%050d", i), 0);
	str_copy(lease->reclaim, NAME_SIZE, op->name);

	view = view_lease(&arena, reg, lease);
	assert_true(protobuf_c_message_get_packed_size(&view->base) <
		    MESSAGE_MAX - 1000);
	assert_int_equal(view->n_holders, LEASE_HOLDERS_MAX);
	assert_int_equal(view->holders[LEASE_HOLDERS_MAX - 1]->pid, 499);
	assert_int_equal(view->holders[0]->cgroup[0], '?');
	assert_int_equal(view->n_labels, LEASE_LABELS_MAX);
	assert_int_equal(view->n_devices, LEASE_DEVICES_MAX);
	assert_true(view->no_reset);
	assert_null(view->expires);
	assert_true(view->n_reclaim > 300);
	registry_unlock(reg);
	assert_true(arena_ok(&arena));
	registry_free(reg);
}

/* A space with as much as it can have. */
static struct space full_space(int number)
{
	struct space space = SPACE_NULL;

	str_format(space.name, sizeof(space.name),
		   "spaces/01arz3ndektsv4rrffq69g5f%02d", number);
	space.kernel_id = UINT32_MAX;
	space.alignment = UINT64_MAX;
	space.created_us = UINT64_MAX;
	space.windows = calloc(WINDOWS_MAX, sizeof(*space.windows));
	space.ranges = calloc(1000, sizeof(*space.ranges));
	assert_true(space.windows && space.ranges);
	space.n_windows = WINDOWS_MAX;
	space.n_ranges = 1000;
	for (size_t i = 0; i < WINDOWS_MAX; i++)
		space.windows[i] = (struct window){
			UINT64_MAX - i, UINT64_MAX, UINT64_MAX, WINDOW_RAM };
	for (size_t i = 0; i < space.n_ranges; i++)
		space.ranges[i] = (struct kernel_range){ UINT64_MAX - i,
							 UINT64_MAX };
	for (int i = 0; i < SPACE_LABELS_MAX; i++) {
		assert_int_equal(strv_addf(&space.labels, "%063d", i), 0);
		assert_int_equal(strv_addf(&space.labels, "%0255d", i), 0);
	}
	return space;
}

/* Its steps are what there is less of. */
static void the_largest_hold_lease_fits_a_packet(void **state)
{
	struct registry *reg = machine_registry(2);
	_cleanup_arena_ struct arena arena;
	struct holder holder = { .since_us = 1, .until_us = 2 };
	const pb_lease *view;
	struct operation *op;
	struct lease *lease;

	arena_init(&arena, VIEW_BUDGET);
	registry_lock(reg);
	op = add_operation(reg, "ioasidd", OPERATION_STEPS_MAX);
	lease = add_lease(reg, 1000, 0);
	lease->mode = LEASE_HOLD;
	memset(holder.process.cgroup, 'x', sizeof(holder.process.cgroup) - 1);
	memset(holder.why, 'y', sizeof(holder.why) - 1);
	for (int i = 0; i < LEASE_HOLDERS_MAX; i++)
		assert_int_equal(lease_add_holder(lease, &holder), 0);
	for (int i = 0; i < LEASE_LABELS_MAX; i++) {
		assert_int_equal(strv_addf(&lease->labels, "%063d", i), 0);
		assert_int_equal(strv_addf(&lease->labels, "%0255d", i), 0);
	}
	strv_deinit(&lease->devices);
	for (int i = 0; i < SPACES_MAX; i++) {
		struct space space = full_space(i);

		assert_int_equal(lease_add_space(lease, &space), 0);
	}
	for (int i = 0; i < LEASE_DEVICES_MAX; i++) {
		assert_int_equal(strv_addf(&lease->devices,
					   "devices/%050d", i), 0);
		assert_int_equal(strv_addf(&lease->spaces[i % SPACES_MAX].devices,
					   "devices/%050d", i), 0);
		lease->device_ids[i] = UINT32_MAX;
	}
	lease->n_device_ids = LEASE_DEVICES_MAX;
	str_copy(lease->reclaim, NAME_SIZE, op->name);

	view = view_lease(&arena, reg, lease);
	assert_true(protobuf_c_message_get_packed_size(&view->base) <
		    MESSAGE_MAX - 1000);
	assert_int_equal(view->n_spaces, SPACES_MAX);
	assert_int_equal(view->spaces[15]->n_windows, WINDOWS_MAX);
	assert_int_equal(view->spaces[15]->n_iova_ranges, VIEW_RANGES);
	assert_int_equal(view->spaces[15]->n_labels, SPACE_LABELS_MAX);
	assert_true(view->n_reclaim > 10);
	assert_string_equal(view->reclaim[0]->act, "...");
	registry_unlock(reg);
	assert_true(arena_ok(&arena));
	registry_free(reg);
}

static void others_see_what_is_theirs(void **state)
{
	struct registry *reg = machine_registry(2);
	struct page page = { .caller = &alice, .all = true };

	machine_prepare(reg, VF);
	registry_lock(reg);
	(void)add_lease(reg, 0, 0);
	(void)add_lease(reg, 1000, 0);
	(void)add_lease(reg, 1000, 4712);
	str_copy(registry_device(reg, VF)->lease, NAME_SIZE,
		 add_lease(reg, 1000, 4711)->name);
	add_lease(reg, 1000, 0)->state = LEASE_ENDED;
	registry_unlock(reg);

	assert_int_equal(walk(reg, COLLECTION_LEASES, page, NULL), 3);
	assert_int_equal(walk(reg, COLLECTION_DEVICES, page, NULL), 1);
	page.all = false;
	assert_int_equal(walk(reg, COLLECTION_LEASES, page, NULL), 2);
	page.caller = &root;
	assert_int_equal(walk(reg, COLLECTION_LEASES, page, NULL), 4);
	page.all = true;
	assert_int_equal(walk(reg, COLLECTION_LEASES, page, NULL), 5);
	registry_free(reg);
}

/* Whatever the budget, the answer is a whole page or an error. */
static void no_memory_is_no_half_page(void **state)
{
	struct registry *reg = machine_registry(64);

	registry_lock(reg);
	for (size_t budget = 0; budget < 200000; budget += 997) {
		struct page page = { .token = "", .caller = &root };
		_cleanup_arena_ struct arena arena;
		struct error err = ERROR_NULL;
		int r;

		arena_init(&arena, budget);
		r = view_page(&arena, reg, COLLECTION_DEVICES, &page, &err);
		if (r < 0)
			assert_int_equal(err.kind, ERROR_DAEMON_NO_MEMORY);
		else
			assert_int_equal(page.n_items, 66);
	}
	registry_unlock(reg);
	registry_free(reg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_listed_by_name_in_pages),
		cmocka_unit_test(tokens_and_sizes_are_checked),
		cmocka_unit_test(a_token_outlives_its_object),
		cmocka_unit_test(a_device_is_shown_with_all_it_has),
		cmocka_unit_test(a_group_names_what_blocks_it),
		cmocka_unit_test(iommus_have_resource_names),
		cmocka_unit_test(an_operation_always_fits),
		cmocka_unit_test(a_lease_always_fits),
		cmocka_unit_test(the_largest_hold_lease_fits_a_packet),
		cmocka_unit_test(others_see_what_is_theirs),
		cmocka_unit_test(no_memory_is_no_half_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
