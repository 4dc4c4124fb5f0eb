/* SPDX-License-Identifier: Apache-2.0
 *
 * space.c - spaces of hold leases: made, changed, ended
 *
 * Each change is the same story: the lease is ours (lease_own()), what is asked
 * for is checked against what its devices can do, the kernel is asked, and what
 * has become of it is made durable with the lease. If it cannot be, the kernel
 * is asked to take it back.
 */
#include "ops/space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ops/attach-reasons.h"
#include "ops/authorize.h"
#include "ops/context.h"
#include "ops/guarded.h"
#include "ops/journal.h"
#include "ops/lease.h"
#include "ops/quota.h"

/* How long a change waits for another one of the lease. */
#define OWN_TIMEOUT_MS 10000

/* --- planning --- */

/**
 * copy_of() - A draft's copy of a device
 *
 * Return: it; NULL with lease.devices: it is none of the lease's.
 */
static const struct device *copy_of(const struct draft *draft,
				    const char *name, struct error *err)
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
 * whole_groups() - A device, and those of the lease that are in its group
 * @names:	Which devices
 * @ret:	All of them, each once
 *
 * Return: 0; -EINVAL lease.devices; -ENOMEM.
 */
static int whole_groups(const struct draft *draft, const struct strv *names,
			struct strv *ret, struct error *err)
{
	size_t i, k;

	for (i = 0; i < names->n; i++) {
		const struct device *device =
			copy_of(draft, names->items[i], err);

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
				return error_set(err, -ENOMEM,
						 ERROR_DAEMON_NO_MEMORY,
						 "no memory");
		}
	}
	return 0;
}

/**
 * describe() - What planning knows of devices
 * @names:	Which
 * @ret:	Room for as many; borrowed from draft and registry
 *
 * Under the registry's lock.
 */
static void describe(struct registry *reg, const struct draft *draft,
		     const struct strv *names, struct window_device *ret)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct device *device =
			copy_of(draft, names->items[i], NULL);

		ret[i] = window_device(device, registry_group_of(reg, device));
	}
}

/**
 * place() - Place windows for devices
 * @names:	The devices, of @draft
 * @ret:	The windows; to be freed. NULL if none are wished
 */
static int place(struct host *host, const struct draft *draft,
		 const struct strv *names, const struct window_wish *wishes,
		 size_t n_wishes, struct window **ret, size_t *ret_n,
		 struct error *err)
{
	struct window_device devices[LEASE_DEVICES_MAX];
	int r;

	*ret = NULL;
	*ret_n = 0;
	if (!n_wishes)
		return 0;
	registry_lock(host->registry);
	describe(host->registry, draft, names, devices);
	r = window_plan(devices, names->n, wishes, n_wishes, ret, ret_n, err);
	registry_unlock(host->registry);
	return r;
}

/**
 * space_plan() - See space.h
 */
int space_plan(struct host *host, const struct draft *draft,
	       const struct lease *lease, const struct space_wish *wish,
	       struct space *ret, struct error *err)
{
	_cleanup_space_ struct space space = SPACE_NULL;
	char ulid[ULID_SIZE];
	int r;

	if (lease->n_spaces >= SPACES_MAX)
		return error_set(err, -EAGAIN, ERROR_LIMIT_SPACES,
				 "a lease has at most %d spaces", SPACES_MAX);
	ulid_make(ulid);
	str_format(space.name, sizeof(space.name), "spaces/%s", ulid);
	space.created_us = clock_real_us();
	r = whole_groups(draft, &wish->devices, &space.devices, err);
	if (r == 0)
		r = place(host, draft, &space.devices, wish->windows,
			  wish->n_windows, &space.windows, &space.n_windows,
			  err);
	if (r == 0 && strv_copy(&wish->labels, &space.labels) < 0)
		r = error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
			      "no memory");
	if (r < 0)
		return r;
	*ret = space;
	space = SPACE_NULL;
	return 0;
}

/**
 * same_windows() - Do two spaces promise the same?
 */
static bool same_windows(const struct space *one, const struct space *other)
{
	size_t i = 0;

	while (i < one->n_windows && i < other->n_windows &&
	       one->windows[i].start == other->windows[i].start &&
	       one->windows[i].last == other->windows[i].last)
		i++;
	return i == one->n_windows && i == other->n_windows;
}

/**
 * space_same_windows() - See space.h
 */
int space_same_windows(const struct lease *lease, struct error *err)
{
	for (size_t i = 1; lease->mode == LEASE_GUARDED &&
			   i < lease->n_spaces; i++)
		if (!same_windows(&lease->spaces[0], &lease->spaces[i]))
			return error_set(err, -EINVAL,
					 ERROR_SPACE_WINDOWS_DIFFER,
					 "space %zu of the lease would have other windows than the first",
					 i + 1);
	return 0;
}

/* --- a change of a lease's spaces --- */

/**
 * struct spacing - A change of spaces at work
 * @host:	The host
 * @claim:	Of the lease's devices
 * @lease:	A copy of the lease, what it is to become
 * @draft:	Its devices
 * @space:	The one of @lease that is changed; NULL for a new one
 */
struct spacing {
	struct host *host;
	char claim[NAME_SIZE];
	struct lease *lease;
	struct draft draft;
	struct space *space;
};

/**
 * check() - Can spaces of the lease be changed?
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
 * end() - Let go of the lease
 */
static void end(struct spacing *s)
{
	draft_close(&s->draft);
	lease_free(s->lease);
	lease_disown(s->host, s->claim);
}

/**
 * begin() - Make the lease ours, and see whether its spaces can be changed
 * @lease:	Its name
 * @ret:	Ends with end()
 *
 * Return: 0; -ENOENT lease.not-found; -EBUSY device.busy; as check().
 */
static int begin(struct host *host, const struct caller *caller,
		 const char *lease, const struct change *change,
		 struct spacing *ret, struct error *err)
{
	int r;

	*ret = (struct spacing){ .host = host, .draft = DRAFT_NULL };
	r = lease_own(host, caller, "space.change", lease,
		      OWN_TIMEOUT_MS, ret->claim, &ret->lease, err);
	if (r < 0)
		return r;
	r = check(ret->lease, change, err);
	if (r == 0)
		r = draft_open(host, &ret->lease->devices, &ret->draft, err);
	if (r < 0) {
		error_object(err, "%s", lease);
		end(ret);
	}
	return r;
}

/**
 * begin_of() - The same, of the lease that has a space
 * @change:	Names the space
 *
 * Return: as begin(); -ENOENT space.not-found.
 */
static int begin_of(struct host *host, const struct caller *caller,
		    const struct change *change, struct spacing *ret,
		    struct error *err)
{
	const struct lease *lease;
	char name[NAME_SIZE] = "";
	int r;

	registry_lock(host->registry);
	lease = registry_lease_of_space(host->registry, change->name);
	if (lease && lease_visible(host->registry, lease, caller))
		str_copy(name, sizeof(name), lease->name);
	registry_unlock(host->registry);
	r = *name ? begin(host, caller, name, change, ret, err) : -ENOENT;
	if (r == 0) {
		ret->space = lease_space(ret->lease, change->name);
		if (ret->space)
			return 0;
		end(ret);
		r = -ENOENT;
	}
	if (r == -ENOENT) {
		error_set(err, r, ERROR_SPACE_NOT_FOUND,
			  "there is no space '%s'", change->name);
		error_object(err, "%s", change->name);
	}
	return r;
}

/**
 * move() - In the lease, take devices off the spaces they are on
 * @but:	Not off this one
 */
static void move(struct lease *lease, const struct strv *devices,
		 const struct space *but)
{
	for (size_t i = 0; i < lease->n_spaces; i++)
		for (size_t k = 0; k < devices->n; k++)
			if (&lease->spaces[i] != but)
				strv_remove(&lease->spaces[i].devices,
					    devices->items[k]);
}

/**
 * read_all() - Read anew what the kernel says of each space: one that a device
 *		has left can have become wider
 *
 * Return: 0; -errno of the first that cannot be read.
 */
static int read_all(struct spacing *s, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < s->lease->n_spaces && r == 0; i++)
		r = context_read(s->host, s->lease, &s->lease->spaces[i],
				 err);
	return r;
}

/**
 * record() - Read what the kernel says, make all of it durable, and show it
 *
 * Afterwards s->lease is what the lease was before.
 */
static int record(struct spacing *s, struct error *err)
{
	const struct commit commit = { .lease = s->lease };
	int r = read_all(s, err);

	return r < 0 ? r : commit_write(s->host, &commit, err);
}

/* no_memory() - Say so. Return: -ENOMEM. */
static int no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY, "no memory");
}

/**
 * add_space() - Make a space that was planned, and record it
 * @space:	The lease's in the end, then it is empty
 */
static int add_space(struct spacing *s, struct space *space,
		     struct error *err)
{
	_cleanup_strv_ struct strv devices = STRV_NULL;
	struct lease *before = lease_copy(s->lease);
	struct space made = SPACE_NULL;
	int r = before ? strv_copy(&space->devices, &devices) : -ENOMEM;

	if (r == 0)
		r = context_add_space(s->host, s->lease, space, err);
	if (r == 0) {
		made.kernel_id = space->kernel_id;
		move(s->lease, &devices, NULL);
		r = lease_add_space(s->lease, space);
		if (r == 0)
			r = record(s, err);
		if (r < 0) {
			context_put_back(s->host, before, &devices);
			(void)context_drop_space(s->host, before, &made, NULL);
		}
	}
	lease_free(before);
	return r == -ENOMEM ? no_memory(err) : r;
}

/**
 * find_made() - The space that a caller has made with a request id
 *
 * Return: it; NULL if there is none of it.
 */
static const struct space *find_made(const struct lease *lease,
				     const struct caller *caller,
				     const struct change *change)
{
	for (size_t i = 0; i < lease->n_spaces; i++)
		if (str_eq(lease->spaces[i].request_id, change->request_id) &&
		    str_eq(lease->spaces[i].maker, caller->principal))
			return &lease->spaces[i];
	return NULL;
}

/**
 * replay() - Has the caller asked for this space before?
 * @change:	What is asked for
 * @ret:	Name of the space that was made then
 *
 * Looked at before all else: the etag that was right then is another one now.
 *
 * Return: 1 if so; 0 if not; -EEXIST request.id-reused.
 */
static int replay(struct host *host, const struct caller *caller,
		  const struct change *change, char ret[NAME_SIZE],
		  struct error *err)
{
	const struct space *made = NULL;
	const struct lease *lease;
	int r = 0;

	if (!*change->request_id)
		return 0;
	registry_lock(host->registry);
	lease = registry_lease(host->registry, change->name);
	if (lease && lease_visible(host->registry, lease, caller))
		made = find_made(lease, caller, change);
	if (made) {
		str_copy(ret, NAME_SIZE, made->name);
		r = same_wish(made->fingerprint, change->fingerprint) ?
			    1 : -EEXIST;
	}
	registry_unlock(host->registry);
	return r < 0 ? refuse_reuse(change->request_id, ret, err) : r;
}

/**
 * create() - Make a space, with the lease ours
 * @space:	Planned
 */
static int create(struct spacing *s, const struct caller *caller,
		  const struct change *change, struct space *space,
		  char ret[NAME_SIZE], struct error *err)
{
	int r;

	(void)str_copy(space->request_id, sizeof(space->request_id),
		       change->request_id); /* its length was checked */
	(void)str_copy(space->fingerprint, sizeof(space->fingerprint),
		       change->fingerprint); /* as long */
	(void)str_copy(space->maker, sizeof(space->maker),
		       caller->principal); /* as long */
	str_copy(ret, NAME_SIZE, space->name);
	r = add_space(s, space, err);
	if (r < 0)
		ret[0] = '\0';
	return r;
}

/**
 * space_create() - See ops.h
 */
int space_create(struct host *host, const struct caller *caller,
		 const struct change *change, const struct space_wish *wish,
		 char ret[NAME_SIZE], struct space *ret_dry,
		 struct error *err)
{
	struct charge charge = { .more[QUOTA_SPACES] = 1 };
	_cleanup_space_ struct space space = SPACE_NULL;
	struct spacing s;
	int r;

	ret[0] = '\0';
	r = replay(host, caller, change, ret, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = begin(host, caller, change->name, change, &s, err);
	if (r < 0)
		return r;
	str_copy(charge.owner, sizeof(charge.owner), s.lease->owner);
	r = quota_begin(host, &charge, err);
	if (r == 0)
		r = space_plan(host, &s.draft, s.lease, wish, &space, err);
	if (r == 0 && s.lease->mode == LEASE_GUARDED && s.lease->n_spaces &&
	    !same_windows(&s.lease->spaces[0], &space))
		r = error_set(err, -EINVAL, ERROR_SPACE_WINDOWS_DIFFER,
			      "%s has other windows", s.lease->spaces[0].name);
	if (r == 0 && change->dry_run) {
		space.name[0] = '\0';
		*ret_dry = space;
		space = SPACE_NULL;
	} else if (r == 0) {
		r = create(&s, caller, change, &space, ret, err);
	}
	quota_end(host, &charge);
	end(&s);
	return r;
}

/**
 * drop() - End the space, and record it
 */
static int drop(struct spacing *s, struct error *err)
{
	const struct commit commit = { .lease = s->lease };
	struct mapped *mapped;
	int r;

	mapped = guarded_take(s->lease);
	r = context_drop_space(s->host, s->lease, s->space, err);
	if (r == 0) {
		if (mapped)
			mapped_drop_space(mapped, s->space->name);
		lease_drop_space(s->lease,
				 (size_t)(s->space - s->lease->spaces));
		/* There is no way back. */
		r = commit_insist(s->host, &commit, err);
	}
	guarded_leave(mapped);
	return r;
}

/**
 * space_delete() - See ops.h
 */
int space_delete(struct host *host, const struct caller *caller,
		 const struct change *change, struct space *ret,
		 char ret_lease[NAME_SIZE], struct error *err)
{
	struct space was = SPACE_NULL;
	struct spacing s;
	int r;

	r = begin_of(host, caller, change, &s, err);
	if (r < 0)
		return r;
	str_copy(ret_lease, NAME_SIZE, s.lease->name);
	if (s.space->devices.n) {
		r = error_set(err, -EBUSY, ERROR_SPACE_IN_USE,
			      "%s is on %s", s.space->devices.items[0],
			      s.space->name);
		error_object(err, "%s", s.space->name);
	}
	if (r == 0 && space_copy(s.space, &was) < 0)
		r = no_memory(err);
	if (r == 0 && !change->dry_run)
		r = drop(&s, err);
	if (r < 0)
		space_deinit(&was);
	else
		*ret = was;
	end(&s);
	return r;
}

/**
 * promise() - Let the space promise other windows, and record it
 * @windows:	Them; the space's in the end
 */
static int promise(struct spacing *s, struct window *windows, size_t n,
		   struct error *err)
{
	struct lease *before = lease_copy(s->lease);
	struct space *was;
	int r;

	if (!before) {
		free(windows);
		return no_memory(err);
	}
	free(s->space->windows);
	s->space->windows = windows;
	s->space->n_windows = n;
	was = lease_space(before, s->space->name);
	r = context_promise(s->host, s->lease, s->space, err);
	if (r == 0)
		r = record(s, err);
	if (r < 0)
		(void)context_promise(s->host, before, was, NULL);
	lease_free(before);
	return r;
}

/**
 * check_guarded() - May a guarded lease's space have these windows?
 * @windows:	Them
 *
 * With what is mapped taken.
 *
 * Return: 0; -EINVAL space.windows-differ, memory.outside-windows.
 */
static int check_guarded(const struct spacing *s, const struct window *windows,
			 size_t n, struct error *err)
{
	const struct space wanted = { .windows = (struct window *)windows,
				      .n_windows = n };
	struct mapping mapping;
	uint64_t at = 0;
	int r = 0;

	for (size_t i = 0; i < s->lease->n_spaces; i++)
		if (&s->lease->spaces[i] != s->space &&
		    !same_windows(&s->lease->spaces[i], &wanted))
			return error_set(err, -EINVAL,
					 ERROR_SPACE_WINDOWS_DIFFER,
					 "%s has other windows",
					 s->lease->spaces[i].name);
	while (r == 0 &&
	       mapped_next(s->lease->mapped, s->space->name, at, &mapping)) {
		at = mapping.iova + (mapping.length - 1);
		if (!mapping_inside(&mapping, windows, n))
			r = error_set(err, -EINVAL,
				      ERROR_MEMORY_OUTSIDE_WINDOWS,
				      "0x%llx bytes at 0x%llx are mapped",
				      (unsigned long long)mapping.length,
				      (unsigned long long)mapping.iova);
		else if (at++ == UINT64_MAX)
			break;
	}
	error_object(r < 0 ? err : NULL, "%s", s->space->name);
	return r;
}

/**
 * space_set_windows() - See ops.h
 */
int space_set_windows(struct host *host, const struct caller *caller,
		      const struct change *change,
		      const struct window_wish *wishes, size_t n,
		      struct space *ret_dry, struct error *err)
{
	struct window *windows = NULL;
	struct mapped *mapped;
	size_t n_windows = 0;
	struct spacing s;
	int r;

	r = begin_of(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = place(host, &s.draft, &s.space->devices, wishes, n, &windows,
		  &n_windows, err);
	mapped = guarded_take(s.lease);
	if (r == 0 && mapped) {
		r = check_guarded(&s, windows, n_windows, err);
		if (r < 0)
			free(windows);
	}
	if (r == 0 && !change->dry_run) {
		r = promise(&s, windows, n_windows, err);
	} else if (r == 0) {
		r = space_copy(s.space, ret_dry) < 0 ? no_memory(err) : 0;
		free(r == 0 ? ret_dry->windows : windows);
		if (r == 0) {
			ret_dry->windows = windows;
			ret_dry->n_windows = n_windows;
		}
	}
	guarded_leave(mapped);
	end(&s);
	return r;
}

/**
 * check_windows() - Can devices be used with what the space promises?
 * @devices:	Names
 *
 * Return: 0; -EADDRINUSE window.unavailable; -EBUSY device.not-ready.
 */
static int check_windows(struct spacing *s, const struct strv *devices,
			 struct error *err)
{
	struct window_device described[LEASE_DEVICES_MAX];
	int r = 0;

	registry_lock(s->host->registry);
	describe(s->host->registry, &s->draft, devices, described);
	for (size_t i = 0; i < devices->n && r == 0; i++)
		r = window_check(&described[i], s->space->windows,
				 s->space->n_windows, err);
	registry_unlock(s->host->registry);
	return r;
}

/**
 * attach() - Put devices on the space, and record it
 * @devices:	Names
 */
static int attach(struct spacing *s, const struct strv *devices,
		  struct error *err)
{
	struct lease *before = lease_copy(s->lease);
	int r;

	if (!before)
		return no_memory(err);
	r = context_attach(s->host, s->lease, devices, s->space, err);
	if (r < 0)
		attach_reasons(&s->draft, before, s->space, -r, err);
	if (r == 0) {
		move(s->lease, devices, s->space);
		for (size_t i = 0; i < devices->n && r == 0; i++)
			if (!strv_has(&s->space->devices, devices->items[i]))
				r = strv_add(&s->space->devices,
					     devices->items[i]);
		if (r == 0)
			r = record(s, err);
		if (r < 0)
			context_put_back(s->host, before, devices);
	}
	lease_free(before);
	return r == -ENOMEM ? no_memory(err) : r;
}

/**
 * detach() - Take devices off the space, and record it
 * @devices:	Names
 */
static int detach(struct spacing *s, const struct strv *devices,
		  struct error *err)
{
	struct lease *before = lease_copy(s->lease);
	int r;

	if (!before)
		return no_memory(err);
	r = context_detach(s->host, s->lease, devices, err);
	if (r == 0) {
		move(s->lease, devices, NULL);
		r = record(s, err);
	}
	if (r < 0)
		context_put_back(s->host, before, devices);
	lease_free(before);
	return r;
}

/**
 * space_attach() - See ops.h
 */
int space_attach(struct host *host, const struct caller *caller,
		 const struct change *change, const char *device,
		 struct error *err)
{
	_cleanup_strv_ struct strv one = STRV_NULL, all = STRV_NULL;
	struct spacing s;
	int r;

	r = begin_of(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = strv_add(&one, device) < 0 ? no_memory(err) :
		whole_groups(&s.draft, &one, &all, err);
	if (r == 0)
		r = check_windows(&s, &all, err);
	if (r == 0 && !change->dry_run)
		r = attach(&s, &all, err);
	end(&s);
	return r;
}

/**
 * space_detach() - See ops.h
 */
int space_detach(struct host *host, const struct caller *caller,
		 const struct change *change, const char *device,
		 struct error *err)
{
	_cleanup_strv_ struct strv one = STRV_NULL, all = STRV_NULL;
	struct spacing s;
	int r;

	r = begin_of(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = strv_add(&one, device) < 0 ? no_memory(err) :
		whole_groups(&s.draft, &one, &all, err);
	if (r == 0 && !strv_has(&s.space->devices, device)) {
		r = error_set(err, -EINVAL, ERROR_SPACE_NOT_ATTACHED,
			      "%s is not on %s", device, s.space->name);
		error_object(err, "%s", device);
	}
	if (r == 0 && !change->dry_run)
		r = detach(&s, &all, err);
	end(&s);
	return r;
}
