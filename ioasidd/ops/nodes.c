/* SPDX-License-Identifier: Apache-2.0
 *
 * nodes.c - leases of nodes: without iommufd a VMM opens /dev/vfio/<number>
 *	     itself
 */
#include <errno.h>

#include "base/log.h"
#include "ops/lease.h"
#include "ops/node-watch.h"
#include "ops/nodes.h"
#include "ops/watch.h"

/* How long a look waits for another change of the lease. */
#define OWN_TIMEOUT_MS 2000

/* --- which nodes --- */

/**
 * is_of_nodes() - Are transfer leases of nodes on this host?
 */
static bool is_of_nodes(struct host *host)
{
	const enum kernel_backend backend = host_backend(host);

	return backend == KERNEL_BACKEND_TYPE1 ||
	       backend == KERNEL_BACKEND_SPAPR;
}

/**
 * add_node() - Add the node of a device's group, unless it is there
 * @lease:	Gets it
 * @device:	A draft's copy
 *
 * Return: 0; -ENOENT kernel.no-node; -ENOMEM.
 */
static int add_node(struct host *host, struct lease *lease,
		    const struct device *device, struct error *err)
{
	struct lease_node node = { .open = false };
	const struct group *group;
	int r;

	registry_lock(host->registry);
	group = registry_group_of(host->registry, device);
	if (group)
		str_copy(node.group, sizeof(node.group), group->name);
	registry_unlock(host->registry);
	for (size_t i = 0; i < lease->n_nodes; i++)
		if (str_eq(lease->nodes[i].group, node.group))
			return 0;
	r = host->kernel->ops->node_find(host->kernel, device->facts.group,
					 &node.node, err);
	error_object(r < 0 ? err : NULL, "%s", device->name);
	if (r == 0 && lease_add_node(lease, &node) < 0)
		r = error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
			      "no memory");
	return r;
}

/**
 * find_nodes() - Find the nodes of a lease's devices
 * @lease:	Gets them
 * @draft:	The devices
 *
 * Return: 0; -EINVAL lease.mode; -ENOENT kernel.no-node; -ENOMEM.
 */
static int find_nodes(struct host *host, struct lease *lease,
		      const struct draft *draft, struct error *err)
{
	int r = 0;

	lease_drop_nodes(lease);
	for (size_t i = 0; i < draft->n && r == 0; i++) {
		const struct device *device = &draft->copies[i];

		if (!device->record.no_iommu) {
			r = add_node(host, lease, device, err);
			continue;
		}
		r = error_set(err, -EINVAL, ERROR_LEASE_MODE,
			      "%s has no IOMMU: the kernel lets nobody without CAP_SYS_RAWIO open its group",
			      device->name);
		error_object(err, "%s", device->name);
	}
	return r;
}

/**
 * nodes_fill() - See nodes.h
 */
int nodes_fill(struct host *host, struct lease *offer,
	       const struct draft *draft, struct error *err)
{
	if (offer->mode == LEASE_TRANSFER && is_of_nodes(host))
		return find_nodes(host, offer, draft, err);
	if (!offer->shared_uid)
		return 0;
	return error_set(err, -EINVAL, ERROR_LEASE_NODES,
			 "field shared_uid: the lease has no nodes, its holder gets descriptors");
}

/* --- who else could open them --- */

/**
 * find_lease() - Another lease with nodes that the user holds, as another process
 * @lease:	This one
 * @process:	Its claimant
 * @ret:	The other's name
 *
 * Return: true if there is one.
 */
static bool find_lease(struct host *host, const struct lease *lease,
		       const struct process *process, char ret[NAME_SIZE])
{
	struct registry *reg = host->registry;
	bool found = false;

	registry_lock(reg);
	for (size_t i = 0; i < reg->n_leases && !found; i++) {
		struct lease *other = reg->leases[i];
		const struct holder *holder = lease_holder(other);

		if (!other->n_nodes || !holder ||
		    (other->state != LEASE_HELD &&
		     other->state != LEASE_CLAIMING) ||
		    str_eq(other->name, lease->name) ||
		    holder->process.uid != process->uid ||
		    holder->process.pid == process->pid)
			continue;
		str_copy(ret, NAME_SIZE, other->name);
		found = true;
	}
	registry_unlock(reg);
	return found;
}

/**
 * check_uid() - Can nobody but the claimant open what its user can?
 * @lease:	The lease
 * @process:	The claimant
 *
 * Return: 0, also if the lease says that it may be so; -EPERM lease.uid-shared;
 * -errno.
 */
static int check_uid(struct host *host, const struct lease *lease,
		     const struct process *process, struct error *err)
{
	struct error found = ERROR_NULL;
	struct process other = { .pid = 0 };
	char name[NAME_SIZE], pid[16];
	int r;

	r = process_of_user(process->uid, process->cgroup, process->pid,
			    &other, err);
	if (r < 0)
		return r;
	if (find_lease(host, lease, process, name)) {
		error_set(&found, -EPERM, ERROR_LEASE_UID_SHARED,
			  "%s is held by uid %u too", name, process->uid);
		error_cause(&found, "lease", name, "is held by the same uid");
	} else if (r == 0) {
		return 0;
	} else {
		error_set(&found, -EPERM, ERROR_LEASE_UID_SHARED,
			  "process %d (%s) has uid %u too, and is not in the control group of process %d",
			  (int)other.pid, other.comm, process->uid,
			  (int)process->pid);
	}
	str_format(pid, sizeof(pid), "%d", (int)other.pid);
	if (r == 1)
		error_cause(&found, "process", pid, "%s, in '%s'", other.comm,
			    other.cgroup);
	if (lease->shared_uid) {
		log_problem(LOG_LEVEL_NOTICE, &found,
			    "%s: opened to a shared uid, as it was made",
			    lease->name);
		return 0;
	}
	if (err)
		*err = found;
	return -EPERM;
}

/* --- opening --- */

/**
 * plan_node() - What is to be changed at one node?
 * @node:	Says so afterwards
 * @uid:	For whom
 *
 * Return: 0 or -errno.
 */
static int plan_node(struct host *host, struct lease_node *node, uid_t uid,
		     struct error *err)
{
	struct acl acl;
	int r;

	r = host->kernel->ops->node_get_acl(host->kernel, &node->node, &acl,
					    err);
	if (r < 0)
		return r;
	node->before = acl;
	/* The administrator's entry is to stay when ours would go. */
	node->open = !acl_has(&acl, uid);
	return 0;
}

/**
 * nodes_plan() - See nodes.h
 */
int nodes_plan(struct host *host, struct lease *lease,
	       const struct draft *draft, const struct process *process,
	       bool own_nodes, struct error *err)
{
	int r;

	if (!lease->n_nodes && own_nodes)
		return error_set(err, -EINVAL, ERROR_LEASE_NODES,
				 "field own_nodes: %s has no nodes, its holder gets descriptors",
				 lease->name);
	if (!lease->n_nodes)
		return 0;
	/* Numbers may be others than when it was offered. */
	r = find_nodes(host, lease, draft, err);
	/* Root owns the nodes, and needs no entry. */
	if (r < 0 || own_nodes || process->uid == 0)
		return r;
	r = check_uid(host, lease, process, err);
	for (size_t i = 0; i < lease->n_nodes && r == 0; i++)
		r = plan_node(host, &lease->nodes[i], process->uid, err);
	return r;
}

/**
 * set_entry() - Put the holder's entry into what a node had before
 * @node:	It; open
 * @uid:	For whom
 *
 * Return: 0 or -errno.
 */
static int set_entry(struct host *host, const struct lease_node *node,
		     uid_t uid, struct error *err)
{
	struct acl acl;
	int r;

	r = acl_add(&node->before, uid, &acl);
	if (r < 0)
		return error_set(err, r, ERROR_KERNEL_NO_ACL,
				 "no room for another entry of '%s'",
				 node->node.path);
	return host->kernel->ops->node_set_acl(host->kernel, &node->node, &acl,
					       err);
}

/**
 * nodes_open() - See nodes.h
 */
int nodes_open(struct host *host, struct lease *lease, struct error *err)
{
	const uid_t uid = lease_holder(lease)->process.uid;
	int r = 0;

	/* Who is told that it can open them may have done so before we return:
	 * listening comes first.
	 */
	for (size_t i = 0; i < lease->n_nodes; i++)
		if (lease->nodes[i].open)
			node_watch(host, lease->nodes[i].node.path,
				   lease->name);
	for (size_t i = 0; i < lease->n_nodes && r == 0; i++)
		if (lease->nodes[i].open)
			r = set_entry(host, &lease->nodes[i], uid, err);
	if (r < 0)
		(void)nodes_close(host, lease, NULL); /* @err says why */
	return r;
}

/* --- closing --- */

/**
 * close_node() - Put back what a node had
 * @node:	It; open
 * @uid:	Of the holder
 *
 * What somebody else has set meanwhile stays, without our entry.
 *
 * Return: 0, also if there is no such node any more; -errno.
 */
static int close_node(struct host *host, struct lease_node *node, uid_t uid,
		      struct error *err)
{
	const struct kernel_ops *k = host->kernel->ops;
	struct acl now, ours, then;
	int r;

	r = k->node_get_acl(host->kernel, &node->node, &now, err);
	if (r == 0) {
		if (acl_add(&node->before, uid, &ours) == 0 &&
		    acl_equal(&now, &ours))
			then = node->before;
		else
			acl_remove(&now, uid, &then);
		if (!acl_equal(&now, &then))
			r = k->node_set_acl(host->kernel, &node->node, &then,
					    err);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	node->open = false;
	return 0;
}

/**
 * nodes_close() - See nodes.h
 */
int nodes_close(struct host *host, struct lease *lease, struct error *err)
{
	struct error each = ERROR_NULL;
	int r, first = 0;
	uid_t uid;

	if (!lease_is_open(lease))
		return 0;
	node_unwatch(host, lease->name);
	uid = lease_holder(lease)->process.uid;
	for (size_t i = 0; i < lease->n_nodes; i++) {
		if (!lease->nodes[i].open)
			continue;
		r = close_node(host, &lease->nodes[i], uid, &each);
		if (r == 0)
			continue;
		log_problem(LOG_LEVEL_ERROR, &each,
			    "%s: uid %u may still open '%s'", lease->name,
			    uid, lease->nodes[i].node.path);
		if (first == 0 && err)
			*err = each;
		first = first ? first : r;
	}
	return first;
}

/**
 * nodes_close_for() - See nodes.h
 */
void nodes_close_for(struct host *host, struct operation *op,
		     struct lease *lease)
{
	struct error err = ERROR_NULL;
	struct act act;
	int r;

	if (!lease_is_open(lease))
		return;
	(void)journal_before(host, op, &act, lease->name, "nodes",
			     "access taken off", &err); /* done all the same */
	r = nodes_close(host, lease, &err);
	(void)journal_after(host, op, &act, r, &err); /* r again */
}

/* --- while the holder could open them --- */

/**
 * device_of() - Some device of a node's group
 * @ret:	Its address; empty if it is gone
 */
static void device_of(struct host *host, const struct lease *lease,
		      const struct lease_node *node, char ret[BDF_SIZE])
{
	struct registry *reg = host->registry;

	ret[0] = '\0';
	registry_lock(reg);
	for (size_t i = 0; i < lease->devices.n && !*ret; i++) {
		const struct device *device =
			registry_device(reg, lease->devices.items[i]);
		const struct group *group =
			device ? registry_group_of(reg, device) : NULL;

		if (group && str_eq(group->name, node->group))
			str_copy(ret, BDF_SIZE, device->facts.bdf);
	}
	registry_unlock(reg);
}

/**
 * is_in_use() - Has somebody a group open? Then nobody else can open it
 * @lease:	Whose it is
 * @node:	Its node
 *
 * It should be the holder, or a process that it has started. If it is another
 * one the holder has lost, and will say so; here it is written down.
 */
static bool is_in_use(struct host *host, struct lease *lease,
		      const struct lease_node *node)
{
	struct error held = ERROR_NULL;
	char bdf[BDF_SIZE], pid[16];

	device_of(host, lease, node, bdf);
	if (!*bdf || host->kernel->ops->cdev_holders(host->kernel, bdf,
						     &held) != -EBUSY)
		return false;
	str_format(pid, sizeof(pid), "%d",
		   (int)lease_holder(lease)->process.pid);
	for (size_t i = 0; i < held.n_causes; i++)
		if (str_eq(held.causes[i].name, pid))
			return true;
	log_warning("%s: '%s' was opened by process %s (%s), not by its holder, process %s",
		    lease->name, node->node.path, held.causes[0].name,
		    held.causes[0].detail, pid);
	return true;
}

/**
 * look_at_node() - Close a node that is in use; put right one that was changed
 * @lease:	A copy of the lease, held and ours
 * @node:	Of it; open
 *
 * Return: 1: it has changed, what it is now is to be made durable; and if it is
 * still open, its entry to be set. 0: it has not; -errno.
 */
static int look_at_node(struct host *host, struct lease *lease,
			struct lease_node *node, struct error *err)
{
	const uid_t uid = lease_holder(lease)->process.uid;
	struct acl now;
	int r;

	if (is_in_use(host, lease, node)) {
		r = close_node(host, node, uid, err);
		return r < 0 ? r : 1;
	}
	r = host->kernel->ops->node_get_acl(host->kernel, &node->node, &now,
					    err);
	if (r < 0 || acl_has(&now, uid))
		return r == -ENOENT ? 0 : r;
	log_notice("%s: somebody has changed who may open '%s'; set again",
		   lease->name, node->node.path);
	acl_remove(&now, uid, &node->before);
	return 1;
}

/**
 * commit() - Make durable what the nodes of a lease are
 * @lease:	A copy of it; what it was before on success
 *
 * Return: 0 or -errno.
 */
static int commit(struct host *host, struct lease *lease, struct error *err)
{
	const struct commit what = { .lease = lease };

	return commit_write(host, &what, err);
}

/**
 * set_again() - Set entries that somebody else has taken away
 * @lease:	The lease, durable with what its nodes have without them
 * @again:	Which
 *
 * Return: 0 or the first -errno.
 */
static int set_again(struct host *host, struct lease *lease,
		     const bool again[LEASE_DEVICES_MAX], struct error *err)
{
	const uid_t uid = lease_holder(lease)->process.uid;
	int r = 0;

	for (size_t i = 0; i < lease->n_nodes && r == 0; i++)
		if (again[i])
			r = set_entry(host, &lease->nodes[i], uid, err);
	return r;
}

/**
 * look() - Look at all nodes of a lease
 * @lease:	A copy of the lease, ours
 *
 * Return: 0 or -errno.
 */
static int look(struct host *host, struct lease *lease, struct error *err)
{
	bool again[LEASE_DEVICES_MAX] = { false }, changed = false;
	struct lease *next = NULL;
	int r = 0, w = 0;

	for (size_t i = 0; i < lease->n_nodes && r >= 0; i++) {
		if (!lease->nodes[i].open)
			continue;
		r = look_at_node(host, lease, &lease->nodes[i], err);
		changed = changed || r == 1;
		again[i] = r == 1 && lease->nodes[i].open;
	}
	if (!lease_is_open(lease))
		node_unwatch(host, lease->name);
	if (!changed)
		return r;
	next = lease_copy(lease);
	/* Also what was done before something failed. */
	w = next ? commit(host, lease, r < 0 ? NULL : err) : -ENOMEM;
	if (w == 0 && r >= 0)
		r = set_again(host, next, again, err);
	lease_free(next);
	return r < 0 ? r : w;
}

/**
 * nodes_look() - See nodes.h
 */
int nodes_look(struct host *host, const char *name)
{
	struct error err = ERROR_NULL;
	const struct lease *live;
	char claim[NAME_SIZE];
	struct lease *lease;
	bool open;
	int r;

	node_looking(host, name);
	registry_lock(host->registry);
	live = registry_lease(host->registry, name);
	open = live && lease_is_open(live);
	registry_unlock(host->registry);
	if (!open)
		return 0;
	r = lease_own(host, NULL, NULL, name, OWN_TIMEOUT_MS, claim, &lease,
		      &err);
	if (r < 0)
		return r == -ENOENT ? 0 : -EAGAIN;
	if (lease->state == LEASE_HELD && lease_is_open(lease))
		r = look(host, lease, &err);
	lease_free(lease);
	lease_disown(host, claim);
	if (r < 0 && r != -ENOMEM)
		log_problem(LOG_LEVEL_ERROR, &err,
			    "%s: its nodes cannot be looked at", name);
	return r == -ENOMEM ? -EAGAIN : 0;
}

/**
 * nodes_resume() - See nodes.h
 */
int nodes_resume(struct host *host, const struct lease *lease)
{
	if (!lease_is_open(lease))
		return 0;
	for (size_t i = 0; i < lease->n_nodes; i++)
		if (lease->nodes[i].open)
			node_watch(host, lease->nodes[i].node.path,
				   lease->name);
	return watch_later(host, lease->name, nodes_look);
}
