/* SPDX-License-Identifier: Apache-2.0
 *
 * context.c - what we keep of a lease: its iommufd, and its devices bound; or its
 *	       container, groups and devices (container.h)
 */
#include "ops/context.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/fd.h"
#include "base/log.h"
#include "ops/bind.h"
#include "ops/container.h"
#include "ops/context-tables.h"
#include "ops/fault-queue.h"
#include "ops/guarded.h"
#include "ops/stored.h"

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

/**
 * struct contexts - All of them
 * @lock:	Guards all of it; what hangs there is its lease's owner's
 * @list:	In no order
 * @stored:	What the service manager has
 * @faults:	Of their page tables; guards itself
 */
struct contexts {
	pthread_mutex_t lock;
	struct context *list;
	struct stored stored;
	struct fault_queues *faults;
};

/**
 * context_free() - Close all
 * @context:	In no list; NULL is allowed
 */
static void context_free(struct context *context)
{
	if (!context)
		return;
	/* Devices first, then their groups. */
	while (context->n)
		fd_close(context->fds[--context->n]);
	free(context);
}

/* For _cleanup_: */
static void context_freep(struct context **context)
{
	context_free(*context);
}

#define _cleanup_context_ __attribute__((cleanup(context_freep)))

/**
 * contexts_stored() - See context.h
 */
struct stored *contexts_stored(struct contexts *contexts)
{
	return &contexts->stored;
}

/**
 * contexts_faults() - See context.h
 */
struct fault_queues *contexts_faults(struct contexts *contexts)
{
	return contexts->faults;
}

/**
 * contexts_new() - See context.h
 */
int contexts_new(struct host *host, struct error *err)
{
	struct contexts *contexts = calloc(1, sizeof(*contexts));

	if (contexts)
		contexts->faults = fault_queues_new();
	if (!contexts || !contexts->faults) {
		free(contexts);
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	}
	pthread_mutex_init(&contexts->lock, NULL);
	pthread_mutex_init(&contexts->stored.lock, NULL);
	host->contexts = contexts;
	return 0;
}

/**
 * contexts_free() - See context.h
 */
struct contexts *contexts_free(struct contexts *contexts)
{
	struct context *context;

	if (!contexts)
		return NULL;
	while ((context = contexts->list)) {
		contexts->list = context->next;
		context_free(context);
	}
	fault_queues_free(contexts->faults);
	pthread_mutex_destroy(&contexts->stored.lock);
	pthread_mutex_destroy(&contexts->lock);
	free(contexts);
	return NULL;
}

/**
 * find() - A lease's context
 *
 * Return: it; NULL with context.lost.
 */
static struct context *find(struct host *host, const struct lease *lease,
			    struct error *err)
{
	struct context *context;

	pthread_mutex_lock(&host->contexts->lock);
	context = host->contexts->list;
	while (context && !str_eq(context->lease, lease->name))
		context = context->next;
	pthread_mutex_unlock(&host->contexts->lock);
	if (!context) {
		error_set(err, -ESTALE, ERROR_CONTEXT_LOST,
			  "ioasidd has no descriptors of %s any more",
			  lease->name);
		error_object(err, "%s", lease->name);
	}
	return context;
}

/* iommufd_of() - Where all of it is */
static int iommufd_of(const struct context *context)
{
	return context->fds[0];
}

/* is_container() - Is that a container? */
static bool is_container(const struct context *context)
{
	return context->n_groups;
}

/* devices_of() - The devices, in the lease's order */
static const int *devices_of(const struct context *context)
{
	return context->fds + 1 + context->n_groups;
}

/**
 * context_iommufd() - See context.h
 */
int context_iommufd(struct host *host, const struct lease *lease,
		    struct error *err)
{
	const struct context *context = find(host, lease, err);

	return context ? iommufd_of(context) : -ESTALE;
}

/**
 * cdev_of() - The descriptor of a device
 * @name:	One of the lease's
 */
static int cdev_of(const struct context *context, const struct lease *lease,
		   const char *name)
{
	for (size_t i = 0; i < lease->devices.n; i++)
		if (str_eq(lease->devices.items[i], name))
			return devices_of(context)[i];
	return -1;
}

/**
 * context_cdev() - See context.h
 */
int context_cdev(struct host *host, const struct lease *lease,
		 const char *device, struct error *err)
{
	const struct context *context = find(host, lease, err);

	return context ? cdev_of(context, lease, device) : -ESTALE;
}

/* --- one space, in the kernel --- */

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
 * make_space() - Make a space with all that it is to have
 * @space:	Gets the kernel's id and ranges
 */
static int make_space(struct host *host, const struct context *context,
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

/* --- all of it --- */

/**
 * settle() - Have a context kept, as its lease needs it
 * @context:	Whole
 *
 * What a guarded lease has mapped is lost with us, unless somebody keeps it.
 *
 * Return: 0; -ENOTCONN store.absent.
 */
static int settle(struct host *host, struct context *context,
		  const struct lease *lease, struct error *err)
{
	if (!lease->volatile_lease)
		context->stored = stored_put(&host->contexts->stored,
					     lease->name, context->fds,
					     context->n, context->n_groups);
	if (lease->volatile_lease || context->stored ||
	    lease->mode != LEASE_GUARDED)
		return 0;
	return error_set(err, -ENOTCONN, ERROR_STORE_ABSENT,
			 "%s is not volatile, and nobody keeps its descriptors",
			 lease->name);
}

/**
 * bind_all() - Open and bind each device
 * @context:	With its iommufd; gets the devices
 * @lease:	Gets their ids
 */
static int bind_all(struct host *host, struct context *context,
		    struct lease *lease, const struct draft *draft,
		    struct error *err)
{
	const struct kernel_ops *k = host->kernel->ops;
	int r = 0;

	for (size_t i = 0; i < draft->n && r == 0; i++) {
		const char *bdf = draft->copies[i].facts.bdf;
		int *cdev = &context->fds[context->n];

		r = k->cdev_open(host->kernel, bdf, cdev, err);
		if (r < 0)
			break;
		context->n++;
		r = bind_device(host, bdf, *cdev, iommufd_of(context),
				&lease->device_ids[i], NULL, err);
		error_object(r < 0 ? err : NULL, "%s", draft->copies[i].name);
	}
	lease->n_device_ids = r < 0 ? 0 : draft->n;
	return r;
}

/**
 * make_all() - Make an iommufd with all that a lease is to have in it
 * @context:	Gets it
 * @lease:	Gets the kernel's ids and ranges
 */
static int make_all(struct host *host, struct context *context,
		    struct lease *lease, const struct draft *draft,
		    struct error *err)
{
	const struct kernel_ops *k = host->kernel->ops;
	struct lease nowhere = { .name = "" };
	int r;

	r = k->iommufd_open(host->kernel, &context->fds[0], err);
	if (r == 0) {
		context->n = 1;
		r = k->iommufd_rlimit_mode(host->kernel, iommufd_of(context),
					   err);
	}
	if (r == 0)
		r = bind_all(host, context, lease, draft, err);
	/* No device is on a space yet, whatever the lease says. */
	nowhere.devices = lease->devices;
	for (size_t i = 0; i < lease->n_spaces && r == 0; i++)
		r = make_space(host, context, &nowhere, &lease->spaces[i],
			       err);
	return r;
}

/**
 * enter() - From now on it is the lease's
 */
static void enter(struct host *host, struct context *context)
{
	pthread_mutex_lock(&host->contexts->lock);
	context->next = host->contexts->list;
	host->contexts->list = context;
	pthread_mutex_unlock(&host->contexts->lock);
}

/**
 * context_open() - See context.h
 */
int context_open(struct host *host, struct lease *lease,
		 const struct draft *draft, struct error *err)
{
	_cleanup_context_ struct context *context = NULL;
	size_t i;
	int r;

	context = calloc(1, sizeof(*context));
	if (!context)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	str_copy(context->lease, NAME_SIZE, lease->name);
	r = lease->container ?
		    container_make(host, lease, draft, context->fds,
				   &context->n, &context->n_groups, err) :
		    make_all(host, context, lease, draft, err);
	if (r == 0)
		r = settle(host, context, lease, err);
	if (r < 0) {
		lease_forget_ids(lease);
		return r;
	}
	lease->kept = true;
	if (lease->mapped)
		atomic_store(&lease->mapped->closed, false);
	enter(host, TAKE_PTR(context));
	r = context_make_tables(host, lease, err);
	/* Page tables narrow the spaces that they hang on. */
	for (i = 0; i < lease->n_spaces && lease->n_tables && r == 0; i++)
		r = context_read(host, lease, &lease->spaces[i], err);
	if (r < 0)
		context_close(host, lease);
	return r;
}

/**
 * is_whole() - Does the kernel know all of a lease in its context?
 *
 * But for a space that no device is on: its holder may have ended it, or we
 * have, and the end was not recorded any more.
 */
static bool is_whole(struct host *host, const struct context *context,
		     const struct lease *lease)
{
	const struct kernel_ops *k = host->kernel->ops;
	struct kernel_hw_info info;
	struct kernel_range *ranges;
	uint64_t alignment;
	size_t i, n;
	int r;

	if (is_container(context))
		return container_is_whole(host, lease, context->fds,
					  context->n_groups);
	for (i = 0; i < lease->n_device_ids; i++)
		if (k->hw_info(host->kernel, iommufd_of(context),
			       lease->device_ids[i], &info, NULL) < 0)
			return false;
	for (i = 0; i < lease->n_spaces; i++) {
		const struct space *space = &lease->spaces[i];

		r = k->ioas_ranges(host->kernel, iommufd_of(context),
				   space->kernel_id, &ranges, &n, &alignment,
				   NULL);
		if (r == 0)
			free(ranges);
		else if (r != -ENOENT || space->devices.n)
			return false;
	}
	return context_knows_tables(host, iommufd_of(context), lease);
}

/**
 * context_adopt() - See context.h
 */
bool context_adopt(struct host *host, struct lease *lease)
{
	_cleanup_context_ struct context *context = NULL;
	struct stored *stored = &host->contexts->stored;
	size_t found, n, groups = 0;

	/* In a container nothing has an id. */
	if (!lease->n_device_ids)
		groups = container_count_groups(host, lease);
	if (!groups && lease->n_device_ids != lease->devices.n)
		return false;
	context = calloc(1, sizeof(*context));
	if (!context)
		return false;
	str_copy(context->lease, NAME_SIZE, lease->name);
	n = 1 + groups + lease->devices.n;
	found = stored_find(stored, host->parked, lease->name, context->fds,
			    n, groups);
	if (!found)
		return false;
	/* What is not wanted must not keep a device. */
	context->n = n;
	context->n_groups = groups;
	context->stored = true;
	if (found < n || !is_whole(host, context, lease)) {
		log_warning("%s: what the service manager has kept of it is not whole",
			    lease->name);
		stored_drop(stored, lease->name, n, groups);
		return false;
	}
	lease->container = groups;
	log_notice("%s: the service manager has kept it", lease->name);
	enter(host, TAKE_PTR(context));
	context_adopt_faults(host, lease);
	return true;
}

/**
 * context_close() - See context.h
 */
void context_close(struct host *host, struct lease *lease)
{
	struct context **at, *context;

	pthread_mutex_lock(&host->contexts->lock);
	at = &host->contexts->list;
	while (*at && !str_eq((*at)->lease, lease->name))
		at = &(*at)->next;
	context = *at;
	if (context)
		*at = context->next;
	pthread_mutex_unlock(&host->contexts->lock);
	context_drop_faults(host, lease);
	if (context && context->stored)
		stored_drop(&host->contexts->stored, lease->name, context->n,
			    context->n_groups);
	context_free(context);
	if (lease->mapped)
		mapped_clear(lease->mapped);
	lease->kept = false;
	lease_forget_ids(lease);
}

/**
 * context_copy() - See context.h
 */
int context_copy(struct host *host, const struct lease *lease, int *fds,
		 struct error *err)
{
	const struct context *context = find(host, lease, err);
	const bool whole = lease->mode != LEASE_GUARDED;
	size_t i, n = 0;

	if (!context)
		return -ESTALE;
	/* A guarded lease's is an iommufd. */
	for (i = whole ? 0 : 1; i < context->n; i++) {
		fds[n] = fcntl(context->fds[i], F_DUPFD_CLOEXEC, 3);
		if (fds[n++] >= 0)
			continue;
		error_set(err, -errno, ERROR_KERNEL_SYSTEM,
			  "duplicate a descriptor of %s: %m", lease->name);
		while (--n > 0)
			fd_close(fds[n - 1]);
		return -EMFILE;
	}
	return (int)n;
}

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
	const struct context *context = find(host, lease, err);
	bool uncontained[LEASE_DEVICES_MAX];
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

/* --- one space --- */

/**
 * context_add_space() - See context.h
 */
int context_add_space(struct host *host, const struct lease *lease,
		      struct space *space, struct error *err)
{
	const struct context *context = find(host, lease, err);

	return context ? make_space(host, context, lease, space, err) :
			 -ESTALE;
}

/**
 * context_drop_space() - See context.h
 */
int context_drop_space(struct host *host, const struct lease *lease,
		       const struct space *space, struct error *err)
{
	const struct context *context = find(host, lease, err);
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
	const struct context *context = find(host, lease, err);

	return context ? promise(host, context, space, err) : -ESTALE;
}

/**
 * context_attach() - See context.h
 */
int context_attach(struct host *host, const struct lease *lease,
		   const struct strv *devices, uint32_t pt_id,
		   struct error *err)
{
	const struct context *context = find(host, lease, err);

	return context ? attach_all(host, context, lease, devices, pt_id,
				    err) : -ESTALE;
}

/**
 * context_detach() - See context.h
 */
int context_detach(struct host *host, const struct lease *lease,
		   const struct strv *devices, struct error *err)
{
	const struct context *context = find(host, lease, err);
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
	const struct context *context = find(host, before, NULL);

	for (size_t i = 0; context && i < devices->n; i++)
		put_back(host, context, before, devices->items[i]);
}

/**
 * context_read() - See context.h
 */
int context_read(struct host *host, const struct lease *lease,
		 struct space *space, struct error *err)
{
	const struct context *context = find(host, lease, err);
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
	const struct context *context = find(host, lease, err);

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
	const struct context *context = find(host, lease, err);
	uint64_t bytes;
	int r = -ESTALE;

	if (context)
		r = host->kernel->ops->ioas_unmap(
			host->kernel, iommufd_of(context), space->kernel_id,
			start, last - start + 1, &bytes, err);
	return r == -ENOENT ? 0 : r;
}
