/* SPDX-License-Identifier: Apache-2.0
 *
 * sriov.c - VFs of the simulated machine
 *
 * All VFs that a PF could have are in the machine from the beginning, at the
 * address that offset and stride give them; sriov_numvfs says which of them are
 * present. Source: drivers/pci/iov.c of Linux 7.3.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "kernel/sim/driver.h"
#include "kernel/sim/rule.h"

/* sriov_address() - The address of a VF */
int sriov_address(const char *pf, unsigned int first, unsigned int stride,
		  unsigned int index, char ret[BDF_SIZE])
{
	unsigned int domain, bus, slot, function;
	uint64_t id;

	/* As bdf_parse() has written it. */
	if (sscanf(pf, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return -EINVAL;

	id = (uint64_t)bus << 8 | slot << 3 | function;
	id += first + (uint64_t)stride * index;
	if (id > 0xffff)
		return -ERANGE;

	(void)str_format(ret, BDF_SIZE, "%04x:%02x:%02x.%x", domain,
			 (unsigned int)id >> 8, (unsigned int)id >> 3 & 0x1f,
			 (unsigned int)id & 7);
	return 0;
}

/**
 * is_vf() - Is a device a VF of that PF?
 */
static bool is_vf(const struct sim_device *device, const struct sim_device *pf)
{
	return device->facts.physfn[0] &&
	       str_eq(device->facts.physfn, pf->facts.bdf);
}

/**
 * count_vfs() - How many VFs can a PF have that are known?
 */
static unsigned int count_vfs(const struct sim *sim,
			      const struct sim_device *pf)
{
	unsigned int n = 0;

	for (size_t i = 0; i < sim->n_devices; i++)
		n += is_vf(sim->devices[i], pf);

	return n;
}

/**
 * renew() - A VF is made anew: as its PF makes them
 */
static void renew(struct sim_device *vf, const struct sim_device *template)
{
	if (!template)
		return;

	memcpy(vf->host_driver, template->host_driver, sizeof(vf->host_driver));
	memcpy(vf->users, template->users, sizeof(vf->users));
	vf->n_users = template->n_users;
	vf->bind_ms = template->bind_ms;
	vf->unbind_ms = template->unbind_ms;
	vf->reset_ms = template->reset_ms;
	vf->reset_error = template->reset_error;
	vf->probe_error = template->probe_error;
}

/**
 * enable() - Let the first so many VFs come
 *
 * The number is there once all of them are.
 */
static void enable(struct sim *sim, struct sim_device *pf, unsigned int n)
{
	for (size_t i = 0; i < sim->n_devices; i++) {
		struct sim_device *vf = sim->devices[i];

		if (!is_vf(vf, pf) || vf->vf_of >= n || vf->present)
			continue;
		renew(vf, pf->vf_template);
		driver_come(sim, vf);
	}
	pf->facts.sriov_num = n;
	driver_announce(sim, "change", "pci", pf->facts.bdf);
}

/* sriov_disable() - Let all VFs of a PF go */
void sriov_disable(struct sim *sim, struct sim_device *pf)
{
	if (!pf->facts.sriov_total)
		return;

	for (size_t i = 0; i < sim->n_devices; i++) {
		struct sim_device *vf = sim->devices[i];
		uint64_t call = sim_call_new(sim);

		if (!is_vf(vf, pf) || driver_lock(sim, vf, call) < 0)
			continue;
		driver_go(sim, vf);
		driver_unlock(sim, vf, call);
	}
	pf->facts.sriov_num = 0;
}

/**
 * set() - Write sriov_numvfs; the PF's lock is held
 *
 * Return: as sim_set_numvfs().
 */
static int set(struct sim *sim, struct sim_device *pf, unsigned int n)
{
	if (n == pf->facts.sriov_num)
		return 0;
	/* A VFIO driver makes none unless a parameter of its module says so. */
	if ((!pf->facts.driver[0] || pf->facts.vfio || !count_vfs(sim, pf)) &&
	    sim_rule(SIM_RULE_NUMVFS_NEEDS_HOST_DRIVER))
		return -ENOENT;
	if (!n) {
		sriov_disable(sim, pf);
		return 0;
	}
	if (pf->facts.sriov_num && sim_rule(SIM_RULE_NUMVFS_GOES_BY_ZERO))
		return -EBUSY;
	/* Those that were described one by one have addresses, others not. */
	if (n > count_vfs(sim, pf))
		return -ENOMEM;
	enable(sim, pf, n);

	return 0;
}

/* sim_set_numvfs() - Write sriov_numvfs of a PF */
int sim_set_numvfs(struct sim *sim, const char *bdf, unsigned int n)
{
	struct sim_device *pf = sim_device(sim, bdf);
	uint64_t call = sim_call_new(sim);
	int r;

	if (!pf)
		return -ENODEV;
	/* One that has no VFs has no such file. */
	if (!pf->facts.sriov_total)
		return -ENOENT;
	if (n > pf->facts.sriov_total && sim_rule(SIM_RULE_NUMVFS_HAS_A_LIMIT))
		return -ERANGE;
	r = driver_lock(sim, pf, call);
	if (r < 0)
		return r;
	r = set(sim, pf, n);
	driver_unlock(sim, pf, call);

	return r;
}
