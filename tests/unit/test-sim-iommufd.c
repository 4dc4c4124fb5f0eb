/* SPDX-License-Identifier: Apache-2.0
 *
 * test-sim-iommufd.c - calls on a simulated iommufd: structures, ids, page
 *			tables, devices
 */
#include "sim-world.h"

/* --- structures --- */

static void structures_are_taken_shorter_and_longer(void **state)
{
	struct world *w = *state;
	struct {
		struct uapi_ioas_alloc cmd;
		char rest[600];
	} longer = { .cmd = { .size = sizeof(longer) } };
	struct uapi_ioas_alloc cmd = { .size = sizeof(cmd) - 1 };

	assert_int_equal(CALL(w, UAPI_IOAS_ALLOC, cmd), -EINVAL);
	assert_int_equal(CALL(w, UAPI_IOAS_ALLOC, longer), 0);
	assert_int_equal(longer.cmd.out_ioas_id, 1);
	longer.rest[599] = 1;
	assert_int_equal(CALL(w, UAPI_IOAS_ALLOC, longer), -E2BIG);

	/* HWPT_ALLOC was shorter once. */
	assert_int_equal(hwpt_alloc(w, 77, 1, 0), -ENOENT);
	struct uapi_hwpt_alloc old = {
		.size = offsetof(struct uapi_hwpt_alloc, data_type),
		.dev_id = 77, .pt_id = 1,
	};
	assert_int_equal(CALL(w, UAPI_HWPT_ALLOC, old), -ENOENT);
	old.size--;
	assert_int_equal(CALL(w, UAPI_HWPT_ALLOC, old), -EINVAL);
}

static void bad_addresses_and_numbers_are_refused(void **state)
{
	struct world *w = *state;
	struct uapi_ioas_alloc cmd = { .size = sizeof(cmd), .flags = 1 };
	struct uapi_ioas_iova_ranges ranges = {
		.size = sizeof(ranges), .reserved = 1,
	};
	struct uapi_ioas_alloc *readonly;

	assert_int_equal(sim_context_ioctl(w->context, &w->caller,
					   UAPI_IOAS_ALLOC, 8), -EFAULT);
	assert_int_equal(CALL(w, UAPI_IOMMUFD(0x7f), cmd), -ENOTTY);
	assert_int_equal(CALL(w, UAPI_IOMMUFD(0xf0), cmd), -ENOTTY);
	assert_int_equal(CALL(w, UAPI_IOAS_ALLOC, cmd), -EOPNOTSUPP);
	assert_int_equal(CALL(w, UAPI_IOAS_IOVA_RANGES, ranges), -EOPNOTSUPP);

	/* What cannot be told was not made. */
	readonly = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	readonly->size = sizeof(*readonly);
	assert_int_equal(mprotect(readonly, PAGE, PROT_READ), 0);
	assert_int_equal(sim_context_ioctl(w->context, &w->caller,
					   UAPI_IOAS_ALLOC,
					   (uintptr_t)readonly), -EFAULT);
	munmap(readonly, PAGE);
	assert_int_equal(new_space(w), 1);
}

/* --- objects --- */

static void ids_are_the_lowest_free(void **state)
{
	struct world *w = *state;

	assert_int_equal(new_space(w), 1);
	assert_int_equal(bind(w, DEV_A), 2);
	assert_int_equal(new_space(w), 3);
	assert_int_equal(destroy(w, 1), 0);
	assert_int_equal(destroy(w, 1), -ENOENT);
	assert_int_equal(destroy(w, 0), -ENOENT);
	assert_int_equal(new_space(w), 1);
	assert_int_equal(new_space(w), 4);
}

static void what_is_used_is_not_destroyed(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	int automatic, manual;

	assert_int_equal(destroy(w, dev), -EBUSY);
	automatic = attach(w, dev, space);
	assert_int_equal(automatic, 3);
	assert_int_equal(destroy(w, space), -EBUSY);
	assert_int_equal(destroy(w, 3), -EBUSY);

	manual = hwpt_alloc(w, dev, space, 0);
	assert_int_equal(manual, 4);
	assert_int_equal(attach(w, dev, 4), 4);
	/* The one made by the attach has ended with it. */
	assert_int_equal(destroy(w, 3), -ENOENT);
	assert_int_equal(destroy(w, 4), -EBUSY);
	detach(w, dev);
	assert_int_equal(destroy(w, space), -EBUSY);
	assert_int_equal(destroy(w, 4), 0);
	assert_int_equal(destroy(w, space), 0);
	assert_int_equal(destroy(w, dev), -EBUSY);
	sim_context_remove_device(w->context, dev);
	assert_int_equal(destroy(w, dev), -ENOENT);
}

static void options_are_checked(void **state)
{
	struct world *w = *state;
	struct uapi_option get = {
		.size = sizeof(get), .op = UAPI_OPTION_OP_GET,
	};
	uint32_t space;

	assert_int_equal(set_option(w, UAPI_OPTION_RLIMIT_MODE, 1, 1),
			 -EOPNOTSUPP);
	assert_int_equal(set_option(w, 99, 0, 1), -EOPNOTSUPP);
	w->caller.root = true;
	assert_int_equal(set_option(w, UAPI_OPTION_RLIMIT_MODE, 0, 2),
			 -EINVAL);
	assert_int_equal(set_option(w, UAPI_OPTION_RLIMIT_MODE, 0, 1), 0);
	w->caller.root = false;
	assert_int_equal(CALL(w, UAPI_OPTION, get), 0);
	assert_int_equal(get.val64, 1);

	space = new_space(w);
	w->caller.root = true;
	assert_int_equal(set_option(w, UAPI_OPTION_RLIMIT_MODE, 0, 0), -EBUSY);
	w->caller.root = false;

	assert_int_equal(set_option(w, UAPI_OPTION_HUGE_PAGES, 77, 0),
			 -ENOENT);
	assert_int_equal(set_option(w, UAPI_OPTION_HUGE_PAGES, space, 2),
			 -EINVAL);
	assert_int_equal(set_option(w, UAPI_OPTION_HUGE_PAGES, space, 0), 0);
	get.option_id = UAPI_OPTION_HUGE_PAGES;
	get.object_id = space;
	assert_int_equal(CALL(w, UAPI_OPTION, get), 0);
	assert_int_equal(get.val64, 0);

	world_child(w, 16, 1);
	assert_int_equal(set_option(w, UAPI_OPTION_RLIMIT_MODE, 0, 1), -EPERM);
}

/* --- ranges and windows --- */

/* ranges() - IOMMU_IOAS_IOVA_RANGES with that much room */
static int ranges(struct world *w, uint32_t space, uint32_t room,
		  struct uapi_iova_range *ret, uint32_t *ret_n)
{
	struct uapi_ioas_iova_ranges cmd = {
		.size = sizeof(cmd), .ioas_id = space, .num_iovas = room,
		.allowed_iovas = (uintptr_t)w->shared,
	};
	int r = CALL(w, UAPI_IOAS_IOVA_RANGES, cmd);

	memcpy(ret, w->shared, room * sizeof(*ret));
	*ret_n = cmd.num_iovas;
	return r;
}

static void ranges_say_how_many_there_are(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A), n;
	struct uapi_iova_range are[4] = { 0 };

	assert_int_equal(ranges(w, space, 4, are, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(are[0].last, UINT64_MAX);

	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(ranges(w, space, 1, are, &n), -EMSGSIZE);
	assert_int_equal(n, 2);
	assert_int_equal(are[0].start, 0);
	assert_int_equal(are[0].last, 0xfedfffff);
	assert_int_equal(ranges(w, space, 2, are, &n), 0);
	assert_int_equal(are[1].start, 0xfef00000);
	assert_int_equal(are[1].last, (1ULL << 48) - 1);
	assert_int_equal(ranges(w, dev, 2, are, &n), -ENOENT);

	detach(w, dev);
	assert_int_equal(ranges(w, space, 4, are, &n), 0);
	assert_int_equal(n, 1);
}

/* allow() - IOMMU_IOAS_ALLOW_IOVAS with one window */
static int allow(struct world *w, uint32_t space, uint64_t start, uint64_t last)
{
	struct uapi_iova_range *range = (struct uapi_iova_range *)w->shared;
	struct uapi_ioas_allow_iovas cmd = {
		.size = sizeof(cmd), .ioas_id = space, .num_iovas = 1,
		.allowed_iovas = (uintptr_t)range,
	};

	*range = (struct uapi_iova_range){ start, last };
	return CALL(w, UAPI_IOAS_ALLOW_IOVAS, cmd);
}

static void windows_bind_devices_and_placement_only(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	uint32_t plain = bind(w, DEV_PLAIN);
	struct uapi_ioas_allow_iovas bad = {
		.size = sizeof(bad), .ioas_id = space, .num_iovas = 1,
		.allowed_iovas = 8,
	};
	uint64_t iova = 0;

	assert_int_equal(CALL(w, UAPI_IOAS_ALLOW_IOVAS, bad), -EFAULT);
	assert_int_equal(allow(w, space, 0, 4 * GIB), 0);
	assert_int_equal(attach(w, dev, space), -EADDRINUSE);
	assert_int_equal(allow(w, space, 1ULL << 40, (1ULL << 40) + GIB), 0);
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(allow(w, space, 0, 4 * GIB), -EADDRINUSE);
	/* 39 bits do not reach it. */
	assert_int_equal(attach(w, plain, space), -EADDRINUSE);

	assert_int_equal(map(w, space, RW, w->memory, PAGE, &iova), 0);
	assert_true(iova >= 1ULL << 40);
	assert_int_equal(map_at(w, space, w->memory, PAGE, 0), 0);
}

/* --- page tables --- */

static void page_tables_are_made_as_the_iommu_can(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	uint32_t plain = bind(w, DEV_PLAIN);

	assert_int_equal(hwpt_alloc(w, dev, space, 1U << 30), -EOPNOTSUPP);
	assert_int_equal(hwpt_alloc(w, dev, space,
				    UAPI_HWPT_ALLOC_DIRTY_TRACKING),
			 -EOPNOTSUPP);
	assert_int_equal(hwpt_alloc(w, plain, space,
				    UAPI_HWPT_ALLOC_NEST_PARENT), -EOPNOTSUPP);
	assert_int_equal(hwpt_alloc(w, plain, space, UAPI_HWPT_ALLOC_PASID),
			 -EOPNOTSUPP);
	assert_int_equal(hwpt_alloc(w, dev, space, UAPI_HWPT_FAULT_ID_VALID),
			 -ENOENT);
	assert_int_equal(hwpt_alloc(w, space, space, 0), -ENOENT);
	assert_int_equal(hwpt_alloc(w, dev, 77, 0), -EINVAL);
	assert_int_equal(hwpt_alloc(w, dev, dev, 0), -EINVAL);
	assert_int_equal(hwpt_alloc(w, dev, space,
				    UAPI_HWPT_ALLOC_NEST_PARENT), 4);
	assert_int_equal(hwpt_alloc(w, dev, space, UAPI_HWPT_ALLOC_PASID), 5);
	assert_int_equal(destroy(w, 4), 0);
	assert_int_equal(destroy(w, 5), 0);
	assert_int_equal(destroy(w, space), 0);
}

static int nest(struct world *w, uint32_t dev, uint32_t parent, uint32_t type,
		uint32_t length)
{
	struct uapi_hwpt_alloc cmd = {
		.size = sizeof(cmd), .dev_id = dev, .pt_id = parent,
		.data_type = type, .data_len = length,
		.data_uptr = (uintptr_t)w->shared,
	};
	int r;

	memset(w->shared, 0, sizeof(struct uapi_hwpt_vtd_s1));
	r = CALL(w, UAPI_HWPT_ALLOC, cmd);
	return r < 0 ? r : (int)cmd.out_hwpt_id;
}

static void page_tables_nest_on_parents(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	const uint32_t vtd = UAPI_HWPT_DATA_VTD_S1;
	uint32_t size = sizeof(struct uapi_hwpt_vtd_s1);
	int parent = hwpt_alloc(w, dev, space, UAPI_HWPT_ALLOC_NEST_PARENT);
	int other = hwpt_alloc(w, dev, space, 0);
	int nested;
	char byte;

	assert_int_equal(nest(w, dev, parent, 0, size), -EINVAL);
	assert_int_equal(nest(w, dev, parent, vtd, 0), -EINVAL);
	assert_int_equal(nest(w, dev, parent, 0, 0), -EOPNOTSUPP);
	assert_int_equal(nest(w, dev, other, vtd, size), -EINVAL);
	assert_int_equal(nest(w, dev, parent, vtd + 1, size), -EOPNOTSUPP);
	assert_int_equal(nest(w, dev, parent, vtd, size - 1), -EINVAL);
	assert_int_equal(nest(w, dev, space, vtd, size), -EOPNOTSUPP);
	nested = nest(w, dev, parent, vtd, size);
	assert_true(nested > 0);
	assert_int_equal(nest(w, dev, nested, vtd, size), -EINVAL);

	assert_int_equal(destroy(w, parent), -EBUSY);
	assert_int_equal(attach(w, dev, nested), nested);
	assert_int_equal(dma(w, dev, 0, &byte, 1, false), -EFAULT);
	assert_int_equal(destroy(w, nested), -EBUSY);
	detach(w, dev);
	assert_int_equal(destroy(w, nested), 0);
	assert_int_equal(destroy(w, parent), 0);
	assert_int_equal(destroy(w, other), 0);
	assert_int_equal(destroy(w, space), 0);
}

static void hardware_tells_its_length(void **state)
{
	struct world *w = *state;
	uint32_t dev = bind(w, DEV_A), plain = bind(w, DEV_PLAIN);
	struct uapi_hw_info cmd = {
		.size = sizeof(cmd), .dev_id = plain,
		.data_uptr = (uintptr_t)w->shared,
	};

	assert_int_equal(CALL(w, UAPI_GET_HW_INFO, cmd), -EOPNOTSUPP);
	cmd.dev_id = 77;
	assert_int_equal(CALL(w, UAPI_GET_HW_INFO, cmd), -ENOENT);
	cmd.dev_id = dev;
	assert_int_equal(CALL(w, UAPI_GET_HW_INFO, cmd), 0);
	assert_int_equal(cmd.data_len, 24);
	assert_int_equal(cmd.out_data_type, UAPI_HW_INFO_TYPE_INTEL_VTD);
	assert_int_equal(cmd.out_max_pasid_log2, 20);

	memset(w->shared, 0xff, 64);
	cmd.data_len = 32;
	assert_int_equal(CALL(w, UAPI_GET_HW_INFO, cmd), 0);
	assert_int_equal(cmd.data_len, 24);
	assert_memory_equal(w->shared, w->vtd.hw.data, 24);
	assert_int_equal(w->shared[31], 0);
	assert_int_equal((unsigned char)w->shared[32], 0xff);

	cmd.flags = UAPI_HW_INFO_FLAG_INPUT_TYPE;
	cmd.out_data_type = UAPI_HW_INFO_TYPE_AMD;
	assert_int_equal(CALL(w, UAPI_GET_HW_INFO, cmd), -EOPNOTSUPP);
	cmd.flags = 2;
	assert_int_equal(CALL(w, UAPI_GET_HW_INFO, cmd), -EOPNOTSUPP);
}

/* --- devices --- */

static void devices_of_an_iommu_share_a_page_table(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), a = bind(w, DEV_A), b = bind(w, DEV_B);
	uint32_t plain = bind(w, DEV_PLAIN);
	int first = attach(w, a, space);

	assert_true(first > 0);
	assert_int_equal(attach(w, b, space), first);
	assert_int_not_equal(attach(w, plain, space), first);
	detach(w, a);
	assert_int_equal(destroy(w, first), -EBUSY);
	detach(w, b);
	detach(w, b);
	assert_int_equal(destroy(w, first), -ENOENT);
	assert_int_equal(attach(w, a, 77), -ENOENT);
	assert_int_equal(attach(w, a, b), -EINVAL);
}

static void a_group_is_on_one_page_table(void **state)
{
	struct world *w = *state;
	uint32_t here = new_space(w), there = new_space(w);
	uint32_t one = bind(w, DEV_C1), two = bind(w, DEV_C2);
	char byte;

	assert_int_equal(map_at(w, there, w->memory, PAGE, 0), 0);
	assert_true(attach(w, one, here) > 0);
	assert_int_equal(attach(w, two, there), -EINVAL);
	assert_int_equal(dma(w, two, 0, &byte, 1, false), -EFAULT);
	assert_true(attach(w, two, here) > 0);

	/* One takes the other along. */
	assert_true(attach(w, two, there) > 0);
	assert_int_equal(dma(w, one, 0, &byte, 1, false), 0);
	assert_int_equal(byte, 0x5a);
	assert_int_equal(destroy(w, here), 0);
	detach(w, one);
	assert_int_equal(dma(w, two, 0, &byte, 1, false), 0);
}

static void a_failed_move_changes_nothing(void **state)
{
	struct world *w = *state;
	uint32_t here = new_space(w), there = new_space(w);
	uint32_t dev = bind(w, DEV_A), n;
	struct uapi_iova_range are[4];
	char byte;

	assert_int_equal(map_at(w, here, w->memory, PAGE, 0), 0);
	assert_int_equal(map_at(w, there, w->memory, PAGE, 0xfee00000), 0);
	assert_true(attach(w, dev, here) > 0);
	assert_int_equal(attach(w, dev, there), -EADDRINUSE);
	assert_int_equal(dma(w, dev, 0, &byte, 1, false), 0);
	assert_int_equal(destroy(w, here), -EBUSY);
	assert_int_equal(ranges(w, here, 4, are, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(ranges(w, there, 4, are, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(destroy(w, there), 0);
}

static void pasids_need_page_tables_made_for_them(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A), id;
	int without = hwpt_alloc(w, dev, space, 0);
	int with = hwpt_alloc(w, dev, space, UAPI_HWPT_ALLOC_PASID);
	struct sim_context *c = w->context;
	char byte;

	assert_int_equal(map_at(w, space, w->memory, PAGE, 0), 0);
	assert_int_equal(sim_context_attach(c, dev, 5, space, &id), -EINVAL);
	assert_int_equal(sim_context_attach(c, dev, 5, without, &id), -EINVAL);
	assert_int_equal(attach(w, dev, without), without);
	assert_int_equal(sim_context_attach(c, dev, 5, with, &id), -EINVAL);
	assert_int_equal(attach(w, dev, with), with);
	assert_int_equal(sim_context_attach(c, dev, 1 << 20, with, &id),
			 -EINVAL);
	assert_int_equal(sim_context_attach(c, dev, 5, with, &id), 0);
	assert_int_equal(id, with);
	/* And none of another kind may come beside it. */
	assert_int_equal(attach(w, dev, without), -EINVAL);

	assert_int_equal(sim_context_dma(c, dev, 5, 0, &byte, 1, false), 0);
	assert_int_equal(sim_context_dma(c, dev, 6, 0, &byte, 1, false),
			 -EFAULT);
	sim_context_detach(c, dev, 5);
	assert_int_equal(sim_context_dma(c, dev, 5, 0, &byte, 1, false),
			 -EFAULT);
	assert_int_equal(attach(w, dev, without), without);
}

static void a_device_without_group_is_translated_by_nothing(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev, n;
	struct uapi_iova_range are[4];

	w->devices[DEV_A].group = NULL;
	dev = bind(w, DEV_A);
	assert_true(attach(w, dev, space) > 0);
	assert_int_equal(ranges(w, space, 4, are, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(hwpt_alloc(w, dev, space, UAPI_HWPT_ALLOC_PASID),
			 -EOPNOTSUPP);
}

static void the_state_has_a_line_for_each_object(void **state)
{
	struct world *w = *state;
	uint32_t space = new_space(w), dev = bind(w, DEV_A);
	char *text = NULL;
	size_t size;
	FILE *out;

	str_copy(w->devices[DEV_A].facts.bdf, BDF_SIZE, "0000:01:00.0");
	assert_int_equal(map_at(w, space, w->memory, 2 * PAGE, 0), 0);
	assert_true(attach(w, dev, space) > 0);
	out = open_memstream(&text, &size);
	sim_context_state(w->context, out);
	fclose(out);
	assert_non_null(strstr(text, "space 1 alignment 4096\n"));
	assert_non_null(strstr(text, "map 0-1fff rw memory"));
	assert_non_null(strstr(text, "2 pinned\n"));
	assert_non_null(strstr(text, "table 3 on 1 automatic\n"));
	assert_non_null(strstr(text, "device 2 0000:01:00.0 on 3\n"));
	free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(structures_are_taken_shorter_and_longer),
		TEST(bad_addresses_and_numbers_are_refused),
		TEST(ids_are_the_lowest_free),
		TEST(what_is_used_is_not_destroyed),
		TEST(options_are_checked),
		TEST(ranges_say_how_many_there_are),
		TEST(windows_bind_devices_and_placement_only),
		TEST(page_tables_are_made_as_the_iommu_can),
		TEST(page_tables_nest_on_parents),
		TEST(hardware_tells_its_length),
		TEST(devices_of_an_iommu_share_a_page_table),
		TEST(a_group_is_on_one_page_table),
		TEST(a_failed_move_changes_nothing),
		TEST(pasids_need_page_tables_made_for_them),
		TEST(a_device_without_group_is_translated_by_nothing),
		TEST(the_state_has_a_line_for_each_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
