/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi-schemas.c - at build time: fields, messages, enums and problems as
 * JSON schemas
 */
#include <string.h>

#include "openapi.h"

#define ENUM_VALUES 2

/* reference() - See openapi.h */
json *reference(const char *name)
{
	json *schema = json_object_new_object();

	put_text(schema, "$ref", format("#/components/schemas/%s", name));
	return schema;
}

/* of_type() - See openapi.h */
json *of_type(const char *type, const char *form)
{
	json *schema = json_object_new_object();

	put_text(schema, "type", type);
	if (form)
		put_text(schema, "format", form);
	return schema;
}

/* of_pattern() - A schema of a string that matches a pattern. */
static json *of_pattern(const char *form, const char *pattern)
{
	json *schema = of_type("string", form);

	put_text(schema, "pattern", pattern);
	return schema;
}

/* of_message() - See openapi.h */
json *of_message(const struct contract *contract, const struct message *m)
{
	if (!strcmp(m->name, "google.protobuf.Timestamp"))
		return of_type("string", "date-time");
	if (!strcmp(m->name, "google.protobuf.Duration"))
		return of_pattern(NULL, "^-?[0-9]+(\\.[0-9]{1,9})?s$");
	return reference(short_name(contract, m->name));
}

/* of_value() - See openapi.h */
json *of_value(const struct contract *contract, const field_proto *f)
{
	json *schema;

	switch (f->type) {
	case FIELD_TYPE(DOUBLE):
		return of_type("number", "double");
	case FIELD_TYPE(FLOAT):
		return of_type("number", "float");
	case FIELD_TYPE(INT64):
	case FIELD_TYPE(SINT64):
	case FIELD_TYPE(SFIXED64):
		return of_pattern("int64", "^-?[0-9]+$");
	case FIELD_TYPE(UINT64):
	case FIELD_TYPE(FIXED64):
		return of_pattern("uint64", "^[0-9]+$");
	case FIELD_TYPE(INT32):
	case FIELD_TYPE(SINT32):
	case FIELD_TYPE(SFIXED32):
		return of_type("integer", "int32");
	case FIELD_TYPE(UINT32):
	case FIELD_TYPE(FIXED32):
		schema = of_type("integer", "uint32");
		put(schema, "minimum", json_object_new_int(0));
		put(schema, "maximum", json_object_new_int64(UINT32_MAX));
		return schema;
	case FIELD_TYPE(BOOL):
		return of_type("boolean", NULL);
	case FIELD_TYPE(BYTES):
		schema = of_type("string", NULL);
		put_text(schema, "contentEncoding", "base64");
		return schema;
	case FIELD_TYPE(ENUM):
		return reference(short_name(contract, f->type_name + 1));
	case FIELD_TYPE(MESSAGE):
		return of_message(contract, field_message(contract, f));
	case FIELD_TYPE(STRING):
	case FIELD_TYPE(GROUP):
	case _GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE_IS_INT_SIZE:
		break;
	}
	return of_type("string", NULL);
}

/* of_field() - See openapi.h */
json *of_field(const struct contract *contract, const struct message *m,
	       size_t index)
{
	struct place at = place_in(&m->place, MEMBER_FIELDS, index);
	const field_proto *f = m->proto->field[index];
	json *schema;

	if (field_is_map(contract, f)) {
		const struct message *entry = field_message(contract, f);

		schema = of_type("object", NULL);
		put(schema, "additionalProperties",
		    of_value(contract, entry->proto->field[1]));
	} else if (field_repeated(f)) {
		schema = of_type("array", NULL);
		put(schema, "items", of_value(contract, f));
	} else {
		schema = of_value(contract, f);
	}
	put_text(schema, "description", words_of(&at));
	return schema;
}

/* captured() - See openapi.h */
bool captured(const struct route *route, const char *name)
{
	for (size_t i = 0; route && i < route->n_captures; i++)
		if (!strcmp(route->captures[i].field, name))
			return true;
	return false;
}

/* of_fields() - See openapi.h */
json *of_fields(const struct contract *contract, const struct message *m,
		const struct route *route)
{
	json *schema = of_type("object", NULL), *properties;

	put_text(schema, "description", words_of(&m->place));
	properties = put_object(schema, "properties");
	for (size_t i = 0; i < m->proto->n_field; i++)
		if (!captured(route, m->proto->field[i]->name))
			put(properties, m->proto->field[i]->json_name,
			    of_field(contract, m, i));
	if (route)
		put(schema, "additionalProperties",
		    json_object_new_boolean(false));
	return schema;
}

/**
 * of_enum() - The schema of an enum: its names, each explained
 * @e:		The enum
 */
static json *of_enum(const struct enumeration *e)
{
	const char *words = words_of(&e->place);
	json *schema = of_type("string", NULL), *names;

	names = put_list(schema, "enum");
	for (size_t i = 0; i < e->proto->n_value; i++) {
		struct place at = place_in(&e->place, ENUM_VALUES, i);
		const char *name = e->proto->value[i]->name;

		add_text(names, name);
		words = format("%s\n- %s: %s", words, name, words_of(&at));
	}
	put_text(schema, "description", words);
	return schema;
}

/* is_input() - Is a message the request of a method? */
static bool is_input(const struct contract *contract, const struct message *m)
{
	for (size_t i = 0; i < contract->n_rpcs; i++)
		if (contract->rpcs[i].input == m)
			return true;
	return false;
}

/**
 * problem_schema() - The schema of an error over HTTP (RFC 9457)
 */
static json *problem_schema(void)
{
	static const char *const texts[][2] = {
		{ "type", "\"urn:ioasidd:error:\" and the id." },
		{ "title", "What the id means." },
		{ "detail", "The words for a person, of this one failure." },
		{ "instance", "The path of the request." },
		{ "id", "Stable identifier. Programs decide on this." },
		{ "object", "Resource name of what the error is about." },
		{ "remedy", "What would work." },
	};
	json *schema = of_type("object", NULL), *properties, *list, *text;

	put_text(schema, "description",
		 "What was refused or failed, what stood in the way and what would work.");
	properties = put_object(schema, "properties");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		text = of_type("string", NULL);
		put_text(text, "description", texts[i][1]);
		put(properties, texts[i][0], text);
	}
	text = of_type("integer", NULL);
	put_text(text, "description", "The HTTP status.");
	put(properties, "status", text);
	list = of_type("array", NULL);
	put(list, "items", reference("Cause"));
	put_text(list, "description", "Each thing that stands in the way.");
	put(properties, "causes", list);
	list = put_list(schema, "required");
	for (size_t i = 0; i < 3; i++)
		add_text(list, texts[i][0]);
	add_text(list, "status");
	add_text(list, "id");
	return schema;
}

/* put_schemas() - See openapi.h */
void put_schemas(const struct contract *contract, json *schemas)
{
	for (size_t i = 0; i < contract->n_enums; i++)
		if (contract->enums[i].used)
			put(schemas,
			    short_name(contract, contract->enums[i].name),
			    of_enum(&contract->enums[i]));
	for (size_t i = 0; i < contract->n_messages; i++) {
		const struct message *m = &contract->messages[i];

		if (m->used && m->own && !m->entry && !is_input(contract, m))
			put(schemas, short_name(contract, m->name),
			    of_fields(contract, m, NULL));
	}
	put(schemas, "Problem", problem_schema());
}
