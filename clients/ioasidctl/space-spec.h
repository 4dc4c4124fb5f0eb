/* SPDX-License-Identifier: Apache-2.0
 *
 * space-spec.h - SPACE on a command line: what a space shall be
 *
 * DOC: Theory of Operation
 *
 * "window size=2G,start=0; device 3b:00.0; label vm=one": parts with a
 * semicolon between them, in any order, any number of times; each is a word
 * and, behind a blank or an equals sign, what it is about. Without a device it
 * is for all devices of the lease; "device none" is for none.
 */
#ifndef IOASIDCTL_SPACE_SPEC_H
#define IOASIDCTL_SPACE_SPEC_H

#include "base/str.h"
#include "ioasid/v1/space.pb-c.h"
#include "ioasidctl/window-spec.h"
#include "libioasid/ioasid.h"

/* The notation, for the help of verbs. */
#define SPACE_SPEC_HELP                                                        \
	"A SPACE is parts with ; between them, any of them any number of "     \
	"times: window WINDOW;\ndevice DEVICE; label KEY=VALUE. Without a "    \
	"device it is for all devices of the lease,\nwith `device none` for "  \
	"none.\n"

/**
 * struct space_wish - A wish for a space as a request has it
 * @msg:	The wish, which points into what follows
 * @windows:	Its windows
 * @devices:	Its devices, by resource name
 * @no_device:	`none` was said
 * @keys:	Of its labels
 * @values:	Likewise
 * @labels:	The labels
 * @label_pointers: To them
 */
struct space_wish {
	Ioasid__V1__SpaceWish msg;
	struct window_wishes windows;
	struct strv devices;
	bool no_device;
	struct strv keys;
	struct strv values;
	Ioasid__V1__SpaceWish__LabelsEntry labels[IOASID_MAX_LABELS];
	Ioasid__V1__SpaceWish__LabelsEntry *label_pointers[IOASID_MAX_LABELS];
};

/* space_wish_init() - Begin with a space that promises nothing to nobody. */
void space_wish_init(struct space_wish *wish);

/* space_wish_deinit() - Free what it holds. */
void space_wish_deinit(struct space_wish *wish);

/* space_wish_window(), space_wish_device(), space_wish_label() - Add a WINDOW,
 * a DEVICE or `none`, a KEY=VALUE. Return: CTL_DONE; CTL_USAGE, and it has been
 * said why.
 */
int space_wish_window(struct space_wish *wish, const char *text);
int space_wish_device(struct space_wish *wish, const char *text);
int space_wish_label(struct space_wish *wish, const char *text);

/**
 * space_spec_parse() - Read a SPACE
 * @text:	As the head of this file says
 * @devices:	Resource names of all devices of the lease; @n_devices
 * @wish:	Initialised; gets what it says
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
int space_spec_parse(const char *text, char *const *devices, size_t n_devices,
		     struct space_wish *wish);

/**
 * space_wish_message() - The wish as a message
 * @wish:	All of it; may get no more
 *
 * Return: the message, which lives as long as @wish.
 */
Ioasid__V1__SpaceWish *space_wish_message(struct space_wish *wish);

#endif
