/* SPDX-License-Identifier: Apache-2.0
 *
 * lease.c - having a lease to oneself, ending it, hearing of it
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/authorize.h"
#include "ops/context.h"
#include "ops/journal.h"
#include "ops/lease.h"
#include "ops/memlock.h"
#include "ops/nodes.h"
#include "ops/watch.h"

/* How long a change of a lease waits for one that is at work. */
#define OWN_TIMEOUT_MS 2000

/**
 * etag_of() - See ops.h
 */
void etag_of(uint64_t revision, char ret[24])
{
	str_format(ret, 24, "%" PRIx64, revision);
}

/**
 * lease_end() - See lease.h
 */
void lease_end(struct lease *lease, const char *why)
{
	lease->state = LEASE_ENDED;
	lease->ended_us = clock_real_us();
	lease->kept = false;
	if (lease->mapped)
		mapped_clear(lease->mapped);
	lease_forget_ids(lease);
	lease->has_token = false;
	memset(lease->token_hash, 0, sizeof(lease->token_hash));
	str_copy(lease->end_reason, sizeof(lease->end_reason), why);
}

/**
 * not_found() - The one answer for no lease, and for none of the caller's
 * @name:	What was asked for
 */
static int not_found(const char *name, struct error *err)
{
	int r = error_set(err, -ENOENT, ERROR_LEASE_NOT_FOUND,
			  "there is no lease '%s'", name);

	error_object(err, "%s", name);
	return r;
}

/**
 * lease_own() - See lease.h
 */
int lease_own(struct host *host, const struct caller *caller,
	      const char *permission, const char *name, unsigned int timeout_ms,
	      char ret_claim[NAME_SIZE], struct lease **ret, struct error *err)
{
	struct registry *reg = host->registry;
	struct lease *copy = NULL, *before = NULL;
	char ulid[ULID_SIZE];
	int r;

	/* Every claim has a name of its own: two changes of one lease must not
	 * be taken for one.
	 */
	ulid_make(ulid);
	str_format(ret_claim, NAME_SIZE, "%s:%s", name, ulid);

	registry_lock(reg);
	*ret = registry_lease(reg, name);
	if (*ret && caller && !lease_visible(reg, *ret, caller))
		*ret = NULL;
	r = *ret ? 0 : not_found(name, err);
	if (r == 0 && caller)
		r = authorize_lease(reg, caller, permission, *ret, err);
	if (r == 0)
		before = lease_copy(*ret);
	if (r == 0 && !before)
		r = -ENOMEM;
	/* One that has ended changes no more, and its devices are others' now. */
	if (r == 0 && before->state != LEASE_ENDED)
		r = registry_claim_wait(reg, &before->devices, ret_claim,
					timeout_ms, NULL, err);
	/* It may have changed, or been forgotten, while we waited. */
	if (r == 0) {
		*ret = registry_lease(reg, name);
		r = *ret ? 0 : not_found(name, err);
		copy = *ret ? lease_copy(*ret) : NULL;
		if (!copy) {
			r = r ? r : -ENOMEM;
			registry_unclaim(reg, ret_claim);
		}
	}
	registry_unlock(reg);
	lease_free(before);
	if (r == -ENOMEM)
		error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory");
	if (r == 0)
		*ret = copy;
	return r;
}

/**
 * lease_disown() - See lease.h
 */
void lease_disown(struct host *host, const char *claim)
{
	registry_lock(host->registry);
	registry_unclaim(host->registry, claim);
	registry_unlock(host->registry);
}

/**
 * write_lease() - Commit a lease that goes on
 * @lease:	The caller's copy; changes places with the registry's
 *
 * Return: 0 or -errno.
 */
static int write_lease(struct host *host, struct lease *lease,
		       struct error *err)
{
	const struct commit commit = { .lease = lease };

	return commit_write(host, &commit, err);
}

/**
 * end_untouched() - End an offer whose descriptors nobody but us has had
 * @lease:	A copy of the lease; what it was before on success
 * @why:	Why
 *
 * When it can be seen that its devices are free we have let go of them: that
 * comes first, and is not taken back.
 *
 * Return: 0 or -errno.
 */
static int end_untouched(struct host *host, struct lease *lease,
			 const char *why, struct error *err)
{
	_cleanup_draft_ struct draft draft = DRAFT_NULL;
	const struct commit commit = {
		.lease = lease, .draft = &draft, .last = true,
	};
	const bool let_go = lease->kept;
	size_t i;
	int r;

	r = draft_open(host, &lease->devices, &draft, err);
	if (r < 0)
		return r;
	for (i = 0; i < draft.n; i++)
		draft.copies[i].lease[0] = '\0';
	context_close(host, lease);
	lease_end(lease, why);
	r = let_go ? commit_insist(host, &commit, err) :
		     commit_write(host, &commit, err);
	if (r == 0)
		journal_trim(host);
	return r;
}

/**
 * lease_end_offer() - See lease.h
 */
int lease_end_offer(struct host *host, struct lease *lease, const char *why,
		    struct error *err)
{
	int r;

	if (lease_is_kept(lease) && lease->incarnation)
		return lease_reclaim_owned(host, lease, why, err);
	r = end_untouched(host, lease, why, err);
	lease_free(lease);
	return r;
}

/**
 * release_held() - Take back from a live holder what can be taken: access to
 *		    nodes, and what it may lock
 * @lease:	A copy of the lease, held, with nodes; what it was before on
 *		success
 *
 * The holder may have its devices open: they are its own until it ends, and so is
 * the lease. It is not asked to end, nor made to.
 *
 * Return: 0 or -errno.
 */
static int release_held(struct host *host, struct lease *lease,
			struct error *err)
{
	int r;

	if (lease->released_us)
		return 0;
	r = nodes_close(host, lease, err);
	if (r == 0)
		r = memlock_lower(host, lease, err);
	if (r < 0)
		return r;
	lease->released_us = clock_real_us();
	return write_lease(host, lease, err);
}

/**
 * check_release() - Can a lease be released now?
 * @lease:	A copy of it, ours
 * @change:	What was asked for
 *
 * Return: 0; -ESTALE request.etag-mismatch; -EBUSY lease.held, lease.state.
 */
static int check_release(struct lease *lease, const struct change *change,
			 struct error *err)
{
	char etag[24];

	etag_of(lease->revision, etag);
	if (change->etag[0] && !str_eq(change->etag, etag))
		return error_set(err, -ESTALE, ERROR_REQUEST_ETAG_MISMATCH,
				 "%s has changed since etag '%s'",
				 change->name, change->etag);
	if (lease->state == LEASE_CLAIMING ||
	    (lease->state == LEASE_HELD && !lease->n_nodes))
		return error_set(err, -EBUSY, ERROR_LEASE_HELD,
				 "process %d (%s) has the descriptors of %s",
				 (int)lease_holder(lease)->process.pid,
				 lease_holder(lease)->process.comm,
				 lease->name);
	if (lease->state == LEASE_RECLAIMING)
		return error_set(err, -EBUSY, ERROR_LEASE_STATE,
				 "%s is being reclaimed already", lease->name);
	return 0;
}

/**
 * lease_release() - See ops.h
 */
int lease_release(struct host *host, const struct caller *caller,
		  const struct change *change, struct error *err)
{
	char claim[NAME_SIZE];
	struct lease *lease;
	int r;

	r = lease_own(host, caller, "lease.release", change->name,
		      OWN_TIMEOUT_MS, claim, &lease, err);
	if (r < 0)
		return r;
	r = check_release(lease, change, err);
	if (r < 0)
		error_object(err, "%s", change->name);

	/* Ended already: it is what was asked for. */
	if (r == 0 && lease->state == LEASE_OFFERED && !change->dry_run) {
		log_notice("%s: released by %s", change->name,
			   caller->principal);
		r = lease_end_offer(host, TAKE_PTR(lease), "released",
				    err);
	} else if (r == 0 && lease->state == LEASE_HELD && !change->dry_run) {
		log_notice("%s: release asked for by %s; its holder has its devices until it ends",
			   change->name, caller->principal);
		r = release_held(host, lease, err);
		error_object(r < 0 ? err : NULL, "%s", change->name);
	}
	lease_free(lease);
	lease_disown(host, claim);
	return r;
}

/**
 * check_reissue() - May the caller give a lease another token?
 * @lease:	The lease as it would be
 * @change:	What was asked for
 *
 * Return: 0; -ESTALE request.etag-mismatch; -EINVAL lease.state,
 * request.invalid; -EACCES.
 */
static int check_reissue(struct host *host, const struct caller *caller,
			 const struct lease *lease,
			 const struct change *change, struct error *err)
{
	char etag[24];

	etag_of(lease->revision, etag);
	if (change->etag[0] && !str_eq(change->etag, etag))
		return error_set(err, -ESTALE, ERROR_REQUEST_ETAG_MISMATCH,
				 "%s has changed since etag '%s'",
				 change->name, change->etag);
	if (lease->state != LEASE_OFFERED)
		return error_set(err, -EINVAL, ERROR_LEASE_STATE,
				 "%s is %s, not offered", lease->name,
				 lease_state_name(lease->state));
	if (lease->token_expires_us &&
	    lease->token_expires_us <= clock_real_us())
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "token_expires is in the past");
	return authorize_devices(host, caller, "lease.create",
				 &lease->devices, lease, true, err);
}

/**
 * lease_reissue() - See ops.h
 */
int lease_reissue(struct host *host, const struct caller *caller,
		  const struct change *change, const uint8_t *hash,
		  uint64_t expires_us, struct error *err)
{
	char claim[NAME_SIZE];
	struct lease *lease;
	int r;

	r = lease_own(host, caller, "lease.release", change->name,
		      OWN_TIMEOUT_MS, claim, &lease, err);
	if (r < 0)
		return r;
	lease->has_token = true;
	memcpy(lease->token_hash, hash, sizeof(lease->token_hash));
	lease->token_expires_us = expires_us;
	r = check_reissue(host, caller, lease, change, err);
	error_object(r < 0 ? err : NULL, "%s", change->name);
	if (r == 0 && !change->dry_run) {
		r = write_lease(host, lease, err);
		if (r == 0)
			log_notice("%s: given another token by %s",
				   change->name, caller->principal);
	}
	lease_free(lease);
	lease_disown(host, claim);
	return r;
}

/**
 * has_run_out() - Is it an offer whose time is over?
 * @lease:	NULL for none
 */
static bool has_run_out(const struct lease *lease)
{
	return lease && lease->state == LEASE_OFFERED && lease->expires_us &&
	       lease->expires_us <= clock_real_us();
}

/**
 * lease_expire() - See lease.h
 *
 * Offers are looked at each second: others of us may have been sent for the same
 * one, which must not all wait until it is ours.
 */
int lease_expire(struct host *host, const char *name)
{
	struct error err = ERROR_NULL;
	char claim[NAME_SIZE];
	struct lease *lease;
	bool due;

	registry_lock(host->registry);
	due = has_run_out(registry_lease(host->registry, name));
	registry_unlock(host->registry);
	if (!due)
		return 0;
	if (lease_own(host, NULL, NULL, name, OWN_TIMEOUT_MS, claim, &lease,
		      &err) < 0)
		return 0;	/* the next look at offers comes back to it */
	if (has_run_out(lease)) {
		if (lease_end_offer(host, TAKE_PTR(lease), LEASE_EXPIRED,
				    &err) < 0)
			log_problem(LOG_LEVEL_ERROR, &err, "%s: cannot expire",
				    name);
		else
			log_notice("%s: expired", name);
	}
	lease_free(lease);
	lease_disown(host, claim);
	return 0;
}

/**
 * lease_acknowledge() - See ops.h
 */
int lease_acknowledge(struct host *host, const struct caller *caller,
		      const struct change *change, struct error *err)
{
	const struct holder *holder;
	char claim[NAME_SIZE];
	struct lease *lease;
	int r;

	r = lease_own(host, caller, "lease.release", change->name,
		      OWN_TIMEOUT_MS, claim, &lease, err);
	if (r < 0)
		return r;
	holder = lease_holder(lease);
	if (lease->state != LEASE_HELD)
		r = error_set(err, -EINVAL, ERROR_LEASE_STATE,
			      "%s is %s, not held", lease->name,
			      lease_state_name(lease->state));
	else if (holder->process.pid != caller->process.pid ||
		 holder->process.start_ticks != caller->process.start_ticks)
		r = error_set(err, -EPERM, ERROR_LEASE_NOT_CLAIMANT,
			      "%s is held by process %d, not by process %d",
			      lease->name, (int)holder->process.pid,
			      (int)caller->process.pid);
	if (r < 0)
		error_object(err, "%s", change->name);
	if (r == 0 && !lease->acknowledged && !change->dry_run) {
		lease->acknowledged = true;
		r = write_lease(host, lease, err);
	}
	/* It may have its groups open, or be about to exec what opens them. */
	if (r == 0 && !change->dry_run && lease_is_open(lease))
		(void)watch_later(host, change->name,
				  nodes_look); /* told by its end, too */
	lease_free(lease);
	lease_disown(host, claim);
	return r;
}

/**
 * lease_note_silence() - See lease.h
 */
int lease_note_silence(struct host *host, const char *name)
{
	const struct lease *lease;

	registry_lock(host->registry);
	lease = registry_lease(host->registry, name);
	if (lease && lease->state == LEASE_HELD && !lease->acknowledged)
		log_warning("%s: handed over, unacknowledged; its holder is taken to have the descriptors",
			    name);
	registry_unlock(host->registry);
	return 0;
}
