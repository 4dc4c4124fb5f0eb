/* SPDX-License-Identifier: Apache-2.0
 *
 * faulty.c - a machine whose calls can fail
 *
 * One wrapper for each call of struct kernel_ops, and beside it what it says
 * when it lies. What has no answer, or a descriptor for one, says that it has
 * failed.
 */
#include "kernel/faulty.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"

/**
 * struct faulty - The machine in front
 * @kernel:	What callers see
 * @real:	The machine behind it
 */
struct faulty {
	struct kernel kernel;
	struct kernel *real;
};

/* real_of() - The machine behind. */
static struct kernel *real_of(struct kernel *k)
{
	return ((struct faulty *)k)->real; /* it is the first member */
}

/**
 * refuse() - Fail as the kernel would
 * @r:		-errno
 * @name:	The call
 */
static int refuse(int r, const char *name, struct error *err)
{
	return error_set(err, r, r == -ETIMEDOUT ? ERROR_DEVICE_BLOCKED :
						   ERROR_KERNEL_SYSTEM,
			 "%s (a fault that was asked for): %m", name);
}

/**
 * refuse_stuck() - The same for a call that a helper makes: with -ETIMEDOUT
 *		    there is one that was left behind
 * @ret:	That helper; one that has ended by now
 */
static int refuse_stuck(int r, const char *name, struct kernel_stuck *ret,
			struct error *err)
{
	if (r == -ETIMEDOUT) {
		*ret = (struct kernel_stuck){ .pid = 1 << 22,
					      .start_ticks = 1 };
		(void)str_copy(ret->boot_id, sizeof(ret->boot_id),
			       "00000000-0000-0000-0000-000000000000");
		(void)str_copy(ret->call, sizeof(ret->call), name);
	}
	return refuse(r, name, err);
}

/* CALL() - One call of the table
 * @name:	Its name there
 * @params:	Its parameters; the machine is @k, the error @err
 * @args:	What the one behind is called with
 * @fail:	How it fails: refuse() or refuse_stuck(), with @r
 * @lie:	What it says when it lies, after it was done well
 */
#define CALL(name, params, args, fail, lie)                          \
	static int faulty_##name params                              \
	{                                                            \
		bool lies = false;                                   \
		int done, r = fault_point(FAULT_KERNEL, #name, &lies); \
								     \
		if (r < 0 && !lies)                                  \
			return fail;                                 \
		done = real_of(k)->ops->name args;                   \
		if (r == 0 || done < 0)                              \
			return done;                                 \
		lie;                                                 \
		return done;                                         \
	}

/* An act: done, and said to have failed. */
#define ACT(name, params, args) \
	CALL(name, params, args, refuse(r, #name, err), \
	     done = refuse(r, #name, err))

/* An act of a helper process. */
#define HELPER(name, params, args) \
	CALL(name, params, args, refuse_stuck(r, #name, ret_stuck, err), \
	     done = refuse_stuck(r, #name, ret_stuck, err))

/* An open: what was opened is closed, as after an open that failed late. */
#define OPEN(name, params, args) \
	CALL(name, params, args, refuse(r, #name, err), \
	     (*ret_fd = fd_close(*ret_fd), done = refuse(r, #name, err)))

/* A read: the answer is wrong. */
#define READ(name, params, args, wrong) \
	CALL(name, params, args, refuse(r, #name, err), wrong)

/**
 * lose_device() - The last function of an inventory was not seen
 */
static void lose_device(struct kernel_inventory *inv)
{
	if (inv->n_devices)
		inv->n_devices--;
}

/**
 * lose_driver() - The function has just lost its driver
 */
static void lose_driver(struct kernel_device *device)
{
	device->driver[0] = '\0';
	device->vfio = false;
	device->cdev = 0;
	device->cdev_name[0] = '\0';
}

/**
 * somebody() - A process that is not there is said to be in the way
 *
 * Return: -EBUSY.
 */
static int somebody(enum error_id id, struct error *err)
{
	int r = error_set(err, -EBUSY, id, "somebody has it (a lie)");

	error_cause(err, "process", "4194304", "has it open (a lie)");
	return r;
}

READ(info, (struct kernel *k, struct kernel_info *ret, struct error *err),
     (real_of(k), ret, err),
     (ret->iommufd = false, ret->backend = KERNEL_BACKEND_NONE))
READ(inventory,
     (struct kernel *k, struct kernel_inventory **ret, struct error *err),
     (real_of(k), ret, err), lose_device(*ret))
READ(device, (struct kernel *k, const char *bdf, struct kernel_device *ret,
	      struct error *err),
     (real_of(k), bdf, ret, err), lose_driver(ret))
READ(device_users, (struct kernel *k, const char *bdf, struct error *err),
     (real_of(k), bdf, err), done = somebody(ERROR_DEVICE_IN_USE, err))
OPEN(uevents, (struct kernel *k, int *ret_fd, struct error *err),
     (real_of(k), ret_fd, err))
READ(uevent_read, (struct kernel *k, int fd, struct kernel_uevent *ret,
		   struct error *err),
     (real_of(k), fd, ret, err), ret->bdf[0] = '\0')

CALL(get_override,
     (struct kernel *k, const char *bdf, unsigned int timeout_ms,
      char ret[DRIVER_SIZE], struct kernel_stuck *ret_stuck,
      struct error *err),
     (real_of(k), bdf, timeout_ms, ret, ret_stuck, err),
     refuse_stuck(r, "get_override", ret_stuck, err), ret[0] = '\0')
HELPER(set_override,
       (struct kernel *k, const char *bdf, const char *driver,
	unsigned int timeout_ms, struct kernel_stuck *ret_stuck,
	struct error *err),
       (real_of(k), bdf, driver, timeout_ms, ret_stuck, err))
HELPER(unbind, (struct kernel *k, const char *bdf, unsigned int timeout_ms,
		struct kernel_stuck *ret_stuck, struct error *err),
       (real_of(k), bdf, timeout_ms, ret_stuck, err))
HELPER(probe, (struct kernel *k, const char *bdf, unsigned int timeout_ms,
	       struct kernel_stuck *ret_stuck, struct error *err),
       (real_of(k), bdf, timeout_ms, ret_stuck, err))
CALL(mend_config,
     (struct kernel *k, const char *bdf, unsigned int timeout_ms,
      bool *ret_mended, struct kernel_stuck *ret_stuck, struct error *err),
     (real_of(k), bdf, timeout_ms, ret_mended, ret_stuck, err),
     refuse_stuck(r, "mend_config", ret_stuck, err),
     *ret_mended = !*ret_mended)
CALL(wait_earlier,
     (struct kernel *k, const char *bdf, unsigned int timeout_ms,
      struct kernel_stuck *ret_stuck, struct error *err),
     (real_of(k), bdf, timeout_ms, ret_stuck, err),
     refuse_stuck(r, "wait_earlier", ret_stuck, err), done = 1)

OPEN(cdev_open,
     (struct kernel *k, const char *bdf, int *ret_fd, struct error *err),
     (real_of(k), bdf, ret_fd, err))
READ(cdev_holders, (struct kernel *k, const char *bdf, struct error *err),
     (real_of(k), bdf, err), done = somebody(ERROR_DEVICE_HELD, err))
ACT(vfio_bind, (struct kernel *k, const char *bdf, int cdev, int iommufd,
		uint32_t *ret_dev_id, struct error *err),
    (real_of(k), bdf, cdev, iommufd, ret_dev_id, err))
ACT(vfio_attach, (struct kernel *k, int cdev, uint32_t pt_id,
		  uint32_t *ret_pt_id, struct error *err),
    (real_of(k), cdev, pt_id, ret_pt_id, err))
ACT(vfio_detach, (struct kernel *k, int cdev, struct error *err),
    (real_of(k), cdev, err))
ACT(vfio_attach_pasid, (struct kernel *k, int cdev, uint32_t pasid,
			uint32_t pt_id, uint32_t *ret_pt_id, struct error *err),
    (real_of(k), cdev, pasid, pt_id, ret_pt_id, err))
ACT(vfio_detach_pasid, (struct kernel *k, int cdev, uint32_t pasid,
			struct error *err),
    (real_of(k), cdev, pasid, err))
READ(vfio_reset_set, (struct kernel *k, int cdev, char (**ret)[BDF_SIZE],
		      size_t *ret_n, struct error *err),
     (real_of(k), cdev, ret, ret_n, err), *ret_n = 0)
ACT(vfio_reset, (struct kernel *k, int cdev, struct error *err),
    (real_of(k), cdev, err))
READ(vfio_health, (struct kernel *k, int cdev, struct kernel_health *ret,
		   struct error *err),
     (real_of(k), cdev, ret, err), ret->power_state = 3)

OPEN(container_open, (struct kernel *k, int *ret_fd, struct error *err),
     (real_of(k), ret_fd, err))
OPEN(group_open,
     (struct kernel *k, int group, int *ret_fd, struct error *err),
     (real_of(k), group, ret_fd, err))
ACT(container_attach, (struct kernel *k, int container, int group, int number,
		       struct error *err),
    (real_of(k), container, group, number, err))
READ(container_info, (struct kernel *k, int container,
		      struct kernel_container_info *ret, struct error *err),
     (real_of(k), container, ret, err), ret->n_ranges = 0)
READ(container_tce_info, (struct kernel *k, int container,
			  struct kernel_tce_info *ret, struct error *err),
     (real_of(k), container, ret, err), ret->page_sizes = 0)
OPEN(group_device, (struct kernel *k, int group, const char *bdf, int *ret_fd,
		    struct error *err),
     (real_of(k), group, bdf, ret_fd, err))
ACT(container_unmap_all, (struct kernel *k, int container, uint64_t *ret_bytes,
			  struct error *err),
    (real_of(k), container, ret_bytes, err))
ACT(vfio_is, (struct kernel *k, int fd, const char *bdf, struct error *err),
    (real_of(k), fd, bdf, err))

OPEN(iommufd_open, (struct kernel *k, int *ret_fd, struct error *err),
     (real_of(k), ret_fd, err))
ACT(iommufd_rlimit_mode, (struct kernel *k, int iommufd, struct error *err),
    (real_of(k), iommufd, err))
ACT(ioas_alloc, (struct kernel *k, int iommufd, uint32_t *ret_id,
		 struct error *err),
    (real_of(k), iommufd, ret_id, err))
READ(ioas_ranges, (struct kernel *k, int iommufd, uint32_t ioas_id,
		   struct kernel_range **ret, size_t *ret_n,
		   uint64_t *ret_alignment, struct error *err),
     (real_of(k), iommufd, ioas_id, ret, ret_n, ret_alignment, err),
     *ret_n = 0)
ACT(ioas_allow, (struct kernel *k, int iommufd, uint32_t ioas_id,
		 const struct kernel_range *ranges, size_t n,
		 struct error *err),
    (real_of(k), iommufd, ioas_id, ranges, n, err))
ACT(ioas_unmap_all, (struct kernel *k, int iommufd, uint32_t ioas_id,
		     uint64_t *ret_bytes, struct error *err),
    (real_of(k), iommufd, ioas_id, ret_bytes, err))
ACT(ioas_map_file, (struct kernel *k, int iommufd, uint32_t ioas_id, int fd,
		    uint64_t offset, uint64_t length, uint64_t iova,
		    bool writable, const char *lease, struct error *err),
    (real_of(k), iommufd, ioas_id, fd, offset, length, iova, writable, lease,
     err))
ACT(ioas_unmap, (struct kernel *k, int iommufd, uint32_t ioas_id,
		 uint64_t iova, uint64_t length, uint64_t *ret_bytes,
		 struct error *err),
    (real_of(k), iommufd, ioas_id, iova, length, ret_bytes, err))
READ(hw_info, (struct kernel *k, int iommufd, uint32_t dev_id,
	       struct kernel_hw_info *ret, struct error *err),
     (real_of(k), iommufd, dev_id, ret, err),
     *ret = (struct kernel_hw_info){ .type = 0 })
ACT(hwpt_alloc, (struct kernel *k, int iommufd, const struct kernel_hwpt *wish,
		 uint32_t *ret_id, struct error *err),
    (real_of(k), iommufd, wish, ret_id, err))
ACT(hwpt_invalidate, (struct kernel *k, int iommufd, uint32_t hwpt_id,
		      uint32_t data_type, const void *entries,
		      uint32_t entry_len, uint32_t *inout_n,
		      struct error *err),
    (real_of(k), iommufd, hwpt_id, data_type, entries, entry_len, inout_n, err))
ACT(hwpt_set_dirty, (struct kernel *k, int iommufd, uint32_t hwpt_id, bool on,
		     struct error *err),
    (real_of(k), iommufd, hwpt_id, on, err))
READ(hwpt_get_dirty, (struct kernel *k, int iommufd, uint32_t hwpt_id,
		      uint64_t iova, uint64_t length, uint64_t page_size,
		      bool keep, uint64_t *bitmap, struct error *err),
     (real_of(k), iommufd, hwpt_id, iova, length, page_size, keep, bitmap, err),
     bitmap[0] = ~bitmap[0])
OPEN(fault_queue_alloc, (struct kernel *k, int iommufd, uint32_t *ret_id,
			 int *ret_fd, struct error *err),
     (real_of(k), iommufd, ret_id, ret_fd, err))
ACT(viommu_alloc, (struct kernel *k, int iommufd, uint32_t type,
		   uint32_t dev_id, uint32_t hwpt_id, uint32_t *ret_id,
		   struct error *err),
    (real_of(k), iommufd, type, dev_id, hwpt_id, ret_id, err))
ACT(vdevice_alloc, (struct kernel *k, int iommufd, uint32_t viommu_id,
		    uint32_t dev_id, uint64_t virt_id, uint32_t *ret_id,
		    struct error *err),
    (real_of(k), iommufd, viommu_id, dev_id, virt_id, ret_id, err))
READ(node_find, (struct kernel *k, int group, struct kernel_node *ret,
		 struct error *err),
     (real_of(k), group, ret, err), ret->number = 0)
READ(node_get_acl, (struct kernel *k, const struct kernel_node *node,
		    struct acl *ret, struct error *err),
     (real_of(k), node, ret, err), acl_of_mode(0, ret))
ACT(node_set_acl, (struct kernel *k, const struct kernel_node *node,
		   const struct acl *acl, struct error *err),
    (real_of(k), node, acl, err))
ACT(destroy, (struct kernel *k, int iommufd, uint32_t id, struct error *err),
    (real_of(k), iommufd, id, err))

/**
 * faulty_stuck_ended() - It is said to be still there, also by a lie
 */
static bool faulty_stuck_ended(struct kernel *k,
			       const struct kernel_stuck *stuck)
{
	if (fault_point(FAULT_KERNEL, "stuck_ended", NULL) < 0)
		return false;
	return real_of(k)->ops->stuck_ended(real_of(k), stuck);
}

/**
 * faulty_free() - End both machines
 */
static void faulty_free(struct kernel *k)
{
	if (!k)
		return;
	real_of(k)->ops->free(real_of(k));
	free(k);
}

static const struct kernel_ops faulty_ops = {
	.free = faulty_free,
	.info = faulty_info,
	.inventory = faulty_inventory,
	.device = faulty_device,
	.device_users = faulty_device_users,
	.uevents = faulty_uevents,
	.uevent_read = faulty_uevent_read,
	.get_override = faulty_get_override,
	.set_override = faulty_set_override,
	.unbind = faulty_unbind,
	.probe = faulty_probe,
	.mend_config = faulty_mend_config,
	.wait_earlier = faulty_wait_earlier,
	.stuck_ended = faulty_stuck_ended,
	.cdev_open = faulty_cdev_open,
	.cdev_holders = faulty_cdev_holders,
	.vfio_bind = faulty_vfio_bind,
	.vfio_attach = faulty_vfio_attach,
	.vfio_detach = faulty_vfio_detach,
	.vfio_attach_pasid = faulty_vfio_attach_pasid,
	.vfio_detach_pasid = faulty_vfio_detach_pasid,
	.vfio_reset_set = faulty_vfio_reset_set,
	.vfio_reset = faulty_vfio_reset,
	.vfio_health = faulty_vfio_health,
	.container_open = faulty_container_open,
	.group_open = faulty_group_open,
	.container_attach = faulty_container_attach,
	.container_info = faulty_container_info,
	.container_tce_info = faulty_container_tce_info,
	.group_device = faulty_group_device,
	.container_unmap_all = faulty_container_unmap_all,
	.vfio_is = faulty_vfio_is,
	.iommufd_open = faulty_iommufd_open,
	.iommufd_rlimit_mode = faulty_iommufd_rlimit_mode,
	.ioas_alloc = faulty_ioas_alloc,
	.ioas_ranges = faulty_ioas_ranges,
	.ioas_allow = faulty_ioas_allow,
	.ioas_unmap_all = faulty_ioas_unmap_all,
	.ioas_map_file = faulty_ioas_map_file,
	.ioas_unmap = faulty_ioas_unmap,
	.hw_info = faulty_hw_info,
	.hwpt_alloc = faulty_hwpt_alloc,
	.hwpt_invalidate = faulty_hwpt_invalidate,
	.hwpt_set_dirty = faulty_hwpt_set_dirty,
	.hwpt_get_dirty = faulty_hwpt_get_dirty,
	.fault_queue_alloc = faulty_fault_queue_alloc,
	.viommu_alloc = faulty_viommu_alloc,
	.vdevice_alloc = faulty_vdevice_alloc,
	.node_find = faulty_node_find,
	.node_get_acl = faulty_node_get_acl,
	.node_set_acl = faulty_node_set_acl,
	.destroy = faulty_destroy,
};

/* One that is forgotten here would be NULL. */
static_assert(sizeof(struct kernel_ops) == 52 * sizeof(void (*)(void)),
	      "every call has its wrapper");

/* kernel_faulty_consume() - Let every call of a machine pass fault_point() */
int kernel_faulty_consume(struct kernel *real, struct kernel **ret,
			  struct error *err)
{
	struct faulty *faulty = calloc(1, sizeof(*faulty));

	if (!faulty) {
		real->ops->free(real);
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the machine");
	}
	faulty->kernel.ops = &faulty_ops;
	faulty->real = real;
	*ret = (struct kernel *)faulty; /* its first member */
	return 0;
}
