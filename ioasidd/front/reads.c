/* SPDX-License-Identifier: Apache-2.0
 *
 * reads.c - methods that look: versions, lists and single objects
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "front/handlers.h"
#include "ops/authorize.h"
#include "ops/ops.h"

#define WAIT_DEFAULT_MS 60000
#define WAIT_MAX_MS 600000

/* handler_name() - Check a resource name in a request */
int handler_name(enum collection collection, const char *field,
		 const char *name, struct error *err)
{
	if (collection_name_valid(collection, name))
		return 0;
	return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			 "field %s: not a resource name such as %s...", field,
			 collection_prefix(collection));
}

/* handler_reply() - Finish a call */
int handler_reply(struct call *call, void *reply, struct error *err)
{
	if (!reply || !arena_ok(call->arena))
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the reply");
	call->reply = reply;
	return 0;
}

/* get_version() - Host.GetVersion */
int get_version(struct call *call, struct error *err)
{
	struct kernel *kernel = call->host->kernel;
	struct registry *reg = call->host->registry;
	struct kernel_info info;
	pb_version *reply;
	int r;

	r = kernel->ops->info(kernel, &info, err);
	if (r < 0)
		return r;

	reply = arena_message(call->arena, PB(version));
	if (!reply)
		return handler_reply(call, NULL, err);
	reply->daemon = (char *)IOASIDD_VERSION;
	reply->contract = (char *)CONTRACT;
	reply->kernel = arena_text(call->arena, info.release);
	reply->backend = (char *)(info.simulated ? "sim" :
				  kernel_backend_name(info.backend));
	reply->boot_id = arena_text(call->arena, info.boot_id);
	registry_lock(reg);
	reply->revision = reg->shown;
	registry_unlock(reg);

	return handler_reply(call, reply, err);
}

/* handler_page() - Make a page of a list, under the lock */
int handler_page(struct call *call, enum collection collection,
		 struct page *page, struct error *err)
{
	struct registry *reg = call->host->registry;
	int r;

	page->caller = call->caller;
	registry_lock(reg);
	r = view_page(call->arena, reg, collection, page, err);
	registry_unlock(reg);

	return r;
}

/**
 * take_hex() - Read an id of PCI
 * @s:		Up to four hexadecimal digits; moves behind them
 * @ret:	The id
 *
 * Return: true if there were any.
 */
static bool take_hex(const char **s, uint16_t *ret)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	size_t n = strspn(*s, digits);

	if (!n || n > 4)
		return false;
	*ret = (uint16_t)strtoul(*s, NULL, 16);
	*s += n;
	return true;
}

/**
 * filter_id() - List only devices with an id
 * @id:		"8086:10fb" or "8086:"; empty for any
 * @filter:	Filled
 *
 * Return: 0; -EINVAL request.invalid.
 */
static int filter_id(const char *id, struct filter *filter, struct error *err)
{
	if (!*id)
		return 0;
	filter->by_vendor = take_hex(&id, &filter->vendor);
	if (filter->by_vendor && *id == ':') {
		id++;
		filter->by_device = take_hex(&id, &filter->device);
		if (!*id)
			return 0;
	}
	return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			 "field id: not a vendor and device such as 8086:10fb, or a vendor such as 8086:");
}

/* list_devices() - Devices.ListDevices */
int list_devices(struct call *call, struct error *err)
{
	const Ioasid__V1__ListDevicesRequest *in = (const void *)call->input;
	struct page page = { .size = in->page_size,
			     .token = in->page_token,
			     .all = in->all,
			     .filter = { .state = (int)in->state,
					 .driver = in->driver,
					 .group = in->group,
					 .node = in->numa_node } };
	Ioasid__V1__ListDevicesResponse *reply;
	int r = 0;

	page.filter.by_node = in->numa_case ==
		IOASID__V1__LIST_DEVICES_REQUEST__NUMA_NUMA_NODE;
	if (*in->group)
		r = handler_name(COLLECTION_GROUPS, "group", in->group, err);
	if (r == 0)
		r = filter_id(in->id, &page.filter, err);
	if (r < 0)
		return r;
	r = handler_page(call, COLLECTION_DEVICES, &page, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(list_devices_response));
	if (reply) {
		reply->devices = (pb_device **)page.items;
		reply->n_devices = page.n_items;
		reply->next_page_token = page.next;
		reply->revision = page.revision;
	}
	return handler_reply(call, reply, err);
}

/* list_groups() - Groups.ListGroups */
int list_groups(struct call *call, struct error *err)
{
	const Ioasid__V1__ListGroupsRequest *in = (const void *)call->input;
	struct page page = { .size = in->page_size,
			     .token = in->page_token };
	Ioasid__V1__ListGroupsResponse *reply;
	int r;

	r = handler_page(call, COLLECTION_GROUPS, &page, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(list_groups_response));
	if (reply) {
		reply->groups = (pb_group **)page.items;
		reply->n_groups = page.n_items;
		reply->next_page_token = page.next;
		reply->revision = page.revision;
	}
	return handler_reply(call, reply, err);
}

/* list_iommus() - Iommus.ListIommus */
int list_iommus(struct call *call, struct error *err)
{
	const Ioasid__V1__ListIommusRequest *in = (const void *)call->input;
	struct page page = { .size = in->page_size,
			     .token = in->page_token };
	Ioasid__V1__ListIommusResponse *reply;
	int r;

	r = handler_page(call, COLLECTION_IOMMUS, &page, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(list_iommus_response));
	if (reply) {
		reply->iommus = (pb_iommu **)page.items;
		reply->n_iommus = page.n_items;
		reply->next_page_token = page.next;
		reply->revision = page.revision;
	}
	return handler_reply(call, reply, err);
}

/* list_leases() - Leases.ListLeases */
int list_leases(struct call *call, struct error *err)
{
	const Ioasid__V1__ListLeasesRequest *in = (const void *)call->input;
	struct page page = { .size = in->page_size,
			     .token = in->page_token,
			     .all = in->all,
			     .filter.state = (int)in->state };
	Ioasid__V1__ListLeasesResponse *reply;
	int r;

	r = handler_page(call, COLLECTION_LEASES, &page, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(list_leases_response));
	if (reply) {
		reply->leases = (pb_lease **)page.items;
		reply->n_leases = page.n_items;
		reply->next_page_token = page.next;
		reply->revision = page.revision;
	}
	return handler_reply(call, reply, err);
}

/* list_operations() - Operations.ListOperations */
int list_operations(struct call *call, struct error *err)
{
	const Ioasid__V1__ListOperationsRequest *in =
		(const void *)call->input;
	struct page page = { .size = in->page_size,
			     .token = in->page_token,
			     .filter.state = (int)in->state };
	Ioasid__V1__ListOperationsResponse *reply;
	int r;

	r = handler_page(call, COLLECTION_OPERATIONS, &page, err);
	if (r < 0)
		return r;
	reply = arena_message(call->arena, PB(list_operations_response));
	if (reply) {
		reply->operations = (pb_operation **)page.items;
		reply->n_operations = page.n_items;
		reply->next_page_token = page.next;
		reply->revision = page.revision;
	}
	return handler_reply(call, reply, err);
}

/**
 * not_found() - Say that there is no such object, or none for the caller
 * @id:		Which error that is
 * @name:	The name asked for
 *
 * Return: -ENOENT.
 */
static int not_found(enum error_id id, const char *name, struct error *err)
{
	int r = error_set(err, -ENOENT, id, "there is no %s", name);

	error_object(err, "%s", name);
	return r;
}

/* get_device() - Devices.GetDevice */
int get_device(struct call *call, struct error *err)
{
	const Ioasid__V1__GetDeviceRequest *in = (const void *)call->input;
	struct registry *reg = call->host->registry;
	const struct device *device;
	pb_device *reply = NULL;
	int r;

	r = handler_name(COLLECTION_DEVICES, "name", in->name, err);
	if (r < 0)
		return r;

	registry_lock(reg);
	device = registry_device(reg, in->name);
	if (device && !device_visible(reg, device, call->caller))
		device = NULL;
	if (device)
		reply = view_device(call->arena, reg, device);
	registry_unlock(reg);

	if (!device)
		return not_found(ERROR_DEVICE_NOT_FOUND, in->name, err);
	return handler_reply(call, reply, err);
}

/* get_group() - Groups.GetGroup */
int get_group(struct call *call, struct error *err)
{
	const Ioasid__V1__GetGroupRequest *in = (const void *)call->input;
	struct registry *reg = call->host->registry;
	const struct group *group;
	pb_group *reply = NULL;
	int r;

	r = handler_name(COLLECTION_GROUPS, "name", in->name, err);
	if (r < 0)
		return r;

	registry_lock(reg);
	group = registry_group(reg, in->name);
	if (group && !group_visible(reg, group, call->caller))
		group = NULL;
	if (group)
		reply = view_group(call->arena, group);
	registry_unlock(reg);

	if (!group)
		return not_found(ERROR_GROUP_NOT_FOUND, in->name, err);
	return handler_reply(call, reply, err);
}

/* get_lease() - Leases.GetLease */
int get_lease(struct call *call, struct error *err)
{
	const Ioasid__V1__GetLeaseRequest *in = (const void *)call->input;
	struct registry *reg = call->host->registry;
	const struct lease *lease;
	pb_lease *reply = NULL;
	int r;

	r = handler_name(COLLECTION_LEASES, "name", in->name, err);
	if (r < 0)
		return r;

	registry_lock(reg);
	lease = registry_lease(reg, in->name);
	if (lease && !lease_visible(reg, lease, call->caller))
		lease = NULL;
	if (lease)
		reply = view_lease(call->arena, reg, lease);
	registry_unlock(reg);

	if (!lease)
		return not_found(ERROR_LEASE_NOT_FOUND, in->name, err);
	return handler_reply(call, reply, err);
}

/**
 * show_operation() - Answer with an operation as it is
 * @call:	Whose
 * @name:	The operation's
 * @wait:	Not while it runs
 *
 * Return: 0; -EINPROGRESS if it runs and @wait; -ENOENT operation.not-found.
 */
static int show_operation(struct call *call, const char *name, bool wait,
			  struct error *err)
{
	struct registry *reg = call->host->registry;
	const struct operation *op;
	pb_operation *reply = NULL;
	bool running = false;
	int r;

	r = handler_name(COLLECTION_OPERATIONS, "name", name, err);
	if (r < 0)
		return r;

	registry_lock(reg);
	op = registry_operation(reg, name);
	if (op && !operation_visible(op, call->caller))
		op = NULL;
	if (op)
		running = op->state == OPERATION_RUNNING;
	if (op && !(running && wait))
		reply = view_operation(call->arena, op);
	registry_unlock(reg);

	if (!op)
		return not_found(ERROR_OPERATION_NOT_FOUND, name, err);
	if (running && wait)
		return -EINPROGRESS;
	return handler_reply(call, reply, err);
}

/* get_operation() - Operations.GetOperation */
int get_operation(struct call *call, struct error *err)
{
	const Ioasid__V1__GetOperationRequest *in = (const void *)call->input;

	return show_operation(call, in->name, false, err);
}

/* wait_timeout_ms() - How long a request of WaitOperation wants to wait */
uint32_t wait_timeout_ms(const ProtobufCMessage *input)
{
	const Ioasid__V1__WaitOperationRequest *in = (const void *)input;

	return in->timeout_ms ? in->timeout_ms : WAIT_DEFAULT_MS;
}

/* wait_operation() - Operations.WaitOperation, while there is time */
int wait_operation(struct call *call, struct error *err)
{
	const Ioasid__V1__WaitOperationRequest *in =
		(const void *)call->input;

	if (in->timeout_ms > WAIT_MAX_MS)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field timeout_ms: %u is more than %d",
				 in->timeout_ms, WAIT_MAX_MS);
	return show_operation(call, in->name, true, err);
}

/* wait_done() - Operations.WaitOperation, when the time is up */
int wait_done(struct call *call, struct error *err)
{
	const Ioasid__V1__WaitOperationRequest *in =
		(const void *)call->input;

	return show_operation(call, in->name, false, err);
}

/* cancel_operation() - Operations.CancelOperation. It sets a flag and must not
 * wait for a worker: all of them may be with what is to be cancelled.
 */
int cancel_operation(struct call *call, struct error *err)
{
	const Ioasid__V1__CancelOperationRequest *in =
		(const void *)call->input;
	struct change change = { in->name, in->request_id, in->etag,
				 in->dry_run, "" };
	int r;

	if (strlen(in->request_id) > REQUEST_ID_MAX)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "field request_id: longer than %d bytes",
				 REQUEST_ID_MAX);
	/* Whether it is there for the caller at all. */
	r = show_operation(call, in->name, false, err);
	if (r == 0)
		r = operation_cancel(call->host, call->caller, &change, err);
	return r < 0 ? r : show_operation(call, in->name, false, err);
}
