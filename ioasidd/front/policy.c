/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.c - the method that explains the policy in use
 */
#include <errno.h>
#include <string.h>

#include "front/handlers.h"
#include "ops/authorize.h"

#define WORDS_MAX 64

/**
 * add_word() - Take over one thing that is known of somebody
 * @identity:	Of whom; has room for WORDS_MAX groups
 * @word:	Such as "uid:1000"
 *
 * Return: 0; -EINVAL request.invalid; -ENOMEM.
 */
static int add_word(struct identity *identity, const char *word,
		    struct error *err)
{
	uint64_t number;
	const char *rest;
	int r = -EINVAL;

	rest = str_starts(word, "uid:");
	if (rest && identity->uid == (uid_t)-1) {
		r = str_u64(rest, 10, UINT32_MAX - 1, &number);
		identity->uid = r == 0 ? (uid_t)number : (uid_t)-1;
	}
	rest = str_starts(word, "gid:");
	if (rest) {
		r = str_u64(rest, 10, UINT32_MAX - 1, &number);
		if (r == 0)
			identity->groups[identity->n_groups++] = (gid_t)number;
	}
	rest = str_starts(word, "unit:");
	if (rest && *rest && !identity->unit[0])
		r = str_copy(identity->unit, sizeof(identity->unit), rest) ?
			    0 : -EINVAL;
	rest = str_starts(word, "uri:");
	if (rest && *rest)
		r = strv_add(&identity->uris, rest);
	rest = str_starts(word, "dns:");
	if (rest && *rest)
		r = strv_add(&identity->names, rest);
	if (r == -ENOMEM)
		return error_set(err, r, ERROR_DAEMON_NO_MEMORY, "no memory");
	if (r < 0)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field identity: '%s' is not one uid:N, gid:N, one unit:UNIT, uri:URI or dns:NAME",
				 word);
	return 0;
}

/**
 * make_identity() - Who is asked about
 * @in:		The request
 * @ret:	identity_free()
 *
 * Return: 0; -EINVAL request.invalid; -ENOMEM.
 */
static int make_identity(const Ioasid__V1__CheckPolicyRequest *in,
			 struct identity **ret, struct error *err)
{
	_cleanup_identity_ struct identity *identity = NULL;
	int r = 0;

	if (!in->n_identity || in->n_identity > WORDS_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field identity: 1 to %d words", WORDS_MAX);
	identity = identity_new((uid_t)-1);
	if (identity)
		identity->groups = calloc(WORDS_MAX, sizeof(gid_t));
	if (!identity || !identity->groups)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	for (size_t i = 0; i < in->n_identity && r == 0; i++)
		r = add_word(identity, in->identity[i], err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(identity);
	return 0;
}

/**
 * find_device() - Copy the device that is asked about
 * @name:	Its name; empty for none
 * @ret:	The copy
 * @ret_group:	Name of its group
 *
 * Return: 0; -EINVAL request.invalid; -ENOENT device.not-found.
 */
static int find_device(struct call *call, const char *name, struct device *ret,
		       char ret_group[NAME_SIZE], struct error *err)
{
	struct registry *reg = call->host->registry;
	const struct device *device;
	const struct group *group;
	int r;

	ret_group[0] = '\0';
	if (!*name)
		return 0;
	r = handler_name(COLLECTION_DEVICES, "device", name, err);
	if (r < 0)
		return r;
	registry_lock(reg);
	device = registry_device(reg, name);
	if (device) {
		*ret = *device;
		group = registry_group_of(reg, device);
		(void)str_copy(ret_group, NAME_SIZE, group ? group->name : "");
	}
	registry_unlock(reg);
	return device ? 0 : error_set(err, -ENOENT, ERROR_DEVICE_NOT_FOUND,
				      "there is no %s", name);
}

/**
 * make_reply() - Say what was decided, and why
 * @call:	Whose
 * @verdict:	What
 * @by:		The grant that decides; NULL for none
 */
static Ioasid__V1__CheckPolicyResponse *
make_reply(struct call *call, enum verdict verdict, const struct grant *by)
{
	static const char *const words[] = {
		[VERDICT_ALLOWED] = "the grant gives it",
		[VERDICT_DENIED] = "no grant gives it",
		[VERDICT_ADDRESSEE] = "the grant does not give it for that addressee",
		[VERDICT_CEILING] = "the grant gives it, but not through ioasid-api",
	};
	Ioasid__V1__CheckPolicyResponse *reply;

	reply = arena_message(call->arena, PB(check_policy_response));
	if (!reply)
		return NULL;
	reply->allowed = verdict == VERDICT_ALLOWED;
	reply->words = (char *)words[verdict];
	if (by) {
		reply->decided_by = arena_text(call->arena, by->where);
		reply->grant = arena_text(call->arena, by->name);
	}
	return reply;
}

/* check_policy() - Policy.CheckPolicy. What everybody may do with what is its
 * own is not asked about here.
 */
int check_policy(struct call *call, struct error *err)
{
	const Ioasid__V1__CheckPolicyRequest *in = (const void *)call->input;
	_cleanup_identity_ struct identity *identity = NULL;
	const struct permission *permission = permission_find(in->verb);
	Ioasid__V1__CheckPolicyResponse *reply;
	const struct grant *by = NULL;
	char group[NAME_SIZE];
	struct policy *policy;
	struct device device;
	enum verdict verdict;
	int r;

	if (!*permission->name)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field verb: there is no verb '%s'",
				 in->verb);
	r = make_identity(in, &identity, err);
	if (r == 0)
		r = find_device(call, in->device, &device, group, err);
	if (r < 0)
		return r;

	const struct question question = {
		.identity = identity,
		.ceiling = in->via_api ? call->host->api_ceiling : ROLE_ADMIN,
		.via_api = in->via_api,
		.permission = permission,
		.device = *in->device ? &device : NULL,
		.group = group,
	};

	policy = policy_in_use();
	verdict = policy_decide(policy, &question, &by);
	reply = make_reply(call, verdict, by);
	policy_unref(policy);
	return handler_reply(call, reply, err);
}
