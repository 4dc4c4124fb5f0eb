/* SPDX-License-Identifier: Apache-2.0
 *
 * lease-token-reissue.c - ioasidctl lease token reissue
 */
#include <time.h>

#include "ioasid/v1/lease.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "libioasid/message.h"

static const char *opt_token_file;
static uint64_t opt_expires_s;

static const struct option_spec options[] = {
	{ "token-file", 0, OPTION_TEXT, &opt_token_file, "FILE",
	  "where the token goes; it must not be there yet" },
	{ "token-expires", 0, OPTION_NUMBER, &opt_expires_s, "SECONDS",
	  "the token is good no more then (as long as the offer)" },
	NO_MORE_OPTIONS,
};

/**
 * run() - Give a lease another token
 * @ctl:	This run
 * @args:	The lease
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__ReissueTokenRequest request =
		IOASID__V1__REISSUE_TOKEN_REQUEST__INIT;
	Google__Protobuf__Timestamp expires = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	char name[CTL_NAME_SIZE], *token = NULL;
	int r, w, fd;

	if (!opt_token_file)
		return ctl_usage("--token-file is missing");
	r = ctl_object_name("leases", args[0], name);
	if (r == CTL_DONE)
		r = ctl_token_create(opt_token_file, &fd);
	if (r)
		return r;
	request.name = name;
	if (opt_expires_s) {
		expires.seconds = (int64_t)time(NULL) + (int64_t)opt_expires_s;
		request.token_expires = &expires;
	}
	r = ctl_call(ctl, "Leases/ReissueToken", &request.base,
		     &ioasid__v1__lease__descriptor, name, &reply);
	if (r == CTL_DONE)
		token = ((Ioasid__V1__Lease *)reply)->claim_token;
	w = ctl_token_write_consume(opt_token_file, fd, token);
	if (r == CTL_DONE && w == CTL_DONE && ctl->json)
		json_print(reply);
	return r ? r : w;
}

const struct verb verb_lease_token_reissue = {
	.name = "lease token reissue",
	.args = "LEASE",
	.summary = "give an offer another token; the old one is burnt",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
