/* SPDX-License-Identifier: Apache-2.0
 *
 * table.c - page tables, and what an IOMMU says of itself
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/uapi.h"
#include "kernel/sim/object.h"
#include "kernel/sim/rule.h"

#define TABLE_FLAGS (UAPI_HWPT_ALLOC_NEST_PARENT | \
		     UAPI_HWPT_ALLOC_DIRTY_TRACKING | \
		     UAPI_HWPT_FAULT_ID_VALID | UAPI_HWPT_ALLOC_PASID)

/* A device without IOMMU is translated by nothing. */
static const struct kernel_range everything = { 0, UINT64_MAX };

/* sim_table_iommu() - The translation unit of a device; NULL for none */
struct sim_iommu *sim_table_iommu(const struct sim_bound *bound)
{
	return bound->device->group ? bound->device->group->iommu : NULL;
}

/* sim_table_new() - Make a page table and put it in its context */
int sim_table_new(struct sim_context *context, struct sim_space *space,
		  const struct sim_bound *bound, struct sim_table **ret)
{
	struct sim_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;

	table->object.kind = SIM_OBJECT_TABLE;
	table->space = space;
	table->iommu = sim_table_iommu(bound);
	r = sim_object_add(context, &table->object);
	if (r < 0) {
		free(table);
		return r;
	}

	space->object.users++;
	*ret = table;
	return 0;
}

/* sim_table_install() - From now on it translates its space */
int sim_table_install(struct sim_table *table)
{
	struct sim_ioas *ioas = &table->space->ioas;
	const struct kernel_range *aperture =
		table->iommu ? &table->iommu->aperture : &everything;
	int r;

	r = sim_ioas_add_table(ioas, aperture,
			       table->iommu ? table->iommu->alignment :
					      SIM_PAGE, table);
	if (r < 0)
		return r;

	if (ioas->n_tables == 1) {
		r = sim_space_pin(table->space, 0, ioas->n_areas);
		if (r < 0) {
			sim_ioas_remove_table(ioas, table);
			return r;
		}
	}

	table->installed = true;
	return 0;
}

/* sim_table_free() - For sim_object_end() */
void sim_table_free(struct sim_table *table)
{
	struct sim_ioas *ioas = &table->space->ioas;

	if (table->installed) {
		sim_ioas_remove_table(ioas, table);
		if (!ioas->n_tables)
			sim_space_unpin(table->space, 0, ioas->n_areas);
	}

	if (table->viommu)
		table->viommu->object.users--;
	else if (table->parent)
		table->parent->object.users--;
	else
		table->space->object.users--;
	if (table->faults)
		table->faults->object.users--;
	free(table->dirty);
	free(table);
}

/* --- IOMMU_HWPT_ALLOC --- */

/**
 * check_flags() - Can the IOMMU make such a page table?
 *
 * Drivers without a say in it take no flag at all.
 *
 * Return: 0 or -EOPNOTSUPP.
 */
static int check_flags(const struct sim_iommu *iommu, uint32_t flags)
{
	bool any = iommu && (str_eq(iommu->facts.family, "vt-d") ||
			     str_eq(iommu->facts.family, "amd-vi") ||
			     str_eq(iommu->facts.family, "smmuv3"));

	if (flags & ~TABLE_FLAGS)
		return sim_rule(SIM_RULE_UNKNOWN_FLAG_EOPNOTSUPP) ?
			-EOPNOTSUPP : 0;
	if (!flags || !sim_rule(SIM_RULE_TABLE_FLAG_EOPNOTSUPP))
		return 0;

	if (!any ||
	    (flags & UAPI_HWPT_ALLOC_NEST_PARENT && !iommu->nest_parent) ||
	    (flags & UAPI_HWPT_ALLOC_DIRTY_TRACKING &&
	     !iommu->dirty_tracking) ||
	    (flags & UAPI_HWPT_ALLOC_PASID && !iommu->pasid) ||
	    (flags & UAPI_HWPT_FAULT_ID_VALID &&
	     flags & UAPI_HWPT_ALLOC_NEST_PARENT))
		return -EOPNOTSUPP;

	return 0;
}

/* alloc_for_space() - A page table that translates a space */
static int alloc_for_space(struct sim_context *context, struct sim_space *space,
			   const struct sim_bound *bound,
			   const struct uapi_hwpt_alloc *cmd,
			   struct sim_table **ret)
{
	struct sim_table *table;
	int r;

	r = check_flags(sim_table_iommu(bound), cmd->flags);
	if (r < 0)
		return r;
	/* No driver of ours wants data for it. */
	if (cmd->data_len)
		return -EOPNOTSUPP;

	r = sim_table_new(context, space, bound, &table);
	if (r < 0)
		return r;

	table->nest_parent = cmd->flags & UAPI_HWPT_ALLOC_NEST_PARENT;
	table->pasid = cmd->flags & UAPI_HWPT_ALLOC_PASID;
	table->dirty_tracking = cmd->flags & UAPI_HWPT_ALLOC_DIRTY_TRACKING;
	r = sim_table_install(table);
	if (r < 0) {
		sim_object_end(context, &table->object);
		return r;
	}

	*ret = table;
	return 0;
}

/* set_faults() - Faults of its devices go to a queue. Return: 0; -ENOENT. */
static int set_faults(const struct sim_context *context,
		      struct sim_table *table,
		      const struct uapi_hwpt_alloc *cmd)
{
	struct sim_faults *faults;
	int r;

	if (!(cmd->flags & UAPI_HWPT_FAULT_ID_VALID))
		return 0;
	r = sim_object_get(context, cmd->fault_id, SIM_OBJECT_FAULTS, &faults);
	if (r < 0)
		return r;

	table->faults = faults;
	faults->object.users++;
	return 0;
}

/* sim_hwpt_alloc() - IOMMU_HWPT_ALLOC */
int sim_hwpt_alloc(struct sim_context *context, const struct sim_caller *caller,
		   void *data)
{
	struct uapi_hwpt_alloc *cmd = data;
	struct sim_table *table = NULL;
	struct sim_bound *bound;
	struct sim_object *on;
	int r;

	if (sim_rule(SIM_RULE_RESERVED_FIELD_EOPNOTSUPP) && cmd->reserved)
		return -EOPNOTSUPP;
	if (!cmd->data_type != !cmd->data_len)
		return -EINVAL;
	r = sim_object_get(context, cmd->dev_id, SIM_OBJECT_DEVICE, &bound);
	if (r < 0)
		return r;

	on = sim_object_find(context, cmd->pt_id);
	if (on && on->kind == SIM_OBJECT_SPACE)
		r = alloc_for_space(context, (struct sim_space *)on, bound, cmd,
				    &table);
	else if (on && (on->kind == SIM_OBJECT_TABLE ||
			on->kind == SIM_OBJECT_VIOMMU))
		r = sim_nested_alloc(context, caller, on, bound, cmd, &table);
	else
		r = -EINVAL;
	if (r < 0)
		return r;

	r = set_faults(context, table, cmd);
	if (r < 0) {
		sim_object_end(context, &table->object);
		return r;
	}

	cmd->out_hwpt_id = table->object.id;
	return 0;
}

/* --- IOMMU_GET_HW_INFO --- */

/**
 * write_hw_info() - Write what the IOMMU says; zeros behind it
 * @from:	@n bytes
 * @room:	In the caller
 */
static int write_hw_info(const struct sim_caller *caller, uint64_t to,
			 uint32_t room, const uint8_t *from, uint32_t n)
{
	static const uint8_t zeros[SIM_PAGE];
	uint32_t some = n < room ? n : room;
	int r;

	r = sim_copy_out(caller, to, from, some);

	for (uint32_t at = some; at < room && r >= 0; at += some) {
		some = room - at < sizeof(zeros) ? room - at : sizeof(zeros);
		r = sim_copy_out(caller, to + at, zeros, some);
	}

	return r;
}

/* sim_get_hw_info() - IOMMU_GET_HW_INFO */
int sim_get_hw_info(struct sim_context *context,
		    const struct sim_caller *caller, void *data)
{
	static const struct kernel_hw_info none;
	struct uapi_hw_info *cmd = data;
	const struct kernel_hw_info *hw = &none;
	const struct sim_iommu *iommu;
	struct sim_bound *bound;
	uint32_t asked = 0;
	int r;

	if (sim_rule(SIM_RULE_UNKNOWN_FLAG_EOPNOTSUPP) &&
	    cmd->flags & ~UAPI_HW_INFO_FLAG_INPUT_TYPE)
		return -EOPNOTSUPP;
	if (sim_rule(SIM_RULE_RESERVED_FIELD_EOPNOTSUPP) &&
	    (cmd->reserved[0] || cmd->reserved[1] || cmd->reserved[2]))
		return -EOPNOTSUPP;
	if (cmd->flags & UAPI_HW_INFO_FLAG_INPUT_TYPE)
		asked = cmd->out_data_type;
	r = sim_object_get(context, cmd->dev_id, SIM_OBJECT_DEVICE, &bound);
	if (r < 0)
		return r;

	iommu = sim_table_iommu(bound);
	if (iommu && iommu->hw_supported)
		hw = &iommu->hw;
	else if (sim_rule(SIM_RULE_HW_INFO_EOPNOTSUPP))
		return -EOPNOTSUPP;
	if (asked && hw->type && asked != hw->type)
		return -EOPNOTSUPP;

	r = write_hw_info(caller, cmd->data_uptr, cmd->data_len, hw->data,
			  hw->data_len);
	if (r < 0)
		return r;

	if (cmd->data_len > hw->data_len || sim_rule(SIM_RULE_HW_INFO_LENGTH))
		cmd->data_len = hw->data_len;
	cmd->out_data_type = hw->type;
	cmd->out_max_pasid_log2 = hw->max_pasid_log2;
	cmd->out_capabilities = hw->capabilities;
	return 0;
}
