/* SPDX-License-Identifier: Apache-2.0
 *
 * dirty-show.c - ioasidctl dirty show
 */
#include <inttypes.h>

#include "ioasidctl/bind.h"
#include "ioasidctl/json.h"
#include "ioasidctl/space.h"
#include "libioasid/message.h"

typedef Ioasid__V1__GetDirtyBitmapResponse reply_msg;

static const char *opt_page_size;
static bool opt_clear;

static const struct option_spec options[] = {
	{ "page-size", 0, OPTION_TEXT, &opt_page_size, "SIZE",
	  "what one bit stands for (4K)" },
	{ "clear", 'c', OPTION_FLAG, &opt_clear, NULL,
	  "count what is shown as not written from now on" },
	NO_MORE_OPTIONS,
};

/**
 * struct run_of - Pages that were written, one behind the other
 * @start:	The first one
 * @end:	Behind the last one; @start if there is none
 */
struct run_of {
	uint64_t start, end;
};

/* flush() - Print a run of pages, and begin anew. */
static void flush(struct run_of *run)
{
	if (run->end != run->start)
		printf("0x%" PRIx64 " to 0x%" PRIx64 "\n", run->start,
		       run->end - 1);
	run->start = run->end = 0;
}

/**
 * show_bits() - Print which pages of an answer were written
 * @reply:	The answer
 * @iova:	Where it begins
 * @page:	What a bit stands for
 * @run:	What the answer before it ended with
 */
static void show_bits(const reply_msg *reply, uint64_t iova, uint64_t page,
		      struct run_of *run)
{
	for (uint64_t i = 0; i < reply->bitmap.len * UINT64_C(8); i++) {
		if (!(reply->bitmap.data[i / 8] >> (i % 8) & 1))
			continue;
		if (run->end == run->start || run->end != iova + i * page) {
			flush(run);
			run->start = iova + i * page;
		}
		run->end = iova + (i + 1) * page;
	}
}

/**
 * show() - Read and print a range, an answer at a time
 * @request:	Of the whole range
 *
 * Return: enum ctl_exit.
 */
static int show(struct ctl *ctl, Ioasid__V1__GetDirtyBitmapRequest *request)
{
	struct run_of run = { 0 };

	for (;;) {
		_cleanup_message_ ProtobufCMessage *answer = NULL;
		const reply_msg *reply;
		int r;

		r = ctl_call(ctl, "PageTables/GetDirtyBitmap", &request->base,
			     &ioasid__v1__get_dirty_bitmap_response__descriptor,
			     request->name, &answer);
		if (r)
			return r;
		reply = (const reply_msg *)answer;
		if (ctl->json)
			json_print(answer);
		else
			show_bits(reply, request->iova, request->page_size,
				  &run);
		/* What does not go on would go round. */
		if (!reply->next_iova || reply->next_iova <= request->iova)
			break;
		request->length -= reply->next_iova - request->iova;
		request->iova = reply->next_iova;
	}
	flush(&run);
	return CTL_DONE;
}

/**
 * run() - Show what devices have written
 * @ctl:	This run
 * @args:	The page table, where, how much
 * @n_args:	3
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__GetDirtyBitmapRequest request =
		IOASID__V1__GET_DIRTY_BITMAP_REQUEST__INIT;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("pageTables", args[0], name);
	if (!r)
		r = space_number("START", args[1], &request.iova);
	if (!r)
		r = space_number("SIZE", args[2], &request.length);
	request.page_size = 4096;
	if (!r && opt_page_size)
		r = space_number("--page-size", opt_page_size,
				 &request.page_size);
	if (r)
		return r;
	request.name = name;
	request.keep = !opt_clear;
	return show(ctl, &request);
}

const struct verb verb_dirty_show = {
	.name = "dirty show",
	.args = "PAGE-TABLE START SIZE",
	.summary = "show what devices have written while dirty tracking is on",
	.options = options,
	.min_args = 3,
	.max_args = 3,
	.run = run,
};
