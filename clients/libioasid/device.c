/* SPDX-License-Identifier: Apache-2.0
 *
 * device.c - devices, as a C program reads them
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "ioasid/v1/device.pb-c.h"
#include "libioasid/channel.h"
#include "libioasid/fail.h"
#include "libioasid/message.h"
#include "libioasid/object.h"

#ifndef __clang__
/* gcc 12's -fanalyzer forgets what an array of unknown length points to. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* libioasid's numbers are the contract's. */
static_assert((int)IOASID_DEVICE_HOST == IOASID__V1__DEVICE__STATE__HOST, "");
static_assert((int)IOASID_DEVICE_FOREIGN == IOASID__V1__DEVICE__STATE__FOREIGN,
	      "");
static_assert(IOASID_DEVICE_STATES == 10, "a state was added: name it above");

/**
 * struct device_box - A device and what its strings lie in
 * @pub:	What the caller has; first, so that it is the box's address
 * @msg:	Owner of the strings
 * @ranges:	Owner of the ranges
 */
struct device_box {
	struct ioasid_device pub;
	Ioasid__V1__Device *msg;
	struct ioasid_range *ranges;
};

/**
 * device_fill_capabilities() - Fill in what the probe found
 * @box:	A device without
 * @caps:	What it found
 *
 * Return: 0 or -ENOMEM.
 */
static int device_fill_capabilities(struct device_box *box,
			     const Ioasid__V1__Capabilities *caps)
{
	size_t n = caps->n_iova_ranges;

	box->ranges = calloc(n ? n : 1, sizeof(*box->ranges));
	if (!box->ranges)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		box->ranges[i].start = caps->iova_ranges[i]->start;
		box->ranges[i].last = caps->iova_ranges[i]->last;
	}
	box->pub.probed = true;
	box->pub.n_iova_ranges = n;
	box->pub.iova_ranges = box->ranges;
	box->pub.iova_alignment = caps->iova_alignment;
	box->pub.backend = caps->backend;
	box->pub.dirty_tracking = caps->dirty_tracking;
	box->pub.dma_entries = caps->dma_entries;
	return 0;
}

/**
 * device_fill() - Fill a device from its message
 * @pub:	The device, zero
 * @msg:	Its message
 */
static void device_fill(struct ioasid_device *pub,
			const Ioasid__V1__Device *msg)
{
	pub->name = msg->name;
	pub->revision = msg->revision;
	pub->etag = msg->etag;
	pub->state = (enum ioasid_device_state)msg->state;
	pub->state_reason = msg->state_reason;
	pub->state_remedy = msg->state_remedy;
	pub->bus = msg->bus;
	pub->bdf = "";
	pub->backend = "";
	pub->group = msg->group;
	pub->iommu = msg->iommu;
	pub->driver = msg->driver;
	pub->former_driver = msg->former_driver;
	pub->lease = msg->lease;
	pub->operation = msg->operation;
	pub->numa_node = msg->numa_node;
	pub->bridge = msg->bridge;
	pub->no_reset = msg->no_reset;
	pub->unsafe_interrupts = msg->unsafe_interrupts;
	pub->no_iommu = msg->no_iommu;
	if (msg->bus_details_case == IOASID__V1__DEVICE__BUS_DETAILS_PCI) {
		pub->bdf = msg->pci->bdf;
		pub->vendor = msg->pci->vendor;
		pub->device = msg->pci->device;
		pub->class_code = msg->pci->class_;
	}
}

/* object_device() - See object.h. */
struct ioasid_device *object_device(Ioasid__V1__Device **msg)
{
	struct device_box *box;

	box = calloc(1, sizeof(*box));
	if (!box)
		return NULL;
	device_fill(&box->pub, *msg);
	if ((*msg)->capabilities &&
	    device_fill_capabilities(box, (*msg)->capabilities) < 0) {
		free(box);
		return NULL;
	}
	box->msg = TAKE_PTR(*msg);
	return (void *)box; /* whose first member it is */
}

/* ioasid_device_free() - See ioasid.h. */
struct ioasid_device *ioasid_device_free(struct ioasid_device *device)
{
	struct device_box *box = (struct device_box *)device;

	if (box) {
		(void)message_free(box->msg);
		free(box->ranges);
		free(box);
	}
	return NULL;
}

/* ioasid_device_list_free() - See ioasid.h. */
struct ioasid_device_list *
ioasid_device_list_free(struct ioasid_device_list *list)
{
	if (list) {
		for (size_t i = 0; i < list->n; i++)
			(void)ioasid_device_free(list->items[i]);
		free(list->items);
		free(list);
	}
	return NULL;
}

/**
 * device_list_new() - Make a list of its reply
 * @reply:	The reply; its devices pass to the list
 *
 * Return: the list; NULL without memory.
 */
static struct ioasid_device_list *
device_list_new(Ioasid__V1__ListDevicesResponse *reply)
{
	struct ioasid_device_list *list;

	list = calloc(1, sizeof(*list));
	if (!list)
		return NULL;
	list->revision = reply->revision;
	list->items = calloc(reply->n_devices + 1, sizeof(*list->items));
	if (!list->items)
		return ioasid_device_list_free(list);
	for (size_t i = 0; i < reply->n_devices; i++) {
		list->items[list->n++] = object_device(&reply->devices[i]);
		if (!list->items[i])
			return ioasid_device_list_free(list);
	}
	return list;
}

/* ioasid_device_list() - See ioasid.h. */
int ioasid_device_list(struct ioasid *conn, bool all,
		       struct ioasid_device_list **ret,
		       struct ioasid_error *err)
{
	Ioasid__V1__ListDevicesRequest request =
		IOASID__V1__LIST_DEVICES_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	struct ioasid_device_list *list;
	int r;

	request.all = all;
	r = channel_list(conn, "Devices/ListDevices", &request.base,
			 &ioasid__v1__list_devices_response__descriptor, &reply,
			 err);
	if (r < 0)
		return r;
	list = device_list_new((Ioasid__V1__ListDevicesResponse *)reply);
	if (!list)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");

	*ret = list;
	return 0;
}

/* ioasid_device_get() - See ioasid.h. */
int ioasid_device_get(struct ioasid *conn, const char *name,
		      struct ioasid_device **ret, struct ioasid_error *err)
{
	Ioasid__V1__GetDeviceRequest request =
		IOASID__V1__GET_DEVICE_REQUEST__INIT;
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	struct ioasid_device *device;
	int r;

	request.name = (char *)name;
	r = channel_call(conn, "Devices/GetDevice", &request.base,
			 &ioasid__v1__device__descriptor, &reply, err);
	if (r < 0)
		return r;
	device = object_device((Ioasid__V1__Device **)&reply);
	if (!device)
		return fail_set(err, -ENOMEM, IOASID_ERROR_MEMORY, "%m");

	*ret = device;
	return 0;
}
