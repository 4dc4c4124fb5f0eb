/* SPDX-License-Identifier: Apache-2.0
 *
 * events.h - changes as clients see them
 */
#ifndef IOASIDD_FRONT_EVENTS_H
#define IOASIDD_FRONT_EVENTS_H

#include "front/codec.h"
#include "model/registry.h"
#include "ops/host.h"

/* event_write() - Make the entry of an object that was changed; the observer's
 * write(), see registry.h.
 */
struct logged *event_write(void *data, struct registry *reg,
			   const struct touched *touched, const void *object);

/**
 * event_packet() - Make the packet that tells of a change
 * @reg:	The registry, locked
 * @id:		The request's
 * @entry:	The change
 * @caller:	Who is told
 * @ret:	The packet; NULL if the change is not for the caller to see
 *
 * Return: 0 or -ENOMEM.
 */
int event_packet(struct registry *reg, uint64_t id,
		 const struct logged *entry,
		 const struct caller *caller, struct packet **ret);

#endif
