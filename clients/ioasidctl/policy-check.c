/* SPDX-License-Identifier: Apache-2.0
 *
 * policy-check.c - ioasidctl policy check
 */
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "ioasid/v1/policy.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

/* What is asked about if nothing is named. */
static const char *const verbs[] = {
	"device.view", "device.prepare", "device.force", "device.recover",
	"lease.view", "lease.create", "lease.unlimited", "lease.shared-uid",
	"lease.release",
};

/* Groups of a user that fit a request. */
#define GROUPS_MAX 62

static bool opt_api;

static const struct option_spec options[] = {
	{ "api", 0, OPTION_FLAG, &opt_api, NULL,
	  "as if it came through REST or gRPC" },
	NO_MORE_OPTIONS,
};

/**
 * add_user() - Say all that is known of a user
 * @user:	A name or number
 * @words:	Gets them
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int add_user(const char *user, struct strv *words)
{
	gid_t groups[GROUPS_MAX];
	const struct passwd *pw;
	int n = GROUPS_MAX;
	uint32_t uid;

	if (ctl_uid(user, &uid) < 0)
		return ctl_usage("there is no user '%s'", user);
	if (strv_addf(words, "uid:%u", uid) < 0)
		ctl_no_memory();
	pw = getpwuid(uid);
	if (!pw)
		return CTL_DONE;
	if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return ctl_usage("'%s' is in more than %d groups", user,
				 GROUPS_MAX);
	for (int i = 0; i < n; i++)
		if (strv_addf(words, "gid:%u", (unsigned int)groups[i]) < 0)
			ctl_no_memory();
	return CTL_DONE;
}

/**
 * add_identity() - Say who is asked about
 * @who:	A user; or unit:UNIT, uri:URI, dns:NAME
 * @words:	Gets what is known
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int add_identity(const char *who, struct strv *words)
{
	if (!str_starts(who, "unit:") && !str_starts(who, "uri:") &&
	    !str_starts(who, "dns:"))
		return add_user(who, words);
	if (strv_add(words, who) < 0)
		ctl_no_memory();
	return CTL_DONE;
}

/**
 * ask() - Ask about one verb, and show the answer
 * @ctl:	This run
 * @request:	With all but the verb
 * @verb:	The verb
 * @table:	Gets a row; NULL for JSON
 * @ret_allowed: It may
 *
 * Return: enum ctl_exit.
 */
static int ask(struct ctl *ctl, Ioasid__V1__CheckPolicyRequest *request,
	       const char *verb, struct table *table, bool *ret_allowed)
{
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__CheckPolicyResponse *answer;
	int r;

	request->verb = (char *)verb;
	r = ctl_call(ctl, "Policy/CheckPolicy", &request->base,
		     &ioasid__v1__check_policy_response__descriptor, verb,
		     &reply);
	if (r)
		return r;
	answer = (const Ioasid__V1__CheckPolicyResponse *)reply;
	*ret_allowed = answer->allowed;
	if (table)
		table_row(table, verb, answer->allowed ? "yes" : "no",
			  *answer->decided_by ? answer->decided_by : "-",
			  *answer->grant ? answer->grant : "-", answer->words,
			  NULL);
	else
		json_print(reply);
	return CTL_DONE;
}

/**
 * run() - Tell who may do what, and which line decides
 * @ctl:	This run
 * @args:	Who, the device, and maybe what
 * @n_args:	2 or 3
 *
 * Return: enum ctl_exit; of one verb, CTL_FAILED if it is refused.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__CheckPolicyRequest request =
		IOASID__V1__CHECK_POLICY_REQUEST__INIT;
	_cleanup_table_ struct table table = TABLE_NULL;
	_cleanup_strv_ struct strv words = STRV_NULL;
	char device[CTL_NAME_SIZE];
	bool allowed = false;
	int r;

	r = add_identity(args[0], &words);
	if (r == CTL_DONE)
		r = ctl_device_name(args[1], device);
	if (r)
		return r;
	request.identity = words.items;
	request.n_identity = words.n;
	request.device = device;
	request.via_api = opt_api;
	table_row(&table, "VERB", "MAY", "DECIDED BY", "GRANT", "", NULL);
	if (n_args == 3)
		r = ask(ctl, &request, args[2], ctl->json ? NULL : &table,
			&allowed);
	for (size_t i = 0; n_args == 2 && i < ARRAY_SIZE(verbs) && !r; i++)
		r = ask(ctl, &request, verbs[i], ctl->json ? NULL : &table,
			&allowed);
	if (r)
		return r;
	if (!ctl->json)
		table_print(&table);
	return n_args == 3 && !allowed ? CTL_FAILED : CTL_DONE;
}

const struct verb verb_policy_check = {
	.name = "policy check",
	.args = "USER DEVICE [VERB]",
	.summary = "may a user do that; which line of which file says so",
	.details =
	"USER is a name or number, or unit:UNIT, uri:URI or dns:NAME of a "
	"certificate.\nWith VERB the exit code is 1 if it is refused.\n",
	.options = options,
	.min_args = 2,
	.max_args = 3,
	.run = run,
};
