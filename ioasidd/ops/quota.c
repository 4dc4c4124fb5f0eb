/* SPDX-License-Identifier: Apache-2.0
 *
 * quota.c - may an owner's leases take more? By the policy of now
 */
#include "ops/quota.h"

#include "ops/authorize.h"

/* quota_begin() - Charge what an operation is about to take */
int quota_begin(struct host *host, struct charge *charge, struct error *err)
{
	struct policy *policy = policy_in_use();
	int r;

	registry_lock(host->registry);
	r = quota_charge(host->registry, policy ? &policy->quotas : NULL,
			 charge, err);
	registry_unlock(host->registry);
	policy_unref(policy);
	return r;
}

/* quota_end() - It was published, or there is nothing of it */
void quota_end(struct host *host, struct charge *charge)
{
	registry_lock(host->registry);
	quota_settle(host->registry, charge);
	registry_unlock(host->registry);
}
