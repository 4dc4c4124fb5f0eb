/* SPDX-License-Identifier: Apache-2.0
 *
 * limits.h - what clients may have at once; see [limits] in ioasidd.conf(5)
 */
#ifndef IOASIDD_FRONT_LIMITS_H
#define IOASIDD_FRONT_LIMITS_H

#include <stdint.h>

/**
 * struct limits - What clients may have at once
 * @clients:		Connections in all
 * @clients_for_root:	Those of them that are kept for root: one uid, or a few,
 *			cannot keep it out
 * @clients_per_uid:	Connections of one uid
 * @clients_of_root:	Of root
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
	uint64_t requests_per_client;
	uint64_t requests_per_uid;
	uint64_t requests_of_root;
	uint64_t changes_per_uid;
	uint64_t watchers_per_uid;
	uint64_t rate;
	uint64_t burst;
};

#define LIMITS_DEFAULT                                                        \
	((struct limits){ .clients = 512, .clients_for_root = 64,             \
			  .clients_per_uid = 32, .clients_of_root = 256,      \
			  .requests_per_client = 64, .requests_per_uid = 128, \
			  .requests_of_root = 1024, .changes_per_uid = 8,     \
			  .watchers_per_uid = 16, .rate = 1000,               \
			  .burst = 2000 })

#endif
