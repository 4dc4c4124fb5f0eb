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
#include "ops/context-parts.h"
#include "ops/context-tables.h"
#include "ops/fault-queue.h"
#include "ops/stored.h"

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
 * context_find() - See context-parts.h
 */
struct context *context_find(struct host *host, const struct lease *lease,
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
	const struct context *context = context_find(host, lease, err);

	return context ? iommufd_of(context) : -ESTALE;
}

/**
 * context_cdev() - See context.h
 */
int context_cdev(struct host *host, const struct lease *lease,
		 const char *device, struct error *err)
{
	const struct context *context = context_find(host, lease, err);

	return context ? cdev_of(context, lease, device) : -ESTALE;
}

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
		r = context_make_space(host, context, &nowhere,
				       &lease->spaces[i], err);
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
	const struct context *context = context_find(host, lease, err);
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
