/* SPDX-License-Identifier: Apache-2.0
 *
 * window-spec.c - WINDOW on a command line: what a window shall be
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "ioasidctl/ctl.h"
#include "ioasidctl/window-spec.h"

/* By number. */
static const char *const purposes[] = { "any", "dma32", "ram" };
static_assert(ARRAY_SIZE(purposes) == IOASID_WINDOW_PURPOSES,
	      "name every enum ioasid_window_purpose");

/* window_number() - See window-spec.h. */
int window_number(const char *text, uint64_t *ret)
{
	return str_starts(text, "0x") ? str_u64(text, 0, UINT64_MAX, ret) :
					str_size(text, ret);
}

/**
 * read_page_sizes() - Read sizes of pages
 * @text:	"4K+2M"; cut into pieces
 * @wish:	Gets them, one bit for each
 *
 * Return: 0; -EINVAL, also for one that is no power of two or is there twice.
 */
static int read_page_sizes(char *text, Ioasid__V1__WindowWish *wish)
{
	uint64_t size;
	char *each;

	while ((each = strsep(&text, "+"))) {
		if (window_number(each, &size) < 0 || size == 0 ||
		    (size & (size - 1)) || (wish->page_sizes & size))
			return -EINVAL;
		wish->page_sizes |= size;
	}
	return 0;
}

/**
 * read_purpose() - Read what a window is for
 * @text:	The word
 * @wish:	Gets it
 *
 * Return: 0 or -EINVAL.
 */
static int read_purpose(const char *text, Ioasid__V1__WindowWish *wish)
{
	for (size_t i = 0; i < ARRAY_SIZE(purposes); i++) {
		if (str_eq(text, purposes[i])) {
			wish->purpose = (Ioasid__V1__WindowPurpose)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* The parts that a WINDOW can have, for remembering which it had. */
enum part {
	PART_SIZE,
	PART_START,
	PART_PAGE_SIZES,
	PART_PURPOSE,
	PART_AROUND,
	PARTS,
};

/* Their names, and what follows an equals sign; NULL for nothing. */
static const struct {
	const char *name;
	const char *takes;
} parts[] = {
	[PART_SIZE] = { "size", "bytes, such as 2G or 0x1000" },
	[PART_START] = { "start", "an address, such as 0x80000000 or 2G" },
	[PART_PAGE_SIZES] = { "page-sizes", "powers of two, such as 4K+2M" },
	[PART_PURPOSE] = { "purpose", "any, dma32 or ram" },
	[PART_AROUND] = { "around-reserved", NULL },
};
static_assert(ARRAY_SIZE(parts) == PARTS, "describe every enum part");

/**
 * read_value() - Read one part
 * @part:	Which
 * @value:	What is behind its equals sign; may be cut into pieces
 * @wish:	Gets it
 *
 * Return: 0 or negative errno.
 */
static int read_value(enum part part, char *value, Ioasid__V1__WindowWish *wish)
{
	switch (part) {
	case PART_SIZE:
		return window_number(value, &wish->size);
	case PART_START:
		wish->place_case = IOASID__V1__WINDOW_WISH__PLACE_START;
		return window_number(value, &wish->start);
	case PART_PAGE_SIZES:
		return read_page_sizes(value, wish);
	case PART_PURPOSE:
		return read_purpose(value, wish);
	case PART_AROUND:
		wish->around_reserved = true;
		return 0;
	case PARTS:
		break;
	}
	return -EINVAL;
}

/**
 * find_part() - The part that a name stands for
 * @name:	The name
 *
 * Return: the part; PARTS if there is none.
 */
static enum part find_part(const char *name)
{
	enum part part = PART_SIZE;

	while (part < PARTS && !str_eq(name, parts[part].name))
		part++;
	return part;
}

/**
 * read_part() - Read one part of a WINDOW
 * @text:	The WINDOW, for messages
 * @word:	The part; changed
 * @had:	One bit for each part that there was; gets this one's
 * @wish:	Gets what it says
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int read_part(const char *text, char *word, unsigned int *had,
		     Ioasid__V1__WindowWish *wish)
{
	char *value = strchr(word, '=');
	enum part part;

	if (value)
		*value++ = '\0';
	part = find_part(word);
	if (part == PARTS)
		return ctl_usage("window '%s': '%s' is none of size, start, "
				 "page-sizes, purpose and around-reserved",
				 text, word);
	if (*had & 1u << part)
		return ctl_usage("window '%s': %s is there twice", text, word);
	*had |= 1u << part;
	if (value && !parts[part].takes)
		return ctl_usage("window '%s': %s takes no value", text, word);
	if ((!value && parts[part].takes) || read_value(part, value, wish) < 0)
		return ctl_usage("window '%s': %s takes %s", text, word,
				 parts[part].takes);
	return CTL_DONE;
}

/* window_spec_parse() - See window-spec.h. */
int window_spec_parse(const char *text, Ioasid__V1__WindowWish *ret)
{
	Ioasid__V1__WindowWish wish = IOASID__V1__WINDOW_WISH__INIT;
	_cleanup_free_ char *copy = strdup(text);
	unsigned int had = 0;
	char *rest = copy;
	char *word;
	int r;

	if (!copy)
		ctl_no_memory();
	while ((word = strsep(&rest, ","))) {
		r = read_part(text, word, &had, &wish);
		if (r)
			return r;
	}
	if (!(had & 1u << PART_SIZE))
		return ctl_usage("window '%s': size is missing", text);

	*ret = wish;
	return CTL_DONE;
}

/**
 * wishes_push() - Make room for one more wish, and count it
 * @wishes:	Wishes, fewer than IOASID_MAX_WINDOWS
 *
 * Return: where it is to be.
 */
static Ioasid__V1__WindowWish *wishes_push(struct window_wishes *wishes)
{
	Ioasid__V1__WindowWish *wish = &wishes->items[wishes->n];

	ioasid__v1__window_wish__init(wish);
	wishes->pointers[wishes->n++] = wish;
	return wish;
}

/* window_wishes_add() - See window-spec.h. */
int window_wishes_add(struct window_wishes *wishes, const char *text)
{
	Ioasid__V1__WindowWish wish;
	int r;

	r = window_spec_parse(text, &wish);
	if (r)
		return r;
	if (wishes->n == IOASID_MAX_WINDOWS)
		return ctl_usage("more than %d windows", IOASID_MAX_WINDOWS);
	*wishes_push(wishes) = wish;
	return CTL_DONE;
}

/* window_wishes_keep() - See window-spec.h. */
int window_wishes_keep(struct window_wishes *wishes,
		       const Ioasid__V1__Window *window)
{
	Ioasid__V1__WindowWish *wish;

	if (wishes->n == IOASID_MAX_WINDOWS)
		return ctl_fail("the space has %d windows: more it cannot have",
				IOASID_MAX_WINDOWS);
	/* All of 64 bits has a length of 65. */
	if (window->last < window->start ||
	    window->last - window->start == UINT64_MAX)
		return ctl_fail("a window from 0x%llx to 0x%llx cannot be "
				"wished for",
				(unsigned long long)window->start,
				(unsigned long long)window->last);
	wish = wishes_push(wishes);
	wish->size = window->last - window->start + 1;
	wish->place_case = IOASID__V1__WINDOW_WISH__PLACE_START;
	wish->start = window->start;
	wish->page_sizes = window->page_sizes;
	wish->purpose = window->purpose;
	return CTL_DONE;
}

/* window_purpose_word() - See window-spec.h. */
const char *window_purpose_word(int purpose, char ret[32])
{
	if (purpose >= 0 && (size_t)purpose < ARRAY_SIZE(purposes))
		(void)str_copy(ret, 32, purposes[purpose]);
	else
		(void)str_format(ret, 32, "%d", purpose);
	return ret;
}

/* window_sizes_words() - See window-spec.h. */
const char *window_sizes_words(uint64_t page_sizes, char *ret, size_t size)
{
	size_t n = 0;
	char word[32];

	ret[0] = '\0';
	for (int bit = 0; bit < 64; bit++) {
		if (!(page_sizes & UINT64_C(1) << bit))
			continue;
		(void)str_format(ret + n, size - n, "%s%s", n ? "+" : "",
				 ctl_size(UINT64_C(1) << bit, false, word));
		n = strlen(ret);
	}
	return ret;
}
