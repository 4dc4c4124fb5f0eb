/* SPDX-License-Identifier: Apache-2.0
 *
 * machine.c - the simulated machine: what there is, and its one lock
 *
 * Devices, groups and IOMMUs are kept as arrays of pointers in the order in
 * which the inventory shows them, and found by bsearch(3). An element never
 * leaves its array before the machine ends: a function that was pulled, a VF
 * that is switched off, is only not present. So pointers may be kept across
 * sim_wait(), and presence is what must be asked anew.
 *
 * What is added in order, as whole descriptions mostly are, is appended.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/str.h"
#include "kernel/sim/driver.h"
#include "kernel/sim/function.h"
#include "kernel/sim/rule.h"
#include "kernel/sim/sim.h"

/* gcc 12's -fanalyzer forgets what an array of unknown length points to. */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* --- the machine --- */

/**
 * make_boot_id() - Make up the identity of a boot
 * @ret:	A random UUID (RFC 9562, version 4)
 *
 * Cannot fail: getrandom(2) of 16 bytes waits for nothing once the host is up.
 */
static void make_boot_id(char ret[37])
{
	unsigned char b[16] = { 0 };

	(void)!getrandom(b, sizeof(b), 0);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0, at = 0; i < sizeof(b); i++) {
		static const char hex[] = "0123456789abcdef";

		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret[at++] = '-';
		ret[at++] = hex[b[i] >> 4];
		ret[at++] = hex[b[i] & 15];
	}
	ret[36] = '\0';
}

/* sim_new() - An empty machine */
int sim_new(struct sim **ret)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	pthread_condattr_t attr;

	if (!sim)
		return -ENOMEM;

	/* None of these can fail with glibc's default attributes. */
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&sim->lock, NULL);
	(void)pthread_cond_init(&sim->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	make_boot_id(sim->info.boot_id);

	*ret = sim;
	return 0;
}

/* sim_free() - NULL is allowed */
struct sim *sim_free(struct sim *sim)
{
	if (!sim)
		return NULL;

	for (size_t i = 0; i < sim->n_devices; i++)
		(void)sim_device_free(sim->devices[i]);
	for (size_t i = 0; i < sim->n_groups; i++)
		(void)sim_group_free(sim->groups[i]);
	for (size_t i = 0; i < sim->n_iommus; i++)
		free(sim->iommus[i]);
	free(sim->devices);
	free(sim->groups);
	free(sim->iommus);
	(void)pthread_cond_destroy(&sim->changed);
	(void)pthread_mutex_destroy(&sim->lock);
	free(sim);

	return NULL;
}

void sim_lock(struct sim *sim)
{
	(void)pthread_mutex_lock(&sim->lock);
}

void sim_unlock(struct sim *sim)
{
	(void)pthread_mutex_unlock(&sim->lock);
}

/* sim_wait() - Wait until something has changed */
int sim_wait(struct sim *sim, uint64_t deadline_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline_ns / 1000000000),
		.tv_nsec = (long)(deadline_ns % 1000000000),
	};

	if (!deadline_ns)
		return -pthread_cond_wait(&sim->changed, &sim->lock);

	return -pthread_cond_timedwait(&sim->changed, &sim->lock, &ts);
}

/* sim_changed() - Wake those that wait */
void sim_changed(struct sim *sim)
{
	(void)pthread_cond_broadcast(&sim->changed);
}

/* sim_delay() - Let time go by without the lock */
void sim_delay(struct sim *sim, unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000,
	};

	if (!ms)
		return;

	sim_unlock(sim);
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
	sim_lock(sim);
}

/* --- sorted arrays of pointers --- */

/**
 * place() - Where is an element, or where would it go?
 * @items:	In order
 * @n:		How many
 * @key:	What @compare takes first
 * @compare:	As for bsearch(3), but with the element itself second
 * @ret_found:	It is there
 *
 * Return: its index.
 */
static size_t place(void *const *items, size_t n, const void *key,
		    int (*compare)(const void *key, const void *item),
		    bool *ret_found)
{
	size_t low = 0, high = n;

	*ret_found = false;
	/* In order is the rule: then it goes behind the last. */
	if (n && compare(key, items[n - 1]) > 0)
		return n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = compare(key, items[middle]);

		if (!c) {
			*ret_found = true;
			return middle;
		}
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}

	return low;
}

/**
 * insert() - Put an element where it belongs
 * @items:	The array; grows to twice its size where it is full
 * @n:		How many
 * @item:	The element; the caller's still on failure
 * @key:	See place()
 * @compare:	See place()
 *
 * Return: 0; -EEXIST; -ENOMEM.
 */
static int insert(void ***items, size_t *n, void *item, const void *key,
		  int (*compare)(const void *key, const void *item))
{
	bool found;
	size_t at = place(*items, *n, key, compare, &found);

	if (found)
		return -EEXIST;
	/* Full if it holds a power of two; the first room is for 16. */
	if (!(*n & (*n - 1)) && (*n >= 16 || !*n)) {
		size_t room = *n ? *n * 2 : 16;
		void **more = reallocarray(*items, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		*items = more;
	}
	memmove(*items + at + 1, *items + at, (*n - at) * sizeof(**items));
	(*items)[at] = item;
	(*n)++;

	return 0;
}

static int compare_bdf(const void *key, const void *item)
{
	return strcmp(key, ((const struct sim_device *)item)->facts.bdf);
}

static int compare_number(const void *key, const void *item)
{
	int a = *(const int *)key;
	int b = ((const struct sim_group *)item)->facts.number;

	return (a > b) - (a < b);
}

static int compare_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct sim_iommu *)item)->facts.name);
}

/* sim_device_known() - A function, also one that is not present */
struct sim_device *sim_device_known(struct sim *sim, const char *bdf)
{
	bool found;
	size_t at = place((void *const *)sim->devices, sim->n_devices, bdf,
			  compare_bdf, &found);

	return found ? sim->devices[at] : NULL;
}

/* sim_device() - A function that is there */
struct sim_device *sim_device(struct sim *sim, const char *bdf)
{
	struct sim_device *device = sim_device_known(sim, bdf);

	return device && device->present ? device : NULL;
}

/* sim_group_known() - A group, also one that has no function now */
struct sim_group *sim_group_known(struct sim *sim, int number)
{
	bool found;
	size_t at = place((void *const *)sim->groups, sim->n_groups, &number,
			  compare_number, &found);

	return found ? sim->groups[at] : NULL;
}

/* sim_iommu_known() - An IOMMU by its name */
struct sim_iommu *sim_iommu_known(struct sim *sim, const char *name)
{
	bool found;
	size_t at = place((void *const *)sim->iommus, sim->n_iommus, name,
			  compare_name, &found);

	return found ? sim->iommus[at] : NULL;
}

/* sim_device_free() - NULL is allowed */
struct sim_device *sim_device_free(struct sim_device *device)
{
	if (!device)
		return NULL;

	(void)function_free(device->function);
	free(device->vf_template);
	free(device);

	return NULL;
}

/* sim_group_free() - NULL is allowed */
struct sim_group *sim_group_free(struct sim_group *group)
{
	if (!group)
		return NULL;

	free(group->facts.reserved);
	free(group);

	return NULL;
}

/* sim_add_device_consume() - Put a function into the machine */
int sim_add_device_consume(struct sim *sim, struct sim_device *device)
{
	int r = insert((void ***)&sim->devices, &sim->n_devices, device,
		       device->facts.bdf, compare_bdf);

	if (r < 0)
		(void)sim_device_free(device);

	return r;
}

/* sim_add_group_consume() - Put a group into the machine */
int sim_add_group_consume(struct sim *sim, struct sim_group *group)
{
	int r = insert((void ***)&sim->groups, &sim->n_groups, group,
		       &group->facts.number, compare_number);

	if (r < 0)
		(void)sim_group_free(group);

	return r;
}

/* sim_remove_group() - Take a group out of the machine, and free it */
void sim_remove_group(struct sim *sim, struct sim_group *group)
{
	bool found;
	size_t at = place((void *const *)sim->groups, sim->n_groups,
			  &group->facts.number, compare_number, &found);

	if (!found)
		return;
	sim->n_groups--;
	memmove(&sim->groups[at], &sim->groups[at + 1],
		(sim->n_groups - at) * sizeof(*sim->groups));
	(void)sim_group_free(group);
}

/* sim_add_iommu_consume() - Put an IOMMU into the machine */
int sim_add_iommu_consume(struct sim *sim, struct sim_iommu *iommu)
{
	int r = insert((void ***)&sim->iommus, &sim->n_iommus, iommu,
		       iommu->facts.name, compare_name);

	if (r < 0)
		free(iommu);

	return r;
}

/* --- inventory --- */

/**
 * room() - An array for so many
 *
 * Return: NULL only if there is no memory.
 */
static void *room(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

/**
 * copy_devices() - The functions that are there
 * @inv:	@devices has room for all
 */
static void copy_devices(const struct sim *sim, struct kernel_inventory *inv)
{
	for (size_t i = 0; i < sim->n_devices; i++) {
		const struct sim_device *device = sim->devices[i];

		if (device->present || !sim_rule(SIM_RULE_PULLED_IS_GONE))
			inv->devices[inv->n_devices++] = device->facts;
	}
}

/**
 * count_members() - How many functions has each group, there and not there?
 * @ret_now:	A number for each group
 * @ret_ever:	likewise
 */
static void count_members(struct sim *sim, unsigned int *ret_now,
			  unsigned int *ret_ever)
{
	for (size_t i = 0; i < sim->n_devices; i++) {
		const struct sim_device *device = sim->devices[i];
		bool found;
		size_t at;

		if (!device->group)
			continue;
		at = place((void *const *)sim->groups, sim->n_groups,
			   &device->group->facts.number, compare_number,
			   &found);
		ret_ever[at]++;
		ret_now[at] += device->present;
	}
}

/**
 * copy_group() - A group, with reserved regions of its own
 * @inv:	@groups has room; kernel_inventory_free() frees what is there
 *
 * Return: 0 or -ENOMEM.
 */
static int copy_group(const struct kernel_group *from,
		      struct kernel_inventory *inv)
{
	struct kernel_reserved *reserved = NULL;
	size_t size = from->n_reserved * sizeof(*reserved);

	if (size) {
		reserved = malloc(size);
		if (!reserved)
			return -ENOMEM;
		memcpy(reserved, from->reserved, size);
	}
	inv->groups[inv->n_groups] = *from;
	inv->groups[inv->n_groups++].reserved = reserved;

	return 0;
}

/**
 * copy_groups() - The groups, but for those whose last function has gone
 * @inv:	@groups has room for all
 *
 * A group that never had a PCI function is of a platform device, and stays.
 *
 * Return: 0 or -ENOMEM.
 */
static int copy_groups(struct sim *sim, struct kernel_inventory *inv)
{
	_cleanup_free_ unsigned int *now = room(sim->n_groups, sizeof(*now));
	_cleanup_free_ unsigned int *ever = room(sim->n_groups, sizeof(*ever));

	if (!now || !ever)
		return -ENOMEM;
	count_members(sim, now, ever);

	for (size_t i = 0; i < sim->n_groups; i++) {
		if (ever[i] && !now[i] &&
		    sim_rule(SIM_RULE_GROUP_ENDS_WITH_LAST_FUNCTION))
			continue;
		if (copy_group(&sim->groups[i]->facts, inv) < 0)
			return -ENOMEM;
	}

	return 0;
}

static void inventory_freep(struct kernel_inventory **inv)
{
	*inv = kernel_inventory_free(*inv);
}

/* sim_inventory() - The machine at this moment */
int sim_inventory(struct sim *sim, struct kernel_inventory **ret)
{
	__attribute__((cleanup(inventory_freep)))
	struct kernel_inventory *inv = calloc(1, sizeof(*inv));

	if (!inv)
		return -ENOMEM;
	inv->devices = room(sim->n_devices, sizeof(*inv->devices));
	inv->groups = room(sim->n_groups, sizeof(*inv->groups));
	inv->iommus = room(sim->n_iommus, sizeof(*inv->iommus));
	if (!inv->devices || !inv->groups || !inv->iommus)
		return -ENOMEM;

	copy_devices(sim, inv);
	if (copy_groups(sim, inv) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < sim->n_iommus; i++)
		inv->iommus[inv->n_iommus++] = sim->iommus[i]->facts;
	inv->isolated_msi = sim->isolated_msi;
	inv->no_iommu_mode = sim->no_iommu_mode;

	*ret = TAKE_PTR(inv);
	return 0;
}
