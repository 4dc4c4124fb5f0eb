/* SPDX-License-Identifier: Apache-2.0
 *
 * devices.c - ioasidctl devices
 */
#include "ioasid/v1/device.pb-c.h"
#include "ioasidctl/ctl.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

static bool opt_all;

static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, &opt_all, NULL,
	  "bridges too, and devices that no IOMMU isolates" },
	NO_MORE_OPTIONS,
};

/**
 * add_row() - Add a device to the table
 * @table:	The table
 * @d:		The device
 */
static void add_row(struct table *table, const Ioasid__V1__Device *d)
{
	bool pci = d->bus_details_case == IOASID__V1__DEVICE__BUS_DETAILS_PCI;
	char state[32], numa[16] = "", name[256] = "";

	if (d->numa_node >= 0)
		(void)str_format(numa, sizeof(numa), "%d", d->numa_node);
	if (pci)
		ctl_pci_name(d->pci->vendor, d->pci->device, name,
			     sizeof(name));
	(void)ctl_word(&ioasid__v1__device__state__descriptor, (int)d->state,
		       state);
	table_row(table, pci ? d->pci->bdf : ctl_short_name(d->name),
		  d->bridge ? "bridge" : state, d->driver,
		  ctl_short_name(d->group), numa, name, NULL);
	if (d->state_reason[0])
		table_note(table, "%s%s%s", d->state_reason,
			   d->state_remedy[0] ? "; try: " : "",
			   d->state_remedy);
}

/**
 * run() - List the devices
 * @ctl:	This run
 * @args:	None
 * @n_args:	0
 *
 * Return: enum ctl_exit.
 */
static int run(struct ctl *ctl, char **args, int n_args)
{
	Ioasid__V1__ListDevicesRequest request =
		IOASID__V1__LIST_DEVICES_REQUEST__INIT;
	_cleanup_table_ struct table table = TABLE_NULL;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__ListDevicesResponse *list;
	int r;

	request.all = opt_all;
	r = ctl_list(ctl, "Devices/ListDevices", &request.base,
		     &ioasid__v1__list_devices_response__descriptor, &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	list = (const Ioasid__V1__ListDevicesResponse *)reply;
	table_row(&table, "DEVICE", "STATE", "DRIVER", "GROUP", "NUMA", "NAME",
		  NULL);
	for (size_t i = 0; i < list->n_devices; i++)
		add_row(&table, list->devices[i]);
	table_print(&table);
	return CTL_DONE;
}

const struct verb verb_devices = {
	.name = "devices",
	.summary = "list what can be assigned",
	.options = options,
	.run = run,
};
