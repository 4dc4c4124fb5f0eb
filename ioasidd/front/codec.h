/* SPDX-License-Identifier: Apache-2.0
 *
 * codec.h - packets of the native socket
 */
#ifndef IOASIDD_FRONT_CODEC_H
#define IOASIDD_FRONT_CODEC_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/wire.h"

/* The longest request or reply message, and the longest packet that carries
 * one: the Envelope needs its ids and lengths, and the name of the method.
 */
#define MESSAGE_MAX 262144
#define PACKET_MAX (MESSAGE_MAX + 4096)

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

/* packet_item() - Make the packet of one reply of a stream, packed already and
 * at most MESSAGE_MAX bytes. Return: NULL without memory.
 */
struct packet *packet_item(uint64_t id, const uint8_t *payload, size_t size);

/* packet_hello() - Make the first packet of a connection. Return: NULL without
 * memory.
 */
struct packet *packet_hello(uid_t uid, pid_t pid);

#endif
