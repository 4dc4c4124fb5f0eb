/* SPDX-License-Identifier: Apache-2.0
 *
 * test-pagetable.c - libioasid's page tables: the calls that they make, and the
 *		      words
 *
 * The kernel is ioasid_ioctl() of this file, which stands for call_ioctl() too: it
 * notes each call and refuses what a test wants. What a real kernel refuses is
 * asked of its mock, tests/vm/mock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"

/* The library itself, but for kernel.c and call.h. */
#define LIBIOASID_CALL_H
#define call_ioctl ioasid_ioctl
#include "libioasid/fail.c"
#include "libioasid/container.c"
#include "libioasid/dirty.c"
#include "libioasid/explain.c"
#include "libioasid/explain-table.c"
#include "libioasid/fault.c"
#include "libioasid/ioas.c"
#include "libioasid/pagetable.c"

#define FD 100
#define ID 9
#define MISSING 77	/* a space that there is not */

static unsigned long request;
static uint64_t sent[16];
static unsigned int n_calls;
static int refusal;
static struct ioasid_error err;

/* answer() - Fill what a call gives out */
static void answer(void *arg)
{
	if (request == UAPI_HWPT_ALLOC)
		((struct uapi_hwpt_alloc *)arg)->out_hwpt_id = ID;
	if (request == UAPI_VIOMMU_ALLOC)
		((struct uapi_viommu_alloc *)arg)->out_viommu_id = ID;
	if (request == UAPI_VDEVICE_ALLOC)
		((struct uapi_vdevice_alloc *)arg)->out_vdevice_id = ID;
	if (request == UAPI_DEVICE_ATTACH_IOMMUFD_PT)
		((struct uapi_device_attach_iommufd_pt *)arg)->pt_id = ID;
	if (request == UAPI_FAULT_QUEUE_ALLOC) {
		((struct uapi_fault_alloc *)arg)->out_fault_id = ID;
		((struct uapi_fault_alloc *)arg)->out_fault_fd = 42;
	}
}

int ioasid_ioctl(int fd, unsigned long number, void *arg)
{
	uint32_t size = *(uint32_t *)arg;

	if (number == UAPI_IOAS_IOVA_RANGES) {
		errno = ((struct uapi_ioas_iova_ranges *)arg)->ioas_id ==
			MISSING ? ENOENT : EMSGSIZE;
		return -1;
	}
	assert_int_equal(fd, FD);
	assert_in_range(size, 8, sizeof(sent));
	memcpy(sent, arg, size);
	request = number;
	n_calls++;
	if (number == UAPI_HWPT_INVALIDATE)
		((struct uapi_hwpt_invalidate *)arg)->entry_num = 1;
	if (refusal) {
		errno = refusal;
		return -1;
	}
	answer(arg);
	return 0;
}

static int setup(void **state)
{
	n_calls = 0;
	refusal = 0;
	memset(&err, 0, sizeof(err));
	memset(sent, 0, sizeof(sent));
	return 0;
}

static void a_page_table_is_one_call(void **state)
{
	const struct uapi_hwpt_alloc *alloc = (void *)sent;
	uint32_t id = 0;

	assert_int_equal(ioasid_table_new(FD, 3, 7, IOASID_TABLE_FAULTS, 5, &id,
					  &err), 0);
	assert_int_equal(id, ID);
	assert_int_equal(n_calls, 1);
	assert_int_equal(alloc->size, sizeof(*alloc));
	assert_int_equal(alloc->dev_id, 3);
	assert_int_equal(alloc->pt_id, 7);
	assert_int_equal(alloc->flags, UAPI_HWPT_FAULT_ID_VALID);
	assert_int_equal(alloc->fault_id, 5);
	assert_int_equal(alloc->data_type, 0);
	assert_int_equal(alloc->data_len, 0);
}

static void a_guests_page_table_has_its_data(void **state)
{
	const struct uapi_hwpt_alloc *alloc = (void *)sent;
	const char data[5] = "data";
	uint32_t id = 0;

	assert_int_equal(ioasid_table_nest(FD, 3, 7, IOASID_TABLE_PASID, 0, 2,
					   data, sizeof(data), &id, &err), 0);
	assert_int_equal(alloc->data_type, 2);
	assert_int_equal(alloc->data_len, 5);
	assert_int_equal(alloc->data_uptr, (uintptr_t)data);
	assert_int_equal(ioasid_table_nest_vtd(FD, 3, 7, 0, 0x1000, 48, 1, &id,
					       &err), 0);
	assert_int_equal(alloc->data_type, UAPI_HWPT_DATA_VTD_S1);
	assert_int_equal(alloc->data_len, sizeof(struct uapi_hwpt_vtd_s1));
}

static void what_was_done_is_said_of_a_refusal_too(void **state)
{
	const struct uapi_hwpt_invalidate *sent_call = (void *)sent;
	uint64_t entries[6] = { 0 };
	uint32_t n = 2;

	assert_int_equal(ioasid_table_invalidate(FD, 7, 0, entries, 24, &n,
						 &err), 0);
	assert_int_equal(sent_call->entry_num, 2);
	assert_int_equal(sent_call->hwpt_id, 7);
	assert_int_equal(sent_call->entry_len, 24);
	assert_int_equal(n, 1);
	refusal = EINVAL;
	n = 2;
	assert_int_equal(ioasid_table_invalidate(FD, 7, 0, entries, 24, &n,
						 &err), -EINVAL);
	assert_int_equal(n, 1);
	assert_non_null(strstr(err.message, "entry 1"));
	/* It was not read, so nothing was done. */
	refusal = EFAULT;
	n = 2;
	assert_int_equal(ioasid_table_invalidate(FD, 7, 0, entries, 24, &n,
						 NULL), -EFAULT);
	assert_int_equal(n, 0);
}

static void the_rest_is_one_call_each(void **state)
{
	const struct uapi_hwpt_get_dirty_bitmap *get = (void *)sent;
	const struct uapi_device_attach_iommufd_pt *attach = (void *)sent;
	const struct uapi_vdevice_alloc *vdevice = (void *)sent;
	uint64_t bits = 0;
	uint32_t id = 0;
	int fd = -1;

	assert_int_equal(ioasid_dirty_watch(FD, 7, true, &err), 0);
	assert_int_equal(request, UAPI_HWPT_SET_DIRTY_TRACKING);
	assert_int_equal(ioasid_dirty_read(FD, 7, 0x4000, 0x2000, 0x1000,
					   IOASID_DIRTY_KEEP, &bits, &err), 0);
	assert_int_equal(get->iova, 0x4000);
	assert_int_equal(get->length, 0x2000);
	assert_int_equal(get->page_size, 0x1000);
	assert_int_equal(get->flags, UAPI_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
	assert_int_equal(get->data, (uintptr_t)&bits);
	assert_int_equal(ioasid_viommu_new(FD, 1, 3, 7, &id, &err), 0);
	assert_int_equal(ioasid_vdevice_new(FD, 7, 3, 0x99, &id, &err), 0);
	assert_int_equal(vdevice->virt_id, 0x99);
	assert_int_equal(ioasid_fault_queue_new(FD, &id, &fd, &err), 0);
	assert_int_equal(fd, 42);
	id = 0;
	assert_int_equal(ioasid_cdev_attach_pasid(FD, 5, 7, &id, &err), 0);
	assert_int_equal(attach->flags, UAPI_DEVICE_ATTACH_PASID);
	assert_int_equal(attach->pasid, 5);
	assert_int_equal(id, ID);
	assert_int_equal(ioasid_cdev_detach_pasid(FD, 5, &err), 0);
	assert_int_equal(n_calls, 7);
}

/* Calls of each kind, for the words. */
static int do_table(void)
{
	uint32_t id;

	return ioasid_table_new(FD, 3, 7, IOASID_TABLE_FAULTS, 5, &id, &err);
}

static int do_missing(void)
{
	uint32_t id;

	return ioasid_table_new(FD, 3, MISSING, 0, 0, &id, &err);
}

static int do_nest(void)
{
	uint32_t id;

	return ioasid_table_nest_vtd(FD, 3, 7, 0, 0, 48, 0, &id, &err);
}

static int do_invalidate(void)
{
	return ioasid_table_invalidate_vtd(FD, 7, 0, 1, false, &err);
}

static int do_dirty(void)
{
	return ioasid_dirty_watch(FD, 7, true, &err);
}

static int do_viommu(void)
{
	uint32_t id;

	return ioasid_viommu_new(FD, 1, 3, 7, &id, &err);
}

static int do_vdevice(void)
{
	uint32_t id;

	return ioasid_vdevice_new(FD, 7, 3, 0x99, &id, &err);
}

static int do_pasid(void)
{
	return ioasid_cdev_attach_pasid(FD, 5, 7, NULL, &err);
}

static int do_queue(void)
{
	uint32_t id;
	int fd;

	return ioasid_fault_queue_new(FD, &id, &fd, &err);
}

/* A refusal, and what is said. */
static const struct {
	int (*act)(void);
	int error;
	const char *id, *message, *remedy;
} refusals[] = {
	{ do_table, EOPNOTSUPP, IOASID_ERROR_UNSUPPORTED, "these flags",
	  "capabilities" },
	{ do_table, ENOENT, IOASID_ERROR_NO_OBJECT, "fault queue 5", "" },
	{ do_table, ENODEV, IOASID_ERROR_UNSUPPORTED, "device 3", "" },
	{ do_table, EADDRINUSE, IOASID_ERROR_MAP_RANGE, "space 7", "Unmap" },
	{ do_table, EINVAL, IOASID_ERROR_KERNEL, "IOMMU_HWPT_ALLOC", "" },
	{ do_missing, EINVAL, IOASID_ERROR_NO_OBJECT, "space 77", "" },
	{ do_missing, ENOENT, IOASID_ERROR_NO_OBJECT, "device 3", "" },
	{ do_nest, EOPNOTSUPP, IOASID_ERROR_UNSUPPORTED, "guest's", "" },
	{ do_nest, EINVAL, IOASID_ERROR_ARGUMENT, "24 bytes", "NEST_PARENT" },
	{ do_nest, EIO, IOASID_ERROR_ARGUMENT, "may not set", "" },
	{ do_invalidate, EOPNOTSUPP, IOASID_ERROR_UNSUPPORTED, "", "" },
	{ do_invalidate, EINVAL, IOASID_ERROR_ARGUMENT, "24 bytes", "go on" },
	{ do_invalidate, ENOENT, IOASID_ERROR_NO_OBJECT, "page table 7", "" },
	{ do_dirty, EOPNOTSUPP, IOASID_ERROR_UNSUPPORTED, "page table 7",
	  "IOASID_TABLE_DIRTY" },
	{ do_dirty, EINVAL, IOASID_ERROR_ARGUMENT, "not watched", "" },
	{ do_dirty, EOVERFLOW, IOASID_ERROR_MAP_RANGE, "last address", "" },
	{ do_dirty, ENOENT, IOASID_ERROR_NO_OBJECT, "page table 7", "" },
	{ do_viommu, EOPNOTSUPP, IOASID_ERROR_UNSUPPORTED, "VT-d", "" },
	{ do_viommu, EINVAL, IOASID_ERROR_ARGUMENT, "nest parent", "" },
	{ do_viommu, ENOENT, IOASID_ERROR_NO_OBJECT, "page table 7", "" },
	{ do_vdevice, EEXIST, IOASID_ERROR_IN_USE, "0x99", "Destroy" },
	{ do_vdevice, EINVAL, IOASID_ERROR_ARGUMENT, "another IOMMU", "" },
	{ do_vdevice, ENOENT, IOASID_ERROR_NO_OBJECT, "vIOMMU 7", "" },
	{ do_pasid, EOPNOTSUPP, IOASID_ERROR_UNSUPPORTED, "no PASIDs", "" },
	{ do_pasid, EINVAL, IOASID_ERROR_ARGUMENT, "PASID 5", "TABLE_PASID" },
	{ do_pasid, ENOSPC, IOASID_ERROR_ARGUMENT, "5 is no PASID", "" },
	{ do_pasid, ENODEV, IOASID_ERROR_KERNEL, "fault queue", "" },
	{ do_queue, ENOTTY, IOASID_ERROR_UNSUPPORTED, "too old", "" },
	{ do_queue, EMFILE, IOASID_ERROR_KERNEL, "IOMMU_FAULT_QUEUE_ALLOC",
	  "" },
};

static void each_refusal_has_its_words(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		setup(NULL);
		refusal = refusals[i].error;
		assert_int_equal(refusals[i].act(), -refusals[i].error);
		print_message("%s: %s\n", err.id, err.message);
		assert_string_equal(err.id, refusals[i].id);
		assert_non_null(strstr(err.message, refusals[i].message));
		assert_non_null(strstr(err.remedy, refusals[i].remedy));
		assert_int_equal(n_calls, 1);
	}
}

static void what_is_no_queue_is_said_to_be_none(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), ends[2];
	struct ioasid_fault fault;
	size_t n = 1;

	assert_int_equal(ioasid_fault_read(-1, &fault, &n, &err), -EBADF);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
	assert_int_equal(ioasid_fault_read(null, &fault, &n, &err), 0);
	assert_int_equal(n, 0);
	fd_close(null);
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	n = 1;
	assert_int_equal(ioasid_fault_read(ends[0], &fault, &n, &err), -EAGAIN);
	assert_string_equal(err.id, IOASID_ERROR_KERNEL);
	fd_close(ends[0]);
	fd_close(ends[1]);
}

static void an_answer_is_one_record(void **state)
{
	struct uapi_hwpt_page_response got[2];
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(ioasid_fault_answer(ends[1], 7, true, &err), 0);
	assert_int_equal(ioasid_fault_answer(ends[1], 8, false, &err), 0);
	assert_int_equal(read(ends[0], got, sizeof(got)), sizeof(got));
	assert_int_equal(got[0].cookie, 7);
	assert_int_equal(got[0].code, UAPI_PAGE_RESP_SUCCESS);
	assert_int_equal(got[1].cookie, 8);
	assert_int_equal(got[1].code, UAPI_PAGE_RESP_INVALID);
	fd_close(ends[0]);
	fd_close(ends[1]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		TEST(a_page_table_is_one_call),
		TEST(a_guests_page_table_has_its_data),
		TEST(what_was_done_is_said_of_a_refusal_too),
		TEST(the_rest_is_one_call_each),
		TEST(each_refusal_has_its_words),
		TEST(what_is_no_queue_is_said_to_be_none),
		TEST(an_answer_is_one_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
