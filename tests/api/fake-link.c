/* SPDX-License-Identifier: Apache-2.0
 *
 * fake-link.c - a link with nobody behind it
 */
#include "fake-link.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ioasid/v1/common.pb-c.h"

/* Events in a round of the loop. */
#define ROUND 64

/* The longest item. */
#define ITEM_MAX 262144

/**
 * enum fate - What becomes of a call
 */
enum fate {
	FATE_REPLY,
	FATE_FAIL,
	FATE_STREAM,
	FATE_HANG,
};

/**
 * struct link_call - A call
 * @due_ns:	When something is to become of it
 * @payload:	The reply
 * @left:	Items to come; UINT64_MAX for no end
 * @item_size:	Of each; of a reply that is not kept at @payload
 * @credit:	How many may come now
 * @n:		How many have come
 * @error:	With which it fails
 */
struct link_call {
	struct link *link;
	struct link_call *next;
	const struct link_events *events;
	void *data;
	enum fate fate;
	uint64_t due_ns;
	uint8_t *payload;
	size_t size;
	uint64_t left;
	size_t item_size;
	unsigned int credit;
	uint64_t n;
	struct error error;
};

struct link {
	struct loop *loop;
	struct loop_source *timer;
	struct link_call *calls;
	size_t n_calls;
	size_t n_open;
	size_t n_cancelled;
	size_t n_early;
	unsigned int most;
	uint8_t item[ITEM_MAX];
};

static void pump(void *data);

/* fake_link_new() - Or the end of the program */
struct link *fake_link_new(struct loop *loop)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link || loop_timer(loop, pump, link, &link->timer) < 0)
		exit(1);
	link->loop = loop;
	return link;
}

/* link_free() - Let go of it */
struct link *link_free(struct link *link)
{
	if (!link)
		return NULL;
	assert(!link->calls);
	loop_unwatch(link->timer);
	free(link);
	return NULL;
}

/* fake_link_open() - How many calls are open */
size_t fake_link_open(const struct link *link)
{
	return link->n_open;
}

/* fake_link_calls() - How many there have been */
size_t fake_link_calls(const struct link *link)
{
	return link->n_calls;
}

/* rearm() - Wait for the next thing to happen. */
static void rearm(struct link *link)
{
	uint64_t first = UINT64_MAX;

	for (struct link_call *call = link->calls; call; call = call->next)
		if (call->fate != FATE_HANG && call->due_ns < first &&
		    (call->fate != FATE_STREAM || call->credit || !call->left))
			first = call->due_ns;
	loop_arm(link->timer, first == UINT64_MAX ? 0 : first);
}

/* unhang() - Take a call from its list. */
static void unhang(struct link_call *call)
{
	struct link_call **at = &call->link->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	call->link->n_open--;
}

/* forget() - Free a call. */
static void forget(struct link_call *call)
{
	free(call->payload);
	free(call);
}

/**
 * act() - Let something become of a call
 * @call:	May be gone afterwards
 * @now_ns:	Now
 *
 * Return: false if it is not time for it.
 */
static bool act(struct link_call *call, uint64_t now_ns)
{
	struct link *link = call->link;
	char number[32];
	size_t n;

	if (call->fate == FATE_HANG || call->due_ns > now_ns)
		return false;
	if (call->fate == FATE_STREAM && call->left) {
		if (!call->credit)
			return false;
		call->left -= call->left != UINT64_MAX;
		call->credit--;
		if (LINK_CREDIT - call->credit > link->most)
			link->most = LINK_CREDIT - call->credit;
		memset(link->item, '.', call->item_size);
		n = (size_t)snprintf(number, sizeof(number), "%" PRIu64 " ",
				     call->n++);
		memcpy(link->item, number,
		       n < call->item_size ? n : call->item_size);
		call->events->item(call->data, link->item, call->item_size);
		return true;
	}
	unhang(call);
	if (call->fate == FATE_FAIL)
		call->events->failed(call->data, &call->error);
	else if (call->item_size)
		call->events->reply(call->data, link->item, call->item_size);
	else
		call->events->reply(call->data, call->payload, call->size);
	forget(call);
	return true;
}

/* pump() - Let happen what is due */
static void pump(void *data)
{
	struct link *link = data;
	uint64_t now_ns = clock_mono_ns();

	for (unsigned int i = 0; i < ROUND; i++) {
		struct link_call *call = link->calls;

		while (call && !act(call, now_ns))
			call = call->next;
		if (!call)
			break;
	}
	rearm(link);
}

/* fill() - A reply of so many bytes. */
static void fill(struct link_call *call, size_t size)
{
	free(call->payload);
	call->payload = malloc(size ? size : 1);
	if (!call->payload)
		exit(1);
	memset(call->payload, '.', size);
	call->size = size;
}

/* version() - What an empty request is answered with. */
static void version(struct link_call *call)
{
	Ioasid__V1__Version message = IOASID__V1__VERSION__INIT;

	message.daemon = "fake";
	message.contract = "ioasid.v1";
	message.revision = 7;
	fill(call, ioasid__v1__version__get_packed_size(&message));
	ioasid__v1__version__pack(&message, call->payload);
}

/* fail() - Fail with an error. */
static void fail(struct link_call *call, const char *id, unsigned int n)
{
	call->fate = FATE_FAIL;
	error_fill(&call->error, -EIO, error_from_name(id),
		   "it failed: 100 %% with \303\251");
	error_object(&call->error, "devices/pci-0000-3b-00.0");
	error_remedy(&call->error, "Try something else.");
	for (unsigned int i = 0; i < n; i++) {
		char name[16];

		str_format(name, sizeof(name), "cause-%u", i);
		error_cause(&call->error, i % 2 ? "process" : "field", name,
			    "%090u", i);
	}
}

/* counts() - Reply with what has happened so far. */
static void counts(struct link_call *call)
{
	const struct link *link = call->link;
	char text[128];

	str_format(text, sizeof(text),
		   "calls=%zu open=%zu cancelled=%zu early=%zu most=%u",
		   link->n_calls, link->n_open - 1, link->n_cancelled,
		   link->n_early, link->most);
	fill(call, strlen(text));
	memcpy(call->payload, text, call->size);
}

/* decide() - What the request says that is to become of the call. */
static void decide(struct link_call *call, const char *text)
{
	char id[64] = "";
	unsigned int n = 0;
	uint64_t left = 0;
	size_t size = 0;

	if (!*text)
		version(call);
	else if (str_eq(text, "hang"))
		call->fate = FATE_HANG;
	else if (str_eq(text, "counts"))
		counts(call);
	else if (sscanf(text, "late %u ", &n) == 1)
		call->due_ns = clock_mono_ns() + n * 1000000ull;
	else if (sscanf(text, "reply %zu", &size) == 1) {
		call->size = 0;
		call->item_size = size < ITEM_MAX ? size : ITEM_MAX;
	}
	else if (sscanf(text, "fail %63s %u", id, &n) == 2)
		fail(call, id, n);
	else if (sscanf(text, "stream %" SCNu64 " %zu", &left, &size) == 2) {
		call->fate = FATE_STREAM;
		call->left = left ? left : UINT64_MAX;
		call->item_size = size < ITEM_MAX ? size : ITEM_MAX;
		call->size = 0;
	}
}

/* link_call() - Ask something */
int link_call(struct link *link, uint64_t connection,
	      const struct rpc_type *rpc, const uint8_t *payload, size_t size,
	      const struct link_events *events, void *data,
	      struct link_call **ret, struct error *err)
{
	struct link_call *call = calloc(1, sizeof(*call));
	char text[128] = "";

	if (!call)
		exit(1);
	call->link = link;
	call->events = events;
	call->data = data;
	call->due_ns = 1;
	call->credit = LINK_CREDIT;
	fill(call, size);
	if (size)
		memcpy(call->payload, payload, size);
	memcpy(text, call->payload,
	       size < sizeof(text) ? size : sizeof(text) - 1);
	call->next = link->calls;
	link->calls = call;
	link->n_calls++;
	link->n_open++;
	decide(call, text);
	rearm(link);
	*ret = call;
	return 0;
}

/* link_call_more() - One item was passed on */
void link_call_more(struct link_call *call)
{
	if (call->credit == LINK_CREDIT)
		call->link->n_early++;
	else
		call->credit++;
	rearm(call->link);
}

/* link_call_cancel() - The answer is no longer wanted */
struct link_call *link_call_cancel(struct link_call *call)
{
	if (!call)
		return NULL;
	call->link->n_cancelled++;
	unhang(call);
	rearm(call->link);
	forget(call);
	return NULL;
}
