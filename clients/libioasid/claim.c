/* SPDX-License-Identifier: Apache-2.0
 *
 * claim.c - the descriptors of a lease
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/uapi.h"
#include "ioasid/v1/lease.pb-c.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"
#include "libioasid/object.h"

/**
 * struct claim_box - A claim and what it owns
 * @pub:	What the caller has; first, so that it is the box's address
 * @lease:	What @pub.lease points to
 * @devices:	What @pub.devices points to
 * @groups:	What @pub.groups points to
 * @names:	Of the groups, one behind the other
 */
struct claim_box {
	struct ioasid_claim pub;
	struct ioasid_lease *lease;
	struct ioasid_claimed_device devices[IOASID_MAX_DEVICES];
	struct ioasid_claimed_group groups[IOASID_MAX_DEVICES];
	char names[];
};

/**
 * is_kept() - Has the daemon made what is in the answer to a claim?
 */
static bool is_kept(const Ioasid__V1__Lease *lease)
{
	return lease->mode == IOASID__V1__LEASE__MODE__HOLD ||
	       lease->mode == IOASID__V1__LEASE__MODE__GUARDED;
}

/* has_iommufd() - Does an iommufd come first? */
static bool has_iommufd(const Ioasid__V1__Lease *lease)
{
	return lease->mode != IOASID__V1__LEASE__MODE__GUARDED;
}

/**
 * groups_wrong() - What is wrong with a claim that comes with groups, and so with
 *		    a container
 *
 * There things have no ids.
 *
 * Return: words; NULL if nothing is.
 */
static const char *groups_wrong(const Ioasid__V1__ClaimLeaseResponse *reply)
{
	const Ioasid__V1__Lease *lease = reply->lease;

	if (lease->mode != IOASID__V1__LEASE__MODE__HOLD ||
	    reply->n_groups > reply->n_devices || reply->simulated)
		return "a claim with groups where there can be none, or more "
		       "than devices";
	for (size_t i = 0; i < reply->n_groups; i++) {
		if (!reply->groups[i][0])
			return "a claim of a group without a name";
		for (size_t j = 0; j < i; j++)
			if (str_eq(reply->groups[i], reply->groups[j]))
				return "a claim of one group twice";
	}
	if (lease->n_device_ids || lease->n_spaces > 1 ||
	    (lease->n_spaces &&
	     lease->spaces[0]->kernel_id != IOASID_SPACE_OF_CONTAINER))
		return "a claim with ids of what is in a container";
	return NULL;
}

/**
 * nodes_wrong() - What is wrong with a claim that comes with nodes, and so
 *		   without descriptors
 *
 * Return: words; NULL if nothing is.
 */
static const char *nodes_wrong(const Ioasid__V1__ClaimLeaseResponse *reply)
{
	const Ioasid__V1__Lease *lease = reply->lease;

	if (lease->mode != IOASID__V1__LEASE__MODE__TRANSFER ||
	    reply->n_nodes > reply->n_devices || reply->simulated ||
	    reply->n_nodes != lease->n_nodes)
		return "a claim with nodes where there can be none, or others "
		       "than its lease";
	for (size_t i = 0; i < reply->n_nodes; i++)
		if (!str_eq(reply->nodes[i]->path, lease->nodes[i]->path) ||
		    !lease->nodes[i]->path[0])
			return "a claim with other nodes than its lease";
	return NULL;
}

/**
 * how_many() - How many descriptors come with the answer to a claim
 * @reply:	The answer
 */
static size_t how_many(const Ioasid__V1__ClaimLeaseResponse *reply)
{
	if (reply->n_nodes)
		return 0;
	return reply->n_devices + has_iommufd(reply->lease) + reply->n_groups;
}

/**
 * ids_wrong() - What is wrong with the ids in the answer to a claim
 * @lease:	The lease, with as many devices as were claimed
 *
 * A kernel's ids begin at 1.
 *
 * Return: words; NULL if nothing is.
 */
static const char *ids_wrong(const Ioasid__V1__Lease *lease)
{
	if (!is_kept(lease))
		return lease->n_device_ids || lease->n_spaces ?
		       "a claim with ids of what the daemon did not make" :
		       NULL;
	if (lease->n_device_ids != lease->n_devices)
		return "a claim whose ids are not one for each device";
	for (size_t i = 0; i < lease->n_device_ids; i++) {
		if (!lease->device_ids[i])
			return "a claim of a device without an id";
		for (size_t j = 0; j < i; j++)
			if (lease->device_ids[i] == lease->device_ids[j])
				return "a claim of devices with one id";
	}
	for (size_t i = 0; i < lease->n_spaces; i++)
		if (!lease->spaces[i]->kernel_id)
			return "a claim of a space without an id";
	return NULL;
}

/**
 * claim_wrong() - What is wrong with the answer to a claim
 * @name:	The lease that was claimed
 * @reply:	The answer
 * @n_fds:	How many descriptors came with it
 *
 * Return: words; NULL if nothing is.
 */
static const char *claim_wrong(const char *name,
			       const Ioasid__V1__ClaimLeaseResponse *reply,
			       size_t n_fds)
{
	const Ioasid__V1__Lease *lease = reply->lease;

	if (!lease || !str_eq(lease->name, name))
		return "the answer to a claim is about another lease";
	if (reply->n_devices < 1 || reply->n_devices > IOASID_MAX_DEVICES)
		return "a lease that does not have 1 to 64 devices";
	/* Of what other modes there may be one day, who knows what comes. */
	if (lease->mode > IOASID__V1__LEASE__MODE__GUARDED)
		return "a claim of a mode that this version of libioasid does "
		       "not know";
	if (n_fds != how_many(reply))
		return "a claim whose descriptors are not an iommufd and one "
		       "for each device, a container and one for each group "
		       "and device, of mode guarded those of devices alone, or "
		       "none with nodes";
	if (reply->n_nodes && nodes_wrong(reply))
		return nodes_wrong(reply);
	if (lease->n_devices != reply->n_devices)
		return "a claim with other devices than its lease";
	for (size_t i = 0; i < reply->n_devices; i++)
		if (!reply->devices[i][0] ||
		    !str_eq(lease->devices[i], reply->devices[i]))
			return "a claim with other devices than its lease";
	return reply->n_groups ? groups_wrong(reply) : ids_wrong(lease);
}

/* is_tce() - Is a container of SPAPR TCE? It says so to everybody. No simulated
 * machine has one.
 */
static bool is_tce(int container)
{
	const unsigned long type = UAPI_SPAPR_TCE_v2_IOMMU;

	return ioctl(container, UAPI_CHECK_EXTENSION, type) > 0;
}

/**
 * take_groups() - Make the groups of a claim
 * @box:	The claim, with room for their names
 * @fds:	Descriptors, theirs from the second one on
 */
static void take_groups(struct claim_box *box,
			const Ioasid__V1__ClaimLeaseResponse *reply,
			struct channel_fds *fds)
{
	char *name = box->names;

	for (size_t i = 0; i < reply->n_groups; i++) {
		box->groups[i].name = name;
		box->groups[i].fd = TAKE_FD(fds->fds[1 + i]);
		name = stpcpy(name, reply->groups[i]) + 1;
	}
	box->pub.groups = box->groups;
	box->pub.n_groups = reply->n_groups;
	box->pub.backend = !reply->n_groups ? IOASID_BACKEND_IOMMUFD :
			   is_tce(box->pub.iommufd) ? IOASID_BACKEND_SPAPR :
						      IOASID_BACKEND_TYPE1;
}

/**
 * claim_new() - Make a claim of its answer
 * @reply:	The answer, checked; its lease passes to the claim
 * @fds:	Its descriptors; pass to the claim on success
 *
 * Return: the claim; NULL without memory.
 */
static struct ioasid_claim *claim_new(Ioasid__V1__ClaimLeaseResponse *reply,
				      struct channel_fds *fds)
{
	const bool nodes = reply->n_nodes > 0;
	const size_t first = has_iommufd(reply->lease);
	struct claim_box *box;
	size_t names = 0;

	for (size_t i = 0; i < reply->n_groups; i++)
		names += strlen(reply->groups[i]) + 1;
	box = calloc(1, sizeof(*box) + names);
	if (!box)
		return NULL;
	box->lease = object_lease(&reply->lease);
	if (!box->lease) {
		free(box);
		return NULL;
	}
	box->pub.lease = box->lease;
	box->pub.devices = box->devices;
	box->pub.n_devices = box->lease->n_devices;
	box->pub.simulated = reply->simulated;
	box->pub.iommufd = first && !nodes ? TAKE_FD(fds->fds[0]) : -1;
	take_groups(box, reply, fds);
	if (nodes)
		box->pub.backend = IOASID_BACKEND_TYPE1;
	for (size_t i = 0; i < box->pub.n_devices; i++) {
		box->devices[i].name = box->lease->devices[i];
		box->devices[i].fd = nodes ? -1 :
			TAKE_FD(fds->fds[first + reply->n_groups + i]);
		/* None of TRANSFER, whose devices are not bound, and none in a
		 * container.
		 */
		if (box->lease->n_device_ids)
			box->devices[i].id = box->lease->device_ids[i];
	}
	fds->n = 0;
	return (void *)box; /* whose first member it is */
}

/* ioasid_claim_free() - See ioasid.h. */
struct ioasid_claim *ioasid_claim_free(struct ioasid_claim *claim)
{
	struct claim_box *box = (struct claim_box *)claim;

	if (box) {
		for (size_t i = 0; i < claim->n_groups; i++)
			(void)fd_close(claim->groups[i].fd);
		(void)fd_close(claim->iommufd);
		for (size_t i = 0; i < claim->n_devices; i++)
			(void)fd_close(claim->devices[i].fd);
		(void)ioasid_lease_free(box->lease);
		free(box);
	}
	return NULL;
}

/**
 * claim_lease() - Claim a lease
 * @own_nodes:	The caller has nodes of its own
 *
 * Return: see ioasid.h.
 */
static int claim_lease(struct ioasid *conn, const char *name,
		       const char *token, bool own_nodes,
		       struct ioasid_claim **ret, struct ioasid_error *err)
{
	Ioasid__V1__ClaimLeaseRequest request =
		IOASID__V1__CLAIM_LEASE_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *message = NULL;
	Ioasid__V1__ClaimLeaseResponse *reply;
	struct ioasid_claim *claim;
	struct channel_fds fds;
	const char *wrong;
	int r;

	request.name = (char *)name;
	request.token = (char *)token;
	request.own_nodes = own_nodes;
	r = channel_call_fds(conn, "Leases/ClaimLease", &request.base,
			     &ioasid__v1__claim_lease_response__descriptor,
			     &fds, &message, err);
	if (r < 0)
		return r;
	reply = (Ioasid__V1__ClaimLeaseResponse *)message;
	wrong = claim_wrong(name, reply, fds.n);
	if (wrong) {
		channel_fds_close(&fds);
		return channel_broken(conn, wrong, err);
	}
	claim = claim_new(reply, &fds);
	if (!claim) {
		channel_fds_close(&fds);
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");
	}
	*ret = claim;
	return 0;
}

/* ioasid_lease_claim() - See ioasid.h. */
int ioasid_lease_claim(struct ioasid *conn, const char *name,
		       struct ioasid_claim **ret, struct ioasid_error *err)
{
	return claim_lease(conn, name, "", false, ret, err);
}

/* ioasid_lease_claim_token() - See ioasid.h. */
int ioasid_lease_claim_token(struct ioasid *conn, const char *name,
			     const char *token, struct ioasid_claim **ret,
			     struct ioasid_error *err)
{
	return claim_lease(conn, name, token, false, ret, err);
}

/* ioasid_lease_claim_own_nodes() - See ioasid.h. */
int ioasid_lease_claim_own_nodes(struct ioasid *conn, const char *name,
				 const char *token, struct ioasid_claim **ret,
				 struct ioasid_error *err)
{
	return claim_lease(conn, name, token, true, ret, err);
}
