/* SPDX-License-Identifier: Apache-2.0
 *
 * channel.h - a connection that calls methods with protobuf messages
 *
 * What the public functions of libioasid are made of. ioasidctl uses it
 * directly, because it shows whole objects.
 *
 * DOC: Theory of Operation
 *
 * One request is outstanding at a time; one that streams takes the connection
 * until it has ended. When anything happens that leaves in
 * doubt which answer belongs to which request, or where descriptors are, the
 * connection is closed at once: its kernel buffer takes with it what came too
 * late.
 */
#ifndef LIBIOASID_CHANNEL_H
#define LIBIOASID_CHANNEL_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "libioasid/ioasid.h"

/* The longest packet, bytes: 256 KiB of payload and its header, as in
 * schema/handover.md.
 */
#define CHANNEL_MAX_PACKET (262144 + 4096)

/* The most descriptors in a packet: an iommufd and the devices; or a container,
 * groups, of which there can be as many, and the devices.
 */
#define CHANNEL_MAX_FDS (1 + 2 * IOASID_MAX_DEVICES)

/**
 * struct ioasid - A connection
 * @fd:		The socket, not blocking; -1 once the connection is dead
 * @timeout_ms:	For each call; -1 for none
 * @last_id:	Of the newest request
 * @streaming:	It is one that streams and has not ended
 * @hello:	What the daemon said first
 * @contract:	The text behind @hello
 * @daemon:	The text behind @hello
 * @buf:	A packet that was received, CHANNEL_MAX_PACKET bytes
 */
struct ioasid {
	int fd;
	int timeout_ms;
	uint64_t last_id;
	bool streaming;
	struct ioasid_hello hello;
	char contract[64];
	char daemon[64];
	uint8_t *buf;
};

/**
 * struct channel_fds - Descriptors that came with a reply
 * @n:		How many
 * @fds:	Close-on-exec
 */
struct channel_fds {
	size_t n;
	int fds[CHANNEL_MAX_FDS];
};

/* channel_fds_close() - Close those that are there; none afterwards. */
void channel_fds_close(struct channel_fds *fds);

/**
 * channel_start() - Take a connected socket and hear the hello
 * @sock_consume:	Connected AF_UNIX SOCK_SEQPACKET socket; passes to
 *			the connection, also on failure
 * @timeout_ms:		For this and each later call; -1 for none
 * @ret:		ioasid_disconnect()
 * @err:		May be NULL
 *
 * Return: as ioasid_connect().
 */
int channel_start(int sock_consume, int timeout_ms, struct ioasid **ret,
		  struct ioasid_error *err);

/**
 * channel_call() - Call a method and wait for its answer
 * @conn:	The connection
 * @method:	"Leases/GetLease"; the package is put in front
 * @request:	The method's request message
 * @type:	Descriptor of the method's reply message
 * @ret:	The reply, validated; message_free()
 * @err:	May be NULL
 *
 * Return: see ioasid.h.
 */
int channel_call(struct ioasid *conn, const char *method,
		 const ProtobufCMessage *request,
		 const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret,
		 struct ioasid_error *err);

/**
 * channel_call_long() - Call a method that takes its time
 * @wait_ms:	What it may take on top of the connection's limit
 *
 * Otherwise as channel_call().
 *
 * Return: see ioasid.h.
 */
int channel_call_long(struct ioasid *conn, const char *method, int wait_ms,
		      const ProtobufCMessage *request,
		      const ProtobufCMessageDescriptor *type,
		      ProtobufCMessage **ret, struct ioasid_error *err);

/**
 * channel_call_fds() - Call a method whose reply carries descriptors
 * @fds:	The descriptors: as many as the reply states, none on failure
 *
 * Otherwise as channel_call().
 *
 * Return: see ioasid.h.
 */
int channel_call_fds(struct ioasid *conn, const char *method,
		     const ProtobufCMessage *request,
		     const ProtobufCMessageDescriptor *type,
		     struct channel_fds *fds, ProtobufCMessage **ret,
		     struct ioasid_error *err);

/**
 * channel_call_with() - Call a method with descriptors
 * @fds:	To be sent along; borrowed
 *
 * Otherwise as channel_call().
 *
 * Return: see ioasid.h.
 */
int channel_call_with(struct ioasid *conn, const char *method,
		      const ProtobufCMessage *request,
		      const struct channel_fds *fds,
		      const ProtobufCMessageDescriptor *type,
		      ProtobufCMessage **ret, struct ioasid_error *err);

/**
 * channel_stream() - Call a method that streams
 * @conn:	The connection; taken until the stream has ended
 *
 * Otherwise as channel_call(), but does not wait: channel_item().
 *
 * Return: see ioasid.h.
 */
int channel_stream(struct ioasid *conn, const char *method,
		   const ProtobufCMessage *request, struct ioasid_error *err);

/**
 * channel_item() - Receive the next item of a stream
 * @conn:	The connection, with a stream
 * @timeout_ms:	How long to wait for it; -1 for no limit
 * @type:	Descriptor of the method's reply message
 * @ret:	The item; message_free()
 * @err:	May be NULL; not filled for -EAGAIN
 *
 * Return: 0; -EAGAIN if there is none yet; others, see ioasid.h, with which the
 * stream has ended.
 */
int channel_item(struct ioasid *conn, int timeout_ms,
		 const ProtobufCMessageDescriptor *type,
		 ProtobufCMessage **ret, struct ioasid_error *err);

/* channel_stop() - Cancel the stream, and pass over what is on its way. Return:
 * 0, also if there is none; others, see ioasid.h.
 */
int channel_stop(struct ioasid *conn, struct ioasid_error *err);

/**
 * channel_broken() - The daemon broke the protocol: close, and say how
 * @conn:	The connection; dead afterwards
 * @what:	What it did
 * @err:	May be NULL
 *
 * Return: -EPROTO.
 */
int channel_broken(struct ioasid *conn, const char *what,
		   struct ioasid_error *err);

/**
 * channel_list() - Call a List method for all its pages
 * @conn:	The connection
 * @method:	"Devices/ListDevices"
 * @request:	Its request message, page_token empty; unchanged afterwards
 * @type:	Descriptor of the reply, whose field 1 is the objects
 * @ret:	One reply with the objects of all pages; message_free()
 * @err:	May be NULL
 *
 * Return: see ioasid.h; -EPROTO for a list that does not end.
 */
int channel_list(struct ioasid *conn, const char *method,
		 ProtobufCMessage *request,
		 const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret,
		 struct ioasid_error *err);

#endif
