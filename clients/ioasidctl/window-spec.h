/* SPDX-License-Identifier: Apache-2.0
 *
 * window-spec.h - WINDOW on a command line: what a window shall be
 *
 * DOC: Theory of Operation
 *
 * "size=2G,start=0,page-sizes=4K+2M,purpose=dma32,around-reserved": parts in
 * any order, each at most once, only size must be there. Numbers are bytes:
 * decimal, with K, M, G or T of 1,024 behind, or hexadecimal with 0x in front.
 * Whether such a window can be is the daemon's to say.
 */
#ifndef IOASIDCTL_WINDOW_SPEC_H
#define IOASIDCTL_WINDOW_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "ioasid/v1/window.pb-c.h"
#include "libioasid/ioasid.h"

/* The notation, for the help of verbs. */
#define WINDOW_SPEC_HELP                                                       \
	"A WINDOW is size=SIZE[,start=ADDRESS][,page-sizes=SIZE+SIZE...]\n"    \
	"[,purpose=dma32|ram][,around-reserved]. Numbers are bytes: 4096, "    \
	"2M, 1T or 0x1000.\nWithout start it is wherever there is room; with " \
	"around-reserved what the\ndevices reserve is left out, and one "      \
	"window may become several.\n"

/**
 * struct window_wishes - Wishes as a request has them
 * @items:	The wishes
 * @pointers:	To them: the request's member
 * @n:		How many
 *
 * Points to itself: stays where it is. Nothing in it is to be freed.
 */
struct window_wishes {
	Ioasid__V1__WindowWish items[IOASID_MAX_WINDOWS];
	Ioasid__V1__WindowWish *pointers[IOASID_MAX_WINDOWS];
	size_t n;
};

/**
 * window_number() - Read an address or a size
 * @text:	"4096", "2M" or "0x1000"
 * @ret:	Bytes
 *
 * Return: 0; -EINVAL; -ERANGE if it does not fit 64 bits.
 */
int window_number(const char *text, uint64_t *ret);

/**
 * window_spec_parse() - Read a WINDOW
 * @text:	As the head of this file says
 * @ret:	The wish; nothing in it is to be freed
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
int window_spec_parse(const char *text, Ioasid__V1__WindowWish *ret);

/**
 * window_wishes_add() - Read a WINDOW and add it to others
 * @wishes:	The others
 * @text:	As the head of this file says
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why, also if there are
 * IOASID_MAX_WINDOWS already.
 */
int window_wishes_add(struct window_wishes *wishes, const char *text);

/**
 * window_wishes_keep() - Add a wish for a window that there is, as it is
 * @wishes:	Gets it
 * @window:	The window
 *
 * Return: CTL_DONE; CTL_FAILED, and it has been said why: there are
 * IOASID_MAX_WINDOWS already, or it is of a length that no wish can say.
 */
int window_wishes_keep(struct window_wishes *wishes,
		       const Ioasid__V1__Window *window);

/* window_purpose_word() - The word for a purpose; its number if it has none. */
const char *window_purpose_word(int purpose, char ret[32]);

/* window_sizes_words() - Page sizes as "4K+2M"; empty for none. */
const char *window_sizes_words(uint64_t page_sizes, char *ret, size_t size);

#endif
