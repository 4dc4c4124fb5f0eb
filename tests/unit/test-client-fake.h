/* SPDX-License-Identifier: Apache-2.0
 *
 * test-client-fake.h - the daemon's side of the native socket, for tests of
 * clients: says whatever a test wants, also what no daemon should say
 */
#ifndef TEST_CLIENT_FAKE_H
#define TEST_CLIENT_FAKE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"
#include "ioasid/v1/device.pb-c.h"
#include "ioasid/v1/envelope.pb-c.h"
#include "ioasid/v1/lease.pb-c.h"
#include "ioasid/v1/operation.pb-c.h"

#define FAKE_MAX_PACKET (262144 + 4096)

/**
 * fake_send() - Send an envelope
 *
 * Return: 0 or -errno.
 */
static inline int fake_send(int sock, const Ioasid__V1__Envelope *envelope,
			    const int *fds, size_t n_fds)
{
	size_t size = protobuf_c_message_get_packed_size(&envelope->base);
	_cleanup_free_ uint8_t *packet = malloc(size + 1);

	(void)protobuf_c_message_pack(&envelope->base, packet);
	return fd_send(sock, packet, size, fds, n_fds);
}

/**
 * fake_hello() - Say hello
 * @contract:	"ioasid.v1" from a good daemon
 *
 * Return: 0 or -errno.
 */
static inline int fake_hello(int sock, const char *contract)
{
	Ioasid__V1__Envelope envelope = IOASID__V1__ENVELOPE__INIT;
	Ioasid__V1__Event event = IOASID__V1__EVENT__INIT;
	Ioasid__V1__Hello hello = IOASID__V1__HELLO__INIT;

	hello.contract = (char *)contract;
	hello.daemon = (char *)"9.8.7";
	hello.max_packet = FAKE_MAX_PACKET;
	hello.uid = 4711;
	hello.pid = 42;
	event.kind_case = IOASID__V1__EVENT__KIND_HELLO;
	event.hello = &hello;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_EVENT;
	envelope.event = &event;
	return fake_send(sock, &envelope, NULL, 0);
}

/**
 * fake_reply_bytes() - Reply with a payload that may be none
 * @states:	How many descriptors the reply states
 *
 * Return: 0 or -errno.
 */
static inline int fake_reply_bytes(int sock, uint64_t id, const void *payload,
				   size_t size, uint32_t states, const int *fds,
				   size_t n_fds)
{
	Ioasid__V1__Envelope envelope = IOASID__V1__ENVELOPE__INIT;
	Ioasid__V1__Reply reply = IOASID__V1__REPLY__INIT;

	reply.payload.data = (uint8_t *)payload;
	reply.payload.len = size;
	reply.descriptors = states;
	envelope.id = id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_REPLY;
	envelope.reply = &reply;
	return fake_send(sock, &envelope, fds, n_fds);
}

/* fake_reply() - fake_reply_bytes() with a message. */
static inline int fake_reply(int sock, uint64_t id,
			     const ProtobufCMessage *message, uint32_t states,
			     const int *fds, size_t n_fds)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	_cleanup_free_ uint8_t *payload = malloc(size + 1);

	(void)protobuf_c_message_pack(message, payload);
	return fake_reply_bytes(sock, id, payload, size, states, fds, n_fds);
}

/* fake_error() - Answer with an error; descriptors may come along. */
static inline int fake_error(int sock, uint64_t id, Ioasid__V1__Error *error,
			     const int *fds, size_t n_fds)
{
	Ioasid__V1__Envelope envelope = IOASID__V1__ENVELOPE__INIT;

	envelope.id = id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_ERROR;
	envelope.error = error;
	return fake_send(sock, &envelope, fds, n_fds);
}

/**
 * fake_receive() - Receive a request
 * @type:	Of the request message; NULL not to read it
 * @ret_id:	The request's id
 * @method:	Gets the method, without the package; 128 bytes
 *
 * Return: the request message, or something that is not NULL without @type;
 * NULL at end of file or if it is no request.
 */
static inline void *fake_receive(int sock,
				 const ProtobufCMessageDescriptor *type,
				 uint64_t *ret_id, char *method)
{
	static uint8_t buf[FAKE_MAX_PACKET];
	const ProtobufCBinaryData *payload;
	Ioasid__V1__Envelope *envelope;
	const char *name;
	void *ret = NULL;
	ssize_t n;

	n = fd_receive(sock, buf, sizeof(buf), NULL, 0, NULL);
	if (n <= 0)
		return NULL;
	envelope = ioasid__v1__envelope__unpack(NULL, (size_t)n, buf);
	if (!envelope)
		return NULL;
	if (envelope->body_case == IOASID__V1__ENVELOPE__BODY_REQUEST) {
		name = str_starts(envelope->request->method, "ioasid.v1.");
		(void)str_copy(method, 128, name ? name : "");
		*ret_id = envelope->id;
		payload = &envelope->request->payload;
		ret = !type ? (void *)buf :
		      protobuf_c_message_unpack(type, NULL, payload->len,
						payload->data);
	}
	ioasid__v1__envelope__free_unpacked(envelope, NULL);
	return ret;
}

/* fake_device() - Fill a device of the fake host in. */
static inline void fake_device(Ioasid__V1__Device *d,
			       Ioasid__V1__PciDetails *pci, const char *name,
			       const char *bdf)
{
	ioasid__v1__device__init(d);
	ioasid__v1__pci_details__init(pci);
	d->name = (char *)name;
	d->revision = 7;
	d->etag = (char *)"e7";
	d->state = IOASID__V1__DEVICE__STATE__READY;
	d->bus = (char *)"pci";
	d->group = (char *)"groups/pci-0000-3b-00.0";
	d->driver = (char *)"vfio-pci";
	d->numa_node = 1;
	pci->bdf = (char *)bdf;
	pci->vendor = 0x1234;
	pci->device = 0x11e8;
	pci->class_ = 0x00ff00;
	d->bus_details_case = IOASID__V1__DEVICE__BUS_DETAILS_PCI;
	d->pci = pci;
}

#endif
