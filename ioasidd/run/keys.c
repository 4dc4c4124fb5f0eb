/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.c - the keys of ioasidd.conf, as a table
 */
#include "run/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "model/changes.h"

#ifndef __clang__
/* gcc 12's -fanalyzer does not follow a pointer that was made of an offset. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/**
 * enum value_kind - What a value is
 * @VALUE_PATH:		A path, not relative
 * @VALUE_TEXT:		Any text
 * @VALUE_NUMBER:	A number
 * @VALUE_SIZE:		Bytes, such as 512M
 * @VALUE_TIME:		"500ms", "10s" or "2min"; kept in milliseconds
 * @VALUE_ROLE:		A role
 * @VALUE_LEVEL:	A log level
 */
enum value_kind {
	VALUE_PATH,
	VALUE_TEXT,
	VALUE_NUMBER,
	VALUE_SIZE,
	VALUE_TIME,
	VALUE_ROLE,
	VALUE_LEVEL,
};

/**
 * struct key - One key
 * @section:	Where
 * @name:	What it is called
 * @kind:	What its value is
 * @offset:	Where that goes in struct config: char *, uint64_t or enum role
 * @min:	The least of a number, size or time
 * @max:	The most
 */
struct key {
	const char *section;
	const char *name;
	enum value_kind kind;
	size_t offset;
	uint64_t min, max;
};

#define TO(member) offsetof(struct config, member)
#define MESSAGE_BYTES (256 << 10)
#define MINUTE 60000

static const struct key keys[] = {
	{ "daemon", "socket", VALUE_PATH, TO(socket), 0, 0 },
	{ "daemon", "state-dir", VALUE_PATH, TO(state_dir), 0, 0 },
	{ "daemon", "max-pinned", VALUE_SIZE, TO(max_pinned), 1, UINT64_MAX },
	{ "daemon", "history", VALUE_NUMBER, TO(history), 0, 100000 },
	{ "daemon", "changes", VALUE_NUMBER, TO(changes), 1, CHANGES_MAX },
	{ "daemon", "log-level", VALUE_LEVEL, TO(log_level), 0, 0 },

	{ "api", "ceiling", VALUE_ROLE, TO(api.ceiling), 0, 0 },
	{ "api", "socket", VALUE_PATH, TO(api.socket), 0, 0 },
	{ "api", "listen", VALUE_TEXT, TO(api.listen), 0, 0 },
	{ "api", "certificate", VALUE_PATH, TO(api.certificate), 0, 0 },
	{ "api", "key", VALUE_PATH, TO(api.key), 0, 0 },
	{ "api", "authorities", VALUE_PATH, TO(api.authorities), 0, 0 },
	{ "api", "revoked", VALUE_PATH, TO(api.revoked), 0, 0 },
	{ "api", "message-size", VALUE_SIZE, TO(api.message_bytes), 1024,
	  MESSAGE_BYTES },
	{ "api", "header-size", VALUE_SIZE, TO(api.header_bytes), 1024,
	  1 << 20 },
	{ "api", "streams", VALUE_NUMBER, TO(api.streams), 1, 4096 },
	{ "api", "header-timeout", VALUE_TIME, TO(api.header_timeout_ms), 100,
	  10 * MINUTE },
	{ "api", "body-timeout", VALUE_TIME, TO(api.body_timeout_ms), 100,
	  10 * MINUTE },
	{ "api", "idle-timeout", VALUE_TIME, TO(api.idle_timeout_ms), 100,
	  60 * MINUTE },
	{ "api", "request-memory", VALUE_SIZE, TO(api.request_memory),
	  64 << 10, 64 << 20 },
	{ "api", "handshake-timeout", VALUE_TIME,
	  TO(api.handshake_timeout_ms), 100, 10 * MINUTE },

	{ "limits", "connections", VALUE_NUMBER, TO(limits.clients), 2,
	  100000 },
	{ "limits", "connections-for-root", VALUE_NUMBER,
	  TO(limits.clients_for_root), 1, 100000 },
	{ "limits", "connections-per-uid", VALUE_NUMBER,
	  TO(limits.clients_per_uid), 1, 100000 },
	{ "limits", "connections-of-root", VALUE_NUMBER,
	  TO(limits.clients_of_root), 1, 100000 },
	{ "limits", "connections-by-tcp", VALUE_NUMBER,
	  TO(limits.clients_of_tcp), 1, 100000 },
	{ "limits", "connections-unknown", VALUE_NUMBER,
	  TO(limits.clients_unknown), 1, 100000 },
	{ "limits", "requests-per-connection", VALUE_NUMBER,
	  TO(limits.requests_per_client), 1, 100000 },
	{ "limits", "requests-per-uid", VALUE_NUMBER,
	  TO(limits.requests_per_uid), 1, 100000 },
	{ "limits", "requests-of-root", VALUE_NUMBER,
	  TO(limits.requests_of_root), 1, 100000 },
	{ "limits", "changes-per-uid", VALUE_NUMBER,
	  TO(limits.changes_per_uid), 1, 32 },
	{ "limits", "watchers-per-uid", VALUE_NUMBER,
	  TO(limits.watchers_per_uid), 1, 100000 },
	{ "limits", "requests-per-second", VALUE_NUMBER, TO(limits.rate), 0,
	  1000000 },
	{ "limits", "burst", VALUE_NUMBER, TO(limits.burst), 1, 1000000 },
};

/* refuse() - Say why a value cannot be. Return: -EINVAL. */
#define refuse(why, ...)                             \
	({                                           \
		str_format(why, 160, __VA_ARGS__);   \
		-EINVAL;                             \
	})

/* keys_section() - Is there such a section? */
bool keys_section(const char *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(keys[i].section, section))
			return true;
	return false;
}

/**
 * read_time() - Read "500ms", "10s" or "2min"
 * @value:	The words
 * @ret:	Milliseconds
 *
 * Return: 0; -EINVAL; -ERANGE.
 */
static int read_time(const char *value, uint64_t *ret)
{
	size_t n = strspn(value, "0123456789");
	const char *unit = value + n;
	uint64_t number, factor;
	char digits[24];

	factor = str_eq(unit, "ms") ? 1 : str_eq(unit, "s") ? 1000 :
		 str_eq(unit, "min") ? MINUTE : 0;
	if (!factor || !str_format(digits, sizeof(digits), "%.*s", (int)n,
				   value))
		return -EINVAL;
	if (str_u64(digits, 10, UINT64_MAX / MINUTE, &number) < 0)
		return -EINVAL;
	*ret = number * factor;
	return 0;
}

/**
 * set_number() - Take a number, size or time
 * @key:	Its key
 * @value:	The words
 * @to:		Where it goes
 * @why:	Filled if it cannot be
 */
static int set_number(const struct key *key, const char *value, uint64_t *to,
		      char *why)
{
	static const char *const forms[] = {
		[VALUE_NUMBER] = "a number",
		[VALUE_SIZE] = "a size such as 512M",
		[VALUE_TIME] = "a time such as 500ms, 10s or 2min",
	};
	uint64_t number;
	int r;

	if (key->kind == VALUE_TIME)
		r = read_time(value, &number);
	else if (key->kind == VALUE_SIZE)
		r = str_size(value, &number);
	else
		r = str_u64(value, 10, UINT64_MAX, &number);
	if (r < 0)
		return refuse(why, "%s: '%s' is not %s", key->name, value,
			      forms[key->kind]);
	if (number < key->min || number > key->max)
		return refuse(why, "%s: %" PRIu64 "%s is not within %" PRIu64
			      " and %" PRIu64, key->name, number,
			      key->kind == VALUE_TIME ? " ms" : "", key->min,
			      key->max);
	*to = number;
	return 0;
}

/**
 * set_text() - Take a path or a text
 * @key:	Its key
 * @value:	The words
 * @to:		Where it goes; NULL before
 * @why:	Filled if it cannot be
 */
static int set_text(const struct key *key, const char *value, char **to,
		    char *why)
{
	if (!*value)
		return refuse(why, "%s: the value is missing", key->name);
	if (key->kind == VALUE_PATH && value[0] != '/')
		return refuse(why, "%s: '%s' is not a path from the root",
			      key->name, value);
	*to = strdup(value);
	return *to ? 0 : -ENOMEM;
}

/**
 * set_value() - Take a value
 * @key:	Its key
 * @value:	The words
 * @to:		Where it goes
 * @why:	Filled if it cannot be
 */
static int set_value(const struct key *key, const char *value, void *to,
		     char *why)
{
	enum log_level level;

	switch (key->kind) {
	case VALUE_PATH:
	case VALUE_TEXT:
		return set_text(key, value, to, why);
	case VALUE_NUMBER:
	case VALUE_SIZE:
	case VALUE_TIME:
		return set_number(key, value, to, why);
	case VALUE_ROLE:
		if (role_from_name(value, to) < 0)
			return refuse(why, "%s: '%s' is not none, viewer, operator or admin",
				      key->name, value);
		return 0;
	case VALUE_LEVEL:
		if (log_level_from_name(value, &level) < 0)
			return refuse(why, "%s: '%s' is not error, warning, notice, info or debug",
				      key->name, value);
		*(uint64_t *)to = level;
		return 0;
	}
	return -EINVAL;
}

/* keys_set() - Take over one line of ioasidd.conf */
int keys_set(struct config *config, const char *section, const char *name,
	     const char *value, char ret_why[160])
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(keys[i].section, section) &&
		    str_eq(keys[i].name, name))
			return set_value(&keys[i], value,
					 (char *)config + keys[i].offset,
					 ret_why);
	return refuse(ret_why, "there is no key '%s' in [%s]", name, section);
}

/* keys_set_quota() - Take over one line of a quota */
int keys_set_quota(struct quota *quota, const char *name, const char *value,
		   char ret_why[160])
{
	struct key key = { "quota", name, VALUE_NUMBER, 0, 0,
			   QUOTA_AS_ALL - 1 };
	enum quota_kind kind;

	if (quota_kind_from_name(name, &kind) < 0)
		return refuse(ret_why, "there is no key '%s' in [quota]",
			      name);
	if (kind == QUOTA_PINNED)
		key.kind = VALUE_SIZE;
	if (str_eq(value, "unlimited")) {
		quota->limits[kind] = QUOTA_UNLIMITED;
		return 0;
	}
	return set_number(&key, value, &quota->limits[kind], ret_why);
}
