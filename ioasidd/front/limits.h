/* SPDX-License-Identifier: Apache-2.0
 *
 * limits.h - what clients may have at once; see [limits] in ioasidd.conf(5)
 */
#ifndef IOASIDD_FRONT_LIMITS_H
#define IOASIDD_FRONT_LIMITS_H

#include <stdint.h>

/* The defaults. */
/* Connections in all, those of them that are kept for root, and of one uid:
 * one uid, or a few, cannot keep the others out.
 */
#define PEERS_MAX 512
#define PEERS_FOR_ROOT 64
#define PEERS_PER_UID 32
#define PEERS_OF_ROOT 256

/* Those that came by TCP, and those of them that have shown no certificate yet:
 * the network cannot keep the host's own out.
 */
#define PEERS_OF_TCP 128
#define PEERS_UNKNOWN 64

/* Requests that were not answered yet: of a connection and of a uid. What can
 * be answered at once does not count.
 */
#define REQUESTS_PER_PEER 64
#define REQUESTS_PER_UID 128
#define REQUESTS_OF_ROOT 1024

/* Changes of one uid but root's that are with workers at once; more wait for
 * them. A worker may wait for a device, and there are 32 of them for all.
 */
#define CHANGES_PER_UID 8

/* Streams of events of one uid. */
#define STREAMS_PER_UID 32

/* Requests a second of one principal, and at once after a pause. */
#define REQUESTS_RATE 1000
#define REQUESTS_BURST 2000

/**
 * struct limits - What clients may have at once
 * @clients:		Connections in all
 * @clients_for_root:	Those of them that are kept for root: one uid, or a few,
 *			cannot keep it out
 * @clients_per_uid:	Connections of one uid
 * @clients_of_root:	Of root
 * @clients_of_tcp:	That came by TCP: the network cannot keep the host's own
 *			out
 * @clients_unknown:	Of those, that have shown no certificate yet
 * @requests_per_client: Requests of a connection that were not answered yet.
 *			What can be answered at once does not count
 * @requests_per_uid:	Of a uid
 * @requests_of_root:	Of an administrator
 * @changes_per_uid:	Changes of one uid but root's that are with workers at
 *			once; more wait for them. A worker may wait for a
 *			device, and there are 32 of them for all
 * @watchers_per_uid:	Streams of events of one uid
 * @rate:		Requests a second of one principal but administrators;
 *			0 for any number
 * @burst:		As many may come at once after a pause
 */
struct limits {
	uint64_t clients;
	uint64_t clients_for_root;
	uint64_t clients_per_uid;
	uint64_t clients_of_root;
	uint64_t clients_of_tcp;
	uint64_t clients_unknown;
	uint64_t requests_per_client;
	uint64_t requests_per_uid;
	uint64_t requests_of_root;
	uint64_t changes_per_uid;
	uint64_t watchers_per_uid;
	uint64_t rate;
	uint64_t burst;
};

#define LIMITS_DEFAULT                                        \
	((struct limits){                                     \
		.clients = PEERS_MAX,                         \
		.clients_for_root = PEERS_FOR_ROOT,           \
		.clients_per_uid = PEERS_PER_UID,             \
		.clients_of_root = PEERS_OF_ROOT,             \
		.clients_of_tcp = PEERS_OF_TCP,               \
		.clients_unknown = PEERS_UNKNOWN,             \
		.requests_per_client = REQUESTS_PER_PEER,     \
		.requests_per_uid = REQUESTS_PER_UID,         \
		.requests_of_root = REQUESTS_OF_ROOT,         \
		.changes_per_uid = CHANGES_PER_UID,           \
		.watchers_per_uid = STREAMS_PER_UID,          \
		.rate = REQUESTS_RATE,                        \
		.burst = REQUESTS_BURST,                      \
	})

#endif
