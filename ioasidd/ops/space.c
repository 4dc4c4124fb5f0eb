/* SPDX-License-Identifier: Apache-2.0
 *
 * space.c - spaces of hold and guarded leases: made, changed, ended
 *
 * Each change is the story of hold.h.
 */
#include "ops/space.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "model/tce.h"
#include "ops/attach-reasons.h"
#include "ops/authorize.h"
#include "ops/container.h"
#include "ops/context.h"
#include "ops/guarded.h"
#include "ops/hold.h"
#include "ops/journal.h"
#include "ops/lease.h"
#include "ops/quota.h"

/* Why there is no second space in a container, and no other change of the first
 * but of its windows.
 */
#define ONE_SPACE "a container is one space"
#define ALWAYS_ON "all devices of a lease are on its one space, the container, for as long as it is there"

/* --- planning --- */

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
	hold_describe(host->registry, draft, names, devices);
	/* A space may begin without devices. */
	if (names->n && devices[0].caps &&
	    devices[0].caps->backend == KERNEL_BACKEND_SPAPR)
		r = tce_place(devices, names->n, wishes, n_wishes, ret, ret_n,
			      err);
	else
		r = window_plan(devices, names->n, wishes, n_wishes, ret,
				ret_n, err);
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

	r = lease->n_spaces ? container_refuse(host, lease, ONE_SPACE, err) : 0;
	if (r < 0)
		return r;
	if (lease->n_spaces >= SPACES_MAX)
		return error_set(err, -EAGAIN, ERROR_LIMIT_SPACES,
				 "a lease has at most %d spaces", SPACES_MAX);
	ulid_make(ulid);
	str_format(space.name, sizeof(space.name), "spaces/%s", ulid);
	space.created_us = clock_real_us();
	/* All are on that of a container, whoever was named. */
	r = hold_whole_groups(draft, lease->container ? &lease->devices :
							&wish->devices,
			      &space.devices, err);
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
 * begin_of() - The same, of the lease that has a space
 * @change:	Names the space
 *
 * Return: as hold_begin(); -ENOENT space.not-found.
 */
static int begin_of(struct host *host, const struct caller *caller,
		    const struct change *change, struct hold_change *ret,
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
	r = *name ? hold_begin(host, caller, "space.change", name, change, ret,
			       err) : -ENOENT;
	if (r == 0) {
		ret->space = lease_space(ret->lease, change->name);
		if (ret->space)
			return 0;
		hold_end(ret);
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
 * add_space() - Make a space that was planned, and record it
 * @space:	The lease's in the end, then it is empty
 */
static int add_space(struct hold_change *s, struct space *space,
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
		lease_move(s->lease, &devices, NULL);
		r = lease_add_space(s->lease, space);
		if (r == 0)
			r = hold_record(s, err);
		if (r < 0) {
			context_put_back(s->host, before, &devices);
			(void)context_drop_space(s->host, before, &made, NULL);
		}
	}
	lease_free(before);
	return r == -ENOMEM ? hold_no_memory(err) : r;
}

/**
 * find_made() - The space that a caller has made with a request id; a
 *		 hold_find_fn
 */
static bool find_made(const struct lease *lease, const struct caller *caller,
		      const struct change *change, struct hold_made *ret)
{
	for (size_t i = 0; i < lease->n_spaces; i++) {
		const struct space *one = &lease->spaces[i];

		if (!str_eq(one->request_id, change->request_id) ||
		    !str_eq(one->maker, caller->principal))
			continue;
		*ret = (struct hold_made){ one->name, one->fingerprint };
		return true;
	}
	return false;
}

/**
 * create() - Make a space, with the lease ours
 * @space:	Planned
 */
static int create(struct hold_change *s, const struct caller *caller,
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
	struct hold_change s;
	int r;

	ret[0] = '\0';
	r = hold_replay(host, caller, change, find_made, ret, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = hold_begin(host, caller, "space.change", change->name, change, &s,
		       err);
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
	hold_end(&s);
	return r;
}

/**
 * in_the_way() - What keeps a space from being ended?
 *
 * Return: 0 for nothing; -EBUSY space.in-use.
 */
static int in_the_way(const struct lease *lease, const struct space *space,
		      struct error *err)
{
	size_t n = 0, first = 0;

	for (size_t i = lease->n_tables; i-- > 0;) {
		if (!str_eq(lease->tables[i].parent, space->name))
			continue;
		first = i;
		n++;
	}
	if (!n && !space->devices.n)
		return 0;
	if (space->devices.n)
		error_set(err, -EBUSY, ERROR_SPACE_IN_USE, "%s is on %s",
			  space->devices.items[0], space->name);
	else
		error_set(err, -EBUSY, ERROR_SPACE_IN_USE,
			  "%zu page table(s) hang on %s, such as %s", n,
			  space->name, lease->tables[first].name);
	error_object(err, "%s", space->name);
	for (size_t i = 0; i < lease->n_tables; i++)
		if (str_eq(lease->tables[i].parent, space->name))
			error_cause(err, "page-table", lease->tables[i].name,
				    "hangs on it");
	return -EBUSY;
}

/**
 * drop() - End the space, and record it
 */
static int drop(struct hold_change *s, struct error *err)
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
	struct hold_change s;
	int r;

	r = begin_of(host, caller, change, &s, err);
	if (r < 0)
		return r;
	str_copy(ret_lease, NAME_SIZE, s.lease->name);
	r = container_refuse(s.host, s.lease, ALWAYS_ON, err);
	if (r == 0)
		r = in_the_way(s.lease, s.space, err);
	if (r == 0 && space_copy(s.space, &was) < 0)
		r = hold_no_memory(err);
	if (r == 0 && !change->dry_run)
		r = drop(&s, err);
	if (r < 0)
		space_deinit(&was);
	else
		*ret = was;
	hold_end(&s);
	return r;
}

/**
 * promise() - Let the space promise other windows, and record it
 * @windows:	Them; the space's in the end
 */
static int promise(struct hold_change *s, struct window *windows, size_t n,
		   struct error *err)
{
	struct lease *before = lease_copy(s->lease);
	struct space *was;
	int r;

	if (!before) {
		free(windows);
		return hold_no_memory(err);
	}
	free(s->space->windows);
	s->space->windows = windows;
	s->space->n_windows = n;
	was = lease_space(before, s->space->name);
	r = context_promise(s->host, s->lease, s->space, err);
	if (r == 0)
		r = hold_record(s, err);
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
static int check_guarded(const struct hold_change *s, const struct window *windows,
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
	_cleanup_strv_ struct strv users = STRV_NULL;
	struct window *windows = NULL;
	struct mapped *mapped;
	size_t n_windows = 0;
	struct hold_change s;
	int r;

	r = begin_of(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = lease_users_of(s.lease, s.space, &users) < 0 ?
		hold_no_memory(err) :
		place(host, &s.draft, &users, wishes, n, &windows, &n_windows,
		      err);
	mapped = guarded_take(s.lease);
	if (r == 0 && mapped) {
		r = check_guarded(&s, windows, n_windows, err);
		if (r < 0)
			free(windows);
	}
	if (r == 0 && !change->dry_run) {
		r = promise(&s, windows, n_windows, err);
	} else if (r == 0) {
		r = space_copy(s.space, ret_dry) < 0 ? hold_no_memory(err) : 0;
		free(r == 0 ? ret_dry->windows : windows);
		if (r == 0) {
			ret_dry->windows = windows;
			ret_dry->n_windows = n_windows;
		}
	}
	guarded_leave(mapped);
	hold_end(&s);
	return r;
}

/**
 * attach() - Put devices on the space, and record it
 * @devices:	Names
 */
static int attach(struct hold_change *s, const struct strv *devices,
		  struct error *err)
{
	struct lease *before = lease_copy(s->lease);
	int r;

	if (!before)
		return hold_no_memory(err);
	r = context_attach(s->host, s->lease, devices,
			   s->space->kernel_id, err);
	if (r < 0)
		attach_reasons(&s->draft, before, s->space, -r, err);
	if (r == 0) {
		lease_move(s->lease, devices, s->space->name);
		for (size_t i = 0; i < devices->n && r == 0; i++)
			if (!strv_has(&s->space->devices, devices->items[i]))
				r = strv_add(&s->space->devices,
					     devices->items[i]);
		if (r == 0)
			r = hold_record(s, err);
		if (r < 0)
			context_put_back(s->host, before, devices);
	}
	lease_free(before);
	return r == -ENOMEM ? hold_no_memory(err) : r;
}

/**
 * detach() - Take devices off the space, and record it
 * @devices:	Names
 */
static int detach(struct hold_change *s, const struct strv *devices,
		  struct error *err)
{
	struct lease *before = lease_copy(s->lease);
	int r;

	if (!before)
		return hold_no_memory(err);
	r = context_detach(s->host, s->lease, devices, err);
	if (r == 0) {
		lease_move(s->lease, devices, NULL);
		r = hold_record(s, err);
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
	struct hold_change s;
	int r;

	r = begin_of(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = container_refuse(s.host, s.lease, ALWAYS_ON, err);
	if (r == 0)
		r = strv_add(&one, device) < 0 ?
			    hold_no_memory(err) :
			    hold_whole_groups(&s.draft, &one, &all, err);
	if (r == 0)
		r = hold_check_windows(&s, &all, s.space, err);
	if (r == 0 && !change->dry_run)
		r = attach(&s, &all, err);
	hold_end(&s);
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
	struct hold_change s;
	int r;

	r = begin_of(host, caller, change, &s, err);
	if (r < 0)
		return r;
	r = container_refuse(s.host, s.lease, ALWAYS_ON, err);
	if (r == 0)
		r = strv_add(&one, device) < 0 ?
			    hold_no_memory(err) :
			    hold_whole_groups(&s.draft, &one, &all, err);
	if (r == 0 && !strv_has(&s.space->devices, device)) {
		r = error_set(err, -EINVAL, ERROR_SPACE_NOT_ATTACHED,
			      "%s is not on %s", device, s.space->name);
		error_object(err, "%s", device);
	}
	if (r == 0 && !change->dry_run)
		r = detach(&s, &all, err);
	hold_end(&s);
	return r;
}
