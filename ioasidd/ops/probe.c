/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.c - what a device, its driver and its IOMMU can do together
 *
 * Only at prepare, and the result is kept: BIND resets the function, 10 to 120
 * ms of it, so nothing that lists, starts or leases ever does this. Here is what is
 * the same everywhere, and iommufd; what there was before is in probe-type1.c.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ops/bind.h"
#include "ops/probe.h"

/* enum iommufd_hwpt_alloc_flags of <linux/iommufd.h>: one kind of page table
 * each.
 */
#define HWPT_NEST_PARENT (1u << 0)
#define HWPT_DIRTY_TRACKING (1u << 1)
#define HWPT_PASID (1u << 3)

/**
 * bind_iommufd() - Bind a device in an iommufd of its own
 * @context:	What was opened is in it on failure, too
 */
static int bind_iommufd(struct host *host, const char *bdf,
			struct probe_context *context, struct error *err)
{
	const struct kernel_ops *k = host->kernel->ops;
	int r;

	r = k->iommufd_open(host->kernel, &context->iommufd, err);
	if (r == 0)
		r = k->cdev_open(host->kernel, bdf, &context->cdev, err);
	if (r == 0)
		r = bind_device(host, bdf, context->cdev, context->iommufd,
				&context->dev_id, &context->bind_us, err);
	return r;
}

/**
 * bind_by() - Bind a device as the backend does
 * @context:	What was opened is in it on failure, too
 *
 * Where there is no backend, iommufd says what is missing.
 */
static int bind_by(struct host *host, const struct kernel_device *facts,
		   struct probe_context *context, struct error *err)
{
	switch (context->backend) {
	case KERNEL_BACKEND_NONE:
	case KERNEL_BACKEND_IOMMUFD:
		return bind_iommufd(host, facts->bdf, context, err);
	case KERNEL_BACKEND_TYPE1:
	case KERNEL_BACKEND_SPAPR:
		return probe_open_type1(host, facts, context, err);
	case KERNEL_BACKEND_COUNT:
		break;
	}
	return error_set(err, -EOPNOTSUPP, ERROR_BACKEND_UNSUPPORTED,
			 "backend %s: devices cannot be probed",
			 kernel_backend_name(context->backend));
}

/**
 * probe_bind() - See probe.h
 */
int probe_bind(struct host *host, const struct kernel_device *facts,
	       struct probe_context *ret, struct error *err)
{
	_cleanup_probe_ struct probe_context context = PROBE_CONTEXT_NULL;
	int r;

	context.backend = host_backend(host);
	r = bind_by(host, facts, &context, err);
	if (r < 0)
		return r;
	*ret = context;
	context = PROBE_CONTEXT_NULL;
	return 0;
}

/**
 * probe_act() - See probe.h
 */
const char *probe_act(struct host *host)
{
	return kernel_has_groups(host_backend(host)) ? "open" : "bind";
}

/**
 * probe_release() - Close the device first, then its group, then the context
 * @context:	PROBE_CONTEXT_NULL is allowed
 */
void probe_release(struct probe_context *context)
{
	context->cdev = fd_close(context->cdev);
	context->group = fd_close(context->group);
	context->container = fd_close(context->container);
	context->iommufd = fd_close(context->iommufd);
}

/**
 * can_alloc() - Can the IOMMU make a kind of page table for this device?
 * @context:	The device
 * @ioas:	An IOAS in the context
 * @flags:	The kind
 * @ret:	Whether
 *
 * Return: 0; -errno if that cannot be told: what fails for another reason than
 * that it cannot be done must not become what the device can do.
 */
static int can_alloc(struct host *host, const struct probe_context *context,
		     uint32_t ioas, uint32_t flags, bool *ret,
		     struct error *err)
{
	const struct kernel_hwpt wish = {
		.dev_id = context->dev_id,
		.pt_id = ioas,
		.flags = flags,
	};
	const struct kernel_ops *k = host->kernel->ops;
	uint32_t hwpt;
	int r;

	r = k->hwpt_alloc(host->kernel, context->iommufd, &wish, &hwpt, err);
	*ret = r == 0;
	/* ENODEV: there is no IOMMU behind this one. */
	if (r == -EOPNOTSUPP || r == -EINVAL || r == -ENODEV)
		return 0;
	if (r < 0)
		return r;
	/* The context is thrown away with all that is in it. */
	(void)k->destroy(host->kernel, context->iommufd, hwpt, NULL);
	return 0;
}

/**
 * read_page_tables() - Which kinds of page table can there be?
 * @context:	The device
 * @ioas:	An IOAS in the context
 * @caps:	Where it goes
 *
 * Return: 0 or -errno.
 */
static int read_page_tables(struct host *host,
			    const struct probe_context *context, uint32_t ioas,
			    struct capabilities *caps, struct error *err)
{
	int r;

	r = can_alloc(host, context, ioas, HWPT_NEST_PARENT,
		      &caps->nest_parent, err);
	if (r == 0)
		r = can_alloc(host, context, ioas, HWPT_DIRTY_TRACKING,
			      &caps->dirty_tracking, err);
	if (r == 0)
		r = can_alloc(host, context, ioas, HWPT_PASID, &caps->pasid,
			      err);
	return r;
}

/**
 * try_reset() - Is there a reset of the function that works?
 * @context:	The device
 * @ret_resets:	Whether
 *
 * Return: 0; -errno if there is one and it has failed.
 */
static int try_reset(struct host *host, const struct probe_context *context,
		     bool *ret_resets, struct error *err)
{
	int r;

	r = host->kernel->ops->vfio_reset(host->kernel, context->cdev, err);
	*ret_resets = r == 0;
	return r == -ENOTTY || r == -EINVAL ? 0 : r;
}

/**
 * read_ranges() - Which addresses can the device use once attached?
 * @context:	The device
 * @ioas:	An IOAS in the context
 * @caps:	Where they go
 */
static int read_ranges(struct host *host, const struct probe_context *context,
		       uint32_t ioas, struct capabilities *caps,
		       struct error *err)
{
	const struct kernel_ops *k = host->kernel->ops;
	_cleanup_free_ struct kernel_range *ranges = NULL;
	size_t n;
	int r;

	r = k->ioas_ranges(host->kernel, context->iommufd, ioas, &ranges, &n,
			   &caps->alignment, err);
	if (r < 0)
		return r;
	if (n > CAPABILITY_RANGES_MAX)
		return error_set(err, -E2BIG, ERROR_KERNEL_IOMMUFD,
				 "the IOAS has %zu ranges; ioasidd takes %d",
				 n, CAPABILITY_RANGES_MAX);
	memcpy(caps->ranges, ranges, n * sizeof(*ranges));
	caps->n_ranges = n;
	return 0;
}

/**
 * read_reset_set() - What would a hot reset reset?
 * @context:	The device
 * @caps:	Where it goes
 */
static int read_reset_set(struct host *host,
			  const struct probe_context *context,
			  struct capabilities *caps, struct error *err)
{
	_cleanup_free_ char (*set)[BDF_SIZE] = NULL;
	size_t n;
	int r;

	r = host->kernel->ops->vfio_reset_set(host->kernel, context->cdev,
					      &set, &n, err);
	if (r < 0)
		return r;
	if (n > RESET_SET_MAX)
		n = RESET_SET_MAX;
	if (n)
		memcpy(caps->reset_set, set, n * sizeof(*set));
	caps->n_reset_set = n;
	return 0;
}

/**
 * read_iommufd() - Attach to a space, and ask
 * @context:	The device
 * @caps:	Where it goes
 */
static int read_iommufd(struct host *host, const struct probe_context *context,
			struct capabilities *caps, struct error *err)
{
	const struct kernel_ops *k = host->kernel->ops;
	uint32_t ioas, attached;
	int r;

	r = k->ioas_alloc(host->kernel, context->iommufd, &ioas, err);
	if (r == 0)
		r = k->vfio_attach(host->kernel, context->cdev, ioas, &attached,
				   err);
	if (r == 0)
		r = read_ranges(host, context, ioas, caps, err);
	if (r < 0)
		return r;

	/* No-IOMMU devices have no hardware information; all zero says so. */
	r = k->hw_info(host->kernel, context->iommufd, context->dev_id,
		       &caps->hw, err);
	if (r == -EOPNOTSUPP)
		caps->hw = (struct kernel_hw_info){ .type = 0 };
	else if (r < 0)
		return r;
	return read_page_tables(host, context, ioas, caps, err);
}

/**
 * read_capabilities() - Bind, and ask
 * @device:	The draft's copy
 * @caps:	Where it goes
 * @ret_resets:	A reset of the function works
 */
static int read_capabilities(struct host *host, const struct device *device,
			     struct capabilities *caps, bool *ret_resets,
			     struct error *err)
{
	_cleanup_probe_ struct probe_context context = PROBE_CONTEXT_NULL;
	int r;

	r = probe_bind(host, &device->facts, &context, err);
	if (r < 0)
		return r;
	caps->backend = context.backend;
	caps->bind_us = context.bind_us;
	if (context.backend == KERNEL_BACKEND_TYPE1)
		r = probe_read_type1(host, &context, caps, err);
	else if (context.backend == KERNEL_BACKEND_SPAPR)
		r = probe_read_spapr(host, &context, caps, err);
	else
		r = read_iommufd(host, &context, caps, err);
	if (r == 0)
		r = try_reset(host, &context, ret_resets, err);
	if (r == 0)
		r = read_reset_set(host, &context, caps, err);
	return r;
}

/**
 * probe_device() - See probe.h
 */
int probe_device(struct host *host, struct operation *op,
		 const struct device *device, struct capabilities **ret,
		 bool *ret_resets, struct error *err)
{
	_cleanup_free_ struct capabilities *caps = calloc(1, sizeof(*caps));
	struct act act;
	int r;

	if (!caps)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	r = journal_before(host, op, &act, device->name, "capabilities", "",
			   err);
	if (r < 0)
		return r;
	str_copy(caps->driver, sizeof(caps->driver), device->facts.driver);
	str_copy(caps->boot_id, sizeof(caps->boot_id),
		 host->registry->boot_id);
	caps->probed_us = clock_real_us();
	r = read_capabilities(host, device, caps, ret_resets, err);
	error_object(r < 0 ? err : NULL, "%s", device->name);
	if (journal_after(host, op, &act, r, err) < 0)
		return r;
	*ret = TAKE_PTR(caps);
	return 0;
}
