/* SPDX-License-Identifier: Apache-2.0
 *
 * hold.c - what changes of a hold or guarded lease have in common
 */
#include "ops/hold.h"

#include <errno.h>

#include "ops/authorize.h"
#include "ops/context.h"
#include "ops/context-tables.h"
#include "ops/journal.h"
#include "ops/lease.h"

/* How long a change waits for another one of the lease. */
#define OWN_TIMEOUT_MS 10000

/* --- devices --- */

/**
 * hold_device() - See hold.h
 */
const struct device *hold_device(const struct draft *draft, const char *name,
				 struct error *err)
{
	for (size_t i = 0; i < draft->n; i++)
		if (str_eq(draft->copies[i].name, name))
			return &draft->copies[i];
	error_set(err, -EINVAL, ERROR_LEASE_DEVICES,
		  "%s is no device of the lease", name);
	error_object(err, "%s", name);
	return NULL;
}

/**
 * hold_whole_groups() - See hold.h
 */
int hold_whole_groups(const struct draft *draft, const struct strv *names,
		      struct strv *ret, struct error *err)
{
	size_t i, k;

	for (i = 0; i < names->n; i++) {
		const struct device *device =
			hold_device(draft, names->items[i], err);

		if (!device)
			return -EINVAL;
		for (k = 0; k < draft->n; k++) {
			const struct device *other = &draft->copies[k];

			/* What is gone is in no group. */
			if ((other != device &&
			     (device->facts.group < 0 ||
			      other->facts.group != device->facts.group)) ||
			    strv_has(ret, other->name))
				continue;
			if (strv_add(ret, other->name) < 0)
				return hold_no_memory(err);
		}
	}
	return 0;
}

/**
 * hold_describe() - See hold.h
 */
void hold_describe(struct registry *reg, const struct draft *draft,
		   const struct strv *names, struct window_device *ret)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct device *device =
			hold_device(draft, names->items[i], NULL);

		ret[i] = window_device(device, registry_group_of(reg, device));
	}
}

/* --- a change of a lease's spaces --- */

/**
 * hold_check_windows() - See hold.h
 */
int hold_check_windows(struct hold_change *s, const struct strv *devices,
		       const struct space *space, struct error *err)
{
	struct window_device described[LEASE_DEVICES_MAX];
	int r = 0;

	registry_lock(s->host->registry);
	hold_describe(s->host->registry, &s->draft, devices, described);
	for (size_t i = 0; i < devices->n && r == 0; i++)
		r = window_check(&described[i], space->windows,
				 space->n_windows, err);
	registry_unlock(s->host->registry);
	return r;
}

/* --- the change --- */

/**
 * check() - Can what the lease has in the kernel be changed?
 * @change:	What was asked for
 *
 * Return: 0; -EINVAL space.mode, lease.state; -ESTALE context.lost,
 * request.etag-mismatch.
 */
static int check(const struct lease *lease, const struct change *change,
		 struct error *err)
{
	char etag[24];

	etag_of(lease->revision, etag);
	if (!lease_is_kept(lease))
		return error_set(err, -EINVAL, ERROR_SPACE_MODE,
				 "%s is of mode %s: its holder makes its own spaces",
				 lease->name, lease_mode_name(lease->mode));
	if (lease->state == LEASE_RECLAIMING || lease->state == LEASE_ENDED)
		return error_set(err, -EINVAL, ERROR_LEASE_STATE,
				 "%s is %s", lease->name,
				 lease_state_name(lease->state));
	if (change->etag[0] && !str_eq(change->etag, etag))
		return error_set(err, -ESTALE, ERROR_REQUEST_ETAG_MISMATCH,
				 "%s has changed since etag '%s'", lease->name,
				 change->etag);
	if (!lease->kept)
		return error_set(err, -ESTALE, ERROR_CONTEXT_LOST,
				 "ioasidd has no descriptors of %s any more",
				 lease->name);
	return 0;
}

/**
 * hold_end() - See hold.h
 */
void hold_end(struct hold_change *s)
{
	draft_close(&s->draft);
	lease_free(s->lease);
	lease_disown(s->host, s->claim);
}

/**
 * hold_begin() - See hold.h
 */
int hold_begin(struct host *host, const struct caller *caller,
	       const char *permission, const char *lease,
	       const struct change *change, struct hold_change *ret,
	       struct error *err)
{
	int r;

	*ret = (struct hold_change){ .host = host, .draft = DRAFT_NULL };
	r = lease_own(host, caller, permission, lease, OWN_TIMEOUT_MS,
		      ret->claim, &ret->lease, err);
	if (r < 0)
		return r;
	r = check(ret->lease, change, err);
	if (r == 0)
		r = draft_open(host, &ret->lease->devices, &ret->draft, err);
	if (r < 0) {
		error_object(err, "%s", lease);
		hold_end(ret);
	}
	return r;
}

/**
 * read_all() - Read anew what the kernel says of each space and page table: a
 *		space that a device has left can have become wider
 *
 * Return: 0; -errno of the first that cannot be read.
 */
static int read_all(struct hold_change *s, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < s->lease->n_spaces && r == 0; i++)
		r = context_read(s->host, s->lease, &s->lease->spaces[i],
				 err);
	for (size_t i = 0; i < s->lease->n_tables && r == 0; i++)
		r = context_read_table(s->host, s->lease,
				       &s->lease->tables[i], err);
	return r;
}

/**
 * hold_record() - See hold.h
 */
int hold_record(struct hold_change *s, struct error *err)
{
	const struct commit commit = { .lease = s->lease };
	int r = read_all(s, err);

	return r < 0 ? r : commit_write(s->host, &commit, err);
}

/**
 * hold_no_memory() - See hold.h
 */
int hold_no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY, "no memory");
}

/**
 * hold_replay() - See hold.h
 */
int hold_replay(struct host *host, const struct caller *caller,
		const struct change *change, hold_find_fn *find,
		char ret[NAME_SIZE], struct error *err)
{
	const struct lease *lease;
	struct hold_made made;
	int r = 0;

	if (!*change->request_id)
		return 0;
	registry_lock(host->registry);
	lease = registry_lease(host->registry, change->name);
	if (lease && lease_visible(host->registry, lease, caller) &&
	    find(lease, caller, change, &made)) {
		str_copy(ret, NAME_SIZE, made.name);
		r = same_wish(made.fingerprint, change->fingerprint) ?
			    1 : -EEXIST;
	}
	registry_unlock(host->registry);
	return r < 0 ? refuse_reuse(change->request_id, ret, err) : r;
}
