/* SPDX-License-Identifier: Apache-2.0
 *
 * lease-release.c - ioasidctl lease release
 */
#include "ioasid/v1/lease.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "libioasid/message.h"

static bool opt_dry_run;

static const struct option_spec options[] = {
	{ "dry-run", 'n', OPTION_FLAG, &opt_dry_run, NULL,
	  "check everything, change nothing" },
	NO_MORE_OPTIONS,
};

/**
 * release() - End a lease
 * @ctl:	This run
 * @name:	Its name
 *
 * Return: enum ctl_exit.
 */
static int release(struct ctl *ctl, char *name)
{
	Ioasid__V1__ReleaseLeaseRequest request =
		IOASID__V1__RELEASE_LEASE_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__Lease *lease;
	char word[32];
	int r;

	request.name = name;
	request.dry_run = opt_dry_run;
	r = ctl_call(ctl, "Leases/ReleaseLease", &request.base,
		     &ioasid__v1__lease__descriptor, name, &reply);
	if (r)
		return r;
	lease = (const Ioasid__V1__Lease *)reply;
	if (ctl->json)
		json_print(reply);
	else
		printf("%s: %s%s\n", name,
		       ctl_word(&ioasid__v1__lease__state__descriptor,
				(int)lease->state, word), lease->released &&
		       lease->state == IOASID__V1__LEASE__STATE__HELD ?
		       ", until its holder ends" : "");
	return CTL_DONE;
}

/**
 * run() - End a lease
 * @ctl:	This run
 * @args:	The lease
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("leases", args[0], name);
	return r ? r : release(ctl, name);
}

const struct verb verb_lease_release = {
	.name = "lease release",
	.args = "LEASE",
	.summary = "end an offer; what is held ends with its holder",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
