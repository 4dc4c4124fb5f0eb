/* SPDX-License-Identifier: Apache-2.0
 *
 * list.c - lists that come in pages, as one
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what an array of unknown length points to. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* More objects than any host has: a daemon that sends more is broken. */
#define LIST_MAX 65536

/* An empty page with a token is allowed, but not for ever. */
#define LIST_MAX_PAGES 4096

/**
 * struct objects - The objects of a List reply, field 1
 * @n:		Where their count is
 * @items:	Where the array is
 */
struct objects {
	size_t *n;
	ProtobufCMessage ***items;
};

/**
 * objects_of() - Find the objects in a List reply
 * @reply:	The reply; by the contract its field 1 is repeated
 *
 * Return: where they are.
 */
static struct objects objects_of(ProtobufCMessage *reply)
{
	const ProtobufCFieldDescriptor *field = &reply->descriptor->fields[0];
	char *base = (char *)reply;

	return (struct objects){
		.n = (size_t *)(base + field->quantifier_offset),
		.items = (ProtobufCMessage ***)(base + field->offset),
	};
}

/**
 * objects_move() - Move a page's objects to the end of another's
 * @all:	What has been read so far
 * @page:	The next page; empty afterwards
 *
 * Return: 0; -ENOMEM; -EPROTO if there are too many.
 */
static int objects_move(ProtobufCMessage *all, ProtobufCMessage *page)
{
	struct objects to = objects_of(all);
	struct objects from = objects_of(page);
	ProtobufCMessage **items;

	if (*from.n == 0)
		return 0;
	if (*to.n + *from.n > LIST_MAX)
		return -EPROTO;
	items = realloc(*to.items, (*to.n + *from.n) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	memcpy(items + *to.n, *from.items, *from.n * sizeof(*items));
	*to.n += *from.n;
	*from.n = 0;
	*to.items = items;
	return 0;
}

/**
 * token_of() - Where a reply's next_page_token is
 * @reply:	The reply of a List method
 *
 * Return: address of the string.
 */
static char **token_of(const ProtobufCMessage *reply)
{
	return message_field(reply, "next_page_token", PROTOBUF_C_TYPE_STRING);
}

/**
 * list_rest() - Read the pages after the first
 * @all:	The first page; gets the objects of the others
 *
 * Otherwise as channel_list(); @request's page_token is left changed.
 *
 * Return: see ioasid.h.
 */
static int list_rest(struct ioasid *conn, const char *method,
		     ProtobufCMessage *request,
		     const ProtobufCMessageDescriptor *type,
		     ProtobufCMessage *all, struct ioasid_error *err)
{
	char **asked = message_field(request, "page_token",
				     PROTOBUF_C_TYPE_STRING);
	char **next = token_of(all);

	for (int pages = 0; (*next)[0]; pages++) {
		_cleanup_message_ ProtobufCMessage *page = NULL;
		char *token;
		int r;

		*asked = *next;
		r = channel_call(conn, method, request, type, &page, err);
		if (r < 0)
			return r;
		r = objects_move(all, page);
		if (r == -ENOMEM)
			return fail_set(err, r, IOASID_ERROR_MEMORY, "%m");
		if (r < 0 || pages == LIST_MAX_PAGES ||
		    str_eq(*next, *token_of(page)))
			return channel_broken(conn, "a list without an end",
					      err);
		/* Both were allocated with their replies: swap owners. */
		token = *next;
		*next = *token_of(page);
		*token_of(page) = token;
	}
	return 0;
}

/* channel_list() - See channel.h. */
int channel_list(struct ioasid *conn, const char *method,
		 ProtobufCMessage *request,
		 const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret,
		 struct ioasid_error *err)
{
	_cleanup_message_ ProtobufCMessage *all = NULL;
	char **asked = message_field(request, "page_token",
				     PROTOBUF_C_TYPE_STRING);
	char *before = *asked;
	int r;

	r = channel_call(conn, method, request, type, &all, err);
	if (r < 0)
		return r;
	r = list_rest(conn, method, request, type, all, err);
	*asked = before;
	if (r < 0)
		return r;

	*ret = TAKE_PTR(all);
	return 0;
}
