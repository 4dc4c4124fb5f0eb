/* SPDX-License-Identifier: Apache-2.0
 *
 * calls.h - the same calls, made by the daemon's table and by libioasid
 *
 * Each returns 0 or -errno. A refusal without an id and words is itself a
 * failure, -EBADMSG.
 */
#ifndef TESTS_VM_MOCK_CALLS_H
#define TESTS_VM_MOCK_CALLS_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/kernel.h"
#include "libioasid/ioasid.h"

/**
 * struct calls - Who makes calls
 *
 * Each as of struct kernel_ops.
 */
struct calls {
	const char *name;
	int (*space)(int fd, uint32_t *ret_id);
	int (*ranges)(int fd, uint32_t id, struct kernel_range *ranges,
		      size_t *n, uint64_t *ret_alignment);
	int (*allow)(int fd, uint32_t id, const struct kernel_range *ranges,
		     size_t n);
	int (*unmap_all)(int fd, uint32_t id, uint64_t *ret_bytes);
	int (*table)(int fd, const struct kernel_hwpt *wish, uint32_t *ret_id);
	int (*invalidate)(int fd, uint32_t id, uint32_t type,
			  const void *entries, uint32_t length, uint32_t *n);
	int (*set_dirty)(int fd, uint32_t id, bool on);
	int (*get_dirty)(int fd, uint32_t id, uint64_t iova, uint64_t length,
			 uint64_t page, bool keep, uint64_t *bits);
	int (*queue)(int fd, uint32_t *ret_id, int *ret_fd);
	int (*viommu)(int fd, uint32_t type, uint32_t device, uint32_t parent,
		      uint32_t *ret_id);
	int (*vdevice)(int fd, uint32_t viommu, uint32_t device,
		       uint64_t number, uint32_t *ret_id);
	int (*destroy)(int fd, uint32_t id);
};

/* --- the daemon's table --- */

static struct kernel *daemon_kernel;

/* calls_init() - Return: 0 or -errno. */
static inline int calls_init(void)
{
	return kernel_real_new("/sys", KERNEL_BACKEND_IOMMUFD,
			       &daemon_kernel, NULL);
}

/* said() - A result of the table, whose refusals have words */
static inline int said(int r, const struct error *err)
{
	if (r < 0 && (err->kind == ERROR_NONE || !err->msg[0]))
		return -EBADMSG;
	return r;
}

#define TABLE(...)                                              \
	({                                                      \
		const struct kernel_ops *ops = daemon_kernel->ops; \
		struct kernel *k = daemon_kernel;               \
		struct error err = ERROR_NULL;                  \
		int _r = ops->__VA_ARGS__;                      \
								\
		said(_r, &err);                                 \
	})

static inline int table_space(int fd, uint32_t *ret_id)
{
	return TABLE(ioas_alloc(k, fd, ret_id, &err));
}

static inline int table_ranges(int fd, uint32_t id, struct kernel_range *ranges,
			       size_t *n, uint64_t *ret_alignment)
{
	struct kernel_range *all = NULL;
	size_t n_all = 0;
	int r = TABLE(ioas_ranges(k, fd, id, &all, &n_all, ret_alignment,
				  &err));

	for (size_t i = 0; !r && i < n_all && i < *n; i++)
		ranges[i] = all[i];
	*n = n_all;
	free(all);
	return r;
}

static inline int table_allow(int fd, uint32_t id,
			      const struct kernel_range *ranges, size_t n)
{
	return TABLE(ioas_allow(k, fd, id, ranges, n, &err));
}

static inline int table_unmap_all(int fd, uint32_t id, uint64_t *ret_bytes)
{
	return TABLE(ioas_unmap_all(k, fd, id, ret_bytes, &err));
}

static inline int table_table(int fd, const struct kernel_hwpt *wish,
			      uint32_t *ret_id)
{
	return TABLE(hwpt_alloc(k, fd, wish, ret_id, &err));
}

static inline int table_invalidate(int fd, uint32_t id, uint32_t type,
				   const void *entries, uint32_t length,
				   uint32_t *n)
{
	return TABLE(hwpt_invalidate(k, fd, id, type, entries, length, n,
				     &err));
}

static inline int table_set_dirty(int fd, uint32_t id, bool on)
{
	return TABLE(hwpt_set_dirty(k, fd, id, on, &err));
}

static inline int table_get_dirty(int fd, uint32_t id, uint64_t iova,
				  uint64_t length, uint64_t page, bool keep,
				  uint64_t *bits)
{
	return TABLE(hwpt_get_dirty(k, fd, id, iova, length, page, keep, bits,
				    &err));
}

static inline int table_queue(int fd, uint32_t *ret_id, int *ret_fd)
{
	return TABLE(fault_queue_alloc(k, fd, ret_id, ret_fd, &err));
}

static inline int table_viommu(int fd, uint32_t type, uint32_t device,
			       uint32_t parent, uint32_t *ret_id)
{
	return TABLE(viommu_alloc(k, fd, type, device, parent, ret_id, &err));
}

static inline int table_vdevice(int fd, uint32_t viommu, uint32_t device,
				uint64_t number, uint32_t *ret_id)
{
	return TABLE(vdevice_alloc(k, fd, viommu, device, number, ret_id,
				   &err));
}

static inline int table_destroy(int fd, uint32_t id)
{
	return TABLE(destroy(k, fd, id, &err));
}

static const struct calls table_calls = {
	"kernel", table_space, table_ranges, table_allow, table_unmap_all,
	table_table, table_invalidate, table_set_dirty, table_get_dirty,
	table_queue, table_viommu, table_vdevice, table_destroy,
};

/* --- libioasid --- */

#define LIBRARY(...)                                                 \
	({                                                           \
		struct ioasid_error err = { .n_causes = 0 };         \
		int _r = ioasid_##__VA_ARGS__;                       \
								     \
		_r < 0 && (!err.id[0] || !err.message[0]) ? -EBADMSG \
							  : _r;      \
	})

static inline int library_space(int fd, uint32_t *ret_id)
{
	return LIBRARY(ioas_new(fd, ret_id, &err));
}

static inline int library_ranges(int fd, uint32_t id,
				 struct kernel_range *ranges, size_t *n,
				 uint64_t *ret_alignment)
{
	/* They are laid out alike, as the kernel's are. */
	return LIBRARY(ioas_ranges(fd, id, (struct ioasid_range *)ranges, n,
				   ret_alignment, &err));
}

static inline int library_allow(int fd, uint32_t id,
				const struct kernel_range *ranges, size_t n)
{
	return LIBRARY(ioas_allow(fd, id, (const struct ioasid_range *)ranges,
				  n, &err));
}

static inline int library_unmap_all(int fd, uint32_t id, uint64_t *ret_bytes)
{
	return LIBRARY(unmap_all(fd, id, ret_bytes, &err));
}

static inline int library_table(int fd, const struct kernel_hwpt *wish,
				uint32_t *ret_id)
{
	if (!wish->data_len && !wish->data_type)
		return LIBRARY(table_new(fd, wish->dev_id, wish->pt_id,
					 wish->flags, wish->fault_id, ret_id,
					 &err));

	return LIBRARY(table_nest(fd, wish->dev_id, wish->pt_id, wish->flags,
				  wish->fault_id, wish->data_type, wish->data,
				  wish->data_len, ret_id, &err));
}

static inline int library_invalidate(int fd, uint32_t id, uint32_t type,
				     const void *entries, uint32_t length,
				     uint32_t *n)
{
	return LIBRARY(table_invalidate(fd, id, type, entries, length, n,
					&err));
}

static inline int library_set_dirty(int fd, uint32_t id, bool on)
{
	return LIBRARY(dirty_watch(fd, id, on, &err));
}

static inline int library_get_dirty(int fd, uint32_t id, uint64_t iova,
				    uint64_t length, uint64_t page, bool keep,
				    uint64_t *bits)
{
	return LIBRARY(dirty_read(fd, id, iova, length, page,
				  keep ? IOASID_DIRTY_KEEP : 0, bits, &err));
}

static inline int library_queue(int fd, uint32_t *ret_id, int *ret_fd)
{
	return LIBRARY(fault_queue_new(fd, ret_id, ret_fd, &err));
}

static inline int library_viommu(int fd, uint32_t type, uint32_t device,
				 uint32_t parent, uint32_t *ret_id)
{
	return LIBRARY(viommu_new(fd, type, device, parent, ret_id, &err));
}

static inline int library_vdevice(int fd, uint32_t viommu, uint32_t device,
				  uint64_t number, uint32_t *ret_id)
{
	return LIBRARY(vdevice_new(fd, viommu, device, number, ret_id, &err));
}

static inline int library_destroy(int fd, uint32_t id)
{
	return LIBRARY(object_destroy(fd, id, &err));
}

static const struct calls library_calls = {
	"libioasid", library_space, library_ranges, library_allow,
	library_unmap_all, library_table, library_invalidate,
	library_set_dirty, library_get_dirty, library_queue, library_viommu,
	library_vdevice, library_destroy,
};

static const struct calls *const all_calls[] = { &table_calls, &library_calls };

#endif
