/* SPDX-License-Identifier: Apache-2.0
 *
 * function.h - a PCI function of the simulated machine: what answers on the bus
 *
 * DOC: Theory of Operation
 *
 * function.c	the registers: configuration space, BARs, resets
 * view.c	what vfio-pci shows of configuration space, and lets be written
 * edu.c	the one kind of function that can do DMA
 *
 * A function has the addresses that the firmware gave its BARs, and registers
 * that hold them. The two differ after a reset that the kernel could not make
 * up for: then an access to a BAR meets nothing and answers ones, as it does
 * when memory space is off, the function sleeps, or its bus leads nowhere.
 *
 * Functions with vendor and device 1234:11e8 are QEMU's "edu": BAR 0 has its
 * registers, and it copies between memory and a buffer of its own, through the
 * page table that it is attached to. BARs of all others are memory that keeps
 * what is written until the next reset, FUNCTION_BACKING bytes of it, and ones
 * behind. They never do DMA.
 *
 * All under the machine's lock.
 */
#ifndef IOASIDD_KERNEL_SIM_FUNCTION_H
#define IOASIDD_KERNEL_SIM_FUNCTION_H

#include "kernel/pci.h"
#include "kernel/sim/sim.h"

#define FUNCTION_CONFIG_MAX 4096
#define FUNCTION_BACKING 65536u

/* Registers beyond those of pci.h; PCI 3.0 chapter 6, PCI Express 4.0 7.5.3. */
#define PCI_OFF_REVISION 0x08
#define PCI_OFF_HEADER 0x0e
#define PCI_OFF_SUBSYSTEM 0x2c
#define PCI_OFF_LINE 0x3c
#define PCI_OFF_PIN 0x3d
#define PCI_COMMAND_INTX_OFF_BIT 0x0400
#define PCI_BAR_PREFETCH 0x08
#define PCI_CAP_MSI_ID 0x05
#define PCI_EXPRESS_DEVCAP 4
#define PCI_EXPRESS_DEVCTL 8
#define FUNCTION_EXPRESS_SIZE 60
#define PCI_EXPRESS_CAN_FLR (1U << 28)
#define PCI_EXPRESS_FLR_BIT 0x8000

struct edu;

/**
 * struct function_view - What vfio-pci shows while a function is bound
 * @value:	What is shown where @virt has a bit
 * @virt:	Bits that are not the function's
 * @write:	Bits that may be written
 * @bars:	The BARs as they were at BIND, to be put back
 * @saved:	The whole header as it was then, for the last close
 * @bars_dirty:	BARs were written: their size has yet to show
 */
struct function_view {
	uint8_t value[PCI_CONFIG_SIZE];
	uint8_t virt[PCI_CONFIG_SIZE];
	uint8_t write[PCI_CONFIG_SIZE];
	uint32_t bars[PCI_BARS];
	uint8_t saved[PCI_CONFIG_SIZE];
	bool bars_dirty;
};

/**
 * struct sim_function - What answers on the bus
 * @device:		Whose it is
 * @config:		Its registers; behind them all is 0
 * @writable:		Bits of them that take what is written
 * @initial:		Its registers after a reset
 * @config_size:	256, or 4096 with an express capability
 * @power, @msi, @msix, @express: Offsets of capabilities; 0 for none
 * @n_msix:		Vectors
 * @bar_size:		Bytes of each BAR, a power of two; 0 for none
 * @bar_address:	What the firmware gave it; 0 for none
 * @bar:		Contents, from the first write on
 * @edu:		Its registers, if it is one; NULL
 * @view:		While it is bound
 * @reset_works:	The reset of BIND succeeded
 * @needs_reset:	It was closed without a reset
 * @n_resets:		Since the machine started
 * @n_faults:		Transfers that the IOMMU has refused and reported
 * @fault_iova:		The last of them: its page
 */
struct sim_function {
	struct sim_device *device;
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE];
	uint8_t initial[PCI_CONFIG_SIZE];
	size_t config_size;
	size_t power, msi, msix, express;
	unsigned int n_msix;
	uint64_t bar_size[SIM_BARS], bar_address[SIM_BARS];
	uint8_t *bar[SIM_BARS];
	struct edu *edu;
	struct function_view *view;
	bool reset_works, needs_reset;
	unsigned int n_resets, n_faults;
	uint64_t fault_iova;
};

/* --- function.c --- */

/**
 * function_new() - What answers for a device, by what is known of it
 * @device:	Its facts and BAR sizes are complete; gets the function
 *
 * Whoever adds a device calls this once. A device whose function is missing is
 * given one when it is first needed.
 *
 * Return: 0 or -ENOMEM.
 */
int function_new(struct sim_device *device);

/* function_free() - NULL is allowed. Return: NULL. */
struct sim_function *function_free(struct sim_function *f);

/* function_get() - A device's function. Return: NULL: no memory for it. */
struct sim_function *function_get(struct sim_device *device);

/* function_answers() - Does anything answer on the bus? */
bool function_answers(const struct sim_function *f);

/* function_read() - A read of configuration space; ones if nothing answers. */
void function_read(const struct sim_function *f, size_t at, void *buf,
		   size_t size);

/* function_write() - A write to it; what is read-only stays as it is. */
void function_write(struct sim_function *f, size_t at, const void *buf,
		    size_t size);

/* function_command() - Read PCI_COMMAND. */
uint16_t function_command(const struct sim_function *f);

/* function_set_command() - Write PCI_COMMAND: @clear first, then @set. */
void function_set_command(struct sim_function *f, uint16_t clear,
			  uint16_t set);

/* function_asleep() - Is it in D3? */
bool function_asleep(const struct sim_function *f);

/**
 * function_bar() - One access to a BAR
 * @bar:	Which; @at + @size lie within
 * @size:	1, 2, 4 or 8, and @at a multiple of it
 * @buf:	Little-endian, as all on PCI
 */
void function_bar(struct sim_function *f, unsigned int bar, uint64_t at,
		  void *buf, size_t size, bool write);

/**
 * function_reset() - The kernel resets a function
 *
 * What can be saved of its configuration is saved before and restored after:
 * all of it, unless its bus leads nowhere, when the kernel can do neither.
 */
void function_reset(struct sim_function *f);

/* function_bars_lost() - Does it answer, without the BARs that it was given? */
bool function_bars_lost(struct sim_device *device);

/* function_write_bars() - Write them. Return: 0; -EIO: they did not stay. */
int function_write_bars(struct sim_device *device);

/* --- view.c --- */

/* function_view_open() - At BIND, after the reset. Return: 0 or -ENOMEM. */
int function_view_open(struct sim_function *f);

/* function_view_close() - At the last close. None: nothing. */
void function_view_close(struct sim_function *f);

/* function_memory_on() - Does vfio-pci let BARs be reached? */
bool function_memory_on(const struct sim_function *f);

/**
 * function_view_access() - One access to configuration space
 * @at:		Within the space, and a multiple of @size
 * @size:	1, 2 or 4
 *
 * Return: true if the function is to be reset: FLR was asked for.
 */
bool function_view_access(struct sim_function *f, size_t at, uint8_t *buf,
			  size_t size, bool write);

/* --- edu.c --- */

/* edu_is() - Is it one? */
bool edu_is(const struct sim_device *device);

/* edu_new() - Return: NULL: no memory. */
struct edu *edu_new(void);

/* edu_access() - As function_bar(), of BAR 0. */
void edu_access(struct sim_function *f, uint64_t at, void *buf, size_t size,
		bool write);

#endif
