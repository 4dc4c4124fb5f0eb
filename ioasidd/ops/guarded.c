/* SPDX-License-Identifier: Apache-2.0
 *
 * guarded.c - leases whose holder has no iommufd: who is served, and until when
 */
#include "ops/guarded.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <time.h>

#include "base/log.h"
#include "ops/authorize.h"
#include "ops/context.h"
#include "ops/lease.h"
#include "store/fdstore.h"

/* How long a request waits for another one of the same lease. */
#define TAKE_TIMEOUT_S 30

/* How long one waits for its holder's claim, which has sent the descriptors and
 * not yet recorded it.
 */
#define CLAIM_TIMEOUT_MS 5000

/**
 * holds() - Is the caller the process that holds a lease now, or is just getting
 *	     it?
 */
static bool holds(const struct lease *lease, const struct caller *caller)
{
	const struct holder *holder;

	if (!lease->n_holders || (lease->state != LEASE_HELD &&
				  lease->state != LEASE_CLAIMING))
		return false;
	holder = &lease->holders[lease->n_holders - 1];
	return holder->process.pid == caller->process.pid &&
	       holder->process.start_ticks == caller->process.start_ticks;
}

/**
 * guarded_holder() - See guarded.h
 */
bool guarded_holder(struct host *host, const struct caller *caller)
{
	struct registry *reg = host->registry;
	bool found = false;

	registry_lock(reg);
	for (size_t i = reg->n_leases; i-- > 0 && !found;)
		found = reg->leases[i]->mode == LEASE_GUARDED &&
			holds(reg->leases[i], caller);
	registry_unlock(reg);
	return found;
}

/**
 * guarded_check_store() - See guarded.h
 */
int guarded_check_store(const struct lease *lease, struct error *err)
{
	if (lease->mode != LEASE_GUARDED || lease->volatile_lease ||
	    fdstore_room())
		return 0;
	return error_set(err, -ENOTCONN, ERROR_STORE_ABSENT,
			 "the lease is not volatile, and there is no file descriptor store");
}

/**
 * check() - Can something be mapped for the caller now?
 *
 * Return: 0; -EINVAL memory.mode, lease.state; -EPERM lease.not-claimant; -ESTALE
 * context.lost.
 */
static int check(const struct lease *lease, const struct caller *caller,
		 struct error *err)
{
	if (lease->mode != LEASE_GUARDED)
		return error_set(err, -EINVAL, ERROR_MEMORY_MODE,
				 "%s is of mode %s", lease->name,
				 lease_mode_name(lease->mode));
	if (lease->state != LEASE_HELD &&
	    (lease->state != LEASE_CLAIMING || holds(lease, caller)))
		return error_set(err, -EINVAL, ERROR_LEASE_STATE,
				 "%s is %s, not held", lease->name,
				 lease_state_name(lease->state));
	if (!holds(lease, caller))
		return error_set(err, -EPERM, ERROR_LEASE_NOT_CLAIMANT,
				 "%s is not held by process %d", lease->name,
				 (int)caller->process.pid);
	if (!lease->kept || atomic_load(&lease->mapped->closed))
		return error_set(err, -ESTALE, ERROR_CONTEXT_LOST,
				 "ioasidd has no descriptors of %s any more",
				 lease->name);
	return 0;
}

/**
 * look() - Find a lease for the caller, and copy it
 * @ret:	The copy
 *
 * Return: as check(); -ENOENT lease.not-found; -ENOMEM.
 */
static int look(struct host *host, const struct caller *caller,
		const char *name, struct lease **ret, struct error *err)
{
	const struct lease *lease;
	int r;

	registry_lock(host->registry);
	lease = registry_lease(host->registry, name);
	if (lease && !lease_visible(host->registry, lease, caller))
		lease = NULL;
	r = lease ? check(lease, caller, err) :
		    error_set(err, -ENOENT, ERROR_LEASE_NOT_FOUND,
			      "there is no lease '%s'", name);
	if (r == 0) {
		*ret = lease_copy(lease);
		r = *ret ? 0 : error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
					 "no memory");
	}
	registry_unlock(host->registry);
	error_object(r < 0 ? err : NULL, "%s", name);
	return r;
}

/**
 * wait_for_claim() - A holder can have its descriptors before that is recorded:
 *		      wait for that
 */
static void wait_for_claim(struct host *host, const struct caller *caller,
			   const char *name)
{
	struct lease *lease;
	char claim[NAME_SIZE];
	bool claiming;

	registry_lock(host->registry);
	lease = registry_lease(host->registry, name);
	claiming = lease && lease->state == LEASE_CLAIMING &&
		   holds(lease, caller);
	registry_unlock(host->registry);
	if (!claiming || lease_own(host, NULL, NULL, name, CLAIM_TIMEOUT_MS,
				   claim, &lease, NULL) < 0)
		return;
	lease_free(lease);
	lease_disown(host, claim);
}

/**
 * guarded_begin() - See guarded.h
 *
 * It is looked at twice: what was true may not be after waiting.
 */
int guarded_begin(struct host *host, const struct caller *caller,
		  const char *name, struct lease **ret, struct error *err)
{
	struct lease *first, *lease;
	struct mapped *mapped;
	struct timespec until;
	int r;

	wait_for_claim(host, caller, name);
	r = look(host, caller, name, &first, err);
	if (r < 0)
		return r;
	mapped = mapped_ref(first->mapped);
	lease_free(first);
	/* By the wall clock: ThreadSanitizer knows no pthread_mutex_clocklock(). */
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TAKE_TIMEOUT_S;
	if (pthread_mutex_timedlock(&mapped->busy, &until)) {
		mapped_unref(mapped);
		return error_set(err, -EBUSY, ERROR_DEVICE_BUSY,
				 "another request of %s has not ended",
				 name);
	}
	r = look(host, caller, name, &lease, err);
	if (r < 0)
		pthread_mutex_unlock(&mapped->busy);
	else
		*ret = lease;
	mapped_unref(mapped);	/* the copy has it */
	return r;
}

/**
 * guarded_done() - See guarded.h
 */
void guarded_done(struct lease *lease)
{
	pthread_mutex_unlock(&lease->mapped->busy);
	lease_free(lease);
}

/**
 * guarded_over() - See guarded.h
 */
bool guarded_over(const struct lease *lease, const struct caller *caller)
{
	struct pollfd holder = { .fd = caller->pidfd, .events = POLLIN };

	return atomic_load(&lease->mapped->closed) ||
	       poll(&holder, 1, 0) != 0;
}

/**
 * guarded_take() - See guarded.h
 */
struct mapped *guarded_take(const struct lease *lease)
{
	if (lease->mapped)
		pthread_mutex_lock(&lease->mapped->busy);
	return lease->mapped;
}

/**
 * guarded_leave() - See guarded.h
 */
void guarded_leave(struct mapped *mapped)
{
	if (mapped)
		pthread_mutex_unlock(&mapped->busy);
}

/**
 * guarded_end() - See guarded.h
 */
void guarded_end(const struct lease *lease)
{
	if (!lease->mapped)
		return;
	atomic_store(&lease->mapped->closed, true);
	guarded_leave(guarded_take(lease));
}

/**
 * drop_all() - Forget what was mapped for a lease; a store_fn
 * @data:	Its name
 */
static int drop_all(struct store_tx *tx, void *data, struct error *err)
{
	return store_drop_mappings(tx, data, err);
}

/**
 * guarded_fence() - See guarded.h
 */
void guarded_fence(struct host *host, struct lease *lease)
{
	struct error err = ERROR_NULL;
	uint64_t bytes;
	int r;

	r = context_fence(host, lease, &bytes, &err);
	if (r == 0) {
		mapped_clear(lease->mapped);
		r = store_write(host->store, drop_all, lease->name, &err);
	}
	if (r < 0)
		log_problem(LOG_LEVEL_ERROR, &err,
			    "%s: is not kept, and may be mapped until its holder ends",
			    lease->name);
	else
		log_notice("%s: is not kept, so nothing is mapped any more",
			   lease->name);
}

/**
 * guarded_stop() - See guarded.h
 */
void guarded_stop(struct host *host)
{
	struct registry *reg = host->registry;

	for (size_t i = 0; i < reg->n_leases; i++)
		if (reg->leases[i]->volatile_lease && reg->leases[i]->kept &&
		    reg->leases[i]->state != LEASE_ENDED)
			guarded_fence(host, reg->leases[i]);
}
