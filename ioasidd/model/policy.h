/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.h - who may do what to which device
 *
 * DOC: Theory of Operation
 *
 * A policy is a list of grants. A grant says to whom it gives something (uids,
 * gids, systemd units, names in a client certificate: one that fits is
 * enough), what (a role, or verbs, which are the permissions of the .proto
 * files), for which devices, and to whom leases made by it may be addressed.
 * There is nothing that takes away: what no grant gives is refused.
 *
 * Some grants are built in: root, and who runs a simulated machine, is an
 * administrator; members of the group `ioasid` are viewers.
 *
 * A role is a name for a set of verbs: each verb has the least role that
 * contains it. That is also what a ceiling (of ioasid-api) is compared with,
 * whoever asks and by whatever grant.
 *
 * Pure: no files, no system calls. A policy does not change once it is in use,
 * so many threads may ask it; who holds a reference keeps the one it has.
 */
#ifndef IOASIDD_MODEL_POLICY_H
#define IOASIDD_MODEL_POLICY_H

#include <stdatomic.h>

#include "base/str.h"
#include "model/device.h"
#include "model/quota.h"

/* Room for a file's name and a line. */
#define POLICY_WHERE_SIZE 288

/**
 * enum role - A name for what somebody may do
 * @ROLE_NONE:		What is addressed to it, and nothing else
 * @ROLE_VIEWER:	Look at everything
 * @ROLE_OPERATOR:	Prepare, restore and lease
 * @ROLE_ADMIN:		Everything
 */
enum role {
	ROLE_NONE,
	ROLE_VIEWER,
	ROLE_OPERATOR,
	ROLE_ADMIN,
	ROLE_COUNT
};

const char *role_name(enum role role);
int role_from_name(const char *name, enum role *ret);

/**
 * struct identity - What grants can know of somebody; fixed once made
 * @uid:	As the kernel says; (uid_t)-1 for who came by TCP
 * @runs_it:	It is who runs a simulated machine
 * @groups:	All groups of it; @n_groups of them
 * @unit:	The systemd unit that it runs in; empty for none
 * @uris:	SAN URIs of its certificate, verified by ioasid-api
 * @names:	SAN DNS names, likewise
 */
struct identity {
	uid_t uid;
	bool runs_it;
	gid_t *groups;
	size_t n_groups;
	char unit[128];
	struct strv uris, names;
};

/* identity_new() - One of a uid, and nothing else. NULL without memory. */
struct identity *identity_new(uid_t uid);

/* identity_free() - NULL is allowed. Return: NULL. */
struct identity *identity_free(struct identity *identity);

static inline void identity_freep(struct identity **identity)
{
	identity_free(*identity);
}

#define _cleanup_identity_ __attribute__((cleanup(identity_freep)))

/* identity_unit() - The system unit that a control group belongs to; empty if
 * it is none's. Units of users' own managers are not told apart.
 */
void identity_unit(const char *cgroup, char ret[128]);

/**
 * struct permission - A verb
 * @name:	"<object>.<verb>"
 * @level:	The least role that contains it
 * @per_device:	It is for a device: grants for some devices count
 * @labelled:	Labels of a lease count. Not for what makes leases: who does
 *		would choose them
 * @open:	Everybody may call its methods; which objects they are answered
 *		for depends on the object: those addressed to the caller, and
 *		its own, without any grant
 */
struct permission {
	const char *name;
	enum role level;
	bool per_device;
	bool labelled;
	bool open;
};

/* permission_find() - By its name. One that is not in the table is for
 * administrators alone; never NULL.
 */
const struct permission *permission_find(const char *name);

/* permission_at() - The i-th of them; NULL behind the last one. */
const struct permission *permission_at(size_t i);

/**
 * enum term_kind - What one word of a grant can be
 */
enum term_kind {
	/* To whom. @id, or @text; a URI ending in / and a star, and a unit, are
	 * patterns. */
	TERM_UID,
	TERM_GID,
	TERM_UNIT,
	TERM_URI,
	TERM_DNS,
	/* What: @text is a permission, or "device.*", or a star. */
	TERM_VERB,
	/* Which devices. */
	TERM_ALL,
	TERM_DEVICE,	/* @text is its name */
	TERM_GROUP,	/* @text is its name */
	TERM_ID,	/* @id is the vendor, @other the device; -1 for any */
	TERM_CLASS,	/* @text begins the class, in hexadecimal */
	TERM_NUMA,	/* @other is the node; -1 for unknown */
	TERM_LABEL,	/* @text is key=value of a lease */
	/* To whom leases may be addressed, beside TERM_UID, TERM_UNIT, and
	 * TERM_ALL: to whoever has the token. */
	TERM_TOKEN,
	TERM_KIND_COUNT
};

/**
 * struct term - One word of a grant
 */
struct term {
	enum term_kind kind;
	uint32_t id;
	int64_t other;
	char *text;
};

/**
 * struct terms - A list of them
 */
struct terms {
	struct term *items;
	size_t n;
};

/**
 * struct grant - What is given to whom
 * @name:	As in [grant NAME]
 * @where:	"file:line" of what it gives; "built in"
 * @who:	One that fits is enough
 * @role:	What it gives; ROLE_NONE if it gives @verbs
 * @verbs:	What it gives otherwise
 * @devices:	For these; empty for all
 * @address:	To whom leases made by it may be addressed, besides those that
 *		they may be addressed to in any case
 */
struct grant {
	char name[64];
	char where[POLICY_WHERE_SIZE];
	struct terms who;
	enum role role;
	struct terms verbs;
	struct terms devices;
	struct terms address;
};

/**
 * struct policy - All grants, in order; and how much each may take
 * @refs:	Every thread
 */
struct policy {
	_Atomic unsigned int refs;
	struct grant *grants;
	size_t n_grants;
	struct quotas quotas;
};

/**
 * policy_new() - One with what is built in
 * @viewers:	The gid of the group whose members are viewers; (gid_t)-1 if
 *		there is no such group
 *
 * Return: one reference; NULL without memory.
 */
struct policy *policy_new(gid_t viewers);

struct policy *policy_ref(struct policy *policy);

/* policy_unref() - NULL is allowed. Return: NULL. */
struct policy *policy_unref(struct policy *policy);

/**
 * policy_add() - Append an empty grant
 * @name:	Its name; one that is too long does not pass
 *
 * Before the policy is in use.
 *
 * Return: the grant, until the next one is added; NULL without memory.
 */
struct grant *policy_add(struct policy *policy, const char *name);

/**
 * grant_set() - Take over one line of a grant
 * @key:	"uid", "gid", "unit", "uri", "dns", "role", "verbs", "devices"
 *		or "address"
 * @value:	What follows; lists are parted by commas
 * @where:	"file:line"
 * @resolve:	Finds the number of a user ("uid") or group ("gid") by name;
 *		0 or -ENOENT; NULL if only numbers are taken
 * @ret_why:	Why it cannot be taken, 160 bytes
 *
 * Return: 0; -EINVAL with @ret_why; -ENOMEM.
 */
int grant_set(struct grant *grant, const char *key, const char *value,
	      const char *where,
	      int (*resolve)(const char *kind, const char *name,
			     uint32_t *ret),
	      char ret_why[160]);

/* grant_check() - Is it whole? Return: NULL; what it lacks. */
const char *grant_check(const struct grant *grant);

/* policy_names_groups() - Does any grant depend on a device's group? NULL is the
 * policy that is built in.
 */
bool policy_names_groups(const struct policy *policy);

/**
 * struct addressee - Whom a lease is for
 * @token:	Whoever shows its token
 * @uid:	The uid; (uid_t)-1 if only the token counts
 * @unit:	The unit; empty for any
 */
struct addressee {
	bool token;
	uid_t uid;
	const char *unit;
};

/**
 * struct question - May somebody do something?
 * @identity:	Who
 * @ceiling:	The most that it can be
 * @via_api:	It comes through ioasid-api
 * @permission:	What
 * @device:	With what; NULL to ask whether there is any device at all
 * @group:	Name of the device's group; empty for none, or if no grant names
 *		groups
 * @labels:	Of the lease, pairs: key, value, key, value; NULL for no lease
 * @addressee:	For lease.create: whom it is for; NULL if that is not asked
 */
struct question {
	const struct identity *identity;
	enum role ceiling;
	bool via_api;
	const struct permission *permission;
	const struct device *device;
	const char *group;
	const struct strv *labels;
	const struct addressee *addressee;
};

/**
 * enum verdict - What comes of a question
 * @VERDICT_ALLOWED:	A grant gives it
 * @VERDICT_DENIED:	No grant does
 * @VERDICT_ADDRESSEE:	One would, but not to lease to that addressee
 * @VERDICT_CEILING:	One does, but not through ioasid-api
 */
enum verdict {
	VERDICT_ALLOWED,
	VERDICT_DENIED,
	VERDICT_ADDRESSEE,
	VERDICT_CEILING,
};

/**
 * policy_decide() - May somebody do something?
 * @policy:	By which policy; NULL for what is built in without any group
 * @ret_grant:	The first grant that gives it; NULL if none does; may be NULL
 *
 * Grants are looked at in order: the first one that gives it decides. On
 * VERDICT_CEILING and VERDICT_ADDRESSEE it is the one that would.
 */
enum verdict policy_decide(const struct policy *policy,
			   const struct question *question,
			   const struct grant **ret_grant);

/* policy_role() - The highest role that somebody has for every device, without
 * a ceiling.
 */
enum role policy_role(const struct policy *policy,
		      const struct identity *identity);

#endif
