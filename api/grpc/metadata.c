/* SPDX-License-Identifier: Apache-2.0
 *
 * metadata.c - what gRPC writes into headers and trailers, and how
 */
#include "grpc/metadata.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "transcode/base64.h"

/* The most digits that a grpc-timeout may have (gRPC's PROTOCOL-HTTP2). */
#define TIMEOUT_DIGITS 8

#define GRPC_TYPE "application/grpc"

/**
 * unit_ns() - How long a unit of time is
 * @unit:	Its letter
 *
 * Return: nanoseconds; 0 if there is no such unit.
 */
static uint64_t unit_ns(char unit)
{
	switch (unit) {
	case 'H':
		return 3600000000000;
	case 'M':
		return 60000000000;
	case 'S':
		return 1000000000;
	case 'm':
		return 1000000;
	case 'u':
		return 1000;
	case 'n':
		return 1;
	default:
		return 0;
	}
}

/* timeout_read() - Read a grpc-timeout */
int timeout_read(const char *text, size_t size, uint64_t *ret_ns)
{
	uint64_t number = 0, unit;

	if (size < 2 || size > TIMEOUT_DIGITS + 1)
		return -EINVAL;
	unit = unit_ns(text[size - 1]);
	if (!unit)
		return -EINVAL;
	for (size_t i = 0; i < size - 1; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_ns = number > UINT64_MAX / unit ? UINT64_MAX : number * unit;
	return 0;
}

/* content_type_is_grpc() - Is it gRPC, with protobuf in it? */
bool content_type_is_grpc(const char *text, size_t size)
{
	static const char proto[] = "+proto";
	size_t at = strlen(GRPC_TYPE);

	if (size < at || strncasecmp(text, GRPC_TYPE, at) != 0)
		return false;
	if (size - at >= strlen(proto) &&
	    !strncasecmp(text + at, proto, strlen(proto)))
		at += strlen(proto);
	return at == size || text[at] == ';' || text[at] == ' ';
}

/* plain() - May a byte of a grpc-message stand as it is? */
static bool plain(char c)
{
	return c >= ' ' && c <= '~' && c != '%';
}

/* percent_size() - Room for what percent_write() writes, its NUL included */
size_t percent_size(const char *s)
{
	size_t size = 1;

	for (; *s; s++)
		size += plain(*s) ? 1 : 3;
	return size;
}

/* percent_write() - Encode a grpc-message */
void percent_write(const char *s, char *dst)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *s; s++) {
		if (plain(*s)) {
			*dst++ = *s;
			continue;
		}
		*dst++ = '%';
		*dst++ = digits[(uint8_t)*s >> 4];
		*dst++ = digits[(uint8_t)*s & 15];
	}
	*dst = '\0';
}

/* base64_write() - Encode binary metadata, without padding */
size_t base64_write(const uint8_t *data, size_t size, char *dst)
{
	char *out = dst, four[4];

	for (size_t i = 0; i < size; i += 3) {
		size_t n = base64_quad(data + i, size - i, four);

		memcpy(out, four, n);
		out += n;
	}
	*out = '\0';
	return (size_t)(out - dst);
}
