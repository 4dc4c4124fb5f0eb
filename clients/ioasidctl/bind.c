/* SPDX-License-Identifier: Apache-2.0
 *
 * bind.c - what the verbs for page tables and dirty tracking share
 */
#include <string.h>

#include "ioasidctl/bind.h"
#include "ioasidctl/json.h"
#include "ioasidctl/output.h"
#include "libioasid/message.h"

/* As the contract has it. */
#define PASID_MAX ((1u << 20) - 1)

bool bind_dry_run;
uint64_t bind_pasid;

/* bind_type_word() - See bind.h. */
const char *bind_type_word(uint32_t data_type, char ret[16])
{
	static const char *const words[] = { "host", "vtd-s1", "arm-smmuv3" };

	if (data_type < ARRAY_SIZE(words))
		(void)str_copy(ret, 16, words[data_type]);
	else
		(void)str_format(ret, 16, "%u", data_type);
	return ret;
}

/**
 * show_bindings() - Show who is on a page table
 */
static void show_bindings(const Ioasid__V1__PageTable *t)
{
	for (size_t i = 0; i < t->n_bindings; i++)
		if (t->bindings[i]->pasid)
			output_fieldf(i ? "" : "Devices", "%s, PASID %u",
				      t->bindings[i]->device,
				      t->bindings[i]->pasid);
		else
			output_field(i ? "" : "Devices",
				     t->bindings[i]->device);
	if (!t->n_bindings)
		output_field("Devices", "none");
}

/* bind_show() - See bind.h. */
void bind_show(const Ioasid__V1__PageTable *t)
{
	char time[32], type[16];

	output_field("Page table", t->name);
	output_field("Lease", t->lease);
	output_field("Hangs on", t->parent);
	output_field("Made for", t->device);
	for (size_t i = 0; i < t->n_labels; i++)
		output_fieldf(i ? "" : "Labels", "%s=%s", t->labels[i]->key,
			      t->labels[i]->value);
	output_fieldf("Type", "%s%s%s%s%s%s",
		      bind_type_word(t->data_type, type),
		      t->nest_parent ? ", nest parent" : "",
		      t->dirty_tracking ? ", dirty tracking" : "",
		      t->pasid ? ", PASID" : "",
		      t->fault_queue ? ", fault queue" : "",
		      t->registered ? ", of its holder's making" : "");
	if (t->dirty_tracking)
		output_field("Dirty tracking",
			     t->dirty_tracking_on ? "on" : "off");
	show_bindings(t);
	if (t->kernel_id)
		output_fieldf("Kernel id", "%u", t->kernel_id);
	else
		output_field("Kernel id", "none: it is in no iommufd now");
	output_field("Made", ctl_time(t->created, time));
}

/* bind_call() - See bind.h. */
int bind_call(struct ctl *ctl, const char *method,
	      const ProtobufCMessage *request, const char *object)
{
	_cleanup_message_ ProtobufCMessage *reply = NULL;
	int r;

	r = ctl_call(ctl, method, request, &ioasid__v1__page_table__descriptor,
		     object, &reply);
	if (r)
		return r;
	if (ctl->json) {
		json_print(reply);
		return CTL_DONE;
	}
	if (bind_dry_run)
		printf("It would be so (nothing was changed):\n");
	bind_show((const Ioasid__V1__PageTable *)reply);
	return CTL_DONE;
}

/* digit() - The value of a hexadecimal digit; -1 if it is none. */
static int digit(char c)
{
	const char *digits = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) % 16 : -1;
}

/* bind_hex() - See bind.h. */
int bind_hex(const char *what, const char *text, uint8_t *ret, size_t max,
	     size_t *ret_n)
{
	size_t n = strlen(text);

	if (n % 2)
		return ctl_usage("--%s has half a byte too many", what);
	if (n / 2 > max)
		return ctl_usage("--%s: %zu bytes; at most %zu", what, n / 2,
				 max);
	for (size_t i = 0; i < n / 2; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return ctl_usage("--%s is bytes as hexadecimal digits, "
					 "not '%s'", what, text);
		ret[i] = (uint8_t)(high << 4 | low);
	}
	*ret_n = n / 2;
	return CTL_DONE;
}

/* bind_places() - See bind.h. */
int bind_places(char **args, char name[CTL_NAME_SIZE],
		char device[CTL_NAME_SIZE])
{
	int r = ctl_object_name("pageTables", args[0], name);

	if (!r)
		r = ctl_device_name(args[1], device);
	if (!r && bind_pasid > PASID_MAX)
		r = ctl_usage("--pasid is 1 to %u", PASID_MAX);
	return r;
}

/* dirty_set() - See bind.h. */
int dirty_set(struct ctl *ctl, const char *arg, bool on)
{
	Ioasid__V1__SetDirtyTrackingRequest request =
		IOASID__V1__SET_DIRTY_TRACKING_REQUEST__INIT;
	char name[CTL_NAME_SIZE];
	int r;

	r = ctl_object_name("pageTables", arg, name);
	if (r)
		return r;
	request.name = name;
	request.on = on;
	request.dry_run = bind_dry_run;
	return bind_call(ctl, "PageTables/SetDirtyTracking", &request.base,
			 name);
}
