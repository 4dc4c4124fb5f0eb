/* SPDX-License-Identifier: Apache-2.0
 *
 * limits.h - what clients of ioasid-api may do
 */
#ifndef API_CORE_LIMITS_H
#define API_CORE_LIMITS_H

#include <stdint.h>

/**
 * struct limits - Limits, as in LinkLimits, with the defaults filled in
 * @message_bytes:	The longest request message
 * @header_bytes:	The longest header list of a request
 * @streams:		Streams of one HTTP/2 connection
 * @header_timeout_ms:	For the headers of a request
 * @body_timeout_ms:	For its body
 * @idle_timeout_ms:	For a connection without requests
 * @request_memory:	For reading one request, bytes
 * @handshake_timeout_ms: For TLS
 */
struct limits {
	uint32_t message_bytes;
	uint32_t header_bytes;
	uint32_t streams;
	uint32_t header_timeout_ms;
	uint32_t body_timeout_ms;
	uint32_t idle_timeout_ms;
	uint32_t request_memory;
	uint32_t handshake_timeout_ms;
};

#define LIMITS_DEFAULT                         \
	((struct limits){                      \
		.message_bytes = 262144,       \
		.header_bytes = 16384,         \
		.streams = 128,                \
		.header_timeout_ms = 10000,    \
		.body_timeout_ms = 30000,      \
		.idle_timeout_ms = 60000,      \
		.request_memory = 1048576,     \
		.handshake_timeout_ms = 10000, \
	})

#endif
