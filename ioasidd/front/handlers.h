/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers.h - what answers the methods; bound to them in methods.c
 *
 * Each is a method_fn, see methods.h. reads.c has those that look, changes.c
 * those that change; the others those of their names.
 */
#ifndef IOASIDD_FRONT_HANDLERS_H
#define IOASIDD_FRONT_HANDLERS_H

#include "front/methods.h"
#include "front/view.h"
#include "ops/ops.h"

int get_version(struct call *call, struct error *err);
int list_operations(struct call *call, struct error *err);
int get_operation(struct call *call, struct error *err);
int wait_operation(struct call *call, struct error *err);
int cancel_operation(struct call *call, struct error *err);
int list_devices(struct call *call, struct error *err);
int get_device(struct call *call, struct error *err);
int prepare_device(struct call *call, struct error *err);
int restore_device(struct call *call, struct error *err);
int recover_device(struct call *call, struct error *err);
int list_groups(struct call *call, struct error *err);
int get_group(struct call *call, struct error *err);
int list_iommus(struct call *call, struct error *err);
int plan_windows(struct call *call, struct error *err);
int list_leases(struct call *call, struct error *err);
int get_lease(struct call *call, struct error *err);
int create_lease(struct call *call, struct error *err);
int claim_lease(struct call *call, struct error *err);
int acknowledge_lease(struct call *call, struct error *err);
int release_lease(struct call *call, struct error *err);
int reissue_token(struct call *call, struct error *err);
int check_policy(struct call *call, struct error *err);
int list_usage(struct call *call, struct error *err);
int list_spaces(struct call *call, struct error *err);
int get_space(struct call *call, struct error *err);
int create_space(struct call *call, struct error *err);
int delete_space(struct call *call, struct error *err);
int set_windows(struct call *call, struct error *err);
int attach_device(struct call *call, struct error *err);
int detach_device(struct call *call, struct error *err);
int create_memory(struct call *call, struct error *err);
int map_memory(struct call *call, struct error *err);
int unmap_memory(struct call *call, struct error *err);
int list_mappings(struct call *call, struct error *err);
int list_page_tables(struct call *call, struct error *err);
int get_page_table(struct call *call, struct error *err);
int create_page_table(struct call *call, struct error *err);
int register_page_table(struct call *call, struct error *err);
int delete_page_table(struct call *call, struct error *err);
int bind_device_to(struct call *call, struct error *err);
int unbind_device_from(struct call *call, struct error *err);
int invalidate_page_table(struct call *call, struct error *err);
int set_dirty_tracking(struct call *call, struct error *err);
int get_dirty_bitmap(struct call *call, struct error *err);
int open_fault_queue(struct call *call, struct error *err);

/**
 * handler_name() - Check a resource name in a request
 * @collection:	What it should be of
 * @field:	Where it stood, for the words
 * @name:	What a stranger sent
 *
 * Return: 0; -EINVAL request.invalid.
 */
int handler_name(enum collection collection, const char *field,
		 const char *name, struct error *err);

/**
 * handler_reply() - Finish a call
 * @reply:	The reply; NULL if there was no memory for it
 *
 * Return: 0; -ENOMEM daemon.no-memory if the arena says so.
 */
int handler_reply(struct call *call, void *reply, struct error *err);

/**
 * handler_page() - Make a page of a list, under the lock
 * @collection:	Of what
 * @page:	What was asked for; filled
 *
 * Return: as view_page().
 */
int handler_page(struct call *call, enum collection collection,
		 struct page *page, struct error *err);

/**
 * handler_change() - Check what all changes have in common
 * @collection:	What is changed; COLLECTION_COUNT if it has no name yet
 * @change:	What was asked for; gets its fingerprint
 *
 * Return: 0; -EINVAL request.invalid; -ENOMEM.
 */
int handler_change(const struct call *call, enum collection collection,
		   struct change *change, struct error *err);

/**
 * handler_label() - Check a label's key and value
 * @before:	The labels before it, in pairs
 * @key:	At most LABEL_KEY_MAX bytes, not empty, not there yet
 * @value:	At most LABEL_VALUE_MAX bytes
 *
 * Return: 0; -EINVAL request.invalid.
 */
int handler_label(const struct strv *before, const char *key,
		  const char *value, struct error *err);

/* handler_reply_lease() - Answer with a lease as it is. */
int handler_reply_lease(struct call *call, const char *name,
			struct error *err);

/* wait_timeout_ms() - How long a request of WaitOperation wants to wait. */
uint32_t wait_timeout_ms(const ProtobufCMessage *input);

/* wait_done() - As wait_operation(), but answers also while it runs. */
int wait_done(struct call *call, struct error *err);

#endif
