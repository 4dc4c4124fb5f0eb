/* SPDX-License-Identifier: Apache-2.0
 *
 * codec.c - packets of the native socket
 */
#include "front/codec.h"

#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "front/contract.h"

/* codec_peek_id() - The id of a packet that could not be read */
uint64_t codec_peek_id(const uint8_t *data, size_t size)
{
	uint64_t id;

	return wire_first_number(data, size, 1, &id) ? id : 0;
}

/**
 * pack() - Make a packet of an Envelope
 * @envelope:	What it carries
 *
 * Return: the packet; NULL without memory.
 */
static struct packet *pack(const pb_envelope *envelope)
{
	size_t size = ioasid__v1__envelope__get_packed_size(envelope);
	struct packet *packet = malloc(sizeof(*packet) + size);

	if (!packet)
		return NULL;
	packet->next = NULL;
	packet->size = size;
	(void)ioasid__v1__envelope__pack(envelope, packet->data); /* = size */

	return packet;
}

/* packet_reply() - Make the packet of a reply */
int packet_reply(uint64_t id, const ProtobufCMessage *message, size_t n_fds,
		 struct packet **ret, struct error *err)
{
	Ioasid__V1__Reply reply = IOASID__V1__REPLY__INIT;
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
	size_t size = protobuf_c_message_get_packed_size(message);
	_cleanup_free_ uint8_t *payload = NULL;
	struct packet *packet;

	if (size > MESSAGE_MAX)
		return error_set(err, -EMSGSIZE, ERROR_DAEMON_INTERNAL,
				 "the %s would have %zu bytes, which is more than a packet can carry",
				 message->descriptor->short_name, size);

	payload = malloc(size ? size : 1);
	if (!payload)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the reply");
	(void)protobuf_c_message_pack(message, payload); /* = size */

	reply.payload.data = payload;
	reply.payload.len = size;
	reply.descriptors = (uint32_t)n_fds;
	envelope.id = id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_REPLY;
	envelope.reply = &reply;
	packet = pack(&envelope);
	if (!packet)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the reply");

	*ret = packet;
	return 0;
}

/* packet_error() - Make the packet of an error */
struct packet *packet_error(uint64_t id, const struct error *err)
{
	const struct error_kind *kind = error_kind(err->kind);
	pb_cause causes[ERROR_MAX_CAUSES], *list[ERROR_MAX_CAUSES];
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;
	pb_error error = IOASID__V1__ERROR__INIT;

	for (size_t i = 0; i < err->n_causes; i++) {
		ioasid__v1__cause__init(&causes[i]);
		causes[i].kind = (char *)err->causes[i].kind;
		causes[i].name = (char *)err->causes[i].name;
		causes[i].detail = (char *)err->causes[i].detail;
		list[i] = &causes[i];
	}
	error.id = (char *)kind->id;
	error.message = (char *)err->msg;
	error.object = (char *)err->object;
	error.remedy = (char *)(*err->remedy ? err->remedy : kind->remedy);
	error.n_causes = err->n_causes;
	error.causes = list;

	envelope.id = id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_ERROR;
	envelope.error = &error;
	return pack(&envelope);
}

/* packet_item() - Make the packet of one reply of a stream */
struct packet *packet_item(uint64_t id, const uint8_t *payload, size_t size)
{
	Ioasid__V1__Item item = IOASID__V1__ITEM__INIT;
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;

	item.payload.data = (uint8_t *)payload;
	item.payload.len = size;
	envelope.id = id;
	envelope.body_case = IOASID__V1__ENVELOPE__BODY_ITEM;
	envelope.item = &item;
	return pack(&envelope);
}

/* packet_hello() - Make the first packet of a connection */
struct packet *packet_hello(uid_t uid, pid_t pid)
{
	Ioasid__V1__Hello hello = IOASID__V1__HELLO__INIT;
	Ioasid__V1__Event event = IOASID__V1__EVENT__INIT;
	pb_envelope envelope = IOASID__V1__ENVELOPE__INIT;

	hello.contract = (char *)CONTRACT;
	hello.daemon = (char *)IOASIDD_VERSION;
	hello.max_packet = PACKET_MAX;
	hello.uid = uid;
	hello.pid = pid;
	event.kind_case = IOASID__V1__EVENT__KIND_HELLO;
	event.hello = &hello;

	envelope.body_case = IOASID__V1__ENVELOPE__BODY_EVENT;
	envelope.event = &event;
	return pack(&envelope);
}
