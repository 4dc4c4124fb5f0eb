/* SPDX-License-Identifier: Apache-2.0
 *
 * kvm-tce.c - a holder on POWER whose guest puts pages into the window by itself
 *
 *	kvm-tce LEASE
 *
 * The guest is a virtual machine of KVM whose only processor makes the hypercalls
 * that it is told to. H_PUT_TCE fills the table that KVM keeps for it, and with that
 * the window that the table is linked to: the device carries bytes by the guest's
 * addresses, and nobody has called VFIO_IOMMU_MAP_DMA. Says what was refused, and
 * what was carried.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "prog.h"

#include "../../../clients/examples/edu.h"

#define G (UINT64_C(1) << 30)
#define RAM (UINT64_C(1) << 20)

/* The guest's number for the window, and what it puts where. */
#define LIOBN 0x80000001
#define FROM UINT64_C(0x10000)
#define TO UINT64_C(0x20000)
#define IOVA_FROM UINT64_C(0x5000)
#define IOVA_TO UINT64_C(0x7000)
#define READ_WRITE UINT64_C(3)

/* Power Architecture Platform Requirements: a page of a window, a word to a
 * terminal. KVM does the first itself, and gives us the second.
 */
#define H_PUT_TCE 0x20
#define H_PUT_TERM_CHAR 0x58

#define MSR_SF (UINT64_C(1) << 63)
#define MSR_ME (UINT64_C(1) << 12)
#define MSR_LE UINT64_C(1)

/* Where the guest's code is; what it does: ask us, do that, tell us, ask us. */
#define CODE 0x1000
static const uint32_t code[] = {
	0x44000022, /* sc 1		H_PUT_TERM_CHAR: we set r3 to r12 */
	0x44000022, /* sc 1		what we have set */
	0x7c641b78, /* mr r4,r3		how it went, */
	0x38600058, /* li r3,0x58	in H_PUT_TERM_CHAR */
	0x4bfffff0, /* b .-16 */
};

/* What KVM_SET_REGS takes on POWER. */
struct power_regs {
	uint64_t pc, cr, ctr, lr, xer, msr, srr0, srr1, pid;
	uint64_t sprg[8];
	uint64_t gpr[32];
};

/**
 * struct guest - The virtual machine
 * @ram:	Its memory, RAM bytes, registered with the container
 * @run:	What it and we share
 */
struct guest {
	int vm, vcpu;
	uint8_t *ram;
	struct kvm_run *run;
};

static struct ioasid_error failure;

/* must() - A call that has to be refused so */
static void must(const char *what, int r, int want)
{
	if (r != want)
		die("%s: %d, not %d: %s", what, r, want,
		    r < 0 ? failure.message : "");
	printf("%s is refused: %s\n", what, failure.message);
}

/* enable() - What KVM does for a machine, or a processor */
static void enable(int fd, uint32_t cap, uint64_t what, uint64_t how)
{
	struct kvm_enable_cap enable = { .cap = cap, .args = { what, how } };

	if (ioctl(fd, KVM_ENABLE_CAP, &enable))
		die("KVM_ENABLE_CAP %u: %m", cap);
}

/* continue_guest() - Until it asks what to do; returns how the last went */
static uint64_t continue_guest(struct guest *g)
{
	if (ioctl(g->vcpu, KVM_RUN, 0))
		die("KVM_RUN: %m");
	if (g->run->exit_reason != KVM_EXIT_PAPR_HCALL ||
	    g->run->papr_hcall.nr != H_PUT_TERM_CHAR)
		die("the guest has ended with %u", g->run->exit_reason);
	return g->run->papr_hcall.args[0];
}

/* start_guest() - With memory and a processor that waits */
static void start_guest(struct guest *g, int container)
{
	struct power_regs regs = {
		.pc = CODE,
		.msr = MSR_SF | MSR_ME | MSR_LE,
		.gpr[3] = H_PUT_TERM_CHAR,
	};
	struct kvm_userspace_memory_region region = { .memory_size = RAM };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), size;

	if (kvm < 0)
		die("/dev/kvm: %m");
	g->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (g->vm < 0)
		die("KVM_CREATE_VM: %m");
	g->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->ram == MAP_FAILED)
		die("memory: %m");
	memcpy(g->ram + CODE, code, sizeof(code));
	if (ioasid_tce_register(container, g->ram, RAM, &failure) < 0)
		refused("register", &failure);
	region.userspace_addr = (uintptr_t)g->ram;
	if (ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("KVM_SET_USER_MEMORY_REGION: %m");
	g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (g->vcpu < 0 || size < 0)
		die("KVM_CREATE_VCPU: %m");
	g->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      g->vcpu, 0);
	if (g->run == MAP_FAILED)
		die("mmap of the processor: %m");
	enable(g->vcpu, KVM_CAP_PPC_PAPR, 0, 0);
	enable(g->vm, KVM_CAP_PPC_ENABLE_HCALL, H_PUT_TCE, 1);
	if (ioctl(g->vcpu, KVM_SET_REGS, &regs))
		die("KVM_SET_REGS: %m");
	continue_guest(g);
}

/* put() - The guest puts a page of its memory at an address of its window */
static void put(struct guest *g, uint64_t iova, uint64_t page)
{
	uint64_t r;

	/* These become r3 to r6. */
	g->run->papr_hcall.ret = H_PUT_TCE;
	g->run->papr_hcall.args[0] = LIOBN;
	g->run->papr_hcall.args[1] = iova;
	g->run->papr_hcall.args[2] = page;
	r = continue_guest(g);
	if (r)
		die("H_PUT_TCE of 0x%" PRIx64 ": %" PRId64, iova, (int64_t)r);
}

/* have_table() - Of the default window, linked with it; and what is refused */
static void have_table(const struct guest *g, int container, int group)
{
	const struct ioasid_tce_window window = { .size = G, .page_shift = 12 };
	const struct ioasid_tce_window nowhere = { .start = 2 * G, .size = G,
						   .page_shift = 12 };
	int kvm_device = -1, table, other;

	if (ioasid_kvm_tce_new(g->vm, LIOBN, &window, &table, &failure) < 0 ||
	    ioasid_kvm_tce_new(g->vm, LIOBN + 1, &nowhere, &other, &failure) < 0)
		refused("table", &failure);
	must("a second table of the same number",
	     ioasid_kvm_tce_new(g->vm, LIOBN, &window, &other, &failure), -EBUSY);
	if (ioasid_kvm_add(g->vm, &kvm_device, group, &failure) < 0)
		refused("add", &failure);
	must("a window that the kernel has not made yet",
	     ioasid_kvm_tce_link(kvm_device, group, table, &failure), -EINVAL);
	if (ioasid_tce_unmap(container, 0, EDU_PAGE, &failure) < 0)
		refused("unmap", &failure);
	must("a table where there is no window",
	     ioasid_kvm_tce_link(kvm_device, group, other, &failure), -EINVAL);
	if (ioasid_kvm_remove(kvm_device, group, &failure) < 0)
		refused("remove", &failure);
	must("a group that was not added",
	     ioasid_kvm_tce_link(kvm_device, group, table, &failure), -ENOENT);
	if (ioasid_kvm_add(g->vm, &kvm_device, group, &failure) < 0 ||
	    ioasid_kvm_tce_link(kvm_device, group, table, &failure) < 0)
		refused("link", &failure);
}

/* is_carried() - Does the device carry a page from one address to the other? */
static bool is_carried(const struct guest *g, int device, uint8_t fill)
{
	memset(g->ram + FROM, fill, EDU_PAGE);
	memset(g->ram + TO, 0, EDU_PAGE);
	edu_load(device, IOVA_FROM);
	edu_store(device, IOVA_TO);
	return memcmp(g->ram + FROM, g->ram + TO, EDU_PAGE) == 0;
}

int main(int argc, char **argv)
{
	struct guest guest = { .vm = -1 };
	struct ioasid_claim *claim;
	struct ioasid *conn;
	int device;

	if (argc != 2)
		die("usage: kvm-tce LEASE");
	setvbuf(stdout, NULL, _IOLBF, 0);
	conn = connect_daemon();
	claim = claim_lease(conn, argv[1]);
	device = claim->devices[0].fd;
	edu_enable(device);

	start_guest(&guest, claim->iommufd);
	have_table(&guest, claim->iommufd, claim->groups[0].fd);
	put(&guest, IOVA_FROM, FROM | READ_WRITE);
	put(&guest, IOVA_TO, TO | READ_WRITE);
	if (!is_carried(&guest, device, 0x5a))
		die("the device has not carried what the guest has put there");
	printf("carried by the guest's addresses\n");

	put(&guest, IOVA_TO, 0);
	if (is_carried(&guest, device, 0xa5))
		die("the device still writes where the guest has taken it away");
	printf("taken away by the guest\n");
	ioasid_claim_free(claim);
	ioasid_disconnect(conn);
	return 0;
}
