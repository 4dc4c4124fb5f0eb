/* SPDX-License-Identifier: Apache-2.0
 *
 * context-space.c - one space of what we keep of a lease: its windows, its
 *		     devices, what is mapped for its holder
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "ops/container.h"
#include "ops/context-parts.h"

/**
 * promise() - Let a space promise its windows
 */
static int promise(struct host *host, const struct context *context,
		   const struct space *space, struct error *err)
{
	struct kernel_range ranges[WINDOWS_MAX];

	if (is_container(context))
		return container_promise(host, space, err);
	for (size_t i = 0; i < space->n_windows; i++)
		ranges[i] = (struct kernel_range){ space->windows[i].start,
						   space->windows[i].last };
	return host->kernel->ops->ioas_allow(host->kernel, iommufd_of(context),
					     space->kernel_id, ranges,
					     space->n_windows, err);
}

/**
 * read_ranges() - Read where memory can be mapped
 * @space:	Gets it
 */
static int read_ranges(struct host *host, const struct context *context,
		       struct space *space, struct error *err)
{
	struct kernel_range *ranges;
	uint64_t alignment;
	size_t n;
	int r;

	if (is_container(context))
		return container_read(host, iommufd_of(context), space, err);
	r = host->kernel->ops->ioas_ranges(host->kernel, iommufd_of(context),
					   space->kernel_id, &ranges, &n,
					   &alignment, err);
	if (r < 0)
		return r;
	free(space->ranges);
	space->ranges = ranges;
	space->n_ranges = n;
	space->alignment = alignment;
	return 0;
}

/**
 * put_back() - Put a device on the space or page table that a lease has it on; on
 *		none if that has it on none
 */
static void put_back(struct host *host, const struct context *context,
		     const struct lease *lease, const char *device)
{
	const uint32_t was = lease_place_of(lease, device);
	int r, cdev = cdev_of(context, lease, device);
	struct error err = ERROR_NULL;
	uint32_t id;

	/* In a container they never leave. */
	if (is_container(context))
		return;
	if (was)
		r = host->kernel->ops->vfio_attach(host->kernel, cdev, was,
						   &id, &err);
	else
		r = host->kernel->ops->vfio_detach(host->kernel, cdev, &err);
	if (r < 0)
		log_problem(LOG_LEVEL_ERROR, &err,
			    "%s: cannot be put back where it was", device);
}

/**
 * attach_all() - Put devices on something; back where they were if one cannot
 * @devices:	Names
 * @pt_id:	A space or page table
 */
static int attach_all(struct host *host, const struct context *context,
		      const struct lease *lease, const struct strv *devices,
		      uint32_t pt_id, struct error *err)
{
	uint32_t id;
	size_t i;
	int r = 0;

	for (i = 0; i < devices->n && r == 0; i++) {
		r = host->kernel->ops->vfio_attach(
			host->kernel,
			cdev_of(context, lease, devices->items[i]),
			pt_id, &id, err);
		if (r < 0)
			error_object(err, "%s", devices->items[i]);
	}
	/* The one that was refused, too: it does not hurt where it was. */
	while (r < 0 && i-- > 0)
		put_back(host, context, lease, devices->items[i]);
	return r;
}

/**
 * context_make_space() - See context-parts.h
 */
int context_make_space(struct host *host, const struct context *context,
		       const struct lease *lease, struct space *space,
		       struct error *err)
{
	const struct kernel_ops *k = host->kernel->ops;
	int r;

	if (is_container(context)) {
		r = read_ranges(host, context, space, err);
		return r == 0 ? promise(host, context, space, err) : r;
	}
	r = k->ioas_alloc(host->kernel, iommufd_of(context), &space->kernel_id,
			  err);
	if (r < 0)
		return r;
	r = promise(host, context, space, err);
	if (r == 0)
		r = attach_all(host, context, lease, &space->devices,
			       space->kernel_id, err);
	if (r == 0) {
		r = read_ranges(host, context, space, err);
		for (size_t i = 0; r < 0 && i < space->devices.n; i++)
			put_back(host, context, lease,
				 space->devices.items[i]);
	}
	if (r < 0) {
		(void)k->destroy(host->kernel, iommufd_of(context),
				 space->kernel_id, NULL);
		space->kernel_id = 0;
	}
	return r;
}

/**
 * context_add_space() - See context.h
 */
int context_add_space(struct host *host, const struct lease *lease,
		      struct space *space, struct error *err)
{
	const struct context *context = context_find(host, lease, err);

	return context ? context_make_space(host, context, lease, space, err) :
			 -ESTALE;
}

/**
 * context_drop_space() - See context.h
 */
int context_drop_space(struct host *host, const struct lease *lease,
		       const struct space *space, struct error *err)
{
	const struct context *context = context_find(host, lease, err);
	const struct kernel_ops *k = host->kernel->ops;
	struct kernel_range *ranges = NULL;
	uint64_t alignment;
	size_t n;
	int r;

	if (!context)
		return -ESTALE;
	/* That of a container ends with it. */
	if (is_container(context))
		return 0;
	r = k->destroy(host->kernel, iommufd_of(context), space->kernel_id,
		       err);
	if (r == 0 || r == -ENOENT)
		return 0;
	/* Is it there still? */
	if (k->ioas_ranges(host->kernel, iommufd_of(context), space->kernel_id,
			   &ranges, &n, &alignment, NULL) == -ENOENT)
		return 0;
	free(ranges);
	return r;
}

/**
 * context_promise() - See context.h
 */
int context_promise(struct host *host, const struct lease *lease,
		    const struct space *space, struct error *err)
{
	const struct context *context = context_find(host, lease, err);

	return context ? promise(host, context, space, err) : -ESTALE;
}

/**
 * context_attach() - See context.h
 */
int context_attach(struct host *host, const struct lease *lease,
		   const struct strv *devices, uint32_t pt_id,
		   struct error *err)
{
	const struct context *context = context_find(host, lease, err);

	return context ? attach_all(host, context, lease, devices, pt_id,
				    err) : -ESTALE;
}

/**
 * context_detach() - See context.h
 */
int context_detach(struct host *host, const struct lease *lease,
		   const struct strv *devices, struct error *err)
{
	const struct context *context = context_find(host, lease, err);
	int r = context ? 0 : -ESTALE;

	for (size_t i = 0; i < devices->n && r == 0; i++)
		r = host->kernel->ops->vfio_detach(
			host->kernel,
			cdev_of(context, lease, devices->items[i]), err);
	return r;
}

/**
 * context_put_back() - See context.h
 */
void context_put_back(struct host *host, const struct lease *before,
		      const struct strv *devices)
{
	const struct context *context = context_find(host, before, NULL);

	for (size_t i = 0; context && i < devices->n; i++)
		put_back(host, context, before, devices->items[i]);
}

/**
 * context_read() - See context.h
 */
int context_read(struct host *host, const struct lease *lease,
		 struct space *space, struct error *err)
{
	const struct context *context = context_find(host, lease, err);
	int r = context ? read_ranges(host, context, space, err) : -ESTALE;

	if (r != -ENOENT)
		return r;
	free(space->ranges);
	space->ranges = NULL;
	space->n_ranges = 0;
	space->kernel_id = 0;
	return 0;
}

/* --- what is mapped for its holder --- */

/**
 * context_map() - See context.h
 */
int context_map(struct host *host, const struct lease *lease,
		const struct space *space, int fd,
		const struct mapping *mapping, struct error *err)
{
	const struct context *context = context_find(host, lease, err);

	return context ? host->kernel->ops->ioas_map_file(
				 host->kernel, iommufd_of(context),
				 space->kernel_id, fd, mapping->offset,
				 mapping->length, mapping->iova,
				 mapping->writable, lease->name, err) :
			 -ESTALE;
}

/**
 * context_unmap() - See context.h
 */
int context_unmap(struct host *host, const struct lease *lease,
		  const struct space *space, uint64_t start, uint64_t last,
		  struct error *err)
{
	const struct context *context = context_find(host, lease, err);
	uint64_t bytes;
	int r = -ESTALE;

	if (context)
		r = host->kernel->ops->ioas_unmap(
			host->kernel, iommufd_of(context), space->kernel_id,
			start, last - start + 1, &bytes, err);
	return r == -ENOENT ? 0 : r;
}
