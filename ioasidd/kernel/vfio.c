/* SPDX-License-Identifier: Apache-2.0
 *
 * vfio.c - one function for each call to a VFIO device that we make
 */
#include "kernel/vfio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/uapi.h"
#include "kernel/call.h"
#include "kernel/pci.h"

/* A bus has 256 functions at most. */
#define RESET_SET_MAX 256

/* vfio_is_host_driver() - Does a driver keep the group from being assigned? */
bool vfio_is_host_driver(const struct kernel_device *dev)
{
	return dev->driver[0] && !dev->vfio && !dev->bridge &&
	       !str_eq(dev->driver, "pcieport") &&
	       !str_eq(dev->driver, "pci-stub");
}

/* vfio_bind() - Bind a function to an iommufd */
int vfio_bind(const char *bdf, int cdev, int iommufd, uint32_t *ret_dev_id,
	      struct error *err)
{
	struct uapi_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.iommufd = iommufd,
	};

	if (kernel_ioctl(cdev, UAPI_DEVICE_BIND_IOMMUFD, &cmd))
		return error_set(err, -errno, ERROR_DEVICE_UNUSABLE,
				 "VFIO_DEVICE_BIND_IOMMUFD of %s: %m", bdf);

	*ret_dev_id = cmd.out_devid;
	return 0;
}

/* vfio_attach() - Attach a bound device to a space or a page table */
int vfio_attach(int cdev, uint32_t pt_id, uint32_t *ret_pt_id,
		struct error *err)
{
	/* Kernels before 6.15 know nothing behind pt_id; those after do not
	 * look at it without the flag.
	 */
	struct uapi_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = pt_id,
	};

	if (kernel_ioctl(cdev, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &cmd))
		return error_set(err, -errno, ERROR_KERNEL_VFIO,
				 "VFIO_DEVICE_ATTACH_IOMMUFD_PT to %u: %m",
				 pt_id);

	*ret_pt_id = cmd.pt_id;
	return 0;
}

/* vfio_detach() - Take a bound device off its space: its DMA is blocked */
int vfio_detach(int cdev, struct error *err)
{
	struct uapi_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	if (kernel_ioctl(cdev, UAPI_DEVICE_DETACH_IOMMUFD_PT, &cmd))
		return error_set(err, -errno, ERROR_KERNEL_VFIO,
				 "VFIO_DEVICE_DETACH_IOMMUFD_PT: %m");
	return 0;
}

/**
 * no_pasids() - Say what a refused PASID would need
 * @r:		-errno, returned
 */
static int no_pasids(int r, struct error *err)
{
	if (r == -EOPNOTSUPP || r == -EINVAL || r == -ENOTTY)
		error_remedy(err, "PASIDs need a device and an IOMMU that have them, Linux 6.15, and page tables made for PASIDs, also for the rest of the device");
	return r;
}

/* vfio_attach_pasid() - Attach one PASID of a bound device */
int vfio_attach_pasid(int cdev, uint32_t pasid, uint32_t pt_id,
		      uint32_t *ret_pt_id, struct error *err)
{
	struct uapi_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.flags = UAPI_DEVICE_ATTACH_PASID,
		.pt_id = pt_id,
		.pasid = pasid,
	};

	if (kernel_ioctl(cdev, UAPI_DEVICE_ATTACH_IOMMUFD_PT, &cmd))
		return no_pasids(error_set(err, -errno, ERROR_KERNEL_VFIO,
					   "VFIO_DEVICE_ATTACH_IOMMUFD_PT of PASID %u to %u: %m",
					   pasid, pt_id), err);

	*ret_pt_id = cmd.pt_id;
	return 0;
}

/* vfio_detach_pasid() - Take a PASID off what it is on */
int vfio_detach_pasid(int cdev, uint32_t pasid, struct error *err)
{
	struct uapi_device_detach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.flags = UAPI_DEVICE_DETACH_PASID,
		.pasid = pasid,
	};

	if (kernel_ioctl(cdev, UAPI_DEVICE_DETACH_IOMMUFD_PT, &cmd))
		return no_pasids(error_set(err, -errno, ERROR_KERNEL_VFIO,
					   "VFIO_DEVICE_DETACH_IOMMUFD_PT of PASID %u: %m",
					   pasid), err);
	return 0;
}

/* vfio_reset_set() - Ask which functions a hot reset of the bus resets */
int vfio_reset_set(int cdev, char (**ret)[BDF_SIZE], size_t *ret_n,
		   struct error *err)
{
	_cleanup_free_ struct uapi_pci_hot_reset_info *cmd = NULL;
	char(*set)[BDF_SIZE];
	size_t size;

	size = sizeof(*cmd) + RESET_SET_MAX * sizeof(cmd->devices[0]);
	cmd = calloc(1, size);
	if (!cmd)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for a reset set");
	cmd->argsz = (uint32_t)size;

	if (kernel_ioctl(cdev, UAPI_DEVICE_GET_PCI_HOT_RESET_INFO, cmd)) {
		if (errno != ENODEV)
			return error_set(err, -errno, ERROR_KERNEL_VFIO,
					 "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO: "
					 "%m");
		cmd->count = 0;
	}

	set = calloc(cmd->count ? cmd->count : 1, sizeof(*set));
	if (!set)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for a reset set");
	for (uint32_t i = 0; i < cmd->count; i++)
		(void)str_format(set[i], BDF_SIZE, "%04x:%02x:%02x.%x",
				 cmd->devices[i].segment, cmd->devices[i].bus,
				 cmd->devices[i].devfn >> 3,
				 cmd->devices[i].devfn & 7);

	*ret = set;
	*ret_n = cmd->count;
	return 0;
}

/* vfio_reset() - Reset a bound device */
int vfio_reset(int cdev, struct error *err)
{
	if (kernel_ioctl(cdev, UAPI_DEVICE_RESET, NULL))
		return error_set(err, -errno, ERROR_KERNEL_VFIO,
				 "VFIO_DEVICE_RESET: %m");

	return 0;
}

/* --- health --- */

/**
 * region() - Ask where a region is
 * @cdev:	Bound
 * @index:	Which
 * @ret:	Where; @region_size is 0 if there is none
 * @err:	Filled on failure
 *
 * Source: VFIO_DEVICE_GET_REGION_INFO.
 *
 * Return: 0 or -errno.
 */
static int region(int cdev, uint32_t index, struct uapi_region_info *ret,
		  struct error *err)
{
	*ret = (struct uapi_region_info){
		.argsz = sizeof(*ret),
		.index = index,
	};
	if (kernel_ioctl(cdev, UAPI_DEVICE_GET_REGION_INFO, ret))
		return error_set(err, -errno, ERROR_KERNEL_VFIO,
				 "VFIO_DEVICE_GET_REGION_INFO of region %u: %m",
				 index);

	return 0;
}

/**
 * read_region() - Read from a region, all or nothing
 * @cdev:	Bound
 * @info:	The region
 * @at:		From where in it
 * @buf:	Where to
 * @size:	How much
 * @err:	Filled on failure
 *
 * Return: 0; -EIO if less came; -errno of pread(2).
 */
static int read_region(int cdev, const struct uapi_region_info *info,
		       size_t at, void *buf, size_t size, struct error *err)
{
	ssize_t n = kernel_pread(cdev, buf, size, (off_t)(info->offset + at));

	if (n == (ssize_t)size)
		return 0;

	return error_set(err, n < 0 ? -errno : -EIO, ERROR_KERNEL_VFIO,
			 "read %zu bytes at 0x%zx of region %u: %m", size, at,
			 info->index);
}

/**
 * first_bar() - Choose the memory BAR to read
 * @cdev:	Bound
 * @config:	Its configuration space
 * @ret:	Its region
 *
 * The one that begins with the MSI-X table is passed over: vfio-pci answers all
 * ones for the table, from whatever device.
 *
 * Return: true if there is one.
 */
static bool first_bar(int cdev, const uint8_t *config,
		      struct uapi_region_info *ret)
{
	size_t msix = pci_capability(config, PCI_CAP_MSIX_ID, 8);
	uint32_t table = msix ? pci_u32(config + msix + PCI_MSIX_TABLE) : ~0U;
	uint32_t next;

	for (uint32_t bar = 0; bar <= UAPI_PCI_BAR5_REGION_INDEX; bar = next) {
		uint32_t value = pci_u32(config + PCI_OFF_BAR0 + 4 * bar);
		bool io = value & PCI_BAR_IS_IO;

		next = bar + 1;
		if (!io && (value & PCI_BAR_TYPE_MASK) == PCI_BAR_TYPE_64)
			next++; /* the upper half is no BAR */
		if (io || region(cdev, bar, ret, NULL) < 0 ||
		    ret->region_size < 16 ||
		    !(ret->flags & UAPI_REGION_INFO_FLAG_READ))
			continue;
		if (msix && table == bar) /* of this BAR, from offset 0 on */
			continue;
		return true;
	}

	return false;
}

/**
 * read_bar() - Read the first 16 bytes of the first memory BAR
 * @cdev:	Bound
 * @space:	Its config region
 * @config:	What it holds
 * @ret:	@bar and @bar_ones are filled
 * @err:	Filled on failure
 *
 * In words of 32 bits: that is the access that every device understands.
 *
 * Return: 0 or -errno.
 */
static int read_bar(int cdev, const struct uapi_region_info *space,
		    const uint8_t *config, struct kernel_health *ret,
		    struct error *err)
{
	off_t at = (off_t)(space->offset + PCI_OFF_COMMAND);
	uint16_t on = ret->command | PCI_COMMAND_MEMORY_BIT;
	uint8_t bytes[2] = { on & 0xff, on >> 8 };
	struct uapi_region_info bar;
	uint32_t word;
	int r = 0;

	if (!first_bar(cdev, config, &bar))
		return 0;
	if (on != ret->command && kernel_pwrite(cdev, bytes, 2, at) != 2)
		return error_set(err, -EIO, ERROR_KERNEL_VFIO,
				 "switch memory space on: %m");

	ret->bar_ones = true;
	for (size_t i = 0; i < 16 && !r; i += sizeof(word)) {
		r = read_region(cdev, &bar, i, &word, sizeof(word), err);
		ret->bar_ones = ret->bar_ones && word == ~0U;
	}
	ret->bar = (int)bar.index;

	/* As it was; the next reset makes up for a failure. */
	if (on != ret->command)
		(void)!kernel_pwrite(cdev, config + PCI_OFF_COMMAND, 2, at);

	return r;
}

/* vfio_health() - Read what a bound device answers */
int vfio_health(int cdev, struct kernel_health *ret, struct error *err)
{
	struct kernel_health health = { .bar = -1 };
	uint8_t config[PCI_CONFIG_SIZE];
	struct uapi_region_info space;
	size_t power;
	int r;

	r = region(cdev, UAPI_PCI_CONFIG_REGION_INDEX, &space, err);
	if (!r)
		r = read_region(cdev, &space, 0, config, sizeof(config), err);
	if (r < 0)
		return r;

	health.vendor = pci_u16(config + PCI_OFF_VENDOR);
	health.device = pci_u16(config + PCI_OFF_DEVICE);
	health.command = pci_u16(config + PCI_OFF_COMMAND);
	power = pci_capability(config, PCI_CAP_POWER, 8);
	if (power)
		health.power_state = config[power + PCI_POWER_PMCSR] & 3U;

	/* A function that has gone answers ones to all; no BAR is read then. */
	if (health.vendor != 0xffff) {
		r = read_bar(cdev, &space, config, &health, err);
		if (r < 0)
			return r;
	}

	*ret = health;
	return 0;
}
