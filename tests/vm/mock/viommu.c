/* SPDX-License-Identifier: Apache-2.0
 *
 * viommu.c - guests' shares of the kernel's mock of an IOMMU, and their devices
 */
#include "vm/mock/mock.h"

#define NUMBER 0x99

/**
 * struct share - A vIOMMU and what it is on
 */
struct share {
	uint32_t parent, viommu;
};

static bool new_share(struct bench *b, struct share *ret)
{
	int parent = table(b, UAPI_HWPT_ALLOC_NEST_PARENT);

	if (!expect(parent > 0))
		return false;
	ret->parent = (uint32_t)parent;
	return expect(!b->calls->viommu(b->fd, MOCK_VIOMMU, b->device,
					ret->parent, &ret->viommu));
}

/* cached() - Which entries the device's cache has as they were at first */
static unsigned int cached(struct bench *b)
{
	unsigned int bits = 0;

	for (uint32_t i = 0; i < MOCK_CACHE; i++) {
		struct mock_call call = {
			.op = MOCK_CHECK_DEVICE_CACHE, .id = b->device,
			.cache.index = i, .cache.value = MOCK_DEVICE_CACHED,
		};

		if (!mock(b, &call))
			bits |= 1U << i;
	}
	return bits;
}

static void a_viommu_is_on_a_nest_parent(struct bench *b)
{
	uint32_t plain = (uint32_t)table(b, 0), id = 0;
	struct share s;

	same(b->calls->viommu(b->fd, MOCK_VIOMMU, b->device, 0, &id), -ENOENT);
	same(b->calls->viommu(b->fd, MOCK_VIOMMU, b->device, b->space, &id),
	     -ENOENT);
	same(b->calls->viommu(b->fd, MOCK_VIOMMU, b->device, plain, &id),
	     -EINVAL);
	if (!new_share(b, &s))
		return;
	same(b->calls->viommu(b->fd, UAPI_VIOMMU_TYPE_DEFAULT, b->device,
			      s.parent, &id), -EOPNOTSUPP);
	same(b->calls->viommu(b->fd, UAPI_VIOMMU_TYPE_ARM_SMMUV3, b->device,
			      s.parent, &id), -EOPNOTSUPP);
	same(b->calls->viommu(b->fd, MOCK_VIOMMU, b->space, s.parent, &id),
	     -ENOENT);
	same(id, 0);
}

static void all_of_it_ends_from_the_inside(struct bench *b)
{
	uint32_t vdevice = 0;
	struct share s;
	int guest;

	if (!new_share(b, &s))
		return;
	same(destroy(b, s.parent), -EBUSY);
	guest = nested(b, s.viommu, 0, 0);
	expect(guest > 0);
	same(b->calls->vdevice(b->fd, s.viommu, b->device, NUMBER, &vdevice),
	     0);
	same(destroy(b, s.viommu), -EBUSY);
	same(destroy(b, (uint32_t)guest), 0);
	same(destroy(b, s.viommu), -EBUSY);
	same(destroy(b, vdevice), 0);
	same(destroy(b, s.viommu), 0);
	same(destroy(b, s.parent), 0);
}

static void a_guest_gives_a_device_one_number(struct bench *b)
{
	uint32_t one = 0, two = 0, other = 0;
	struct bench second = *b;
	struct share s;

	if (!new_share(b, &s))
		return;
	same(new_device(b, b->space, 0, &second.mock, &second.device, NULL), 0);
	same(b->calls->vdevice(b->fd, s.viommu, b->device, NUMBER, &one), 0);
	same(b->calls->vdevice(b->fd, s.viommu, b->device, NUMBER, &other),
	     -EEXIST);
	same(b->calls->vdevice(b->fd, s.viommu, b->device, NUMBER + 1, &other),
	     -EEXIST);
	same(b->calls->vdevice(b->fd, s.viommu, second.device, NUMBER, &other),
	     -EEXIST);
	same(b->calls->vdevice(b->fd, s.viommu, second.device, NUMBER + 1,
			       &two), 0);
	same(b->calls->vdevice(b->fd, s.parent, b->device, 1, &other),
	     -ENOENT);
	same(b->calls->vdevice(b->fd, s.viommu, b->space, 1, &other), -ENOENT);
	same(other, 0);
	/* Another one, once the first has ended. */
	same(destroy(b, one), 0);
	same(b->calls->vdevice(b->fd, s.viommu, b->device, 0x88, &one), 0);
}

static void a_guests_page_table_wants_a_number(struct bench *b)
{
	uint32_t vdevice = 0;
	struct share s;
	int guest;

	if (!new_share(b, &s))
		return;
	same(nested(b, s.viommu, 1U << 31, 0), -EOPNOTSUPP);
	guest = nested(b, s.viommu, 0, 0);
	expect(guest > 0);
	same(move_to(b, b->mock, (uint32_t)guest), -ENOENT);
	same(b->calls->vdevice(b->fd, s.viommu, b->device, NUMBER, &vdevice),
	     0);
	same(move_to(b, b->mock, (uint32_t)guest), 0);
	same(destroy(b, (uint32_t)guest), -EBUSY);
	same(move_to(b, b->mock, b->space), 0);
	same(destroy(b, (uint32_t)guest), 0);
}

static void faults_go_by_way_of_a_viommu_too(struct bench *b)
{
	struct mock_call ask = {
		.op = MOCK_FAULT,
		.fault = { b->device, 1, 2, IOASID_FAULT_READ, PAGE },
	};
	struct ioasid_fault fault = { .flags = 0 };
	uint32_t queue = 0, vdevice = 0;
	int guest, fd = -1;
	struct share s;
	size_t n = 1;

	if (!new_share(b, &s) ||
	    !expect(!b->calls->queue(b->fd, &queue, &fd)))
		return;
	same(nested(b, s.viommu, UAPI_HWPT_FAULT_ID_VALID, UINT32_MAX),
	     -ENOENT);
	guest = nested(b, s.viommu, UAPI_HWPT_FAULT_ID_VALID, queue);
	expect(guest > 0);
	same(b->calls->vdevice(b->fd, s.viommu, b->device, NUMBER, &vdevice),
	     0);
	same(move_to(b, b->mock, (uint32_t)guest), 0);
	same(mock(b, &ask), 0);
	same(ioasid_fault_read(fd, &fault, &n, NULL), 0);
	same(n, 1);
	same(fault.device, b->device);
	same(ioasid_fault_answer(fd, fault.cookie, true, NULL), 0);
	close(fd);
}

static void device_caches_are_invalidated_by_number(struct bench *b)
{
	struct mock_device_invalidation e[2] = {
		{ 0, NUMBER, 0 }, { UINT32_MAX, NUMBER, 1 },
	};
	uint32_t vdevice = 0, n = 2;
	struct share s;

	if (!new_share(b, &s))
		return;
	same(b->calls->vdevice(b->fd, s.viommu, b->device, NUMBER, &vdevice),
	     0);
	same(cached(b), 0xf);
	same(b->calls->invalidate(b->fd, s.viommu, MOCK_INVALIDATION, e,
				  sizeof(*e), &n), -EOPNOTSUPP);
	same(n, 1);
	same(cached(b), 0xe);
	e[0].index = 2;
	e[1] = (struct mock_device_invalidation){ 0, NUMBER + 1, 1 };
	n = 2;
	same(b->calls->invalidate(b->fd, s.viommu, MOCK_INVALIDATION, e,
				  sizeof(*e), &n), -EINVAL);
	same(n, 1);
	same(cached(b), 0xa);
	e[1] = (struct mock_device_invalidation){ 1, NUMBER, 0 };
	n = 2;
	same(b->calls->invalidate(b->fd, s.viommu, MOCK_INVALIDATION, e,
				  sizeof(*e), &n), 0);
	same(n, 2);
	same(cached(b), 0);
	n = 0;
	same(b->calls->invalidate(b->fd, s.viommu, MOCK_INVALIDATION, e,
				  sizeof(*e), &n), 0);
	n = 1;
	same(b->calls->invalidate(b->fd, s.viommu, MOCK_INVALIDATION - 1, e,
				  sizeof(*e), &n), -EINVAL);
	same(n, 0);
}

static void a_vdevice_ends_with_its_device(struct bench *b)
{
	uint32_t vdevice = 0, next = 0;
	struct share s;

	if (!new_share(b, &s))
		return;
	same(b->calls->vdevice(b->fd, s.viommu, b->device, NUMBER, &vdevice),
	     0);
	same(destroy(b, b->mock), 0);
	same(destroy(b, vdevice), -ENOENT);
	/* Its id is nobody's any more. */
	for (int i = 0; i < 8; i++) {
		same(b->calls->space(b->fd, &next), 0);
		expect(next != vdevice);
	}
	same(destroy(b, s.viommu), 0);
}

#define LIST(X) \
	X(a_viommu_is_on_a_nest_parent) \
	X(all_of_it_ends_from_the_inside) \
	X(a_guest_gives_a_device_one_number) \
	X(a_guests_page_table_wants_a_number) \
	X(faults_go_by_way_of_a_viommu_too) \
	X(device_caches_are_invalidated_by_number) \
	X(a_vdevice_ends_with_its_device)

CASES(LIST)
