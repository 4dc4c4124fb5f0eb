/* SPDX-License-Identifier: Apache-2.0
 *
 * nested.c - page tables of guests: made on a host's, and invalidated
 *
 * What is in a guest's page table nobody here reads: a device that is on one
 * reaches no memory. All else is as the drivers of VT-d and SMMUv3 of Linux 7.3
 * have it; other IOMMUs have no such page tables.
 */
#include <endian.h>
#include <errno.h>

#include "base/str.h"
#include "kernel/sim/object.h"
#include "kernel/sim/rule.h"

/* Entries of one call. Source: IOMMU_HWPT_INVALIDATE_ENTRY_NUM_MAX. */
#define ENTRIES_MAX (1U << 19)

/* A stream table entry: Arm IHI 0070, 5.2. */
#define STE_0_VALID (1ULL << 0)
#define STE_0_CONFIG(ste) ((ste) >> 1 & 7)
#define STE_0_ALLOWED (0x3fULL | ((1ULL << 52) - 64) | 0x1fULL << 59)
#define STE_1_EATS(ste) ((ste) >> 28 & 3)
#define STE_1_ALLOWED (0xffULL | 1ULL << 27 | 3ULL << 28)
#define STE_ABORT 0
#define STE_BYPASS 4
#define STE_STAGE_1 5
#define STE_EATS_FULL 1

/* Its commands: Arm IHI 0070, 4.1.1. */
#define COMMAND(c) ((c) & 0xff)
#define COMMAND_STREAM(c) ((c) >> 32)
#define CFGI_CD 0x05
#define CFGI_CD_ALL 0x06
#define TLBI_NH_ALL 0x10
#define TLBI_NH_ASID 0x11
#define TLBI_NH_VA 0x12
#define TLBI_NH_VAA 0x13
#define TLBI_NSNH_ALL 0x30
#define ATC_INV 0x40

/* --- IOMMU_HWPT_ALLOC with data --- */

/* read_data() - What describes a guest's page table has the type's length */
static int read_data(const struct sim_caller *caller,
		     const struct uapi_hwpt_alloc *cmd, void *data, size_t size)
{
	if (cmd->data_len != size)
		return -EINVAL;

	return sim_copy_in(caller, data, cmd->data_uptr, size);
}

/* add_nested() - Put it in. Return: 0 or -ENOMEM. */
static int add_nested(struct sim_context *context, struct sim_table *parent,
		      const struct sim_bound *bound, uint32_t flags,
		      struct sim_table **ret)
{
	struct sim_table *table;
	int r;

	r = sim_table_new(context, parent->space, bound, &table);
	if (r < 0)
		return r;

	table->object.kind = SIM_OBJECT_NESTED;
	table->pasid = flags & UAPI_HWPT_ALLOC_PASID;
	table->parent = parent;
	parent->space->object.users--; /* by its parent */
	*ret = table;
	return 0;
}

/* on_table() - On a host's page table, as VT-d's driver does it */
static int on_table(struct sim_context *context,
		    const struct sim_caller *caller, struct sim_table *parent,
		    const struct sim_bound *bound,
		    const struct uapi_hwpt_alloc *cmd, struct sim_table **ret)
{
	const struct sim_iommu *iommu = sim_table_iommu(bound);
	struct uapi_hwpt_vtd_s1 data;
	int r;

	/* SMMUv3's wants a vIOMMU. */
	if (!iommu || !str_eq(iommu->facts.family, "vt-d"))
		return -EOPNOTSUPP;
	if (sim_rule(SIM_RULE_TABLE_NEST_PARENT_EINVAL) &&
	    (parent->automatic || !parent->nest_parent))
		return -EINVAL;
	if (iommu->nested_type != UAPI_HWPT_DATA_VTD_S1 ||
	    cmd->data_type != UAPI_HWPT_DATA_VTD_S1)
		return -EOPNOTSUPP;
	/* What is in it shows only to the hardware. */
	r = read_data(caller, cmd, &data, sizeof(data));
	if (r >= 0)
		r = add_nested(context, parent, bound, cmd->flags, ret);
	if (r >= 0)
		parent->object.users++;

	return r;
}

/**
 * check_entry() - May a guest have such a stream table entry?
 * @ret_translates: It has page tables
 *
 * Return: 0; -EIO.
 */
static int check_entry(const struct uapi_hwpt_arm_smmuv3 *data,
		       bool *ret_translates)
{
	const uint64_t ste[2] = { le64toh(data->ste[0]), le64toh(data->ste[1]) };
	uint64_t config = STE_0_CONFIG(ste[0]);

	*ret_translates = false;
	if (!(ste[0] & STE_0_VALID))
		return 0;
	if (ste[0] & ~STE_0_ALLOWED || ste[1] & ~STE_1_ALLOWED ||
	    STE_1_EATS(ste[1]) > STE_EATS_FULL ||
	    (config != STE_ABORT && config != STE_BYPASS &&
	     config != STE_STAGE_1))
		return -EIO;

	*ret_translates = config == STE_STAGE_1;
	return 0;
}

/* on_viommu() - On a guest's share of an IOMMU, as SMMUv3's driver does it */
static int on_viommu(struct sim_context *context,
		     const struct sim_caller *caller, struct sim_viommu *viommu,
		     const struct sim_bound *bound,
		     const struct uapi_hwpt_alloc *cmd, struct sim_table **ret)
{
	struct uapi_hwpt_arm_smmuv3 data;
	bool translates;
	int r;

	if (cmd->flags & UAPI_HWPT_ALLOC_PASID)
		return -EOPNOTSUPP;
	if (cmd->data_type != UAPI_HWPT_DATA_ARM_SMMUV3)
		return -EINVAL;
	r = read_data(caller, cmd, &data, sizeof(data));
	if (r >= 0)
		r = check_entry(&data, &translates);
	if (r >= 0)
		r = add_nested(context, viommu->parent, bound, cmd->flags, ret);
	if (r < 0)
		return r;

	(*ret)->viommu = viommu;
	(*ret)->needs_vdevice = translates;
	viommu->object.users++;
	return 0;
}

/* sim_nested_alloc() - IOMMU_HWPT_ALLOC of a guest's page table */
int sim_nested_alloc(struct sim_context *context,
		     const struct sim_caller *caller, struct sim_object *on,
		     const struct sim_bound *bound,
		     const struct uapi_hwpt_alloc *cmd, struct sim_table **ret)
{
	const uint32_t known = UAPI_HWPT_FAULT_ID_VALID | UAPI_HWPT_ALLOC_PASID;

	if (on->kind == SIM_OBJECT_VIOMMU &&
	    ((struct sim_viommu *)on)->iommu != sim_table_iommu(bound))
		return -EINVAL;
	if (cmd->flags & ~known || !cmd->data_len)
		return -EOPNOTSUPP;

	return on->kind == SIM_OBJECT_VIOMMU ?
		on_viommu(context, caller, (struct sim_viommu *)on, bound, cmd,
			  ret) :
		on_table(context, caller, (struct sim_table *)on, bound, cmd,
			 ret);
}

/* --- IOMMU_HWPT_INVALIDATE --- */

/**
 * vtd_entry() - One entry for VT-d's driver
 * @at:		Where it is in the caller
 *
 * Return: 0; -EINVAL; -EOPNOTSUPP; -EFAULT.
 */
static int vtd_entry(const struct sim_caller *caller, uint64_t at, uint32_t len)
{
	struct uapi_hwpt_vtd_s1_invalidate entry;
	int r;

	if (len != sizeof(entry))
		return -EINVAL;
	r = sim_copy_in(caller, &entry, at, sizeof(entry));
	if (r < 0)
		return r;
	if (entry.flags & ~UAPI_VTD_INV_FLAGS_LEAF || entry.reserved)
		return -EOPNOTSUPP;
	if (entry.addr % SIM_PAGE ||
	    (entry.npages == UINT64_MAX && entry.addr))
		return -EINVAL;

	return 0;
}

/* vtd_invalidate() - Entries one after the other, up to the first bad one */
static int vtd_invalidate(const struct sim_caller *caller,
			  const struct uapi_hwpt_invalidate *cmd,
			  uint32_t *ret_done)
{
	if (cmd->data_type != UAPI_HWPT_INVALIDATE_DATA_VTD_S1)
		return -EINVAL;

	for (; *ret_done < cmd->entry_num; ++*ret_done) {
		int r = vtd_entry(caller, cmd->data_uptr +
				  (uint64_t)*ret_done * cmd->entry_len,
				  cmd->entry_len);

		if (r < 0)
			return r;
	}

	return 0;
}

/**
 * smmu_entry() - One command for SMMUv3's driver
 *
 * That fields hold nothing which the hardware does not have is not looked at.
 *
 * Return: 0; -EIO: no command for a guest, or no device of that number; -EFAULT.
 */
static int smmu_entry(const struct sim_context *context,
		      const struct sim_caller *caller,
		      const struct sim_viommu *viommu, uint64_t at)
{
	struct uapi_viommu_arm_smmuv3_invalidate entry;
	uint64_t command;
	int r;

	r = sim_copy_in(caller, &entry, at, sizeof(entry));
	if (r < 0)
		return r;
	command = le64toh(entry.cmd[0]);

	switch (COMMAND(command)) {
	case TLBI_NSNH_ALL:
	case TLBI_NH_ALL:
	case TLBI_NH_ASID:
	case TLBI_NH_VA:
	case TLBI_NH_VAA:
		return 0;
	case CFGI_CD:
	case CFGI_CD_ALL:
	case ATC_INV:
		return sim_viommu_find(context, viommu,
				       COMMAND_STREAM(command)) ? 0 : -EIO;
	default:
		return -EIO;
	}
}

/* smmu_invalidate() - Likewise; here no entry at all is refused */
static int smmu_invalidate(const struct sim_context *context,
			   const struct sim_caller *caller,
			   const struct sim_viommu *viommu,
			   const struct uapi_hwpt_invalidate *cmd,
			   uint32_t *ret_done)
{
	if (cmd->data_type != UAPI_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 ||
	    !cmd->entry_num ||
	    cmd->entry_len != sizeof(struct uapi_viommu_arm_smmuv3_invalidate))
		return -EINVAL;

	for (; *ret_done < cmd->entry_num; ++*ret_done) {
		int r = smmu_entry(context, caller, viommu, cmd->data_uptr +
				   (uint64_t)*ret_done * cmd->entry_len);

		if (r < 0)
			return r;
	}

	return 0;
}

/* sim_hwpt_invalidate() - IOMMU_HWPT_INVALIDATE; says how many were done */
int sim_hwpt_invalidate(struct sim_context *context,
			const struct sim_caller *caller, void *data)
{
	struct uapi_hwpt_invalidate *cmd = data;
	struct sim_object *on = sim_object_find(context, cmd->hwpt_id);
	uint32_t done = 0;
	int r = -EINVAL;

	if (sim_rule(SIM_RULE_RESERVED_FIELD_EOPNOTSUPP) && cmd->reserved)
		r = -EOPNOTSUPP;
	else if (cmd->entry_num &&
		 (!cmd->data_uptr || !cmd->entry_len ||
		  cmd->entry_len > SIM_PAGE || cmd->entry_num > ENTRIES_MAX))
		r = -EINVAL;
	else if (!on)
		r = sim_rule(SIM_RULE_NO_OBJECT_ENOENT) ? -ENOENT : -EINVAL;
	else if (on->kind == SIM_OBJECT_NESTED &&
		 ((struct sim_table *)on)->viommu)
		r = -EOPNOTSUPP; /* by its vIOMMU */
	else if (on->kind == SIM_OBJECT_NESTED)
		r = vtd_invalidate(caller, cmd, &done);
	else if (on->kind == SIM_OBJECT_VIOMMU)
		r = smmu_invalidate(context, caller, (struct sim_viommu *)on,
				    cmd, &done);

	cmd->entry_num = done;
	return r;
}
