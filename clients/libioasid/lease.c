/* SPDX-License-Identifier: Apache-2.0
 *
 * lease.c - leases: offered, listed, released
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ioasid/v1/lease.pb-c.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"
#include "libioasid/object.h"
#include "libioasid/wish.h"

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what an array of unknown length points to. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* libioasid's numbers are the contract's. */
static_assert((int)IOASID_LEASE_OFFERED == IOASID__V1__LEASE__STATE__OFFERED,
	      "");
static_assert((int)IOASID_LEASE_ENDED == IOASID__V1__LEASE__STATE__ENDED, "");
static_assert(IOASID_LEASE_STATES == 6, "a state was added: name it above");
static_assert((int)IOASID_LEASE_TRANSFER == IOASID__V1__LEASE__MODE__TRANSFER,
	      "");
static_assert((int)IOASID_LEASE_HOLD == IOASID__V1__LEASE__MODE__HOLD, "");
static_assert((int)IOASID_LEASE_GUARDED == IOASID__V1__LEASE__MODE__GUARDED,
	      "");
static_assert(IOASID_LEASE_MODES == 4, "a mode was added: name it above");

/* The first struct ioasid_offer ended here. */
#define OFFER_SIZE_MIN offsetof(struct ioasid_offer, claimant_unit)

/**
 * struct lease_box - A lease and what its strings lie in
 * @pub:	What the caller has; first, so that it is the box's address
 * @msg:	Owner of the strings
 * @nodes:	What @pub.nodes points to
 * @spaces:	Its spaces with their arrays, then what @pub.spaces points to
 */
struct lease_box {
	struct ioasid_lease pub;
	Ioasid__V1__Lease *msg;
	struct ioasid_node *nodes;
	_Alignas(max_align_t) char spaces[];
};

/* object_microseconds() - See object.h. */
int64_t object_microseconds(const Google__Protobuf__Timestamp *t)
{
	if (!t || t->seconds < 0 || t->seconds > 253402300799 || t->nanos < 0 ||
	    t->nanos > 999999999)
		return 0;
	return t->seconds * 1000000 + t->nanos / 1000;
}

/**
 * lease_fill() - Fill a lease from its message
 * @pub:	The lease, zero
 * @msg:	Its message
 */
static void lease_fill(struct ioasid_lease *pub, const Ioasid__V1__Lease *msg)
{
	const Ioasid__V1__Holder *holder;

	pub->name = msg->name;
	pub->revision = msg->revision;
	pub->etag = msg->etag;
	pub->state = (enum ioasid_lease_state)msg->state;
	pub->n_devices = msg->n_devices;
	pub->devices = (const char *const *)msg->devices;
	pub->owner_uid = msg->owner_uid;
	/* Nobody may claim what is addressed to nobody. */
	pub->claimant_uid = msg->claimant ? msg->claimant->uid : (uid_t)-1;
	pub->claimant_pid = msg->claimant ? msg->claimant->pid : 0;
	pub->memlock_bytes = msg->memlock_bytes;
	pub->memlock_unlimited = msg->memlock_unlimited;
	pub->expires_us = object_microseconds(msg->expires);
	pub->incarnation = msg->incarnation;
	pub->acknowledged = msg->acknowledged;
	pub->no_reset = msg->no_reset;
	pub->unsafe_interrupts = msg->unsafe_interrupts;
	pub->no_iommu = msg->no_iommu;
	pub->end_reason = msg->end_reason;
	pub->owner = msg->owner;
	pub->has_token = msg->has_token;
	pub->claim_token = msg->claim_token;
	pub->mode = (enum ioasid_lease_mode)msg->mode;
	pub->grace_ms = msg->grace_ms;
	pub->kept = msg->kept;
	pub->is_volatile = msg->volatile_;
	pub->n_mappings = msg->mappings;
	pub->mapped_bytes = msg->mapped_bytes;
	pub->released_us = object_microseconds(msg->released);
	/* Who reads them goes by the devices: too few are as good as none. */
	if (msg->n_device_ids == msg->n_devices) {
		pub->n_device_ids = msg->n_device_ids;
		pub->device_ids = msg->device_ids;
	}
	if (msg->n_holders > 0) {
		holder = msg->holders[msg->n_holders - 1];
		pub->holder_pid = holder->pid;
		pub->holder_uid = holder->uid;
	}
}

/**
 * lease_spaces_size() - How much memory the spaces of a lease take
 * @msg:	Its message
 *
 * Return: bytes, with the pointers to them.
 */
static size_t lease_spaces_size(const Ioasid__V1__Lease *msg)
{
	size_t size = msg->n_spaces * sizeof(struct ioasid_space *);

	for (size_t i = 0; i < msg->n_spaces; i++)
		size += object_space_size(msg->spaces[i]);
	return size;
}

/**
 * lease_fill_spaces() - Fill the spaces of a lease
 * @box:	The lease, with lease_spaces_size() bytes of zeroes behind it
 * @msg:	Its message
 */
static void lease_fill_spaces(struct lease_box *box,
			      const Ioasid__V1__Lease *msg)
{
	const struct ioasid_space **spaces;
	size_t at = 0;

	for (size_t i = 0; i < msg->n_spaces; i++)
		at += object_space_size(msg->spaces[i]);
	spaces = (const struct ioasid_space **)(void *)(box->spaces + at);
	at = 0;
	for (size_t i = 0; i < msg->n_spaces; i++) {
		spaces[i] = object_space_at(box->spaces + at, msg->spaces[i]);
		at += object_space_size(msg->spaces[i]);
	}
	box->pub.n_spaces = msg->n_spaces;
	box->pub.spaces = spaces;
}

/**
 * lease_fill_nodes() - Fill the nodes of a lease
 * @box:	The lease
 * @msg:	Its message
 *
 * Return: 0 or -ENOMEM.
 */
static int lease_fill_nodes(struct lease_box *box,
			    const Ioasid__V1__Lease *msg)
{
	box->nodes = calloc(msg->n_nodes + 1, sizeof(*box->nodes));
	if (!box->nodes)
		return -ENOMEM;
	for (size_t i = 0; i < msg->n_nodes; i++) {
		const Ioasid__V1__Node *node = msg->nodes[i];

		box->nodes[i] = (struct ioasid_node){
			.path = node->path,
			.group = node->group,
			.major = node->major,
			.minor = node->minor,
			.n_devices = node->n_devices,
			.devices = (const char *const *)node->devices,
			.accessible = node->accessible,
		};
	}
	box->pub.n_nodes = msg->n_nodes;
	box->pub.nodes = box->nodes;
	return 0;
}

/* object_lease() - See object.h. */
struct ioasid_lease *object_lease(Ioasid__V1__Lease **msg)
{
	struct lease_box *box;

	box = calloc(1, sizeof(*box) + lease_spaces_size(*msg));
	if (!box)
		return NULL;
	lease_fill(&box->pub, *msg);
	lease_fill_spaces(box, *msg);
	if (lease_fill_nodes(box, *msg) < 0) {
		free(box);
		return NULL;
	}
	box->msg = TAKE_PTR(*msg);
	return (void *)box; /* whose first member it is */
}

/* ioasid_lease_free() - See ioasid.h. */
struct ioasid_lease *ioasid_lease_free(struct ioasid_lease *lease)
{
	struct lease_box *box = (struct lease_box *)lease;

	if (box) {
		/* It may have been the only place where it was. */
		if (box->msg->claim_token)
			explicit_bzero(box->msg->claim_token,
				       strlen(box->msg->claim_token));
		(void)message_free(box->msg);
		free(box->nodes);
		free(box);
	}
	return NULL;
}

/* ioasid_lease_list_free() - See ioasid.h. */
struct ioasid_lease_list *ioasid_lease_list_free(struct ioasid_lease_list *list)
{
	if (list) {
		for (size_t i = 0; i < list->n; i++)
			(void)ioasid_lease_free(list->items[i]);
		free(list->items);
		free(list);
	}
	return NULL;
}

/**
 * lease_list_new() - Make a list of its reply
 * @reply:	The reply; its leases pass to the list
 *
 * Return: the list; NULL without memory.
 */
static struct ioasid_lease_list *
lease_list_new(Ioasid__V1__ListLeasesResponse *reply)
{
	struct ioasid_lease_list *list;

	list = calloc(1, sizeof(*list));
	if (!list)
		return NULL;
	list->revision = reply->revision;
	list->items = calloc(reply->n_leases + 1, sizeof(*list->items));
	if (!list->items)
		return ioasid_lease_list_free(list);
	for (size_t i = 0; i < reply->n_leases; i++) {
		list->items[list->n++] = object_lease(&reply->leases[i]);
		if (!list->items[i])
			return ioasid_lease_list_free(list);
	}
	return list;
}

/* ioasid_lease_list() - See ioasid.h. */
int ioasid_lease_list(struct ioasid *conn, bool all,
		      struct ioasid_lease_list **ret, struct ioasid_error *err)
{
	Ioasid__V1__ListLeasesRequest request =
		IOASID__V1__LIST_LEASES_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	struct ioasid_lease_list *list;
	int r;

	request.all = all;
	r = channel_list(conn, "Leases/ListLeases", &request.base,
			 &ioasid__v1__list_leases_response__descriptor, &reply,
			 err);
	if (r < 0)
		return r;
	list = lease_list_new((Ioasid__V1__ListLeasesResponse *)reply);
	if (!list)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");

	*ret = list;
	return 0;
}

/**
 * lease_call() - Call a method that answers with a lease
 * @conn:	The connection
 * @method:	"Leases/GetLease"
 * @request:	Its request message
 * @ret:	The lease; may be NULL
 * @err:	May be NULL
 *
 * Return: see ioasid.h.
 */
static int lease_call(struct ioasid *conn, const char *method,
		      const ProtobufCMessage *request,
		      struct ioasid_lease **ret, struct ioasid_error *err)
{
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	struct ioasid_lease *lease;
	int r;

	r = channel_call(conn, method, request,
			 &ioasid__v1__lease__descriptor, &reply, err);
	if (r < 0 || !ret)
		return r;
	lease = object_lease((Ioasid__V1__Lease **)&reply);
	if (!lease)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");

	*ret = lease;
	return 0;
}

/**
 * timestamp() - A time for a request
 * @us:		Microseconds since 1970; 0 for none
 * @ret:	Room for it
 *
 * Return: @ret; NULL for none.
 */
static Google__Protobuf__Timestamp *timestamp(int64_t us,
					      Google__Protobuf__Timestamp *ret)
{
	google__protobuf__timestamp__init(ret);
	if (us <= 0)
		return NULL;
	ret->seconds = us / 1000000;
	ret->nanos = (int32_t)(us % 1000000 * 1000);
	return ret;
}

/**
 * offer_read() - Read an offer of this header or of another
 * @given:	As the caller has it
 * @ret:	As this library knows it
 * @err:	May be NULL
 *
 * Return: 0; -EINVAL if it has what this library does not know.
 */
static int offer_read(const struct ioasid_offer *given,
		      struct ioasid_offer *ret, struct ioasid_error *err)
{
	if (given->size < OFFER_SIZE_MIN)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"ioasid_offer.size is %zu, not at least %zu",
				given->size, OFFER_SIZE_MIN);
	for (size_t i = sizeof(*ret); i < given->size; i++)
		if (((const unsigned char *)given)[i])
			return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
					"the offer has members that this "
					"version of libioasid does not know");
	/* One of an older header ends earlier. */
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, given, given->size < sizeof(*ret) ? given->size :
							sizeof(*ret));
	if (ret->n_devices < 1 || ret->n_devices > IOASID_MAX_DEVICES)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"a lease has 1 to %d devices, not %zu",
				IOASID_MAX_DEVICES, ret->n_devices);
	if (ret->n_spaces > IOASID_MAX_OFFERED_SPACES)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"a lease is made with at most %d spaces, not "
				"%zu", IOASID_MAX_OFFERED_SPACES,
				ret->n_spaces);
	return 0;
}

/**
 * struct offer_spaces - The spaces of an offer, as its request has them
 * @pointers:	To the wishes in @items: the request's member
 * @items:	The wishes
 */
struct offer_spaces {
	Ioasid__V1__SpaceWish *pointers[IOASID_MAX_OFFERED_SPACES];
	struct wish_space items[];
};

/**
 * offer_spaces() - Turn the spaces of an offer into messages
 * @offer:	The offer, checked
 * @request:	Gets them
 * @ret:	What they lie in; free()
 * @err:	May be NULL
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
static int offer_spaces(const struct ioasid_offer *offer,
			Ioasid__V1__CreateLeaseRequest *request,
			struct offer_spaces **ret, struct ioasid_error *err)
{
	_cleanup_free_ struct offer_spaces *spaces = NULL;
	int r;

	spaces = calloc(1, sizeof(*spaces) +
			offer->n_spaces * sizeof(spaces->items[0]));
	if (!spaces)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");
	for (size_t i = 0; i < offer->n_spaces; i++) {
		r = wish_space_fill(&offer->spaces[i], &spaces->items[i], err);
		if (r < 0)
			return r;
		spaces->pointers[i] = &spaces->items[i].msg;
	}
	request->spaces = spaces->pointers;
	request->n_spaces = offer->n_spaces;

	*ret = TAKE_PTR(spaces);
	return 0;
}

/**
 * offer_fill() - Fill the request for an offer, but for its spaces
 * @offer:	The offer, checked
 * @request:	Its request, initialised
 * @claimant:	Room for the claimant, initialised
 */
static void offer_fill(const struct ioasid_offer *offer,
		       Ioasid__V1__CreateLeaseRequest *request,
		       Ioasid__V1__Claimant *claimant)
{
	request->n_devices = offer->n_devices;
	request->devices = (char **)offer->devices;
	request->mode = (Ioasid__V1__Lease__Mode)offer->mode;
	request->grace_ms = offer->grace_ms;
	request->volatile_ = offer->is_volatile;
	claimant->uid = offer->claimant_uid;
	claimant->pid = offer->claimant_pid;
	claimant->unit = (char *)(offer->claimant_unit ?: "");
	if (!offer->with_token || offer->claimant_uid != (uid_t)-1)
		request->claimant = claimant;
	request->with_token = offer->with_token;
	request->memlock_bytes = offer->memlock_bytes;
	request->memlock_unlimited = offer->memlock_unlimited;
	request->guest_memory = offer->guest_memory;
	request->restore_after = offer->restore_after;
	request->dry_run = offer->dry_run;
	request->request_id = (char *)(offer->request_id ?: "");
}

/* ioasid_lease_create() - See ioasid.h. */
int ioasid_lease_create(struct ioasid *conn, const struct ioasid_offer *given,
			struct ioasid_lease **ret, struct ioasid_error *err)
{
	_cleanup_free_ struct offer_spaces *spaces = NULL;
	Google__Protobuf__Timestamp expires, token_expires;
	Ioasid__V1__CreateLeaseRequest request =
		IOASID__V1__CREATE_LEASE_REQUEST__INIT;
	Ioasid__V1__Claimant claimant = IOASID__V1__CLAIMANT__INIT;
	struct ioasid_offer offer = { .size = 0 };
	int r;

	r = offer_read(given, &offer, err);
	if (r < 0)
		return r;
	r = offer_spaces(&offer, &request, &spaces, err);
	if (r < 0)
		return r;
	offer_fill(&offer, &request, &claimant);
	request.expires = timestamp(offer.expires_us, &expires);
	request.token_expires = timestamp(offer.token_expires_us,
					  &token_expires);
	return lease_call(conn, "Leases/CreateLease", &request.base, ret, err);
}

/* ioasid_lease_reissue_token() - See ioasid.h. */
int ioasid_lease_reissue_token(struct ioasid *conn, const char *name,
			       int64_t expires_us, struct ioasid_lease **ret,
			       struct ioasid_error *err)
{
	Ioasid__V1__ReissueTokenRequest request =
		IOASID__V1__REISSUE_TOKEN_REQUEST__INIT;
	Google__Protobuf__Timestamp expires;

	request.name = (char *)name;
	request.token_expires = timestamp(expires_us, &expires);
	return lease_call(conn, "Leases/ReissueToken", &request.base, ret,
			  err);
}

/* ioasid_lease_get() - See ioasid.h. */
int ioasid_lease_get(struct ioasid *conn, const char *name,
		     struct ioasid_lease **ret, struct ioasid_error *err)
{
	Ioasid__V1__GetLeaseRequest request =
		IOASID__V1__GET_LEASE_REQUEST__INIT;

	request.name = (char *)name;
	return lease_call(conn, "Leases/GetLease", &request.base, ret, err);
}

/* ioasid_lease_acknowledge() - See ioasid.h. */
int ioasid_lease_acknowledge(struct ioasid *conn, const char *name,
			     struct ioasid_error *err)
{
	Ioasid__V1__AcknowledgeLeaseRequest request =
		IOASID__V1__ACKNOWLEDGE_LEASE_REQUEST__INIT;

	request.name = (char *)name;
	return lease_call(conn, "Leases/AcknowledgeLease", &request.base, NULL,
			  err);
}

/* ioasid_lease_release() - See ioasid.h. */
int ioasid_lease_release(struct ioasid *conn, const char *name,
			 struct ioasid_lease **ret, struct ioasid_error *err)
{
	Ioasid__V1__ReleaseLeaseRequest request =
		IOASID__V1__RELEASE_LEASE_REQUEST__INIT;

	request.name = (char *)name;
	return lease_call(conn, "Leases/ReleaseLease", &request.base, ret, err);
}
