/* SPDX-License-Identifier: Apache-2.0
 *
 * bind-create.c - ioasidctl bind create
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ioasidctl/bind.h"
#include "libioasid/ioasid.h"

typedef Ioasid__V1__CreatePageTableRequest request_msg;

/* Of the contract. */
#define DATA_MAX 256
#define LABELS_MAX 16

static const char *opt_lease, *opt_parent, *opt_device, *opt_type, *opt_data;
static bool opt_nest_parent, opt_dirty_tracking, opt_pasid, opt_faults;
static struct strv opt_labels;

static const struct option_spec options[] = {
	{ "lease", 'l', OPTION_TEXT, &opt_lease, "LEASE",
	  "the lease, of mode hold, that it is for" },
	{ "on", 'o', OPTION_TEXT, &opt_parent, "PARENT",
	  "the space that it is for; of a guest's, the page table below it" },
	{ "device", 'd', OPTION_TEXT, &opt_device, "DEVICE",
	  "a device of the lease that it has to suit" },
	{ "nest-parent", 0, OPTION_FLAG, &opt_nest_parent, NULL,
	  "a guest's can be on it" },
	{ "dirty-tracking", 0, OPTION_FLAG, &opt_dirty_tracking, NULL,
	  "what is written through it can be recorded" },
	{ "pasid", 0, OPTION_FLAG, &opt_pasid, NULL,
	  "PASIDs can be attached to it, or beside it" },
	{ "type", 0, OPTION_TEXT, &opt_type, "TYPE",
	  "a guest's: vtd-s1, or a number of enum iommu_hwpt_data_type" },
	{ "data", 0, OPTION_TEXT, &opt_data, "HEX",
	  "a guest's: what the type describes it with, in hexadecimal" },
	{ "fault-queue", 0, OPTION_FLAG, &opt_faults, NULL,
	  "let faults go to a queue, which the lease's holder can open" },
	{ "label", 0, OPTION_LIST, &opt_labels, "KEY=VALUE",
	  "what you call it; may be repeated" },
	BIND_OPTIONS,
	NO_MORE_OPTIONS,
};

/**
 * struct wish - A request, and what it points to
 */
struct wish {
	request_msg msg;
	char lease[CTL_NAME_SIZE], parent[CTL_NAME_SIZE], device[CTL_NAME_SIZE];
	uint8_t data[DATA_MAX];
	Ioasid__V1__CreatePageTableRequest__LabelsEntry labels[LABELS_MAX];
	Ioasid__V1__CreatePageTableRequest__LabelsEntry *pointers[LABELS_MAX];
};

/**
 * read_names() - Read which lease, parent and device
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int read_names(struct wish *wish)
{
	int r;

	if (!opt_lease || !opt_parent || !opt_device)
		return ctl_usage("bind create takes --lease, --on and --device");
	r = ctl_object_name("leases", opt_lease, wish->lease);
	/* A guest's is on a page table, a host's on a space. */
	if (!r)
		r = ctl_object_name(opt_type ||
				    str_starts(opt_parent, "pageTables/") ?
					    "pageTables" : "spaces",
				    opt_parent, wish->parent);
	if (!r)
		r = ctl_device_name(opt_device, wish->device);
	return r;
}

/**
 * read_type() - Read what a guest's page table is
 *
 * Return: likewise.
 */
static int read_type(struct wish *wish)
{
	uint64_t number;

	if (!opt_type != !opt_data)
		return ctl_usage("--type and --data go together");
	if (!opt_type)
		return CTL_DONE;
	if (str_eq(opt_type, "vtd-s1")) {
		wish->msg.type_case =
			IOASID__V1__CREATE_PAGE_TABLE_REQUEST__TYPE_KNOWN_TYPE;
		wish->msg.known_type =
			IOASID__V1__PAGE_TABLE_TYPE__PAGE_TABLE_TYPE_VTD_S1;
	} else if (str_u64(opt_type, 0, UINT32_MAX, &number) < 0 ||
		   !number) {
		return ctl_usage("--type is vtd-s1 or a number, not '%s'",
				 opt_type);
	} else {
		wish->msg.type_case =
			IOASID__V1__CREATE_PAGE_TABLE_REQUEST__TYPE_TYPE_NUMBER;
		wish->msg.type_number = (uint32_t)number;
	}
	wish->msg.data.data = wish->data;
	return bind_hex("data", opt_data, wish->data, sizeof(wish->data),
			&wish->msg.data.len);
}

/**
 * read_labels() - Read what it is called
 * @copies:	Have the words
 *
 * Return: likewise.
 */
static int read_labels(struct wish *wish, struct strv *copies)
{
	for (size_t i = 0; i < opt_labels.n; i++) {
		char *copy, *equals;

		if (i == LABELS_MAX)
			return ctl_usage("a page table has at most %d labels",
					 LABELS_MAX);
		if (strv_add(copies, opt_labels.items[i]) < 0)
			ctl_no_memory();
		copy = copies->items[i];
		equals = strchr(copy, '=');
		if (!equals || equals == copy)
			return ctl_usage("a label is KEY=VALUE, not '%s'",
					 copy);
		*equals = '\0';
		ioasid__v1__create_page_table_request__labels_entry__init(
			&wish->labels[i]);
		wish->labels[i].key = copy;
		wish->labels[i].value = equals + 1;
		wish->pointers[i] = &wish->labels[i];
	}
	wish->msg.labels = wish->pointers;
	wish->msg.n_labels = opt_labels.n;
	return CTL_DONE;
}

/**
 * run() - Make a page table
 * @ctl:	This run
 * @args:	None
 * @n_args:	0
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	_cleanup_strv_ struct strv copies = STRV_NULL;
	struct wish wish = {
		.msg = IOASID__V1__CREATE_PAGE_TABLE_REQUEST__INIT,
	};
	int r;

	r = read_names(&wish);
	if (!r)
		r = read_type(&wish);
	if (!r)
		r = read_labels(&wish, &copies);
	if (!r) {
		wish.msg.lease = wish.lease;
		wish.msg.parent = wish.parent;
		wish.msg.device = wish.device;
		wish.msg.nest_parent = opt_nest_parent;
		wish.msg.dirty_tracking = opt_dirty_tracking;
		wish.msg.pasid = opt_pasid;
		wish.msg.fault_queue = opt_faults;
		wish.msg.dry_run = bind_dry_run;
		r = bind_call(ctl, "PageTables/CreatePageTable",
			      &wish.msg.base, wish.lease);
	}
	strv_deinit(&opt_labels);
	return r;
}

const struct verb verb_bind_create = {
	.name = "bind create",
	.args = "--lease LEASE --on PARENT --device DEVICE",
	.summary = "make a page table in a lease of mode hold",
	.details = "Without --type it is for what is mapped in the space PARENT; with it, it is a\n"
		   "guest's, and PARENT a page table made with --nest-parent.\n",
	.options = options,
	.run = run,
};
