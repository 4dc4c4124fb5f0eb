/* SPDX-License-Identifier: Apache-2.0
 *
 * changes.c - methods that change something, on a worker
 *
 * Here a request is checked for what can be told without looking at the host,
 * and turned into the words of ops/; what is answered is read from the registry
 * afterwards, where the change has been published.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/token.h"
#include "front/handlers.h"
#include "front/repeat.h"
#include "front/spaces.h"
#include "ops/ops.h"

/* Of a Timestamp: the end of the year 9999, as protobuf has it. */
#define SECONDS_MAX 253402300799

/* How long a successor of a holder may come, milliseconds. */
#define GRACE_MS_DEFAULT 10000
#define GRACE_MS_MAX 600000

/* handler_change() - Check what all changes have in common */
int handler_change(const struct call *call, enum collection collection,
		   struct change *change, struct error *err)
{
	char *fingerprint;
	int r;

	if (strlen(change->request_id) > REQUEST_ID_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field request_id: longer than %d bytes",
				 REQUEST_ID_MAX);
	fingerprint = arena_alloc(call->arena, REQUEST_FINGERPRINT_SIZE);
	if (!fingerprint)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the request");
	r = repeat_fingerprint(call, fingerprint, err);
	if (r < 0)
		return r;
	change->fingerprint = fingerprint;
	if (collection == COLLECTION_COUNT)
		return 0;
	return handler_name(collection, "name", change->name, err);
}

/**
 * reply_operation() - Answer with the operation that a change has become
 * @call:	Whose
 * @name:	The operation's; empty for none: a dry run
 * @kind:	What it would do
 * @target:	What it would change
 */
static int reply_operation(struct call *call, const char *name,
			   enum operation_kind kind, const char *target,
			   struct error *err)
{
	struct registry *reg = call->host->registry;
	const struct operation *op = NULL;
	pb_operation *reply = NULL;

	registry_lock(reg);
	if (*name)
		op = registry_operation(reg, name);
	if (op)
		reply = view_operation(call->arena, op);
	registry_unlock(reg);

	if (op)
		return handler_reply(call, reply, err);
	if (*name)
		return error_set(err, -ENOENT, ERROR_OPERATION_NOT_FOUND,
				 "%s has ended and is forgotten already",
				 name);

	reply = arena_message(call->arena, PB(operation));
	if (reply) {
		reply->kind = (char *)operation_kind_name(kind);
		reply->target = arena_text(call->arena, target);
		reply->state = IOASID__V1__OPERATION__STATE__DONE;
		reply->principal = arena_text(call->arena,
					      call->caller->principal);
	}
	return handler_reply(call, reply, err);
}

/* handler_reply_lease() - Answer with a lease as it is */
int handler_reply_lease(struct call *call, const char *name, struct error *err)
{
	struct registry *reg = call->host->registry;
	const struct lease *lease;
	pb_lease *reply = NULL;

	registry_lock(reg);
	lease = registry_lease(reg, name);
	if (lease)
		reply = view_lease(call->arena, reg, lease);
	registry_unlock(reg);

	if (!lease)
		return error_set(err, -ENOENT, ERROR_LEASE_NOT_FOUND,
				 "%s has ended and is forgotten already",
				 name);
	return handler_reply(call, reply, err);
}

/**
 * check_driver() - Check the name of a driver
 * @driver:	What a stranger sent; goes to sysfs
 *
 * Return: 0; -EINVAL request.invalid.
 */
static int check_driver(const char *driver, struct error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";

	if (strlen(driver) < DRIVER_SIZE && !driver[strspn(driver, allowed)])
		return 0;
	return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			 "field driver: not a name such as vfio-pci");
}

/* prepare_device() - Devices.PrepareDevice */
int prepare_device(struct call *call, struct error *err)
{
	const Ioasid__V1__PrepareDeviceRequest *in =
		(const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	struct prepare_options options = { in->driver, in->force,
					   in->allow_no_reset,
					   in->allow_unsafe_interrupts,
					   in->allow_no_iommu };
	char name[NAME_SIZE] = "";
	int r;

	r = handler_change(call, COLLECTION_DEVICES, &change, err);
	if (r < 0)
		return r;
	r = check_driver(in->driver, err);
	if (r < 0)
		return r;
	r = prepare_start(call->host, call->caller, &change, &options, name,
			  err);
	if (r < 0)
		return r;
	return reply_operation(call, name, OPERATION_PREPARE, in->name, err);
}

/* restore_device() - Devices.RestoreDevice */
int restore_device(struct call *call, struct error *err)
{
	const Ioasid__V1__RestoreDeviceRequest *in =
		(const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	char name[NAME_SIZE] = "";
	int r;

	r = handler_change(call, COLLECTION_DEVICES, &change, err);
	if (r < 0)
		return r;
	r = restore_start(call->host, call->caller, &change, name, err);
	if (r < 0)
		return r;
	return reply_operation(call, name, OPERATION_RESTORE, in->name, err);
}

/* recover_device() - Devices.RecoverDevice */
int recover_device(struct call *call, struct error *err)
{
	const Ioasid__V1__RecoverDeviceRequest *in =
		(const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	char name[NAME_SIZE] = "";
	int r;

	r = handler_change(call, COLLECTION_DEVICES, &change, err);
	if (r < 0)
		return r;
	r = recover_start(call->host, call->caller, &change, name, err);
	if (r < 0)
		return r;
	return reply_operation(call, name, OPERATION_RECOVER, in->name, err);
}

/**
 * offer_devices() - Take the devices of a request over into an offer
 * @in:		The request
 * @offer:	The offer
 *
 * Return: 0; -EINVAL request.invalid, lease.devices; -ENOMEM.
 */
static int offer_devices(const pb_create_lease *in, struct lease *offer,
			 struct error *err)
{
	if (!in->n_devices || in->n_devices > LEASE_DEVICES_MAX)
		return error_set(err, -EINVAL, ERROR_LEASE_DEVICES,
				 "%zu devices; a lease has 1 to %d",
				 in->n_devices, LEASE_DEVICES_MAX);
	for (size_t i = 0; i < in->n_devices; i++) {
		int r = handler_name(COLLECTION_DEVICES, "devices",
				     in->devices[i], err);

		if (r < 0)
			return r;
		r = strv_add(&offer->devices, in->devices[i]);
		if (r < 0)
			return error_set(err, r, ERROR_DAEMON_NO_MEMORY,
					 "no memory for the lease");
	}
	return 0;
}

/* handler_label() - Check a label's key and value */
int handler_label(const struct strv *before, const char *key,
		  const char *value, struct error *err)
{
	if (!*key || strlen(key) > LABEL_KEY_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field labels: a key has 1 to %d bytes",
				 LABEL_KEY_MAX);
	if (strlen(value) > LABEL_VALUE_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field labels: a value has at most %d bytes",
				 LABEL_VALUE_MAX);
	if (before->n >= 2 * LEASE_LABELS_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field labels: more than %d",
				 LEASE_LABELS_MAX);
	for (size_t i = 0; i < before->n; i += 2)
		if (str_eq(before->items[i], key))
			return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
					 "field labels: the key %s comes twice",
					 key);
	return 0;
}

/**
 * offer_labels() - Take the labels of a request over into an offer
 * @in:		The request
 * @offer:	The offer
 *
 * protobuf-c knows no maps: they come as pairs, and keys may come twice.
 *
 * Return: 0; -EINVAL request.invalid; -ENOMEM.
 */
static int offer_labels(const pb_create_lease *in, struct lease *offer,
			struct error *err)
{
	for (size_t i = 0; i < in->n_labels; i++) {
		const char *key = in->labels[i]->key;
		const char *value = in->labels[i]->value;
		int r = handler_label(&offer->labels, key, value, err);

		if (r < 0)
			return r;
		r = strv_add(&offer->labels, key);
		if (r >= 0)
			r = strv_add(&offer->labels, value);
		if (r < 0)
			return error_set(err, r, ERROR_DAEMON_NO_MEMORY,
					 "no memory for the lease");
	}
	return 0;
}

/**
 * take_time() - Take a time at which something is over
 * @field:	Where it stood
 * @time:	NULL for never
 * @ret:	Microseconds since 1970; 0 for never
 *
 * Return: 0; -EINVAL request.invalid.
 */
static int take_time(const char *field, const pb_timestamp *time,
		     uint64_t *ret, struct error *err)
{
	*ret = 0;
	if (!time)
		return 0;
	if (time->seconds <= 0 || time->seconds > SECONDS_MAX ||
	    time->nanos < 0 || time->nanos > 999999999)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field %s: not a time after 1970", field);
	*ret = (uint64_t)time->seconds * 1000000 +
	       (uint64_t)time->nanos / 1000;
	return 0;
}

/**
 * offer_claimant() - Take over who may claim
 * @in:		The request
 * @offer:	The offer
 *
 * Return: 0; -EINVAL request.invalid.
 */
static int offer_claimant(const pb_create_lease *in, struct lease *offer,
			  struct error *err)
{
	const pb_claimant *claimant = in->claimant;

	offer->claimant_uid = (uid_t)-1;
	if (!claimant && in->with_token)
		return 0;
	if (!claimant)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field claimant: it must say who may claim");
	if (claimant->pid < 0 || claimant->uid == (uid_t)-1)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field claimant: there is no such process");
	if (!str_copy(offer->claimant_unit, sizeof(offer->claimant_unit),
		      claimant->unit) || strchr(claimant->unit, '/'))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field claimant.unit: there is no such unit");
	offer->claimant_uid = claimant->uid;
	offer->claimant_pid = claimant->pid;
	return 0;
}

/**
 * take_grace() - Take over how long a successor may come
 * @in:		The request
 * @offer:	Has its mode
 *
 * Return: 0; -EINVAL lease.mode, request.invalid.
 */
static int take_grace(const pb_create_lease *in, struct lease *offer,
		      struct error *err)
{
	if (in->grace_ms && !lease_is_kept(offer))
		return error_set(err, -EINVAL, ERROR_LEASE_MODE,
				 "field grace_ms: only a lease of mode HOLD or GUARDED has one");
	if (in->grace_ms > GRACE_MS_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field grace_ms: at most %d", GRACE_MS_MAX);
	if (lease_is_kept(offer))
		offer->grace_ms = in->grace_ms ? in->grace_ms :
						 GRACE_MS_DEFAULT;
	return 0;
}

/**
 * take_guarded() - Take over what a guarded lease has beside
 * @in:		The request
 * @offer:	Has its mode
 *
 * Return: 0; -EINVAL lease.mode; -ENOMEM.
 */
static int take_guarded(const pb_create_lease *in, struct lease *offer,
			struct error *err)
{
	if (in->volatile_ && offer->mode != LEASE_GUARDED)
		return error_set(err, -EINVAL, ERROR_LEASE_MODE,
				 "field volatile: only a lease of mode GUARDED can be");
	if (offer->mode != LEASE_GUARDED)
		return 0;
	offer->volatile_lease = in->volatile_;
	offer->mapped = mapped_new();
	return offer->mapped ? 0 : error_set(err, -ENOMEM,
					     ERROR_DAEMON_NO_MEMORY,
					     "no memory for the lease");
}

/**
 * take_shared_uid() - Take over that others may have the holder's uid
 * @in:		The request
 * @offer:	Has its mode
 *
 * Whether it has nodes is seen when they are looked for.
 *
 * Return: 0; -EINVAL lease.mode.
 */
static int take_shared_uid(const pb_create_lease *in, struct lease *offer,
			   struct error *err)
{
	if (in->shared_uid && offer->mode != LEASE_TRANSFER)
		return error_set(err, -EINVAL, ERROR_LEASE_MODE,
				 "field shared_uid: only a lease of mode TRANSFER can be of nodes");
	offer->shared_uid = in->shared_uid;
	return 0;
}

/**
 * fill_offer() - Turn a request into an offer
 * @call:	Whose
 * @in:		The request
 * @change:	Likewise
 * @offer:	Empty
 *
 * Return: 0; -EINVAL request.invalid, lease.devices, lease.memlock; -ENOMEM.
 */
static int fill_offer(const struct call *call, const pb_create_lease *in,
		      const struct change *change, struct lease *offer,
		      struct error *err)
{
	int r;

	/* The scan let no other numbers through. */
	offer->mode = in->mode == IOASID__V1__LEASE__MODE__HOLD ? LEASE_HOLD :
		      in->mode == IOASID__V1__LEASE__MODE__GUARDED ?
			      LEASE_GUARDED : LEASE_TRANSFER;
	r = take_grace(in, offer, err);
	if (r == 0)
		r = take_guarded(in, offer, err);
	if (r == 0)
		r = take_shared_uid(in, offer, err);
	if (r < 0)
		return r;
	r = offer_claimant(in, offer, err);
	if (r < 0)
		return r;
	if (in->token_expires && !in->with_token)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field token_expires: there is no token without with_token");
	if (in->memlock_unlimited && in->memlock_bytes)
		return error_set(err, -EINVAL, ERROR_LEASE_MEMLOCK,
				 "memlock_bytes and memlock_unlimited are both given");
	offer->owner_uid = call->caller->process.uid;
	offer->memlock = in->memlock_bytes;
	offer->memlock_unlimited = in->memlock_unlimited;
	offer->restore_after = in->restore_after;
	(void)str_copy(offer->request_id, sizeof(offer->request_id),
		       change->request_id); /* its length was checked */
	(void)str_copy(offer->fingerprint, sizeof(offer->fingerprint),
		       change->fingerprint); /* as long */

	r = offer_devices(in, offer, err);
	if (r < 0)
		return r;
	r = offer_labels(in, offer, err);
	if (r < 0)
		return r;
	r = take_time("expires", in->expires, &offer->expires_us, err);
	if (r < 0)
		return r;
	return take_time("token_expires", in->token_expires,
			 &offer->token_expires_us, err);
}

/**
 * reply_dry_lease() - Answer with the lease that there would be
 * @lease:	It; freed. It has no name and no revision.
 */
static int reply_dry_lease(struct call *call, struct lease *lease,
			   struct error *err)
{
	struct registry *reg = call->host->registry;
	pb_lease *reply;

	registry_lock(reg);
	reply = view_lease(call->arena, reg, lease);
	registry_unlock(reg);
	lease_free(lease);
	return handler_reply(call, reply, err);
}

/**
 * make_token() - Make a token for a lease
 * @ret:	The token; token_forget()
 * @ret_hash:	What is kept of it
 *
 * Return: 0; -errno kernel.system.
 */
static int make_token(char ret[TOKEN_SIZE], uint8_t ret_hash[SHA256_SIZE],
		      struct error *err)
{
	int r = token_make(ret, ret_hash);

	return r < 0 ? error_set(err, r, ERROR_KERNEL_SYSTEM,
				 "no random numbers for a token: %m") : 0;
}

/**
 * show_token() - Put a token into the answer about a lease, and forget it
 * @call:	Has the reply
 * @token:	The token; empty if there is none
 * @hash:	What was to be kept of it
 *
 * If the lease has another token the answer is about what was made before.
 */
static void show_token(struct call *call, char token[TOKEN_SIZE],
		       const uint8_t hash[SHA256_SIZE])
{
	struct registry *reg = call->host->registry;
	pb_lease *reply = (pb_lease *)call->reply;
	const struct lease *lease;
	bool ours;

	if (*token && reply) {
		registry_lock(reg);
		lease = registry_lease(reg, reply->name);
		ours = lease && lease->has_token &&
		       !memcmp(lease->token_hash, hash, SHA256_SIZE);
		registry_unlock(reg);
		if (ours)
			reply->claim_token = arena_text(call->arena, token);
	}
	token_forget(token);
}

/**
 * take_spaces() - Take over the spaces that a lease is to begin with
 * @ret:	drop_spaces()
 *
 * Return: 0; -EINVAL lease.mode; -EAGAIN limit.spaces; as spaces_take_wish().
 */
static int take_spaces(const struct call *call, const pb_create_lease *in,
		       struct space_wish **ret, struct error *err)
{
	struct space_wish *wishes;
	size_t i;
	int r = 0;

	if (in->n_spaces && in->mode != IOASID__V1__LEASE__MODE__HOLD &&
	    in->mode != IOASID__V1__LEASE__MODE__GUARDED)
		return error_set(err, -EINVAL, ERROR_LEASE_MODE,
				 "field spaces: they are made for leases of mode HOLD or GUARDED");
	if (in->n_spaces > SPACES_MAX)
		return error_set(err, -EAGAIN, ERROR_LIMIT_SPACES,
				 "%zu spaces; a lease has at most %d",
				 in->n_spaces, SPACES_MAX);
	wishes = calloc(in->n_spaces + 1, sizeof(*wishes));
	if (!wishes)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the lease");
	for (i = 0; i < in->n_spaces && r == 0; i++)
		r = spaces_take_wish(call, in->spaces[i], &wishes[i], err);
	*ret = wishes;
	return r;
}

/**
 * drop_spaces() - Free wishes
 * @wishes:	May be NULL
 * @n:		How many
 */
static void drop_spaces(struct space_wish *wishes, size_t n)
{
	for (size_t i = 0; wishes && i < n; i++)
		spaces_drop_wish(&wishes[i]);
	free(wishes);
}

/**
 * make_lease() - Make the lease that was asked for
 * @in:		The request
 * @change:	Likewise
 * @token:	Its token, or room for one
 * @hash:	Likewise
 * @name:	The lease's; empty on a dry run
 * @dry:	On a dry run the lease
 */
static int make_lease(struct call *call, const pb_create_lease *in,
		      const struct change *change,
		      char token[TOKEN_SIZE], uint8_t hash[SHA256_SIZE],
		      char name[NAME_SIZE], struct lease **dry,
		      struct error *err)
{
	struct lease_terms terms = {
		.guest_memory = in->guest_memory,
		.n_spaces = in->n_spaces,
		.dry_run = in->dry_run,
	};
	struct lease *offer = lease_new();
	struct space_wish *wishes = NULL;
	int r;

	if (!offer)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the lease");
	r = fill_offer(call, in, change, offer, err);
	if (r == 0)
		r = take_spaces(call, in, &wishes, err);
	if (r == 0 && in->with_token) {
		r = make_token(token, hash, err);
		offer->has_token = true;
		memcpy(offer->token_hash, hash, SHA256_SIZE);
	}
	terms.spaces = wishes;
	if (r < 0)
		lease_free(offer);
	else
		r = lease_create(call->host, call->caller, offer, &terms, name,
				 dry, err);
	drop_spaces(wishes, in->n_spaces);
	return r;
}

/* create_lease() - Leases.CreateLease */
int create_lease(struct call *call, struct error *err)
{
	const pb_create_lease *in = (const void *)call->input;
	struct change change = { "", in->request_id, "", in->dry_run, "" };
	uint8_t hash[SHA256_SIZE] = { 0 };
	char token[TOKEN_SIZE] = "";
	struct lease *dry = NULL;
	char name[NAME_SIZE] = "";
	int r;

	r = handler_change(call, COLLECTION_COUNT, &change, err);
	if (r < 0)
		return r;
	r = make_lease(call, in, &change, token, hash, name, &dry, err);
	if (r == 0)
		r = dry ? reply_dry_lease(call, dry, err) :
			  handler_reply_lease(call, name, err);
	if (!*name || r < 0)
		token_forget(token);
	show_token(call, token, hash);
	return r;
}

/* reissue_token() - Leases.ReissueToken */
int reissue_token(struct call *call, struct error *err)
{
	const Ioasid__V1__ReissueTokenRequest *in = (const void *)call->input;
	struct change change = { in->name, "", in->etag, in->dry_run, "" };
	uint8_t hash[SHA256_SIZE] = { 0 };
	char token[TOKEN_SIZE] = "";
	uint64_t expires_us;
	int r;

	r = handler_change(call, COLLECTION_LEASES, &change, err);
	if (r == 0)
		r = take_time("token_expires", in->token_expires, &expires_us,
			      err);
	if (r == 0)
		r = make_token(token, hash, err);
	if (r == 0)
		r = lease_reissue(call->host, call->caller, &change, hash,
				  expires_us, err);
	if (r == 0)
		r = handler_reply_lease(call, in->name, err);
	if (r < 0)
		token_forget(token);
	show_token(call, token, hash);
	return r;
}

/**
 * claim_groups() - Say which groups come with a container
 * @reply:	Gets them; borrowed from the registry, whose lock is held
 *
 * Each once, in the order of their first device, as the descriptors.
 *
 * Return: 0; -ENOMEM.
 */
static int claim_groups(struct call *call, const struct lease *lease,
			pb_claim_response *reply)
{
	struct registry *reg = call->host->registry;
	char *names[LEASE_DEVICES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < lease->devices.n && lease->container; i++) {
		const struct device *device =
			registry_device(reg, lease->devices.items[i]);
		const struct group *group =
			device ? registry_group_of(reg, device) : NULL;
		size_t k = 0;

		while (k < n && group && !str_eq(names[k], group->name))
			k++;
		if (group && k == n)
			names[n++] = arena_text(call->arena, group->name);
	}
	reply->groups = n ? arena_alloc(call->arena, n * sizeof(*reply->groups)) : NULL;
	if (n && !reply->groups)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		reply->groups[i] = names[i];
	reply->n_groups = n;
	return arena_ok(call->arena) ? 0 : -ENOMEM;
}

/**
 * claim_reply() - Make the reply of a claim
 * @call:	Whose
 * @lease:	The lease; the lock is not held
 *
 * Return: the reply; NULL without memory.
 */
static pb_claim_response *claim_reply(struct call *call,
				      const struct lease *lease)
{
	struct registry *reg = call->host->registry;
	pb_claim_response *reply;
	int r;

	reply = arena_message(call->arena, PB(claim_lease_response));
	if (!reply)
		return NULL;
	registry_lock(reg);
	reply->lease = view_lease(call->arena, reg, lease);
	r = claim_groups(call, lease, reply);
	registry_unlock(reg);
	if (!reply->lease || r < 0)
		return NULL;
	reply->devices = reply->lease->devices;
	reply->n_devices = reply->lease->n_devices;
	reply->nodes = reply->lease->nodes;
	reply->n_nodes = reply->lease->n_nodes;
	/* There is nothing that calls could mean anything on. */
	reply->simulated = call->host->simulated && !reply->n_nodes;

	return reply;
}

/**
 * claim_send() - Send the reply of a claim with its descriptors
 * @data:	The call
 * @lease:	The lease, durable
 * @fds:	The iommufd and the cdevs; borrowed
 * @n_fds:	How many
 *
 * Return: 0; -errno of fd_send(); -ENOMEM.
 */
static int claim_send(void *data, const struct lease *lease, const int *fds,
		      size_t n_fds)
{
	struct call *call = data;
	pb_claim_response *reply = claim_reply(call, lease);
	int r;

	if (!reply)
		return -ENOMEM;
	r = call->hand_over(call->data, &reply->base, fds, n_fds);
	if (r < 0)
		return r;
	call->sent = true;

	return 0;
}

/* claim_lease() - Leases.ClaimLease. On a dry run, and if a claim of the same
 * request id was answered before, there is nothing to hand over.
 */
int claim_lease(struct call *call, struct error *err)
{
	const Ioasid__V1__ClaimLeaseRequest *in = (const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	pb_claim_response *reply;
	int r;

	r = handler_change(call, COLLECTION_LEASES, &change, err);
	if (r < 0)
		return r;
	r = lease_claim(call->host, call->caller, &change, in->token,
			in->own_nodes, claim_send, call, err);
	if (r < 0 || call->sent)
		return r;

	r = handler_reply_lease(call, in->name, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(claim_lease_response));
	if (reply) {
		reply->lease = (pb_lease *)call->reply;
		reply->devices = reply->lease->devices;
		reply->n_devices = reply->lease->n_devices;
		reply->simulated = call->host->simulated;
	}
	return handler_reply(call, reply, err);
}

/* acknowledge_lease() - Leases.AcknowledgeLease */
int acknowledge_lease(struct call *call, struct error *err)
{
	const Ioasid__V1__AcknowledgeLeaseRequest *in =
		(const void *)call->input;
	struct change change = { in->name, in->request_id, "", in->dry_run, "" };
	int r;

	r = handler_change(call, COLLECTION_LEASES, &change, err);
	if (r < 0)
		return r;
	r = lease_acknowledge(call->host, call->caller, &change, err);
	if (r < 0)
		return r;
	return handler_reply_lease(call, in->name, err);
}

/* release_lease() - Leases.ReleaseLease */
int release_lease(struct call *call, struct error *err)
{
	const Ioasid__V1__ReleaseLeaseRequest *in =
		(const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	int r;

	r = handler_change(call, COLLECTION_LEASES, &change, err);
	if (r < 0)
		return r;
	r = lease_release(call->host, call->caller, &change, err);
	if (r < 0)
		return r;
	return handler_reply_lease(call, in->name, err);
}
