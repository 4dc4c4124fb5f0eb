/* SPDX-License-Identifier: Apache-2.0
 *
 * authorize.c - may the caller do it? By the policy of now
 */
#include "ops/authorize.h"

#include <errno.h>
#include <pthread.h>

/* What brings descriptors: not through ioasid-api, which must never have one. */
static const char *const handing_over[] = {
	"ioasid.v1.Leases/ClaimLease",
	"ioasid.v1.PageTables/OpenFaultQueue",
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct policy *in_use;	/* guarded by lock */

/* policy_use_consume() - From now on by this policy */
void policy_use_consume(struct policy *policy)
{
	struct policy *before;

	pthread_mutex_lock(&lock);
	before = in_use;
	in_use = policy;
	pthread_mutex_unlock(&lock);
	policy_unref(before);
}

/* policy_in_use() - The policy of now */
struct policy *policy_in_use(void)
{
	struct policy *policy;

	pthread_mutex_lock(&lock);
	policy = in_use ? policy_ref(in_use) : NULL;
	pthread_mutex_unlock(&lock);
	return policy;
}

/**
 * struct asking - A question, with what it needs to be one
 * @q:		The question
 * @nobody:	Who asks, if nothing but the uid is known
 * @policy:	By which it is decided
 */
struct asking {
	struct question q;
	struct identity nobody;
	struct policy *policy;
};

/**
 * asking_begin() - Ask for somebody
 * @a:		Filled; ends with asking_end()
 * @caller:	Who
 * @permission:	What
 */
static void asking_begin(struct asking *a, const struct caller *caller,
			 const char *permission)
{
	*a = (struct asking){
		.nobody = { .uid = caller->process.uid },
		.policy = policy_in_use(),
	};
	a->q = (struct question){
		.identity = caller->identity ? caller->identity : &a->nobody,
		.ceiling = caller->unknown ? ROLE_NONE : caller->ceiling,
		.via_api = caller->via_api,
		.permission = permission_find(permission),
	};
}

/* asking_end() - It has been answered */
static void asking_end(struct asking *a)
{
	policy_unref(a->policy);
}

/* authorize_role() - What the caller is, for every device */
enum role authorize_role(const struct caller *caller)
{
	struct asking a;
	enum role role;

	asking_begin(&a, caller, "");
	role = policy_role(a.policy, a.q.identity);
	asking_end(&a);
	return role < a.q.ceiling ? role : a.q.ceiling;
}

/* authorize_is_trusted() - Is it an administrator by the kernel's word? */
bool authorize_is_trusted(const struct caller *caller)
{
	struct asking a;
	bool trusted;

	if (caller->process.uid == (uid_t)-1)
		return false;
	asking_begin(&a, caller, "");
	trusted = policy_role(a.policy, a.q.identity) == ROLE_ADMIN;
	asking_end(&a);
	return trusted;
}

/**
 * who_words() - What a grant would say of the caller
 * @identity:	Who
 * @ret:	Such as "uid = 1000"
 */
static void who_words(const struct identity *identity, char ret[128])
{
	if (identity->uris.n)
		str_format(ret, 128, "uri = %s", identity->uris.items[0]);
	else if (identity->names.n)
		str_format(ret, 128, "dns = %s", identity->names.items[0]);
	else if (identity->uid != (uid_t)-1)
		str_format(ret, 128, "uid = %u", (unsigned int)identity->uid);
	else
		str_copy(ret, 128, "a name of its certificate");
}

/**
 * refuse() - Say who may not do what with which, and what would grant it
 * @a:		The question
 * @caller:	Who
 * @what:	The permission's name
 * @verdict:	Why not
 * @by:		The grant that would, but
 * @object:	Resource name; NULL if it is about none
 *
 * Return: -EACCES.
 */
static int refuse(const struct asking *a, const struct caller *caller,
		  const char *what, enum verdict verdict,
		  const struct grant *by, const char *object,
		  struct error *err)
{
	const struct addressee *to = a->q.addressee;
	char who[128];
	int r;

	if (verdict == VERDICT_CEILING) {
		r = error_set(err, -EACCES,
			      ERROR_PERMISSION_NATIVE_SOCKET_ONLY,
			      "%s may do %s (%s), but not through ioasid-api, where everybody is at most %s",
			      caller->principal, what, by->where,
			      role_name(a->q.ceiling));
	} else if (verdict == VERDICT_ADDRESSEE && to && to->token) {
		r = error_set(err, -EACCES, ERROR_PERMISSION_DENIED,
			      "%s may lease (%s), but not to whoever has a token",
			      caller->principal, by->where);
		error_remedy(err, "'address = token' in the grant that gives lease.create");
	} else if (verdict == VERDICT_ADDRESSEE && to) {
		r = error_set(err, -EACCES, ERROR_PERMISSION_DENIED,
			      "%s may lease (%s), but not to uid %u%s%s",
			      caller->principal, by->where,
			      (unsigned int)to->uid, *to->unit ? " in " : "",
			      to->unit);
		error_remedy(err, "'address = uid:%u' in the grant that gives lease.create",
			     (unsigned int)to->uid);
	} else {
		who_words(a->q.identity, who);
		r = error_set(err, -EACCES, ERROR_PERMISSION_DENIED,
			      "%s may not do %s%s%s: none of %zu grants gives it",
			      caller->principal, what, object ? " with " : "",
			      object ? object : "",
			      a->policy ? a->policy->n_grants : 1);
		error_remedy(err, "a grant with '%s' and '%s = %s'%s%s, see ioasidd.conf(5); `ioasidctl policy check` tells what there is",
			     who, a->q.permission->name[0] ? "verbs" : "role",
			     a->q.permission->name[0] ? what : "admin",
			     object ? " for " : "", object ? object : "");
	}
	if (object)
		error_object(err, "%s", object);
	return r;
}

/**
 * hands_over() - Do descriptors come with the reply of a method?
 */
static bool hands_over(const char *method)
{
	for (size_t i = 0; i < ARRAY_SIZE(handing_over); i++)
		if (str_eq(method, handing_over[i]))
			return true;
	return false;
}

/* authorize_method() - May the caller call a method at all? */
int authorize_method(const struct caller *caller, const char *method,
		     const char *permission, struct error *err)
{
	const struct grant *by = NULL;
	enum verdict verdict;
	struct asking a;
	int r = 0;

	if (caller->unknown)
		return error_set(err, -EACCES,
				 ERROR_PERMISSION_UNAUTHENTICATED,
				 "the connection has shown no certificate");
	asking_begin(&a, caller, permission);
	if (caller->via_api && hands_over(method)) {
		r = error_set(err, -EACCES,
			      ERROR_PERMISSION_NATIVE_SOCKET_ONLY,
			      "%s hands descriptors over, which never go through ioasid-api",
			      method);
	} else if (!a.q.permission->open) {
		verdict = policy_decide(a.policy, &a.q, &by);
		if (verdict != VERDICT_ALLOWED)
			r = refuse(&a, caller, permission, verdict, by, NULL,
				   err);
	}
	asking_end(&a);
	return r;
}

/**
 * decide_device() - May somebody do something with a device?
 * @a:		The question; gets the device
 * @reg:	The registry, locked
 * @device:	With which
 * @ret_by:	The grant that decides; may be NULL
 *
 * Groups are looked at one by one until the device's is found, which for each
 * device of a list is too much if nobody asks for it.
 */
static enum verdict decide_device(struct asking *a, struct registry *reg,
				  const struct device *device,
				  const struct grant **ret_by)
{
	const struct group *group = NULL;

	if (policy_names_groups(a->policy))
		group = registry_group_of(reg, device);
	a->q.device = device;
	a->q.group = group ? group->name : "";
	return policy_decide(a->policy, &a->q, ret_by);
}

/**
 * authorize_locked() - authorize_device() under the registry's lock
 */
static int authorize_locked(struct registry *reg, const struct caller *caller,
			    const char *permission, const char *name,
			    const struct lease *lease, bool addressed,
			    struct error *err)
{
	enum verdict verdict = VERDICT_ALLOWED;
	const struct grant *by = NULL;
	const struct device *device;
	struct addressee to;
	struct asking a;
	int r = 0;

	asking_begin(&a, caller, permission);
	a.q.labels = lease ? &lease->labels : NULL;
	if (addressed && lease) {
		to = (struct addressee){ lease->has_token, lease->claimant_uid,
					 lease->claimant_unit };
		a.q.addressee = &to;
	}
	device = registry_device(reg, name);
	if (device)
		verdict = decide_device(&a, reg, device, &by);
	if (verdict != VERDICT_ALLOWED)
		r = refuse(&a, caller, permission, verdict, by, name, err);
	asking_end(&a);
	return r;
}

/* authorize_device() - May the caller do something with a device? */
int authorize_device(struct host *host, const struct caller *caller,
		     const char *permission, const char *name,
		     const struct lease *lease, bool addressed,
		     struct error *err)
{
	int r;

	registry_lock(host->registry);
	r = authorize_locked(host->registry, caller, permission, name, lease,
			     addressed, err);
	registry_unlock(host->registry);
	return r;
}

/* authorize_devices() - authorize_device() of each of a list */
int authorize_devices(struct host *host, const struct caller *caller,
		      const char *permission, const struct strv *devices,
		      const struct lease *lease, bool addressed,
		      struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < devices->n && r == 0; i++)
		r = authorize_device(host, caller, permission,
				     devices->items[i], lease, addressed, err);
	return r;
}

/* --- leases, and what is shown --- */

/**
 * is_owner() - Has the caller made a lease?
 */
static bool is_owner(const struct lease *lease, const struct caller *caller)
{
	return *lease->owner && str_eq(lease->owner, caller->principal);
}

/* lease_addressed() - Is a lease addressed to the caller, or held by it? */
bool lease_addressed(const struct lease *lease, const struct caller *caller)
{
	const struct process *process = &caller->process;
	const struct holder *holder = lease->n_holders ?
		&lease->holders[lease->n_holders - 1] : NULL;
	char unit[128];

	/* Who came by TCP is no uid, and no process. */
	if (process->uid == (uid_t)-1)
		return false;
	/* Who shows a token may be somebody else. */
	if (holder && holder->process.pid == process->pid &&
	    holder->process.start_ticks == process->start_ticks)
		return true;
	if (lease->claimant_uid != process->uid ||
	    (lease->claimant_pid && lease->claimant_pid != process->pid))
		return false;
	if (!*lease->claimant_unit)
		return true;
	identity_unit(process->cgroup, unit);
	return str_eq(lease->claimant_unit, unit);
}

/* authorize_lease() - May the caller end a lease, or change it? */
int authorize_lease(struct registry *reg, const struct caller *caller,
		    const char *permission, const struct lease *lease,
		    struct error *err)
{
	int r = 0;

	if (lease_addressed(lease, caller) || is_owner(lease, caller))
		return 0;
	for (size_t i = 0; i < lease->devices.n && r == 0; i++)
		r = authorize_locked(reg, caller, permission,
				     lease->devices.items[i], lease, false,
				     err);
	error_prefix(r < 0 ? err : NULL, "%s", lease->name);
	return r;
}

/* authorize_cancel() - May the caller cancel an operation? */
int authorize_cancel(const struct caller *caller, const struct operation *op,
		     struct error *err)
{
	const struct grant *by = NULL;
	enum verdict verdict;
	struct asking a;
	int r = 0;

	if (str_eq(op->principal, caller->principal))
		return 0;
	asking_begin(&a, caller, "operation.cancel");
	verdict = policy_decide(a.policy, &a.q, &by);
	if (verdict != VERDICT_ALLOWED)
		r = refuse(&a, caller, "operation.cancel", verdict, by,
			   op->name, err);
	asking_end(&a);
	return r;
}

/* lease_visible() - May the caller see a lease? */
bool lease_visible(struct registry *reg, const struct lease *lease,
		   const struct caller *caller)
{
	bool visible = true;
	struct asking a;

	if (lease_addressed(lease, caller) || is_owner(lease, caller))
		return true;
	asking_begin(&a, caller, "lease.view");
	a.q.labels = &lease->labels;
	for (size_t i = 0; i < lease->devices.n && visible; i++) {
		const struct device *device =
			registry_device(reg, lease->devices.items[i]);

		/* What is gone is seen by who may see everything. */
		visible = device ?
			decide_device(&a, reg, device, NULL) ==
				VERDICT_ALLOWED :
			policy_role(a.policy, a.q.identity) >= ROLE_VIEWER &&
				a.q.ceiling >= ROLE_VIEWER;
	}
	asking_end(&a);
	return visible;
}

/* device_visible() - May the caller see a device? */
bool device_visible(struct registry *reg, const struct device *device,
		    const struct caller *caller)
{
	const struct lease *lease;
	enum verdict verdict;
	struct asking a;

	asking_begin(&a, caller, "device.view");
	verdict = decide_device(&a, reg, device, NULL);
	asking_end(&a);
	if (verdict == VERDICT_ALLOWED)
		return true;
	if (!device->lease[0])
		return false;
	lease = registry_lease(reg, device->lease);
	return lease && lease->state != LEASE_ENDED &&
	       lease_visible(reg, lease, caller);
}

/* group_visible() - May the caller see a group? */
bool group_visible(struct registry *reg, const struct group *group,
		   const struct caller *caller)
{
	bool visible = false;
	struct asking a;

	asking_begin(&a, caller, "group.view");
	for (size_t i = 0; i < group->n_devices && !visible; i++)
		visible = decide_device(&a, reg, group->devices[i], NULL) ==
			  VERDICT_ALLOWED;
	asking_end(&a);
	return visible;
}

/* operation_visible() - May the caller see it? */
bool operation_visible(const struct operation *op,
		       const struct caller *caller)
{
	bool visible;
	struct asking a;

	if (str_eq(op->principal, caller->principal))
		return true;
	asking_begin(&a, caller, "operation.view");
	visible = policy_decide(a.policy, &a.q, NULL) == VERDICT_ALLOWED;
	asking_end(&a);
	return visible;
}
