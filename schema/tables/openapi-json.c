/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi-json.c - at build time: what all of the OpenAPI document is made with
 */
#include <ctype.h>
#include <string.h>

#include "openapi.h"

/* put() - See openapi.h */
void put(json *in, const char *name, json *value)
{
	json_object_object_add(in, name, value);
}

/* put_text() - See openapi.h */
void put_text(json *in, const char *name, const char *value)
{
	put(in, name, json_object_new_string(value));
}

/* put_object() - See openapi.h */
json *put_object(json *in, const char *name)
{
	json *value = json_object_new_object();

	put(in, name, value);
	return value;
}

/* put_list() - See openapi.h */
json *put_list(json *in, const char *name)
{
	json *value = json_object_new_array();

	put(in, name, value);
	return value;
}

/* add_text() - See openapi.h */
void add_text(json *list, const char *value)
{
	json_object_array_add(list, json_object_new_string(value));
}

/* words_of() - See openapi.h */
const char *words_of(const struct place *place)
{
	const char *in = place_comment(place);
	char *out, *at;

	if (!in)
		return "";
	out = at = room(strlen(in) + 1);
	for (; *in; in++) {
		if (*in == '\n' && in[1] == '\n') {
			*at++ = '\n';
			*at++ = '\n';
			in++;
		} else if (isspace((unsigned char)*in)) {
			if (at > out && !isspace((unsigned char)at[-1]))
				*at++ = ' ';
		} else {
			*at++ = *in;
		}
	}
	while (at > out && isspace((unsigned char)at[-1]))
		*--at = '\0';
	return out;
}

/* short_name() - See openapi.h */
const char *short_name(const struct contract *contract,
		       const char *name)
{
	size_t n = strlen(contract->package);

	if (!strncmp(name, contract->package, n) && name[n] == '.')
		return name + n + 1;
	return name;
}
