/* SPDX-License-Identifier: Apache-2.0
 *
 * route.c - at build time: take the path templates of google.api.http apart
 *
 * Understood is what the contract needs: literals, * for any one segment,
 * {field}, {field=} followed by segments, and a verb of our own after a colon
 * at the end.
 */
#include <stdio.h>
#include <string.h>

#include "contract.h"

/* What a literal or the name of a field may consist of. */
#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/**
 * take_word() - Read a literal or a name
 * @at:		Moved behind it
 *
 * Return: the word; NULL if there is none.
 */
static const char *take_word(const char **at)
{
	size_t n = strspn(*at, WORD);
	const char *word;

	if (!n)
		return NULL;
	word = format("%.*s", (int)n, *at);
	*at += n;
	return word;
}

/**
 * take_segment() - Read one segment, a literal or *
 * @route:	Where it goes
 * @at:		Moved behind it
 *
 * Return: NULL; what is wrong.
 */
static const char *take_segment(struct route *route, const char **at)
{
	const char *word = NULL;

	if (route->n_segments == ROUTE_SEGMENTS)
		return "has too many segments";
	if (**at == '*') {
		(*at)++;
		if (**at == '*')
			return "has a **, which is not served";
	} else {
		word = take_word(at);
		if (!word)
			return "has an empty segment, or one of odd characters";
	}
	route->segments[route->n_segments++] = word;
	return NULL;
}

/**
 * take_capture() - Read {field} or {field=segments}
 * @route:	Where it goes
 * @at:		Behind the brace; moved behind the closing one
 *
 * Return: NULL; what is wrong.
 */
static const char *take_capture(struct route *route, const char **at)
{
	const char *any = "*", *wrong;
	struct capture *capture;
	const char **in = &any;

	if (route->n_captures == ROUTE_CAPTURES)
		return "has too many captures";
	capture = &route->captures[route->n_captures++];
	capture->field = take_word(at);
	if (!capture->field)
		return "has a capture without a name";
	capture->first = route->n_segments;
	if (**at == '=') {
		(*at)++;
		in = at;
	}
	for (;;) {
		wrong = take_segment(route, in);
		if (wrong)
			return wrong;
		capture->n++;
		if (**in != '/')
			break;
		(*in)++;
	}
	if (**at != '}')
		return "has a capture that does not end";
	(*at)++;
	return NULL;
}

/* route_parse() - Take a path template apart */
const char *route_parse(struct route *route)
{
	const char *at = route->path, *wrong;

	route->custom = "";
	while (*at == '/') {
		at++;
		if (*at == '{') {
			at++;
			wrong = take_capture(route, &at);
		} else {
			wrong = take_segment(route, &at);
		}
		if (wrong)
			return wrong;
	}
	if (*at == ':') {
		at++;
		route->custom = take_word(&at);
		if (!route->custom)
			return "has a colon with nothing behind it";
	}
	if (*at || !route->n_segments)
		return "is no path template";
	return NULL;
}
