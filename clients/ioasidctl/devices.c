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
static const char *opt_state, *opt_driver = "", *opt_id = "", *opt_group,
	*opt_numa;

static const struct option_spec options[] = {
	{ "all", 'a', OPTION_FLAG, &opt_all, NULL,
	  "bridges too, and devices that no IOMMU isolates" },
	{ "state", 0, OPTION_TEXT, &opt_state, "STATE",
	  "only those in this state: host, ready, leased, ..." },
	{ "driver", 0, OPTION_TEXT, &opt_driver, "DRIVER",
	  "only those with this driver; none for those without" },
	{ "id", 0, OPTION_TEXT, &opt_id, "VENDOR:DEVICE",
	  "only those with these ids, such as 8086:10fb or 8086:" },
	{ "group", 0, OPTION_TEXT, &opt_group, "GROUP",
	  "only those of this group" },
	{ "numa", 0, OPTION_TEXT, &opt_numa, "NODE",
	  "only those of this NUMA node" },
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
 * fill_filters() - Say which devices are wanted
 * @request:	The request
 * @group:	Room for the name of a group
 *
 * Return: CTL_DONE; CTL_USAGE, and it has been said why.
 */
static int fill_filters(Ioasid__V1__ListDevicesRequest *request,
			char group[CTL_NAME_SIZE])
{
	uint64_t node;
	int r = CTL_DONE, state = 0;

	if (opt_state)
		r = ctl_word_value(&ioasid__v1__device__state__descriptor,
				   opt_state, &state);
	if (r == CTL_DONE && opt_group) {
		r = ctl_object_name("groups", opt_group, group);
		request->group = group;
	}
	if (r == CTL_DONE && opt_numa) {
		request->numa_case =
			IOASID__V1__LIST_DEVICES_REQUEST__NUMA_NUMA_NODE;
		if (str_eq(opt_numa, "-1"))
			request->numa_node = -1;
		else if (str_u64(opt_numa, 10, INT32_MAX, &node) == 0)
			request->numa_node = (int32_t)node;
		else
			r = ctl_usage("--numa takes a number, not '%s'",
				      opt_numa);
	}
	request->state = (Ioasid__V1__Device__State)state;
	request->driver = (char *)opt_driver;
	request->id = (char *)opt_id;
	return r;
}

/**
 * show() - List the devices that were asked for
 * @ctl:	This run
 * @request:	Which
 *
 * Return: enum ctl_exit.
 */
static int show(struct ctl *ctl, Ioasid__V1__ListDevicesRequest *request)
{
	_cleanup_table_ struct table table = TABLE_NULL;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	const Ioasid__V1__ListDevicesResponse *list;
	int r;

	r = ctl_list(ctl, "Devices/ListDevices", &request->base,
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

/**
 * run() - List devices
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
	char group[CTL_NAME_SIZE];
	int r;

	request.all = opt_all;
	r = fill_filters(&request, group);
	return r ? r : show(ctl, &request);
}

const struct verb verb_devices = {
	.name = "devices",
	.summary = "list what can be assigned",
	.options = options,
	.run = run,
};
