/* SPDX-License-Identifier: Apache-2.0
 *
 * view.c - what vfio-pci shows of a function's configuration space
 *
 * Each bit is the function's own or vfio-pci's, and may be written or not. BARs
 * are vfio-pci's: what is written there shows sizes and never moves the
 * function. The ids of a VF are, for it answers ones.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sim/function.h"
#include "kernel/sim/rule.h"

#define COMMAND_SPACES (PCI_COMMAND_IO_BIT | PCI_COMMAND_MEMORY_BIT)

/* Payload, read request and FLR of device control are not passed on. */
#define EXPRESS_VIRTUAL 0xf0e0
#define EXPRESS_PHANTOM 0x0200

/**
 * allow() - Say whose the bits of a register are, and which may be written
 * @size:	Of the register, up to 4 bytes
 */
static void allow(struct function_view *view, size_t at, size_t size,
		  uint32_t virt, uint32_t write)
{
	for (size_t i = 0; i < size; i++) {
		view->virt[at + i] = (uint8_t)(virt >> (8 * i));
		view->write[at + i] = (uint8_t)(write >> (8 * i));
	}
}

/**
 * allow_capabilities() - What vfio-pci allows in those that we have
 *
 * Of MSI-X nothing may be written: it is switched on by VFIO_DEVICE_SET_IRQS.
 */
static void allow_capabilities(const struct sim_function *f,
			       struct function_view *view)
{
	/* Outside of all capabilities everything is the function's. */
	memset(view->write + PCI_HEADER_SIZE, 0xff,
	       PCI_CONFIG_SIZE - PCI_HEADER_SIZE);
	if (f->power) {
		allow(view, f->power, 2, 0xff00, 0);
		allow(view, f->power + 2, 2, 0xf800, 0);
		allow(view, f->power + PCI_POWER_PMCSR, 4, 0x8100, 0xffff7efc);
	}
	if (f->msi) {
		allow(view, f->msi, 2, 0xff00, 0);
		allow(view, f->msi + 2, 2, 0x00ff, 0x0071);
		allow(view, f->msi + 4, 4, 0xffffffff, 0xffffffff);
		allow(view, f->msi + 8, 4, 0xffffffff, 0xffffffff);
		allow(view, f->msi + 12, 2, 0xffff, 0xffff);
	}
	if (f->msix) {
		allow(view, f->msix, 4, 0xff00, 0);
		allow(view, f->msix + 4, 4, 0, 0);
		allow(view, f->msix + 8, 4, 0, 0);
	}
	if (f->express) {
		allow(view, f->express, 4, 0xff00, 0);
		for (size_t i = 4; i < FUNCTION_EXPRESS_SIZE; i += 4)
			allow(view, f->express + i, 4, 0, 0);
		allow(view, f->express + PCI_EXPRESS_DEVCTL, 2, EXPRESS_VIRTUAL,
		      0xffff & ~EXPRESS_PHANTOM);
	}
}

/**
 * allow_header() - What vfio-pci allows in the header
 */
static void allow_header(struct function_view *view)
{
	allow(view, PCI_OFF_VENDOR, 4, 0xffffffff, 0);
	allow(view, PCI_OFF_COMMAND, 2, PCI_COMMAND_INTX_OFF_BIT, 0xffff);
	allow(view, PCI_OFF_STATUS, 2, PCI_STATUS_CAPABILITIES_BIT, 0);
	allow(view, 0x0c, 2, 0, 0xffff); /* cache line, latency */
	allow(view, 0x0f, 1, 0, 0xff);	 /* self test */
	for (size_t i = 0; i < PCI_BARS; i++)
		allow(view, PCI_OFF_BAR0 + 4 * i, 4, 0xffffffff, 0xffffffff);
	allow(view, 0x30, 4, 0xffffffff, 0xffffffff); /* ROM: none */
	allow(view, PCI_OFF_CAPABILITIES, 1, 0xff, 0);
	allow(view, PCI_OFF_LINE, 1, 0xff, 0xff);
	allow(view, PCI_OFF_PIN, 1, 0xff, 0);
}

/* function_view_open() - At BIND, after the reset */
int function_view_open(struct sim_function *f)
{
	const struct kernel_device *facts = &f->device->facts;
	struct function_view *view = calloc(1, sizeof(*view));
	bool vf = facts->physfn[0];

	if (!view)
		return -ENOMEM;
	allow_header(view);
	allow_capabilities(f, view);
	function_read(f, 0, view->value, sizeof(view->value));
	memcpy(view->saved, f->config, sizeof(view->saved));
	for (size_t i = 0; i < PCI_BARS; i++)
		view->bars[i] = pci_u32(view->value + PCI_OFF_BAR0 + 4 * i);
	if (vf && sim_rule(SIM_RULE_VF_SHOWS_IDS)) {
		view->value[PCI_OFF_VENDOR] = facts->vendor & 0xff;
		view->value[PCI_OFF_VENDOR + 1] = facts->vendor >> 8;
		view->value[PCI_OFF_DEVICE] = facts->device & 0xff;
		view->value[PCI_OFF_DEVICE + 1] = facts->device >> 8;
	}
	if (vf)
		view->value[PCI_OFF_COMMAND] |= PCI_COMMAND_MEMORY_BIT;
	if (f->power) { /* no wake-up events are passed on */
		view->value[f->power + 3] &= 0x07;
		view->value[f->power + PCI_POWER_PMCSR + 1] &= 0x7e;
	}
	view->bars_dirty = true;
	f->view = view;

	return 0;
}

/* function_view_close() - At the last close */
void function_view_close(struct sim_function *f)
{
	free(f->view);
	f->view = NULL;
}

/* function_memory_on() - Does vfio-pci let BARs be reached? */
bool function_memory_on(const struct sim_function *f)
{
	if (function_asleep(f))
		return false;

	return f->device->facts.physfn[0] ||
	       f->view->value[PCI_OFF_COMMAND] & PCI_COMMAND_MEMORY_BIT;
}

/**
 * show_bars() - Make BARs show their size and kind after they were written
 */
static void show_bars(struct sim_function *f)
{
	struct function_view *view = f->view;

	for (size_t i = 0; i < PCI_BARS; i++) {
		uint8_t *p = view->value + PCI_OFF_BAR0 + 4 * i;
		uint64_t mask = ~(f->bar_size[i] - 1), value = pci_u32(p);
		bool wide = f->bar_address[i] >> 32;

		if (!f->bar_size[i])
			mask = 0;
		if (!sim_rule(SIM_RULE_BARS_SHOW_SIZES))
			mask = UINT64_MAX;
		value &= (uint32_t)mask;
		if (f->bar_size[i] && wide)
			value |= PCI_BAR_TYPE_64 | PCI_BAR_PREFETCH;
		for (size_t b = 0; b < 4; b++)
			p[b] = (uint8_t)(value >> (8 * b));
		if (!f->bar_size[i] || !wide)
			continue;
		i++; /* its upper half */
		for (size_t b = 0; b < 4; b++)
			p[4 + b] &= (uint8_t)(mask >> (32 + 8 * b));
	}
	view->bars_dirty = false;
}

/**
 * restore_bars() - Put back what a reset behind vfio-pci's back has taken
 */
static void restore_bars(struct sim_function *f)
{
	bool differ = false;

	if (f->device->facts.physfn[0])
		return;
	for (size_t i = 0; i < PCI_BARS; i++) {
		uint8_t bytes[4];

		function_read(f, PCI_OFF_BAR0 + 4 * i, bytes, 4);
		differ |= f->view->bars[i] &&
			  f->view->bars[i] != pci_u32(bytes);
	}
	for (size_t i = 0; differ && i < PCI_BARS; i++) {
		uint32_t value = f->view->bars[i];
		uint8_t bytes[4] = { value & 0xff, value >> 8 & 0xff,
				     value >> 16 & 0xff, value >> 24 };

		function_write(f, PCI_OFF_BAR0 + 4 * i, bytes, 4);
	}
}

/**
 * write_chunk() - Write what may be written, to where it belongs
 */
static void write_chunk(struct sim_function *f, size_t at, const uint8_t *buf,
			size_t size)
{
	struct function_view *view = f->view;

	for (size_t i = 0; i < size; i++) {
		size_t pos = at + i;
		uint8_t mask = view->write[pos], virt = view->virt[pos], real;

		if (!sim_rule(SIM_RULE_READ_ONLY_STAYS))
			mask = 0xff;
		view->value[pos] = (uint8_t)((view->value[pos] &
					      ~(mask & virt)) |
					     (buf[i] & mask & virt));
		if (!(mask & ~virt))
			continue;
		function_read(f, pos, &real, 1);
		real = (uint8_t)((real & ~(mask & ~virt)) |
				 (buf[i] & mask & ~virt));
		function_write(f, pos, &real, 1);
	}
}

/**
 * write_power() - PMCSR was written: the kernel changes the state
 *
 * D1 and D2 are not supported.
 */
static void write_power(struct sim_function *f, uint8_t value)
{
	uint8_t now, state = value & 3;
	size_t at = f->power + PCI_POWER_PMCSR;

	if (state == 1 || state == 2)
		return;
	function_read(f, at, &now, 1);
	now = (uint8_t)((now & 0xfc) | state);
	function_write(f, at, &now, 1);
}

/**
 * write_access() - One write
 *
 * Return: true if FLR was asked for, and the function has it.
 */
static bool write_access(struct sim_function *f, size_t at, const uint8_t *buf,
			 size_t size)
{
	struct function_view *view = f->view;
	uint8_t *control = view->value + f->express + PCI_EXPRESS_DEVCTL + 1;
	const uint8_t *caps = f->config + f->express + PCI_EXPRESS_DEVCAP;

	if (at == PCI_OFF_COMMAND)
		restore_bars(f);
	write_chunk(f, at, buf, size);
	if (at == PCI_OFF_COMMAND)
		view->value[at] = (uint8_t)((view->value[at] &
					     ~COMMAND_SPACES) |
					    (buf[0] & COMMAND_SPACES));
	if (at >= PCI_OFF_BAR0 && at < PCI_OFF_BAR0 + 4 * PCI_BARS)
		view->bars_dirty = true;
	if (f->power && at == f->power + PCI_POWER_PMCSR)
		write_power(f, buf[0]);
	if (!f->express || !(*control & PCI_EXPRESS_FLR_BIT >> 8))
		return false;

	*control &= (uint8_t)~(PCI_EXPRESS_FLR_BIT >> 8);

	return function_answers(f) && pci_u32(caps) & PCI_EXPRESS_CAN_FLR;
}

/* function_view_access() - One access to configuration space */
bool function_view_access(struct sim_function *f, size_t at, uint8_t *buf,
			  size_t size, bool write)
{
	struct function_view *view = f->view;

	if (at >= PCI_CONFIG_SIZE) { /* no extended capabilities */
		if (!write)
			function_read(f, at, buf, size);
		return false;
	}
	if (write)
		return write_access(f, at, buf, size);

	if (view->bars_dirty)
		show_bars(f);
	function_read(f, at, buf, size);
	for (size_t i = 0; i < size; i++)
		buf[i] = (uint8_t)((buf[i] & ~view->virt[at + i]) |
				   (view->value[at + i] & view->virt[at + i]));
	if (at == PCI_OFF_COMMAND && f->device->facts.physfn[0])
		buf[0] |= view->value[at] & PCI_COMMAND_MEMORY_BIT;

	return false;
}
