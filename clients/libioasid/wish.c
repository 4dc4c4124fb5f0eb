/* SPDX-License-Identifier: Apache-2.0
 *
 * wish.c - windows and spaces that a caller needs, as requests have them
 */
#include <assert.h>
#include <errno.h>

#include "libioasid/fail.h"
#include "libioasid/message.h"
#include "libioasid/wish.h"

/* libioasid's numbers are the contract's. */
static_assert((int)IOASID_WINDOW_DMA32 ==
	      IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_DMA32, "");
static_assert((int)IOASID_WINDOW_RAM ==
	      IOASID__V1__WINDOW_PURPOSE__WINDOW_PURPOSE_RAM, "");
static_assert(IOASID_WINDOW_PURPOSES == 3,
	      "a purpose was added: name it above");

/* wish_windows_fill() - See wish.h. */
int wish_windows_fill(const struct ioasid_window_wish *wishes, size_t n,
		      struct wish_windows *ret, struct ioasid_error *err)
{
	if (n > IOASID_MAX_WINDOWS)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"a space has at most %d windows, not %zu",
				IOASID_MAX_WINDOWS, n);
	for (size_t i = 0; i < n; i++) {
		Ioasid__V1__WindowWish *msg = &ret->items[i];

		ioasid__v1__window_wish__init(msg);
		msg->size = wishes[i].size;
		if (wishes[i].has_start) {
			msg->place_case =
				IOASID__V1__WINDOW_WISH__PLACE_START;
			msg->start = wishes[i].start;
		}
		msg->page_sizes = wishes[i].page_sizes;
		msg->purpose = (Ioasid__V1__WindowPurpose)wishes[i].purpose;
		msg->around_reserved = wishes[i].around_reserved;
		ret->pointers[i] = msg;
	}
	return 0;
}

/* wish_space_fill() - See wish.h. */
int wish_space_fill(const struct ioasid_space_wish *wish,
		    struct wish_space *ret, struct ioasid_error *err)
{
	int r;

	if (wish->n_devices > IOASID_MAX_DEVICES)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"a space has at most %d devices, not %zu",
				IOASID_MAX_DEVICES, wish->n_devices);
	if (wish->n_labels > IOASID_MAX_LABELS)
		return fail_set(err, -EINVAL, IOASID_ERROR_ARGUMENT,
				"a space has at most %d labels, not %zu",
				IOASID_MAX_LABELS, wish->n_labels);
	r = wish_windows_fill(wish->windows, wish->n_windows, &ret->windows,
			      err);
	if (r < 0)
		return r;

	ioasid__v1__space_wish__init(&ret->msg);
	ret->msg.windows = ret->windows.pointers;
	ret->msg.n_windows = wish->n_windows;
	ret->msg.devices = (char **)wish->devices;
	ret->msg.n_devices = wish->n_devices;
	for (size_t i = 0; i < wish->n_labels; i++) {
		ioasid__v1__space_wish__labels_entry__init(&ret->labels[i]);
		ret->labels[i].key = (char *)wish->labels[i].key;
		ret->labels[i].value = (char *)wish->labels[i].value;
		ret->label_pointers[i] = &ret->labels[i];
	}
	ret->msg.labels = ret->label_pointers;
	ret->msg.n_labels = wish->n_labels;
	return 0;
}

/* wish_terms() - See wish.h. */
void wish_terms(const ProtobufCMessage *request,
		const struct ioasid_terms *terms)
{
	char **etag, **request_id;

	if (!terms)
		return;
	etag = message_field(request, "etag", PROTOBUF_C_TYPE_STRING);
	*etag = (char *)(terms->etag ?: "");
	request_id = message_field(request, "request_id",
				   PROTOBUF_C_TYPE_STRING);
	*request_id = (char *)(terms->request_id ?: "");
	*(protobuf_c_boolean *)message_field(request, "dry_run",
					     PROTOBUF_C_TYPE_BOOL) =
		terms->dry_run;
}
