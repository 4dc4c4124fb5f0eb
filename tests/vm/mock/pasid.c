/* SPDX-License-Identifier: Apache-2.0
 *
 * pasid.c - PASIDs of the kernel's mock of a device, on page tables of ours
 *
 * There is no VFIO device behind a mock, so it is attached by the mock's call,
 * which is to iommufd what VFIO's is. Attaching by ours is asked of simulated
 * machines (tests/unit/test-pagetable.c).
 */
#include "vm/mock/mock.h"

#define PASID 100

/**
 * struct tables - What a PASID can be on, and cannot
 * @mock:	A device that has PASIDs; @device is its id
 */
struct tables {
	uint32_t mock, device;
	uint32_t parent, plain, space, guest[2];
};

static int pasid_call(struct bench *b, enum mock_op op, uint32_t mock_id,
		      uint32_t pasid, uint32_t pt)
{
	struct mock_call call = {
		.op = op, .id = mock_id, .pasid.pasid = pasid, .pasid.pt = pt,
	};

	return mock(b, &call);
}

static int attach(struct bench *b, const struct tables *t, uint32_t pt)
{
	return pasid_call(b, MOCK_PASID_ATTACH, t->mock, PASID, pt);
}

static int detach(struct bench *b, const struct tables *t)
{
	return pasid_call(b, MOCK_PASID_DETACH, t->mock, PASID, 0);
}

/* is_on() - Return: 0 if the PASID is on that page table; 0 for none. */
static int is_on(struct bench *b, const struct tables *t, uint32_t pt)
{
	return pasid_call(b, MOCK_PASID_CHECK, t->mock, PASID, pt);
}

/* make() - All of it; the device itself is on one that was made for PASIDs */
static bool make(struct bench *b, struct tables *t)
{
	struct bench other = *b;

	*t = (struct tables){ .mock = 0 };
	if (!expect(!new_device(b, b->space, MOCK_HAS_PASIDS, &t->mock,
				&t->device, NULL)))
		return false;
	other.device = t->device;
	t->parent = (uint32_t)table(&other, UAPI_HWPT_ALLOC_NEST_PARENT);
	t->space = (uint32_t)table(&other, UAPI_HWPT_ALLOC_PASID);
	t->guest[0] = (uint32_t)nested(&other, t->parent,
				       UAPI_HWPT_ALLOC_PASID, 0);
	t->guest[1] = (uint32_t)nested(&other, t->parent,
				       UAPI_HWPT_ALLOC_PASID, 0);
	t->plain = (uint32_t)table(&other, 0);
	return expect((int32_t)t->parent > 0 && (int32_t)t->space > 0 &&
		      (int32_t)t->guest[0] > 0 && (int32_t)t->guest[1] > 0 &&
		      (int32_t)t->plain > 0) &&
	       expect(!move_to(b, t->mock, t->space));
}

static void a_pasid_wants_page_tables_made_for_it(struct bench *b)
{
	struct tables t;

	if (!make(b, &t))
		return;
	same(detach(b, &t), 0);
	same(attach(b, &t, t.plain), -EINVAL);
	same(attach(b, &t, t.parent), -EINVAL);
	same(attach(b, &t, b->space), -EINVAL);
	same(is_on(b, &t, 0), 0);
	/* And so for what the rest of the device is on. */
	same(move_to(b, t.mock, t.plain), 0);
	same(attach(b, &t, t.space), -EINVAL);
	same(move_to(b, t.mock, t.space), 0);
	same(attach(b, &t, t.space), 0);
	same(move_to(b, t.mock, t.plain), -EINVAL);
	same(is_on(b, &t, t.space), 0);
}

static void a_pasid_is_on_one_page_table(struct bench *b)
{
	struct tables t;

	if (!make(b, &t))
		return;
	same(attach(b, &t, t.guest[0]), 0);
	same(is_on(b, &t, t.guest[0]), 0);
	same(attach(b, &t, t.guest[0]), -EBUSY);
	same(attach(b, &t, t.space), -EBUSY);
	same(destroy(b, t.guest[0]), -EBUSY);
	same(detach(b, &t), 0);
	same(is_on(b, &t, 0), 0);
	same(destroy(b, t.guest[0]), 0);
}

static void a_pasid_is_moved_or_stays(struct bench *b)
{
	struct tables t;

	if (!make(b, &t))
		return;
	same(pasid_call(b, MOCK_PASID_MOVE, t.mock, PASID, t.space), -EINVAL);
	same(attach(b, &t, t.space), 0);
	same(pasid_call(b, MOCK_PASID_MOVE, t.mock, PASID, b->space), -EINVAL);
	same(is_on(b, &t, t.space), 0);
	for (int i = 0; i < 2; i++) {
		same(pasid_call(b, MOCK_PASID_MOVE, t.mock, PASID, t.guest[i]),
		     0);
		same(is_on(b, &t, t.guest[i]), 0);
	}
	same(destroy(b, t.guest[0]), 0);
	same(destroy(b, t.guest[1]), -EBUSY);
}

static void a_device_without_pasids_has_none(struct bench *b)
{
	struct tables t;

	if (!make(b, &t))
		return;
	/* It may be on one that was made for them. */
	same(move_to(b, b->mock, t.space), 0);
	same(pasid_call(b, MOCK_PASID_ATTACH, b->mock, PASID, t.space),
	     -EINVAL);
	same(pasid_call(b, MOCK_PASID_ATTACH, b->mock, PASID, t.plain),
	     -EINVAL);
}

static void a_pasids_table_can_be_watched(struct bench *b)
{
	struct tables t;
	int tracked;

	if (!make(b, &t))
		return;
	tracked = table(b, UAPI_HWPT_ALLOC_PASID |
			UAPI_HWPT_ALLOC_DIRTY_TRACKING);
	expect(tracked > 0);
	same(attach(b, &t, (uint32_t)tracked), 0);
	same(b->calls->set_dirty(b->fd, (uint32_t)tracked, true), 0);
	same(b->calls->set_dirty(b->fd, (uint32_t)tracked, false), 0);
}

static void a_fault_names_its_pasid(struct bench *b)
{
	struct ioasid_fault fault = { .flags = 0 };
	struct bench other = *b;
	uint32_t queue = 0;
	struct tables t;
	int guest, fd = -1;
	size_t n = 1;

	if (!make(b, &t) || !expect(!b->calls->queue(b->fd, &queue, &fd)))
		return;
	struct mock_call ask = {
		.op = MOCK_FAULT,
		.fault = { t.device, PASID, 7, IOASID_FAULT_WRITE, PAGE },
	};

	other.device = t.device;
	guest = nested(&other, t.parent, UAPI_HWPT_ALLOC_PASID |
		       UAPI_HWPT_FAULT_ID_VALID, queue);
	expect(guest > 0);
	same(attach(b, &t, (uint32_t)guest), 0);
	same(mock(b, &ask), 0);
	same(ioasid_fault_read(fd, &fault, &n, NULL), 0);
	same(n, 1);
	expect(fault.flags & IOASID_FAULT_PASID);
	same(fault.pasid, PASID);
	same(fault.device, t.device);
	same(ioasid_fault_answer(fd, fault.cookie, true, NULL), 0);
	/* Detached, none comes any more. */
	same(detach(b, &t), 0);
	(void)mock(b, &ask);
	n = 1;
	same(ioasid_fault_read(fd, &fault, &n, NULL), 0);
	same(n, 0);
	close(fd);
}

#define LIST(X) \
	X(a_pasid_wants_page_tables_made_for_it) \
	X(a_pasid_is_on_one_page_table) \
	X(a_pasid_is_moved_or_stays) \
	X(a_device_without_pasids_has_none) \
	X(a_pasids_table_can_be_watched) \
	X(a_fault_names_its_pasid)

CASES(LIST)
