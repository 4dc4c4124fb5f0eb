/* SPDX-License-Identifier: Apache-2.0
 *
 * test-map.c - libioasid's mappings: the calls that they make, and the words
 *
 * The kernel is ioasid_ioctl() of this file, which stands for call_ioctl() too:
 * it notes each call and refuses the nth one with whatever a test wants. What a real kernel refuses is asked for
 * in tests/conformance/test_library.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* The library itself, but for kernel.c and call.h. */
#define LIBIOASID_CALL_H
#define call_ioctl ioasid_ioctl
#include "libioasid/fail.c"
#include "libioasid/batch.c"
#include "libioasid/cdev.c"
#include "libioasid/container.c"
#include "libioasid/explain.c"
#include "libioasid/ioas.c"
#include "libioasid/kvm.c"
#include "libioasid/map.c"

#define RW (IOASID_MAP_READ | IOASID_MAP_WRITE)
#define FIXED (RW | IOASID_MAP_FIXED)
#define PAGE 0x1000u
#define IOMMUFD 100
#define IOAS 7

/* Where the kernel of this file places things, and what it hands out. */
#define PLACED 0x40000u
#define ID 9

/**
 * struct call - A call that was made
 * @fd:		On what
 * @request:	Which
 * @size:	What its structure says of itself
 * @data:	The structure
 */
struct call {
	int fd;
	unsigned long request;
	uint32_t size;
	uint64_t data[8];
};

static struct call calls[64];
static size_t n_calls;
static int refuse[16];		/* errno of the nth call; 0 for none */
static size_t n_refusable;	/* calls so far that are no IOVA_RANGES */
static struct ioasid_range usable[40];
static size_t n_usable;
static uint64_t alignment;
static uint32_t missing_id;	/* a space that there is not */
static struct ioasid_error err;

/* answer_ranges() - IOMMU_IOAS_IOVA_RANGES */
static int answer_ranges(struct uapi_ioas_iova_ranges *cmd)
{
	struct ioasid_range *to = (void *)(uintptr_t)cmd->allowed_iovas;
	size_t room = cmd->num_iovas;

	if (cmd->ioas_id == missing_id) {
		errno = ENOENT;
		return -1;
	}
	for (size_t i = 0; i < room && i < n_usable; i++)
		to[i] = usable[i];
	cmd->num_iovas = (uint32_t)n_usable;
	cmd->out_iova_alignment = alignment;
	errno = EMSGSIZE;
	return room < n_usable ? -1 : 0;
}

/* answer() - Any other call: fill what it gives out */
static void answer(unsigned long request, void *arg)
{
	struct uapi_ioas_map *map = arg;
	struct uapi_ioas_map_file *file = arg;
	struct uapi_ioas_copy *copy = arg;

	if (request == UAPI_IOAS_MAP && !(map->flags & IOASID_MAP_FIXED))
		map->iova = PLACED;
	if (request == UAPI_IOAS_MAP_FILE && !(file->flags & IOASID_MAP_FIXED))
		file->iova = PLACED;
	if (request == UAPI_IOAS_COPY && !(copy->flags & IOASID_MAP_FIXED))
		copy->dst_iova = PLACED;
	if (request == UAPI_IOAS_ALLOC)
		((struct uapi_ioas_alloc *)arg)->out_ioas_id = ID;
	if (request == UAPI_HWPT_ALLOC)
		((struct uapi_hwpt_alloc *)arg)->out_hwpt_id = ID;
	if (request == UAPI_DEVICE_BIND_IOMMUFD)
		((struct uapi_device_bind_iommufd *)arg)->out_devid = ID;
}

int ioasid_ioctl(int fd, unsigned long request, void *arg)
{
	struct call *call = &calls[n_calls++];

	assert_in_range(n_calls, 1, ARRAY_SIZE(calls));
	*call = (struct call){ .fd = fd, .request = request,
			       .size = *(uint32_t *)arg };
	assert_in_range(call->size, 8, sizeof(call->data));
	memcpy(call->data, arg, call->size);
	if (request == UAPI_IOAS_IOVA_RANGES)
		return answer_ranges(arg);
	if (n_refusable < ARRAY_SIZE(refuse) && refuse[n_refusable]) {
		errno = refuse[n_refusable++];
		return -1;
	}
	n_refusable++;
	answer(request, arg);
	return 0;
}

static int setup(void **state)
{
	n_calls = n_refusable = 0;
	memset(refuse, 0, sizeof(refuse));
	memset(&err, 0, sizeof(err));
	usable[0] = (struct ioasid_range){ 0, 0xfedfffff };
	usable[1] = (struct ioasid_range){ 0xfef00000, 0xffffffffffff };
	n_usable = 2;
	alignment = PAGE;
	missing_id = 0;

	return 0;
}

/* --- one call each --- */

static void map_is_one_call_with_the_kernels_structure(void **state)
{
	const struct uapi_ioas_map *sent = (void *)calls[0].data;
	uint64_t iova = 0x10000;

	assert_int_equal(ioasid_map(IOMMUFD, IOAS, (void *)0x5000, 2 * PAGE,
				    FIXED, &iova, &err), 0);
	assert_int_equal(n_calls, 1);
	assert_int_equal(calls[0].fd, IOMMUFD);
	assert_int_equal(calls[0].request, UAPI_IOAS_MAP);
	assert_int_equal(sent->size, sizeof(*sent));
	assert_int_equal(sent->flags, FIXED);
	assert_int_equal(sent->ioas_id, IOAS);
	assert_int_equal(sent->user_va, 0x5000);
	assert_int_equal(sent->length, 2 * PAGE);
	assert_int_equal(sent->iova, 0x10000);
	assert_int_equal(iova, 0x10000);
}

static void map_file_is_one_call(void **state)
{
	const struct uapi_ioas_map_file *sent = (void *)calls[0].data;
	uint64_t iova = 0x10000;

	assert_int_equal(ioasid_map_file(IOMMUFD, IOAS, 42, 0x3000, PAGE,
					 FIXED, &iova, &err), 0);
	assert_int_equal(n_calls, 1);
	assert_int_equal(calls[0].request, UAPI_IOAS_MAP_FILE);
	assert_int_equal(sent->size, sizeof(*sent));
	assert_int_equal(sent->fd, 42);
	assert_int_equal(sent->start, 0x3000);
	assert_int_equal(sent->length, PAGE);
	assert_int_equal(sent->iova, 0x10000);
	assert_int_equal(sent->ioas_id, IOAS);
}

static void copy_is_one_call(void **state)
{
	const struct uapi_ioas_copy *sent = (void *)calls[0].data;
	uint64_t iova = 0x10000;

	assert_int_equal(ioasid_copy(IOMMUFD, IOAS, 8, 0x3000, PAGE, FIXED,
				     &iova, &err), 0);
	assert_int_equal(n_calls, 1);
	assert_int_equal(calls[0].request, UAPI_IOAS_COPY);
	assert_int_equal(sent->size, sizeof(*sent));
	assert_int_equal(sent->dst_ioas_id, IOAS);
	assert_int_equal(sent->src_ioas_id, 8);
	assert_int_equal(sent->src_iova, 0x3000);
	assert_int_equal(sent->dst_iova, 0x10000);
}

static void mapping_that_the_kernel_places_says_where_it_is(void **state)
{
	const struct uapi_ioas_map *sent = (void *)calls[0].data;
	uint64_t iova = 4711;

	assert_int_equal(ioasid_map(IOMMUFD, IOAS, NULL, PAGE, RW, &iova,
				    NULL), 0);
	/* What was there before is nothing to the kernel. */
	assert_int_equal(sent->iova, 0);
	assert_int_equal(iova, PLACED);
	iova = 4711;
	assert_int_equal(ioasid_map_file(IOMMUFD, IOAS, 1, 0, PAGE, RW, &iova,
					 NULL), 0);
	assert_int_equal(iova, PLACED);
	iova = 4711;
	assert_int_equal(ioasid_copy(IOMMUFD, IOAS, 8, 0, PAGE, RW, &iova,
				     NULL), 0);
	assert_int_equal(iova, PLACED);
	assert_int_equal(n_calls, 3);
}

static void unmap_says_how_many_bytes(void **state)
{
	const struct uapi_ioas_unmap *sent = (void *)calls[0].data;
	uint64_t bytes = 0;

	assert_int_equal(ioasid_unmap(IOMMUFD, IOAS, 0x3000, PAGE, &bytes,
				      &err), 0);
	assert_int_equal(sent->iova, 0x3000);
	assert_int_equal(bytes, PAGE);
	assert_int_equal(ioasid_unmap_all(IOMMUFD, IOAS, NULL, &err), 0);
	sent = (void *)calls[1].data;
	assert_int_equal(sent->iova, 0);
	assert_true(sent->length == UINT64_MAX);
	assert_int_equal(n_calls, 2);
}

static void objects_are_one_call_each(void **state)
{
	const struct ioasid_range window = { PAGE, 2 * PAGE - 1 };
	uint32_t id = 0;

	assert_int_equal(ioasid_ioas_new(IOMMUFD, &id, &err), 0);
	assert_int_equal(id, ID);
	assert_int_equal(ioasid_ioas_allow(IOMMUFD, IOAS, &window, 1, &err), 0);
	id = 0;
	assert_int_equal(ioasid_ioas_pin(IOMMUFD, IOAS, 3, &id, &err), 0);
	assert_int_equal(id, ID);
	assert_int_equal(ioasid_object_destroy(IOMMUFD, id, &err), 0);
	id = 0;
	assert_int_equal(ioasid_cdev_bind(50, IOMMUFD, &id, &err), 0);
	assert_int_equal(id, ID);
	assert_int_equal(ioasid_cdev_attach(50, IOAS, &err), 0);
	assert_int_equal(ioasid_cdev_detach(50, &err), 0);
	assert_int_equal(n_calls, 7);
	assert_int_equal(calls[1].request, UAPI_IOAS_ALLOW_IOVAS);
	assert_int_equal(calls[2].request, UAPI_HWPT_ALLOC);
	assert_int_equal(calls[3].request, UAPI_DESTROY);
	assert_int_equal(calls[4].fd, 50);
}

static void ranges_go_to_the_callers_array(void **state)
{
	struct ioasid_range ranges[2];
	size_t n = ARRAY_SIZE(ranges);
	uint64_t align = 0;

	assert_int_equal(ioasid_ioas_ranges(IOMMUFD, IOAS, ranges, &n, &align,
					    &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(align, PAGE);
	assert_memory_equal(ranges, usable, sizeof(ranges));
	/* Too little room: how much there has to be. */
	n = 1;
	assert_int_equal(ioasid_ioas_ranges(IOMMUFD, IOAS, ranges, &n, &align,
					    &err), -EMSGSIZE);
	assert_int_equal(n, 2);
	missing_id = IOAS;
	assert_int_equal(ioasid_ioas_ranges(IOMMUFD, IOAS, ranges, &n, &align,
					    &err), -ENOENT);
	assert_string_equal(err.id, IOASID_ERROR_NO_OBJECT);
}

/* --- refusals --- */

static void refusal_without_words_costs_nothing_more(void **state)
{
	static const int errors[] = { EEXIST, EINVAL, ENOENT, ENOSPC, ENOMEM };
	uint64_t iova = 4711;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		setup(NULL);
		refuse[0] = refuse[1] = errors[i];
		assert_int_equal(ioasid_map(IOMMUFD, IOAS, NULL, PAGE, RW,
					    &iova, NULL), -errors[i]);
		assert_int_equal(ioasid_unmap(IOMMUFD, IOAS, 0, PAGE, NULL,
					      NULL), -errors[i]);
		assert_int_equal(n_calls, 2);
		assert_int_equal(iova, 4711);
	}
}

/* A refused mapping of memory, file (7) or space (8), and what is said. */
static const struct {
	enum source source;
	int error;
	uint64_t at, iova, length;
	uint32_t flags;
	const char *id, *message, *remedy;
} refusals[] = {
	{ SOURCE_MEMORY, EEXIST, 0, 0x1000, PAGE, FIXED,
	  IOASID_ERROR_MAP_TAKEN, "0x1000-0x1fff", "Unmap" },
	{ SOURCE_MEMORY, EINVAL, 0, 0, 0, FIXED,
	  IOASID_ERROR_ARGUMENT, "length is 0", "" },
	{ SOURCE_MEMORY, EINVAL, 0, 0, PAGE, IOASID_MAP_FIXED,
	  IOASID_ERROR_ARGUMENT, "neither", "" },
	{ SOURCE_MEMORY, EINVAL, 0, 0x800, PAGE, FIXED,
	  IOASID_ERROR_MAP_ALIGNMENT, "address 0x800", "" },
	{ SOURCE_MEMORY, EINVAL, 0, 0, 0x801, FIXED,
	  IOASID_ERROR_MAP_ALIGNMENT, "length 0x801", "" },
	{ SOURCE_MEMORY, EINVAL, 0x7008, 0, PAGE, RW,
	  IOASID_ERROR_MAP_ALIGNMENT, "address in the process 0x7008", "" },
	{ SOURCE_FILE, EINVAL, 0x10, 0, PAGE, RW,
	  IOASID_ERROR_MAP_ALIGNMENT, "offset in the file 0x10", "" },
	{ SOURCE_SPACE, EINVAL, 0x10, 0, PAGE, RW,
	  IOASID_ERROR_MAP_ALIGNMENT, "address copied from 0x10", "" },
	{ SOURCE_MEMORY, EINVAL, 0, 0xfee00000, PAGE, FIXED,
	  IOASID_ERROR_MAP_RANGE, "0xfee00000-0xfee00fff",
	  "0x0-0xfedfffff, 0xfef00000-0xffffffffffff" },
	{ SOURCE_MEMORY, EINVAL, 0, 0xfedff000, 2 * PAGE, FIXED,
	  IOASID_ERROR_MAP_RANGE, "0xfedff000-0xfee00fff", "0x0-0xfedfffff" },
	{ SOURCE_MEMORY, EINVAL, 0, 0, PAGE, RW,
	  IOASID_ERROR_KERNEL, "IOMMU_IOAS_MAP: Invalid argument", "" },
	{ SOURCE_MEMORY, EOVERFLOW, 0, UINT64_MAX - 0xfff, 2 * PAGE, FIXED,
	  IOASID_ERROR_MAP_RANGE, "from 0xfffffffffffff000", "" },
	{ SOURCE_FILE, EOVERFLOW, UINT64_MAX - 0xfff, 0, 2 * PAGE, RW,
	  IOASID_ERROR_MAP_RANGE, "from 0xfffffffffffff000", "" },
	{ SOURCE_MEMORY, ENOSPC, 0, 0, 8192, RW,
	  IOASID_ERROR_MAP_FULL, "8192 bytes", "IOASID_MAP_FIXED" },
	{ SOURCE_MEMORY, EFAULT, 0x5000, 0, PAGE, RW,
	  IOASID_ERROR_MAP_MEMORY, "for writing at 0x5000-0x5fff", "" },
	{ SOURCE_MEMORY, EFAULT, 0x5000, 0, PAGE, IOASID_MAP_READ,
	  IOASID_ERROR_MAP_MEMORY, "for reading at 0x5000", "" },
	{ SOURCE_SPACE, EFAULT, 0x5000, 0, PAGE, RW,
	  IOASID_ERROR_MAP_MEMORY, "space 8 maps at 0x5000", "" },
	{ SOURCE_MEMORY, ENOMEM, 0, 0, PAGE, RW,
	  IOASID_ERROR_MAP_LIMIT, "RLIMIT_MEMLOCK", "memlock" },
	{ SOURCE_SPACE, EPERM, 0x3000, 0, PAGE, RW,
	  IOASID_ERROR_MAP_ACCESS, "space 8 maps at 0x3000",
	  "IOASID_MAP_WRITE" },
	{ SOURCE_SPACE, ENOENT, 0x3000, 0, PAGE, RW,
	  IOASID_ERROR_NOT_MAPPED, "space 8 does not map all of 0x3000-0x3fff",
	  "" },
	{ SOURCE_MEMORY, EOPNOTSUPP, 0, 0, PAGE, RW | 8,
	  IOASID_ERROR_UNSUPPORTED, "flag", "" },
	{ SOURCE_FILE, ENOTTY, 0, 0, PAGE, RW,
	  IOASID_ERROR_UNSUPPORTED, "IOMMU_IOAS_MAP_FILE", "" },
	{ SOURCE_MEMORY, ENODEV, 0, 0, PAGE, RW,
	  IOASID_ERROR_KERNEL, "no more", "" },
	{ SOURCE_MEMORY, EBADF, 0, 0, PAGE, RW,
	  IOASID_ERROR_ARGUMENT, "descriptor 100 is not open", "" },
	{ SOURCE_MEMORY, EIO, 0, 0, PAGE, RW,
	  IOASID_ERROR_KERNEL, "Input/output error", "" },
};

/* refused_map() - Ask for a mapping that the table has */
static int refused_map(size_t i)
{
	uint64_t iova = refusals[i].iova;

	switch (refusals[i].source) {
	case SOURCE_MEMORY:
		return ioasid_map(IOMMUFD, IOAS,
				  (void *)(uintptr_t)refusals[i].at,
				  refusals[i].length, refusals[i].flags, &iova,
				  &err);
	case SOURCE_FILE:
		return ioasid_map_file(IOMMUFD, IOAS, 7, refusals[i].at,
				       refusals[i].length, refusals[i].flags,
				       &iova, &err);
	case SOURCE_SPACE:
		return ioasid_copy(IOMMUFD, IOAS, 8, refusals[i].at,
				   refusals[i].length, refusals[i].flags, &iova,
				   &err);
	}

	return 0;
}

static void each_refusal_has_its_words(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		setup(NULL);
		refuse[0] = refusals[i].error;
		assert_int_equal(refused_map(i), -refusals[i].error);
		if (!str_eq(err.id, refusals[i].id) ||
		    !strstr(err.message, refusals[i].message) ||
		    !strstr(err.remedy, refusals[i].remedy))
			fail_msg("%zu: [%s] %s. %s", i, err.id, err.message,
				 err.remedy);
	}
}

static void missing_space_is_named(void **state)
{
	uint64_t iova = 0;

	refuse[0] = refuse[1] = refuse[2] = refuse[3] = ENOENT;
	missing_id = IOAS;
	assert_int_equal(ioasid_map(IOMMUFD, IOAS, NULL, PAGE, RW, &iova,
				    &err), -ENOENT);
	assert_string_equal(err.id, IOASID_ERROR_NO_OBJECT);
	assert_non_null(strstr(err.message, "no space 7"));
	assert_int_equal(ioasid_unmap(IOMMUFD, IOAS, 0, PAGE, NULL, &err),
			 -ENOENT);
	assert_string_equal(err.id, IOASID_ERROR_NO_OBJECT);
	missing_id = 8;
	assert_int_equal(ioasid_copy(IOMMUFD, IOAS, 8, 0, PAGE, RW, &iova,
				     &err), -ENOENT);
	assert_non_null(strstr(err.message, "no space 8"));
	assert_int_equal(ioasid_object_destroy(IOMMUFD, 8, &err), -ENOENT);
	assert_string_equal(err.id, IOASID_ERROR_NO_OBJECT);
}

static void file_that_cannot_be_pinned_is_named_with_the_reason(void **state)
{
	_cleanup_fd_ int file = memfd_create("test", MFD_CLOEXEC);
	uint64_t iova = 0;
	int pair[2];

	refuse[0] = refuse[1] = EINVAL;
	refuse[2] = EBADF;
	assert_int_equal(ftruncate(file, PAGE), 0);
	assert_int_equal(ioasid_map_file(IOMMUFD, IOAS, file, 0, 2 * PAGE, RW,
					 &iova, &err), -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_MAP_MEMORY);
	assert_non_null(strstr(err.message, "has 4096 bytes"));
	assert_non_null(strstr(err.remedy, "ftruncate"));

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(ioasid_map_file(IOMMUFD, IOAS, pair[0], 0, PAGE, RW,
					 &iova, &err), -EINVAL);
	assert_non_null(strstr(err.message, "no memfd"));

	/* The iommufd is there, so it is the file. */
	assert_int_equal(ioasid_map_file(pair[0], IOAS, 4711, 0, PAGE, RW,
					 &iova, &err), -EBADF);
	assert_string_equal(err.id, IOASID_ERROR_MAP_MEMORY);
	assert_non_null(strstr(err.message, "4711"));
	close(pair[0]);
	close(pair[1]);
}

static void more_ranges_than_words_are_cut_between_them(void **state)
{
	uint64_t iova = 0x1000;

	n_usable = ARRAY_SIZE(usable);
	for (size_t i = 0; i < n_usable; i++)
		usable[i] = (struct ioasid_range){ (i + 1) << 40,
						   ((i + 1) << 40) + 0xfff };
	refuse[0] = EINVAL;
	assert_int_equal(ioasid_map(IOMMUFD, IOAS, NULL, PAGE, FIXED, &iova,
				    &err), -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_MAP_RANGE);
	assert_non_null(strstr(err.remedy, "0x10000000000-0x10000000fff, "));
	assert_string_equal(err.remedy + strlen(err.remedy) - 8, "fff, ...");
}

static void unmap_is_refused_with_words(void **state)
{
	static const struct {
		int error;
		const char *id, *message;
	} table[] = {
		{ ENOENT, IOASID_ERROR_NOT_MAPPED, "0x3000-0x3fff" },
		{ EINVAL, IOASID_ERROR_ARGUMENT, "length" },
		{ EOVERFLOW, IOASID_ERROR_MAP_RANGE, "from 0x3000" },
		{ EBUSY, IOASID_ERROR_IN_USE, "another thread" },
		{ EDEADLOCK, IOASID_ERROR_KERNEL, "IOMMU_IOAS_UNMAP" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		setup(NULL);
		refuse[0] = table[i].error;
		assert_int_equal(ioasid_unmap(IOMMUFD, IOAS, 0x3000, PAGE, NULL,
					      &err), -table[i].error);
		assert_string_equal(err.id, table[i].id);
		assert_non_null(strstr(err.message, table[i].message));
	}
}

static void windows_are_refused_with_words(void **state)
{
	const struct ioasid_range windows[] = {
		{ 0, 0xffff }, { 0xfed00000, 0xfeefffff },
	};

	refuse[0] = EADDRINUSE;
	refuse[1] = EINVAL;
	refuse[2] = ENOENT;
	assert_int_equal(ioasid_ioas_allow(IOMMUFD, IOAS, windows, 2, &err),
			 -EADDRINUSE);
	assert_string_equal(err.id, IOASID_ERROR_MAP_RANGE);
	assert_non_null(strstr(err.message, "0xfed00000-0xfeefffff"));
	assert_non_null(strstr(err.remedy, "0xfef00000-"));
	assert_int_equal(ioasid_ioas_allow(IOMMUFD, IOAS, windows, 2, &err),
			 -EINVAL);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
	assert_int_equal(ioasid_ioas_allow(IOMMUFD, IOAS, windows, 2, &err),
			 -ENOENT);
	assert_string_equal(err.id, IOASID_ERROR_NO_OBJECT);
}

static void attach_is_refused_with_words(void **state)
{
	static const struct {
		int error;
		const char *id;
	} table[] = {
		{ ENOENT, IOASID_ERROR_NO_OBJECT },
		{ EADDRINUSE, IOASID_ERROR_MAP_RANGE },
		{ EFAULT, IOASID_ERROR_MAP_MEMORY },
		{ ENOMEM, IOASID_ERROR_MAP_LIMIT },
		{ EBUSY, IOASID_ERROR_IN_USE },
		{ EINVAL, IOASID_ERROR_ARGUMENT },
		{ EOPNOTSUPP, IOASID_ERROR_UNSUPPORTED },
		{ EIO, IOASID_ERROR_KERNEL },
	};
	uint32_t id = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		setup(NULL);
		refuse[0] = refuse[1] = refuse[2] = table[i].error;
		assert_int_equal(ioasid_cdev_attach(50, IOAS, &err),
				 -table[i].error);
		assert_string_equal(err.id, table[i].id);
		assert_int_equal(ioasid_cdev_detach(50, NULL),
				 -table[i].error);
		assert_int_equal(n_calls, 2);
		memset(&err, 0, sizeof(err));
		assert_int_equal(ioasid_ioas_pin(IOMMUFD, IOAS, 3, &id, &err),
				 -table[i].error);
		assert_string_equal(err.id, table[i].id);
	}
}

static void bind_is_refused_with_words(void **state)
{
	uint32_t id = 0;

	refuse[0] = EINVAL;
	refuse[1] = EPERM;
	refuse[2] = EBADFD;
	refuse[3] = ENOTTY;
	refuse[4] = EIO;
	assert_int_equal(ioasid_cdev_bind(50, IOMMUFD, &id, &err), -EINVAL);
	assert_non_null(strstr(err.message, "bound already"));
	assert_int_equal(ioasid_cdev_bind(50, IOMMUFD, &id, &err), -EPERM);
	assert_string_equal(err.id, IOASID_ERROR_IN_USE);
	assert_int_equal(ioasid_cdev_bind(50, IOMMUFD, &id, &err), -EBADFD);
	assert_non_null(strstr(err.message, "100 is not an iommufd"));
	assert_int_equal(ioasid_cdev_bind(50, IOMMUFD, &id, &err), -ENOTTY);
	assert_non_null(strstr(err.message, "50 is not a VFIO device"));
	assert_int_equal(ioasid_cdev_bind(50, IOMMUFD, &id, &err), -EIO);
	assert_non_null(strstr(err.message, "Input/output error"));
	assert_int_equal(id, 0);
}

/* --- many --- */

static struct ioasid_piece pieces[4];

/* Four pages, the third of which the kernel places. */
static int setup_batch(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		pieces[i] = (struct ioasid_piece){
			.iova = (i + 1) * PAGE, .length = PAGE,
			.at = i << 20, .flags = i == 2 ? RW : FIXED,
		};

	return setup(state);
}

static void batch_is_one_call_a_piece(void **state)
{
	const struct uapi_ioas_map_file *sent = (void *)calls[3].data;
	size_t done = 0;

	assert_int_equal(ioasid_map_file_batch(IOMMUFD, IOAS, 42, pieces, 4, 0,
					       &done, &err), 0);
	assert_int_equal(done, 4);
	assert_int_equal(n_calls, 4);
	assert_int_equal(sent->fd, 42);
	assert_int_equal(sent->start, 3 << 20);
	assert_int_equal(sent->iova, 4 * PAGE);
	assert_int_equal(pieces[2].iova, PLACED);
	assert_int_equal(ioasid_map_batch(IOMMUFD, IOAS, pieces, 4, 0, NULL,
					  &err), 0);
	assert_int_equal(calls[4].request, UAPI_IOAS_MAP);
	assert_int_equal(ioasid_copy_batch(IOMMUFD, IOAS, 8, pieces, 4, 0,
					   NULL, &err), 0);
	assert_int_equal(calls[8].request, UAPI_IOAS_COPY);
	assert_int_equal(((struct uapi_ioas_copy *)calls[8].data)->src_ioas_id,
			 8);
	assert_int_equal(n_calls, 12);
}

static void batch_of_none_is_no_call(void **state)
{
	uint64_t bytes = 1;
	size_t done = 1;

	assert_int_equal(ioasid_map_batch(IOMMUFD, IOAS, NULL, 0,
					  IOASID_BATCH_UNDO, &done, &err), 0);
	assert_int_equal(done, 0);
	assert_int_equal(ioasid_unmap_batch(IOMMUFD, IOAS, NULL, 0, &done,
					    &bytes, &err), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(n_calls, 0);
}

static void batch_stops_at_the_first_failure_and_says_which(void **state)
{
	size_t done = 0;

	refuse[2] = ENOSPC;
	assert_int_equal(ioasid_map_batch(IOMMUFD, IOAS, pieces, 4, 0, &done,
					  &err), -ENOSPC);
	assert_int_equal(done, 2);
	assert_int_equal(n_calls, 3);
	assert_string_equal(err.id, IOASID_ERROR_MAP_FULL);
	assert_non_null(str_starts(err.message, "piece 2 of 4: no free"));
}

static void undo_ends_what_was_mapped_the_last_first(void **state)
{
	const struct uapi_ioas_unmap *first = (void *)calls[4].data;
	const struct uapi_ioas_unmap *third = (void *)calls[6].data;
	size_t done = 0;

	refuse[3] = EEXIST;
	assert_int_equal(ioasid_map_batch(IOMMUFD, IOAS, pieces, 4,
					  IOASID_BATCH_UNDO, &done, &err),
			 -EEXIST);
	assert_int_equal(done, 3);
	assert_int_equal(n_calls, 7);
	assert_int_equal(calls[4].request, UAPI_IOAS_UNMAP);
	/* Where the kernel has put it. */
	assert_int_equal(first->iova, PLACED);
	assert_int_equal(first->length, PAGE);
	assert_int_equal(third->iova, PAGE);
	assert_non_null(str_starts(err.message, "piece 3 of 4: "));
}

static void undo_that_fails_is_told(void **state)
{
	refuse[2] = EEXIST;
	refuse[3] = EBUSY;
	assert_int_equal(ioasid_map_batch(IOMMUFD, IOAS, pieces, 4,
					  IOASID_BATCH_UNDO, NULL, &err),
			 -EEXIST);
	assert_int_equal(n_refusable, 5);
	assert_non_null(strstr(err.message, "1 before it are mapped still"));
	assert_string_equal(err.id, IOASID_ERROR_MAP_TAKEN);
}

static void what_is_reserved_is_refused_without_a_call(void **state)
{
	size_t done = 1;

	assert_int_equal(ioasid_map_batch(IOMMUFD, IOAS, pieces, 4, 2, &done,
					  &err), -EINVAL);
	assert_int_equal(done, 0);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
	pieces[0].reserved = done = 1;
	assert_int_equal(ioasid_map_batch(IOMMUFD, IOAS, pieces, 4, 0, &done,
					  &err), -EINVAL);
	assert_int_equal(done, 0);
	assert_int_equal(n_calls, 0);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
}

static void unmap_batch_adds_up(void **state)
{
	uint64_t bytes = 0;
	size_t done = 0;

	assert_int_equal(ioasid_unmap_batch(IOMMUFD, IOAS, pieces, 4, &done,
					    &bytes, &err), 0);
	assert_int_equal(bytes, 4 * PAGE);
	setup(NULL);
	bytes = 4711;
	refuse[1] = ENOENT;
	assert_int_equal(ioasid_unmap_batch(IOMMUFD, IOAS, pieces, 4, &done,
					    &bytes, &err), -ENOENT);
	assert_int_equal(done, 1);
	assert_int_equal(bytes, 4711);
	assert_non_null(str_starts(err.message, "piece 1 of 4: space 7 maps"));
}

/* --- KVM: of a real one in tests/vm/cases/test_kvm_add.py --- */

static void what_is_no_machine_is_said_to_be_none(void **state)
{
	_cleanup_fd_ int file = memfd_create("test", MFD_CLOEXEC);
	int device = -1, before = fd_count();

	assert_int_equal(ioasid_kvm_add(file, &device, file, &err), -ENOTTY);
	assert_string_equal(err.id, IOASID_ERROR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "no virtual machine"));
	assert_int_equal(ioasid_kvm_add(4711, &device, file, &err), -EBADF);
	assert_string_equal(err.id, IOASID_ERROR_ARGUMENT);
	assert_int_equal(device, -1);
	assert_int_equal(ioasid_kvm_remove(file, file, &err), -ENOTTY);
	assert_non_null(strstr(err.message, "no VFIO device of KVM"));
	assert_int_equal(ioasid_kvm_remove(file, file, NULL), -ENOTTY);
	assert_int_equal(fd_count(), before);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
#define BATCH(f) cmocka_unit_test_setup(f, setup_batch)
	const struct CMUnitTest tests[] = {
		TEST(map_is_one_call_with_the_kernels_structure),
		TEST(map_file_is_one_call),
		TEST(copy_is_one_call),
		TEST(mapping_that_the_kernel_places_says_where_it_is),
		TEST(unmap_says_how_many_bytes),
		TEST(objects_are_one_call_each),
		TEST(ranges_go_to_the_callers_array),
		TEST(refusal_without_words_costs_nothing_more),
		TEST(each_refusal_has_its_words),
		TEST(missing_space_is_named),
		TEST(file_that_cannot_be_pinned_is_named_with_the_reason),
		TEST(more_ranges_than_words_are_cut_between_them),
		TEST(unmap_is_refused_with_words),
		TEST(windows_are_refused_with_words),
		TEST(attach_is_refused_with_words),
		TEST(bind_is_refused_with_words),
		BATCH(batch_is_one_call_a_piece),
		BATCH(batch_of_none_is_no_call),
		BATCH(batch_stops_at_the_first_failure_and_says_which),
		BATCH(undo_ends_what_was_mapped_the_last_first),
		BATCH(undo_that_fails_is_told),
		BATCH(what_is_reserved_is_refused_without_a_call),
		BATCH(unmap_batch_adds_up),
		TEST(what_is_no_machine_is_said_to_be_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
