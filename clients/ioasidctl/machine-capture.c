/* SPDX-License-Identifier: Apache-2.0
 *
 * machine-capture.c - ioasidctl machine capture: this host as a description for
 *		       the simulated machine (packaging/machines/README.md)
 *
 * All is asked of the daemon. What it does not know is not in the description:
 * BARs, what uses a device, how long things take. A device that is prepared is
 * described with the driver that it had; what the probe found of its IOMMU is
 * the IOMMU's there.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "base/platform.h"
#include "base/str.h"
#include "ioasid/v1/common.pb-c.h"
#include "ioasid/v1/device.pb-c.h"
#include "ioasidctl/ctl.h"
#include "libioasid/message.h"

#define VFIO_DRIVERS_MAX 8

static const struct option_spec options[] = { NO_MORE_OPTIONS };

/**
 * struct host - What the daemon says
 */
struct host {
	const Ioasid__V1__Version *version;
	const Ioasid__V1__ListDevicesResponse *devices;
	const Ioasid__V1__ListGroupsResponse *groups;
	const Ioasid__V1__ListIommusResponse *iommus;
};

/* --- JSON ----------------------------------------------------------------- */

/**
 * put() - Add a member to an object
 * @value:	Passes to the object
 */
static void put(struct json_object *to, const char *name,
		struct json_object *value)
{
	if (!value || json_object_object_add(to, name, value) < 0)
		ctl_no_memory();
}

/**
 * add() - Add an element to an array
 * @value:	Passes to the array
 */
static void add(struct json_object *to, struct json_object *value)
{
	if (!value || json_object_array_add(to, value) < 0)
		ctl_no_memory();
}

static struct json_object *object(void)
{
	struct json_object *value = json_object_new_object();

	if (!value)
		ctl_no_memory();
	return value;
}

static struct json_object *array(void)
{
	struct json_object *value = json_object_new_array();

	if (!value)
		ctl_no_memory();
	return value;
}

static void put_text(struct json_object *to, const char *name,
		     const char *text)
{
	if (*text)
		put(to, name, json_object_new_string(text));
}

/**
 * put_hex() - A number as people know it
 * @digits:	How many at least
 */
static void put_hex(struct json_object *to, const char *name, uint64_t number,
		    int digits)
{
	char text[24];

	(void)str_format(text, sizeof(text), "0x%0*" PRIx64, digits, number);
	put(to, name, json_object_new_string(text));
}

static void put_number(struct json_object *to, const char *name, int64_t number)
{
	put(to, name, json_object_new_int64(number));
}

/* --- IOMMUs --------------------------------------------------------------- */

/**
 * probed_behind() - Is a device behind an IOMMU, and has it been probed?
 */
static bool probed_behind(const Ioasid__V1__Device *d,
			  const Ioasid__V1__Iommu *iommu)
{
	return d->capabilities && str_eq(d->iommu, iommu->name);
}

/**
 * group_of() - The group of a device
 *
 * Return: NULL if it has none.
 */
static const Ioasid__V1__Group *group_of(const struct host *host,
					 const Ioasid__V1__Device *d)
{
	for (size_t i = 0; i < host->groups->n_groups; i++)
		if (str_eq(host->groups->groups[i]->name, d->group))
			return host->groups->groups[i];

	return NULL;
}

/**
 * struct aperture - Addresses that an IOMMU translates; @last 0: not known
 */
struct aperture {
	uint64_t start, last;
};

/**
 * widen() - Reserved regions at the edge of what can be used lie within
 */
static void widen(struct aperture *a, const Ioasid__V1__Group *group)
{
	bool again = group != NULL;

	while (again) {
		again = false;
		for (size_t i = 0; i < group->n_reserved_regions; i++) {
			const Ioasid__V1__ReservedRegion *r =
				group->reserved_regions[i];

			if (a->start && r->last == a->start - 1) {
				a->start = r->start;
				again = true;
			}
			if (a->last != UINT64_MAX && r->start == a->last + 1 &&
			    r->last > a->last) {
				a->last = r->last;
				again = true;
			}
		}
	}
}

/**
 * measured() - The aperture, by what a device behind it can use
 */
static struct aperture measured(const struct host *host,
				const Ioasid__V1__Iommu *iommu)
{
	struct aperture a = { UINT64_MAX, 0 };

	for (size_t i = 0; i < host->devices->n_devices; i++) {
		const Ioasid__V1__Device *d = host->devices->devices[i];

		if (!probed_behind(d, iommu))
			continue;
		for (size_t r = 0; r < d->capabilities->n_iova_ranges; r++) {
			const Ioasid__V1__IovaRange *range =
				d->capabilities->iova_ranges[r];

			if (range->start < a.start)
				a.start = range->start;
			if (range->last > a.last)
				a.last = range->last;
		}
		if (a.last)
			widen(&a, group_of(host, d));
	}

	return a;
}

/* usual() - The aperture that IOMMUs of a family mostly have */
static struct aperture usual(const char *family)
{
	return (struct aperture){ 0, platform_of(family)->aperture_last };
}

/**
 * put_hw_info() - What IOMMU_GET_HW_INFO said, if it said anything
 */
static void put_hw_info(struct json_object *to,
			const Ioasid__V1__Capabilities *caps)
{
	struct json_object *hw = object();
	char data[2 * 256 + 1] = "";

	for (size_t i = 0; i < caps->hw_info.len && i < 256; i++)
		(void)str_format(data + 2 * i, 3, "%02x",
				 caps->hw_info.data[i]);
	put_number(hw, "type", caps->hw_info_type);
	put_text(hw, "data", data);
	put_number(hw, "capabilities", (int64_t)caps->hw_capabilities);
	put_number(hw, "max_pasid_log2", caps->max_pasid_log2);
	put(to, "hw_info", hw);
}

/**
 * put_page_tables() - Kinds of page tables that can be made
 * @family:	Of the IOMMU: tells what a guest's table is like
 */
static void put_page_tables(struct json_object *to,
			    const Ioasid__V1__Capabilities *caps,
			    const char *family)
{
	struct json_object *kinds = array();
	const uint32_t nested = platform_of(family)->guest_table;

	if (caps->nest_parent)
		add(kinds, json_object_new_string("nest-parent"));
	if (caps->dirty_tracking)
		add(kinds, json_object_new_string("dirty-tracking"));
	if (caps->pasid)
		add(kinds, json_object_new_string("pasid"));
	put(to, "page_tables", kinds);
	if (caps->nest_parent && nested)
		put_number(to, "nested_type", nested);
}

/**
 * put_probed() - What the probe of a device found of its IOMMU
 *
 * Return: false if no device behind it was probed.
 */
static bool put_probed(struct json_object *to, const struct host *host,
		       const Ioasid__V1__Iommu *iommu)
{
	for (size_t i = 0; i < host->devices->n_devices; i++) {
		const Ioasid__V1__Device *d = host->devices->devices[i];
		const Ioasid__V1__Capabilities *caps = d->capabilities;

		if (!probed_behind(d, iommu))
			continue;
		if (caps->iova_alignment >= 1 && caps->iova_alignment <= 4096)
			put_number(to, "alignment",
				   (int64_t)caps->iova_alignment);
		/* Of some there is nothing but capabilities. */
		if (caps->hw_info_type || caps->hw_capabilities)
			put_hw_info(to, caps);
		put_page_tables(to, caps, iommu->family);
		return true;
	}

	return false;
}

/**
 * iommu_json() - An IOMMU
 */
static struct json_object *iommu_json(const struct host *host,
				      const Ioasid__V1__Iommu *iommu)
{
	struct json_object *to = object(), *registers = object();
	struct json_object *range = object();
	struct aperture a = measured(host, iommu);

	put_text(to, "name", ctl_short_name(iommu->name));
	put_text(to, "family", iommu->family);
	for (size_t i = 0; i < iommu->n_registers; i++)
		put(registers, iommu->registers[i]->name,
		    json_object_new_string(iommu->registers[i]->value));
	put(to, "registers", registers);
	if (!put_probed(to, host, iommu))
		put_text(to, "note",
			 "No device behind it was probed: its aperture is what its family usually has, and its hardware is not known. `ioasidctl prepare` one and capture again.");
	if (!a.last)
		a = usual(iommu->family);
	put_hex(range, "start", a.start, 1);
	put_hex(range, "last", a.last, 1);
	put(to, "aperture", range);

	return to;
}

/* --- groups --------------------------------------------------------------- */

/**
 * isolates() - Is a group one that an IOMMU isolates?
 *
 * Those of devices without an IOMMU are VFIO's, and come and go with it.
 */
static bool isolates(const struct host *host, const Ioasid__V1__Group *group)
{
	for (size_t i = 0; i < host->devices->n_devices; i++)
		if (host->devices->devices[i]->no_iommu &&
		    str_eq(host->devices->devices[i]->group, group->name))
			return false;

	return true;
}

/**
 * group_json() - A group
 */
static struct json_object *group_json(const Ioasid__V1__Group *group)
{
	struct json_object *to = object(), *regions = array();

	put_number(to, "number", group->number);
	put_text(to, "type", group->type);
	for (size_t i = 0; i < group->n_reserved_regions; i++) {
		struct json_object *region = object();

		put_hex(region, "start", group->reserved_regions[i]->start, 1);
		put_hex(region, "last", group->reserved_regions[i]->last, 1);
		put_text(region, "type", group->reserved_regions[i]->type);
		add(regions, region);
	}
	put(to, "reserved", regions);

	return to;
}

/* --- devices -------------------------------------------------------------- */

/**
 * bdf_of() - The address of a device by its name
 *
 * Return: NULL if it is not there.
 */
static const char *bdf_of(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->devices->n_devices; i++)
		if (host->devices->devices[i]->pci &&
		    str_eq(host->devices->devices[i]->name, name))
			return host->devices->devices[i]->pci->bdf;

	return NULL;
}

/**
 * is_ours() - Has the daemon a device, which was with another driver before?
 */
static bool is_ours(const Ioasid__V1__Device *d)
{
	switch (d->state) {
	case IOASID__V1__DEVICE__STATE__PREPARING:
	case IOASID__V1__DEVICE__STATE__READY:
	case IOASID__V1__DEVICE__STATE__LEASED:
	case IOASID__V1__DEVICE__STATE__RECLAIMING:
	case IOASID__V1__DEVICE__STATE__QUARANTINED:
	case IOASID__V1__DEVICE__STATE__STUCK:
		return true;
	default:
		/* With the host, foreign, gone; what a later daemon adds. */
		return false;
	}
}

/**
 * put_pci() - What the bus says
 */
static void put_pci(struct json_object *to, const struct host *host,
		    const Ioasid__V1__PciDetails *pci)
{
	char methods[128] = "";
	const char *pf;

	put_hex(to, "vendor", pci->vendor, 4);
	put_hex(to, "device", pci->device, 4);
	put_hex(to, "subsystem_vendor", pci->subsystem_vendor, 4);
	put_hex(to, "subsystem_device", pci->subsystem_device, 4);
	put_hex(to, "class", pci->class_, 6);
	put_number(to, "revision", pci->revision_id);
	for (size_t i = 0; i < pci->n_reset_methods; i++) {
		size_t at = strlen(methods);

		(void)str_format(methods + at, sizeof(methods) - at, "%s%s",
				 at ? " " : "", pci->reset_methods[i]);
	}
	put_text(to, "reset_methods", methods);
	pf = bdf_of(host, pci->physical_function);
	if (pf)
		put_text(to, "physfn", pf);
	if (pci->sriov_total) {
		struct json_object *sriov = object();

		put_number(sriov, "total", pci->sriov_total);
		put(to, "sriov", sriov);
	}
}

/**
 * put_drivers() - Its driver on the host, or that it is somebody else's
 */
static void put_drivers(struct json_object *to, const Ioasid__V1__Device *d)
{
	if (d->state == IOASID__V1__DEVICE__STATE__FOREIGN)
		put_text(to, "override", d->driver);
	else if (is_ours(d))
		put_text(to, "driver", d->former_driver);
	else
		put_text(to, "driver", d->driver);
}

/**
 * has_iommu() - Is an IOMMU one of those listed?
 */
static bool has_iommu(const struct host *host, const char *name)
{
	for (size_t i = 0; i < host->iommus->n_iommus; i++)
		if (str_eq(host->iommus->iommus[i]->name, name))
			return true;

	return false;
}

/**
 * device_json() - A device
 */
static struct json_object *device_json(const struct host *host,
				       const Ioasid__V1__Device *d)
{
	const Ioasid__V1__Group *group = group_of(host, d);
	struct json_object *to = object(), *bars;

	put_text(to, "bdf", d->pci->bdf);
	put_pci(to, host, d->pci);
	put_drivers(to, d);
	/* It lists methods, and the probe found that none of them works. That it
	 * is not alone on its bus a simulation sees for itself.
	 */
	if (is_ours(d) && d->no_reset && d->pci->n_reset_methods &&
	    d->pci->n_reset_set < 2)
		put_text(to, "reset_error", "ENOTTY");
	if (d->bridge)
		put(to, "bridge", json_object_new_boolean(true));
	put_number(to, "numa_node", d->numa_node >= 0 ? d->numa_node : -1);
	if (group && !d->no_iommu)
		put_number(to, "group", group->number);
	if (group && has_iommu(host, d->iommu))
		put_text(to, "iommu", ctl_short_name(d->iommu));
	/* QEMU's edu, which does DMA by registers that are always there. */
	if (d->pci->vendor == 0x1234 && d->pci->device == 0x11e8) {
		bars = array();
		add(bars, json_object_new_int64(1 << 20));
		put(to, "bars", bars);
	}

	return to;
}

/* --- the machine ---------------------------------------------------------- */

/**
 * add_driver() - One more VFIO driver, unless it is known
 */
static void add_driver(struct strv *drivers, const char *driver)
{
	if (!driver[0] || drivers->n == VFIO_DRIVERS_MAX ||
	    strv_has(drivers, driver))
		return;
	if (strv_add(drivers, driver) < 0)
		ctl_no_memory();
}

/**
 * has_iommufd() - Has the kernel iommufd?
 *
 * No kernel for POWER has it; a simulated one tells only that it is simulated.
 */
static bool has_iommufd(const struct host *host)
{
	for (size_t i = 0; i < host->iommus->n_iommus; i++)
		if (platform_of(host->iommus->iommus[i]->family)->spapr)
			return false;

	return str_eq(host->version->backend, "iommufd") ||
	       str_eq(host->version->backend, "sim");
}

/**
 * kernel_json() - The kernel; VFIO drivers are those that were seen
 */
static struct json_object *kernel_json(const struct host *host)
{
	struct json_object *to = object(), *names = array();
	_cleanup_strv_ struct strv drivers = STRV_NULL;
	bool unsafe = false, no_iommu = false;

	add_driver(&drivers, "vfio-pci");
	for (size_t i = 0; i < host->devices->n_devices; i++) {
		const Ioasid__V1__Device *d = host->devices->devices[i];

		if (d->state == IOASID__V1__DEVICE__STATE__FOREIGN ||
		    d->state == IOASID__V1__DEVICE__STATE__READY ||
		    d->state == IOASID__V1__DEVICE__STATE__LEASED)
			add_driver(&drivers, d->driver);
		unsafe = unsafe || d->unsafe_interrupts;
		no_iommu = no_iommu || d->no_iommu;
	}
	for (size_t i = 0; i < drivers.n; i++)
		add(names, json_object_new_string(drivers.items[i]));
	put_text(to, "release", host->version->kernel);
	put(to, "iommufd", json_object_new_boolean(has_iommufd(host)));
	put(to, "vfio_drivers", names);
	put(to, "allow_unsafe_interrupts", json_object_new_boolean(unsafe));
	put(to, "no_iommu_mode", json_object_new_boolean(no_iommu));

	return to;
}

/**
 * print_array() - A member that is an array, an element a line
 * @items:	Freed
 * @last:	Nothing follows
 */
static void print_array(const char *name, struct json_object *items, bool last)
{
	size_t n = json_object_array_length(items);

	printf("  \"%s\": [", name);
	for (size_t i = 0; i < n; i++)
		printf("%s\n    %s", i ? "," : "",
		       json_object_to_json_string_ext(
			       json_object_array_get_idx(items, i),
			       JSON_C_TO_STRING_SPACED |
			       JSON_C_TO_STRING_NOSLASHESCAPE));
	printf("%s]%s\n", n ? "\n  " : "", last ? "" : ",");
	(void)json_object_put(items);
}

/**
 * isolated_msi() - Does the host remap interrupts?
 *
 * It is the same for all devices.
 */
static const char *isolated_msi(const struct host *host)
{
	if (!host->devices->n_devices)
		return "unknown";
	switch (host->devices->devices[0]->isolated_msi) {
	case IOASID__V1__DEVICE__ISOLATED_MSI__YES:
		return "yes";
	case IOASID__V1__DEVICE__ISOLATED_MSI__NO:
		return "no";
	default:
		return "unknown";
	}
}

/**
 * print_machine() - All of it
 */
static void print_machine(const struct host *host)
{
	struct json_object *iommus = array(), *groups = array();
	struct json_object *devices = array(), *kernel = kernel_json(host);

	for (size_t i = 0; i < host->iommus->n_iommus; i++)
		add(iommus, iommu_json(host, host->iommus->iommus[i]));
	for (size_t i = 0; i < host->groups->n_groups; i++)
		if (isolates(host, host->groups->groups[i]))
			add(groups, group_json(host->groups->groups[i]));
	for (size_t i = 0; i < host->devices->n_devices; i++) {
		const Ioasid__V1__Device *d = host->devices->devices[i];

		if (d->pci && d->state != IOASID__V1__DEVICE__STATE__GONE)
			add(devices, device_json(host, d));
	}

	printf("{\n  \"schema\": \"ioasid.machine.v1\",\n");
	printf("  \"note\": \"Captured by ioasidctl %s. What ioasidd does not know is not here: BARs, what uses a device, how long things take. Prepared devices are described with the driver that they had.\",\n",
	       ioasid_version());
	printf("  \"kernel\": %s,\n",
	       json_object_to_json_string_ext(kernel, JSON_C_TO_STRING_SPACED));
	printf("  \"isolated_msi\": \"%s\",\n", isolated_msi(host));
	print_array("iommus", iommus, false);
	print_array("groups", groups, false);
	print_array("devices", devices, true);
	printf("}\n");
	(void)json_object_put(kernel);
}

/**
 * run() - Describe the host
 * @ctl:	This run
 * @args:	None
 * @n_args:	0
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__GetVersionRequest version_request =
		IOASID__V1__GET_VERSION_REQUEST__INIT;
	Ioasid__V1__ListDevicesRequest devices_request =
		IOASID__V1__LIST_DEVICES_REQUEST__INIT;
	Ioasid__V1__ListGroupsRequest groups_request =
		IOASID__V1__LIST_GROUPS_REQUEST__INIT;
	Ioasid__V1__ListIommusRequest iommus_request =
		IOASID__V1__LIST_IOMMUS_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *version = NULL, *devices = NULL;
	_cleanup_message_ ProtobufCMessage *groups = NULL, *iommus = NULL;
	int r;

	devices_request.all = true;
	r = ctl_call(ctl, "Host/GetVersion", &version_request.base,
		     &ioasid__v1__version__descriptor, NULL, &version);
	if (!r)
		r = ctl_list(ctl, "Devices/ListDevices", &devices_request.base,
			     &ioasid__v1__list_devices_response__descriptor,
			     &devices);
	if (!r)
		r = ctl_list(ctl, "Groups/ListGroups", &groups_request.base,
			     &ioasid__v1__list_groups_response__descriptor,
			     &groups);
	if (!r)
		r = ctl_list(ctl, "Iommus/ListIommus", &iommus_request.base,
			     &ioasid__v1__list_iommus_response__descriptor,
			     &iommus);
	if (r)
		return r;

	print_machine(&(struct host){
		.version = (const Ioasid__V1__Version *)version,
		.devices = (const Ioasid__V1__ListDevicesResponse *)devices,
		.groups = (const Ioasid__V1__ListGroupsResponse *)groups,
		.iommus = (const Ioasid__V1__ListIommusResponse *)iommus,
	});
	return CTL_DONE;
}

const struct verb verb_machine_capture = {
	.name = "machine capture",
	.summary = "describe this host, for ioasidd-sim --machine",
	.details = "Prints JSON on stdout: what ioasidd knows of devices, "
		   "groups, IOMMUs and the kernel.\nWhat a prepare has found "
		   "of an IOMMU (addresses, page tables, hardware) is in it;\n"
		   "where nothing was prepared it says so.\n",
	.options = options,
	.run = run,
};
