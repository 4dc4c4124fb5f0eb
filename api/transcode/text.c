/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c - text that grows up to a limit
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transcode/transcode.h"

/* text_deinit() - Free it */
void text_deinit(struct text *text)
{
	free(text->data);
	*text = TEXT_NULL(text->limit);
}

/* text_put() - Append bytes */
void text_put(struct text *text, const char *s, size_t size)
{
	size_t room = text->room;
	char *data;

	if (text->exceeded || text->failed)
		return;
	if (size > text->limit - text->size) {
		text->exceeded = true;
		return;
	}
	while (room <= text->size + size)
		room = room ? room * 2 : 256;
	if (room != text->room) {
		data = realloc(text->data, room);
		if (!data) {
			text->failed = true;
			return;
		}
		text->data = data;
		text->room = room;
	}
	memcpy(text->data + text->size, s, size);
	text->size += size;
	text->data[text->size] = '\0';
}

/* text_puts() - Append a string */
void text_puts(struct text *text, const char *s)
{
	text_put(text, s, strlen(s));
}

/* text_format() - Append words of less than 64 bytes */
void text_format(struct text *text, const char *fmt, ...)
{
	char words[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	text_puts(text, words);
}

/* text_quote() - Append a JSON string */
void text_quote(struct text *text, const char *s, size_t size)
{
	static const char plain[] = "\b\f\n\r\t", names[] = "bfnrt";

	text_puts(text, "\"");
	for (size_t i = 0, n; i < size; i += n) {
		unsigned char c = (unsigned char)s[i];
		const char *at;

		for (n = 0; i + n < size; n++) {
			c = (unsigned char)s[i + n];
			if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
				break;
		}
		text_put(text, s + i, n);
		if (i + n == size)
			break;
		n++;
		at = c ? strchr(plain, c) : NULL;
		if (at)
			text_format(text, "\\%c", names[at - plain]);
		else if (c == '"' || c == '\\')
			text_format(text, "\\%c", c);
		else
			text_format(text, "\\u%04x", c);
	}
	text_puts(text, "\"");
}

/* text_error() - Say why it is not whole */
int text_error(const struct text *text, struct error *err)
{
	if (text->exceeded)
		return error_set(err, -EMSGSIZE, ERROR_DAEMON_INTERNAL,
				 "the answer would have more than %zu bytes",
				 text->limit);
	if (text->failed)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the answer");
	return 0;
}
