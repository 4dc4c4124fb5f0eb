/* SPDX-License-Identifier: Apache-2.0
 *
 * calls.c - every structure of uapi.h by name
 */
#include "calls.h"

#include <string.h>

#include "base/str.h"
#include "base/uapi.h"

#define F(s, f) { #f, offsetof(struct uapi_##s, f), \
		  sizeof(((struct uapi_##s *)NULL)->f) }
#define FIELDS(s, ...) \
	static const struct field s##_fields[] = { __VA_ARGS__ }

FIELDS(destroy, F(destroy, size), F(destroy, id));
FIELDS(ioas_alloc, F(ioas_alloc, size), F(ioas_alloc, flags),
       F(ioas_alloc, out_ioas_id));
FIELDS(ioas_iova_ranges, F(ioas_iova_ranges, size),
       F(ioas_iova_ranges, ioas_id), F(ioas_iova_ranges, num_iovas),
       F(ioas_iova_ranges, reserved), F(ioas_iova_ranges, allowed_iovas),
       F(ioas_iova_ranges, out_iova_alignment));
FIELDS(ioas_allow_iovas, F(ioas_allow_iovas, size),
       F(ioas_allow_iovas, ioas_id), F(ioas_allow_iovas, num_iovas),
       F(ioas_allow_iovas, reserved), F(ioas_allow_iovas, allowed_iovas));
FIELDS(ioas_map, F(ioas_map, size), F(ioas_map, flags), F(ioas_map, ioas_id),
       F(ioas_map, reserved), F(ioas_map, user_va), F(ioas_map, length),
       F(ioas_map, iova));
FIELDS(ioas_map_file, F(ioas_map_file, size), F(ioas_map_file, flags),
       F(ioas_map_file, ioas_id), F(ioas_map_file, fd),
       F(ioas_map_file, start), F(ioas_map_file, length),
       F(ioas_map_file, iova));
FIELDS(ioas_copy, F(ioas_copy, size), F(ioas_copy, flags),
       F(ioas_copy, dst_ioas_id), F(ioas_copy, src_ioas_id),
       F(ioas_copy, length), F(ioas_copy, dst_iova), F(ioas_copy, src_iova));
FIELDS(ioas_unmap, F(ioas_unmap, size), F(ioas_unmap, ioas_id),
       F(ioas_unmap, iova), F(ioas_unmap, length));
FIELDS(option, F(option, size), F(option, option_id), F(option, op),
       F(option, reserved), F(option, object_id), F(option, val64));
FIELDS(hwpt_alloc, F(hwpt_alloc, size), F(hwpt_alloc, flags),
       F(hwpt_alloc, dev_id), F(hwpt_alloc, pt_id), F(hwpt_alloc, out_hwpt_id),
       F(hwpt_alloc, reserved), F(hwpt_alloc, data_type),
       F(hwpt_alloc, data_len), F(hwpt_alloc, data_uptr),
       F(hwpt_alloc, fault_id), F(hwpt_alloc, reserved2));
FIELDS(hw_info, F(hw_info, size), F(hw_info, flags), F(hw_info, dev_id),
       F(hw_info, data_len), F(hw_info, data_uptr), F(hw_info, out_data_type),
       F(hw_info, out_max_pasid_log2), F(hw_info, reserved),
       F(hw_info, out_capabilities));
FIELDS(device_info, F(device_info, argsz), F(device_info, flags),
       F(device_info, num_regions), F(device_info, num_irqs),
       F(device_info, cap_offset));
FIELDS(region_info, F(region_info, argsz), F(region_info, flags),
       F(region_info, index), F(region_info, cap_offset),
       F(region_info, region_size), F(region_info, offset));
FIELDS(irq_info, F(irq_info, argsz), F(irq_info, flags), F(irq_info, index),
       F(irq_info, count));
FIELDS(pci_hot_reset_info, F(pci_hot_reset_info, argsz),
       F(pci_hot_reset_info, flags), F(pci_hot_reset_info, count));
FIELDS(pci_hot_reset, F(pci_hot_reset, argsz), F(pci_hot_reset, flags),
       F(pci_hot_reset, count));
FIELDS(device_bind_iommufd, F(device_bind_iommufd, argsz),
       F(device_bind_iommufd, flags), F(device_bind_iommufd, iommufd),
       F(device_bind_iommufd, out_devid),
       F(device_bind_iommufd, token_uuid_ptr));
FIELDS(device_attach_iommufd_pt, F(device_attach_iommufd_pt, argsz),
       F(device_attach_iommufd_pt, flags), F(device_attach_iommufd_pt, pt_id),
       F(device_attach_iommufd_pt, pasid));
FIELDS(device_detach_iommufd_pt, F(device_detach_iommufd_pt, argsz),
       F(device_detach_iommufd_pt, flags), F(device_detach_iommufd_pt, pasid));

static const struct structure structures[] = {
#define S(s, request) { #s, request, sizeof(struct uapi_##s), s##_fields, \
			ARRAY_SIZE(s##_fields) }
	S(destroy, UAPI_DESTROY),
	S(ioas_alloc, UAPI_IOAS_ALLOC),
	S(ioas_iova_ranges, UAPI_IOAS_IOVA_RANGES),
	S(ioas_allow_iovas, UAPI_IOAS_ALLOW_IOVAS),
	S(ioas_map, UAPI_IOAS_MAP),
	S(ioas_map_file, UAPI_IOAS_MAP_FILE),
	S(ioas_copy, UAPI_IOAS_COPY),
	S(ioas_unmap, UAPI_IOAS_UNMAP),
	S(option, UAPI_OPTION),
	S(hwpt_alloc, UAPI_HWPT_ALLOC),
	S(hw_info, UAPI_GET_HW_INFO),
	S(device_info, UAPI_DEVICE_GET_INFO),
	S(region_info, UAPI_DEVICE_GET_REGION_INFO),
	S(irq_info, UAPI_DEVICE_GET_IRQ_INFO),
	S(pci_hot_reset_info, UAPI_DEVICE_GET_PCI_HOT_RESET_INFO),
	S(pci_hot_reset, UAPI_DEVICE_PCI_HOT_RESET),
	S(device_bind_iommufd, UAPI_DEVICE_BIND_IOMMUFD),
	S(device_attach_iommufd_pt, UAPI_DEVICE_ATTACH_IOMMUFD_PT),
	S(device_detach_iommufd_pt, UAPI_DEVICE_DETACH_IOMMUFD_PT),
	{ "reset", UAPI_DEVICE_RESET, 0, NULL, 0 },
	/* Any other call, with what a case says its number is. */
	{ "raw", 0, sizeof(struct uapi_destroy), destroy_fields,
	  ARRAY_SIZE(destroy_fields) },
#undef S
};

/* structure_find() - The structure of that name */
const struct structure *structure_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(structures); i++)
		if (str_eq(structures[i].name, name))
			return &structures[i];

	return NULL;
}

/* field_find() - The field of that name, which has @n bytes */
const struct field *field_find(const struct structure *structure,
			       const char *name, size_t n)
{
	for (size_t i = 0; i < structure->n; i++)
		if (strlen(structure->fields[i].name) == n &&
		    !strncmp(structure->fields[i].name, name, n))
			return &structure->fields[i];

	return NULL;
}

/* field_get() - On a little-endian machine, as those of the tests are */
uint64_t field_get(const struct field *field, const uint8_t *data)
{
	uint64_t value = 0;

	memcpy(&value, data + field->at, field->width);

	return value;
}

/* field_set() - Likewise */
void field_set(const struct field *field, uint8_t *data, uint64_t value)
{
	memcpy(data + field->at, &value, field->width);
}
