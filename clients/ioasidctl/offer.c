/* SPDX-License-Identifier: Apache-2.0
 *
 * offer.c - what `lease create` and `run` offer
 */
#include <string.h>
#include <time.h>

#include "ioasid/v1/lease.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/space-spec.h"

typedef Ioasid__V1__CreateLeaseRequest__LabelsEntry label_entry;

/**
 * struct offer - An offer, and what its request points to
 * @request:	The request
 * @claimant:	Who may claim
 * @expires:	When it ends
 * @token_expires: When its token does
 * @devices:	Resource names
 * @labels:	Keys and values
 * @entries:	The labels as the request has them
 * @pointers:	To @entries
 * @wishes:	Its spaces
 * @n_wishes:	How many of them are begun
 * @spaces:	To the spaces as the request has them
 */
struct offer {
	Ioasid__V1__CreateLeaseRequest request;
	Ioasid__V1__Claimant claimant;
	Google__Protobuf__Timestamp expires;
	Google__Protobuf__Timestamp token_expires;
	struct strv devices;
	struct strv labels;
	label_entry entries[32];
	label_entry *pointers[32];
	struct space_wish *wishes;
	size_t n_wishes;
	Ioasid__V1__SpaceWish *spaces[IOASID_MAX_OFFERED_SPACES];
};

/**
 * offer_devices() - Name the devices
 * @offer:	The offer
 * @words:	As the user calls them
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int offer_devices(struct offer *offer, const struct offer_words *words)
{
	char name[CTL_NAME_SIZE];
	int r;

	if (words->n_devices < 1 || words->n_devices > IOASID_MAX_DEVICES)
		return ctl_usage("a lease has 1 to %d devices, not %zu",
				 IOASID_MAX_DEVICES, words->n_devices);
	for (size_t i = 0; i < words->n_devices; i++) {
		r = ctl_device_name(words->devices[i], name);
		if (r)
			return r;
		if (strv_add(&offer->devices, name) < 0)
			ctl_no_memory();
	}
	offer->request.devices = offer->devices.items;
	offer->request.n_devices = offer->devices.n;
	return CTL_DONE;
}

/**
 * offer_labels() - Attach the labels
 * @offer:	The offer
 * @words:	"key=value" each
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int offer_labels(struct offer *offer, const struct offer_words *words)
{
	if (words->labels.n > ARRAY_SIZE(offer->entries))
		return ctl_usage("a lease has at most %zu labels",
				 ARRAY_SIZE(offer->entries));
	for (size_t i = 0; i < words->labels.n; i++) {
		const char *equals = strchr(words->labels.items[i], '=');
		label_entry *entry = &offer->entries[i];

		if (!equals || equals == words->labels.items[i])
			return ctl_usage("--label takes KEY=VALUE, not '%s'",
					 words->labels.items[i]);
		if (strv_addf(&offer->labels, "%.*s",
			      (int)(equals - words->labels.items[i]),
			      words->labels.items[i]) < 0)
			ctl_no_memory();
		ioasid__v1__create_lease_request__labels_entry__init(entry);
		entry->key = offer->labels.items[i];
		entry->value = (char *)equals + 1;
		offer->pointers[i] = entry;
	}
	offer->request.labels = offer->pointers;
	offer->request.n_labels = words->labels.n;
	return CTL_DONE;
}

/**
 * offer_spaces() - Say which spaces are needed
 * @offer:	The offer, with its devices
 * @words:	SPACEs
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int offer_spaces(struct offer *offer, const struct offer_words *words)
{
	int r;

	if (words->spaces.n > IOASID_MAX_OFFERED_SPACES)
		return ctl_usage("a lease is made with at most %d spaces",
				 IOASID_MAX_OFFERED_SPACES);
	offer->wishes = calloc(words->spaces.n + 1, sizeof(*offer->wishes));
	if (!offer->wishes)
		ctl_no_memory();
	for (size_t i = 0; i < words->spaces.n; i++) {
		struct space_wish *wish = &offer->wishes[offer->n_wishes++];

		space_wish_init(wish);
		r = space_spec_parse(words->spaces.items[i],
				     offer->devices.items, offer->devices.n,
				     wish);
		if (r)
			return r;
		offer->spaces[i] = space_wish_message(wish);
	}
	offer->request.spaces = offer->spaces;
	offer->request.n_spaces = words->spaces.n;
	return CTL_DONE;
}

/**
 * offer_deinit() - Free what an offer holds
 * @offer:	The offer
 */
static void offer_deinit(struct offer *offer)
{
	for (size_t i = 0; i < offer->n_wishes; i++)
		space_wish_deinit(&offer->wishes[i]);
	free(offer->wishes);
	strv_deinit(&offer->devices);
	strv_deinit(&offer->labels);
}

/**
 * offer_memlock() - Say how much memory may be locked
 * @offer:	The offer
 * @words:	A size, "unlimited" or nothing
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int offer_memlock(struct offer *offer, const struct offer_words *words)
{
	offer->request.guest_memory = words->memory;
	if (!words->memlock)
		return CTL_DONE;
	if (str_eq(words->memlock, "unlimited")) {
		offer->request.memlock_unlimited = true;
		return CTL_DONE;
	}
	if (str_size(words->memlock, &offer->request.memlock_bytes) < 0)
		return ctl_usage("--memlock takes bytes, such as 512M or 16G, "
				 "or 'unlimited', not '%s'", words->memlock);
	return CTL_DONE;
}

/**
 * offer_send() - Fill the rest in and send
 * @ctl:	This run
 * @offer:	The offer
 * @words:	As the command line has it
 * @ret:	The lease
 *
 * Return: CTL_DONE; otherwise it has been said why.
 */
static int offer_send(struct ctl *ctl, struct offer *offer,
		      const struct offer_words *words, ProtobufCMessage **ret)
{
	offer->claimant.uid = words->uid;
	offer->claimant.pid = words->pid;
	offer->claimant.unit = (char *)(words->unit ?: "");
	if (!words->nobody)
		offer->request.claimant = &offer->claimant;
	offer->request.with_token = words->token;
	if (words->token_expires_s) {
		offer->token_expires.seconds = (int64_t)time(NULL) +
			(int64_t)words->token_expires_s;
		offer->request.token_expires = &offer->token_expires;
	}
	if (words->expires_s) {
		offer->expires.seconds = (int64_t)time(NULL) +
					 (int64_t)words->expires_s;
		offer->request.expires = &offer->expires;
	}
	offer->request.mode = (Ioasid__V1__Lease__Mode)words->mode;
	offer->request.grace_ms = (uint32_t)words->grace_s * 1000;
	offer->request.volatile_ = words->is_volatile;
	offer->request.shared_uid = words->shared_uid;
	offer->request.restore_after = words->restore;
	offer->request.dry_run = words->dry_run;
	return ctl_call(ctl, "Leases/CreateLease", &offer->request.base,
			&ioasid__v1__lease__descriptor, NULL, ret);
}

/* ctl_offer() - See ctl.h. */
int ctl_offer(struct ctl *ctl, const struct offer_words *words,
	      ProtobufCMessage **ret)
{
	struct offer offer = {
		.request = IOASID__V1__CREATE_LEASE_REQUEST__INIT,
		.claimant = IOASID__V1__CLAIMANT__INIT,
		.expires = GOOGLE__PROTOBUF__TIMESTAMP__INIT,
		.token_expires = GOOGLE__PROTOBUF__TIMESTAMP__INIT,
	};
	int r;

	r = offer_devices(&offer, words);
	if (!r)
		r = offer_labels(&offer, words);
	if (!r)
		r = offer_spaces(&offer, words);
	if (!r)
		r = offer_memlock(&offer, words);
	if (!r)
		r = offer_send(ctl, &offer, words, ret);
	offer_deinit(&offer);
	return r;
}
