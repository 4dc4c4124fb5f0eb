/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sim-pagetable.c - calls on a simulated iommufd about page tables: nested
 *			  ones, invalidation, dirty tracking, fault queues,
 *			  vIOMMUs
 *
 * The same is asked of the kernel's own mock by tests/vm/mock.
 */
#include "sim-world.h"

/* smmu() - Make the machine's VT-d one of SMMUv3 */
static void smmu(struct world *w)
{
	(void)str_copy(w->vtd.facts.family, sizeof(w->vtd.facts.family),
		       "smmuv3");
	w->vtd.nested_type = UAPI_HWPT_DATA_ARM_SMMUV3;
}

static int alloc(struct world *w, uint32_t dev, uint32_t pt, uint32_t flags,
		 uint32_t type, const void *data, uint32_t len, uint32_t fault)
{
	struct uapi_hwpt_alloc cmd = {
		.size = sizeof(cmd), .flags = flags, .dev_id = dev, .pt_id = pt,
		.data_type = type, .data_len = len,
		.data_uptr = (uintptr_t)w->shared, .fault_id = fault,
	};
	int r;

	if (data)
		memcpy(w->shared, data, len);
	r = CALL(w, UAPI_HWPT_ALLOC, cmd);
	return r < 0 ? r : (int)cmd.out_hwpt_id;
}

static int vtd_nested(struct world *w, uint32_t dev, uint32_t parent)
{
	const struct uapi_hwpt_vtd_s1 data = { .addr_width = 48 };

	return alloc(w, dev, parent, 0, UAPI_HWPT_DATA_VTD_S1, &data,
		     sizeof(data), 0);
}

/* invalidate() - Return: 0 or -errno; *@done has how many were done */
static int invalidate(struct world *w, uint32_t id, uint32_t type,
		      const void *entries, uint32_t len, uint32_t n,
		      uint32_t *done)
{
	struct uapi_hwpt_invalidate cmd = {
		.size = sizeof(cmd), .hwpt_id = id, .data_type = type,
		.data_uptr = (uintptr_t)w->shared, .entry_len = len,
		.entry_num = n,
	};
	int r;

	memcpy(w->shared, entries, n * len);
	r = CALL(w, UAPI_HWPT_INVALIDATE, cmd);
	*done = cmd.entry_num;
	return r;
}

static void an_invalidation_counts_up_to_the_first_bad_entry(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A), done;
	int parent = hwpt_alloc(w, dev, space, UAPI_HWPT_ALLOC_NEST_PARENT);
	int nested = vtd_nested(w, dev, parent);
	struct uapi_hwpt_vtd_s1_invalidate e[3] = {
		{ .addr = PAGE, .npages = 1 },
		{ .npages = UINT64_MAX, .flags = UAPI_VTD_INV_FLAGS_LEAF },
		{ .addr = 8 * PAGE, .npages = 4 },
	};

	assert_int_equal(invalidate(w, (uint32_t)nested, 0, e, sizeof(*e), 3,
				    &done), 0);
	assert_int_equal(done, 3);
	e[1].addr = PAGE; /* all of it begins at 0 */
	assert_int_equal(invalidate(w, (uint32_t)nested, 0, e, sizeof(*e), 3,
				    &done), -EINVAL);
	assert_int_equal(done, 1);
	e[0].addr = 1;
	assert_int_equal(invalidate(w, (uint32_t)nested, 0, e, sizeof(*e), 3,
				    &done), -EINVAL);
	assert_int_equal(done, 0);
	e[0] = (struct uapi_hwpt_vtd_s1_invalidate){ .flags = 2 };
	assert_int_equal(invalidate(w, (uint32_t)nested, 0, e, sizeof(*e), 1,
				    &done), -EOPNOTSUPP);
	assert_int_equal(done, 0);
	/* None: only whether the type is known. */
	assert_int_equal(invalidate(w, (uint32_t)nested, 0, e, 0, 0, &done), 0);
	assert_int_equal(invalidate(w, (uint32_t)nested, 1, e, 0, 0, &done),
			 -EINVAL);
	assert_int_equal(invalidate(w, (uint32_t)nested, 0, e, sizeof(*e) - 1,
				    1, &done), -EINVAL);
	assert_int_equal(invalidate(w, (uint32_t)parent, 0, e, sizeof(*e), 1,
				    &done), -EINVAL);
	assert_int_equal(invalidate(w, 77, 0, e, sizeof(*e), 1, &done),
			 -ENOENT);
	assert_int_equal(done, 0);
}

static void a_guests_page_table_has_the_length_of_its_type(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	int parent = hwpt_alloc(w, dev, space, UAPI_HWPT_ALLOC_NEST_PARENT);
	const uint32_t vtd = UAPI_HWPT_DATA_VTD_S1;
	char data[64] = { 0 };

	assert_int_equal(alloc(w, dev, (uint32_t)parent, 0, vtd, data, 25, 0),
			 -EINVAL);
	assert_int_equal(alloc(w, dev, (uint32_t)parent, 0, vtd, data, 23, 0),
			 -EINVAL);
	assert_int_equal(alloc(w, dev, (uint32_t)parent,
			       UAPI_HWPT_ALLOC_DIRTY_TRACKING, vtd, data, 24,
			       0), -EOPNOTSUPP);
	assert_true(alloc(w, dev, (uint32_t)parent, UAPI_HWPT_ALLOC_PASID, vtd,
			  data, 24, 0) > 0);
}

/* --- dirty tracking --- */

static int set_dirty(struct world *w, uint32_t id, uint32_t flags)
{
	struct uapi_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd), .flags = flags, .hwpt_id = id,
	};

	return CALL(w, UAPI_HWPT_SET_DIRTY_TRACKING, cmd);
}

/* get_dirty() - Return: 0 or -errno; the first bits in *@bits */
static int get_dirty(struct world *w, uint32_t id, uint64_t iova,
		     uint64_t length, uint64_t page_size, uint32_t flags,
		     uint64_t *bits)
{
	struct uapi_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd), .hwpt_id = id, .flags = flags,
		.iova = iova, .length = length, .page_size = page_size,
		.data = (uintptr_t)w->shared,
	};
	int r;

	memset(w->shared, 0, PAGE);
	r = CALL(w, UAPI_HWPT_GET_DIRTY_BITMAP, cmd);
	memcpy(bits, w->shared, sizeof(*bits));
	return r;
}

/* watched() - A space with 16 pages at 1 GiB, and a device on it by a page table
 * with dirty tracking
 */
static uint32_t watched(struct world *w, uint32_t *ret_dev, uint32_t *ret_space)
{
	int table;

	w->vtd.dirty_tracking = true;
	*ret_space = new_space(w);
	*ret_dev = bind(w, DEV_A);
	table = hwpt_alloc(w, *ret_dev, *ret_space,
			   UAPI_HWPT_ALLOC_DIRTY_TRACKING);
	assert_true(table > 0);
	assert_int_equal(attach(w, *ret_dev, (uint32_t)table), table);
	assert_int_equal(map_at(w, *ret_space, w->memory, 16 * PAGE, GIB), 0);
	return (uint32_t)table;
}

static void what_a_device_writes_is_dirty_until_it_is_read(void **state)
{
	struct world *w = *state;
	uint32_t dev, space, table = watched(w, &dev, &space);
	uint64_t bits;
	char bytes[16] = "written";

	/* Nobody watches yet. */
	assert_int_equal(dma(w, dev, GIB, bytes, 8, true), 0);
	assert_int_equal(set_dirty(w, table, 1), 0);
	assert_int_equal(get_dirty(w, table, GIB, 16 * PAGE, PAGE, 0, &bits),
			 0);
	assert_int_equal(bits, 0);

	assert_int_equal(dma(w, dev, GIB + 3 * PAGE, bytes, 8, true), 0);
	assert_int_equal(dma(w, dev, GIB + 6 * PAGE - 4, bytes, 8, true), 0);
	assert_int_equal(dma(w, dev, GIB + 9 * PAGE, bytes, 8, false), 0);
	assert_int_equal(get_dirty(w, table, GIB, 16 * PAGE, PAGE,
				   UAPI_HWPT_GET_DIRTY_BITMAP_NO_CLEAR, &bits),
			 0);
	assert_int_equal(bits, 1 << 3 | 1 << 5 | 1 << 6);
	/* Bits are counted from the first address. */
	assert_int_equal(get_dirty(w, table, GIB + 4 * PAGE, 4 * PAGE, PAGE, 0,
				   &bits), 0);
	assert_int_equal(bits, 1 << 1 | 1 << 2);
	assert_int_equal(get_dirty(w, table, GIB, 16 * PAGE, 4 * PAGE, 0,
				   &bits), 0);
	assert_int_equal(bits, 1);
	assert_int_equal(get_dirty(w, table, GIB, 16 * PAGE, PAGE, 0, &bits),
			 0);
	assert_int_equal(bits, 0);

	/* Pages shorter than the IOMMU's. */
	assert_int_equal(dma(w, dev, GIB + PAGE, bytes, 8, true), 0);
	assert_int_equal(get_dirty(w, table, GIB, 16 * PAGE, PAGE / 2, 0,
				   &bits), 0);
	assert_int_equal(bits, 3 << 2);

	assert_int_equal(set_dirty(w, table, 0), 0);
	assert_int_equal(dma(w, dev, GIB, bytes, 8, true), 0);
	assert_int_equal(get_dirty(w, table, GIB, 16 * PAGE, PAGE, 0, &bits),
			 0);
	assert_int_equal(bits, 0);
}

static void unmapped_is_not_dirty(void **state)
{
	struct world *w = *state;
	uint32_t dev, space, table = watched(w, &dev, &space);
	uint64_t bits;
	char byte = 1;

	assert_int_equal(set_dirty(w, table, 1), 0);
	assert_int_equal(dma(w, dev, GIB, &byte, 1, true), 0);
	assert_int_equal(unmap_at(w, space, GIB, 16 * PAGE), 0);
	assert_int_equal(get_dirty(w, table, GIB, PAGE, PAGE, 0, &bits), 0);
	assert_int_equal(bits, 0);
	assert_int_equal(map_at(w, space, w->memory, 2 * PAGE, GIB), 0);
	assert_int_equal(get_dirty(w, table, GIB, PAGE, PAGE, 0, &bits), 0);
	assert_int_equal(bits, 0);
	/* Up to a hole it is read, and what is behind stays written. */
	assert_int_equal(map_at(w, space, w->memory, PAGE, GIB + 3 * PAGE), 0);
	assert_int_equal(dma(w, dev, GIB + PAGE, &byte, 1, true), 0);
	assert_int_equal(dma(w, dev, GIB + 3 * PAGE, &byte, 1, true), 0);
	assert_int_equal(get_dirty(w, table, GIB, 4 * PAGE, PAGE, 0, &bits),
			 0);
	assert_int_equal(bits, 2);
	assert_int_equal(get_dirty(w, table, GIB + 3 * PAGE, PAGE, PAGE, 0,
				   &bits), 0);
	assert_int_equal(bits, 1);
}

static void dirty_tracking_is_refused_where_it_is_not(void **state)
{
	struct world *w = *state;
	uint32_t dev, space, table = watched(w, &dev, &space);
	int plain = hwpt_alloc(w, dev, space, 0);
	uint64_t bits;

	assert_int_equal(set_dirty(w, (uint32_t)plain, 1), -EOPNOTSUPP);
	assert_int_equal(get_dirty(w, (uint32_t)plain, GIB, PAGE, PAGE, 0,
				   &bits), -EOPNOTSUPP);
	assert_int_equal(set_dirty(w, table, 2), -EOPNOTSUPP);
	assert_int_equal(set_dirty(w, space, 1), -ENOENT);
	assert_int_equal(set_dirty(w, 77, 1), -ENOENT);
	assert_int_equal(get_dirty(w, table, GIB, PAGE, PAGE, 2, &bits),
			 -EOPNOTSUPP);
	assert_int_equal(get_dirty(w, table, GIB, 0, PAGE, 0, &bits), -EINVAL);
	assert_int_equal(get_dirty(w, table, GIB, PAGE, 0, 0, &bits), -EINVAL);
	assert_int_equal(get_dirty(w, table, GIB, PAGE + 1, PAGE, 0, &bits),
			 -EINVAL);
	assert_int_equal(get_dirty(w, table, GIB + 1, PAGE, PAGE, 0, &bits),
			 -EINVAL);
	assert_int_equal(get_dirty(w, table, GIB + PAGE, 2 * PAGE, 2 * PAGE, 0,
				   &bits), -EINVAL);
	assert_int_equal(get_dirty(w, table, UINT64_MAX - PAGE + 1, 2 * PAGE,
				   PAGE, 0, &bits), -EOVERFLOW);
}

/* --- fault queues --- */

static uint32_t new_queue(struct world *w, struct sim_made *made)
{
	struct uapi_fault_alloc cmd = { .size = sizeof(cmd) };

	*made = (struct sim_made){ NULL, 0 };
	w->caller.made = made;
	assert_int_equal(CALL(w, UAPI_FAULT_QUEUE_ALLOC, cmd), 0);
	assert_non_null(made->file);
	assert_int_equal(made->offset,
			 offsetof(struct uapi_fault_alloc, out_fault_fd));
	w->caller.made = NULL;
	return cmd.out_fault_id;
}

static void a_queue_in_use_is_not_destroyed(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A), queue;
	struct sim_made made;
	int table;

	queue = new_queue(w, &made);
	table = alloc(w, dev, space, UAPI_HWPT_FAULT_ID_VALID, 0, NULL, 0,
		      queue);
	assert_true(table > 0);
	assert_int_equal(alloc(w, dev, space, UAPI_HWPT_FAULT_ID_VALID, 0,
			       NULL, 0, space), -ENOENT);
	assert_int_equal(destroy(w, queue), -EBUSY);
	made.file = sim_close(made.file);
	assert_int_equal(destroy(w, queue), -EBUSY);
	/* No device here asks for pages, and VT-d says so. */
	assert_int_equal(attach(w, dev, (uint32_t)table), -ENODEV);
	assert_int_equal(destroy(w, (uint32_t)table), 0);
	assert_int_equal(destroy(w, queue), 0);
}

static void nothing_comes_out_of_a_queue(void **state)
{
	struct world *w = *state;
	struct sim_made made;
	uint32_t queue = new_queue(w, &made);
	const size_t record = sizeof(struct uapi_hwpt_pgfault);
	uintptr_t at = (uintptr_t)w->shared;

	assert_int_equal(sim_pread(made.file, &w->caller, at, record, 0), 0);
	assert_int_equal(sim_pread(made.file, &w->caller, at, record - 1, 0),
			 -ESPIPE);
	assert_int_equal(sim_pwrite(made.file, &w->caller, at, 0, 0), 0);
	assert_int_equal(sim_pwrite(made.file, &w->caller, at, 7, 0), -ESPIPE);
	assert_int_equal(sim_pwrite(made.file, &w->caller, at, 8, 0), -EINVAL);
	assert_int_equal(sim_ioctl(made.file, &w->caller, UAPI_DESTROY, at),
			 -ENOTTY);
	/* It keeps its context. */
	w->context = sim_context_unref(w->context);
	assert_int_equal(sim_pread(made.file, &w->caller, at, record, 0), 0);
	made.file = sim_close(made.file);
	(void)queue;
}

static void who_can_be_given_no_descriptor_has_no_queue(void **state)
{
	struct world *w = *state;
	struct uapi_fault_alloc cmd = { .size = sizeof(cmd) };
	struct sim_made made = { NULL, 0 };
	struct uapi_fault_alloc *readonly;

	assert_int_equal(CALL(w, UAPI_FAULT_QUEUE_ALLOC, cmd), -EMFILE);
	w->caller.made = &made;
	cmd.flags = 1;
	assert_int_equal(CALL(w, UAPI_FAULT_QUEUE_ALLOC, cmd), -EOPNOTSUPP);
	readonly = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	readonly->size = sizeof(*readonly);
	assert_int_equal(mprotect(readonly, PAGE, PROT_READ), 0);
	assert_int_equal(sim_context_ioctl(w->context, &w->caller,
					   UAPI_FAULT_QUEUE_ALLOC,
					   (uintptr_t)readonly), -EFAULT);
	munmap(readonly, PAGE);
	assert_null(made.file);
	w->caller.made = NULL;
	assert_int_equal(new_space(w), 1);
}

/* --- vIOMMUs --- */

static int new_viommu(struct world *w, uint32_t type, uint32_t dev,
		      uint32_t parent)
{
	struct uapi_viommu_alloc cmd = {
		.size = sizeof(cmd), .type = type, .dev_id = dev,
		.hwpt_id = parent,
	};
	int r = CALL(w, UAPI_VIOMMU_ALLOC, cmd);

	return r < 0 ? r : (int)cmd.out_viommu_id;
}

static int new_vdevice(struct world *w, uint32_t viommu, uint32_t dev,
		       uint64_t virt_id)
{
	struct uapi_vdevice_alloc cmd = {
		.size = sizeof(cmd), .viommu_id = viommu, .dev_id = dev,
		.virt_id = virt_id,
	};
	int r = CALL(w, UAPI_VDEVICE_ALLOC, cmd);

	return r < 0 ? r : (int)cmd.out_vdevice_id;
}

static void viommus_are_where_the_driver_has_them(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	uint32_t parent = (uint32_t)hwpt_alloc(w, dev, space,
					       UAPI_HWPT_ALLOC_NEST_PARENT);

	assert_int_equal(new_viommu(w, 1, dev, parent), -EOPNOTSUPP);
	smmu(w);
	assert_int_equal(new_viommu(w, 0, dev, parent), -EOPNOTSUPP);
	assert_int_equal(new_viommu(w, 2, dev, parent), -EOPNOTSUPP);
	assert_int_equal(new_viommu(w, 1, space, parent), -ENOENT);
	assert_int_equal(new_viommu(w, 1, dev, space), -ENOENT);
	assert_int_equal(new_viommu(w, 1, dev, (uint32_t)
				    hwpt_alloc(w, dev, space, 0)), -EINVAL);
	assert_true(new_viommu(w, 1, dev, parent) > 0);
	assert_int_equal(destroy(w, parent), -EBUSY);
}

static void a_vdevice_ends_before_its_viommu(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), a = bind(w, DEV_A), b = bind(w, DEV_B);
	uint32_t plain = bind(w, DEV_PLAIN), parent, viommu;
	int vdevice, other;

	smmu(w);
	parent = (uint32_t)hwpt_alloc(w, a, space, UAPI_HWPT_ALLOC_NEST_PARENT);
	viommu = (uint32_t)new_viommu(w, 1, a, parent);
	vdevice = new_vdevice(w, viommu, a, 0x99);
	assert_true(vdevice > 0);
	assert_int_equal(new_vdevice(w, viommu, a, 0x9a), -EEXIST);
	assert_int_equal(new_vdevice(w, viommu, b, 0x99), -EEXIST);
	assert_int_equal(new_vdevice(w, viommu, plain, 1), -EINVAL);
	assert_int_equal(new_vdevice(w, parent, b, 1), -ENOENT);
	assert_int_equal(destroy(w, viommu), -EBUSY);
	other = new_vdevice(w, viommu, b, 0x98);
	assert_true(other > 0);

	/* With its device a vDEVICE ends, and its id is not used again. */
	sim_context_remove_device(w->context, b);
	assert_int_equal(destroy(w, (uint32_t)other), -ENOENT);
	assert_int_equal(new_space(w), b);
	assert_int_equal(new_space(w), other + 1);

	assert_int_equal(destroy(w, (uint32_t)vdevice), 0);
	assert_int_equal(destroy(w, viommu), 0);
	assert_int_equal(destroy(w, parent), 0);
}

static void a_guests_stream_is_nested_by_its_viommu(void **state)
{
	struct world *w = *state;
	const uint32_t type = UAPI_HWPT_DATA_ARM_SMMUV3;
	struct uapi_hwpt_arm_smmuv3 ste = { { 1 | 5 << 1, 0 } };
	uint32_t space = new_space(w), dev = bind(w, DEV_A), parent, viommu;
	uint32_t size = sizeof(ste), done;
	struct uapi_viommu_arm_smmuv3_invalidate e[2] = {
		{ { 0x12, 0 } }, { { 0x99ULL << 32 | 0x05, 0 } },
	};
	int nested, bypass;

	smmu(w);
	parent = (uint32_t)hwpt_alloc(w, dev, space,
				      UAPI_HWPT_ALLOC_NEST_PARENT);
	assert_int_equal(alloc(w, dev, parent, 0, type, &ste, size, 0),
			 -EOPNOTSUPP);
	viommu = (uint32_t)new_viommu(w, 1, dev, parent);
	assert_int_equal(alloc(w, dev, viommu, 0, 1, &ste, size, 0), -EINVAL);
	assert_int_equal(alloc(w, dev, viommu, 0, type, &ste, 8, 0), -EINVAL);
	nested = alloc(w, dev, viommu, 0, type, &ste, size, 0);
	assert_true(nested > 0);
	ste.ste[0] = 1 | 4 << 1;
	bypass = alloc(w, dev, viommu, 0, type, &ste, size, 0);
	assert_true(bypass > 0);
	ste.ste[0] = 1 | 6 << 1; /* the second stage is the host's */
	assert_int_equal(alloc(w, dev, viommu, 0, type, &ste, size, 0), -EIO);
	ste.ste[0] = 1ULL << 53 | 1;
	assert_int_equal(alloc(w, dev, viommu, 0, type, &ste, size, 0), -EIO);

	/* One that translates needs a name for its devices. */
	assert_int_equal(attach(w, dev, (uint32_t)nested), -ENOENT);
	assert_int_equal(attach(w, dev, (uint32_t)bypass), bypass);
	assert_int_equal(invalidate(w, viommu, 1, e, sizeof(*e), 2, &done),
			 -EIO);
	assert_int_equal(done, 1);
	assert_true(new_vdevice(w, viommu, dev, 0x99) > 0);
	assert_int_equal(attach(w, dev, (uint32_t)nested), nested);
	assert_int_equal(invalidate(w, viommu, 1, e, sizeof(*e), 2, &done), 0);
	assert_int_equal(done, 2);
	e[0].cmd[0] = 0x46; /* a fence is the host's */
	assert_int_equal(invalidate(w, viommu, 1, e, sizeof(*e), 2, &done),
			 -EIO);
	assert_int_equal(done, 0);
	assert_int_equal(invalidate(w, (uint32_t)nested, 1, e, sizeof(*e), 1,
				    &done), -EOPNOTSUPP);
	assert_int_equal(destroy(w, viommu), -EBUSY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, \
						   world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_invalidation_counts_up_to_the_first_bad_entry),
		TEST(a_guests_page_table_has_the_length_of_its_type),
		TEST(what_a_device_writes_is_dirty_until_it_is_read),
		TEST(unmapped_is_not_dirty),
		TEST(dirty_tracking_is_refused_where_it_is_not),
		TEST(a_queue_in_use_is_not_destroyed),
		TEST(nothing_comes_out_of_a_queue),
		TEST(who_can_be_given_no_descriptor_has_no_queue),
		TEST(viommus_are_where_the_driver_has_them),
		TEST(a_vdevice_ends_before_its_viommu),
		TEST(a_guests_stream_is_nested_by_its_viommu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
