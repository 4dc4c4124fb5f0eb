/* SPDX-License-Identifier: Apache-2.0
 *
 * context-fence.c - all that is mapped in what we keep of a lease is unmapped
 */
#include <errno.h>

#include "ops/container.h"
#include "ops/context-parts.h"
#include "ops/context-tables.h"
#include "ops/guarded.h"

/**
 * first_of() - Of two failures, the one that came first
 * @first:	0, or the one before
 * @each:	Why it failed
 * @err:	Gets it if it is the first; may be NULL
 */
static int first_of(int first, int r, const struct error *each,
		    struct error *err)
{
	if (first < 0 || r == 0)
		return first;
	if (err)
		*err = *each;
	return r;
}

/**
 * unmap_all() - Unmap all that is mapped in any of a lease's spaces
 * @ret_bytes:	How much that was
 *
 * Return: 0, also if its holder has destroyed one; -errno of the first that could
 * not be; the others were.
 */
static int unmap_all(struct host *host, const struct context *context,
		     const struct lease *lease, uint64_t *ret_bytes,
		     struct error *err)
{
	struct error each = ERROR_NULL;
	uint64_t bytes = 0, sum = 0;
	int r, first = 0;

	for (size_t i = 0; i < lease->n_spaces; i++) {
		r = host->kernel->ops->ioas_unmap_all(
			host->kernel, iommufd_of(context),
			lease->spaces[i].kernel_id, &bytes, &each);
		if (r == 0)
			sum += bytes;
		first = first_of(first, r, &each, err);
	}
	*ret_bytes = sum;
	return first;
}

/**
 * find_uncontained() - Which devices of a lease has no IOMMU in front of it?
 * @ret:	A word for each
 *
 * Return: how many.
 */
static size_t find_uncontained(struct host *host, const struct lease *lease,
			       bool ret[LEASE_DEVICES_MAX])
{
	size_t n = 0;

	registry_lock(host->registry);
	for (size_t i = 0; i < lease->devices.n; i++) {
		ret[i] = registry_no_iommu(host->registry,
					   lease->devices.items[i]);
		n += ret[i];
	}
	registry_unlock(host->registry);
	return n;
}

/**
 * context_fence() - See context.h
 */
int context_fence(struct host *host, const struct lease *lease,
		  uint64_t *ret_bytes, struct error *err)
{
	const struct context *context = context_find(host, lease, err);
	bool uncontained[LEASE_DEVICES_MAX] = { false };
	struct error each = ERROR_NULL;
	int r, first = 0;

	if (!context)
		return -ESTALE;
	*ret_bytes = 0;
	if (is_container(context))
		return container_fence(host, lease, iommufd_of(context),
				       devices_of(context), ret_bytes, err);
	guarded_end(lease);
	/* What an uncontained device goes on writing to must stay pinned: the
	 * kernel unpins it when the device was closed, and so quiet.
	 */
	if (!find_uncontained(host, lease, uncontained))
		first = unmap_all(host, context, lease, ret_bytes, err);
	r = context_detach_pasids(host, lease, &each);
	first = first_of(first, r, &each, err);
	/* A holder can have made spaces of its own, whose ids nobody knows. */
	for (size_t i = 1; i < context->n; i++) {
		if (uncontained[i - 1])
			continue;
		r = host->kernel->ops->vfio_detach(host->kernel,
						   context->fds[i], &each);
		if (r < 0)
			error_object(&each, "%s",
				     lease->devices.items[i - 1]);
		first = first_of(first, r, &each, err);
	}
	context_end_tables(host, lease);
	return first;
}
