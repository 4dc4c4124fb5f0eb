/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi-errors.c - at build time: the errors of methods as problem responses
 *
 * The ids that the comment of a method lists after "Errors:" become its problem
 * responses, with what every method can answer. Ids that the catalogue does not
 * have are complained about.
 */
#include <string.h>

#include "base/error.h"
#include "openapi.h"

/* What every method can answer. */
static const enum error_id common_errors[] = {
	ERROR_REQUEST_INVALID,	 ERROR_REQUEST_MALFORMED,
	ERROR_REQUEST_TOO_LARGE, ERROR_REQUEST_TOO_COMPLEX,
	ERROR_REQUEST_TOO_SLOW,	 ERROR_REQUEST_HEADERS_TOO_LARGE,
	ERROR_PERMISSION_DENIED, ERROR_LIMIT_CLIENTS,
	ERROR_LIMIT_REQUESTS,	 ERROR_DAEMON_READ_ONLY,
	ERROR_DAEMON_STOPPING,	 ERROR_DAEMON_INTERNAL,
	ERROR_DAEMON_NO_MEMORY,	 ERROR_DAEMON_UNREACHABLE,
};

/**
 * take_id() - Does a word of a comment name errors, and which?
 * @word:	Begins with it
 * @ret_size:	Its length
 *
 * "kernel.*" names all of a kind.
 */
static bool take_id(const char *word, size_t *ret_size)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz"), rest;

	if (!n || word[n] != '.')
		return false;
	rest = strspn(word + n + 1, "abcdefghijklmnopqrstuvwxyz-*");
	*ret_size = n + 1 + rest;
	return rest > 0;
}

/**
 * mark_ids() - Mark the errors that a word names
 * @word:	"device.busy" or "kernel.*"
 * @n:		Its length
 * @marks:	By enum error_id
 *
 * Return: false if the catalogue has none such.
 */
static bool mark_ids(const char *word, size_t n, bool *marks)
{
	bool found = false;

	for (unsigned int id = ERROR_NONE + 1; id < ERROR_COUNT; id++) {
		const char *name = error_kind(id)->id;

		if (word[n - 1] != '*' && strlen(name) != n)
			continue;
		if (strncmp(name, word, word[n - 1] == '*' ? n - 1 : n) != 0)
			continue;
		marks[id] = found = true;
	}
	return found;
}

/* errors_of() - See openapi.h */
void errors_of(struct contract *contract, const struct rpc *rpc,
	       bool *marks, bool *late)
{
	const char *words = words_of(&rpc->place), *operation;
	const char *at = strstr(words, "Errors:");
	size_t n;

	for (size_t i = 0; i < sizeof(common_errors) / sizeof(*common_errors);
	     i++)
		marks[common_errors[i]] = true;
	if (*rpc->route.body)
		marks[ERROR_REQUEST_CONTENT_TYPE] = true;
	if (!at)
		return;
	operation = strstr(at, "through the operation");
	for (at += strlen("Errors:"); *at; at += n) {
		n = strcspn(at, " ,;\n");
		if (take_id(at, &n) &&
		    !mark_ids(at, n, operation && at > operation ? late :
								   marks))
			complain(contract, &rpc->place,
				 "%s: the catalogue has no error '%.*s'",
				 rpc->name, (int)n, at);
		n += strspn(at + n, " .,;\n");
		if (!n)
			n = 1;
	}
}

/* put_problems() - See openapi.h */
void put_problems(json *responses, const bool *marks)
{
	for (int status = 400; status < 600; status++) {
		json *response = NULL, *ids = NULL, *all, *schema;
		const char *words = "";

		for (unsigned int id = ERROR_NONE + 1; id < ERROR_COUNT;
		     id++) {
			const struct error_kind *kind = error_kind(id);

			if (!marks[id] || kind->http != status)
				continue;
			if (!ids)
				ids = json_object_new_array();
			add_text(ids, kind->id);
			words = format("%s%s- %s: %s", words, *words ? "\n" : "",
				       kind->id, kind->meaning);
		}
		if (!ids)
			continue;
		response = put_object(responses, format("%d", status));
		put_text(response, "description", words);
		schema = put_object(
			put_object(put_object(response, "content"),
				   "application/problem+json"),
			"schema");
		all = put_list(schema, "allOf");
		json_object_array_add(all, reference("Problem"));
		schema = json_object_new_object();
		put(put_object(put_object(schema, "properties"), "id"), "enum",
		    ids);
		json_object_array_add(all, schema);
	}
}
