/* SPDX-License-Identifier: Apache-2.0
 *
 * message.h - read protobuf messages that a stranger may have sent
 */
#ifndef LIBIOASID_MESSAGE_H
#define LIBIOASID_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* How much memory one packet may become once read, bytes: about 60 times the
 * longest packet, ten times what a list of real devices was seen to take.
 */
#define MESSAGE_MEMORY_MAX (16u << 20)

/**
 * message_unpack() - Read a message, within bounds
 * @type:	Its descriptor
 * @data:	The bytes
 * @size:	How many
 * @ret:	The message; end it with message_free()
 *
 * Every string in it is UTF-8 and not NULL.
 *
 * Return: 0; -EPROTO if it is no such message, takes more than
 * MESSAGE_MEMORY_MAX, or has a string that is not UTF-8; -ENOMEM.
 */
int message_unpack(const ProtobufCMessageDescriptor *type, const void *data,
		   size_t size, ProtobufCMessage **ret);

/* message_free() - Free a message; NULL is allowed; returns NULL. */
void *message_free(void *message);

/**
 * message_freep() - message_free() for _cleanup_message_
 * @message:	Address of a pointer to any unpacked message
 */
static inline void message_freep(void *message)
{
	(void)message_free(*(void **)message);
}

/* A local message that is freed when it goes out of scope. */
#define _cleanup_message_ __attribute__((cleanup(message_freep)))

/**
 * message_field() - A field of a message by its name
 * @message:	The message
 * @name:	As in the .proto
 * @type:	What type it must have
 *
 * Return: where it is; NULL if there is none of that type.
 */
void *message_field(const ProtobufCMessage *message, const char *name,
		    ProtobufCType type);

#endif
