/* SPDX-License-Identifier: Apache-2.0
 *
 * quota.h - may an owner's leases take more? By the policy of now
 */
#ifndef IOASIDD_OPS_QUOTA_H
#define IOASIDD_OPS_QUOTA_H

#include "ops/host.h"

/**
 * quota_begin() - Charge what an operation is about to take
 * @charge:	Whose, and what; ends with quota_end()
 *
 * Return: 0; -EDQUOT limit.quota.
 */
int quota_begin(struct host *host, struct charge *charge, struct error *err);

/* quota_end() - It was published, or there is nothing of it. Of a charge that was
 * not made, too.
 */
void quota_end(struct host *host, struct charge *charge);

#endif
