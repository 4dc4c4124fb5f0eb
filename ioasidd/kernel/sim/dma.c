/* SPDX-License-Identifier: Apache-2.0
 *
 * dma.c - what devices do with memory
 */
#include <errno.h>

#include "kernel/sim/memory.h"
#include "kernel/sim/object.h"
#include "kernel/sim/rule.h"

/* dma_piece() - What is left of a page, or of all. Return: 0 or -EFAULT. */
static int dma_piece(const struct sim_table *table, uint64_t iova, void *buf,
		     size_t size, bool write, size_t *ret)
{
	const struct sim_ioas *ioas = &table->space->ioas;
	size_t at = sim_ioas_find(ioas, iova);
	size_t left = SIM_PAGE - iova % SIM_PAGE;
	const struct sim_area *area;
	bool readable;

	if (at == ioas->n_areas || ioas->areas[at].iova > iova)
		return -EFAULT;

	area = &ioas->areas[at];
	readable = area->readable ||
		   (table->iommu && table->iommu->first_stage &&
		    !table->nest_parent);
	if (sim_rule(SIM_RULE_DMA_DIRECTION) &&
	    !(write ? area->writeable : readable))
		return -EFAULT;

	if (left > size)
		left = size;
	if (left - 1 > area->last - iova)
		left = area->last - iova + 1;
	*ret = left;
	return sim_memory_move(area->memory, area->offset + (iova - area->iova),
			       buf, left, write);
}

/* sim_context_dma() - A device reads or writes memory */
int sim_context_dma(struct sim_context *context, uint32_t id, uint32_t pasid,
		    uint64_t iova, void *buf, size_t size, bool write)
{
	struct sim_attachment *attachment;
	struct sim_bound *bound;
	size_t done;
	int r;

	if (sim_object_get(context, id, SIM_OBJECT_DEVICE, &bound) < 0)
		return -EFAULT;
	attachment = sim_attachment_find(bound, pasid);
	/* What a guest has in its own page table nobody here can read. */
	if (!attachment || attachment->table->parent)
		return -EFAULT;

	for (; size; size -= done) {
		r = dma_piece(attachment->table, iova, buf, size, write,
			      &done);
		if (r >= 0 && write && attachment->table->watched)
			r = sim_dirty_mark(attachment->table, iova);
		if (r < 0)
			return r;
		iova += done;
		buf = (char *)buf + done;
	}

	return 0;
}
