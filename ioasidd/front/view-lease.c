/* SPDX-License-Identifier: Apache-2.0
 *
 * view-lease.c - what clients see of leases
 */
#include "front/view.h"

#include <assert.h>

/* What is around an object in a packet: of a change its name and time, of a page
 * its token; and the step that says that some are left out. Bytes.
 */
#define VIEW_AROUND 4096

/**
 * view_holder() - A holder of a lease
 * @arena:	Where it goes
 * @holder:	The holder
 */
static pb_holder *view_holder(struct arena *arena, const struct holder *holder)
{
	pb_holder *ret = arena_message(arena, PB(holder));

	if (!ret)
		return NULL;
	ret->pid = holder->process.pid;
	ret->start_ticks = holder->process.start_ticks;
	ret->uid = holder->process.uid;
	ret->gid = holder->process.gid;
	ret->cgroup = arena_text(arena, holder->process.cgroup);
	ret->boot_id = arena_text(arena, holder->boot_id);
	ret->since = view_time(arena, holder->since_us);
	ret->until = view_time(arena, holder->until_us);
	ret->why = arena_text(arena, holder->why);

	return ret;
}

/**
 * view_holders() - The holders of a lease, at most LEASE_HOLDERS_MAX
 * @arena:	Where they go
 * @lease:	The lease
 * @ret:	Its view
 */
static void view_holders(struct arena *arena, const struct lease *lease,
			 pb_lease *ret)
{
	ret->holders = view_array(arena, lease->n_holders);
	for (size_t i = 0; ret->holders && i < lease->n_holders; i++) {
		pb_holder *holder = view_holder(arena, &lease->holders[i]);

		if (!holder)
			return;
		ret->holders[ret->n_holders++] = holder;
	}
}

/**
 * view_labels() - What its owner calls a lease
 * @arena:	Where it goes
 * @lease:	The lease; labels are pairs
 * @ret:	Its view
 */
static void view_labels(struct arena *arena, const struct lease *lease,
			pb_lease *ret)
{
	ret->labels = view_array(arena, lease->labels.n / 2);
	for (size_t i = 0; ret->labels && i + 1 < lease->labels.n; i += 2) {
		pb_label *label = arena_message(arena,
						PB(lease__labels_entry));

		if (!label)
			return;
		label->key = arena_text(arena, lease->labels.items[i]);
		label->value = arena_text(arena, lease->labels.items[i + 1]);
		ret->labels[ret->n_labels++] = label;
	}
}

/**
 * view_lease_devices() - The devices of a lease, and what they bring with them
 * @arena:	Where it goes
 * @reg:	All devices
 * @lease:	The lease
 * @ret:	Its view
 */
static void view_lease_devices(struct arena *arena, struct registry *reg,
			       const struct lease *lease, pb_lease *ret)
{
	ret->devices = view_array(arena, lease->devices.n);
	for (size_t i = 0; ret->devices && i < lease->devices.n; i++) {
		const char *name = lease->devices.items[i];
		const struct device *device = registry_device(reg, name);

		ret->devices[ret->n_devices++] = arena_text(arena, name);
		if (!device || !device->recorded)
			continue;
		ret->no_reset |= device->record.no_reset;
		ret->unsafe_interrupts |= device->record.unsafe_interrupts;
		ret->no_iommu |= device->record.no_iommu;
	}
}

static const Ioasid__V1__Lease__State lease_states[] = {
	[LEASE_OFFERED] = IOASID__V1__LEASE__STATE__OFFERED,
	[LEASE_CLAIMING] = IOASID__V1__LEASE__STATE__CLAIMING,
	[LEASE_HELD] = IOASID__V1__LEASE__STATE__HELD,
	[LEASE_RECLAIMING] = IOASID__V1__LEASE__STATE__RECLAIMING,
	[LEASE_ENDED] = IOASID__V1__LEASE__STATE__ENDED,
};
static_assert(ARRAY_SIZE(lease_states) == LEASE_STATE_COUNT,
	      "each lease state has a number in the contract");

/* view_lease_state() - See view.h */
int view_lease_state(const struct lease *lease)
{
	return lease_states[lease->state];
}

static const Ioasid__V1__Lease__Mode lease_modes[] = {
	[LEASE_TRANSFER] = IOASID__V1__LEASE__MODE__TRANSFER,
	[LEASE_HOLD] = IOASID__V1__LEASE__MODE__HOLD,
	[LEASE_GUARDED] = IOASID__V1__LEASE__MODE__GUARDED,
};
static_assert(ARRAY_SIZE(lease_modes) == LEASE_MODE_COUNT,
	      "each mode has a number in the contract");

/**
 * view_claimant() - Who may claim a lease
 * @arena:	Where it goes
 * @lease:	The lease
 */
static pb_claimant *view_claimant(struct arena *arena,
				  const struct lease *lease)
{
	pb_claimant *ret;

	if (lease->claimant_uid == (uid_t)-1)
		return NULL; /* who has the token, and nobody else */
	ret = arena_message(arena, PB(claimant));
	if (!ret)
		return NULL;
	ret->uid = lease->claimant_uid;
	ret->pid = lease->claimant_pid;
	ret->unit = arena_text(arena, lease->claimant_unit);

	return ret;
}

/**
 * view_kept() - What a hold or guarded lease has beside
 * @arena:	Where it goes
 * @lease:	The lease
 * @ret:	Its view
 */
static void view_kept(struct arena *arena, const struct lease *lease,
		      pb_lease *ret)
{
	size_t n;

	ret->grace_ms = lease->grace_ms;
	ret->volatile_ = lease->volatile_lease;
	if (lease->mapped) {
		mapped_count(lease->mapped, NULL, &n, &ret->mapped_bytes);
		ret->mappings = (uint32_t)n;
	}
	ret->kept = lease->kept;
	ret->device_ids = arena_alloc(arena, lease->n_device_ids *
					     sizeof(*ret->device_ids));
	for (size_t i = 0; ret->device_ids && i < lease->n_device_ids; i++)
		ret->device_ids[ret->n_device_ids++] = lease->device_ids[i];
	ret->page_tables = view_array(arena, lease->n_tables);
	for (size_t i = 0; ret->page_tables && i < lease->n_tables; i++)
		ret->page_tables[ret->n_page_tables++] =
			arena_text(arena, lease->tables[i].name);
	ret->spaces = view_array(arena, lease->n_spaces);
	for (size_t i = 0; ret->spaces && i < lease->n_spaces; i++) {
		pb_space *space = view_space(arena, lease, &lease->spaces[i]);

		if (!space)
			return;
		ret->spaces[ret->n_spaces++] = space;
	}
}

/**
 * view_reclaim() - How its devices were made safe, as far as there is room
 * @arena:	Where it goes
 * @reg:	All operations
 * @lease:	The lease
 * @ret:	Its view, with all else
 */
static void view_reclaim(struct arena *arena, struct registry *reg,
			 const struct lease *lease, pb_lease *ret)
{
	size_t size = VIEW_AROUND +
		      protobuf_c_message_get_packed_size(&ret->base);
	size_t room = size < MESSAGE_MAX ? MESSAGE_MAX - size : 0;

	if (room > VIEW_STEPS_SIZE)
		room = VIEW_STEPS_SIZE;
	ret->reclaim = view_steps(arena,
				  registry_operation(reg, lease->reclaim),
				  room, &ret->n_reclaim);
}

/* view_lease() - A lease */
pb_lease *view_lease(struct arena *arena, struct registry *reg,
		     const struct lease *lease)
{
	pb_lease *ret = arena_message(arena, PB(lease));

	if (!ret)
		return NULL;
	ret->name = arena_text(arena, lease->name);
	ret->revision = lease->revision;
	ret->etag = view_etag(arena, lease->revision);
	ret->state = lease_states[lease->state];
	ret->mode = lease_modes[lease->mode];
	view_lease_devices(arena, reg, lease, ret);
	ret->owner_uid = lease->owner_uid;
	ret->owner = arena_text(arena, lease->owner);
	ret->has_token = lease->has_token;
	ret->token_expires = view_time(arena, lease->token_expires_us);
	ret->claimant = view_claimant(arena, lease);
	view_labels(arena, lease, ret);
	ret->memlock_unlimited = lease->memlock_unlimited;
	ret->memlock_bytes = lease->memlock_unlimited ? 0 : lease->memlock;
	ret->expires = view_time(arena, lease->expires_us);
	ret->incarnation = lease->incarnation;
	view_holders(arena, lease, ret);
	ret->acknowledged = lease->acknowledged;
	ret->restore_after = lease->restore_after;
	ret->created = view_time(arena, lease->created_us);
	ret->ended = view_time(arena, lease->ended_us);
	ret->end_reason = arena_text(arena, lease->end_reason);
	view_kept(arena, lease, ret);
	view_nodes(arena, reg, lease, ret);
	if (*lease->reclaim)
		view_reclaim(arena, reg, lease, ret);

	return ret;
}
