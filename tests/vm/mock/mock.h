/* SPDX-License-Identifier: Apache-2.0
 *
 * mock.h - the kernel's own mock of an IOMMU, and cases that are asked of it
 *
 * DOC: Theory of Operation
 *
 * A kernel with CONFIG_IOMMUFD_TEST makes devices, and an IOMMU for them, that
 * exist only for the iommufd they were made in, by a call that is in no header
 * of its interface (number 0xa0). What can be nested, watched or made to fault is
 * so for them, as for no IOMMU that QEMU emulates. Nothing moves data: what a
 * page table maps, which entries a cache has and which pages were written is
 * asked for, or said, by the same call.
 *
 * It is for tests, and lets who has /dev/iommu do what he should not; the kernel
 * of tests/vm alone has it.
 *
 * Each program here is one subject. A case is a function named for its claim and
 * is a line of TAP for each of the two in calls.h that make the calls. Source of
 * layout and numbers: drivers/iommu/iommufd/iommufd_test.h of Linux 7.3; of what
 * is asked: what tools/testing/selftests/iommu/iommufd.c asks there.
 */
#ifndef TESTS_VM_MOCK_MOCK_H
#define TESTS_VM_MOCK_MOCK_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"
#include "base/uapi.h"
#include "vm/mock/calls.h"

#define MOCK_CALL UAPI_IOMMUFD(0xa0)

/* What the mock IOMMU translates, and in which pages. */
#define MOCK_FIRST (1UL << 24)
#define MOCK_LAST ((1UL << 31) - 1)
#define MOCK_PAGE 2048UL
#define MOCK_HUGE (512 * MOCK_PAGE)

#define PAGE 4096UL

enum mock_op {
	MOCK_RESERVE = 1,	/* in a space, as a device would */
	MOCK_DEVICE = 2,	/* make one, on a space or a page table */
	MOCK_CHECK_MAP = 3,	/* does a page table map this memory? */
	MOCK_MOVE = 10,		/* a device goes to another page table */
	MOCK_DEVICE_FLAGS = 12, /* MOCK_DEVICE, with MOCK_NO_DIRTY and others */
	MOCK_WRITTEN = 13,	/* pages were written */
	MOCK_CHECK_CACHE = 14,	/* what has a nested page table's cache? */
	MOCK_FAULT = 15,	/* a device asks for a page */
	MOCK_CHECK_DEVICE_CACHE = 16, /* what has a device's? */
	MOCK_PASID_ATTACH = 18,
	MOCK_PASID_MOVE = 19,
	MOCK_PASID_DETACH = 20,
	MOCK_PASID_CHECK = 21,	/* is it on this page table? 0: on none */
};

#define MOCK_NO_DIRTY (1U << 0)
#define MOCK_HAS_PASIDS (1U << 2)

/* Kinds of data that only the mock knows. */
#define MOCK_DATA 0xdead
#define MOCK_INVALIDATION 0xdeadbeefU
#define MOCK_VIOMMU 0xdeadbeefU

/* How many entries a cache has. */
#define MOCK_CACHE 4

/* What fresh ones have in them. */
#define MOCK_CACHED 0xbadbeef
#define MOCK_DEVICE_CACHED 0xbaddad

/* struct mock_call - The call; @id is what it is about. */
struct mock_call {
	uint32_t size, op, id, reserved;
	union {
		struct {
			uapi_u64 start, length;
		} reserve;
		struct {
			uint32_t mock, table, device, flags;
		} device;
		struct {
			uint32_t pt;
		} move;
		struct {
			uapi_u64 iova, length, memory;
		} map;
		struct {
			uint32_t flags;
			uapi_u64 iova, length, page, bits, n;
		} written;
		struct {
			uint32_t index, value;
		} cache;
		struct {
			uint32_t device, pasid, group, access;
			uint64_t address;
		} fault;
		struct {
			uint32_t pasid, pt;
		} pasid;
	};
	uint32_t last;
};

/* struct mock_data - What describes a page table: nested, or of a space. */
struct mock_data {
	uint32_t cached;
	uint32_t huge;	/* it has pages of MOCK_HUGE */
};

/* struct mock_invalidation - An entry of a nested page table. */
struct mock_invalidation {
	uint32_t flags;	/* 1: all */
	uint32_t index;
};

/* struct mock_device_invalidation - An entry of a vIOMMU. */
struct mock_device_invalidation {
	uint32_t flags;
	uint32_t virt_id;
	uint32_t index;
};

/* --- cases --- */

static bool failed;
static unsigned int n_cases, n_failed;

/* check() - One thing that a case expects */
static inline bool check(bool ok, const char *what, int line)
{
	if (!ok) {
		printf("# line %d: not so: %s (errno %s)\n", line, what,
		       strerrorname_np(errno));
		failed = true;
	}
	return ok;
}

#define expect(e) check((e), #e, __LINE__)

/* is() - Two numbers, of which the second is expected */
static inline void is(long long have, long long want, const char *what,
		      int line)
{
	if (have == want)
		return;
	printf("# line %d: %s is %lld (0x%llx), not %lld (0x%llx)\n", line,
	       what, have, have, want, want);
	failed = true;
}

#define same(a, b) is((long long)(a), (long long)(b), #a, __LINE__)

/**
 * struct bench - What a case has
 * @calls:	Who makes the calls
 * @fd:		A fresh iommufd
 * @space:	A space of it
 * @mock:	A device on it, by the mock's number
 * @device:	The same, by its id
 * @table:	The page table that was made for it
 */
struct bench {
	const struct calls *calls;
	int fd;
	uint32_t space, mock, device, table;
};

/* mock() - Make the mock's call. Return: 0 or -errno. */
static inline int mock(const struct bench *b, struct mock_call *call)
{
	call->size = sizeof(*call);
	return ioctl(b->fd, MOCK_CALL, call) ? -errno : 0;
}

/* new_device() - A device on a space or page table. Return: 0 or -errno. */
static inline int new_device(const struct bench *b, uint32_t pt, uint32_t flags,
			     uint32_t *ret_mock, uint32_t *ret_device,
			     uint32_t *ret_table)
{
	struct mock_call call = {
		.op = flags ? MOCK_DEVICE_FLAGS : MOCK_DEVICE,
		.id = pt, .device.flags = flags,
	};
	int r = mock(b, &call);

	if (r < 0)
		return r;
	*ret_mock = call.device.mock;
	if (ret_device)
		*ret_device = call.device.device;
	if (ret_table)
		*ret_table = call.device.table;
	return 0;
}

/* move() - The device goes to a page table. Return: 0 or -errno. */
static inline int move_to(const struct bench *b, uint32_t device, uint32_t pt)
{
	struct mock_call call = { .op = MOCK_MOVE, .id = device,
				  .move.pt = pt };

	return mock(b, &call);
}

/* maps() - Does a page table map memory? Return: 0; -EINVAL. */
static inline int maps(const struct bench *b, uint32_t table, uint64_t iova,
		       const void *memory, uint64_t length)
{
	struct mock_call call = {
		.op = MOCK_CHECK_MAP, .id = table, .map.iova = iova,
		.map.length = length, .map.memory = (uintptr_t)memory,
	};

	return mock(b, &call);
}

/* table() - Make a page table for the device. Return: its id, or -errno. */
static inline int table_on(const struct bench *b, uint32_t pt, uint32_t flags,
			   uint32_t type, const void *data, uint32_t length,
			   uint32_t queue)
{
	const struct kernel_hwpt wish = {
		.dev_id = b->device, .pt_id = pt, .flags = flags,
		.data_type = type, .data = data, .data_len = length,
		.fault_id = queue,
	};
	uint32_t id = 0;
	int r = b->calls->table(b->fd, &wish, &id);

	return r < 0 ? r : (int)id;
}

/* table() - One that translates the space. */
static inline int table(const struct bench *b, uint32_t flags)
{
	return table_on(b, b->space, flags, UAPI_HWPT_DATA_NONE, NULL, 0, 0);
}

/* nested() - One of a guest. */
static inline int nested(const struct bench *b, uint32_t parent, uint32_t flags,
			 uint32_t queue)
{
	const struct mock_data data = { .cached = MOCK_CACHED };

	return table_on(b, parent, flags, MOCK_DATA, &data, sizeof(data),
			queue);
}

static inline int destroy(const struct bench *b, uint32_t id)
{
	return b->calls->destroy(b->fd, id);
}

/* run_case() - One case on a fresh iommufd */
static inline void run_case(const struct calls *calls, const char *name,
			    void (*fn)(struct bench *b))
{
	struct bench b = { .calls = calls };
	char words[128];

	failed = false;
	b.fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (expect(b.fd >= 0) &&
	    expect(!calls->space(b.fd, &b.space)) &&
	    expect(!new_device(&b, b.space, 0, &b.mock, &b.device, &b.table)))
		fn(&b);
	close(b.fd);

	snprintf(words, sizeof(words), "%s", name);
	for (char *c = words; *c; c++)
		if (*c == '_')
			*c = ' ';
	printf("%sok %u - %s: %s\n", failed ? "not " : "", ++n_cases,
	       calls->name, words);
	n_failed += failed;
}

/**
 * run_cases() - All of a program, with each who makes calls
 *
 * Return: the exit status.
 */
static inline int run_cases(const char *const *names,
			    void (*const *fns)(struct bench *b), size_t n)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (access("/dev/iommu", R_OK | W_OK)) {
		printf("Bail out! there is no /dev/iommu\n");
		return 2;
	}
	if (calls_init() < 0) {
		printf("Bail out! the kernel's table cannot be had\n");
		return 2;
	}
	printf("TAP version 13\n1..%zu\n", n * ARRAY_SIZE(all_calls));
	for (size_t i = 0; i < ARRAY_SIZE(all_calls); i++)
		for (size_t j = 0; j < n; j++)
			run_case(all_calls[i], names[j], fns[j]);
	return n_failed != 0;
}

/* CASES() - The end of a program: its cases, X(name) each */
#define CASE_NAME(f) #f,
#define CASE_FN(f) f,
#define CASES(list)                                                     \
	int main(void)                                                  \
	{                                                               \
		static const char *const names[] = { list(CASE_NAME) }; \
		static void (*const fns[])(struct bench *b) = {         \
			list(CASE_FN)                                   \
		};                                                      \
									\
		return run_cases(names, fns, ARRAY_SIZE(fns));          \
	}

#endif
