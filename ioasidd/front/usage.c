/* SPDX-License-Identifier: Apache-2.0
 *
 * usage.c - the method that tells what owners' leases take
 */
#include <errno.h>

#include "front/handlers.h"
#include "ops/authorize.h"

#define USAGE_MAX 1000

/**
 * is_wanted() - Is a lease one whose owner is to be told of?
 * @owner:	Of this one only; empty for all
 */
static bool is_wanted(const struct call *call, const struct lease *lease,
		      const char *owner)
{
	if (lease->state == LEASE_ENDED ||
	    (*owner && !str_eq(owner, lease->owner)))
		return false;
	return str_eq(lease->owner, call->caller->principal) ||
	       authorize_role(call->caller) >= ROLE_VIEWER;
}

/**
 * list_owners() - Whose leases there are, each once, sorted
 * @ret:	Gets names
 *
 * Under the registry's lock.
 *
 * Return: 0 or -ENOMEM.
 */
static int list_owners(const struct call *call, const char *owner,
		       struct strv *ret)
{
	const struct registry *reg = call->host->registry;
	int r = 0;

	for (size_t i = 0; i < reg->n_leases && r == 0; i++)
		if (ret->n < USAGE_MAX &&
		    is_wanted(call, reg->leases[i], owner) &&
		    !strv_has(ret, reg->leases[i]->owner))
			r = strv_add(ret, reg->leases[i]->owner);
	strv_sort(ret);
	return r;
}

/**
 * view_amount() - What is taken of something, and what may be
 */
static Ioasid__V1__Amount *view_amount(struct arena *arena,
				       const struct quotas *quotas,
				       const char *owner, const uint64_t *used,
				       enum quota_kind kind)
{
	Ioasid__V1__Amount *ret = arena_message(arena, PB(amount));

	if (ret) {
		ret->used = used[kind];
		ret->limit = quota_limit(quotas, owner, kind);
	}
	return ret;
}

/**
 * view_usage() - What an owner's leases take
 *
 * Under the registry's lock.
 */
static Ioasid__V1__Usage *view_usage(const struct call *call,
				     const struct quotas *quotas,
				     const char *owner)
{
	struct arena *arena = call->arena;
	Ioasid__V1__Usage *ret = arena_message(arena, PB(usage));
	uint64_t used[QUOTA_COUNT];

	if (!ret)
		return NULL;
	quota_used(call->host->registry, owner, used);
	ret->owner = arena_text(arena, owner);
	ret->contexts = view_amount(arena, quotas, owner, used,
				    QUOTA_CONTEXTS);
	ret->spaces = view_amount(arena, quotas, owner, used, QUOTA_SPACES);
	ret->mappings = view_amount(arena, quotas, owner, used,
				    QUOTA_MAPPINGS);
	ret->pinned = view_amount(arena, quotas, owner, used, QUOTA_PINNED);
	return ret;
}

/**
 * view_all() - What each of them takes
 * @reply:	Gets it
 */
static void view_all(const struct call *call, const struct strv *owners,
		     Ioasid__V1__ListUsageResponse *reply)
{
	struct policy *policy = policy_in_use();
	const struct quotas *quotas = policy ? &policy->quotas : NULL;

	reply->usage = arena_alloc(call->arena,
				   owners->n * sizeof(*reply->usage));
	for (size_t i = 0; reply->usage && i < owners->n; i++) {
		Ioasid__V1__Usage *one = view_usage(call, quotas,
						    owners->items[i]);

		if (one)
			reply->usage[reply->n_usage++] = one;
	}
	policy_unref(policy);
}

/* list_usage() - Policy.ListUsage */
int list_usage(struct call *call, struct error *err)
{
	const Ioasid__V1__ListUsageRequest *in = (const void *)call->input;
	_cleanup_strv_ struct strv owners = STRV_NULL;
	Ioasid__V1__ListUsageResponse *reply;
	int r;

	reply = arena_message(call->arena, PB(list_usage_response));
	registry_lock(call->host->registry);
	r = list_owners(call, in->owner, &owners);
	if (r == 0 && reply)
		view_all(call, &owners, reply);
	registry_unlock(call->host->registry);
	return r < 0 ? error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory") :
		       handler_reply(call, reply, err);
}
