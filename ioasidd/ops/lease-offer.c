/* SPDX-License-Identifier: Apache-2.0
 *
 * lease-offer.c - offering devices: a lease is made
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/authorize.h"
#include "ops/container.h"
#include "ops/context.h"
#include "ops/guarded.h"
#include "ops/journal.h"
#include "ops/lease.h"
#include "ops/nodes.h"
#include "ops/quota.h"
#include "ops/space.h"
#include "ops/watch.h"

/* What a VMM locks beside its guest's memory: firmware, queues, BARs. */
#define MEMLOCK_EXTRA (UINT64_C(64) << 20)

/* Offers are made one after the other, so that two of them cannot both fit
 * under max_pinned where only one does.
 */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/**
 * check_terms() - Are the terms of an offer such as can be offered?
 * @offer:	The offer
 *
 * Return: 0; -EINVAL request.invalid, lease.devices, lease.memlock.
 */
static int check_terms(const struct lease *offer, struct error *err)
{
	size_t i, j;

	if (offer->devices.n == 0 || offer->devices.n > LEASE_DEVICES_MAX)
		return error_set(err, -EINVAL, ERROR_LEASE_DEVICES,
				 "%zu devices; a lease has 1 to %d",
				 offer->devices.n, LEASE_DEVICES_MAX);
	for (i = 0; i < offer->devices.n; i++)
		for (j = 0; j < i; j++)
			if (str_eq(offer->devices.items[i],
				   offer->devices.items[j]))
				return error_set(err, -EINVAL,
						 ERROR_LEASE_DEVICES,
						 "%s is named twice",
						 offer->devices.items[i]);
	if (offer->labels.n > 2 * LEASE_LABELS_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "%zu labels; at most %d", offer->labels.n / 2,
				 LEASE_LABELS_MAX);
	if (offer->memlock_unlimited && offer->memlock)
		return error_set(err, -EINVAL, ERROR_LEASE_MEMLOCK,
				 "memlock is both unlimited and %" PRIu64 " bytes",
				 offer->memlock);
	if (offer->expires_us && offer->expires_us <= clock_real_us())
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "expires is in the past");
	if (offer->token_expires_us &&
	    offer->token_expires_us <= clock_real_us())
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "token_expires is in the past");
	return 0;
}

/**
 * authorize_offer() - May the caller offer these devices, to whom it is?
 * @caller:	Who makes it
 * @offer:	The offer
 *
 * Return: 0; -EACCES permission.denied, permission.native-socket-only.
 */
static int authorize_offer(struct host *host, const struct caller *caller,
			   const struct lease *offer, struct error *err)
{
	int r = authorize_devices(host, caller, "lease.create",
				  &offer->devices, offer, true, err);

	if (r == 0 && offer->memlock_unlimited)
		r = authorize_devices(host, caller, "lease.unlimited",
				      &offer->devices, offer, false, err);
	if (r == 0 && offer->shared_uid)
		r = authorize_devices(host, caller, "lease.shared-uid",
				      &offer->devices, offer, false, err);
	return r;
}

/**
 * check_devices() - Are the devices ready, and all of their groups named?
 * @draft:	The devices named
 * @endpoints:	All endpoints of their groups
 *
 * Return: 0; -EBUSY device.not-ready; -EINVAL lease.devices.
 */
static int check_devices(const struct draft *draft,
			 const struct strv *endpoints, struct error *err)
{
	size_t i, j;
	int r;

	for (i = 0; i < draft->n; i++) {
		const struct device *device = &draft->copies[i];

		if (device->state == DEVICE_READY)
			continue;
		r = error_set(err, -EBUSY, ERROR_DEVICE_NOT_READY,
			      "%s is %s%s%s%s%s", device->name,
			      device_state_name(device->state),
			      device->lease[0] ? " to " : "", device->lease,
			      device->record.reason[0] ? ": " : "",
			      device->record.reason);
		error_object(err, "%s", device->name);
		if (device->record.remedy[0])
			error_remedy(err, "%s", device->record.remedy);
		return r;
	}
	for (i = 0; i < endpoints->n; i++) {
		for (j = 0; j < draft->n; j++)
			if (str_eq(endpoints->items[i], draft->copies[j].name))
				break;
		if (j < draft->n)
			continue;
		r = error_set(err, -EINVAL, ERROR_LEASE_DEVICES,
			      "%s is in the group of a device named, but is not named itself",
			      endpoints->items[i]);
		error_object(err, "%s", endpoints->items[i]);
		return r;
	}
	return 0;
}

/**
 * check_contained() - Is there an IOMMU in front of each device of a guarded
 *		       lease?
 *
 * Without one nothing keeps its holder to what is mapped.
 *
 * Return: 0; -EINVAL lease.mode.
 */
static int check_contained(const struct lease *offer,
			   const struct draft *draft, struct error *err)
{
	for (size_t i = 0; i < draft->n; i++) {
		const struct device *device = &draft->copies[i];

		if (offer->mode != LEASE_GUARDED || !device->record.no_iommu)
			continue;
		error_set(err, -EINVAL, ERROR_LEASE_MODE,
			  "%s has no IOMMU that would guard against its holder",
			  device->name);
		error_object(err, "%s", device->name);
		error_remedy(err, "Trust the holder, and use transfer or hold");
		return -EINVAL;
	}
	return 0;
}

/**
 * check_backend() - Can devices be handed over in this mode, by what this kernel
 *		     has?
 * @offer:	The offer
 *
 * Return: 0; -EOPNOTSUPP backend.unsupported.
 */
static int check_backend(struct host *host, const struct lease *offer,
			 struct error *err)
{
	const enum kernel_backend backend = host_backend(host);

	switch (backend) {
	case KERNEL_BACKEND_NONE: /* nothing is ready there */
	case KERNEL_BACKEND_IOMMUFD:
		return 0;
	case KERNEL_BACKEND_TYPE1:
	case KERNEL_BACKEND_SPAPR:
		if (offer->mode != LEASE_GUARDED)
			return 0;
		break;
	case KERNEL_BACKEND_COUNT:
		break;
	}
	return error_set(err, -EOPNOTSUPP, ERROR_BACKEND_UNSUPPORTED,
			 "backend %s: devices cannot be leased in mode %s",
			 kernel_backend_name(backend),
			 lease_mode_name(offer->mode));
}

/**
 * check_pinned() - Do all live leases and this one fit under max_pinned?
 * @offer:	The offer
 *
 * Return: 0; -EDQUOT limit.pinned.
 */
static int check_pinned(struct host *host, const struct lease *offer,
			struct error *err)
{
	struct registry *reg = host->registry;
	uint64_t sum = 0;
	size_t i;

	registry_lock(reg);
	for (i = 0; i < reg->n_leases; i++)
		if (reg->leases[i]->state != LEASE_ENDED)
			sum += reg->leases[i]->memlock;
	registry_unlock(reg);
	if (sum <= host->max_pinned && offer->memlock <= host->max_pinned - sum)
		return 0;
	return error_set(err, -EDQUOT, ERROR_LIMIT_PINNED,
			 "%" PRIu64 " MiB wanted, %" PRIu64 " MiB are with live leases, max-pinned is %" PRIu64 " MiB",
			 offer->memlock >> 20, sum >> 20,
			 host->max_pinned >> 20);
}

/**
 * replay() - Has the caller made this offer before?
 * @offer:	The offer
 * @ret:	Name of the lease it made then
 *
 * Return: 1 if so; 0 if not; -EEXIST request.id-reused.
 */
static int replay(struct host *host, const struct lease *offer,
		  char ret[NAME_SIZE], struct error *err)
{
	struct registry *reg = host->registry;
	int r = 0;
	size_t i;

	if (!offer->request_id[0])
		return 0;
	registry_lock(reg);
	for (i = reg->n_leases; i-- > 0 && r == 0;) {
		const struct lease *lease = reg->leases[i];

		if (!str_eq(lease->request_id, offer->request_id) ||
		    !str_eq(lease->owner, offer->owner))
			continue;
		str_copy(ret, NAME_SIZE, lease->name);
		r = same_wish(lease->fingerprint, offer->fingerprint) ? 1 :
									-EEXIST;
	}
	registry_unlock(reg);
	return r < 0 ? refuse_reuse(offer->request_id, ret, err) : r;
}

/**
 * publish() - Make an offer durable, then visible
 * @offer:	The offer, named and checked; consumed
 * @draft:	Its devices
 *
 * Return: 0 or -errno.
 */
static int publish(struct host *host, struct lease *offer,
		   struct draft *draft, struct error *err)
{
	const struct commit commit = {
		.lease = offer, .new_lease = true, .draft = draft,
	};
	char name[NAME_SIZE];
	bool runs_out = offer->expires_us != 0;
	char whom[32];
	size_t i;
	int r;

	registry_lock(host->registry);
	r = registry_reserve_lease(host->registry);
	registry_unlock(host->registry);
	if (r < 0) {
		context_close(host, offer);
		lease_free(offer);
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory");
	}
	for (i = 0; i < draft->n; i++)
		str_copy(draft->copies[i].lease, NAME_SIZE, offer->name);
	str_copy(name, sizeof(name), offer->name);
	if (offer->claimant_uid == (uid_t)-1)
		str_copy(whom, sizeof(whom), "whoever has its token");
	else
		str_format(whom, sizeof(whom), "uid %u", offer->claimant_uid);
	r = commit_write(host, &commit, err);
	if (r < 0) {
		registry_lock(host->registry);
		registry_unreserve_lease(host->registry);
		registry_unlock(host->registry);
		context_close(host, offer);
		lease_free(offer);
		return r;
	}
	log_notice("%s: %zu device(s), first %s, offered to %s", name,
		   draft->n, draft->copies[0].name, whom);
	if (runs_out)
		watch_offers(host);
	return 0;
}

/**
 * plan_spaces() - Place the windows of all spaces that a lease begins with
 * @draft:	Its devices
 *
 * A device can be on one of them only.
 *
 * Return: 0; as space_plan(); -EINVAL lease.devices, space.windows-differ.
 */
static int plan_spaces(struct host *host, struct lease *offer,
		       const struct draft *draft,
		       const struct lease_terms *terms, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < terms->n_spaces && r == 0; i++) {
		_cleanup_space_ struct space space = SPACE_NULL;

		r = space_plan(host, draft, offer, &terms->spaces[i], &space,
			       err);
		for (size_t k = 0; r == 0 && k < space.devices.n; k++)
			if (lease_space_of(offer, space.devices.items[k]))
				r = error_set(err, -EINVAL,
					      ERROR_LEASE_DEVICES,
					      "%s, or another of its group, is to be on two spaces",
					      space.devices.items[k]);
		if (r == 0 && lease_add_space(offer, &space) == 0)
			continue;
		if (r == 0)
			r = error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				      "no memory");
	}
	return r == 0 ? space_same_windows(offer, err) : r;
}

/**
 * offer_devices() - Claim the devices, check them and the terms, publish
 * @offer:	Named; consumed
 * @terms:	How; on a dry run it stops before anything is made
 * @ret_dry:	On a dry run the offer
 *
 * Return: 0 or -errno.
 */
static int offer_devices(struct host *host, struct lease *offer,
			 const struct lease_terms *terms,
			 struct lease **ret_dry, struct error *err)
{
	_cleanup_draft_ struct draft draft = DRAFT_NULL;
	_cleanup_strv_ struct strv endpoints = STRV_NULL;
	struct charge charge = { .more = {
		[QUOTA_CONTEXTS] = 1, [QUOTA_SPACES] = terms->n_spaces,
		[QUOTA_PINNED] = offer->memlock,
	} };
	char name[NAME_SIZE];
	int r;

	str_copy(name, sizeof(name), offer->name);
	str_copy(charge.owner, sizeof(charge.owner), offer->owner);
	registry_lock(host->registry);
	r = registry_claim(host->registry, &offer->devices, name, &endpoints,
			   err);
	registry_unlock(host->registry);
	if (r == 0)
		r = draft_open(host, &offer->devices, &draft, err);
	if (r == 0)
		r = check_devices(&draft, &endpoints, err);
	if (r == 0)
		r = check_contained(offer, &draft, err);
	if (r == 0 && lease_is_kept(offer))
		r = container_choose(host, offer, &draft, err);
	if (r == 0)
		r = check_backend(host, offer, err);
	if (r == 0)
		r = nodes_fill(host, offer, &draft, err);
	if (r == 0)
		r = check_pinned(host, offer, err);
	if (r == 0)
		r = quota_begin(host, &charge, err);
	if (r == 0)
		r = plan_spaces(host, offer, &draft, terms, err);
	if (r == 0 && terms->dry_run) {
		offer->name[0] = '\0';
		for (size_t i = 0; i < offer->n_spaces; i++)
			offer->spaces[i].name[0] = '\0';
		*ret_dry = TAKE_PTR(offer);
	}
	if (r == 0 && offer && lease_is_kept(offer))
		r = context_open(host, offer, &draft, err);
	if (r < 0)
		lease_free(offer);
	else if (offer)
		r = publish(host, offer, &draft, err);
	quota_end(host, &charge);
	draft_close(&draft);
	lease_disown(host, name);
	return r;
}

/**
 * lease_create() - See ops.h
 */
int lease_create(struct host *host, const struct caller *caller,
		 struct lease *offer, const struct lease_terms *terms,
		 char ret[NAME_SIZE], struct lease **ret_dry,
		 struct error *err)
{
	char ulid[ULID_SIZE];
	int r;

	ret[0] = '\0';
	offer->owner_uid = caller->process.uid;
	(void)str_copy(offer->owner, sizeof(offer->owner),
		       caller->principal); /* as long */
	offer->created_us = clock_real_us();
	if (!offer->memlock && !offer->memlock_unlimited)
		offer->memlock = terms->guest_memory + MEMLOCK_EXTRA;
	r = check_terms(offer, err);
	if (r == 0)
		r = guarded_check_store(offer, err);
	if (r == 0)
		r = authorize_offer(host, caller, offer, err);
	if (r == 0)
		r = replay(host, offer, ret, err);
	if (r != 0) {
		lease_free(offer);
		return r < 0 ? r : 0;
	}
	ulid_make(ulid);
	str_format(offer->name, sizeof(offer->name), "leases/%s", ulid);
	if (!terms->dry_run)
		str_copy(ret, NAME_SIZE, offer->name);

	pthread_mutex_lock(&one_at_a_time);
	r = offer_devices(host, offer, terms, ret_dry, err);
	pthread_mutex_unlock(&one_at_a_time);
	return r;
}
