/* SPDX-License-Identifier: Apache-2.0
 *
 * scalar.h - single values: text to memory and back
 *
 * Shared by what reads JSON, paths and queries. The rules are those of the
 * proto3 JSON mapping; where it leaves a choice, schema/README.md says which.
 */
#ifndef API_TRANSCODE_SCALAR_H
#define API_TRANSCODE_SCALAR_H

#include "base/arena.h"
#include "transcode/tables.h"

/**
 * enum scalar_source - How a value was written
 * @SCALAR_STRING:	A string of JSON
 * @SCALAR_NUMBER:	A number of JSON
 * @SCALAR_BOOL:	true or false
 * @SCALAR_TEXT:	In a path, a query or as the key of a map: only text
 */
enum scalar_source {
	SCALAR_STRING,
	SCALAR_NUMBER,
	SCALAR_BOOL,
	SCALAR_TEXT,
};

/**
 * struct scalar - A value as it was written
 * @source:	How
 * @text:	Decoded, valid UTF-8 without NUL
 * @size:	Of @text, bytes
 */
struct scalar {
	enum scalar_source source;
	const char *text;
	size_t size;
};

/* What scalar_read() may say of a value. */
#define WHY_MAX 160

/**
 * scalar_read() - Put a value into memory
 * @field:	What it is for: no map, and no message but Timestamp, Duration
 * @scalar:	The value
 * @arena:	For strings, bytes and messages
 * @member:	Where it goes, of the size of scalar_size()
 * @why:	On -EINVAL: what is wrong with it, WHY_MAX bytes
 *
 * Return: 0; -EINVAL; -ENOMEM if the arena gives none.
 */
int scalar_read(const struct field_type *field, const struct scalar *scalar,
		struct arena *arena, void *member, char *why);

/* scalar_size() - How many bytes a value of a field takes in its message. */
size_t scalar_size(const struct field_type *field);

/**
 * int64_read() - Read a whole number, exactly, however it is written
 * @text:	"12", "1.20e1"
 * @size:	Of @text
 * @ret:	The number
 *
 * Return: 0; -EINVAL if it is no number or not whole; -ERANGE.
 */
int int64_read(const char *text, size_t size, int64_t *ret);

/* uint64_read() - Likewise. */
int uint64_read(const char *text, size_t size, uint64_t *ret);

/* Seconds of 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
#define TIMESTAMP_MIN (-62135596800)
#define TIMESTAMP_MAX 253402300799

/* 10,000 years, as google/protobuf/duration.proto has it. */
#define DURATION_MAX 315576000000

/* timestamp_read() - Read RFC 3339. Return: 0; -EINVAL; -ERANGE. */
int timestamp_read(const char *text, size_t size, int64_t *ret_seconds,
		   int32_t *ret_nanos);

/* timestamp_write() - Write RFC 3339. Return: 0; -ERANGE. */
int timestamp_write(int64_t seconds, int32_t nanos, char *dst, size_t size);

/* duration_read() - Read "1.5s". Return: 0; -EINVAL; -ERANGE. */
int duration_read(const char *text, size_t size, int64_t *ret_seconds,
		  int32_t *ret_nanos);

/* duration_write() - Write "1.5s". Return: 0; -ERANGE. */
int duration_write(int64_t seconds, int32_t nanos, char *dst, size_t size);

#endif
