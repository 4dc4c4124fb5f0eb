/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.c - who may do what to which device: the decision
 */
#include <assert.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "model/policy.h"
#include "model/table.h"

static const char *const role_names[] = {
	[ROLE_NONE] = "none",
	[ROLE_VIEWER] = "viewer",
	[ROLE_OPERATOR] = "operator",
	[ROLE_ADMIN] = "admin",
};
static_assert(ARRAY_SIZE(role_names) == ROLE_COUNT, "every role");

/* The permissions of the .proto files, and three that hang on fields of a
 * request: device.force (force, allow_no_reset, allow_unsafe_interrupts,
 * allow_no_iommu), lease.unlimited (memlock_unlimited) and lease.shared-uid
 * (shared_uid).
 */
static const struct permission permissions[] = {
	{ "host.view", ROLE_NONE, .open = true },
	{ "event.view", ROLE_NONE, .open = true },
	{ "device.view", ROLE_VIEWER, .per_device = true, .open = true },
	{ "device.prepare", ROLE_OPERATOR, .per_device = true },
	{ "device.force", ROLE_ADMIN, .per_device = true },
	{ "device.recover", ROLE_ADMIN, .per_device = true },
	{ "group.view", ROLE_VIEWER, .per_device = true },
	{ "window.plan", ROLE_VIEWER, .per_device = true, .open = true },
	{ "operation.view", ROLE_VIEWER, .open = true },
	{ "operation.cancel", ROLE_OPERATOR, .open = true },
	{ "lease.view", ROLE_VIEWER, .per_device = true, .labelled = true,
	  .open = true },
	{ "lease.create", ROLE_OPERATOR, .per_device = true },
	{ "lease.unlimited", ROLE_ADMIN, .per_device = true },
	{ "lease.shared-uid", ROLE_ADMIN, .per_device = true },
	{ "lease.claim", ROLE_NONE, .open = true },
	{ "lease.release", ROLE_OPERATOR, .per_device = true,
	  .labelled = true, .open = true },
	{ "space.view", ROLE_VIEWER, .per_device = true, .labelled = true,
	  .open = true },
	{ "space.change", ROLE_OPERATOR, .per_device = true,
	  .labelled = true, .open = true },
	{ "usage.view", ROLE_VIEWER, .open = true },
	{ "memory.map", ROLE_NONE, .open = true },
	{ "pagetable.view", ROLE_VIEWER, .per_device = true, .labelled = true,
	  .open = true },
	{ "pagetable.change", ROLE_OPERATOR, .per_device = true,
	  .labelled = true, .open = true },
	{ "policy.check", ROLE_ADMIN, .open = false },
};

/* What is not in the table. */
static const struct permission unlisted = { .name = "", .level = ROLE_ADMIN };

/* What is built in, for who has no policy. */
static const struct grant root_grant = {
	.name = "root", .where = "built in", .role = ROLE_ADMIN,
};

/* role_name() - "none" .. "admin" */
const char *role_name(enum role role)
{
	return role_names[role];
}

/* role_from_name() - The reverse. Return: 0 or -EINVAL. */
int role_from_name(const char *name, enum role *ret)
{
	int i = table_find(role_names, ARRAY_SIZE(role_names), name);

	if (i < 0)
		return i;
	*ret = (enum role)i;
	return 0;
}

/* permission_find() - By its name */
const struct permission *permission_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(permissions); i++)
		if (str_eq(permissions[i].name, name))
			return &permissions[i];
	return &unlisted;
}

/* permission_at() - The i-th of them */
const struct permission *permission_at(size_t i)
{
	return i < ARRAY_SIZE(permissions) ? &permissions[i] : NULL;
}

/* identity_new() - One of a uid, and nothing else */
struct identity *identity_new(uid_t uid)
{
	struct identity *identity = calloc(1, sizeof(*identity));

	if (identity)
		identity->uid = uid;
	return identity;
}

/* identity_free() - NULL is allowed */
struct identity *identity_free(struct identity *identity)
{
	if (!identity)
		return NULL;
	free(identity->groups);
	strv_deinit(&identity->uris);
	strv_deinit(&identity->names);
	free(identity);
	return NULL;
}

/**
 * ends_in() - Does one part of a path end so?
 * @begin:	The part
 * @end:	Its end
 * @tail:	How
 */
static bool ends_in(const char *begin, const char *end, const char *tail)
{
	size_t n = strlen(tail);

	return (size_t)(end - begin) > n && !strncmp(end - n, tail, n);
}

/* identity_unit() - The unit that a control group belongs to
 *
 * The first part of the path that is no slice: what is below it, a service
 * may have made as it likes, and a user in what is delegated to it.
 */
void identity_unit(const char *cgroup, char ret[128])
{
	const char *begin = cgroup, *end;

	ret[0] = '\0';
	for (; *begin == '/'; begin = end) {
		begin++;
		end = strchrnul(begin, '/');
		if (ends_in(begin, end, ".slice"))
			continue;
		if ((ends_in(begin, end, ".service") ||
		     ends_in(begin, end, ".scope")) && end - begin < 128) {
			memcpy(ret, begin, (size_t)(end - begin));
			ret[end - begin] = '\0';
		}
		return;
	}
}

/**
 * uri_fits() - Does a URI fit what a grant says?
 * @pattern:	The URI itself; or one ending in a slash and a star, for all
 *		below it
 * @uri:	Of a certificate
 */
static bool uri_fits(const char *pattern, const char *uri)
{
	size_t n = strlen(pattern);

	if (n < 2 || strcmp(pattern + n - 2, "/*") != 0)
		return str_eq(pattern, uri);
	return strncmp(pattern, uri, n - 1) == 0 && uri[n - 1];
}

/**
 * has_name() - Is a name of a certificate what a grant says?
 * @term:	TERM_URI or TERM_DNS
 * @identity:	Who
 */
static bool has_name(const struct term *term, const struct identity *identity)
{
	const struct strv *v = term->kind == TERM_URI ? &identity->uris :
							&identity->names;

	for (size_t i = 0; i < v->n; i++)
		if (term->kind == TERM_URI ?
			    uri_fits(term->text, v->items[i]) :
			    strcasecmp(term->text, v->items[i]) == 0)
			return true;
	return false;
}

/**
 * is_member() - Is somebody in a group?
 */
static bool is_member(const struct identity *identity, gid_t gid)
{
	for (size_t i = 0; i < identity->n_groups; i++)
		if (identity->groups[i] == gid)
			return true;
	return false;
}

/**
 * unit_fits() - Does a unit fit a pattern? No unit fits none.
 */
static bool unit_fits(const char *pattern, const char *unit)
{
	return *unit && fnmatch(pattern, unit, 0) == 0;
}

/**
 * is_for() - Is a grant for somebody?
 */
static bool is_for(const struct grant *grant, const struct identity *identity)
{
	if (!grant->who.n)	/* what is built in for root */
		return identity->uid == 0 || identity->runs_it;
	for (size_t i = 0; i < grant->who.n; i++) {
		const struct term *term = &grant->who.items[i];
		bool fits = false;

		if (term->kind == TERM_UID)
			fits = identity->uid != (uid_t)-1 &&
			       identity->uid == term->id;
		else if (term->kind == TERM_GID)
			fits = is_member(identity, term->id);
		else if (term->kind == TERM_UNIT)
			fits = unit_fits(term->text, identity->unit);
		else
			fits = has_name(term, identity);
		if (fits)
			return true;
	}
	return false;
}

/**
 * verb_fits() - Does a verb fit what a grant says?
 * @pattern:	A permission, "device.*" or "*"
 * @name:	A permission's name
 */
static bool verb_fits(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return strncmp(pattern, name, n - 1) == 0;
	return str_eq(pattern, name);
}

/**
 * gives() - Does a grant give a permission, for whatever device?
 */
static bool gives(const struct grant *grant,
		  const struct permission *permission)
{
	if (grant->role)
		return permission->level <= grant->role;
	for (size_t i = 0; i < grant->verbs.n; i++)
		if (verb_fits(grant->verbs.items[i].text, permission->name))
			return true;
	return false;
}

/**
 * has_label() - Has a lease a label?
 * @labels:	Its labels; NULL for no lease
 * @label:	"key=value"
 */
static bool has_label(const struct strv *labels, const char *label)
{
	for (size_t i = 0; labels && i + 1 < labels->n; i += 2) {
		const char *rest = str_starts(label, labels->items[i]);

		if (rest && *rest == '=' && str_eq(rest + 1,
						   labels->items[i + 1]))
			return true;
	}
	return false;
}

/**
 * is_device() - Does a device fit one word of a grant?
 * @term:	The word
 * @q:		The question
 */
static bool is_device(const struct term *term, const struct question *q)
{
	const struct kernel_device *facts = &q->device->facts;
	char class[16];

	switch (term->kind) {
	case TERM_ALL:
		return true;
	case TERM_DEVICE:
		return str_eq(term->text, q->device->name);
	case TERM_GROUP:
		return q->group && str_eq(term->text, q->group);
	case TERM_ID:
		return facts->vendor == term->id &&
		       (term->other < 0 || facts->device == term->other);
	case TERM_CLASS:
		str_format(class, sizeof(class), "%06x",
			   (unsigned int)facts->class);
		return str_starts(class, term->text) != NULL;
	case TERM_NUMA:
		return facts->numa_node == term->other;
	case TERM_LABEL:
		return q->permission->labelled &&
		       has_label(q->labels, term->text);
	case TERM_UID:
	case TERM_GID:
	case TERM_UNIT:
	case TERM_URI:
	case TERM_DNS:
	case TERM_VERB:
	case TERM_TOKEN:
	case TERM_KIND_COUNT:
		break;
	}
	return false;
}

/**
 * covers() - Is a grant for the device asked about?
 *
 * What is not for a device at all is given by grants for all of them. If no
 * device is named every grant counts: there may be one.
 */
static bool covers(const struct grant *grant, const struct question *q)
{
	if (!grant->devices.n)
		return true;
	for (size_t i = 0; i < grant->devices.n; i++) {
		const struct term *term = &grant->devices.items[i];

		if (!q->permission->per_device) {
			if (term->kind == TERM_ALL)
				return true;
			continue;
		}
		if (!q->device || is_device(term, q))
			return true;
	}
	return false;
}

/**
 * listed() - Is an addressee one that a grant lists?
 */
static bool listed(const struct grant *grant, const struct addressee *to)
{
	for (size_t i = 0; i < grant->address.n; i++) {
		const struct term *term = &grant->address.items[i];

		if (term->kind == TERM_ALL)
			return true;
		/* Who has the token may be anybody: no uid stands for that. */
		if (to->token ? term->kind == TERM_TOKEN :
		    term->kind == TERM_UID ? term->id == to->uid :
		    term->kind == TERM_UNIT && unit_fits(term->text, to->unit))
			return true;
	}
	return false;
}

/**
 * may_address() - May a lease made by a grant be for an addressee?
 *
 * In any case for who makes it; and for anybody if an operator makes it on the
 * native socket.
 */
static bool may_address(const struct grant *grant, const struct question *q)
{
	const struct addressee *to = q->addressee;

	if (!to || (!q->via_api && grant->role >= ROLE_OPERATOR))
		return true;
	if (!to->token && to->uid != (uid_t)-1 &&
	    to->uid == q->identity->uid)
		return true;
	return listed(grant, to);
}

/**
 * consider() - What does one grant say?
 * @so_far:	What others have said
 *
 * Return: the verdict, if it is a better one.
 */
static enum verdict consider(const struct grant *grant,
			     const struct question *q, enum verdict so_far)
{
	const struct permission *permission = q->permission;

	if (!is_for(grant, q->identity) || !gives(grant, permission) ||
	    !covers(grant, q))
		return so_far;
	if (permission->level > q->ceiling)
		return so_far == VERDICT_DENIED ? VERDICT_CEILING : so_far;
	if (!may_address(grant, q))
		return so_far == VERDICT_DENIED ? VERDICT_ADDRESSEE : so_far;
	return VERDICT_ALLOWED;
}

/* policy_decide() - May somebody do something? */
enum verdict policy_decide(const struct policy *policy,
			   const struct question *q,
			   const struct grant **ret_grant)
{
	enum verdict verdict = VERDICT_DENIED, next;
	size_t n = policy ? policy->n_grants : 1;
	const struct grant *by = NULL;

	for (size_t i = 0; i < n && verdict != VERDICT_ALLOWED; i++) {
		const struct grant *grant = policy ? &policy->grants[i] :
						     &root_grant;

		next = consider(grant, q, verdict);
		if (next == verdict)
			continue;
		verdict = next;
		by = grant;
	}
	if (ret_grant)
		*ret_grant = by;
	return verdict;
}

/* policy_names_groups() - Does any grant depend on a device's group? */
bool policy_names_groups(const struct policy *policy)
{
	for (size_t i = 0; policy && i < policy->n_grants; i++)
		for (size_t j = 0; j < policy->grants[i].devices.n; j++)
			if (policy->grants[i].devices.items[j].kind ==
			    TERM_GROUP)
				return true;
	return false;
}

/* policy_role() - The highest role that somebody has for every device */
enum role policy_role(const struct policy *policy,
		      const struct identity *identity)
{
	size_t n = policy ? policy->n_grants : 1;
	enum role role = ROLE_NONE;

	for (size_t i = 0; i < n; i++) {
		const struct grant *grant = policy ? &policy->grants[i] :
						     &root_grant;
		bool all = !grant->devices.n;

		for (size_t j = 0; j < grant->devices.n; j++)
			all = all || grant->devices.items[j].kind == TERM_ALL;
		if (all && grant->role > role && is_for(grant, identity))
			role = grant->role;
	}
	return role;
}
