/* SPDX-License-Identifier: Apache-2.0
 *
 * scalar.c - single values: text to memory
 */
#include "transcode/scalar.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "transcode/base64.h"
#include "transcode/json.h"

/* As many digits as the largest 64-bit number has, and one too many. */
#define DIGITS_MAX 21

/* An exponent beyond this makes nothing but zero or too much of any text. */
#define EXPONENT_MAX 1000000

/* A number as text for strtod(3); of a longer one the rest would not count. */
#define NUMBER_MAX 512

/**
 * wrong() - Say what is wrong with a value
 * @why:	WHY_MAX bytes
 * @fmt:	The words
 *
 * Return: -EINVAL.
 */
__attribute__((format(printf, 2, 3))) static int wrong(char *why,
							const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, WHY_MAX, fmt, args);
	va_end(args);
	return -EINVAL;
}

/**
 * struct decimal - A whole number, taken apart
 * @negative:	It has a minus
 * @magnitude:	Without it
 */
struct decimal {
	bool negative;
	uint64_t magnitude;
};

/**
 * exponent_of() - Read what follows the e
 * @text:	The digits, with a sign or without
 * @end:	Of it
 */
static long exponent_of(const char *text, const char *end)
{
	bool negative = text < end && *text == '-';
	long value = 0;

	if (text < end && (*text == '-' || *text == '+'))
		text++;
	for (; text < end && value < EXPONENT_MAX; text++)
		value = value * 10 + (*text - '0');
	return negative ? -value : value;
}

/**
 * decimal_read() - Read a number that must be whole
 * @text:	As JSON writes numbers
 * @size:	Of @text
 * @ret:	The number
 *
 * Digits are counted, not computed with: 1e19 and 9007199254740993 are what
 * they say.
 *
 * Return: 0; -EINVAL if it is no number or not whole; -ERANGE beyond 64 bits.
 */
static int decimal_read(const char *text, size_t size, struct decimal *ret)
{
	const char *end = text + size, *at = text, *point = NULL;
	uint64_t value = 0;
	long shift = 0, zeros = 0;
	bool overflow = false;

	if (!size || json_number_size(text, end) != size)
		return -EINVAL;
	if (*at == '-')
		at++;
	for (; at < end && *at != 'e' && *at != 'E'; at++) {
		if (*at == '.') {
			point = at;
			continue;
		}
		/* Zeros at the end may be behind the point: keep them back. */
		if (*at == '0') {
			zeros++;
			continue;
		}
		for (; zeros && value; zeros--)
			overflow |= __builtin_mul_overflow(value, 10, &value);
		zeros = 0;
		overflow |= __builtin_mul_overflow(value, 10, &value);
		overflow |= __builtin_add_overflow(value, (uint64_t)(*at - '0'),
						   &value);
	}
	if (point)
		shift = -(at - point - 1);
	if (at < end)
		shift += exponent_of(at + 1, end);
	*ret = (struct decimal){ *text == '-', 0 };
	if (!value && !overflow)
		return 0;
	shift += zeros;
	if (shift < 0)
		return -EINVAL;
	for (; shift && !overflow; shift--)
		overflow |= __builtin_mul_overflow(value, 10, &value);
	if (overflow)
		return -ERANGE;
	ret->magnitude = value;
	return 0;
}

/* int64_read() - Read a whole number */
int int64_read(const char *text, size_t size, int64_t *ret)
{
	struct decimal number;
	int r;

	r = decimal_read(text, size, &number);
	if (r < 0)
		return r;
	if (number.magnitude > (uint64_t)INT64_MAX + number.negative)
		return -ERANGE;
	*ret = number.negative ? (int64_t)-number.magnitude :
				 (int64_t)number.magnitude;
	return 0;
}

/* uint64_read() - Likewise */
int uint64_read(const char *text, size_t size, uint64_t *ret)
{
	struct decimal number;
	int r;

	r = decimal_read(text, size, &number);
	if (r < 0)
		return r;
	if (number.negative && number.magnitude)
		return -ERANGE;
	*ret = number.magnitude;
	return 0;
}

/**
 * read_whole() - Put a whole number into memory
 * @kind:	Which
 * @scalar:	The number
 * @member:	Where it goes
 * @why:	What is wrong with it
 */
static int read_whole(enum value_kind kind, const struct scalar *scalar,
		      void *member, char *why)
{
	bool is_signed = kind == KIND_INT32 || kind == KIND_INT64;
	bool is_long = kind == KIND_INT64 || kind == KIND_UINT64;
	uint64_t number = 0;
	int64_t negative = 0;
	int r;

	if (scalar->source == SCALAR_BOOL)
		return wrong(why, "is a boolean, not a number");
	if (is_signed)
		r = int64_read(scalar->text, scalar->size, &negative);
	else
		r = uint64_read(scalar->text, scalar->size, &number);
	if (r == -EINVAL)
		return wrong(why, "is no whole number");
	if (!r && !is_long &&
	    (is_signed ? negative < INT32_MIN || negative > INT32_MAX :
			 number > UINT32_MAX))
		r = -ERANGE;
	if (r < 0)
		return wrong(why, "is not within %s",
			     is_signed ? is_long ? "-2^63 to 2^63-1" :
						   "-2^31 to 2^31-1" :
			     is_long   ? "0 to 2^64-1" :
					 "0 to 2^32-1");
	if (is_long && is_signed)
		*(int64_t *)member = negative;
	else if (is_long)
		*(uint64_t *)member = number;
	else if (is_signed)
		*(int32_t *)member = (int32_t)negative;
	else
		*(uint32_t *)member = (uint32_t)number;
	return 0;
}

/**
 * special_of() - Is it a number that JSON has no digits for?
 * @scalar:	The text
 * @ret:	The number
 */
static bool special_of(const struct scalar *scalar, double *ret)
{
	static const struct {
		const char *name;
		double value;
	} specials[] = {
		{ "NaN", NAN },
		{ "Infinity", INFINITY },
		{ "-Infinity", -INFINITY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
		if (strlen(specials[i].name) != scalar->size ||
		    memcmp(specials[i].name, scalar->text, scalar->size) != 0)
			continue;
		*ret = specials[i].value;
		return true;
	}
	return false;
}

/**
 * read_real() - Put a number with a point into memory
 * @kind:	KIND_FLOAT or KIND_DOUBLE
 * @scalar:	The number
 * @member:	Where it goes
 * @why:	What is wrong with it
 */
static int read_real(enum value_kind kind, const struct scalar *scalar,
		     void *member, char *why)
{
	char text[NUMBER_MAX];
	double value = 0;
	const char *end;

	if (scalar->source == SCALAR_BOOL)
		return wrong(why, "is a boolean, not a number");
	if (scalar->source == SCALAR_NUMBER || !special_of(scalar, &value)) {
		end = scalar->text + scalar->size;
		if (!scalar->size ||
		    json_number_size(scalar->text, end) != scalar->size)
			return wrong(why, "is no number");
		if (scalar->size >= sizeof(text))
			return wrong(why, "has too many digits");
		memcpy(text, scalar->text, scalar->size);
		text[scalar->size] = '\0';
		value = strtod(text, NULL);
		if (isinf(value) || (kind == KIND_FLOAT && isinf((float)value)))
			return wrong(why, "is too large");
	}
	if (kind == KIND_FLOAT)
		*(float *)member = (float)value;
	else
		*(double *)member = value;
	return 0;
}

/**
 * read_bool() - Put true or false into memory
 * @scalar:	What it was
 * @member:	Where it goes
 * @why:	What is wrong with it
 */
static int read_bool(const struct scalar *scalar, void *member, char *why)
{
	bool yes = scalar->size == 4 && !memcmp(scalar->text, "true", 4);
	bool no = scalar->size == 5 && !memcmp(scalar->text, "false", 5);

	if ((scalar->source != SCALAR_BOOL &&
	     scalar->source != SCALAR_TEXT) || (!yes && !no))
		return wrong(why, "is neither true nor false");
	*(protobuf_c_boolean *)member = yes;
	return 0;
}

/**
 * read_enum() - Put the number of an enum's value into memory
 * @type:	The enum
 * @scalar:	Its name or number
 * @member:	Where it goes
 * @why:	What is wrong with it
 *
 * A number without a name is refused, as on the native socket: a request must
 * not mean less than its sender thinks.
 */
static int read_enum(const struct enum_type *type, const struct scalar *scalar,
		     void *member, char *why)
{
	const struct enum_value *value = NULL;
	int64_t number;

	if (scalar->source == SCALAR_BOOL)
		return wrong(why, "is a boolean, not a name");
	if (scalar->source != SCALAR_NUMBER)
		value = enum_value_named(type, scalar->text, scalar->size);
	if (!value && !int64_read(scalar->text, scalar->size, &number) &&
	    number >= INT32_MIN && number <= INT32_MAX)
		value = enum_value_numbered(type, (int32_t)number);
	if (!value)
		return wrong(why, "is no value of %s", type->name);
	*(int32_t *)member = value->number;
	return 0;
}

/**
 * read_string() - Copy a string
 * @scalar:	The string
 * @arena:	Where the copy goes
 * @member:	Where its address goes
 */
static int read_string(const struct scalar *scalar, struct arena *arena,
		       void *member)
{
	/* Never protobuf_c_empty_string: in a oneof that counts as not given. */
	char *copy = arena_alloc(arena, scalar->size + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, scalar->text, scalar->size);
	*(char **)member = copy;
	return 0;
}

/**
 * read_bytes() - Put bytes into memory
 * @scalar:	base64
 * @arena:	Where they go
 * @member:	Where their address goes
 * @why:	What is wrong with it
 */
static int read_bytes(const struct scalar *scalar, struct arena *arena,
		      void *member, char *why)
{
	ProtobufCBinaryData data = { 0, NULL };

	data.data = arena_alloc(arena, scalar->size / 4 * 3 + 3);
	if (!data.data)
		return -ENOMEM;
	if (base64_read(scalar->text, scalar->size, data.data, &data.len) < 0)
		return wrong(why, "is no base64");
	*(ProtobufCBinaryData *)member = data;
	return 0;
}

/**
 * read_time() - Put a Timestamp or Duration into memory
 * @type:	Which
 * @scalar:	The text
 * @arena:	Where the message goes
 * @member:	Where its address goes
 * @why:	What is wrong with it
 */
static int read_time(const struct message_type *type,
		     const struct scalar *scalar, struct arena *arena,
		     void *member, char *why)
{
	bool timestamp = type->form == FORM_TIMESTAMP;
	uint8_t *message;
	int64_t seconds;
	int32_t nanos;
	int r;

	if (timestamp)
		r = timestamp_read(scalar->text, scalar->size, &seconds,
				   &nanos);
	else
		r = duration_read(scalar->text, scalar->size, &seconds,
				  &nanos);
	if (r == -ERANGE)
		return wrong(why, "is out of range");
	if (r < 0)
		return wrong(why, timestamp ?
				     "is no time such as 2026-01-31T12:00:00Z" :
				     "is no duration such as 1.5s");
	message = arena_message(arena, type->memory);
	if (!message)
		return -ENOMEM;
	*(int64_t *)(message + type->memory->fields[0].offset) = seconds;
	*(int32_t *)(message + type->memory->fields[1].offset) = nanos;
	*(void **)member = message;
	return 0;
}

/* scalar_read() - Put a value into memory */
int scalar_read(const struct field_type *field, const struct scalar *scalar,
		struct arena *arena, void *member, char *why)
{
	switch (field->kind) {
	case KIND_BOOL:
		return read_bool(scalar, member, why);
	case KIND_INT32:
	case KIND_INT64:
	case KIND_UINT32:
	case KIND_UINT64:
		return read_whole(field->kind, scalar, member, why);
	case KIND_FLOAT:
	case KIND_DOUBLE:
		return read_real(field->kind, scalar, member, why);
	case KIND_ENUM:
		return read_enum(field->enumeration, scalar, member, why);
	case KIND_STRING:
	case KIND_BYTES:
	case KIND_MESSAGE:
		break;
	}
	if (scalar->source != SCALAR_STRING && scalar->source != SCALAR_TEXT)
		return wrong(why, "is no string");
	if (field->kind == KIND_STRING)
		return read_string(scalar, arena, member);
	if (field->kind == KIND_BYTES)
		return read_bytes(scalar, arena, member, why);
	if (field->message->form == FORM_TIMESTAMP ||
	    field->message->form == FORM_DURATION)
		return read_time(field->message, scalar, arena, member, why);
	return wrong(why, "is no object");
}

/* scalar_size() - How many bytes a value takes in its message */
size_t scalar_size(const struct field_type *field)
{
	switch (field->kind) {
	case KIND_BOOL:
		return sizeof(protobuf_c_boolean);
	case KIND_INT32:
	case KIND_UINT32:
	case KIND_ENUM:
		return sizeof(int32_t);
	case KIND_INT64:
	case KIND_UINT64:
		return sizeof(int64_t);
	case KIND_FLOAT:
		return sizeof(float);
	case KIND_DOUBLE:
		return sizeof(double);
	case KIND_STRING:
	case KIND_MESSAGE:
		return sizeof(void *);
	case KIND_BYTES:
		return sizeof(ProtobufCBinaryData);
	}
	return sizeof(void *);
}
