/* SPDX-License-Identifier: Apache-2.0
 *
 * probe-spapr.c - what a container of SPAPR TCE can do
 *
 * What is asked does not make the container ours, and no window is made: one that
 * the platform refuses would cost the device until the next boot.
 */
#include "ops/probe.h"

#include "model/tce.h"

/**
 * probe_read_spapr() - See probe.h
 *
 * What can be used at once is the default window; dynamic ones are planned
 * (model/tce.h).
 */
int probe_read_spapr(struct host *host, const struct probe_context *context,
		     struct capabilities *caps, struct error *err)
{
	struct kernel_tce_info *tce = &caps->tce;
	int r;

	r = host->kernel->ops->container_tce_info(host->kernel,
						  context->container, tce, err);
	if (r < 0)
		return r;
	caps->alignment = UINT64_C(1) << TCE_DEFAULT_SHIFT;
	if (!tce->dma32_size)
		return 0;
	caps->ranges[0] = (struct kernel_range){
		.start = tce->dma32_start,
		.last = tce->dma32_start + tce->dma32_size - 1,
	};
	caps->n_ranges = 1;
	return 0;
}
