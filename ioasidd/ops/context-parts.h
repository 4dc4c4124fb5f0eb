/* SPDX-License-Identifier: Apache-2.0
 *
 * context-parts.h - what the parts of context.h have in common, and nobody else
 */
#ifndef IOASIDD_OPS_CONTEXT_PARTS_H
#define IOASIDD_OPS_CONTEXT_PARTS_H

#include "ops/context.h"

/**
 * struct context - The descriptors of one lease
 * @next:	In the list
 * @lease:	The lease's name
 * @fds:	The iommufd, or container, where all of it is; the groups of a
 *		container; then the devices, in the lease's order; @n in all
 * @n_groups:	How many groups: 0 with an iommufd
 * @stored:	The service manager was given copies
 */
struct context {
	struct context *next;
	char lease[NAME_SIZE];
	int fds[CONTEXT_FDS_MAX];
	size_t n, n_groups;
	bool stored;
};

/* iommufd_of() - Where all of it is */
static inline int iommufd_of(const struct context *context)
{
	return context->fds[0];
}

/* is_container() - Is that a container? */
static inline bool is_container(const struct context *context)
{
	return context->n_groups;
}

/* devices_of() - The devices, in the lease's order */
static inline const int *devices_of(const struct context *context)
{
	return context->fds + 1 + context->n_groups;
}

/**
 * cdev_of() - The descriptor of a device
 * @name:	One of the lease's
 */
static inline int cdev_of(const struct context *context,
			  const struct lease *lease, const char *name)
{
	for (size_t i = 0; i < lease->devices.n; i++)
		if (str_eq(lease->devices.items[i], name))
			return devices_of(context)[i];
	return -1;
}

/**
 * context_find() - A lease's context
 *
 * Return: it; NULL with context.lost.
 */
struct context *context_find(struct host *host, const struct lease *lease,
			     struct error *err);

/**
 * context_make_space() - Make a space with all that it is to have
 * @space:	Gets the kernel's id and ranges
 *
 * Return: 0; otherwise as the kernel's calls, and nothing is left.
 */
int context_make_space(struct host *host, const struct context *context,
		       const struct lease *lease, struct space *space,
		       struct error *err);

#endif
