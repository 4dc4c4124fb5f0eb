/* SPDX-License-Identifier: Apache-2.0
 *
 * grant.c - the words of which policies are made
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/policy.h"

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what an array of unknown length points to. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* Words of one kind in one grant. */
#define TERMS_MAX 256

/**
 * struct word - One word of a list while it is taken
 * @text:	The word
 * @resolve:	See grant_set()
 * @why:	Filled if it cannot be taken; 160 bytes
 */
struct word {
	const char *text;
	int (*resolve)(const char *kind, const char *name, uint32_t *ret);
	char *why;
};

/* refuse() - Say why a word cannot be taken. Return: -EINVAL. */
#define refuse(word, ...)                               \
	({                                              \
		str_format((word)->why, 160, __VA_ARGS__); \
		-EINVAL;                                \
	})

/**
 * terms_add() - Append a term
 * @terms:	The list
 * @term:	Copied
 *
 * Return: 0; -E2BIG; -ENOMEM.
 */
static int terms_add(struct terms *terms, const struct term *term)
{
	struct term *more;
	char *text = NULL;

	if (terms->n == TERMS_MAX)
		return -E2BIG;
	if (term->text) {
		text = strdup(term->text);
		if (!text)
			return -ENOMEM;
	}
	more = reallocarray(terms->items, terms->n + 1, sizeof(*more));
	if (!more) {
		free(text);
		return -ENOMEM;
	}
	terms->items = more;
	terms->items[terms->n] = *term;
	terms->items[terms->n++].text = text;
	return 0;
}

/**
 * terms_deinit() - Free all
 */
static void terms_deinit(struct terms *terms)
{
	for (size_t i = 0; i < terms->n; i++)
		free(terms->items[i].text);
	free(terms->items);
}

/**
 * take_number() - Read a number, or the name of a user or group
 * @kind:	"uid" or "gid"
 * @text:	The number or name
 *
 * Return: 0; -EINVAL.
 */
static int take_number(const struct word *word, const char *kind,
		       const char *text, uint32_t *ret)
{
	uint64_t number;

	if (str_u64(text, 10, UINT32_MAX - 1, &number) == 0) {
		*ret = (uint32_t)number;
		return 0;
	}
	if (word->resolve && word->resolve(kind, text, ret) == 0)
		return 0;
	return refuse(word, "there is no %s '%s'", kind, text);
}

/**
 * take_who() - uid, gid, unit, uri, dns
 * @word:	The word
 * @kind:	Which
 * @key:	What it is called
 */
static int take_who(struct terms *terms, const struct word *word,
		    enum term_kind kind, const char *key)
{
	struct term term = { .kind = kind, .text = (char *)word->text };

	if (kind == TERM_UID || kind == TERM_GID) {
		term.text = NULL;
		if (take_number(word, key, word->text, &term.id) < 0)
			return -EINVAL;
	}
	if (kind == TERM_URI && !strchr(word->text, ':'))
		return refuse(word, "'%s' is no URI", word->text);
	if (kind == TERM_URI &&
	    strcspn(word->text, "*") < strlen(word->text) - 1)
		return refuse(word, "'%s': a star may only stand at the end",
			      word->text);
	if (kind == TERM_URI && strchr(word->text, '*') &&
	    !strstr(word->text, "/*"))
		return refuse(word, "'%s': a star stands after a slash",
			      word->text);
	if (kind == TERM_DNS && strchr(word->text, '*'))
		return refuse(word, "'%s': no stars in names", word->text);
	return terms_add(terms, &term);
}

/**
 * take_verb() - A permission, all of an object, or all
 */
static int take_verb(struct terms *terms, const struct word *word)
{
	const struct term term = { .kind = TERM_VERB,
				   .text = (char *)word->text };
	size_t n = strlen(word->text);
	const struct permission *p;

	if (str_eq(word->text, "*"))
		return terms_add(terms, &term);
	for (size_t i = 0; (p = permission_at(i)); i++)
		if (str_eq(p->name, word->text) ||
		    (n > 2 && str_eq(word->text + n - 2, ".*") &&
		     strncmp(p->name, word->text, n - 1) == 0))
			return terms_add(terms, &term);
	return refuse(word, "there is no verb '%s'", word->text);
}

/**
 * take_bdf() - Make a resource name of an address
 * @text:	"3b:00.0", "0000:3b:00.0"; or the name itself
 * @prefix:	"devices/" or "groups/"
 * @ret:	"devices/pci-0000-3b-00.0"
 *
 * Return: true if it is one.
 */
static bool take_bdf(const char *text, const char *prefix, char ret[NAME_SIZE])
{
	unsigned int domain = 0, bus, slot, function;
	const char *rest = str_starts(text, prefix);
	int end = -1;

	if (rest) {
		(void)sscanf(rest, "pci-%4x-%2x-%2x.%1x%n", &domain, &bus,
			     &slot, &function, &end);
		text = rest;
	} else {
		(void)sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot,
			     &function, &end);
		if (end < 0) {
			domain = 0;
			(void)sscanf(text, "%2x:%2x.%1x%n", &bus, &slot,
				     &function, &end);
		}
	}
	if (end < 0 || text[end] || slot > 31 || function > 7)
		return false;
	return str_format(ret, NAME_SIZE, "%spci-%04x-%02x-%02x.%x", prefix,
			  domain, bus, slot, function);
}

/**
 * take_id() - "8086:10c9", "8086:*"
 */
static int take_id(struct terms *terms, const struct word *word,
		   const char *text)
{
	struct term term = { .kind = TERM_ID, .other = -1 };
	uint64_t vendor, device;
	char first[8];

	if (strlen(text) < 6 || text[4] != ':')
		return refuse(word, "'%s' is not id:VENDOR:DEVICE",
			      word->text);
	(void)str_copy(first, 5, text); /* cut on purpose */
	if (str_u64(first, 16, 0xffff, &vendor) < 0)
		return refuse(word, "'%s' has no vendor", word->text);
	term.id = (uint32_t)vendor;
	if (!str_eq(text + 5, "*")) {
		if (strlen(text) != 9 ||
		    str_u64(text + 5, 16, 0xffff, &device) < 0)
			return refuse(word, "'%s' has no device", word->text);
		term.other = (int64_t)device;
	}
	return terms_add(terms, &term);
}

/**
 * take_class() - "02", "0302", "010802"
 */
static int take_class(struct terms *terms, const struct word *word,
		      const char *text)
{
	const struct term term = { .kind = TERM_CLASS, .text = (char *)text };
	size_t n = strlen(text);

	if ((n != 2 && n != 4 && n != 6) ||
	    text[strspn(text, "0123456789abcdef")])
		return refuse(word, "'%s': a class has 2, 4 or 6 digits, 0-9 and a-f",
			      word->text);
	return terms_add(terms, &term);
}

/**
 * take_numa() - "0"
 */
static int take_numa(struct terms *terms, const struct word *word,
		     const char *text)
{
	struct term term = { .kind = TERM_NUMA };
	uint64_t node;

	if (str_u64(text, 10, 1 << 20, &node) < 0)
		return refuse(word, "'%s' is not numa:NODE", word->text);
	term.other = (int64_t)node;
	return terms_add(terms, &term);
}

/**
 * take_device() - Which devices a grant is for
 */
static int take_device(struct terms *terms, const struct word *word)
{
	struct term term = { .kind = TERM_ALL };
	char name[NAME_SIZE];
	const char *rest;

	if (str_eq(word->text, "*"))
		return terms_add(terms, &term);
	rest = str_starts(word->text, "id:");
	if (rest)
		return take_id(terms, word, rest);
	rest = str_starts(word->text, "class:");
	if (rest)
		return take_class(terms, word, rest);
	rest = str_starts(word->text, "numa:");
	if (rest)
		return take_numa(terms, word, rest);
	rest = str_starts(word->text, "label:");
	if (rest) {
		term.kind = TERM_LABEL;
		term.text = (char *)rest;
		if (*rest == '=' || !strchr(rest, '='))
			return refuse(word, "'%s' is not label:KEY=VALUE",
				      word->text);
		return terms_add(terms, &term);
	}
	term.text = name;
	term.kind = TERM_GROUP;
	rest = str_starts(word->text, "group:");
	if (take_bdf(rest ? rest : word->text, "groups/", name) &&
	    (rest || str_starts(word->text, "groups/")))
		return terms_add(terms, &term);
	term.kind = TERM_DEVICE;
	if (!rest && take_bdf(word->text, "devices/", name))
		return terms_add(terms, &term);
	return refuse(word, "'%s' says nothing of devices; *, 3b:00.0, group:3b:00.0, id:8086:*, class:0302, numa:0 or label:KEY=VALUE does",
		      word->text);
}

/**
 * take_address() - To whom leases may be addressed
 */
static int take_address(struct terms *terms, const struct word *word)
{
	struct term term = { .kind = TERM_UID };
	const char *rest = str_starts(word->text, "uid:");

	if (rest) {
		if (take_number(word, "uid", rest, &term.id) < 0)
			return -EINVAL;
		return terms_add(terms, &term);
	}
	rest = str_starts(word->text, "unit:");
	if (rest && *rest) {
		term.kind = TERM_UNIT;
		term.text = (char *)rest;
		return terms_add(terms, &term);
	}
	term.kind = str_eq(word->text, "*") ? TERM_ALL : TERM_TOKEN;
	if (term.kind == TERM_TOKEN && !str_eq(word->text, "token"))
		return refuse(word, "'%s' is not uid:USER, unit:UNIT, token or *",
			      word->text);
	return terms_add(terms, &term);
}

/**
 * take() - Take one word
 * @key:	Of which list
 *
 * Return: 0; -EINVAL; -ENOENT: there is no such key; -ENOMEM; -E2BIG.
 */
static int take(struct grant *grant, const char *key, const struct word *word)
{
	static const struct {
		const char *key;
		enum term_kind kind;
	} who[] = {
		{ "uid", TERM_UID }, { "gid", TERM_GID },
		{ "unit", TERM_UNIT }, { "uri", TERM_URI },
		{ "dns", TERM_DNS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(who); i++)
		if (str_eq(key, who[i].key))
			return take_who(&grant->who, word, who[i].kind, key);
	if (str_eq(key, "verbs"))
		return take_verb(&grant->verbs, word);
	if (str_eq(key, "devices"))
		return take_device(&grant->devices, word);
	if (str_eq(key, "address"))
		return take_address(&grant->address, word);
	return -ENOENT;
}

/**
 * next_word() - Cut the next word off a list
 * @rest:	Moved behind it
 *
 * Return: the word without blanks around it, maybe empty; NULL at the end.
 */
static char *next_word(char **rest)
{
	char *word = strsep(rest, ",");

	return word ? str_chomp(word + strspn(word, " \t")) : NULL;
}

/* grant_set() - Take over one line of a grant */
int grant_set(struct grant *grant, const char *key, const char *value,
	      const char *where,
	      int (*resolve)(const char *kind, const char *name,
			     uint32_t *ret),
	      char ret_why[160])
{
	_cleanup_free_ char *copy = strdup(value);
	struct word word = { .resolve = resolve, .why = ret_why };
	char *rest = copy;
	int r = 0;

	ret_why[0] = '\0';
	if (!copy)
		return -ENOMEM;
	if (str_eq(key, "role") || str_eq(key, "verbs"))
		(void)str_copy(grant->where, sizeof(grant->where), where);
	if (str_eq(key, "role")) {
		if (role_from_name(value, &grant->role) == 0 && grant->role)
			return 0;
		return refuse(&word, "there is no role '%s'; viewer, operator or admin is one",
			      value);
	}
	while (r == 0 && (word.text = next_word(&rest))) {
		r = *word.text ? take(grant, key, &word) :
				 refuse(&word, "a word is missing");
		if (r == -ENOENT)
			r = refuse(&word, "there is no key '%s' in a grant",
				   key);
		if (r == -E2BIG)
			r = refuse(&word, "more than %d words", TERMS_MAX);
	}
	return r;
}

/* grant_check() - Is it whole? */
const char *grant_check(const struct grant *grant)
{
	if (!grant->who.n)
		return "it says nobody: uid, gid, unit, uri or dns is missing";
	if (!grant->role && !grant->verbs.n)
		return "it gives nothing: role or verbs is missing";
	if (grant->role && grant->verbs.n)
		return "it has both role and verbs; make two grants of it";
	return NULL;
}

/* --- policies --- */

/* policy_add() - Append an empty grant */
struct grant *policy_add(struct policy *policy, const char *name)
{
	struct grant *more = reallocarray(policy->grants,
					  policy->n_grants + 1, sizeof(*more));
	struct grant *grant;

	if (!more)
		return NULL;
	policy->grants = more;
	grant = &policy->grants[policy->n_grants++];
	*grant = (struct grant){ .role = ROLE_NONE };
	(void)str_copy(grant->name, sizeof(grant->name), name); /* for words */
	return grant;
}

/* policy_new() - One with what is built in */
struct policy *policy_new(gid_t viewers)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	const struct term members = { .kind = TERM_GID, .id = viewers };
	struct grant *grant;

	if (!policy)
		return NULL;
	atomic_init(&policy->refs, 1);
	quotas_init(&policy->quotas);
	grant = policy_add(policy, "root");
	if (!grant)
		return policy_unref(policy);
	grant->role = ROLE_ADMIN;
	(void)str_copy(grant->where, sizeof(grant->where), "built in");
	if (viewers == (gid_t)-1)
		return policy;
	grant = policy_add(policy, "ioasid");
	if (!grant || terms_add(&grant->who, &members) < 0)
		return policy_unref(policy);
	grant->role = ROLE_VIEWER;
	(void)str_copy(grant->where, sizeof(grant->where), "built in");
	return policy;
}

/* policy_ref() - Hold on to a policy */
struct policy *policy_ref(struct policy *policy)
{
	atomic_fetch_add(&policy->refs, 1);
	return policy;
}

/* policy_unref() - Let go */
struct policy *policy_unref(struct policy *policy)
{
	if (!policy || atomic_fetch_sub(&policy->refs, 1) != 1)
		return NULL;
	for (size_t i = 0; i < policy->n_grants; i++) {
		struct grant *grant = &policy->grants[i];

		terms_deinit(&grant->who);
		terms_deinit(&grant->verbs);
		terms_deinit(&grant->devices);
		terms_deinit(&grant->address);
	}
	free(policy->grants);
	quotas_deinit(&policy->quotas);
	free(policy);
	return NULL;
}
