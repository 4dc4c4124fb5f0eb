/* SPDX-License-Identifier: Apache-2.0
 *
 * methods.c - the methods of the contract, each with what answers it
 */
#include "front/methods.h"

#include <assert.h>
#include <errno.h>

#include "base/str.h"
#include "front/contract.h"
#include "front/handlers.h"
#include "ops/authorize.h"

static const struct method methods[] = {
#include "methods.inc"
};

/* In the order of the contract. */
static const struct binding bindings[] = {
	{ "ioasid.v1.Host/GetVersion", METHOD_READ, get_version },
	{ "ioasid.v1.Operations/ListOperations", METHOD_READ,
	  list_operations },
	{ "ioasid.v1.Operations/GetOperation", METHOD_READ, get_operation },
	{ "ioasid.v1.Operations/WaitOperation", METHOD_WAIT, wait_operation },
	{ "ioasid.v1.Operations/CancelOperation", METHOD_READ,
	  cancel_operation },
	{ "ioasid.v1.Devices/ListDevices", METHOD_READ, list_devices },
	{ "ioasid.v1.Devices/GetDevice", METHOD_READ, get_device },
	{ "ioasid.v1.Devices/PrepareDevice", METHOD_CHANGE, prepare_device },
	{ "ioasid.v1.Devices/RestoreDevice", METHOD_CHANGE, restore_device },
	{ "ioasid.v1.Devices/RecoverDevice", METHOD_CHANGE, recover_device },
	{ "ioasid.v1.Groups/ListGroups", METHOD_READ, list_groups },
	{ "ioasid.v1.Groups/GetGroup", METHOD_READ, get_group },
	{ "ioasid.v1.Iommus/ListIommus", METHOD_READ, list_iommus },
	{ "ioasid.v1.Windows/PlanWindows", METHOD_READ, plan_windows },
	{ "ioasid.v1.Spaces/ListSpaces", METHOD_READ, list_spaces },
	{ "ioasid.v1.Spaces/GetSpace", METHOD_READ, get_space },
	{ "ioasid.v1.Spaces/CreateSpace", METHOD_CHANGE, create_space },
	{ "ioasid.v1.Spaces/DeleteSpace", METHOD_CHANGE, delete_space },
	{ "ioasid.v1.Spaces/SetWindows", METHOD_CHANGE, set_windows },
	{ "ioasid.v1.Spaces/AttachDevice", METHOD_CHANGE, attach_device },
	{ "ioasid.v1.Spaces/DetachDevice", METHOD_CHANGE, detach_device },
	{ "ioasid.v1.Leases/ListLeases", METHOD_READ, list_leases },
	{ "ioasid.v1.Leases/GetLease", METHOD_READ, get_lease },
	{ "ioasid.v1.Leases/CreateLease", METHOD_CHANGE, create_lease },
	{ "ioasid.v1.Leases/ClaimLease", METHOD_CHANGE, claim_lease },
	{ "ioasid.v1.Leases/AcknowledgeLease", METHOD_CHANGE,
	  acknowledge_lease },
	{ "ioasid.v1.Leases/ReleaseLease", METHOD_CHANGE, release_lease },
	{ "ioasid.v1.Leases/ReissueToken", METHOD_CHANGE, reissue_token },
	{ "ioasid.v1.Events/WatchEvents", METHOD_STREAM, NULL },
	{ "ioasid.v1.Memory/CreateMemory", METHOD_CHANGE, create_memory },
	{ "ioasid.v1.Memory/MapMemory", METHOD_CHANGE, map_memory },
	{ "ioasid.v1.Memory/UnmapMemory", METHOD_CHANGE, unmap_memory },
	{ "ioasid.v1.Memory/ListMappings", METHOD_READ, list_mappings },
	{ "ioasid.v1.PageTables/ListPageTables", METHOD_READ,
	  list_page_tables },
	{ "ioasid.v1.PageTables/GetPageTable", METHOD_READ, get_page_table },
	{ "ioasid.v1.PageTables/CreatePageTable", METHOD_CHANGE,
	  create_page_table },
	{ "ioasid.v1.PageTables/RegisterPageTable", METHOD_CHANGE,
	  register_page_table },
	{ "ioasid.v1.PageTables/DeletePageTable", METHOD_CHANGE,
	  delete_page_table },
	{ "ioasid.v1.PageTables/BindDevice", METHOD_CHANGE, bind_device_to },
	{ "ioasid.v1.PageTables/UnbindDevice", METHOD_CHANGE,
	  unbind_device_from },
	{ "ioasid.v1.PageTables/InvalidatePageTable", METHOD_CHANGE,
	  invalidate_page_table },
	{ "ioasid.v1.PageTables/SetDirtyTracking", METHOD_CHANGE,
	  set_dirty_tracking },
	{ "ioasid.v1.PageTables/GetDirtyBitmap", METHOD_CHANGE,
	  get_dirty_bitmap },
	{ "ioasid.v1.PageTables/OpenFaultQueue", METHOD_CHANGE,
	  open_fault_queue },
	{ "ioasid.v1.Policy/CheckPolicy", METHOD_READ, check_policy },
	{ "ioasid.v1.Policy/ListUsage", METHOD_READ, list_usage },
};
static_assert(ARRAY_SIZE(bindings) == ARRAY_SIZE(methods),
	      "each method of the contract is bound to what answers it");

/* methods_check() - Is each method bound to what answers it? */
int methods_check(struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!str_eq(methods[i].name, bindings[i].name))
			return error_set(err, -EINVAL, ERROR_DAEMON_INTERNAL,
					 "%s is bound to what answers %s",
					 methods[i].name, bindings[i].name);
	return 0;
}

/* method_find() - A method by its name */
const struct method *method_find(const char *name,
				 const struct binding **ret_binding)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (!str_eq(methods[i].name, name))
			continue;
		*ret_binding = &bindings[i];
		return &methods[i];
	}
	return NULL;
}

/* method_allowed() - May the caller call the method at all? */
int method_allowed(const struct method *method, const struct caller *caller,
		   struct error *err)
{
	return authorize_method(caller, method->name, method->permission,
				method->takes_descriptors ||
					method->gives_descriptors, err);
}

/* methods_all() - All methods of the contract */
const struct method *methods_all(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(methods);
	return methods;
}
