/* SPDX-License-Identifier: Apache-2.0
 *
 * viommu.c - guests' shares of an IOMMU, and what they call their devices
 *
 * Of the drivers of Linux 7.3 that of SMMUv3 has them, where it can force what a
 * guest caches; here that is where a guest's page table can be had at all.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "kernel/sim/object.h"
#include "kernel/sim/rule.h"

/* sim_viommu_free() - For sim_object_end() */
void sim_viommu_free(struct sim_viommu *viommu)
{
	viommu->parent->object.users--;
	free(viommu);
}

/* sim_vdevice_free() - For sim_object_end() */
void sim_vdevice_free(struct sim_vdevice *vdevice)
{
	vdevice->viommu->object.users--;
	vdevice->bound->vdevice = NULL;
	free(vdevice);
}

/* sim_vdevice_lost() - Its device is closed */
void sim_vdevice_lost(struct sim_vdevice *vdevice)
{
	vdevice->viommu->object.users--;
	vdevice->bound->vdevice = NULL;
	vdevice->object.kind = SIM_OBJECT_GONE;
}

/* sim_viommu_find() - The device of a guest's number */
struct sim_vdevice *sim_viommu_find(const struct sim_context *context,
				    const struct sim_viommu *viommu,
				    uint64_t virt_id)
{
	for (size_t i = 0; i < context->n_objects; i++) {
		struct sim_vdevice *vdevice =
			(struct sim_vdevice *)context->objects[i];

		if (vdevice->object.kind == SIM_OBJECT_VDEVICE &&
		    vdevice->viommu == viommu && vdevice->virt_id == virt_id)
			return vdevice;
	}

	return NULL;
}

/**
 * find_parent() - What a vIOMMU is to be on
 * @ret_iommu:	The device's
 * @ret:	The page table
 *
 * Return: 0; -EOPNOTSUPP; -ENOENT; -EINVAL.
 */
static int find_parent(const struct sim_context *context,
		       const struct uapi_viommu_alloc *cmd,
		       struct sim_iommu **ret_iommu, struct sim_table **ret)
{
	struct sim_iommu *iommu;
	struct sim_bound *bound;
	int r;

	if (cmd->flags || cmd->type == UAPI_VIOMMU_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	r = sim_object_get(context, cmd->dev_id, SIM_OBJECT_DEVICE, &bound);
	if (r < 0)
		return r;
	iommu = sim_table_iommu(bound);
	if (!iommu || iommu->nested_type != UAPI_HWPT_DATA_ARM_SMMUV3 ||
	    !str_eq(iommu->facts.family, "smmuv3") ||
	    cmd->type != UAPI_VIOMMU_TYPE_ARM_SMMUV3)
		return -EOPNOTSUPP;
	r = sim_object_get(context, cmd->hwpt_id, SIM_OBJECT_TABLE, ret);
	if (r < 0)
		return r;
	if (!(*ret)->nest_parent || (*ret)->iommu != iommu)
		return -EINVAL;

	*ret_iommu = iommu;
	return 0;
}

/* sim_viommu_alloc() - IOMMU_VIOMMU_ALLOC */
int sim_viommu_alloc(struct sim_context *context,
		     const struct sim_caller *caller, void *data)
{
	struct uapi_viommu_alloc *cmd = data;
	struct sim_viommu *viommu;
	struct sim_table *parent;
	struct sim_iommu *iommu;
	int r;

	r = find_parent(context, cmd, &iommu, &parent);
	if (r < 0)
		return r;
	viommu = calloc(1, sizeof(*viommu));
	if (!viommu)
		return -ENOMEM;
	viommu->object.kind = SIM_OBJECT_VIOMMU;
	viommu->iommu = iommu;
	viommu->parent = parent;
	r = sim_object_add(context, &viommu->object);
	if (r < 0) {
		free(viommu);
		return r;
	}

	parent->object.users++;
	cmd->out_viommu_id = viommu->object.id;
	return 0;
}

/* sim_vdevice_alloc() - IOMMU_VDEVICE_ALLOC */
int sim_vdevice_alloc(struct sim_context *context,
		      const struct sim_caller *caller, void *data)
{
	struct uapi_vdevice_alloc *cmd = data;
	struct sim_vdevice *vdevice;
	struct sim_viommu *viommu;
	struct sim_bound *bound;
	int r;

	r = sim_object_get(context, cmd->viommu_id, SIM_OBJECT_VIOMMU, &viommu);
	if (r >= 0)
		r = sim_object_get(context, cmd->dev_id, SIM_OBJECT_DEVICE,
				   &bound);
	if (r < 0)
		return r;
	if (sim_table_iommu(bound) != viommu->iommu)
		return -EINVAL;
	if (bound->vdevice || sim_viommu_find(context, viommu, cmd->virt_id))
		return -EEXIST;

	vdevice = calloc(1, sizeof(*vdevice));
	if (!vdevice)
		return -ENOMEM;
	*vdevice = (struct sim_vdevice){
		.object.kind = SIM_OBJECT_VDEVICE,
		.viommu = viommu,
		.bound = bound,
		.virt_id = cmd->virt_id,
	};
	r = sim_object_add(context, &vdevice->object);
	if (r < 0) {
		free(vdevice);
		return r;
	}

	viommu->object.users++;
	bound->vdevice = vdevice;
	cmd->out_vdevice_id = vdevice->object.id;
	return 0;
}
