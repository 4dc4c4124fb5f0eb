/* SPDX-License-Identifier: Apache-2.0
 *
 * lease-create.c - ioasidctl lease create
 */
#include <unistd.h>

#include "ioasid/v1/lease.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/space-spec.h"
#include "libioasid/message.h"

static const char *opt_uid, *opt_token_file, *opt_mode;
static uint64_t opt_pid;
static struct offer_words words;

static const struct option_spec options[] = {
	{ "uid", 'u', OPTION_TEXT, &opt_uid, "USER",
	  "who may claim it, name or number (you)" },
	{ "pid", 'p', OPTION_NUMBER, &opt_pid, "PID",
	  "which process may claim it (any of USER)" },
	{ "unit", 0, OPTION_TEXT, &words.unit, "UNIT",
	  "in which systemd unit the claimant must run (any)" },
	{ "token-file", 0, OPTION_TEXT, &opt_token_file, "FILE",
	  "make a token that may claim it and write it here; without --uid "
	  "nothing else may" },
	{ "token-expires", 0, OPTION_NUMBER, &words.token_expires_s, "SECONDS",
	  "the token is good no more then (as long as the offer)" },
	{ "memlock", 0, OPTION_TEXT, &words.memlock, "SIZE",
	  "how much memory the holder may lock, or 'unlimited'" },
	{ "memory", 'm', OPTION_SIZE, &words.memory, "SIZE",
	  "the guest's memory; memlock is 64M more unless given" },
	{ "expires", 0, OPTION_NUMBER, &words.expires_s, "SECONDS",
	  "end the offer if nobody has claimed it by then" },
	{ "label", 'l', OPTION_LIST, &words.labels, "KEY=VALUE",
	  "what you call it; may be repeated" },
	{ "mode", 0, OPTION_TEXT, &opt_mode, "MODE",
	  "how it is handed over: transfer (the default), hold or guarded" },
	{ "grace", 0, OPTION_NUMBER, &words.grace_s, "SECONDS",
	  "hold, guarded: how long a successor of the holder may claim it (10)" },
	{ "space", 0, OPTION_LIST, &words.spaces, "SPACE",
	  "hold, guarded: an I/O address space to make with it; may be "
	  "repeated" },
	{ "volatile", 0, OPTION_FLAG, &words.is_volatile, NULL,
	  "guarded: it need not outlive ioasidd, and no file descriptor store "
	  "is needed" },
	{ "shared-uid", 0, OPTION_FLAG, &words.shared_uid, NULL,
	  "transfer without iommufd: let USER open the devices' nodes although "
	  "others are USER too" },
	{ "restore", 0, OPTION_FLAG, &words.restore, NULL,
	  "give the devices back to their drivers when it ends" },
	{ "dry-run", 'n', OPTION_FLAG, &words.dry_run, NULL,
	  "check everything, change nothing" },
	NO_MORE_OPTIONS,
};

/**
 * offer() - Offer devices, with a token in a file if one is asked for
 * @ctl:	This run
 * @ret:	The lease, without its token
 *
 * The file is made first: a token that cannot be kept is not to be made.
 *
 * Return: enum ctl_exit.
 */
static int offer(struct ctl *ctl, ProtobufCMessage **ret)
{
	ProtobufCMessage *lease = NULL;
	char *token = NULL;
	int fd, r, w;

	if (!opt_token_file)
		return ctl_offer(ctl, &words, ret);
	words.token = true;
	r = ctl_token_create(opt_token_file, &fd);
	if (r)
		return r;
	r = ctl_offer(ctl, &words, &lease);
	if (r == CTL_DONE)
		token = ((Ioasid__V1__Lease *)lease)->claim_token;
	w = ctl_token_write_consume(opt_token_file, fd, token);
	*ret = lease;
	return r ? r : w;
}

/* How long a successor of a holder may claim at most, as of the contract. */
#define GRACE_MAX_S 600

/**
 * read_mode() - Read how descriptors are to be handed over
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int read_mode(void)
{
	if (opt_mode && ctl_word_value(&ioasid__v1__lease__mode__descriptor,
				       opt_mode, &words.mode))
		return CTL_USAGE;
	if (words.is_volatile && words.mode != IOASID_LEASE_GUARDED)
		return ctl_usage("--volatile is for --mode guarded");
	if ((words.mode == IOASID_LEASE_HOLD ||
	     words.mode == IOASID_LEASE_GUARDED) &&
	    words.grace_s <= GRACE_MAX_S)
		return CTL_DONE;
	if (words.grace_s > GRACE_MAX_S)
		return ctl_usage("--grace takes at most %d seconds",
				 GRACE_MAX_S);
	if (words.grace_s || words.spaces.n)
		return ctl_usage("--grace and --space are for --mode hold and "
				 "guarded: of other leases the holder makes "
				 "the spaces");
	return CTL_DONE;
}

/**
 * run() - Offer devices
 * @ctl:	This run
 * @args:	The devices
 * @n_args:	How many
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	_cleanup_message_ ProtobufCMessage *lease = NULL;
	int r;

	words.devices = args;
	words.n_devices = (size_t)n_args;
	words.uid = geteuid();
	words.pid = (int32_t)opt_pid;
	if (opt_uid && ctl_uid(opt_uid, &words.uid) < 0)
		return ctl_usage("there is no user '%s'", opt_uid);
	if (words.token_expires_s && !opt_token_file)
		return ctl_usage("--token-expires without --token-file");
	words.nobody = opt_token_file && !opt_uid;
	r = read_mode();
	if (!r)
		r = offer(ctl, &lease);
	strv_deinit(&words.labels);
	strv_deinit(&words.spaces);
	if (r)
		return r;
	if (ctl->json)
		json_print(lease);
	else if (words.dry_run)
		printf("could be offered (nothing was changed)\n");
	else
		printf("%s\n", ((Ioasid__V1__Lease *)lease)->name);
	return CTL_DONE;
}

const struct verb verb_lease_create = {
	.name = "lease create",
	.args = "DEVICE...",
	.summary = "offer ready devices to a user; prints the lease's name",
	.details = SPACE_SPEC_HELP WINDOW_SPEC_HELP,
	.options = options,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
