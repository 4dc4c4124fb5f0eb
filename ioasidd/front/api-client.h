/* SPDX-License-Identifier: Apache-2.0
 *
 * api-client.h - one connection of ioasid-api
 */
#ifndef IOASIDD_FRONT_API_CLIENT_H
#define IOASIDD_FRONT_API_CLIENT_H

#include "front/api-wire.h"
#include "front/server.h"

struct api_client;

/**
 * struct api_clients - All of one link; loop thread only
 * @front:	Answers them; fixed
 * @ceiling:	What they can be at most; fixed
 * @wire:	To ioasid-api; NULL while there is none, and no client then
 * @first:	The newest
 * @given:	The last number that was given; never given again
 */
struct api_clients {
	struct front *front;
	enum role ceiling;
	struct api_wire *wire;
	struct api_client *first;
	uint64_t given;
};

/**
 * api_client_accept_consume() - Somebody has connected
 * @clients:	There is a wire
 * @fd:		The connection; closed if there is no room
 * @tcp:	By TCP
 */
void api_client_accept_consume(struct api_clients *clients, int fd, bool tcp);

/* api_client_find() - Whose number it is. Return: NULL if that is nobody's. */
struct api_client *api_client_find(const struct api_clients *clients,
				   uint64_t number);

/* api_client_envelope() - It asks something. */
void api_client_envelope(struct api_client *client, const uint8_t *data,
			 size_t size);

/**
 * api_client_certificate() - ioasid-api says whose certificate it has
 *
 * One who cannot be known by it is closed.
 *
 * Return: 0; -EPROTO if ioasid-api may not say so.
 */
int api_client_certificate(struct api_client *client,
			   const Ioasid__V1__LinkCertificate *certificate);

/* api_client_credit() - It takes more of a stream. */
void api_client_credit(struct api_client *client,
		       const Ioasid__V1__LinkCredit *credit);

/**
 * api_client_close() - End it
 * @reason:	What ioasid-api is told; NULL if it said so itself
 */
void api_client_close(struct api_client *client, const char *reason);

/* api_clients_close() - End all of them; there is nobody to be told. */
void api_clients_close(struct api_clients *clients);

#endif
