/* SPDX-License-Identifier: Apache-2.0
 *
 * base64.c - bytes as text, of RFC 4648
 */
#include "transcode/base64.h"

#include <errno.h>

/* base64_quad() - See base64.h */
size_t base64_quad(const uint8_t *data, size_t size, char ret[4])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = size < 3 ? size : 3, k;
	uint32_t bits = 0;

	for (k = 0; k < 3; k++)
		bits = bits << 8 | (k < n ? data[k] : 0);
	for (k = 0; k < 4; k++)
		ret[k] = k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=';
	return n + 1;
}

/* sextet() - What a character of base64 stands for; 64 if nothing. */
static unsigned int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned int)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned int)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0') + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return 64;
}

/* base64_read() - See base64.h. Bits that are left over may be anything: Google's
 * readers do not look.
 */
int base64_read(const char *text, size_t size, uint8_t *dst, size_t *ret_size)
{
	uint8_t *out = dst;
	uint32_t bits = 0;
	size_t pad = 0, n;

	while (pad < 2 && pad < size && text[size - 1 - pad] == '=')
		pad++;
	n = size - pad;
	if (n % 4 == 1 || (pad && size % 4))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		unsigned int value = sextet(text[i]);

		if (value == 64)
			return -EINVAL;
		bits = bits << 6 | value;
		if (i % 4)
			*out++ = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	*ret_size = (size_t)(out - dst);
	return 0;
}
