/* SPDX-License-Identifier: Apache-2.0
 *
 * space-create.c - ioasidctl space create
 */
#include "ioasidctl/space.h"
#include "ioasidctl/space-spec.h"

static const char *opt_lease;
static struct strv opt_windows, opt_devices, opt_labels;

static const struct option_spec options[] = {
	{ "lease", 'l', OPTION_TEXT, &opt_lease, "LEASE",
	  "the lease, of mode hold or guarded, that it is for" },
	{ "window", 'w', OPTION_LIST, &opt_windows, "WINDOW",
	  "what it has to promise; may be repeated" },
	{ "device", 'd', OPTION_LIST, &opt_devices, "DEVICE",
	  "attach this device of the lease to it; may be repeated" },
	{ "label", 0, OPTION_LIST, &opt_labels, "KEY=VALUE",
	  "what you call it; may be repeated" },
	SPACE_OPTIONS,
	NO_MORE_OPTIONS,
};

/**
 * read_options() - Read what is wished for
 * @wish:	Gets it
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int read_options(struct space_wish *wish)
{
	int r = CTL_DONE;

	for (size_t i = 0; !r && i < opt_windows.n; i++)
		r = space_wish_window(wish, opt_windows.items[i]);
	for (size_t i = 0; !r && i < opt_devices.n; i++)
		r = space_wish_device(wish, opt_devices.items[i]);
	for (size_t i = 0; !r && i < opt_labels.n; i++)
		r = space_wish_label(wish, opt_labels.items[i]);
	return r;
}

/**
 * create() - Make a space
 * @ctl:	This run
 * @lease:	In this lease
 * @wish:	What it shall be
 *
 * Return: enum ctl_exit.
 */
static int create(struct ctl *ctl, char *lease, struct space_wish *wish)
{
	Ioasid__V1__CreateSpaceRequest request =
		IOASID__V1__CREATE_SPACE_REQUEST__INIT;

	request.lease = lease;
	request.space = space_wish_message(wish);
	request.dry_run = space_dry_run;
	return space_call(ctl, "Spaces/CreateSpace", &request.base, lease);
}

/**
 * run() - Make a space
 * @ctl:	This run
 * @args:	None
 * @n_args:	0
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	char lease[CTL_NAME_SIZE];
	struct space_wish wish;
	int r;

	if (!opt_lease)
		return ctl_usage("space create takes --lease");
	r = ctl_object_name("leases", opt_lease, lease);
	if (r)
		return r;
	space_wish_init(&wish);
	r = read_options(&wish);
	if (!r)
		r = create(ctl, lease, &wish);
	space_wish_deinit(&wish);
	strv_deinit(&opt_windows);
	strv_deinit(&opt_devices);
	strv_deinit(&opt_labels);
	return r;
}

const struct verb verb_space_create = {
	.name = "space create",
	.args = "--lease LEASE",
	.summary = "make an I/O address space in a lease of mode hold or guarded",
	.details = WINDOW_SPEC_HELP,
	.options = options,
	.run = run,
};
