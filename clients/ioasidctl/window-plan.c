/* SPDX-License-Identifier: Apache-2.0
 *
 * window-plan.c - ioasidctl window plan
 */
#include <inttypes.h>

#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "ioasidctl/window-spec.h"
#include "libioasid/message.h"

static struct strv opt_devices;

static const struct option_spec options[] = {
	{ "device", 'd', OPTION_LIST, &opt_devices, "DEVICE",
	  "one that is to use the windows, prepared; may be repeated" },
	NO_MORE_OPTIONS,
};

/**
 * name_devices() - Find out what the devices are called
 * @request:	Gets their names
 * @names:	Owns them
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int name_devices(Ioasid__V1__PlanWindowsRequest *request,
			struct strv *names)
{
	char name[CTL_NAME_SIZE];
	int r;

	for (size_t i = 0; i < opt_devices.n; i++) {
		r = ctl_device_name(opt_devices.items[i], name);
		if (r)
			return r;
		if (strv_add(names, name) < 0)
			ctl_no_memory();
	}
	request->devices = names->items;
	request->n_devices = names->n;
	return CTL_DONE;
}

/**
 * show_windows() - Show windows as a table
 * @plan:	Which
 */
static void show_windows(const Ioasid__V1__PlanWindowsResponse *plan)
{
	_cleanup_table_ struct table table = TABLE_NULL;

	table_row(&table, "START", "LAST", "SIZE", "PAGES", "FOR", NULL);
	for (size_t i = 0; i < plan->n_windows; i++) {
		const Ioasid__V1__Window *w = plan->windows[i];
		char start[24], last[24], size[32], purpose[32], pages[256];

		(void)str_format(start, sizeof(start), "0x%" PRIx64, w->start);
		(void)str_format(last, sizeof(last), "0x%" PRIx64, w->last);
		table_row(&table, start, last,
			  ctl_size(w->last - w->start + 1, false, size),
			  window_sizes_words(w->page_sizes, pages,
					     sizeof(pages)),
			  window_purpose_word((int)w->purpose, purpose), NULL);
	}
	table_print(&table);
}

/**
 * show_step() - Show what the holder has to do on POWER
 * @head:	What stands before it
 * @step:	What
 */
static void show_step(const char *head, const Ioasid__V1__TceStep *step)
{
	char size[32], page[32], table[32];

	ctl_size(step->size, false, size);
	ctl_size(UINT64_C(1) << step->page_shift % 64, false, page);
	ctl_size(step->table_bytes, false, table);
	switch (step->kind) {
	case IOASID__V1__TCE_STEP_KIND__TCE_KEEP_DEFAULT:
		output_fieldf(head, "keep the default window, %s from 0x%" PRIx64 " on, pages of %s; its table locks %s",
			      size, step->start, page, table);
		return;
	case IOASID__V1__TCE_STEP_KIND__TCE_REMOVE_DEFAULT:
		output_fieldf(head, "remove the default window, 0x%" PRIx64,
			      step->start);
		return;
	case IOASID__V1__TCE_STEP_KIND__TCE_CREATE:
		output_fieldf(head, "make a window of %s, pages of %s, levels %u; expected at 0x%" PRIx64 ", which the platform decides; its table locks %s",
			      size, page, step->levels, step->start, table);
		return;
	default: /* of a newer daemon */
		output_fieldf(head, "step of kind %d", (int)step->kind);
	}
}

/**
 * show_steps() - Show what the holder has to do, and what it has to know
 * @plan:	Of which
 */
static void show_steps(const Ioasid__V1__PlanWindowsResponse *plan)
{
	for (size_t i = 0; i < plan->n_tce_steps; i++)
		show_step(i ? "" : "Steps", plan->tce_steps[i]);
	for (size_t i = 0; i < plan->n_windows; i++)
		if (plan->windows[i]->huge_pages)
			output_fieldf("Note", "in 0x%" PRIx64 " only memory in huge pages can be mapped: its pages are larger than the kernel's",
				      plan->windows[i]->start);
}

/**
 * show() - Show a plan
 * @plan:	Which
 */
static void show(const Ioasid__V1__PlanWindowsResponse *plan)
{
	if (plan->n_windows)
		show_windows(plan);
	show_steps(plan);
	for (size_t i = 0; i < plan->n_iova_ranges; i++)
		output_fieldf(i ? "" : "I/O addresses",
			      "0x%" PRIx64 " to 0x%" PRIx64,
			      plan->iova_ranges[i]->start,
			      plan->iova_ranges[i]->last);
	if (!plan->n_iova_ranges)
		output_field("I/O addresses", "none that all can use");
	output_fieldf("Alignment", "%" PRIu64, plan->iova_alignment);
}

/**
 * ask() - Have it planned, and show the plan
 * @ctl:	This run
 * @request:	What is planned
 *
 * Return: enum ctl_exit.
 */
static int ask(struct ctl *ctl, const Ioasid__V1__PlanWindowsRequest *request)
{
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	int r;

	r = ctl_call(ctl, "Windows/PlanWindows", &request->base,
		     &ioasid__v1__plan_windows_response__descriptor, NULL,
		     &reply);
	if (r)
		return r;
	if (ctl->json)
		json_print(reply);
	else
		show((const Ioasid__V1__PlanWindowsResponse *)reply);
	return CTL_DONE;
}

/**
 * run() - Tell where windows can be
 * @ctl:	This run
 * @args:	The windows
 * @n_args:	How many
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__PlanWindowsRequest request =
		IOASID__V1__PLAN_WINDOWS_REQUEST__INIT;
	_cleanup_strv_ struct strv names = STRV_NULL;
	struct window_wishes wishes = { .n = 0 };
	int r;

	r = name_devices(&request, &names);
	strv_deinit(&opt_devices);
	for (int i = 0; !r && i < n_args; i++)
		r = window_wishes_add(&wishes, args[i]);
	if (r)
		return r;
	request.windows = wishes.pointers;
	request.n_windows = wishes.n;
	return ask(ctl, &request);
}

const struct verb verb_window_plan = {
	.name = "window plan",
	.args = "[WINDOW]...",
	.summary = "tell where windows can be, or what is in the way",
	.details = WINDOW_SPEC_HELP
	"Nothing is changed. Without DEVICE it is for a machine without "
	"limits; without\nWINDOW only what the devices have in common is "
	"told.\n",
	.options = options,
	.min_args = 0,
	.max_args = -1,
	.run = run,
};
