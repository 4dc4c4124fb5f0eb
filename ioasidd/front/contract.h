/* SPDX-License-Identifier: Apache-2.0
 *
 * contract.h - the contract's generated types, under names that fit a line
 */
#ifndef IOASIDD_FRONT_CONTRACT_H
#define IOASIDD_FRONT_CONTRACT_H

#include "ioasid/v1/common.pb-c.h"
#include "ioasid/v1/device.pb-c.h"
#include "ioasid/v1/envelope.pb-c.h"
#include "ioasid/v1/event.pb-c.h"
#include "ioasid/v1/lease.pb-c.h"
#include "ioasid/v1/link.pb-c.h"
#include "ioasid/v1/memory.pb-c.h"
#include "ioasid/v1/operation.pb-c.h"
#include "ioasid/v1/page_table.pb-c.h"
#include "ioasid/v1/policy.pb-c.h"
#include "ioasid/v1/window.pb-c.h"

typedef Google__Protobuf__Timestamp pb_timestamp;
typedef Ioasid__V1__Capabilities pb_capabilities;
typedef Ioasid__V1__Cause pb_cause;
typedef Ioasid__V1__Change pb_change;
typedef Ioasid__V1__ClaimLeaseResponse pb_claim_response;
typedef Ioasid__V1__Claimant pb_claimant;
typedef Ioasid__V1__CreateLeaseRequest pb_create_lease;
typedef Ioasid__V1__Device pb_device;
typedef Ioasid__V1__Envelope pb_envelope;
typedef Ioasid__V1__Error pb_error;
typedef Ioasid__V1__Group pb_group;
typedef Ioasid__V1__Holder pb_holder;
typedef Ioasid__V1__Iommu pb_iommu;
typedef Ioasid__V1__IovaRange pb_range;
typedef Ioasid__V1__Lease pb_lease;
typedef Ioasid__V1__Lease__LabelsEntry pb_label;
typedef Ioasid__V1__LinkPacket pb_link_packet;
typedef Ioasid__V1__Node pb_node;
typedef Ioasid__V1__Operation pb_operation;
typedef Ioasid__V1__PageTable pb_page_table;
typedef Ioasid__V1__PciDetails pb_pci;
typedef Ioasid__V1__PlanWindowsRequest pb_plan_windows;
typedef Ioasid__V1__PlanWindowsResponse pb_plan_response;
typedef Ioasid__V1__Register pb_register;
typedef Ioasid__V1__ReservedRegion pb_reserved;
typedef Ioasid__V1__Space pb_space;
typedef Ioasid__V1__Step pb_step;
typedef Ioasid__V1__Version pb_version;
typedef Ioasid__V1__WatchEventsRequest pb_watch;
typedef Ioasid__V1__Window pb_window;
typedef Ioasid__V1__WindowWish pb_window_wish;

/* The descriptor of a message of ours: PB(list_devices_request). */
#define PB(type) (&ioasid__v1__##type##__descriptor)

#define CONTRACT "ioasid.v1"

#endif
