/* SPDX-License-Identifier: Apache-2.0
 *
 * version.c - ioasidctl version
 */
#include <inttypes.h>

#include "ioasid/v1/common.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { NO_MORE_OPTIONS };

/**
 * run() - Tell the versions
 * @ctl:	This run
 * @args:	None
 * @n_args:	0
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__GetVersionRequest request =
		IOASID__V1__GET_VERSION_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__Version *v;
	int r;

	/* What is known without the daemon, told also without it. */
	if (!ctl->json)
		output_field("ioasidctl", ioasid_version());
	r = ctl_call(ctl, "Host/GetVersion", &request.base,
		     &ioasid__v1__version__descriptor, NULL, &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	v = (const Ioasid__V1__Version *)reply;
	output_field("ioasidd", v->daemon);
	output_field("Contract", v->contract);
	output_field("Kernel", v->kernel);
	output_field("Backend", v->backend);
	output_field("Boot", v->boot_id);
	output_fieldf("Revision", "%" PRIu64, v->revision);
	return CTL_DONE;
}

const struct verb verb_version = {
	.name = "version",
	.summary = "tell the versions of ioasidctl, ioasidd and kernel",
	.options = options,
	.run = run,
};
