/* SPDX-License-Identifier: Apache-2.0
 *
 * space-spec.c - SPACE on a command line: what a space shall be
 */
#include <string.h>

#include "ioasidctl/ctl.h"
#include "ioasidctl/space-spec.h"

/* What can stand around a part. */
#define BLANKS " \t\n"

/* space_wish_init() - See space-spec.h. */
void space_wish_init(struct space_wish *wish)
{
	memset(wish, 0, sizeof(*wish));
	ioasid__v1__space_wish__init(&wish->msg);
}

/* space_wish_deinit() - See space-spec.h. */
void space_wish_deinit(struct space_wish *wish)
{
	strv_deinit(&wish->devices);
	strv_deinit(&wish->keys);
	strv_deinit(&wish->values);
}

/* space_wish_window() - See space-spec.h. */
int space_wish_window(struct space_wish *wish, const char *text)
{
	return window_wishes_add(&wish->windows, text);
}

/* space_wish_device() - See space-spec.h. */
int space_wish_device(struct space_wish *wish, const char *text)
{
	char name[CTL_NAME_SIZE];
	int r;

	if (str_eq(text, "none")) {
		wish->no_device = true;
	} else {
		r = ctl_device_name(text, name);
		if (r)
			return r;
		if (strv_add(&wish->devices, name) < 0)
			ctl_no_memory();
	}
	if (wish->no_device && wish->devices.n)
		return ctl_usage("a space for no device, and for %s",
				 wish->devices.items[0]);
	return CTL_DONE;
}

/* space_wish_label() - See space-spec.h. */
int space_wish_label(struct space_wish *wish, const char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return ctl_usage("a label is KEY=VALUE, not '%s'", text);
	if (wish->keys.n == IOASID_MAX_LABELS)
		return ctl_usage("a space has at most %d labels",
				 IOASID_MAX_LABELS);
	if (strv_addf(&wish->keys, "%.*s", (int)(equals - text), text) < 0 ||
	    strv_add(&wish->values, equals + 1) < 0)
		ctl_no_memory();
	return CTL_DONE;
}

/**
 * read_part() - Read one part of a SPACE
 * @wish:	Gets it
 * @text:	The part, without blanks around it; cut into pieces
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int read_part(struct space_wish *wish, char *text)
{
	char *value = text + strcspn(text, "=" BLANKS);

	if (*value)
		*value++ = '\0';
	value += strspn(value, BLANKS);
	if (*value && str_eq(text, "window"))
		return space_wish_window(wish, value);
	if (*value && str_eq(text, "device"))
		return space_wish_device(wish, value);
	if (*value && str_eq(text, "label"))
		return space_wish_label(wish, value);
	return ctl_usage("a space has `window WINDOW`, `device DEVICE` and "
			 "`label KEY=VALUE`, with ; between them, not '%s%s%s'",
			 text, *value ? " " : "", value);
}

/* space_spec_parse() - See space-spec.h. */
int space_spec_parse(const char *text, char *const *devices, size_t n_devices,
		     struct space_wish *wish)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy;
	char *part;
	int r;

	if (!copy)
		ctl_no_memory();
	while ((part = strsep(&rest, ";"))) {
		part = str_chomp(part + strspn(part, BLANKS));
		r = *part ? read_part(wish, part) : CTL_DONE;
		if (r)
			return r;
	}
	if (wish->devices.n || wish->no_device)
		return CTL_DONE;
	for (size_t i = 0; i < n_devices; i++)
		if (strv_add(&wish->devices, devices[i]) < 0)
			ctl_no_memory();
	return CTL_DONE;
}

/* space_wish_message() - See space-spec.h. */
Ioasid__V1__SpaceWish *space_wish_message(struct space_wish *wish)
{
	wish->msg.windows = wish->windows.pointers;
	wish->msg.n_windows = wish->windows.n;
	wish->msg.devices = wish->devices.items;
	wish->msg.n_devices = wish->devices.n;
	for (size_t i = 0; i < wish->keys.n; i++) {
		ioasid__v1__space_wish__labels_entry__init(&wish->labels[i]);
		wish->labels[i].key = wish->keys.items[i];
		wish->labels[i].value = wish->values.items[i];
		wish->label_pointers[i] = &wish->labels[i];
	}
	wish->msg.labels = wish->label_pointers;
	wish->msg.n_labels = wish->keys.n;
	return &wish->msg;
}
