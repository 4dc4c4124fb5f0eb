/* SPDX-License-Identifier: Apache-2.0
 *
 * base64.h - bytes as text, of RFC 4648
 */
#ifndef API_TRANSCODE_BASE64_H
#define API_TRANSCODE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/**
 * base64_quad() - Write up to three bytes as four characters
 * @data:	The bytes
 * @size:	How many there are, at least 1; those after three are not read
 * @ret:	The characters, padded
 *
 * Return: how many of them are not padding.
 */
size_t base64_quad(const uint8_t *data, size_t size, char ret[4]);

/**
 * base64_read() - Read base64 of either alphabet, padded or not
 * @text:	The text
 * @size:	Of @text
 * @dst:	Room for @size / 4 * 3 + 3 bytes
 * @ret_size:	What was written
 *
 * Return: 0; -EINVAL.
 */
int base64_read(const char *text, size_t size, uint8_t *dst,
		size_t *ret_size);

#endif
