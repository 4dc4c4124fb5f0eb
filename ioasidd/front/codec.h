/* SPDX-License-Identifier: Apache-2.0
 *
 * codec.h - packets of the native socket: bytes to messages and back
 *
 * DOC: Theory of Operation
 *
 * protobuf-c believes too much: it takes strings that are no UTF-8, cuts them
 * at a NUL, follows nesting without end, keeps and sends on what it does not
 * know, and takes memory as the sender wishes. So what came from a stranger is
 * read twice: codec_unpack() first walks the bytes along the descriptor of
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
#ifndef IOASIDD_FRONT_CODEC_H
#define IOASIDD_FRONT_CODEC_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/arena.h"

/* The longest request or reply message, and the longest packet that carries
 * one: the Envelope needs its ids and lengths, and the name of the method.
 */
#define MESSAGE_MAX 262144
#define PACKET_MAX (MESSAGE_MAX + 4096)

/* The longest string in a request, bytes. */
#define TEXT_MAX 1024

/* How deep messages may lie in each other; the contract has 3. */
#define NESTING_MAX 8

/**
 * codec_unpack() - Read a message that a stranger wrote
 * @type:	What it should be
 * @data:	Its bytes
 * @size:	How many
 * @arena:	Where it goes; its budget limits what reading may take
 * @ret:	The message; lives as long as the arena
 *
 * Return: 0; -EBADMSG request.malformed; -EINVAL request.invalid; -E2BIG
 * request.too-complex; -ENOMEM daemon.no-memory.
 */
int codec_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data,
		 size_t size, struct arena *arena, ProtobufCMessage **ret,
		 struct error *err);

/**
 * codec_peek_id() - The id of a packet that could not be read
 *
 * Return: the Envelope's id, if that is its first field; 0 otherwise.
 */
uint64_t codec_peek_id(const uint8_t *data, size_t size);

/**
 * struct packet - A packet to be sent; freed with free()
 * @next:	In a queue
 * @size:	Of @data, 1 to PACKET_MAX
 * @data:	One Envelope
 */
struct packet {
	struct packet *next;
	size_t size;
	uint8_t data[];
};

/**
 * packet_reply() - Make the packet of a reply
 * @id:		The request's
 * @message:	What the method answers
 * @n_fds:	How many descriptors will come along
 *
 * Return: 0; -EMSGSIZE daemon.internal if it is too long; -ENOMEM
 * daemon.no-memory.
 */
int packet_reply(uint64_t id, const ProtobufCMessage *message, size_t n_fds,
		 struct packet **ret, struct error *err);

/* packet_error() - Make the packet of an error; without a remedy of its own it
 * carries the catalogue's. @id: 0 if no request can be told. Return: NULL
 * without memory.
 */
struct packet *packet_error(uint64_t id, const struct error *err);

/* packet_hello() - Make the first packet of a connection. Return: NULL without
 * memory.
 */
struct packet *packet_hello(uid_t uid, pid_t pid);

#endif
