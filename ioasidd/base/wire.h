/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.h - bytes of strangers to messages
 *
 * DOC: Theory of Operation
 *
 * protobuf-c believes too much: it takes strings that are no UTF-8, cuts them
 * at a NUL, follows nesting without end, keeps and sends on what it does not
 * know, and takes memory as the sender wishes. So what came from a stranger is
 * read twice: wire_unpack() first walks the bytes along the descriptor of
 * the message, allocating nothing, and then lets protobuf-c at them, with an
 * arena that has a budget. Decided here:
 *
 * - unknown fields are passed over, as protobuf has it, and never sent on;
 * - unknown numbers of enums are refused: a request must not mean less than
 *   its sender thinks;
 * - a field that is not repeated may come once. protobuf lets the last one
 *   win, or merges; no encoder writes that, and two readers may differ on it;
 * - strings are valid UTF-8 without NUL and at most TEXT_MAX bytes.
 */
#ifndef IOASIDD_BASE_WIRE_H
#define IOASIDD_BASE_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

/* The longest string in a request, bytes. */
#define TEXT_MAX 1024

/* How deep messages may lie in each other; the contract has 3. */
#define NESTING_MAX 8

/**
 * wire_unpack() - Read a message that a stranger wrote
 * @type:	What it should be
 * @data:	Its bytes
 * @size:	How many
 * @arena:	Where it goes; its budget limits what reading may take
 * @ret:	The message; lives as long as the arena
 *
 * Return: 0; -EBADMSG request.malformed; -EINVAL request.invalid; -E2BIG
 * request.too-complex; -ENOMEM daemon.no-memory.
 */
int wire_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data,
		size_t size, struct arena *arena, ProtobufCMessage **ret,
		struct error *err);

/**
 * wire_first_number() - The number that a message begins with
 * @field:	The field's number
 * @ret:	Its value
 *
 * Return: false if the bytes begin with something else.
 */
bool wire_first_number(const uint8_t *data, size_t size, uint32_t field,
		       uint64_t *ret);

#endif
