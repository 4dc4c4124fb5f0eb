/* SPDX-License-Identifier: Apache-2.0
 *
 * authorize.h - may the caller do it? By the policy of now
 *
 * DOC: Theory of Operation
 *
 * Each request is asked about twice. Before it is read, by its method alone:
 * authorize_method(). And where the object is known, by the object:
 * authorize_device() for what changes something, device_visible() and
 * lease_visible() for what is shown. All of it ends in policy_decide().
 *
 * The policy in use is one for the process, and is never changed: a reload puts
 * another in its place. From every thread.
 */
#ifndef IOASIDD_OPS_AUTHORIZE_H
#define IOASIDD_OPS_AUTHORIZE_H

#include "ops/host.h"

/* policy_use_consume() - From now on by this policy; NULL for what is built in
 * without any group.
 */
void policy_use_consume(struct policy *policy);

/* policy_in_use() - The policy of now. Return: a reference; maybe NULL. */
struct policy *policy_in_use(void);

/* authorize_role() - What the caller is, for every device, under its ceiling. */
enum role authorize_role(const struct caller *caller);

/* authorize_is_admin() - Is that everything? */
static inline bool authorize_is_admin(const struct caller *caller)
{
	return authorize_role(caller) == ROLE_ADMIN;
}

/* authorize_is_trusted() - Is it an administrator by the kernel's word, be it
 * through ioasid-api or not?
 */
bool authorize_is_trusted(const struct caller *caller);

/**
 * authorize_method() - May the caller call a method at all?
 * @method:	Its name, for the words
 * @permission:	What it needs
 * @descriptors: Some come with it: not through ioasid-api, which must never have
 *		one
 *
 * Return: 0; -EACCES permission.denied, permission.unauthenticated,
 * permission.native-socket-only.
 */
int authorize_method(const struct caller *caller, const char *method,
		     const char *permission, bool descriptors,
		     struct error *err);

/**
 * authorize_device() - May the caller do something with a device?
 * @permission:	What
 * @device:	Resource name. One that there is not is nobody's to be refused:
 *		0
 * @lease:	With it, or to be made: its labels count; NULL for none
 * @addressed:	It is to be made, for its claimant; or for who has its token
 *
 * The registry's lock must not be held.
 *
 * Return: 0; -EACCES permission.denied, permission.native-socket-only, saying
 * what would grant it.
 */
int authorize_device(struct host *host, const struct caller *caller,
		     const char *permission, const char *device,
		     const struct lease *lease, bool addressed,
		     struct error *err);

/* authorize_devices() - authorize_device() of each of a list. */
int authorize_devices(struct host *host, const struct caller *caller,
		      const char *permission, const struct strv *devices,
		      const struct lease *lease, bool addressed,
		      struct error *err);

/**
 * authorize_lease() - May the caller end a lease, or change it?
 * @permission:	Such as "lease.release"
 *
 * Who it is addressed to, who holds it and who made it may; and who has the
 * permission for all of its devices. Under the registry's lock.
 *
 * Return: 0; -EACCES, as authorize_device().
 */
int authorize_lease(struct registry *reg, const struct caller *caller,
		    const char *permission, const struct lease *lease,
		    struct error *err);

/**
 * authorize_cancel() - May the caller cancel an operation?
 *
 * Who asked for it may; and who has operation.cancel.
 */
int authorize_cancel(const struct caller *caller, const struct operation *op,
		     struct error *err);

/**
 * lease_addressed() - Is a lease addressed to the caller, or held by it?
 */
bool lease_addressed(const struct lease *lease, const struct caller *caller);

/**
 * lease_visible() - May the caller see a lease? Who may see all its devices'
 *		     leases, who made it, who may claim it and who holds it.
 *
 * Under the registry's lock, like those that follow.
 */
bool lease_visible(struct registry *reg, const struct lease *lease,
		   const struct caller *caller);

/* device_visible() - May the caller see a device? Also those of leases that it
 * sees and that have not ended.
 */
bool device_visible(struct registry *reg, const struct device *device,
		    const struct caller *caller);

/* group_visible() - May the caller see a group? If it may see one of it. */
bool group_visible(struct registry *reg, const struct group *group,
		   const struct caller *caller);

/* operation_visible() - May the caller see it? Also those that it asked for. */
bool operation_visible(const struct operation *op,
		       const struct caller *caller);

#endif
