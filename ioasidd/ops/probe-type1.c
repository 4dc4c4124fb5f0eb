/* SPDX-License-Identifier: Apache-2.0
 *
 * probe-type1.c - the same by VFIO's containers and groups
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "ops/bind.h"
#include "ops/probe.h"

/* What a process had that has just ended may be closed by the kernel's own
 * threads, shortly after.
 */
#define FREE_TRIES 21
#define FREE_PAUSE_NS 100000000

/**
 * check_no_iommu() - Is there an IOMMU in front of the device?
 *
 * VFIO has other containers and nodes for those without, which we do not use.
 *
 * Return: 0; -EOPNOTSUPP backend.unsupported.
 */
static int check_no_iommu(const struct kernel_device *facts, struct error *err)
{
	if (!kernel_no_iommu(facts))
		return 0;
	return error_set(err, -EOPNOTSUPP, ERROR_BACKEND_UNSUPPORTED,
			 "without iommufd: there is no IOMMU in front of %s",
			 facts->bdf);
}

/**
 * probe_open_type1() - See probe.h
 */
int probe_open_type1(struct host *host, const struct kernel_device *facts,
		     struct probe_context *context, struct error *err)
{
	const struct kernel_ops *k = host->kernel->ops;
	int r;

	r = check_no_iommu(facts, err);
	if (r == 0)
		r = k->container_open(host->kernel, &context->container, err);
	if (r == 0)
		r = k->group_open(host->kernel, facts->group, &context->group,
				  err);
	if (r == 0)
		r = k->container_attach(host->kernel, context->container,
					context->group, facts->group, err);
	if (r == 0)
		r = open_device(host, context->group, facts->bdf,
				&context->cdev, &context->bind_us, err);
	return r;
}

/**
 * probe_group_free() - See probe.h
 */
int probe_group_free(struct host *host, const struct kernel_device *facts,
		     struct error *err)
{
	const struct timespec pause = { .tv_nsec = FREE_PAUSE_NS };
	int fd, r = 0;

	if (!kernel_has_groups(host_backend(host)) ||
	    kernel_no_iommu(facts))
		return 0;
	for (int i = 0; i < FREE_TRIES; i++) {
		if (i)
			(void)nanosleep(&pause, NULL); /* short is fine */
		r = host->kernel->ops->group_open(host->kernel, facts->group,
						  &fd, err);
		if (r != -EBUSY)
			break;
	}
	if (r == 0)
		(void)fd_close(fd);
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

/**
 * take_ranges() - Take over where memory can be mapped
 * @info:	What the container says
 * @caps:	Where it goes
 *
 * Return: 0; -EOPNOTSUPP from kernels before 5.4, which do not say; -E2BIG.
 */
static int take_ranges(const struct kernel_container_info *info,
		       struct capabilities *caps, struct error *err)
{
	if (!info->n_ranges || !info->page_sizes)
		return error_set(err, -EOPNOTSUPP, ERROR_KERNEL_VFIO,
				 "VFIO_IOMMU_GET_INFO does not say which addresses can be used");
	if (info->n_ranges > CAPABILITY_RANGES_MAX)
		return error_set(err, -E2BIG, ERROR_KERNEL_VFIO,
				 "the container has %zu ranges; ioasidd takes %d",
				 info->n_ranges, CAPABILITY_RANGES_MAX);
	memcpy(caps->ranges, info->ranges,
	       info->n_ranges * sizeof(*info->ranges));
	caps->n_ranges = info->n_ranges;
	/* The smallest page. */
	caps->alignment = info->page_sizes & -info->page_sizes;
	return 0;
}

/**
 * probe_read_type1() - See probe.h
 *
 * Neither page tables of a kind nor PASIDs can be had by a container, and it says
 * nothing of the hardware.
 */
int probe_read_type1(struct host *host, const struct probe_context *context,
		     struct capabilities *caps, struct error *err)
{
	struct kernel_container_info info = { .page_sizes = 0 };
	int r;

	r = host->kernel->ops->container_info(host->kernel, context->container,
					      &info, err);
	if (r < 0)
		return r;
	r = take_ranges(&info, caps, err);
	caps->dirty_tracking = info.dirty;
	caps->dma_entries = info.entries;
	free(info.ranges);
	return r;
}
