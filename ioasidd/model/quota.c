/* SPDX-License-Identifier: Apache-2.0
 *
 * quota.c - how much of the host one owner's leases may take
 */
#include "model/quota.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/registry.h"
#include "model/table.h"

static const char *const kind_names[] = {
	[QUOTA_CONTEXTS] = "contexts",
	[QUOTA_SPACES] = "spaces",
	[QUOTA_MAPPINGS] = "mappings",
	[QUOTA_PINNED] = "pinned",
};
static_assert(ARRAY_SIZE(kind_names) == QUOTA_COUNT, "every kind");

/* quota_kind_from_name() - See quota.h */
int quota_kind_from_name(const char *name, enum quota_kind *ret)
{
	int i = table_find(kind_names, ARRAY_SIZE(kind_names), name);

	if (i < 0)
		return i;
	*ret = (enum quota_kind)i;
	return 0;
}

/* --- what may be taken --- */

/**
 * say() - Say the same of every kind
 */
static void say(struct quota *quota, uint64_t limit)
{
	for (size_t i = 0; i < QUOTA_COUNT; i++)
		quota->limits[i] = limit;
}

/* quotas_init() - Without any limit */
void quotas_init(struct quotas *quotas)
{
	*quotas = (struct quotas){ .own = NULL };
	say(&quotas->each, QUOTA_UNLIMITED);
}

/* quotas_deinit() - Free what it has */
void quotas_deinit(struct quotas *quotas)
{
	free(quotas->own);
	quotas->own = NULL;
	quotas->n = 0;
}

/**
 * is_owner() - Could a lease be this one's?
 */
static bool is_owner(const char *owner)
{
	const char *uid = str_starts(owner, "uid:");
	const char *name = str_starts(owner, "cert:");
	uint64_t number;

	if (uid)
		return str_u64(uid, 10, UINT32_MAX - 1, &number) == 0;
	return name && *name;
}

/* quotas_add() - Let an owner have a quota */
struct quota *quotas_add(struct quotas *quotas, const char *owner)
{
	struct quota *more;

	if (!*owner)
		return &quotas->each;
	if (!is_owner(owner))
		return NULL;
	more = reallocarray(quotas->own, quotas->n + 1, sizeof(*more));
	if (!more)
		return NULL;
	quotas->own = more;
	more += quotas->n;
	say(more, QUOTA_AS_ALL);
	if (!str_copy(more->owner, sizeof(more->owner), owner))
		return NULL;
	quotas->n++;
	return more;
}

/* quota_limit() - What an owner may take */
uint64_t quota_limit(const struct quotas *quotas, const char *owner,
		     enum quota_kind kind)
{
	if (!quotas)
		return QUOTA_UNLIMITED;
	for (size_t i = 0; i < quotas->n; i++)
		if (str_eq(quotas->own[i].owner, owner) &&
		    quotas->own[i].limits[kind] != QUOTA_AS_ALL)
			return quotas->own[i].limits[kind];
	return quotas->each.limits[kind];
}

/* --- what is taken --- */

/**
 * plus() - A sum that does not wrap
 */
static uint64_t plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* quota_used() - What an owner's leases take, and what is charged */
void quota_used(const struct registry *reg, const char *owner,
		uint64_t ret[QUOTA_COUNT])
{
	uint64_t bytes;
	size_t n;

	memset(ret, 0, QUOTA_COUNT * sizeof(*ret));
	for (size_t i = 0; i < reg->n_leases; i++) {
		const struct lease *lease = reg->leases[i];

		if (lease->state == LEASE_ENDED ||
		    !str_eq(lease->owner, owner))
			continue;
		ret[QUOTA_CONTEXTS]++;
		ret[QUOTA_SPACES] += lease->n_spaces;
		if (lease->mapped) {
			mapped_count(lease->mapped, NULL, &n, &bytes);
			ret[QUOTA_MAPPINGS] += n;
		}
		ret[QUOTA_PINNED] = plus(ret[QUOTA_PINNED], lease->memlock);
	}
	for (const struct charge *charge = reg->charges; charge;
	     charge = charge->next)
		for (size_t k = 0; str_eq(charge->owner, owner) &&
				   k < QUOTA_COUNT; k++)
			ret[k] = plus(ret[k], charge->more[k]);
}

/**
 * refuse() - Say what would be too much
 */
static int refuse(const struct charge *charge, enum quota_kind kind,
		  uint64_t used, uint64_t limit, struct error *err)
{
	const bool bytes = kind == QUOTA_PINNED;
	const unsigned int shift = bytes ? 20 : 0;

	return error_set(err, -EDQUOT, ERROR_LIMIT_QUOTA,
			 "%s has %" PRIu64 "%s %s, %" PRIu64 "%s more would be over the quota of %" PRIu64 "%s",
			 charge->owner, used >> shift, bytes ? " MiB" : "",
			 kind_names[kind], charge->more[kind] >> shift,
			 bytes ? " MiB" : "", limit >> shift,
			 bytes ? " MiB" : "");
}

/* quota_charge() - Take more, if an owner may */
int quota_charge(struct registry *reg, const struct quotas *quotas,
		 struct charge *charge, struct error *err)
{
	uint64_t used[QUOTA_COUNT], limit;

	quota_used(reg, charge->owner, used);
	for (enum quota_kind k = 0; k < QUOTA_COUNT; k++) {
		limit = quota_limit(quotas, charge->owner, k);
		if (charge->more[k] && plus(used[k], charge->more[k]) > limit)
			return refuse(charge, k, used[k], limit, err);
	}
	charge->next = reg->charges;
	reg->charges = charge;
	return 0;
}

/* quota_settle() - It was published, or there is nothing of it */
void quota_settle(struct registry *reg, struct charge *charge)
{
	struct charge **at = &reg->charges;

	while (*at && *at != charge)
		at = &(*at)->next;
	if (*at)
		*at = charge->next;
}
