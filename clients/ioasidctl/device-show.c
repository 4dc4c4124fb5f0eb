/* SPDX-License-Identifier: Apache-2.0
 *
 * device-show.c - ioasidctl device show
 */
#include <inttypes.h>

#include "ioasid/v1/device.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "ioasidctl/window-spec.h"
#include "libioasid/message.h"

static const struct option_spec options[] = { NO_MORE_OPTIONS };

/**
 * show_pci() - Show what the PCI bus says
 * @pci:	What it says
 */
static void show_pci(const Ioasid__V1__PciDetails *pci)
{
	char name[256];

	ctl_pci_name(pci->vendor, pci->device, name, sizeof(name));
	output_field("Address", pci->bdf);
	output_fieldf("Name", "%s [%04x:%04x]", name, pci->vendor, pci->device);
	output_fieldf("Class", "%06x, revision %02x", pci->class_,
		      pci->revision_id);
	output_field("Physical function", pci->physical_function);
	output_list("Virtual functions", pci->virtual_functions,
		    pci->n_virtual_functions);
	output_list("Reset by", pci->reset_methods, pci->n_reset_methods);
	output_list("Reset set", pci->reset_set, pci->n_reset_set);
}

/**
 * show_tce() - Show which windows a container of POWER can have
 * @tce:	Which
 */
static void show_tce(const Ioasid__V1__TceCapabilities *tce)
{
	char size[32], pages[256];

	output_fieldf("Default window", "%s from 0x%" PRIx64 " on, pages of 4K",
		      ctl_size(tce->dma32_size, false, size), tce->dma32_start);
	if (!tce->page_sizes) {
		output_field("Dynamic windows", "none");
		return;
	}
	output_fieldf("Dynamic windows", "pages of %s; %u windows in all; %u level%s",
		      window_sizes_words(tce->page_sizes, pages, sizeof(pages)),
		      tce->max_windows, tce->levels,
		      tce->levels == 1 ? "" : "s");
	output_fieldf("Kernel's pages", "%s",
		      ctl_size(tce->kernel_page, false, size));
}

/**
 * show_capabilities() - Show what the probe found
 * @caps:	What it found
 */
static void show_capabilities(const Ioasid__V1__Capabilities *caps)
{
	char time[32];

	output_field("Probed", ctl_time(caps->probed, time));
	for (size_t i = 0; i < caps->n_iova_ranges; i++)
		output_fieldf(i ? "" : "I/O addresses",
			      "0x%" PRIx64 " to 0x%" PRIx64,
			      caps->iova_ranges[i]->start,
			      caps->iova_ranges[i]->last);
	output_fieldf("Alignment", "%" PRIu64, caps->iova_alignment);
	output_fieldf("Page tables", "paging%s%s%s",
		      caps->nest_parent ? ", nest parent" : "",
		      caps->dirty_tracking ? ", dirty tracking" : "",
		      caps->pasid ? ", PASID" : "");
	if (caps->max_pasid_log2)
		output_fieldf("PASID width", "%u bits", caps->max_pasid_log2);
	if (caps->dma_entries)
		output_fieldf("Mappings", "%u at a time", caps->dma_entries);
	output_field("Backend", caps->backend);
	if (caps->tce)
		show_tce(caps->tce);
	output_fieldf("BIND took", "%" PRIu64 " us", caps->bind_us);
}

/**
 * show_state() - Show whose the device is
 * @d:		The device
 */
static void show_state(const Ioasid__V1__Device *d)
{
	char word[32];

	output_field("State", ctl_word(&ioasid__v1__device__state__descriptor,
				       (int)d->state, word));
	output_field("Reason", d->state_reason);
	output_field("Try", d->state_remedy);
	output_field("Driver", d->driver);
	output_field("Former driver", d->former_driver);
	output_field("Lease", d->lease);
	output_field("Operation", d->operation);
}

/**
 * show() - Show a device for a person
 * @d:		The device
 */
static void show(const Ioasid__V1__Device *d)
{
	char word[32];

	output_field("Device", d->name);
	show_state(d);
	if (d->bus_details_case == IOASID__V1__DEVICE__BUS_DETAILS_PCI)
		show_pci(d->pci);
	output_field("Group", d->group);
	output_field("IOMMU", d->iommu);
	if (d->numa_node >= 0)
		output_fieldf("NUMA node", "%d", d->numa_node);
	output_field("Isolated MSI",
		     ctl_word(&ioasid__v1__device__isolated_msi__descriptor,
			      (int)d->isolated_msi, word));
	output_field("Bridge", d->bridge ? "yes: never assigned" : "");
	output_field("Caution", d->no_reset ?
		     "no reset works on it: the next holder finds what this "
		     "one leaves" : "");
	output_field("Caution", d->unsafe_interrupts ?
		     "its interrupts are not isolated: a holder can raise any "
		     "interrupt of the host" : "");
	output_field("Caution", d->no_iommu ?
		     "there is no IOMMU in front of it: a holder can reach all "
		     "memory of the host" : "");
	if (d->capabilities)
		show_capabilities(d->capabilities);
}

/**
 * run() - Show a device
 * @ctl:	This run
 * @args:	The device
 * @n_args:	1
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__GetDeviceRequest request =
		IOASID__V1__GET_DEVICE_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_device_name(args[0], name);
	if (r)
		return r;
	request.name = name;
	r = ctl_call(ctl, "Devices/GetDevice", &request.base,
		     &ioasid__v1__device__descriptor, name, &reply);
	if (r)
		return r;
	if (ctl->json)
		json_print(reply);
	else
		show((const Ioasid__V1__Device *)reply);
	return CTL_DONE;
}

const struct verb verb_device_show = {
	.name = "device show",
	.args = "DEVICE",
	.summary = "show all that is known of a device",
	.options = options,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
