/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers.h - what answers the methods; bound to them in methods.c
 *
 * Each is a method_fn, see methods.h. reads.c has those that look, changes.c
 * those that change; policy.c and windows.c those of their names.
 */
#ifndef IOASIDD_FRONT_HANDLERS_H
#define IOASIDD_FRONT_HANDLERS_H

#include "front/methods.h"
#include "front/view.h"

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

/* wait_timeout_ms() - How long a request of WaitOperation wants to wait. */
uint32_t wait_timeout_ms(const ProtobufCMessage *input);

/* wait_done() - As wait_operation(), but answers also while it runs. */
int wait_done(struct call *call, struct error *err);

#endif
