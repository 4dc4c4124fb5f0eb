/* SPDX-License-Identifier: Apache-2.0
 *
 * real.c - the machine that this process runs on, behind the table
 *
 * Here is only what joins the parts: which file in sysfs is written for which
 * call, and where sysfs, procfs and the nodes are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/str.h"
#include "kernel/attribute.h"
#include "kernel/cdev.h"
#include "kernel/helper.h"
#include "kernel/inventory.h"
#include "kernel/iommufd.h"
#include "kernel/kernel.h"
#include "kernel/mend.h"
#include "kernel/node.h"
#include "kernel/pagetable.h"
#include "kernel/spapr.h"
#include "kernel/sysfs.h"
#include "kernel/type1.h"
#include "kernel/uevent.h"
#include "kernel/users.h"
#include "kernel/vfio.h"

#define IOMMUFD_PATH "/dev/iommu"
#define CDEV_FOLDER "/dev/vfio/devices"
#define CONTAINER_PATH "/dev/vfio/vfio"
#define GROUP_FOLDER "/dev/vfio"

/**
 * struct real - The machine; nothing in it changes after kernel_real_new()
 * @kernel:	What callers see
 * @sysfs:	An open sysfs
 * @proc:	An open procfs
 * @earlier:	An earlier life of ioasidd has left helpers behind
 * @backend:	The one that was asked for; KERNEL_BACKEND_NONE for the newest
 */
struct real {
	struct kernel kernel;
	int sysfs, proc;
	bool earlier;
	enum kernel_backend backend;
};

/**
 * real_of() - The machine behind what callers see
 */
static struct real *real_of(struct kernel *k)
{
	return (struct real *)k; /* it is the first member */
}

/**
 * real_free() - End the machine; helpers that were left behind go on
 * @k:		NULL is allowed
 */
static void real_free(struct kernel *k)
{
	if (!k)
		return;

	(void)fd_close(real_of(k)->sysfs);
	(void)fd_close(real_of(k)->proc);
	free(real_of(k));
}

/**
 * has_iommufd() - Is there a /dev/iommu?
 */
static bool has_iommufd(void)
{
	struct stat st;

	return !stat(IOMMUFD_PATH, &st) && S_ISCHR(st.st_mode);
}

/**
 * has_no_cdevs() - Is it certain that no function ever has a VFIO cdev?
 *
 * Source: CONFIG_VFIO_DEVICE_CDEV takes numbers named "vfio-dev", as procfs
 * shows, when VFIO is loaded; the class of that name it makes in any case.
 */
static bool has_no_cdevs(const struct real *real)
{
	char text[16384];

	return !faccessat(real->sysfs, "class/vfio-dev", F_OK, 0) &&
	       fd_read_file(real->proc, "devices", text, sizeof(text)) > 0 &&
	       !strstr(text, " vfio-dev\n");
}

/**
 * find_backend() - By which of its interfaces is this kernel used?
 *
 * Looked at anew each time, since modules come. To look at containers loads
 * VFIO where its node is there before it (systemd makes it), and only then it
 * shows whether there are cdevs.
 */
static enum kernel_backend find_backend(const struct real *real)
{
	const enum kernel_backend wanted = real->backend;
	enum kernel_backend container = KERNEL_BACKEND_NONE;

	if (wanted != KERNEL_BACKEND_IOMMUFD)
		container = type1_detect(CONTAINER_PATH);
	if (wanted == KERNEL_BACKEND_TYPE1 || wanted == KERNEL_BACKEND_SPAPR)
		return container == wanted ? wanted : KERNEL_BACKEND_NONE;
	if (has_iommufd() && !has_no_cdevs(real))
		return KERNEL_BACKEND_IOMMUFD;
	return container;
}

/**
 * real_info() - What this kernel is
 *
 * Return: 0; -errno if procfs has no boot id.
 */
static int real_info(struct kernel *k, struct kernel_info *ret,
		     struct error *err)
{
	struct kernel_info info = { 0 };
	struct utsname name;
	int r;

	if (uname(&name))
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "uname: %m");
	(void)str_copy(info.release, sizeof(info.release), name.release);
	r = process_boot_id(info.boot_id, err);
	if (r < 0)
		return r;
	info.iommufd = has_iommufd();
	info.backend = find_backend(real_of(k));

	*ret = info;
	return 0;
}

/* real_inventory() - See inventory_read(); sysfs does not tell the backend. */
static int real_inventory(struct kernel *k, struct kernel_inventory **ret,
			  struct error *err)
{
	int r = inventory_read(real_of(k)->sysfs, ret, err);

	if (!r)
		(*ret)->backend = find_backend(real_of(k));
	return r;
}

/* real_device() - See inventory_device(). */
static int real_device(struct kernel *k, const char *bdf,
		       struct kernel_device *ret, struct error *err)
{
	return inventory_device(real_of(k)->sysfs, bdf, ret, err);
}

/* real_device_users() - See users_find(). */
static int real_device_users(struct kernel *k, const char *bdf,
			     struct error *err)
{
	return users_find(real_of(k)->sysfs, real_of(k)->proc, bdf, err);
}

/* real_uevents() - See uevent_open(). */
static int real_uevents(struct kernel *k, int *ret_fd, struct error *err)
{
	return uevent_open(ret_fd, err);
}

/* real_uevent_read() - See uevent_next(). */
static int real_uevent_read(struct kernel *k, int fd, struct kernel_uevent *ret,
			    struct error *err)
{
	return uevent_next(fd, ret, err);
}

/**
 * real_get_override() - Read driver_override
 *
 * Linux shows "(null)" where there is none.
 *
 * Return: 0; -ETIMEDOUT, device.blocked; -ENODEV; others of helper_run().
 */
static int real_get_override(struct kernel *k, const char *bdf,
			     unsigned int timeout_ms, char ret[DRIVER_SIZE],
			     struct kernel_stuck *ret_stuck, struct error *err)
{
	struct helper_job job = { .call = "get_override", .read = true };
	_cleanup_fd_ int fd = -1;
	char text[DRIVER_SIZE];
	int r;

	r = attribute_open(real_of(k)->sysfs, bdf, "driver_override", O_RDONLY,
			   &fd, err);
	if (r < 0)
		return r;
	job.fd = fd;
	r = attribute_run(bdf, &job, "driver_override", timeout_ms, text,
			  sizeof(text), ret_stuck, err);
	if (r < 0)
		return r;

	(void)str_copy(ret, DRIVER_SIZE, str_eq(text, "(null)") ? "" : text);
	return 0;
}

/**
 * real_set_override() - Write driver_override, and look what came of it
 *
 * A newline alone clears it.
 *
 * Return: 0; -EINVAL if @driver cannot be a driver's name; -EIO if it did not
 * take; others as real_get_override().
 */
static int real_set_override(struct kernel *k, const char *bdf,
			     const char *driver, unsigned int timeout_ms,
			     struct kernel_stuck *ret_stuck, struct error *err)
{
	struct helper_job job = { .call = "set_override", .read = true };
	char line[DRIVER_SIZE + 1], text[DRIVER_SIZE];
	_cleanup_fd_ int fd = -1;
	int r;

	if (strlen(driver) >= DRIVER_SIZE || strpbrk(driver, "/\n") ||
	    !str_format(line, sizeof(line), "%s\n", driver))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "'%s' is no name of a driver", driver);

	r = attribute_open(real_of(k)->sysfs, bdf, "driver_override", O_RDWR,
			   &fd, err);
	if (r < 0)
		return r;
	job.fd = fd;
	job.text = line;
	r = attribute_run(bdf, &job, "driver_override", timeout_ms, text,
			  sizeof(text), ret_stuck, err);
	if (r < 0)
		return r;
	if (!str_eq(text, driver[0] ? driver : "(null)") &&
	    !str_eq(text, driver))
		return error_set(err, -EIO, ERROR_KERNEL_SYSFS,
				 "driver_override of %s is '%s' after '%s' was "
				 "written", bdf, text, driver);

	return 0;
}

/**
 * name_holders() - Say who keeps a driver from letting go of a function
 * @k:		The machine
 * @dev:	The function, as it was before: its cdev is gone by now
 * @err:	A filled error; causes are added
 */
static void name_holders(struct kernel *k, const struct kernel_device *dev,
			 struct error *err)
{
	struct error held;

	if (!err || users_cdev_holders(real_of(k)->sysfs, real_of(k)->proc, dev,
				       &held) != -EBUSY)
		return;

	for (size_t i = 0; i < held.n_causes; i++)
		error_cause(err, held.causes[i].kind, held.causes[i].name,
			    "%s", held.causes[i].detail);
}

/**
 * real_unbind() - Take the driver off a function
 *
 * Source: /sys/bus/pci/drivers/<driver>/unbind, by way of the function's own
 * link, so that it is never another driver's. -ENODEV from the write means that
 * it was unbound while we came.
 *
 * Return: 0; -ETIMEDOUT, device.blocked, with the processes that hold its cdev;
 * -ENODEV, device.not-found; others of helper_run().
 */
static int real_unbind(struct kernel *k, const char *bdf,
		       unsigned int timeout_ms, struct kernel_stuck *ret_stuck,
		       struct error *err)
{
	struct helper_job job = { .call = "unbind", .text = bdf };
	struct kernel_device dev, after;
	_cleanup_fd_ int fd = -1;
	int r;

	r = inventory_device(real_of(k)->sysfs, bdf, &dev, err);
	if (r < 0)
		return r;
	if (!dev.driver[0])
		return 0;
	r = attribute_open(real_of(k)->sysfs, bdf, "driver/unbind", O_WRONLY,
			   &fd, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;

	job.fd = fd;
	r = attribute_run(bdf, &job, "driver/unbind", timeout_ms, NULL, 0,
			  ret_stuck, err);
	if (r == -ETIMEDOUT)
		name_holders(k, &dev, err);
	if (r == -ENODEV &&
	    !inventory_device(real_of(k)->sysfs, bdf, &after, NULL) &&
	    !after.driver[0])
		return 0;

	return r;
}

/**
 * real_probe() - Let the kernel find a driver for a function
 *
 * Source: /sys/bus/pci/drivers_probe.
 *
 * Return: 0, also if there is none; -EINVAL or -EBUSY if one was found and the
 * kernel refused it, as for a sibling of an assigned function; -ETIMEDOUT,
 * device.blocked; -ENODEV, device.not-found; others of helper_run().
 */
static int real_probe(struct kernel *k, const char *bdf,
		      unsigned int timeout_ms, struct kernel_stuck *ret_stuck,
		      struct error *err)
{
	struct helper_job job = { .call = "probe", .text = bdf };
	_cleanup_fd_ int fd = -1;
	struct kernel_device dev;
	int r;

	r = inventory_device(real_of(k)->sysfs, bdf, &dev, err);
	if (r < 0)
		return r;
	fd = openat(real_of(k)->sysfs, "bus/pci/drivers_probe",
		    O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSFS,
				 "open 'bus/pci/drivers_probe' in sysfs: %m");

	job.fd = fd;
	return attribute_run(bdf, &job, "drivers_probe", timeout_ms, NULL, 0,
			     ret_stuck, err);
}

/* real_mend_config() - See mend_config(). */
static int real_mend_config(struct kernel *k, const char *bdf,
			    unsigned int timeout_ms, bool *ret_mended,
			    struct kernel_stuck *ret_stuck, struct error *err)
{
	return mend_config(real_of(k)->sysfs, bdf, timeout_ms, ret_mended,
			   ret_stuck, err);
}

/**
 * real_wait_earlier() - Wait for what an earlier life has left behind
 *
 * Return: 0: there is nothing; 1: it has ended; -ETIMEDOUT, device.blocked;
 * -errno if that cannot be told.
 */
static int real_wait_earlier(struct kernel *k, const char *bdf,
			     unsigned int timeout_ms,
			     struct kernel_stuck *ret_stuck, struct error *err)
{
	struct kernel_stuck stuck;
	int found, r = 0;

	/* None come after us: only those that were there can be. */
	if (!real_of(k)->earlier)
		return 0;
	while ((found = helper_find(real_of(k)->proc, bdf, &stuck)) > 0) {
		if (!helper_wait(&stuck, timeout_ms)) {
			*ret_stuck = stuck;
			return error_set(err, -ETIMEDOUT, ERROR_DEVICE_BLOCKED,
					 "a call about %s that ioasidd made before it was ended has not come back; helper process %d stays in it",
					 bdf, (int)stuck.pid);
		}
		r = 1;
	}
	if (found < 0)
		return error_set(err, found, ERROR_KERNEL_SYSTEM,
				 "look for helper processes in '/proc': %m");

	return r;
}

/* real_stuck_ended() - See helper_ended(). */
static bool real_stuck_ended(struct kernel *k, const struct kernel_stuck *stuck)
{
	return helper_ended(stuck);
}

/* real_cdev_open() - See cdev_open(). */
static int real_cdev_open(struct kernel *k, const char *bdf, int *ret_fd,
			  struct error *err)
{
	return cdev_open(real_of(k)->sysfs, CDEV_FOLDER, bdf, ret_fd, err);
}

/* real_cdev_holders() - See users_cdev_holders(). */
static int real_cdev_holders(struct kernel *k, const char *bdf,
			     struct error *err)
{
	struct kernel_device dev;
	int r;

	r = inventory_device(real_of(k)->sysfs, bdf, &dev, err);
	if (r < 0)
		return r;

	return users_cdev_holders(real_of(k)->sysfs, real_of(k)->proc, &dev,
				  err);
}

/* real_vfio_bind() - See cdev_bind(). */
static int real_vfio_bind(struct kernel *k, const char *bdf, int cdev,
			  int iommufd, uint32_t *ret_dev_id, struct error *err)
{
	return cdev_bind(real_of(k)->sysfs, real_of(k)->proc, bdf, cdev,
			 iommufd, ret_dev_id, err);
}

/* real_vfio_attach() - See vfio_attach(). */
static int real_vfio_attach(struct kernel *k, int cdev, uint32_t pt_id,
			    uint32_t *ret_pt_id, struct error *err)
{
	return vfio_attach(cdev, pt_id, ret_pt_id, err);
}

/* real_vfio_detach() - See vfio_detach(). */
static int real_vfio_detach(struct kernel *k, int cdev, struct error *err)
{
	return vfio_detach(cdev, err);
}

/* real_vfio_attach_pasid() - See vfio_attach_pasid(). */
static int real_vfio_attach_pasid(struct kernel *k, int cdev, uint32_t pasid,
				  uint32_t pt_id, uint32_t *ret_pt_id,
				  struct error *err)
{
	return vfio_attach_pasid(cdev, pasid, pt_id, ret_pt_id, err);
}

/* real_vfio_detach_pasid() - See vfio_detach_pasid(). */
static int real_vfio_detach_pasid(struct kernel *k, int cdev, uint32_t pasid,
				  struct error *err)
{
	return vfio_detach_pasid(cdev, pasid, err);
}

/* real_vfio_reset_set() - See vfio_reset_set(). */
static int real_vfio_reset_set(struct kernel *k, int cdev,
			       char (**ret)[BDF_SIZE], size_t *ret_n,
			       struct error *err)
{
	return vfio_reset_set(cdev, ret, ret_n, err);
}

/* real_vfio_reset() - See vfio_reset(). */
static int real_vfio_reset(struct kernel *k, int cdev, struct error *err)
{
	return vfio_reset(cdev, err);
}

/* real_vfio_health() - See vfio_health(). */
static int real_vfio_health(struct kernel *k, int cdev,
			    struct kernel_health *ret, struct error *err)
{
	return vfio_health(cdev, ret, err);
}

/* real_container_open() - See type1_open(). */
static int real_container_open(struct kernel *k, int *ret_fd,
			       struct error *err)
{
	return type1_open(CONTAINER_PATH, ret_fd, err);
}

/* real_group_open() - See type1_group_open(). */
static int real_group_open(struct kernel *k, int group, int *ret_fd,
			   struct error *err)
{
	return type1_group_open(real_of(k)->sysfs, real_of(k)->proc,
				GROUP_FOLDER, group, ret_fd, err);
}

/* real_container_attach() - See type1_attach(). */
static int real_container_attach(struct kernel *k, int container, int group,
				 int number, struct error *err)
{
	return type1_attach(real_of(k)->sysfs, real_of(k)->proc, container,
			    group, number, err);
}

/* real_container_info() - See type1_info(). */
static int real_container_info(struct kernel *k, int container,
			       struct kernel_container_info *ret,
			       struct error *err)
{
	return type1_info(container, ret, err);
}

/* real_container_tce_info() - See spapr_info(). */
static int real_container_tce_info(struct kernel *k, int container,
				   struct kernel_tce_info *ret,
				   struct error *err)
{
	return spapr_info(container, ret, err);
}

/* real_group_device() - See type1_device(). */
static int real_group_device(struct kernel *k, int group, const char *bdf,
			     int *ret_fd, struct error *err)
{
	return type1_device(group, bdf, ret_fd, err);
}

/* real_container_unmap_all() - See type1_unmap_all(). */
static int real_container_unmap_all(struct kernel *k, int container,
				    uint64_t *ret_bytes, struct error *err)
{
	return type1_unmap_all(real_of(k)->sysfs, container, ret_bytes, err);
}

/* real_vfio_is() - See type1_is(). */
static int real_vfio_is(struct kernel *k, int fd, const char *bdf,
			struct error *err)
{
	return type1_is(real_of(k)->sysfs, real_of(k)->proc, fd, bdf, err);
}

/* real_iommufd_open() - See iommufd_open(). */
static int real_iommufd_open(struct kernel *k, int *ret_fd, struct error *err)
{
	return iommufd_open(IOMMUFD_PATH, ret_fd, err);
}

/* real_iommufd_rlimit_mode() - See iommufd_rlimit_mode(). */
static int real_iommufd_rlimit_mode(struct kernel *k, int iommufd,
				    struct error *err)
{
	return iommufd_rlimit_mode(iommufd, err);
}

/* real_ioas_alloc() - See iommufd_ioas_alloc(). */
static int real_ioas_alloc(struct kernel *k, int iommufd, uint32_t *ret_id,
			   struct error *err)
{
	return iommufd_ioas_alloc(iommufd, ret_id, err);
}

/* real_ioas_ranges() - See iommufd_ioas_ranges(). */
static int real_ioas_ranges(struct kernel *k, int iommufd, uint32_t ioas_id,
			    struct kernel_range **ret, size_t *ret_n,
			    uint64_t *ret_alignment, struct error *err)
{
	return iommufd_ioas_ranges(iommufd, ioas_id, ret, ret_n, ret_alignment,
				   err);
}

/* real_ioas_allow() - See iommufd_ioas_allow(). */
static int real_ioas_allow(struct kernel *k, int iommufd, uint32_t ioas_id,
			   const struct kernel_range *ranges, size_t n,
			   struct error *err)
{
	return iommufd_ioas_allow(iommufd, ioas_id, ranges, n, err);
}

/* real_ioas_unmap_all() - See iommufd_ioas_unmap_all(). */
static int real_ioas_unmap_all(struct kernel *k, int iommufd,
			       uint32_t ioas_id, uint64_t *ret_bytes,
			       struct error *err)
{
	return iommufd_ioas_unmap_all(iommufd, ioas_id, ret_bytes, err);
}

/* real_ioas_map_file() - See iommufd_ioas_map_file(). */
static int real_ioas_map_file(struct kernel *k, int iommufd,
			      uint32_t ioas_id, int fd, uint64_t offset,
			      uint64_t length, uint64_t iova, bool writable,
			      const char *lease, struct error *err)
{
	return iommufd_ioas_map_file(iommufd, ioas_id, fd, offset, length,
				     iova, writable, err);
}

/* real_ioas_unmap() - See iommufd_ioas_unmap(). */
static int real_ioas_unmap(struct kernel *k, int iommufd, uint32_t ioas_id,
			   uint64_t iova, uint64_t length,
			   uint64_t *ret_bytes, struct error *err)
{
	return iommufd_ioas_unmap(iommufd, ioas_id, iova, length, ret_bytes,
				  err);
}

/* real_hw_info() - See iommufd_hw_info(). */
static int real_hw_info(struct kernel *k, int iommufd, uint32_t dev_id,
			struct kernel_hw_info *ret, struct error *err)
{
	return iommufd_hw_info(iommufd, dev_id, ret, err);
}

/* real_hwpt_alloc() - See pagetable_alloc(). */
static int real_hwpt_alloc(struct kernel *k, int iommufd,
				const struct kernel_hwpt *wish, uint32_t *ret_id,
				struct error *err)
{
	return pagetable_alloc(iommufd, wish, ret_id, err);
}

/* real_hwpt_invalidate() - See pagetable_invalidate(). */
static int real_hwpt_invalidate(struct kernel *k, int iommufd,
				uint32_t hwpt_id, uint32_t data_type,
				const void *entries, uint32_t entry_len,
				uint32_t *inout_n, struct error *err)
{
	return pagetable_invalidate(iommufd, hwpt_id, data_type, entries,
				    entry_len, inout_n, err);
}

/* real_hwpt_set_dirty() - See pagetable_set_dirty(). */
static int real_hwpt_set_dirty(struct kernel *k, int iommufd,
			       uint32_t hwpt_id, bool on, struct error *err)
{
	return pagetable_set_dirty(iommufd, hwpt_id, on, err);
}

/* real_hwpt_get_dirty() - See pagetable_get_dirty(). */
static int real_hwpt_get_dirty(struct kernel *k, int iommufd,
			       uint32_t hwpt_id, uint64_t iova,
			       uint64_t length, uint64_t page_size, bool keep,
			       uint64_t *bitmap, struct error *err)
{
	return pagetable_get_dirty(iommufd, hwpt_id, iova, length, page_size,
				   keep, bitmap, err);
}

/* real_fault_queue_alloc() - See pagetable_fault_queue(). */
static int real_fault_queue_alloc(struct kernel *k, int iommufd,
				  uint32_t *ret_id, int *ret_fd,
				  struct error *err)
{
	return pagetable_fault_queue(iommufd, ret_id, ret_fd, err);
}

/* real_viommu_alloc() - See pagetable_viommu(). */
static int real_viommu_alloc(struct kernel *k, int iommufd, uint32_t type,
			     uint32_t dev_id, uint32_t hwpt_id,
			     uint32_t *ret_id, struct error *err)
{
	return pagetable_viommu(iommufd, type, dev_id, hwpt_id, ret_id, err);
}

/* real_vdevice_alloc() - See pagetable_vdevice(). */
static int real_vdevice_alloc(struct kernel *k, int iommufd,
			      uint32_t viommu_id, uint32_t dev_id,
			      uint64_t virt_id, uint32_t *ret_id,
			      struct error *err)
{
	return pagetable_vdevice(iommufd, viommu_id, dev_id, virt_id, ret_id,
				 err);
}

/* real_node_find() - See node_find(). */
static int real_node_find(struct kernel *k, int group,
			  struct kernel_node *ret, struct error *err)
{
	return node_find(real_of(k)->sysfs, GROUP_FOLDER, group, ret, err);
}

/* real_node_get_acl() - See node_get_acl(). */
static int real_node_get_acl(struct kernel *k, const struct kernel_node *node,
			     struct acl *ret, struct error *err)
{
	return node_get_acl(node, ret, err);
}

/* real_node_set_acl() - See node_set_acl(). */
static int real_node_set_acl(struct kernel *k, const struct kernel_node *node,
			     const struct acl *acl, struct error *err)
{
	return node_set_acl(node, acl, err);
}

/* real_destroy() - See iommufd_destroy(). */
static int real_destroy(struct kernel *k, int iommufd, uint32_t id,
			struct error *err)
{
	return iommufd_destroy(iommufd, id, err);
}

static const struct kernel_ops real_ops = {
	.free = real_free,
	.info = real_info,
	.inventory = real_inventory,
	.device = real_device,
	.device_users = real_device_users,
	.uevents = real_uevents,
	.uevent_read = real_uevent_read,
	.get_override = real_get_override,
	.set_override = real_set_override,
	.unbind = real_unbind,
	.probe = real_probe,
	.mend_config = real_mend_config,
	.wait_earlier = real_wait_earlier,
	.stuck_ended = real_stuck_ended,
	.cdev_open = real_cdev_open,
	.cdev_holders = real_cdev_holders,
	.vfio_bind = real_vfio_bind,
	.vfio_attach = real_vfio_attach,
	.vfio_detach = real_vfio_detach,
	.vfio_attach_pasid = real_vfio_attach_pasid,
	.vfio_detach_pasid = real_vfio_detach_pasid,
	.vfio_reset_set = real_vfio_reset_set,
	.vfio_reset = real_vfio_reset,
	.vfio_health = real_vfio_health,
	.container_open = real_container_open,
	.group_open = real_group_open,
	.container_attach = real_container_attach,
	.container_info = real_container_info,
	.container_tce_info = real_container_tce_info,
	.group_device = real_group_device,
	.container_unmap_all = real_container_unmap_all,
	.vfio_is = real_vfio_is,
	.iommufd_open = real_iommufd_open,
	.iommufd_rlimit_mode = real_iommufd_rlimit_mode,
	.ioas_alloc = real_ioas_alloc,
	.ioas_ranges = real_ioas_ranges,
	.ioas_allow = real_ioas_allow,
	.ioas_unmap_all = real_ioas_unmap_all,
	.ioas_map_file = real_ioas_map_file,
	.ioas_unmap = real_ioas_unmap,
	.hw_info = real_hw_info,
	.hwpt_alloc = real_hwpt_alloc,
	.hwpt_invalidate = real_hwpt_invalidate,
	.hwpt_set_dirty = real_hwpt_set_dirty,
	.hwpt_get_dirty = real_hwpt_get_dirty,
	.fault_queue_alloc = real_fault_queue_alloc,
	.viommu_alloc = real_viommu_alloc,
	.vdevice_alloc = real_vdevice_alloc,
	.node_find = real_node_find,
	.node_get_acl = real_node_get_acl,
	.node_set_acl = real_node_set_acl,
	.destroy = real_destroy,
};

/* kernel_real_new() - The machine that this process runs on */
int kernel_real_new(const char *sysfs, enum kernel_backend backend,
		    struct kernel **ret, struct error *err)
{
	_cleanup_fd_ int fd = -1, proc = -1;
	struct kernel_stuck stuck;
	struct real *real;
	int earlier;

	fd = sysfs_open(AT_FDCWD, sysfs);
	if (fd < 0)
		return error_set(err, fd, ERROR_KERNEL_SYSTEM, "open '%s': %m",
				 sysfs);
	proc = sysfs_open(AT_FDCWD, "/proc");
	if (proc < 0)
		return error_set(err, proc, ERROR_KERNEL_SYSTEM,
				 "open '/proc': %m");
	earlier = helper_find(proc, NULL, &stuck);
	if (earlier < 0)
		return error_set(err, earlier, ERROR_KERNEL_SYSTEM,
				 "look for helper processes in '/proc': %m");
	real = calloc(1, sizeof(*real));
	if (!real)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the machine");

	real->kernel.ops = &real_ops;
	real->sysfs = TAKE_FD(fd);
	real->proc = TAKE_FD(proc);
	real->earlier = earlier > 0;
	real->backend = backend;
	*ret = &real->kernel;
	return 0;
}
