/* SPDX-License-Identifier: Apache-2.0
 *
 * calls.h - every structure of uapi.h by name, so that a case can fill it
 */
#ifndef IOASIDD_TESTS_CONFORMANCE_CALLS_H
#define IOASIDD_TESTS_CONFORMANCE_CALLS_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct field - A number in a structure
 * @name:	As uapi.h has it
 * @at:		Where, bytes
 * @width:	1 to 8 bytes
 */
struct field {
	const char *name;
	size_t at, width;
};

/**
 * struct structure - A call and its structure
 * @name:	Of the structure, without "uapi_"
 * @request:	For ioctl(2); 0 if the case says it (nr=)
 * @size:	Bytes; 0: the call has none
 * @fields:	The first one is its size
 * @n:		How many
 */
struct structure {
	const char *name;
	unsigned long request;
	size_t size;
	const struct field *fields;
	size_t n;
};

/* structure_find() - Return: NULL if there is none of that name. */
const struct structure *structure_find(const char *name);

/* field_find() - Return: NULL if there is none of that name. */
const struct field *field_find(const struct structure *structure,
			       const char *name, size_t n);

/* field_get() - The number in a structure at @data. */
uint64_t field_get(const struct field *field, const uint8_t *data);

void field_set(const struct field *field, uint8_t *data, uint64_t value);

#endif
