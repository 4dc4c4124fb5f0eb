/* SPDX-License-Identifier: Apache-2.0
 *
 * bind-invalidate.c - ioasidctl bind invalidate
 */
#include "ioasidctl/bind.h"
#include "ioasidctl/json.h"
#include "libioasid/message.h"

#ifndef __clang__
/* gcc 12's -fanalyzer overlooks that a message is NULL until it came. */
#pragma GCC diagnostic ignored "-Wanalyzer-use-of-uninitialized-value"
#endif

/* Of the contract; and as much as fits a command line. */
#define ENTRY_MAX 256
#define ENTRIES_MAX (16u << 10)

static uint64_t opt_type, opt_size = 24;

static const struct option_spec options[] = {
	{ "type", 0, OPTION_NUMBER, &opt_type, "NUMBER",
	  "of enum iommu_hwpt_invalidate_data_type (0: vtd-s1)" },
	{ "size", 0, OPTION_NUMBER, &opt_size, "BYTES",
	  "how long an entry is (24)" },
	BIND_OPTIONS,
	NO_MORE_OPTIONS,
};

/**
 * show() - Say how many were done
 */
static void show(const struct ctl *ctl, const char *name,
		 const ProtobufCMessage *reply)
{
	if (ctl->json)
		json_print(reply);
	else if (bind_dry_run)
		printf("%s: could be invalidated (nothing was)\n", name);
	else
		printf("%s: %u invalidated\n", name,
		       ((const Ioasid__V1__InvalidatePageTableResponse *)
				reply)->done);
}

/**
 * run() - Drop what the IOMMU remembers of a guest's page table
 * @ctl:	This run
 * @args:	The page table, the entries
 * @n_args:	2
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__InvalidatePageTableRequest request =
		IOASID__V1__INVALIDATE_PAGE_TABLE_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	static uint8_t entries[ENTRIES_MAX];
	char name[CTL_NAME_SIZE];
	int r;

	if (opt_size > ENTRY_MAX || opt_type > UINT32_MAX)
		return ctl_usage("--size is at most %u, --type has 32 bits",
				 ENTRY_MAX);
	r = ctl_object_name("pageTables", args[0], name);
	if (!r)
		r = bind_hex("entries", args[1], entries, sizeof(entries),
			     &request.entries.len);
	if (r)
		return r;
	request.name = name;
	request.data_type = (uint32_t)opt_type;
	request.entries.data = entries;
	request.entry_size = (uint32_t)opt_size;
	request.dry_run = bind_dry_run;
	r = ctl_call(ctl, "PageTables/InvalidatePageTable", &request.base,
		     &ioasid__v1__invalidate_page_table_response__descriptor,
		     name, &reply);
	if (!r)
		show(ctl, name, reply);
	return r;
}

const struct verb verb_bind_invalidate = {
	.name = "bind invalidate",
	.args = "PAGE-TABLE HEX",
	.summary = "drop what the IOMMU remembers of a guest's page table",
	.details = "HEX is the entries, one behind the other, as hexadecimal digits.\n",
	.options = options,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
