/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.c - errors as HTTP and gRPC carry them
 */
#include "transcode/problem.h"

#include <string.h>

#include "base/str.h"

/**
 * put() - Write a member that is a string
 * @text:	Appended to
 * @before:	What goes before it: a comma, if it is not the first
 * @name:	Its name
 * @value:	Its value, valid UTF-8
 */
static void put(struct text *text, const char *before, const char *name,
		const char *value)
{
	text_puts(text, before);
	text_quote(text, name, strlen(name));
	text_puts(text, ":");
	text_quote(text, value, strlen(value));
}

/* remedy_of() - What would work: of this failure, or of all with its id. */
static const char *remedy_of(const struct error *error)
{
	return *error->remedy ? error->remedy :
				error_kind(error->kind)->remedy;
}

/* problem_write() - Write an error as application/problem+json */
int problem_write(const struct error *error, const char *instance,
		  struct text *text, struct error *err)
{
	const struct error_kind *kind = error_kind(error->kind);
	char type[128];
	int r;

	str_format(type, sizeof(type), "%s%s", PROBLEM_TYPE, kind->id);
	put(text, "{", "type", type);
	put(text, ",", "title", kind->meaning);
	text_format(text, ",\"status\":%d", kind->http);
	put(text, ",", "detail", error->msg);
	if (instance && str_utf8_valid(instance, strlen(instance)))
		put(text, ",", "instance", instance);
	put(text, ",", "id", kind->id);
	if (*error->object)
		put(text, ",", "object", error->object);
	put(text, ",", "remedy", remedy_of(error));
	text_puts(text, error->n_causes ? ",\"causes\":[" : "");
	for (size_t i = 0; i < error->n_causes; i++) {
		put(text, i ? ",{" : "{", "kind", error->causes[i].kind);
		put(text, ",", "name", error->causes[i].name);
		put(text, ",", "detail", error->causes[i].detail);
		text_puts(text, "}");
	}
	text_puts(text, error->n_causes ? "]}" : "}");
	r = text_error(text, err);
	return r < 0 ? r : kind->http;
}

/* status_from_error() - What a google.rpc.Status of an error carries */
void status_from_error(const struct error *error, struct status *ret)
{
	const struct error_kind *kind = error_kind(error->kind);

	*ret = (struct status){
		.code = kind->grpc,
		.message = error->msg,
		.reason = kind->id,
		.domain = STATUS_DOMAIN,
		.object = error->object,
		.remedy = remedy_of(error),
		.n_violations = error->n_causes,
	};
	for (size_t i = 0; i < error->n_causes; i++) {
		const struct error_cause *cause = &error->causes[i];

		ret->violations[i] = (struct status_violation){
			.field = str_eq(cause->kind, "field"),
			.type = cause->kind,
			.subject = cause->name,
			.description = cause->detail,
		};
	}
}
