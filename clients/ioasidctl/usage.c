/* SPDX-License-Identifier: Apache-2.0
 *
 * usage.c - ioasidctl usage
 */
#include <inttypes.h>

#include "ioasid/v1/policy.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { NO_MORE_OPTIONS };

#define AMOUNT_SIZE 64

/**
 * count_text() - "3 of 64", or "3" without a limit
 */
static const char *count_text(const Ioasid__V1__Amount *amount,
			      char ret[AMOUNT_SIZE])
{
	if (amount->limit == UINT64_MAX)
		str_format(ret, AMOUNT_SIZE, "%" PRIu64, amount->used);
	else
		str_format(ret, AMOUNT_SIZE, "%" PRIu64 " of %" PRIu64,
			   amount->used, amount->limit);
	return ret;
}

/**
 * size_text() - The same in bytes: "512M of 64G"
 */
static const char *size_text(const Ioasid__V1__Amount *amount,
			     char ret[AMOUNT_SIZE])
{
	char used[32], limit[32];

	ctl_size(amount->used, false, used);
	if (amount->limit == UINT64_MAX)
		str_format(ret, AMOUNT_SIZE, "%s", used);
	else
		str_format(ret, AMOUNT_SIZE, "%s of %s", used,
			   ctl_size(amount->limit, false, limit));
	return ret;
}

/**
 * add_row() - Add an owner to the table
 */
static void add_row(struct table *table, const Ioasid__V1__Usage *usage)
{
	char contexts[AMOUNT_SIZE], spaces[AMOUNT_SIZE];
	char mappings[AMOUNT_SIZE], pinned[AMOUNT_SIZE];

	table_row(table, usage->owner, count_text(usage->contexts, contexts),
		  count_text(usage->spaces, spaces),
		  count_text(usage->mappings, mappings),
		  size_text(usage->pinned, pinned), NULL);
}

/**
 * run() - Tell what leases take
 * @ctl:	This run
 * @args:	Maybe the owner
 * @n_args:	0 or 1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__ListUsageRequest request =
		IOASID__V1__LIST_USAGE_REQUEST__INIT;
	_cleanup_table_ struct table table = TABLE_NULL;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__ListUsageResponse *list;
	int r;

	if (n_args)
		request.owner = args[0];
	r = ctl_call(ctl, "Policy/ListUsage", &request.base,
		     &ioasid__v1__list_usage_response__descriptor,
		     n_args ? args[0] : NULL, &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	list = (const Ioasid__V1__ListUsageResponse *)reply;
	table_row(&table, "OWNER", "LEASES", "SPACES", "MAPPINGS", "MEMORY", NULL);
	for (size_t i = 0; i < list->n_usage; i++)
		add_row(&table, list->usage[i]);
	table_print(&table);
	return CTL_DONE;
}

const struct verb verb_usage = {
	.name = "usage",
	.args = "[OWNER]",
	.summary = "what the leases of each owner take, and what they may",
	.details =
	"OWNER is as in a lease: uid:1000 or cert:NAME. MEMORY is what holders "
	"may lock.\nHow much may be taken says [quota] of ioasidd.conf(5).\n",
	.options = options,
	.max_args = 1,
	.run = run,
};
