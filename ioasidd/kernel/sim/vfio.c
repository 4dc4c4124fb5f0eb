/* SPDX-License-Identifier: Apache-2.0
 *
 * vfio.c - calls on a VFIO cdev: what vfio-pci answers
 *
 * One that is not bound answers EINVAL to all but BIND.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "kernel/sim/function.h"
#include "kernel/sim/iommufd.h"
#include "kernel/sim/rule.h"
#include "kernel/sim/vfio.h"

#define REGION_VGA 8
#define OFFSET_MASK (SIM_VFIO_OFFSET(1) - 1)

/* How much of a BAR is copied at once. */
#define PIECE 4096u

/* --- attach and detach --- */

#define ATTACH_SIZE_MIN offsetof(struct uapi_device_attach_iommufd_pt, pasid)
#define DETACH_SIZE_MIN offsetof(struct uapi_device_detach_iommufd_pt, pasid)
#define FLAG_PASID 1U

/**
 * pasid_of() - The PASID of a call, or that it is for none
 * @flags:	Of the call
 * @pasid:	With FLAG_PASID
 *
 * As far as the IOMMU is concerned PASID 0 is the function without one.
 */
static uint32_t pasid_of(uint32_t flags, uint32_t pasid)
{
	return flags & FLAG_PASID && pasid ? pasid : SIM_NO_PASID;
}

/**
 * attach() - VFIO_DEVICE_ATTACH_IOMMUFD_PT
 */
static long attach(struct sim_file *file, const struct sim_caller *caller,
		   uint64_t arg)
{
	struct uapi_device_attach_iommufd_pt cmd = { 0 };
	uint64_t to = arg + offsetof(struct uapi_device_attach_iommufd_pt,
				     pt_id);
	uint32_t pasid, pt_id;
	int r;

	if (sim_copy_in(caller, &cmd, arg, ATTACH_SIZE_MIN) < 0)
		return -EFAULT;
	if (sim_rule(SIM_RULE_ARGSZ) && cmd.argsz < ATTACH_SIZE_MIN)
		return -EINVAL;
	if (sim_rule(SIM_RULE_FLAGS) && cmd.flags & ~FLAG_PASID)
		return -EINVAL;
	if (cmd.flags & FLAG_PASID) {
		if (cmd.argsz < sizeof(cmd))
			return -EINVAL;
		if (sim_copy_in(caller, &cmd, arg, sizeof(cmd)) < 0)
			return -EFAULT;
		if (cmd.pasid > INT_MAX) /* the kernel's numbers end there */
			return -ENOSPC;
	}
	pasid = pasid_of(cmd.flags, cmd.pasid);
	r = sim_context_attach(file->context, file->dev_id, pasid, cmd.pt_id,
			       &pt_id);
	if (r < 0)
		return r;
	if (sim_copy_out(caller, to, &pt_id, sizeof(pt_id)) < 0) {
		sim_context_detach(file->context, file->dev_id, SIM_NO_PASID);
		return -EFAULT;
	}

	return 0;
}

/**
 * detach() - VFIO_DEVICE_DETACH_IOMMUFD_PT
 */
static long detach(struct sim_file *file, const struct sim_caller *caller,
		   uint64_t arg)
{
	struct uapi_device_detach_iommufd_pt cmd = { 0 };

	if (sim_copy_in(caller, &cmd, arg, DETACH_SIZE_MIN) < 0)
		return -EFAULT;
	if (sim_rule(SIM_RULE_ARGSZ) && cmd.argsz < DETACH_SIZE_MIN)
		return -EINVAL;
	if (sim_rule(SIM_RULE_FLAGS) && cmd.flags & ~FLAG_PASID)
		return -EINVAL;
	if (cmd.flags & FLAG_PASID) {
		if (cmd.argsz < sizeof(cmd))
			return -EINVAL;
		if (sim_copy_in(caller, &cmd, arg, sizeof(cmd)) < 0)
			return -EFAULT;
		if (cmd.pasid > INT_MAX)
			return 0; /* never attached */
	}
	sim_context_detach(file->context, file->dev_id,
			   pasid_of(cmd.flags, cmd.pasid));

	return 0;
}

/* --- what it is --- */

/**
 * get_info() - VFIO_DEVICE_GET_INFO
 */
static long get_info(struct sim_file *file, const struct sim_caller *caller,
		     uint64_t arg)
{
	const struct sim_function *f = file->device->function;
	struct uapi_device_info cmd = { 0 };
	size_t min = offsetof(struct uapi_device_info, cap_offset), size;

	if (sim_copy_in(caller, &cmd, arg, min) < 0)
		return -EFAULT;
	if (sim_rule(SIM_RULE_ARGSZ) && cmd.argsz < min)
		return -EINVAL;

	size = cmd.argsz < sizeof(cmd) ? cmd.argsz : sizeof(cmd);
	cmd.flags = UAPI_DEVICE_FLAGS_PCI;
	if (f->reset_works)
		cmd.flags |= UAPI_DEVICE_FLAGS_RESET;
	cmd.num_regions = SIM_VFIO_REGIONS;
	cmd.num_irqs = SIM_VFIO_IRQS;

	return sim_copy_out(caller, arg, &cmd, size) < 0 ? -EFAULT : 0;
}

/**
 * get_region_info() - VFIO_DEVICE_GET_REGION_INFO
 *
 * BARs are not said to be ones for mmap(2): a descriptor of the simulation has
 * nothing that could be mapped.
 */
static long get_region_info(struct sim_file *file,
			    const struct sim_caller *caller, uint64_t arg)
{
	const struct sim_function *f = file->device->function;
	struct uapi_region_info cmd;

	if (sim_copy_in(caller, &cmd, arg, sizeof(cmd)) < 0)
		return -EFAULT;
	if (sim_rule(SIM_RULE_ARGSZ) && cmd.argsz < sizeof(cmd))
		return -EINVAL;
	if (cmd.index >= REGION_VGA && sim_rule(SIM_RULE_REGIONS_END))
		return -EINVAL;

	cmd.offset = SIM_VFIO_OFFSET(cmd.index);
	cmd.region_size = 0;
	cmd.cap_offset = 0;
	if (cmd.index <= UAPI_PCI_BAR5_REGION_INDEX)
		cmd.region_size = f->bar_size[cmd.index];
	else if (cmd.index == UAPI_PCI_CONFIG_REGION_INDEX)
		cmd.region_size = f->config_size;
	cmd.flags = cmd.region_size ? UAPI_REGION_INFO_FLAG_READ |
					      UAPI_REGION_INFO_FLAG_WRITE
				    : 0;

	return sim_copy_out(caller, arg, &cmd, sizeof(cmd)) < 0 ? -EFAULT : 0;
}

/**
 * get_irq_info() - VFIO_DEVICE_GET_IRQ_INFO
 */
static long get_irq_info(struct sim_file *file,
			 const struct sim_caller *caller, uint64_t arg)
{
	const struct sim_function *f = file->device->function;
	struct uapi_irq_info cmd;

	if (sim_copy_in(caller, &cmd, arg, sizeof(cmd)) < 0)
		return -EFAULT;
	if ((sim_rule(SIM_RULE_ARGSZ) && cmd.argsz < sizeof(cmd)) ||
	    cmd.index >= SIM_VFIO_IRQS)
		return -EINVAL;

	cmd.flags = UAPI_IRQ_INFO_EVENTFD | UAPI_IRQ_INFO_NORESIZE;
	cmd.count = 1; /* of errors, and of requests to give the device up */
	if (cmd.index == UAPI_PCI_INTX_IRQ_INDEX) {
		cmd.flags = UAPI_IRQ_INFO_EVENTFD | UAPI_IRQ_INFO_MASKABLE |
			    UAPI_IRQ_INFO_AUTOMASKED;
		cmd.count = f->view->value[PCI_OFF_PIN] != 0;
	} else if (cmd.index == UAPI_PCI_MSI_IRQ_INDEX) {
		cmd.count = f->msi != 0;
	} else if (cmd.index == UAPI_PCI_MSIX_IRQ_INDEX) {
		/* Vectors can be added while others are in use. */
		if (f->n_msix)
			cmd.flags = UAPI_IRQ_INFO_EVENTFD;
		cmd.count = f->n_msix;
	}

	return sim_copy_out(caller, arg, &cmd, sizeof(cmd)) < 0 ? -EFAULT : 0;
}

/**
 * reset() - VFIO_DEVICE_RESET
 */
static long reset(struct sim_file *file)
{
	const struct sim_function *f = file->device->function;

	if (!f->reset_works && sim_rule(SIM_RULE_RESET_IS_TRIED))
		return -EINVAL;

	return sim_vfio_try_reset(file->sim, file->device);
}

/* sim_vfio_ioctl() - ioctl(2) of a cdev */
long sim_vfio_ioctl(struct sim_file *file, const struct sim_caller *caller,
		    unsigned long request, uint64_t arg)
{
	if (request == UAPI_DEVICE_BIND_IOMMUFD)
		return sim_vfio_bind(file, caller, arg);
	if (!file->context)
		return sim_rule(SIM_RULE_CALLS_NEED_BIND) ? -EINVAL : -ENOTTY;

	switch (request) {
	case UAPI_DEVICE_ATTACH_IOMMUFD_PT:
		return attach(file, caller, arg);
	case UAPI_DEVICE_DETACH_IOMMUFD_PT:
		return detach(file, caller, arg);
	case UAPI_DEVICE_GET_INFO:
		return get_info(file, caller, arg);
	case UAPI_DEVICE_GET_REGION_INFO:
		return get_region_info(file, caller, arg);
	case UAPI_DEVICE_GET_IRQ_INFO:
		return get_irq_info(file, caller, arg);
	case UAPI_DEVICE_RESET:
		return reset(file);
	case UAPI_DEVICE_GET_PCI_HOT_RESET_INFO:
		return sim_vfio_hot_reset_info(file, caller, arg);
	case UAPI_DEVICE_PCI_HOT_RESET:
		return sim_vfio_hot_reset(file, caller, arg);
	default:
		return -ENOTTY;
	}
}

/* --- regions --- */

/**
 * width() - The widest access that is aligned and wanted
 * @max:	A power of two
 */
static size_t width(uint64_t at, size_t size, size_t max)
{
	while (max > 1 && (size < max || at % max))
		max /= 2;

	return max;
}

/**
 * config_rw() - Read or write configuration space
 *
 * Return: @size; -EFAULT, also for what is beyond the space.
 */
static ssize_t config_rw(struct sim_file *file,
			 const struct sim_caller *caller, uint64_t buf,
			 size_t size, uint64_t at, bool write)
{
	struct sim_function *f = file->device->function;

	if (at >= f->config_size || size > f->config_size - at)
		return -EFAULT;
	for (size_t done = 0, n; done < size; done += n) {
		uint8_t bytes[4];

		n = width(at + done, size - done, sizeof(bytes));
		if (write && sim_copy_in(caller, bytes, buf + done, n) < 0)
			return -EFAULT;
		if (function_view_access(f, at + done, bytes, n, write))
			(void)sim_vfio_try_reset(file->sim, file->device);
		if (!write && sim_copy_out(caller, buf + done, bytes, n) < 0)
			return -EFAULT;
	}

	return (ssize_t)size;
}

/**
 * in_table() - Does vfio-pci keep the user from a byte, as part of the vectors?
 */
static bool in_table(const struct sim_function *f, unsigned int bar,
		     uint64_t at)
{
	uint32_t table;

	if (!f->msix)
		return false;
	table = pci_u32(f->initial + f->msix + PCI_MSIX_TABLE);

	return (table & 7) == bar && at >= (table & ~7U) &&
	       at < (table & ~7U) + f->n_msix * 16;
}

/**
 * bar_piece() - Read or write a piece of a BAR, in accesses as wide as can be
 *
 * Return: 0; -EIO: memory space is off.
 */
static int bar_piece(struct sim_function *f, unsigned int bar, uint64_t at,
		     uint8_t *buf, size_t size, bool write)
{
	for (size_t done = 0, n; done < size; done += n) {
		bool table = in_table(f, bar, at + done);

		/* The vectors begin and end at multiples of 8. */
		n = width(at + done, size - done, 8);
		if (!table && sim_rule(SIM_RULE_MEMORY_OFF_IS_EIO) &&
		    !function_memory_on(f))
			return -EIO;
		if (!table)
			function_bar(f, bar, at + done, buf + done, n, write);
		else if (!write)
			memset(buf + done, 0xff, n);
	}

	return 0;
}

/**
 * bar_rw() - Read or write a BAR
 *
 * Return: how much, up to the end of the BAR; -EINVAL: behind it; -EIO;
 * -EFAULT.
 */
static ssize_t bar_rw(struct sim_file *file, const struct sim_caller *caller,
		      unsigned int bar, uint64_t buf, size_t size, uint64_t at,
		      bool write)
{
	struct sim_function *f = file->device->function;
	uint8_t piece[PIECE];

	if (at >= f->bar_size[bar])
		return -EINVAL;
	if (size > f->bar_size[bar] - at)
		size = (size_t)(f->bar_size[bar] - at);
	for (size_t done = 0, n; done < size; done += n) {
		int r;

		/* Pieces end at multiples, to split no access. */
		n = PIECE - (at + done) % PIECE;
		if (n > size - done)
			n = size - done;
		if (write && sim_copy_in(caller, piece, buf + done, n) < 0)
			return -EFAULT;
		r = bar_piece(f, bar, at + done, piece, n, write);
		if (r < 0)
			return r;
		if (!write && sim_copy_out(caller, buf + done, piece, n) < 0)
			return -EFAULT;
	}

	return (ssize_t)size;
}

/* sim_vfio_rw() - pread(2), pwrite(2) of a cdev */
ssize_t sim_vfio_rw(struct sim_file *file, const struct sim_caller *caller,
		    uint64_t buf, size_t size, uint64_t at, bool write)
{
	uint64_t index = at >> 40;

	if (!file->context)
		return -EINVAL;
	if (!size)
		return 0;
	if (index == UAPI_PCI_CONFIG_REGION_INDEX)
		return config_rw(file, caller, buf, size, at & OFFSET_MASK,
				 write);
	if (index <= UAPI_PCI_BAR5_REGION_INDEX)
		return bar_rw(file, caller, (unsigned int)index, buf, size,
			      at & OFFSET_MASK, write);

	return -EINVAL; /* there is no ROM, no VGA, nothing else */
}
