/* SPDX-License-Identifier: Apache-2.0
 *
 * no-iommu.c - functions without an IOMMU, in VFIO's no-IOMMU mode
 *
 * As in Linux 7.3 (drivers/vfio/group.c, drivers/iommu/iommufd/hwpt_noiommu.c): a
 * VFIO driver makes a group for such a function, which isolates nothing and goes
 * with it. BIND asks for nothing, no region is reserved, page tables are of 64
 * bits and of software alone: what is mapped is pinned, and the function's DMA
 * goes where it goes.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "kernel/sim/driver.h"
#include "kernel/sim/rule.h"

/* no_iommu_accepts() - Would VFIO take a function without a group? */
bool no_iommu_accepts(const struct sim *sim)
{
	return sim->no_iommu_mode && sim_rule(SIM_RULE_NO_IOMMU_MODE);
}

/* no_iommu_join() - VFIO takes a function: it gets a group of its own */
int no_iommu_join(struct sim *sim, struct sim_device *device)
{
	struct sim_group *group;
	int r;

	if (device->group || !no_iommu_accepts(sim))
		return 0;
	group = calloc(1, sizeof(*group));
	if (!group)
		return -ENOMEM;
	while (sim_group_known(sim, group->facts.number))
		group->facts.number++;
	(void)str_copy(group->facts.type, sizeof(group->facts.type),
		       "unknown");
	group->no_iommu = true;
	r = sim_add_group_consume(sim, group);
	if (r < 0)
		return r;

	device->group = group;
	device->facts.group = group->facts.number;
	return 0;
}

/* no_iommu_leave() - VFIO lets go of it */
void no_iommu_leave(struct sim *sim, struct sim_device *device)
{
	struct sim_group *group = device->group;

	/* With no rule that unbind waits it may be bound still. */
	if (!sim_no_iommu(device) || device->bound)
		return;
	device->group = NULL;
	device->facts.group = -1;
	sim_remove_group(sim, group);
}
