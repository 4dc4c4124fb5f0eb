/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.c - page faults of the kernel's mock: read, answered, or neither
 *
 * Faults are read and answered by the library in both rounds: the daemon does
 * not.
 */
#include "vm/mock/mock.h"

#define ADDRESS 0xdead1000UL
#define GROUP 2
#define ACCESS (IOASID_FAULT_READ | IOASID_FAULT_WRITE)

/**
 * struct queue - A queue, and a guest's page table whose faults go to it
 */
struct queue {
	uint32_t id, parent, table;
	int fd;
};

/* new_queue() - With the device on the page table */
static bool new_queue(struct bench *b, struct queue *ret)
{
	int made;

	*ret = (struct queue){ .fd = -1 };
	if (!expect(!b->calls->queue(b->fd, &ret->id, &ret->fd)))
		return false;
	made = table(b, UAPI_HWPT_ALLOC_NEST_PARENT);
	if (!expect(made > 0))
		return false;
	ret->parent = (uint32_t)made;
	made = nested(b, ret->parent, UAPI_HWPT_FAULT_ID_VALID, ret->id);
	if (!expect(made > 0))
		return false;
	ret->table = (uint32_t)made;
	return expect(!move_to(b, b->mock, ret->table));
}

/* ask() - The device asks for a page */
static int ask(struct bench *b, uint32_t pasid, uint64_t address)
{
	struct mock_call call = {
		.op = MOCK_FAULT,
		.fault = { b->device, pasid, GROUP, ACCESS, address },
	};

	return mock(b, &call);
}

/* readable() - Does poll(2) say that there are faults? */
static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

static void a_queue_needs_no_device_and_is_closed_on_exec(struct bench *b)
{
	uint32_t id = 0;
	int fd = -1;

	same(b->calls->queue(b->fd, &id, &fd), 0);
	expect(id > 0);
	expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	expect(!readable(fd));
	same(destroy(b, id), -EBUSY);
	close(fd);
	same(destroy(b, id), 0);
	same(destroy(b, id), -ENOENT);
}

static void faults_want_a_queue_that_there_is(struct bench *b)
{
	const struct mock_data data = { .cached = MOCK_CACHED };
	int parent = table(b, UAPI_HWPT_ALLOC_NEST_PARENT);

	same(table_on(b, (uint32_t)parent, UAPI_HWPT_FAULT_ID_VALID, MOCK_DATA,
		      &data, sizeof(data), UINT32_MAX), -ENOENT);
	same(table_on(b, (uint32_t)parent, UAPI_HWPT_FAULT_ID_VALID, MOCK_DATA,
		      &data, sizeof(data), b->space), -ENOENT);
	same(table_on(b, b->space, UAPI_HWPT_FAULT_ID_VALID, 0, NULL, 0,
		      b->device), -ENOENT);
}

static void a_fault_is_read_and_answered_once(struct bench *b)
{
	struct ioasid_error err = { .n_causes = 0 };
	struct ioasid_fault fault = { .flags = 0 };
	size_t n = 1;
	struct queue q;

	if (!new_queue(b, &q))
		return;
	same(ioasid_fault_read(q.fd, &fault, &n, NULL), 0);
	same(n, 0);
	same(ask(b, 1, ADDRESS), 0);
	expect(readable(q.fd));
	n = 1;
	same(ioasid_fault_read(q.fd, &fault, &n, &err), 0);
	same(n, 1);
	expect(!readable(q.fd));
	same(fault.flags, IOASID_FAULT_PASID | IOASID_FAULT_LAST);
	same(fault.device, b->device);
	same(fault.pasid, 1);
	same(fault.group, GROUP);
	same(fault.access, ACCESS);
	same(fault.address, ADDRESS);
	same(ioasid_fault_answer(q.fd, fault.cookie + 1, true, &err), -EINVAL);
	expect(str_eq(err.id, IOASID_ERROR_NO_OBJECT));
	same(ioasid_fault_answer(q.fd, fault.cookie, true, &err), 0);
	same(ioasid_fault_answer(q.fd, fault.cookie, true, &err), -EINVAL);
	close(q.fd);
}

static void faults_come_in_order_as_many_as_have_room(struct bench *b)
{
	struct ioasid_fault faults[4];
	struct queue q;
	size_t n = 2;

	if (!new_queue(b, &q))
		return;
	for (uint64_t i = 0; i < 3; i++)
		same(ask(b, 1, ADDRESS + i * PAGE), 0);
	same(ioasid_fault_read(q.fd, faults, &n, NULL), 0);
	same(n, 2);
	expect(readable(q.fd));
	n = 4;
	same(ioasid_fault_read(q.fd, faults + 2, &(size_t){ 0 }, NULL),
	     -EINVAL);
	same(ioasid_fault_read(q.fd, faults + 2, &(size_t){ 2 }, NULL), 0);
	for (uint64_t i = 0; i < 3; i++)
		same(faults[i].address, ADDRESS + i * PAGE);
	expect(faults[0].cookie != faults[1].cookie &&
	       faults[1].cookie != faults[2].cookie);
	/* Answers may come in any order, and may be a refusal. */
	same(ioasid_fault_answer(q.fd, faults[2].cookie, false, NULL), 0);
	same(ioasid_fault_answer(q.fd, faults[0].cookie, true, NULL), 0);
	same(ioasid_fault_answer(q.fd, faults[1].cookie, false, NULL), 0);
	close(q.fd);
}

static void what_is_no_record_is_refused(struct bench *b)
{
	struct uapi_hwpt_page_response response = { .code = 2 };
	char bytes[sizeof(struct ioasid_fault)];
	void *volatile nowhere = NULL;
	struct queue q;

	if (!new_queue(b, &q))
		return;
	same(ask(b, 1, ADDRESS), 0);
	same(read(q.fd, bytes, sizeof(bytes) - 1), -1);
	same(errno, ESPIPE);
	same(write(q.fd, &response, sizeof(response) - 1), -1);
	same(errno, ESPIPE);
	same(write(q.fd, &response, sizeof(response)), -1);
	same(errno, EINVAL);
	same(read(q.fd, nowhere, sizeof(bytes)), -1);
	same(errno, EFAULT);
	/* It was not lost by that. */
	same(read(q.fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(q.fd);
}

static void a_queue_in_use_is_not_destroyed(struct bench *b)
{
	struct queue q;

	if (!new_queue(b, &q))
		return;
	same(destroy(b, q.id), -EBUSY);
	close(q.fd);
	same(destroy(b, q.id), -EBUSY);
	same(destroy(b, q.table), -EBUSY);
	same(move_to(b, b->mock, b->space), 0);
	same(destroy(b, q.table), 0);
	same(destroy(b, q.id), 0);
	same(destroy(b, q.parent), 0);
}

static void faults_that_nobody_reads_end_with_the_attachment(struct bench *b)
{
	struct ioasid_fault fault;
	struct queue q;
	size_t n = 1;

	if (!new_queue(b, &q))
		return;
	same(ask(b, 1, ADDRESS), 0);
	same(ask(b, 1, ADDRESS + PAGE), 0);
	same(ioasid_fault_read(q.fd, &fault, &n, NULL), 0);
	same(n, 1);
	same(move_to(b, b->mock, b->space), 0);
	expect(!readable(q.fd));
	n = 1;
	same(ioasid_fault_read(q.fd, &fault, &n, NULL), 0);
	same(n, 0);
	/* The one that was read was answered by the kernel. */
	same(ioasid_fault_answer(q.fd, fault.cookie, true, NULL), -EINVAL);
	same(destroy(b, q.table), 0);
	close(q.fd);
}

static void faults_in_a_queue_end_with_its_context(struct bench *b)
{
	struct queue q;

	if (!new_queue(b, &q))
		return;
	same(ask(b, 1, ADDRESS), 0);
	/* The descriptor keeps the context: there is a fault to be read. */
	close(b->fd);
	expect(readable(q.fd));
	close(q.fd);
	b->fd = -1;
}

static void a_device_without_a_queue_asks_in_vain(struct bench *b)
{
	struct queue q;

	if (!new_queue(b, &q))
		return;
	same(move_to(b, b->mock, q.parent), 0);
	same(ask(b, 1, ADDRESS), 0);
	expect(!readable(q.fd));
	close(q.fd);
}

#define LIST(X) \
	X(a_queue_needs_no_device_and_is_closed_on_exec) \
	X(faults_want_a_queue_that_there_is) \
	X(a_fault_is_read_and_answered_once) \
	X(faults_come_in_order_as_many_as_have_room) \
	X(what_is_no_record_is_refused) \
	X(a_queue_in_use_is_not_destroyed) \
	X(faults_that_nobody_reads_end_with_the_attachment) \
	X(faults_in_a_queue_end_with_its_context) \
	X(a_device_without_a_queue_asks_in_vain)

CASES(LIST)
