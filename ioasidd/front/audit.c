/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.c - a line for every change and every refusal
 */
#include "front/audit.h"

#include <pthread.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "base/log.h"

/* In ioasidd(8), too. */
#define ID_CHANGE "5b0e8f6c3c7d4a51a7d2b9c1e4f60382"
#define ID_REFUSAL "c94c1d0f7a8e4c5d9b3f26a1705be8d4"

/* Refusals that are written, a second and at once. */
#define REFUSALS_RATE 20
#define REFUSALS_BURST 200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bucket refusals;	/* guarded by lock */
static uint64_t left_out;	/* guarded by lock */

/**
 * text_of() - A field of a message that is text
 * @message:	NULL for none
 * @name:	Of the field
 *
 * Return: the text; of a list the first; NULL if there is none.
 */
static const char *text_of(const ProtobufCMessage *message, const char *name)
{
	const ProtobufCFieldDescriptor *field;
	const uint8_t *at = (const void *)message;

	if (!message)
		return NULL;
	field = protobuf_c_message_descriptor_get_field_by_name(
		message->descriptor, name);
	if (!field || field->type != PROTOBUF_C_TYPE_STRING)
		return NULL;
	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return *(char *const *)(const void *)(at + field->offset);
	if (!*(const size_t *)(const void *)(at + field->quantifier_offset))
		return NULL;
	return **(char **const *)(const void *)(at + field->offset);
}

/**
 * is_dry_run() - Was nothing to be changed?
 * @message:	The request; NULL for none
 */
static bool is_dry_run(const ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *field;
	const uint8_t *at = (const void *)message;

	if (!message)
		return false;
	field = protobuf_c_message_descriptor_get_field_by_name(
		message->descriptor, "dry_run");
	return field && field->type == PROTOBUF_C_TYPE_BOOL &&
	       *(const protobuf_c_boolean *)(const void *)(at + field->offset);
}

/**
 * is_refusal() - Is it that somebody may not, rather than that it cannot be?
 */
static bool is_refusal(enum error_id id)
{
	return id == ERROR_PERMISSION_DENIED ||
	       id == ERROR_PERMISSION_UNAUTHENTICATED ||
	       id == ERROR_PERMISSION_NATIVE_SOCKET_ONLY ||
	       id == ERROR_LEASE_NOT_CLAIMANT || id == ERROR_LIMIT_RATE ||
	       id == ERROR_LIMIT_REQUESTS || id == ERROR_LIMIT_WATCHERS;
}

/**
 * may_write() - Is there room for one more refusal?
 * @ret_left_out: How many there was none for before
 */
static bool may_write(uint64_t *ret_left_out)
{
	uint64_t wait_ns;
	bool room;

	pthread_mutex_lock(&lock);
	room = bucket_take(&refusals, REFUSALS_RATE, REFUSALS_BURST,
			   clock_mono_ns(), &wait_ns);
	*ret_left_out = left_out;
	left_out = room ? 0 : left_out + 1;
	pthread_mutex_unlock(&lock);
	return room;
}

/* or_none() - A word, or a dash for none. A name has no blank in it; what a
 * stranger calls one may.
 */
static const char *or_none(const char *word, char ret[128])
{
	if (!word || !*word)
		return "-";
	(void)str_copy(ret, 128, word); /* what is longer is no name */
	for (char *at = ret; *at; at++)
		if (*at == ' ' || *at == '=')
			*at = '?';
	return ret;
}

/* audit_record() - Write down what became of a request, if that is to be */
void audit_record(const struct method *method, bool change,
		  const struct caller *caller, const ProtobufCMessage *input,
		  const ProtobufCMessage *reply, int r,
		  const struct error *err)
{
	bool refusal = r < 0 && is_refusal(err->kind);
	char object[128], made[128], principal[128];
	const char *name = text_of(input, "name");
	uint64_t before = 0;

	if (!refusal && !change)
		return;
	if (refusal && !may_write(&before))
		return;
	if (before)
		log_event(LOG_LEVEL_NOTICE, ID_REFUSAL,
			  "audit: %llu refusals are not written here",
			  (unsigned long long)before);
	if (!name)
		name = text_of(input, "lease");
	if (!name)
		name = text_of(input, "devices");
	log_event(LOG_LEVEL_NOTICE, refusal ? ID_REFUSAL : ID_CHANGE,
		  "audit: principal=%s pid=%d via=%s method=%s object=%s outcome=%s made=%s%s",
		  or_none(caller->principal, principal),
		  (int)caller->process.pid, caller->via_api ? "api" : "native",
		  str_starts(method->name, "ioasid.v1."),
		  or_none(name, object), r < 0 ? error_kind(err->kind)->id :
						 "ok",
		  or_none(r < 0 ? NULL : text_of(reply, "name"), made),
		  is_dry_run(input) ? " dry-run=yes" : "");
}
