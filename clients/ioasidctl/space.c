/* SPDX-License-Identifier: Apache-2.0
 *
 * space.c - what the verbs for spaces and their windows share
 */
#include <inttypes.h>

#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "ioasidctl/space.h"
#include "libioasid/message.h"

bool space_dry_run;

/**
 * show_windows() - Show what a space promises
 * @s:		The space
 */
static void show_windows(const Ioasid__V1__Space *s)
{
	for (size_t i = 0; i < s->n_windows; i++) {
		const Ioasid__V1__Window *w = s->windows[i];
		char size[32], purpose[32], pages[256];

		(void)window_sizes_words(w->page_sizes, pages, sizeof(pages));
		output_fieldf(i ? "" : "Windows",
			      "0x%" PRIx64 " to 0x%" PRIx64
			      ", %s, pages %s, for %s", w->start, w->last,
			      ctl_size(w->last - w->start + 1, false, size),
			      *pages ? pages : "any",
			      window_purpose_word((int)w->purpose, purpose));
	}
	if (!s->n_windows)
		output_field("Windows", "none: nothing is promised");
}

/* space_show() - See space.h. */
void space_show(const Ioasid__V1__Space *s)
{
	char time[32];

	output_field("Space", s->name);
	output_field("Lease", s->lease);
	for (size_t i = 0; i < s->n_labels; i++)
		output_fieldf(i ? "" : "Labels", "%s=%s", s->labels[i]->key,
			      s->labels[i]->value);
	show_windows(s);
	for (size_t i = 0; i < s->n_attachments; i++)
		output_field(i ? "" : "Devices", s->attachments[i]->device);
	if (!s->n_attachments)
		output_field("Devices", "none");
	if (s->kernel_id)
		output_fieldf("Kernel id", "%u", s->kernel_id);
	else
		output_field("Kernel id", "none: it is in no iommufd now");
	for (size_t i = 0; i < s->n_iova_ranges; i++)
		output_fieldf(i ? "" : "I/O addresses",
			      "0x%" PRIx64 " to 0x%" PRIx64,
			      s->iova_ranges[i]->start,
			      s->iova_ranges[i]->last);
	if (s->iova_alignment)
		output_fieldf("Alignment", "%" PRIu64, s->iova_alignment);
	output_field("Made", ctl_time(s->created, time));
}

/* space_call() - See space.h. */
int space_call(struct ctl *ctl, const char *method,
	       const ProtobufCMessage *request, const char *object)
{
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	int r;

	r = ctl_call(ctl, method, request, &ioasid__v1__space__descriptor,
		     object, &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	if (space_dry_run)
		printf("It would be so (nothing was changed):\n");
	space_show((const Ioasid__V1__Space *)reply);
	return CTL_DONE;
}

/* space_get() - See space.h. */
int space_get(struct ctl *ctl, char *name, Ioasid__V1__Space **ret)
{
	Ioasid__V1__GetSpaceRequest request =
		IOASID__V1__GET_SPACE_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	int r;

	request.name = name;
	r = ctl_call(ctl, "Spaces/GetSpace", &request.base,
		     &ioasid__v1__space__descriptor, name, &reply);
	if (r)
		return r;
	*ret = (Ioasid__V1__Space *)reply;
	return CTL_DONE;
}

/* space_set_windows() - See space.h. */
int space_set_windows(struct ctl *ctl, char *name, struct window_wishes *wishes,
		      char *etag)
{
	Ioasid__V1__SetWindowsRequest request =
		IOASID__V1__SET_WINDOWS_REQUEST__INIT;

	request.name = name;
	request.windows = wishes->pointers;
	request.n_windows = wishes->n;
	request.dry_run = space_dry_run;
	if (etag)
		request.etag = etag;
	return space_call(ctl, "Spaces/SetWindows", &request.base, name);
}

/* space_number() - See space.h. */
int space_number(const char *what, const char *text, uint64_t *ret)
{
	if (window_number(text, ret) < 0)
		return ctl_usage("%s is bytes, such as 0x80000000 or 2G, not "
				 "'%s'", what, text);
	return CTL_DONE;
}

/* space_find_window() - See space.h. */
int space_find_window(const Ioasid__V1__Space *space, uint64_t start,
		      size_t *ret)
{
	for (size_t i = 0; i < space->n_windows; i++) {
		if (space->windows[i]->start == start) {
			*ret = i;
			return CTL_DONE;
		}
	}
	return ctl_fail("no window of the space begins at 0x%" PRIx64, start);
}
