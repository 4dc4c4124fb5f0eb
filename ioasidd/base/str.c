/* SPDX-License-Identifier: Apache-2.0
 *
 * str.c - strings: bounded copies, checks of what strangers send, sets of names
 */
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* str_copy() - Copy what fits */
bool str_copy(char *dst, size_t size, const char *src)
{
	size_t n = strnlen(src, size);
	bool fits = n < size;

	if (!fits)
		n = size - 1;
	memmove(dst, src, n);
	dst[n] = '\0';

	return fits;
}

/* str_format() - snprintf() that says whether all of it fitted */
bool str_format(char *dst, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(dst, size, fmt, args);
	va_end(args);

	return n >= 0 && (size_t)n < size;
}

/* str_eq() - Are two strings the same? */
bool str_eq(const char *a, const char *b)
{
	return !strcmp(a, b);
}

/* str_starts() - The rest of @s after @prefix; NULL if it does not start so */
const char *str_starts(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) ? NULL : s + n;
}

/* str_chomp() - Cut white space at the end off */
char *str_chomp(char *s)
{
	size_t n = strlen(s);

	while (n && strchr(" \t\n\v\f\r", s[n - 1]))
		n--;
	s[n] = '\0';

	return s;
}

/**
 * utf8_length() - How long is the UTF-8 character at the beginning?
 * @s:		Bytes
 * @left:	How many there are, not 0
 *
 * What the second byte may be depends on the first: that keeps out overlong
 * forms (e0, f0), surrogates (ed) and what lies beyond U+10FFFF (f4). See
 * table 3-7 of the Unicode Standard.
 *
 * Return: 1 to 4; 0 if it is none, or NUL.
 */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return s[0] ? 1 : 0;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;

	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (left < n)
		return 0;

	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;

	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;

	return n;
}

/* str_utf8_valid() - Is it UTF-8 without NUL, surrogates or overlong forms? */
bool str_utf8_valid(const void *s, size_t size)
{
	const unsigned char *p = s;

	while (size) {
		size_t n = utf8_length(p, size);

		if (!n)
			return false;
		p += n;
		size -= n;
	}

	return true;
}

/* str_clean() - Make a string fit for a line of a log and for protobuf */
char *str_clean(char *s)
{
	unsigned char *p = (unsigned char *)s;
	size_t left = strlen(s);

	while (left) {
		size_t n = utf8_length(p, left);
		/* C0 and DEL; C1, which terminals obey too */
		bool control = (n == 1 && (*p < 0x20 || *p == 0x7f)) ||
			       (n == 2 && p[0] == 0xc2 && p[1] < 0xa0);

		if (!n || control) {
			*p = '?';
			n = 1;
		}
		p += n;
		left -= n;
	}

	return s;
}

/**
 * digit() - The value of a digit
 * @c:		Character
 *
 * Return: 0 to 15; 16 if it is none.
 */
static unsigned int digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;

	return 16;
}

/**
 * number() - Read the digits at the beginning of a string
 * @s:		The string
 * @base:	10 or 16
 * @ret:	The number
 * @ret_end:	What comes after the digits
 *
 * Return: 0; -EINVAL if there is no digit; -ERANGE beyond 64 bits.
 */
static int number(const char *s, unsigned int base, uint64_t *ret,
		  const char **ret_end)
{
	const char *p = s;
	uint64_t value = 0;
	int r = 0;

	for (; digit(*p) < base; p++)
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit(*p), &value))
			r = -ERANGE;

	if (p == s)
		return -EINVAL;

	*ret_end = p;
	*ret = value;
	return r;
}

/* str_u64() - Read a whole string as a number */
int str_u64(const char *s, int base, uint64_t max, uint64_t *ret)
{
	const char *end = "";
	uint64_t value = 0;
	int r;

	if (base == 0) {
		bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');

		base = hex ? 16 : 10;
		s += hex ? 2 : 0;
	}

	r = number(s, (unsigned int)base, &value, &end);
	if (r == -EINVAL || *end)
		return -EINVAL;
	if (r < 0 || value > max)
		return -ERANGE;

	*ret = value;
	return 0;
}

/* str_size() - Read a size such as "512M" */
int str_size(const char *s, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *end = "", *unit;
	unsigned int shift = 0;
	uint64_t value = 0;
	int r;

	r = number(s, 10, &value, &end);
	if (r == -EINVAL)
		return r;

	if (*end) {
		char upper = (char)(*end & ~0x20);

		unit = strchr(units, upper);
		if (!upper || !unit || end[1])
			return -EINVAL;
		shift = 10 * (unsigned int)(unit - units + 1);
	}

	if (r < 0 || value > UINT64_MAX >> shift)
		return -ERANGE;

	*ret = value << shift;
	return 0;
}

/**
 * strv_add_consume() - Append a string that the list owns from now on
 * @v:		The list
 * @s:		Freed on failure; NULL counts as failed
 *
 * Return: 0 or -ENOMEM.
 */
static int strv_add_consume(struct strv *v, char *s)
{
	char **items;

	items = s ? reallocarray(v->items, v->n + 2, sizeof(*items)) : NULL;
	if (!items) {
		free(s);
		return -ENOMEM;
	}

	items[v->n++] = s;
	items[v->n] = NULL;
	v->items = items;

	return 0;
}

/* strv_add() - Append a copy */
int strv_add(struct strv *v, const char *s)
{
	return strv_add_consume(v, strdup(s));
}

/* strv_addf() - Append formatted words */
int strv_addf(struct strv *v, const char *fmt, ...)
{
	va_list args;
	char *s = NULL;
	int n;

	va_start(args, fmt);
	n = vasprintf(&s, fmt, args);
	va_end(args);

	return strv_add_consume(v, n < 0 ? NULL : s);
}

/* strv_copy() - Append copies of all of another list */
int strv_copy(const struct strv *from, struct strv *v)
{
	int r = 0;

	for (size_t i = 0; i < from->n && !r; i++)
		r = strv_add(v, from->items[i]);

	return r;
}

/* strv_has() - Is @s in the list? */
bool strv_has(const struct strv *v, const char *s)
{
	for (size_t i = 0; i < v->n; i++)
		if (str_eq(v->items[i], s))
			return true;

	return false;
}

/* strv_remove() - Take a string out, once */
void strv_remove(struct strv *v, const char *s)
{
	for (size_t i = 0; i < v->n; i++) {
		if (!str_eq(v->items[i], s))
			continue;
		free(v->items[i]);
		/* With the NULL at the end. */
		memmove(v->items + i, v->items + i + 1,
			(v->n-- - i) * sizeof(*v->items));
		return;
	}
}

/**
 * compare() - strcmp() for qsort(3)
 * @a:		One element
 * @b:		Another
 *
 * Return: as strcmp().
 */
static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* strv_sort() - Sort by strcmp() */
void strv_sort(struct strv *v)
{
	if (v->n)
		qsort(v->items, v->n, sizeof(*v->items), compare);
}

/* strv_deinit() - Free all; empty afterwards */
void strv_deinit(struct strv *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->items[i]);
	free(v->items);
	*v = STRV_NULL;
}
