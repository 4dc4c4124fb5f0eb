/* SPDX-License-Identifier: Apache-2.0
 *
 * lease-show.c - ioasidctl lease show
 */
#include <inttypes.h>

#include "ioasid/v1/lease.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { NO_MORE_OPTIONS };

/**
 * show_holders() - Show who held it
 * @l:		The lease
 */
static void show_holders(const Ioasid__V1__Lease *l)
{
	char since[32], until[32];

	for (size_t i = 0; i < l->n_holders; i++) {
		const Ioasid__V1__Holder *h = l->holders[i];

		output_fieldf(i ? "" : "Holder",
			      "pid %d, uid %u, gid %u, since %s%s%s%s%s",
			      h->pid, h->uid, h->gid, ctl_time(h->since, since),
			      h->until ? " until " : "",
			      h->until ? ctl_time(h->until, until) : "",
			      h->why[0] ? ": " : "", h->why);
	}
}

/**
 * show_cautions() - Show what a holder has to know
 * @l:		The lease
 */
static void show_cautions(const Ioasid__V1__Lease *l)
{
	output_field("Caution", l->no_reset ?
		     "a device has no reset that works: what the holder before "
		     "left in it may still be there" : "");
	output_field("Caution", l->unsafe_interrupts ?
		     "interrupts are not isolated: the holder can raise any "
		     "interrupt of the host" : "");
	output_field("Caution", l->no_iommu ?
		     "a device has no IOMMU: its holder can reach all memory "
		     "of the host; windows are checked, nothing is protected" :
		     "");
}

/**
 * show_devices() - Show its devices, with their ids if they have some
 * @l:		The lease
 */
static void show_devices(const Ioasid__V1__Lease *l)
{
	for (size_t i = 0; i < l->n_devices; i++) {
		if (l->n_device_ids == l->n_devices)
			output_fieldf(i ? "" : "Devices", "%s, id %u",
				      l->devices[i], l->device_ids[i]);
		else
			output_field(i ? "" : "Devices", l->devices[i]);
	}
}

/**
 * show_space() - Show a space in a line, and its windows
 * @s:		The space
 * @first:	It is the lease's first
 */
static void show_space(const Ioasid__V1__Space *s, bool first)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		ctl_no_memory();
	fprintf(out, "%s", s->name);
	if (s->kernel_id)
		fprintf(out, ", id %u", s->kernel_id);
	for (size_t i = 0; i < s->n_attachments; i++)
		fprintf(out, "%s%s", i ? " " : ", with ",
			ctl_short_name(s->attachments[i]->device));
	if (fclose(out) != 0)
		ctl_no_memory();
	output_field(first ? "Spaces" : "", text);
	for (size_t i = 0; i < s->n_windows; i++)
		output_fieldf("", "  0x%" PRIx64 " to 0x%" PRIx64,
			      s->windows[i]->start, s->windows[i]->last);
}

/**
 * show_hold() - Show what only leases of mode hold and guarded have
 * @l:		The lease
 */
static void show_hold(const Ioasid__V1__Lease *l)
{
	char size[32];

	if (l->mode != IOASID__V1__LEASE__MODE__HOLD &&
	    l->mode != IOASID__V1__LEASE__MODE__GUARDED)
		return;
	output_fieldf("Grace", "%u.%03u s", l->grace_ms / 1000,
		      l->grace_ms % 1000);
	if (l->state != IOASID__V1__LEASE__STATE__ENDED)
		output_field("Kept", l->kept ?
			     "yes: a successor of its holder can claim it" :
			     "no: nobody can claim it again, and its spaces "
			     "stay as they are");
	for (size_t i = 0; i < l->n_spaces; i++)
		show_space(l->spaces[i], i == 0);
	if (l->mode != IOASID__V1__LEASE__MODE__GUARDED)
		return;
	output_fieldf("Mapped", "%u mapping(s), %s", l->mappings,
		      ctl_size(l->mapped_bytes, false, size));
	output_field("Volatile", l->volatile_ ?
		     "yes: nothing stays mapped when ioasidd ends" :
		     "no: it outlives ioasidd");
}

/**
 * show_nodes() - Show what only leases of nodes have
 * @l:		The lease
 */
static void show_nodes(const Ioasid__V1__Lease *l)
{
	char word[32];

	for (size_t i = 0; i < l->n_nodes; i++)
		output_fieldf(i ? "" : "Nodes", "%s%s", l->nodes[i]->path,
			      l->nodes[i]->accessible ?
			      ", which its holder's uid may open now" : "");
	output_field("Shared uid", l->shared_uid ?
		     "yes: others may have the uid of its holder" : "");
	if (l->released)
		output_fieldf("Released", "%s; its holder has its devices "
			      "until it ends", ctl_time(l->released, word));
}

/**
 * show() - Show a lease for a person
 * @l:		The lease
 */
static void show(const Ioasid__V1__Lease *l)
{
	char word[32];

	output_field("Lease", l->name);
	output_field("State", ctl_word(&ioasid__v1__lease__state__descriptor,
				       (int)l->state, word));
	output_field("Ended because", l->end_reason);
	output_field("Mode", ctl_word(&ioasid__v1__lease__mode__descriptor,
				      (int)l->mode, word));
	show_devices(l);
	show_hold(l);
	show_nodes(l);
	if (*l->owner)
		output_field("Owner", l->owner);
	else
		output_fieldf("Owner", "uid %u", l->owner_uid);
	if (l->claimant && l->claimant->pid)
		output_fieldf("Addressed to", "uid %u, pid %d",
			      l->claimant->uid, l->claimant->pid);
	else if (l->claimant)
		output_fieldf("Addressed to", "uid %u", l->claimant->uid);
	if (l->claimant)
		output_field("In unit", l->claimant->unit);
	if (l->has_token)
		output_fieldf("Token", "good until %s", l->token_expires ?
			      ctl_time(l->token_expires, word) :
			      "the offer ends");
	for (size_t i = 0; i < l->n_labels; i++)
		output_fieldf(i ? "" : "Labels", "%s=%s", l->labels[i]->key,
			      l->labels[i]->value);
	output_field("Memory lock", ctl_size(l->memlock_bytes,
					     l->memlock_unlimited, word));
	show_cautions(l);
	output_field("Made", ctl_time(l->created, word));
	if (l->expires)
		output_field("Expires", ctl_time(l->expires, word));
	show_holders(l);
	if (l->incarnation)
		output_field("Acknowledged", l->acknowledged ? "yes" : "no");
	if (l->ended)
		output_field("Ended", ctl_time(l->ended, word));
	output_field("Afterwards", l->restore_after ?
		     "the devices go back to their drivers" : "");
	if (l->n_reclaim) {
		printf("Reclaim:\n");
		ctl_show_steps(l->reclaim, l->n_reclaim);
	}
}

/**
 * run() - Show a lease
 * @ctl:	This run
 * @args:	The lease
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__GetLeaseRequest request =
		IOASID__V1__GET_LEASE_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("leases", args[0], name);
	if (r)
		return r;
	request.name = name;
	r = ctl_call(ctl, "Leases/GetLease", &request.base,
		     &ioasid__v1__lease__descriptor, name, &reply);
	if (r)
		return r;
	if (ctl->json)
		json_print(reply);
	else
		show((const Ioasid__V1__Lease *)reply);
	return CTL_DONE;
}

const struct verb verb_lease_show = {
	.name = "lease show",
	.args = "LEASE",
	.summary = "show a lease: who holds it, what was done at its end",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
