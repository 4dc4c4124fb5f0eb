/* SPDX-License-Identifier: Apache-2.0
 *
 * edu.c - QEMU's device for education: a DMA engine with a buffer
 *
 * Its registers are described in QEMU's docs/specs/edu.rst. It differs where
 * nobody may rely on the difference: a result is there at once, not after a
 * while, and a transfer that leaves its buffer does nothing.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sim/function.h"
#include "kernel/sim/iommufd.h"
#include "kernel/sim/rule.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

#define EDU_ID 0x00
#define EDU_LIVENESS 0x04
#define EDU_FACTORIAL 0x08
#define EDU_STATUS 0x20
#define EDU_IRQ 0x24
#define EDU_IRQ_RAISE 0x60
#define EDU_IRQ_LOWER 0x64
#define EDU_SOURCE 0x80
#define EDU_TARGET 0x88
#define EDU_COUNT 0x90
#define EDU_COMMAND 0x98

#define EDU_ID_VALUE 0x010000edU
#define EDU_STATUS_IRQ 0x80U	 /* raise an interrupt after a factorial */
#define EDU_COMMAND_START 1U
#define EDU_COMMAND_TO_MEMORY 2U
#define EDU_COMMAND_IRQ 4U
#define EDU_IRQ_FACTORIAL 0x001U
#define EDU_IRQ_DMA 0x100U

#define EDU_BUFFER 0x40000U
#define EDU_BUFFER_SIZE 4096U

/**
 * struct edu - Its registers
 * @liveness:	The complement of what was written
 * @factorial:	Of what was written
 * @status:	EDU_STATUS_IRQ
 * @irq:	Interrupts that are raised
 * @source, @target, @count, @command: The transfer
 * @buffer:	Its own memory
 */
struct edu {
	uint32_t liveness, factorial, status, irq;
	uint64_t source, target, count, command;
	uint8_t buffer[EDU_BUFFER_SIZE];
};

/* edu_is() - Is it one? */
bool edu_is(const struct sim_device *device)
{
	return device->facts.vendor == EDU_VENDOR &&
	       device->facts.device == EDU_DEVICE;
}

/* edu_new() - One that was just switched on */
struct edu *edu_new(void)
{
	return calloc(1, sizeof(struct edu));
}

/**
 * dma() - Move bytes between a device and memory
 *
 * Return: 0; -EFAULT: not bound, no bus master, or refused by the IOMMU.
 */
static int dma(struct sim_function *f, uint64_t iova, void *buf, size_t size,
	       bool write)
{
	const struct sim_file *bound = f->device->bound;
	int r;

	if (sim_rule(SIM_RULE_DMA_NEEDS_MASTER) &&
	    !(function_command(f) & PCI_COMMAND_MASTER_BIT))
		return -EFAULT;
	if (!bound || !bound->context)
		return -EFAULT;

	r = sim_context_dma(bound->context, bound->dev_id, SIM_NO_PASID, iova,
			    buf, size, write);
	/* Nobody sees what goes past all mappings where there is no IOMMU. */
	if (r < 0 && !sim_no_iommu(f->device) &&
	    sim_rule(SIM_RULE_FAULT_IS_REPORTED)) {
		f->n_faults++;
		f->fault_iova = iova & ~(SIM_PAGE - 1);
	}

	return r;
}

/**
 * transfer() - Do what the registers say
 *
 * What cannot be read is read as zeros, as QEMU does.
 */
static void transfer(struct sim_function *f)
{
	struct edu *edu = f->edu;
	bool write = edu->command & EDU_COMMAND_TO_MEMORY;
	uint64_t at = (write ? edu->source : edu->target) - EDU_BUFFER;
	uint8_t bytes[EDU_BUFFER_SIZE] = { 0 };

	edu->command &= ~(uint64_t)EDU_COMMAND_START;
	if (edu->command & EDU_COMMAND_IRQ)
		edu->irq |= EDU_IRQ_DMA;
	if (at > EDU_BUFFER_SIZE || edu->count > EDU_BUFFER_SIZE - at ||
	    !edu->count)
		return;

	if (write) {
		(void)dma(f, edu->target, edu->buffer + at, edu->count, true);
	} else {
		(void)dma(f, edu->source, bytes, edu->count, false);
		memcpy(edu->buffer + at, bytes, edu->count);
	}
}

/**
 * factorial() - As edu counts: in 32 bits, with overflow
 */
static uint32_t factorial(uint32_t n)
{
	uint32_t product = 1;

	/* From 34 on there are 32 factors of two in it. */
	if (n >= 34)
		return 0;
	while (n > 1)
		product *= n--;

	return product;
}

/**
 * read_register() - What a register holds; ones if there is none
 */
static uint64_t read_register(const struct edu *edu, uint64_t at)
{
	switch (at) {
	case EDU_ID:
		return EDU_ID_VALUE;
	case EDU_LIVENESS:
		return edu->liveness;
	case EDU_FACTORIAL:
		return edu->factorial;
	case EDU_STATUS:
		return edu->status;
	case EDU_IRQ:
		return edu->irq;
	case EDU_SOURCE:
		return edu->source;
	case EDU_TARGET:
		return edu->target;
	case EDU_COUNT:
		return edu->count;
	case EDU_COMMAND:
		return edu->command;
	default:
		return UINT64_MAX;
	}
}

/**
 * write_register() - Write one, and do what it is for
 */
static void write_register(struct sim_function *f, uint64_t at, uint64_t value)
{
	struct edu *edu = f->edu;

	switch (at) {
	case EDU_LIVENESS:
		edu->liveness = ~(uint32_t)value;
		break;
	case EDU_FACTORIAL:
		edu->factorial = factorial((uint32_t)value);
		if (edu->status & EDU_STATUS_IRQ)
			edu->irq |= EDU_IRQ_FACTORIAL;
		break;
	case EDU_STATUS:
		edu->status = (uint32_t)value & EDU_STATUS_IRQ;
		break;
	case EDU_IRQ_RAISE:
		edu->irq |= (uint32_t)value;
		break;
	case EDU_IRQ_LOWER:
		edu->irq &= ~(uint32_t)value;
		break;
	case EDU_SOURCE:
		edu->source = value;
		break;
	case EDU_TARGET:
		edu->target = value;
		break;
	case EDU_COUNT:
		edu->count = value;
		break;
	case EDU_COMMAND:
		if (!(value & EDU_COMMAND_START))
			break;
		edu->command = value;
		transfer(f);
		break;
	default:
		break;
	}
}

/**
 * edu_access() - One access to its registers
 *
 * Those of 32 bits are read and written by 4 bytes, the others by 4 or 8. An
 * access of another size finds nothing: 1 and 2 bytes read as 0, 8 as ones.
 */
void edu_access(struct sim_function *f, uint64_t at, void *buf, size_t size,
		bool write)
{
	uint64_t value = 0;

	if (size < 4 || (size == 8 && at < EDU_SOURCE)) {
		if (!write)
			memset(buf, size < 4 ? 0 : 0xff, size);
		return;
	}
	if (write) {
		memcpy(&value, buf, size);
		write_register(f, at, le64toh(value));
	} else {
		value = htole64(read_register(f->edu, at));
		memcpy(buf, &value, size);
	}
}
