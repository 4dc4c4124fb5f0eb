/* SPDX-License-Identifier: Apache-2.0
 *
 * locate.h - on which line of a JSON text is what?
 *
 * json-c says of a value what it is, but not where it was. So the text is
 * walked once more when a line is wanted, which is when something is wrong with
 * it. It has been read by json-c before: what is walked here is valid JSON, and
 * nothing worse than a wrong line comes of it if it is not.
 */
#ifndef IOASIDD_KERNEL_SIM_LOCATE_H
#define IOASIDD_KERNEL_SIM_LOCATE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct locate_step - One step from an object or array into it
 * @key:	Key of an object, as it is in the text; NULL: @index is meant
 * @index:	Of an array
 */
struct locate_step {
	const char *key;
	size_t index;
};

/**
 * locate_line() - On which line is a value?
 * @text:	Valid JSON
 * @steps:	The way to it
 * @n:		How many
 *
 * Return: the line of its key or, in an array, of its first character, from 1.
 * What does not exist is taken to be where the way ends.
 */
unsigned int locate_line(const char *text, const struct locate_step *steps,
			 size_t n);

/* locate_offset() - On which line is a byte of a text? */
unsigned int locate_offset(const char *text, size_t offset);

/**
 * locate_duplicate() - Has an object the same key twice?
 * @text:	Valid JSON; deeper than 32 is not looked at
 * @ret_line:	Where the second is
 * @ret_key:	Where its name begins in @text
 * @ret_size:	How long that is
 *
 * json-c keeps the last and says nothing.
 */
bool locate_duplicate(const char *text, unsigned int *ret_line,
		      const char **ret_key, size_t *ret_size);

#endif
