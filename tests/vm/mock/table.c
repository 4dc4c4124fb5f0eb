/* SPDX-License-Identifier: Apache-2.0
 *
 * table.c - page tables on the kernel's mock: made, nested, invalidated
 */
#include "vm/mock/mock.h"

/* cache() - Does a nested page table's cache hold @value at @index? Return: 0 or
 * -errno.
 */
static int cache(struct bench *b, uint32_t id, uint32_t index, uint32_t value)
{
	struct mock_call call = {
		.op = MOCK_CHECK_CACHE, .id = id,
		.cache.index = index, .cache.value = value,
	};

	return mock(b, &call);
}

/* cached() - Which entries are as they were at first, a bit each */
static unsigned int cached(struct bench *b, uint32_t id)
{
	unsigned int bits = 0;

	for (uint32_t i = 0; i < MOCK_CACHE; i++)
		if (!cache(b, id, i, MOCK_CACHED))
			bits |= 1U << i;
		else
			same(cache(b, id, i, 0), 0);
	return bits;
}

static void page_tables_are_made_as_the_iommu_can(struct bench *b)
{
	const struct kernel_hwpt nobody = { .dev_id = b->space,
					    .pt_id = b->space };
	uint32_t id = 0;

	same(b->calls->table(b->fd, &nobody, &id), -ENOENT);
	same(id, 0);
	same(table_on(b, b->device, 0, 0, NULL, 0, 0), -EINVAL);
	same(table_on(b, 4711, 0, 0, NULL, 0, 0), -EINVAL);
	same(table(b, 1U << 30), -EOPNOTSUPP);
	same(table(b, UAPI_HWPT_ALLOC_NEST_PARENT | UAPI_HWPT_FAULT_ID_VALID),
	     -EOPNOTSUPP);
	for (uint32_t flags = 0; flags < 16; flags++) {
		int made;

		if (flags & UAPI_HWPT_FAULT_ID_VALID)
			continue;
		made = table(b, flags);
		if (expect(made > 0))
			same(destroy(b, (uint32_t)made), 0);
	}
}

static void a_table_of_a_space_may_have_data(struct bench *b)
{
	const struct mock_data huge = { .huge = 1 };
	int made;

	same(table_on(b, b->space, 0, MOCK_DATA + 1, &huge, sizeof(huge), 0),
	     -EOPNOTSUPP);
	made = table_on(b, b->space, 0, MOCK_DATA, &huge, sizeof(huge), 0);
	expect(made > 0);
	same(move_to(b, b->mock, (uint32_t)made), 0);
	same(destroy(b, (uint32_t)made), -EBUSY);
}

static void a_guests_page_table_is_refused_with_its_reason(struct bench *b)
{
	const struct mock_data data = { .cached = MOCK_CACHED };
	uint32_t parent = (uint32_t)table(b, UAPI_HWPT_ALLOC_NEST_PARENT);
	uint32_t plain = (uint32_t)table(b, 0), size = sizeof(data);
	int guest;

	same(table_on(b, parent, 0, 0, &data, size, 0), -EINVAL);
	same(table_on(b, parent, 0, MOCK_DATA, &data, 0, 0), -EINVAL);
	same(table_on(b, parent, 0, 0, NULL, 0, 0), -EOPNOTSUPP);
	same(table_on(b, parent, 0, MOCK_DATA + 1, &data, size, 0),
	     -EOPNOTSUPP);
	same(table_on(b, parent, 0, UAPI_HWPT_DATA_VTD_S1, &data, size, 0),
	     -EOPNOTSUPP);
	same(table_on(b, parent, 0, MOCK_DATA, &data, 3, 0), -EINVAL);
	same(table_on(b, parent, 0, MOCK_DATA, &data, size + 1, 0), -EINVAL);
	same(table_on(b, parent, 0, MOCK_DATA, NULL, size, 0), -EFAULT);
	same(table_on(b, parent, UAPI_HWPT_ALLOC_NEST_PARENT, MOCK_DATA, &data,
		      size, 0), -EOPNOTSUPP);
	same(nested(b, plain, 0, 0), -EINVAL);
	same(nested(b, b->table, 0, 0), -EINVAL);
	guest = nested(b, parent, 0, 0);
	expect(guest > 0);
	same(nested(b, (uint32_t)guest, 0, 0), -EINVAL);
}

static void a_parent_ends_after_its_guests(struct bench *b)
{
	uint32_t parent = (uint32_t)table(b, UAPI_HWPT_ALLOC_NEST_PARENT);
	uint32_t one = (uint32_t)nested(b, parent, 0, 0);
	uint32_t two = (uint32_t)nested(b, parent, 0, 0);

	same(destroy(b, parent), -EBUSY);
	same(move_to(b, b->mock, one), 0);
	same(destroy(b, one), -EBUSY);
	same(move_to(b, b->mock, two), 0);
	same(destroy(b, two), -EBUSY);
	same(destroy(b, one), 0);
	same(destroy(b, parent), -EBUSY);
	same(move_to(b, b->mock, parent), 0);
	same(destroy(b, two), 0);
	same(destroy(b, parent), -EBUSY);
	same(move_to(b, b->mock, b->space), 0);
	same(destroy(b, parent), 0);
	same(move_to(b, b->mock, parent), -ENOENT);
}

static void invalidations_are_done_and_counted(struct bench *b)
{
	uint32_t parent = (uint32_t)table(b, UAPI_HWPT_ALLOC_NEST_PARENT);
	uint32_t one = (uint32_t)nested(b, parent, 0, 0), n = 1;
	uint32_t two = (uint32_t)nested(b, parent, 0, 0);
	struct mock_invalidation e[2] = { { 0, 1 }, { 0, 3 } };

	same(cached(b, one), 0xf);
	same(b->calls->invalidate(b->fd, one, MOCK_INVALIDATION, e, sizeof(*e),
				  &n), 0);
	same(n, 1);
	same(cached(b, one), 0xd);
	n = 2;
	e[0].index = 2;
	same(b->calls->invalidate(b->fd, one, MOCK_INVALIDATION, e, sizeof(*e),
				  &n), 0);
	same(n, 2);
	same(cached(b, one), 0x1);
	same(cached(b, two), 0xf);
	n = 1;
	e[0].flags = 1;
	same(b->calls->invalidate(b->fd, two, MOCK_INVALIDATION, e, sizeof(*e),
				  &n), 0);
	same(n, 1);
	same(cached(b, two), 0);
	/* None: is the type known? */
	n = 0;
	same(b->calls->invalidate(b->fd, two, MOCK_INVALIDATION, e, sizeof(*e),
				  &n), 0);
	same(n, 0);
}

static void invalidations_end_at_the_first_bad_one(struct bench *b)
{
	uint32_t parent = (uint32_t)table(b, UAPI_HWPT_ALLOC_NEST_PARENT);
	uint32_t id = (uint32_t)nested(b, parent, 0, 0), n = 2;
	struct mock_invalidation e[2] = { { 0, 0 }, { UINT32_MAX, 1 } };

	same(b->calls->invalidate(b->fd, id, MOCK_INVALIDATION, e, sizeof(*e),
				  &n), -EOPNOTSUPP);
	same(n, 1);
	same(cached(b, id), 0xe);
	n = 2;
	e[1] = (struct mock_invalidation){ 0, MOCK_CACHE };
	same(b->calls->invalidate(b->fd, id, MOCK_INVALIDATION, e, sizeof(*e),
				  &n), -EINVAL);
	same(n, 1);
	n = 1;
	e[0].index = MOCK_CACHE;
	same(b->calls->invalidate(b->fd, id, MOCK_INVALIDATION, e, sizeof(*e),
				  &n), -EINVAL);
	same(n, 0);
	same(cached(b, id), 0xe);
}

static void bad_invalidations_do_nothing(struct bench *b)
{
	uint32_t parent = (uint32_t)table(b, UAPI_HWPT_ALLOC_NEST_PARENT);
	uint32_t id = (uint32_t)nested(b, parent, 0, 0);
	const struct mock_invalidation e = { 0, 0 };
	const struct {
		uint32_t id, type, length, n;
		const void *entries;
		int r;
	} bad[] = {
		{ parent, MOCK_INVALIDATION, sizeof(e), 1, &e, -EINVAL },
		{ 4711, MOCK_INVALIDATION, sizeof(e), 1, &e, -ENOENT },
		{ id, MOCK_INVALIDATION - 1, sizeof(e), 1, &e, -EINVAL },
		{ id, UAPI_HWPT_INVALIDATE_DATA_VTD_S1, sizeof(e), 1, &e,
		  -EINVAL },
		{ id, MOCK_INVALIDATION, sizeof(e) + 1, 1, &e, -EINVAL },
		{ id, MOCK_INVALIDATION, 1, 1, &e, -EINVAL },
		{ id, MOCK_INVALIDATION, 0, 1, &e, -EINVAL },
		{ id, MOCK_INVALIDATION, PAGE + 1, 1, &e, -EINVAL },
		{ id, MOCK_INVALIDATION, sizeof(e), 1, NULL, -EINVAL },
		{ id, MOCK_INVALIDATION, sizeof(e), (1 << 19) + 1, &e,
		  -EINVAL },
		{ id, MOCK_INVALIDATION, sizeof(e), 1, (void *)8, -EFAULT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint32_t n = bad[i].n;

		printf("# %zu\n", i);
		same(b->calls->invalidate(b->fd, bad[i].id, bad[i].type,
					  bad[i].entries, bad[i].length, &n),
		     bad[i].r);
		same(n, 0);
	}
	same(cached(b, id), 0xf);
}

#define LIST(X) \
	X(page_tables_are_made_as_the_iommu_can) \
	X(a_table_of_a_space_may_have_data) \
	X(a_guests_page_table_is_refused_with_its_reason) \
	X(a_parent_ends_after_its_guests) \
	X(invalidations_are_done_and_counted) \
	X(invalidations_end_at_the_first_bad_one) \
	X(bad_invalidations_do_nothing)

CASES(LIST)
