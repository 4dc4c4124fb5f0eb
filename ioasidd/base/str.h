/* SPDX-License-Identifier: Apache-2.0
 *
 * str.h - strings: bounded copies, checks of what strangers send, sets of names
 */
#ifndef IOASIDD_BASE_STR_H
#define IOASIDD_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline void freep(void *p)
{
	free(*(void **)p);
}

/* A local allocation that is freed when it goes out of scope. */
#define _cleanup_free_ __attribute__((cleanup(freep)))

#define TAKE_PTR(p)                           \
	({                                    \
		__typeof__(p) *_taken = &(p); \
		__typeof__(p) _p = *_taken;   \
		*_taken = NULL;               \
		_p;                           \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/**
 * str_copy() - Copy what fits
 * @dst:	Where to, always ended with a NUL
 * @size:	Room there, not 0
 * @src:	What
 *
 * Return: true if all of it fitted.
 */
bool str_copy(char *dst, size_t size, const char *src);

/**
 * str_format() - snprintf() that says whether all of it fitted
 */
bool str_format(char *dst, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* str_eq() - Are two strings the same? */
bool str_eq(const char *a, const char *b);

/* str_starts() - The rest of @s after @prefix; NULL if it does not start so. */
const char *str_starts(const char *s, const char *prefix);

/* str_chomp() - Cut white space at the end off; returns @s. */
char *str_chomp(char *s);

/**
 * str_clean() - Make a string fit for a line of a log and for protobuf
 * @s:		Text that may hold what strangers wrote; changed in place
 *
 * Each byte of a control character, and each that is not part of valid UTF-8,
 * becomes a question mark.
 *
 * Return: @s.
 */
char *str_clean(char *s);

/**
 * str_utf8_valid() - Is it UTF-8 without NUL, surrogates or overlong forms?
 * @s:		Bytes
 * @size:	How many
 */
bool str_utf8_valid(const void *s, size_t size);

/**
 * str_u64() - Read a whole string as a number
 * @s:		Digits of @base, for base 0 with 0x in front for hexadecimal;
 *		no sign, no space
 * @base:	0, 10 or 16
 * @max:	Largest value allowed
 * @ret:	The number
 *
 * Return: 0; -EINVAL if it is no number; -ERANGE if it is larger than @max.
 */
int str_u64(const char *s, int base, uint64_t max, uint64_t *ret);

/**
 * str_size() - Read a size such as "512M": bytes, or K, M, G, T of 1,024
 * @s:		Digits and at most one letter, either case
 * @ret:	Bytes
 *
 * Return: 0; -EINVAL; -ERANGE if it does not fit 64 bits.
 */
int str_size(const char *s, uint64_t *ret);

/**
 * struct strv - A list of strings that owns them
 * @items:	Ended with NULL; NULL when empty
 * @n:		How many without the NULL
 */
struct strv {
	char **items;
	size_t n;
};

#define STRV_NULL ((struct strv){ .items = NULL, .n = 0 })

/* strv_add() - Append a copy of @s. Return: 0 or -ENOMEM. */
int strv_add(struct strv *v, const char *s);

/* strv_addf() - Append formatted words. Return: 0 or -ENOMEM. */
int strv_addf(struct strv *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* strv_copy() - Append copies of all of @from. Return: 0 or -ENOMEM. */
int strv_copy(const struct strv *from, struct strv *v);

/* strv_has() - Is @s in the list? */
bool strv_has(const struct strv *v, const char *s);

/* strv_remove() - Take @s out, once; nothing if it is not there. */
void strv_remove(struct strv *v, const char *s);

/* strv_sort() - Sort by strcmp(). */
void strv_sort(struct strv *v);

/* strv_deinit() - Free all; empty afterwards. */
void strv_deinit(struct strv *v);

#define _cleanup_strv_ __attribute__((cleanup(strv_deinit)))

#endif
