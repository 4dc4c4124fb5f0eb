/* SPDX-License-Identifier: Apache-2.0
 *
 * space-delete.c - ioasidctl space delete
 */
#include "ioasidctl/json.h"
#include "ioasidctl/space.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { SPACE_OPTIONS, NO_MORE_OPTIONS };

/**
 * delete() - Destroy a space
 * @ctl:	This run
 * @name:	Its name
 *
 * Return: enum ctl_exit.
 */
static int delete(struct ctl *ctl, char *name)
{
	Ioasid__V1__DeleteSpaceRequest request =
		IOASID__V1__DELETE_SPACE_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	int r;

	request.name = name;
	request.dry_run = space_dry_run;
	r = ctl_call(ctl, "Spaces/DeleteSpace", &request.base,
		     &ioasid__v1__space__descriptor, name, &reply);
	if (r)
		return r;
	if (ctl->json)
		json_print(reply);
	else
		printf("%s: %s\n", name, space_dry_run ?
		       "could be deleted (nothing was changed)" : "deleted");
	return CTL_DONE;
}

/**
 * run() - Destroy a space
 * @ctl:	This run
 * @args:	The space
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("spaces", args[0], name);
	return r ? r : delete(ctl, name);
}

const struct verb verb_space_delete = {
	.name = "space delete",
	.args = "SPACE",
	.summary = "destroy a space without devices, with all that is mapped",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
