/* SPDX-License-Identifier: Apache-2.0
 *
 * wish.h - windows and spaces that a caller needs, as requests have them
 */
#ifndef LIBIOASID_WISH_H
#define LIBIOASID_WISH_H

#include "ioasid/v1/space.pb-c.h"
#include "libioasid/ioasid.h"

/**
 * struct wish_windows - Wishes for windows
 * @items:	The wishes
 * @pointers:	To them: the request's member
 */
struct wish_windows {
	Ioasid__V1__WindowWish items[IOASID_MAX_WINDOWS];
	Ioasid__V1__WindowWish *pointers[IOASID_MAX_WINDOWS];
};

/**
 * struct wish_space - A wish for a space
 * @msg:	The wish, which points into what follows
 * @windows:	Its windows
 * @labels:	Its labels
 * @label_pointers: To them
 */
struct wish_space {
	Ioasid__V1__SpaceWish msg;
	struct wish_windows windows;
	Ioasid__V1__SpaceWish__LabelsEntry labels[IOASID_MAX_LABELS];
	Ioasid__V1__SpaceWish__LabelsEntry *label_pointers[IOASID_MAX_LABELS];
};

/**
 * wish_windows_fill() - Turn wishes for windows into messages
 * @wishes:	The wishes
 * @n:		How many
 * @ret:	The messages
 * @err:	May be NULL
 *
 * Return: 0; -EINVAL if there are more than IOASID_MAX_WINDOWS.
 */
int wish_windows_fill(const struct ioasid_window_wish *wishes, size_t n,
		      struct wish_windows *ret, struct ioasid_error *err);

/**
 * wish_space_fill() - Turn a wish for a space into a message
 * @wish:	The wish, which has to live as long as the message
 * @ret:	The message; stays where it is
 * @err:	May be NULL
 *
 * Return: 0; -EINVAL if something in it is more than can be.
 */
int wish_space_fill(const struct ioasid_space_wish *wish,
		    struct wish_space *ret, struct ioasid_error *err);

/* wish_terms() - Say on which terms a change is to be made, in a request that has
 * etag, request_id and dry_run; NULL for none.
 */
void wish_terms(const ProtobufCMessage *request,
		const struct ioasid_terms *terms);

#endif
