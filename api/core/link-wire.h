/* SPDX-License-Identifier: Apache-2.0
 *
 * link-wire.h - packets to ioasidd and from it
 *
 * Packets go out at once. When ioasidd does not read they queue; what is lost
 * is never one of them alone, but the link.
 */
#ifndef API_CORE_LINK_WIRE_H
#define API_CORE_LINK_WIRE_H

#include "base/arena.h"
#include "base/loop.h"
#include "ioasid/v1/link.pb-c.h"

typedef Ioasid__V1__LinkPacket pb_packet;

struct link_wire;

/**
 * struct link_wire_owner - What is done with packets
 * @packet:	One has come: @arena is for what is in it, @fds came with it;
 *		those that are taken over become -1. 0; -EBADMSG: it says
 *		nothing that can be, which ends the link
 * @lost:	There is no link any more; once
 */
struct link_wire_owner {
	int (*packet)(void *data, const pb_packet *packet, struct arena *arena,
		      int *fds, size_t n_fds);
	void (*lost)(void *data);
};

/* link_wire_new() - @fd is taken over on success. Return: 0 or -errno. */
int link_wire_new(struct loop *loop, int fd,
		  const struct link_wire_owner *owner, void *data,
		  struct link_wire **ret);

/* link_wire_free() - NULL is allowed. Return: NULL. */
struct link_wire *link_wire_free(struct link_wire *wire);

/* link_wire_queued() - How many bytes wait for ioasidd to read. */
size_t link_wire_queued(const struct link_wire *wire);

/**
 * link_wire_send() - Send a packet, now or when ioasidd reads again
 *
 * Return: 0; -EPIPE: the link is lost; -ENOMEM; -EMSGSIZE.
 */
int link_wire_send(struct link_wire *wire, const pb_packet *packet);

/**
 * link_wire_insist() - Send what must not be forgotten
 *
 * Without it both sides would count differently. So without memory the link,
 * and with it the process, ends: ioasidd starts another.
 */
void link_wire_insist(struct link_wire *wire, const pb_packet *packet);

#endif
