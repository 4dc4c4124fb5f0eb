/* SPDX-License-Identifier: Apache-2.0
 *
 * lease.c - leases and their holders
 */
#include <assert.h>
#include <string.h>

#include "model/lease.h"
#include "model/table.h"

static const char *const state_names[] = {
	[LEASE_OFFERED] = "offered",
	[LEASE_CLAIMING] = "claiming",
	[LEASE_HELD] = "held",
	[LEASE_RECLAIMING] = "reclaiming",
	[LEASE_ENDED] = "ended",
};
static_assert(ARRAY_SIZE(state_names) == LEASE_STATE_COUNT, "every state");

static const char *const mode_names[] = {
	[LEASE_TRANSFER] = "transfer",
	[LEASE_HOLD] = "hold",
	[LEASE_GUARDED] = "guarded",
};
static_assert(ARRAY_SIZE(mode_names) == LEASE_MODE_COUNT, "every mode");

/**
 * lease_new() - See lease.h
 */
struct lease *lease_new(void)
{
	return calloc(1, sizeof(struct lease));
}

/**
 * copy_spaces() - Copy the spaces of a lease
 * @lease:	The lease
 * @copy:	Has none
 *
 * Return: 0 or -ENOMEM.
 */
static int copy_spaces(const struct lease *lease, struct lease *copy)
{
	struct space space;
	size_t i;
	int r = 0;

	for (i = 0; i < lease->n_spaces && r == 0; i++) {
		r = space_copy(&lease->spaces[i], &space);
		if (r == 0)
			r = lease_add_space(copy, &space);
		if (r < 0)
			space_deinit(&space);
	}
	return r;
}

/**
 * lease_copy() - See lease.h
 */
struct lease *lease_copy(const struct lease *lease)
{
	struct lease *copy = malloc(sizeof(*copy));
	size_t i;
	int r;

	if (!copy)
		return NULL;
	*copy = *lease;
	copy->devices = STRV_NULL;
	copy->labels = STRV_NULL;
	copy->holders = NULL;
	copy->n_holders = 0;
	copy->spaces = NULL;
	copy->n_spaces = 0;
	copy->mapped = mapped_ref(lease->mapped);

	r = strv_copy(&lease->devices, &copy->devices);
	if (r == 0)
		r = strv_copy(&lease->labels, &copy->labels);
	if (r == 0)
		r = copy_spaces(lease, copy);
	for (i = 0; i < lease->n_holders && r == 0; i++)
		r = lease_add_holder(copy, &lease->holders[i]);
	return r < 0 ? lease_free(copy) : copy;
}

/**
 * lease_free() - See lease.h
 */
struct lease *lease_free(struct lease *lease)
{
	if (!lease)
		return NULL;
	strv_deinit(&lease->devices);
	strv_deinit(&lease->labels);
	while (lease->n_spaces)
		lease_drop_space(lease, lease->n_spaces - 1);
	free(lease->spaces);
	free(lease->holders);
	mapped_unref(lease->mapped);
	free(lease);
	return NULL;
}

/**
 * lease_add_holder() - See lease.h
 */
int lease_add_holder(struct lease *lease, const struct holder *holder)
{
	struct holder *more;

	if (lease->n_holders == LEASE_HOLDERS_MAX)
		memmove(lease->holders, lease->holders + 1,
			--lease->n_holders * sizeof(*lease->holders));
	more = reallocarray(lease->holders, lease->n_holders + 1,
			    sizeof(*more));
	if (!more)
		return -ENOMEM;
	lease->holders = more;
	lease->holders[lease->n_holders++] = *holder;
	return 0;
}

/**
 * lease_add_space() - See lease.h
 */
int lease_add_space(struct lease *lease, struct space *space)
{
	struct space *more;

	more = reallocarray(lease->spaces, lease->n_spaces + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	lease->spaces = more;
	lease->spaces[lease->n_spaces++] = *space;
	*space = SPACE_NULL;
	return 0;
}

/**
 * lease_drop_space() - See lease.h
 */
void lease_drop_space(struct lease *lease, size_t i)
{
	space_deinit(&lease->spaces[i]);
	memmove(lease->spaces + i, lease->spaces + i + 1,
		(--lease->n_spaces - i) * sizeof(*lease->spaces));
}

/**
 * lease_is_kept() - See lease.h
 */
bool lease_is_kept(const struct lease *lease)
{
	return lease->mode == LEASE_HOLD || lease->mode == LEASE_GUARDED;
}

/**
 * lease_space() - See lease.h
 */
struct space *lease_space(const struct lease *lease, const char *name)
{
	for (size_t i = 0; i < lease->n_spaces; i++)
		if (str_eq(lease->spaces[i].name, name))
			return &lease->spaces[i];
	return NULL;
}

/**
 * lease_space_of() - See lease.h
 */
struct space *lease_space_of(const struct lease *lease, const char *device)
{
	for (size_t i = 0; i < lease->n_spaces; i++)
		if (strv_has(&lease->spaces[i].devices, device))
			return &lease->spaces[i];
	return NULL;
}

/**
 * lease_holder() - See lease.h
 */
struct holder *lease_holder(struct lease *lease)
{
	return lease->n_holders ? &lease->holders[lease->n_holders - 1] : NULL;
}

/**
 * lease_state_name() - See lease.h
 */
const char *lease_state_name(enum lease_state state)
{
	return state_names[state];
}

/**
 * lease_state_from_name() - See lease.h
 */
int lease_state_from_name(const char *name, enum lease_state *ret)
{
	int i = table_find(state_names, ARRAY_SIZE(state_names), name);

	if (i < 0)
		return i;
	*ret = i;
	return 0;
}

/**
 * lease_mode_name() - See lease.h
 */
const char *lease_mode_name(enum lease_mode mode)
{
	return mode_names[mode];
}

/**
 * lease_mode_from_name() - See lease.h
 */
int lease_mode_from_name(const char *name, enum lease_mode *ret)
{
	int i = table_find(mode_names, ARRAY_SIZE(mode_names), name);

	if (i < 0)
		return i;
	*ret = i;
	return 0;
}
