/* SPDX-License-Identifier: Apache-2.0
 *
 * quota.h - how much of the host one owner's leases may take
 *
 * DOC: Theory of Operation
 *
 * Who asked for a lease pays for it (struct lease, owner). What is taken is
 * counted from the leases that have not ended; nothing else is kept, so that it
 * cannot come to differ. What an operation is about to take, and has not
 * published yet, it charges first: so two that go on at once do not both find
 * the last of it free.
 *
 * Pure. Charges are guarded by the registry's lock.
 */
#ifndef IOASIDD_MODEL_QUOTA_H
#define IOASIDD_MODEL_QUOTA_H

#include <stdint.h>

#include "base/error.h"
#include "model/request.h"

struct registry;

/**
 * enum quota_kind - What is counted
 * @QUOTA_CONTEXTS:	Leases: each has an iommufd
 * @QUOTA_SPACES:	Spaces that ioasidd has made for them
 * @QUOTA_MAPPINGS:	What is mapped for their holders (guarded leases)
 * @QUOTA_PINNED:	Memory that their holders may lock for them, bytes
 */
enum quota_kind {
	QUOTA_CONTEXTS,
	QUOTA_SPACES,
	QUOTA_MAPPINGS,
	QUOTA_PINNED,
	QUOTA_COUNT
};

/* Limits that are none: as much as there is; in a quota of one owner, what all
 * have.
 */
#define QUOTA_UNLIMITED UINT64_MAX
#define QUOTA_AS_ALL (UINT64_MAX - 1)

/* quota_kind_from_name() - Of "contexts", "spaces", "mappings", "pinned", as in
 * ioasidd.conf(5). Return: 0 or -EINVAL.
 */
int quota_kind_from_name(const char *name, enum quota_kind *ret);

/**
 * struct quota - What one owner, or each, may take
 * @owner:	"uid:1000", "cert:<name>"; empty for each
 * @limits:	By kind
 */
struct quota {
	char owner[PRINCIPAL_SIZE];
	uint64_t limits[QUOTA_COUNT];
};

/**
 * struct quotas - All of them
 * @each:	For who has none of his own
 * @own:	Those of single owners; @n of them
 */
struct quotas {
	struct quota each;
	struct quota *own;
	size_t n;
};

/* quotas_init() - Without any limit. */
void quotas_init(struct quotas *quotas);

/* quotas_deinit() - Free what it has. */
void quotas_deinit(struct quotas *quotas);

/**
 * quotas_add() - Let an owner have a quota, in which nothing is said yet
 * @owner:	"uid:<number>" or "cert:<name>"; "" for each
 *
 * Return: it, until the next one is added; NULL: it is no owner, or there is no
 * memory.
 */
struct quota *quotas_add(struct quotas *quotas, const char *owner);

/* quota_limit() - What an owner may take. @quotas: NULL for no limit. */
uint64_t quota_limit(const struct quotas *quotas, const char *owner,
		     enum quota_kind kind);

/**
 * struct charge - What an operation is about to take
 * @next:	In the registry
 * @owner:	Who pays
 * @more:	How much, by kind
 */
struct charge {
	struct charge *next;
	char owner[PRINCIPAL_SIZE];
	uint64_t more[QUOTA_COUNT];
};

/**
 * quota_used() - What an owner's leases take, and what is charged
 *
 * Under the registry's lock.
 */
void quota_used(const struct registry *reg, const char *owner,
		uint64_t ret[QUOTA_COUNT]);

/**
 * quota_charge() - Take more, if an owner may
 * @quotas:	NULL for no limit
 * @charge:	What; borrowed until quota_settle()
 *
 * Under the registry's lock.
 *
 * Return: 0; -EDQUOT limit.quota: nothing is charged.
 */
int quota_charge(struct registry *reg, const struct quotas *quotas,
		 struct charge *charge, struct error *err);

/* quota_settle() - It was published, or there is nothing of it. Nothing if it is
 * not charged. Under the registry's lock.
 */
void quota_settle(struct registry *reg, struct charge *charge);

#endif
