/* SPDX-License-Identifier: Apache-2.0
 *
 * context.c - what we keep of a hold lease: its iommufd, and its devices bound
 */
#include "ops/context.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "ops/bind.h"
#include "ops/context-tables.h"
#include "ops/fault-queue.h"
#include "ops/parked.h"
#include "store/fdstore.h"

/**
 * struct context - The descriptors of one lease
 * @next:	In the list
 * @lease:	The lease's name
 * @iommufd:	Where all of it is
 * @cdevs:	The devices, bound, in the lease's order; @n of them
 * @stored:	The service manager was given copies
 */
struct context {
	struct context *next;
	char lease[NAME_SIZE];
	int iommufd;
	int cdevs[LEASE_DEVICES_MAX];
	size_t n;
	bool stored;
};

/**
 * struct contexts - All of them
 * @lock:	Guards all of it; what hangs there is its lease's owner's
 * @list:	In no order
 * @stored:	How many descriptors the service manager has
 * @faults:	Of their page tables; guards itself
 */
struct contexts {
	pthread_mutex_t lock;
	struct context *list;
	size_t stored;
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
	while (context->n)
		fd_close(context->cdevs[--context->n]);
	fd_close(context->iommufd);
	free(context);
}

/* For _cleanup_: */
static void context_freep(struct context **context)
{
	context_free(*context);
}

#define _cleanup_context_ __attribute__((cleanup(context_freep)))

/**
 * stored_name() - What a descriptor is called with the service manager
 * @lease:	The lease's name
 * @i:		0 for the iommufd, then the devices
 */
static void stored_name(const char *lease, size_t i,
			char ret[FDSTORE_NAME_MAX + 1])
{
	const char *ulid = str_starts(lease, "leases/");

	if (i == 0)
		str_format(ret, FDSTORE_NAME_MAX + 1, "iommufd-%s", ulid);
	else
		str_format(ret, FDSTORE_NAME_MAX + 1, "cdev-%s-%zu", ulid,
			   i - 1);
}

/**
 * contexts_take_room() - See context.h
 */
bool contexts_take_room(struct contexts *contexts, const char *what, size_t n)
{
	const size_t room = fdstore_room();
	bool taken;

	if (!room)
		return false;
	pthread_mutex_lock(&contexts->lock);
	taken = contexts->stored + n <= room;
	if (taken)
		contexts->stored += n;
	pthread_mutex_unlock(&contexts->lock);
	if (!taken)
		log_warning("%s: the service manager keeps %zu descriptors and no more (FileDescriptorStoreMax=)",
			    what, room);
	return taken;
}

/**
 * contexts_give_room() - See context.h
 */
void contexts_give_room(struct contexts *contexts, size_t n)
{
	pthread_mutex_lock(&contexts->lock);
	contexts->stored -= n;
	pthread_mutex_unlock(&contexts->lock);
}

/**
 * contexts_faults() - See context.h
 */
struct fault_queues *contexts_faults(struct contexts *contexts)
{
	return contexts->faults;
}

/**
 * store() - Have the service manager keep all of it, if there is one that does
 *
 * If it cannot, the lease is one that ends with us.
 */
static void store(struct contexts *contexts, struct context *context)
{
	char name[FDSTORE_NAME_MAX + 1];
	struct error err = ERROR_NULL;
	int r = 0;

	context->stored = contexts_take_room(contexts, context->lease,
					     context->n + 1);
	if (!context->stored)
		return;
	for (size_t i = 0; i <= context->n && r == 0; i++) {
		stored_name(context->lease, i, name);
		r = fdstore_put(name, i ? context->cdevs[i - 1] :
					  context->iommufd, &err);
	}
	if (r < 0)
		log_problem(LOG_LEVEL_WARNING, &err,
			    "%s: the service manager does not keep it",
			    context->lease);
}

/**
 * unstore() - Have the service manager drop it
 */
static void unstore(struct contexts *contexts, const struct context *context)
{
	char name[FDSTORE_NAME_MAX + 1];
	struct error err = ERROR_NULL;

	if (!context->stored)
		return;
	contexts_give_room(contexts, context->n + 1);
	for (size_t i = 0; i <= context->n; i++) {
		stored_name(context->lease, i, name);
		if (fdstore_remove(name, &err) < 0)
			log_problem(LOG_LEVEL_WARNING, &err,
				    "'%s' is kept in vain", name);
	}
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

/**
 * context_iommufd() - See context.h
 */
int context_iommufd(struct host *host, const struct lease *lease,
		    struct error *err)
{
	const struct context *context = find(host, lease, err);

	return context ? context->iommufd : -ESTALE;
}

/**
 * cdev_of() - The descriptor of a device
 * @name:	One of the lease's
 */
static int cdev_of(const struct context *context, const struct lease *lease,
		   const char *name)
{
	for (size_t i = 0; i < context->n; i++)
		if (str_eq(lease->devices.items[i], name))
			return context->cdevs[i];
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

	for (size_t i = 0; i < space->n_windows; i++)
		ranges[i] = (struct kernel_range){ space->windows[i].start,
						   space->windows[i].last };
	return host->kernel->ops->ioas_allow(host->kernel, context->iommufd,
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

	r = host->kernel->ops->ioas_ranges(host->kernel, context->iommufd,
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
	if (r == 0)
		return 0;
	for (i--; i-- > 0;)
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

	r = k->ioas_alloc(host->kernel, context->iommufd, &space->kernel_id,
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
		(void)k->destroy(host->kernel, context->iommufd,
				 space->kernel_id, NULL);
		space->kernel_id = 0;
	}
	return r;
}

/* --- all of it --- */

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

		r = k->cdev_open(host->kernel, bdf, &context->cdevs[i], err);
		if (r < 0)
			break;
		context->n++;
		r = bind_device(host, bdf, context->cdevs[i],
				context->iommufd, &lease->device_ids[i], NULL,
				err);
		error_object(r < 0 ? err : NULL, "%s", draft->copies[i].name);
	}
	lease->n_device_ids = r < 0 ? 0 : draft->n;
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
	const struct kernel_ops *k = host->kernel->ops;
	struct lease nowhere = { .name = "" };
	size_t i;
	int r;

	context = calloc(1, sizeof(*context));
	if (!context)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	context->iommufd = -1;
	str_copy(context->lease, NAME_SIZE, lease->name);
	r = k->iommufd_open(host->kernel, &context->iommufd, err);
	if (r == 0)
		r = k->iommufd_rlimit_mode(host->kernel, context->iommufd,
					   err);
	if (r == 0)
		r = bind_all(host, context, lease, draft, err);
	/* No device is on a space yet, whatever the lease says. */
	nowhere.devices = lease->devices;
	for (i = 0; i < lease->n_spaces && r == 0; i++)
		r = make_space(host, context, &nowhere, &lease->spaces[i],
			       err);
	if (r < 0) {
		lease_forget_ids(lease);
		return r;
	}
	lease->kept = true;
	store(host->contexts, context);
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

	for (i = 0; i < context->n; i++)
		if (k->hw_info(host->kernel, context->iommufd,
			       lease->device_ids[i], &info, NULL) < 0)
			return false;
	for (i = 0; i < lease->n_spaces; i++) {
		const struct space *space = &lease->spaces[i];

		r = k->ioas_ranges(host->kernel, context->iommufd,
				   space->kernel_id, &ranges, &n, &alignment,
				   NULL);
		if (r == 0)
			free(ranges);
		else if (r != -ENOENT || space->devices.n)
			return false;
	}
	return context_knows_tables(host, context->iommufd, lease);
}

/**
 * context_adopt() - See context.h
 */
bool context_adopt(struct host *host, const struct lease *lease)
{
	_cleanup_context_ struct context *context = NULL;
	char name[FDSTORE_NAME_MAX + 1];
	bool whole, any = false;

	if (lease->n_device_ids != lease->devices.n)
		return false;
	context = calloc(1, sizeof(*context));
	if (!context)
		return false;
	str_copy(context->lease, NAME_SIZE, lease->name);
	stored_name(lease->name, 0, name);
	context->iommufd = parked_find(host->parked, name);
	whole = context->iommufd >= 0;
	/* All there is of it: what is not wanted must not keep a device. */
	for (context->n = 0; context->n < lease->devices.n; context->n++) {
		stored_name(lease->name, context->n + 1, name);
		context->cdevs[context->n] = parked_find(host->parked, name);
		any |= context->cdevs[context->n] >= 0;
		whole &= context->cdevs[context->n] >= 0;
	}
	if (!any && context->iommufd < 0)
		return false;
	context->stored = true;
	pthread_mutex_lock(&host->contexts->lock);
	host->contexts->stored += context->n + 1;
	pthread_mutex_unlock(&host->contexts->lock);
	if (!whole || !is_whole(host, context, lease)) {
		log_warning("%s: what the service manager has kept of it is not whole",
			    lease->name);
		unstore(host->contexts, context);
		return false;
	}
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
	if (context)
		unstore(host->contexts, context);
	context_free(context);
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
	size_t i;

	if (!context)
		return -ESTALE;
	for (i = 0; i <= context->n; i++) {
		fds[i] = fcntl(i ? context->cdevs[i - 1] : context->iommufd,
			       F_DUPFD_CLOEXEC, 3);
		if (fds[i] >= 0)
			continue;
		error_set(err, -errno, ERROR_KERNEL_SYSTEM,
			  "duplicate a descriptor of %s: %m", lease->name);
		while (i-- > 0)
			fd_close(fds[i]);
		return -EMFILE;
	}
	return (int)i;
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
			host->kernel, context->iommufd,
			lease->spaces[i].kernel_id, &bytes, &each);
		if (r == 0)
			sum += bytes;
		first = first_of(first, r, &each, err);
	}
	*ret_bytes = sum;
	return first;
}

/**
 * context_fence() - See context.h
 */
int context_fence(struct host *host, const struct lease *lease,
		  uint64_t *ret_bytes, struct error *err)
{
	const struct context *context = find(host, lease, err);
	struct error each = ERROR_NULL;
	int r, first;

	if (!context)
		return -ESTALE;
	first = unmap_all(host, context, lease, ret_bytes, err);
	r = context_detach_pasids(host, lease, &each);
	first = first_of(first, r, &each, err);
	/* A holder can have made spaces of its own, whose ids nobody knows. */
	for (size_t i = 0; i < context->n; i++) {
		r = host->kernel->ops->vfio_detach(host->kernel,
						   context->cdevs[i], &each);
		if (r < 0)
			error_object(&each, "%s", lease->devices.items[i]);
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
	int r = -ESTALE;

	if (context)
		r = host->kernel->ops->destroy(host->kernel, context->iommufd,
					       space->kernel_id, err);
	return r == -ENOENT ? 0 : r;
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
