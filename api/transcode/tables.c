/* SPDX-License-Identifier: Apache-2.0
 *
 * tables.c - looking things up in the contract
 */
#include "transcode/tables.h"

#include <string.h>

#include "base/str.h"

/**
 * is() - Is a name that is not ended the same as one that is?
 * @name:	The one that is
 * @other:	The one that is not
 * @size:	Its length
 */
static bool is(const char *name, const char *other, size_t size)
{
	return !strncmp(name, other, size) && !name[size];
}

/* contract_message() - A message by its full name */
const struct message_type *contract_message(const struct contract *contract,
					    const char *name)
{
	for (size_t i = 0; i < contract->n_messages; i++)
		if (str_eq(contract->messages[i]->name, name))
			return contract->messages[i];
	return NULL;
}

/* contract_rpc() - A method by "service/method" */
const struct rpc_type *contract_rpc(const struct contract *contract,
				    const char *name, size_t size)
{
	for (size_t i = 0; i < contract->n_rpcs; i++)
		if (is(contract->rpcs[i].name, name, size))
			return &contract->rpcs[i];
	return NULL;
}

/* field_named() - A field by its name in JSON or in the .proto */
const struct field_type *field_named(const struct message_type *type,
				       const char *name, size_t size)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (is(type->fields[i].json, name, size) ||
		    is(type->fields[i].name, name, size))
			return &type->fields[i];
	return NULL;
}

/* enum_value_named() - By name */
const struct enum_value *enum_value_named(const struct enum_type *type,
					  const char *name, size_t size)
{
	for (size_t i = 0; i < type->n_values; i++)
		if (is(type->values[i].name, name, size))
			return &type->values[i];
	return NULL;
}

/* enum_value_numbered() - By number */
const struct enum_value *enum_value_numbered(const struct enum_type *type,
					     int32_t number)
{
	for (size_t i = 0; i < type->n_values; i++)
		if (type->values[i].number == number)
			return &type->values[i];
	return NULL;
}
