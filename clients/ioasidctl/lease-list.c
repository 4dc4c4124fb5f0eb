/* SPDX-License-Identifier: Apache-2.0
 *
 * lease-list.c - ioasidctl lease list
 */
#include "ioasid/v1/lease.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

static bool opt_all;
static const char *opt_state;

static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, &opt_all, NULL,
	  "those that have ended too" },
	{ "state", 0, OPTION_TEXT, &opt_state, "STATE",
	  "only those in this state: offered, held, ended, ..." },
	NO_MORE_OPTIONS,
};

/**
 * add_row() - Add a lease to the table
 * @table:	The table
 * @l:		The lease
 */
static void add_row(struct table *table, const Ioasid__V1__Lease *l)
{
	const Ioasid__V1__Holder *holder =
		l->n_holders ? l->holders[l->n_holders - 1] : NULL;
	char state[32], time[32], who[32] = "", uid[16] = "", devices[64] = "";

	if (holder)
		(void)str_format(who, sizeof(who), "pid %d%s", holder->pid,
				 holder->until ? " (ended)" : "");
	if (l->claimant)
		(void)str_format(uid, sizeof(uid), "%u", l->claimant->uid);
	if (l->n_devices == 1)
		(void)str_copy(devices, sizeof(devices),
			       ctl_short_name(l->devices[0]));
	else if (l->n_devices)
		(void)str_format(devices, sizeof(devices), "%s and %zu more",
				 ctl_short_name(l->devices[0]),
				 l->n_devices - 1);
	table_row(table, ctl_short_name(l->name),
		  ctl_word(&ioasid__v1__lease__state__descriptor,
			   (int)l->state, state),
		  uid, who, ctl_time(l->created, time), devices, NULL);
}

/**
 * show() - List the leases that were asked for
 * @ctl:	This run
 * @request:	Which
 *
 * Return: enum ctl_exit.
 */
static int show(struct ctl *ctl, Ioasid__V1__ListLeasesRequest *request)
{
	_cleanup_table_ struct table table = TABLE_NULL;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__ListLeasesResponse *list;
	int r;

	r = ctl_list(ctl, "Leases/ListLeases", &request->base,
		     &ioasid__v1__list_leases_response__descriptor, &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	list = (const Ioasid__V1__ListLeasesResponse *)reply;
	table_row(&table, "LEASE", "STATE", "UID", "HOLDER", "MADE", "DEVICES",
		  NULL);
	for (size_t i = 0; i < list->n_leases; i++)
		add_row(&table, list->leases[i]);
	table_print(&table);
	return CTL_DONE;
}

/**
 * run() - List leases
 * @ctl:	This run
 * @args:	None
 * @n_args:	0
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__ListLeasesRequest request =
		IOASID__V1__LIST_LEASES_REQUEST__INIT;
	int state = 0;

	request.all = opt_all;
	if (opt_state && ctl_word_value(
		    &ioasid__v1__lease__state__descriptor, opt_state,
		    &state))
		return CTL_USAGE;
	request.state = (Ioasid__V1__Lease__State)state;
	return show(ctl, &request);
}

const struct verb verb_lease_list = {
	.name = "lease list",
	.summary = "list the leases that you may see, newest first",
	.options = options,
	.run = run,
};
