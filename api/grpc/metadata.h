/* SPDX-License-Identifier: Apache-2.0
 *
 * metadata.h - what gRPC writes into headers and trailers, and how
 */
#ifndef API_GRPC_METADATA_H
#define API_GRPC_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * timeout_read() - Read a grpc-timeout
 * @text:	One to eight digits and one of H, M, S, m, u, n; not ended
 * @size:	Of @text
 * @ret_ns:	How long, nanoseconds; UINT64_MAX for what is longer than that
 *
 * Return: 0; -EINVAL.
 */
int timeout_read(const char *text, size_t size, uint64_t *ret_ns);

/**
 * content_type_is_grpc() - Is it gRPC, with protobuf in it?
 * @text:	A content-type; not ended
 * @size:	Of @text
 *
 * "application/grpc" and "application/grpc+proto" are, with parameters or
 * without; gRPC-Web and JSON are not.
 */
bool content_type_is_grpc(const char *text, size_t size);

/* percent_size() - Room for what percent_write() writes, its NUL included. */
size_t percent_size(const char *s);

/**
 * percent_write() - Encode a grpc-message
 * @s:		UTF-8
 * @dst:	Room of percent_size()
 *
 * What is not printable ASCII, and "%", becomes "%XX".
 */
void percent_write(const char *s, char *dst);

/* base64_room() - Room for what base64_write() writes, its NUL included. */
static inline size_t base64_room(size_t size)
{
	return (size + 2) / 3 * 4 + 1;
}

/**
 * base64_write() - Encode binary metadata, without padding
 * @data:	What
 * @size:	Of @data
 * @dst:	Room of base64_room()
 *
 * Return: how many characters.
 */
size_t base64_write(const uint8_t *data, size_t size, char *dst);

#endif
