/* SPDX-License-Identifier: Apache-2.0
 *
 * names.c - what people call things
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pci/pci.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "ioasidctl/ctl.h"

/**
 * hex_field() - Read a hexadecimal field off a string
 * @s:		Moved behind it
 * @min:	Fewest digits
 * @max:	Most digits
 * @ret:	Its value
 *
 * Return: true if there was one.
 */
static bool hex_field(const char **s, int min, int max, unsigned long *ret)
{
	int n = 0;

	*ret = 0;
	for (; n < max && isxdigit((unsigned char)**s); n++, (*s)++)
		*ret = *ret * 16 + (unsigned long)(isdigit((unsigned char)**s) ?
			**s - '0' : tolower((unsigned char)**s) - 'a' + 10);
	return n >= min;
}

/**
 * bdf_name() - The resource name of a PCI address
 * @arg:	"[dddd:]bb:dd.f"; domains of more digits exist (VMD)
 * @ret:	The name
 *
 * Return: false if it is no address.
 */
static bool bdf_name(const char *arg, char ret[CTL_NAME_SIZE])
{
	unsigned long domain = 0, bus, slot, function;
	const char *s = arg;

	if (strchr(arg, ':') != strrchr(arg, ':') &&
	    !(hex_field(&s, 1, 8, &domain) && *s++ == ':'))
		return false;
	if (!(hex_field(&s, 1, 2, &bus) && *s++ == ':' &&
	      hex_field(&s, 1, 2, &slot) && *s++ == '.' &&
	      hex_field(&s, 1, 1, &function) && !*s && slot < 32 &&
	      function < 8))
		return false;
	return str_format(ret, CTL_NAME_SIZE,
			  "devices/pci-%04lx-%02lx-%02lx.%lx", domain, bus,
			  slot, function);
}

/**
 * name_valid() - Is it made of what resource names are made of?
 * @name:	The name
 *
 * Return: true if it is [a-z0-9.-/] and not empty.
 */
static bool name_valid(const char *name)
{
	return *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
				    "0123456789.-/")] == '\0';
}

/* ctl_device_name() - See ctl.h. */
int ctl_device_name(const char *arg, char ret[CTL_NAME_SIZE])
{
	if (bdf_name(arg, ret))
		return CTL_DONE;
	if (name_valid(arg) && (str_starts(arg, "devices/") ?
	    str_copy(ret, CTL_NAME_SIZE, arg) : str_starts(arg, "pci-") &&
	    str_format(ret, CTL_NAME_SIZE, "devices/%s", arg)))
		return CTL_DONE;
	return ctl_usage("'%s' is neither a PCI address such as 0000:3b:00.0 "
			 "nor a device's name such as "
			 "devices/pci-0000-3b-00.0", arg);
}

/* ctl_object_name() - See ctl.h. */
int ctl_object_name(const char *kind, const char *arg, char ret[CTL_NAME_SIZE])
{
	const char *rest = str_starts(arg, kind);

	if (!rest || *rest != '/')
		rest = NULL;
	/* Of the kinds one has a capital, "pageTables". */
	if (name_valid(rest ? rest : arg) && (rest ? str_copy(ret, CTL_NAME_SIZE, arg) :
	    !strchr(arg, '/') &&
	    str_format(ret, CTL_NAME_SIZE, "%s/%s", kind, arg)))
		return CTL_DONE;
	return ctl_usage("'%s' is not a name such as %s/01k...", arg, kind);
}

/* ctl_short_name() - See ctl.h. */
const char *ctl_short_name(const char *name)
{
	const char *slash = strchr(name, '/');

	return slash ? slash + 1 : name;
}

/* ctl_word() - See ctl.h. */
const char *ctl_word(const ProtobufCEnumDescriptor *type, int value,
		     char ret[32])
{
	const ProtobufCEnumValue *v;

	v = protobuf_c_enum_descriptor_get_value(type, value);
	if (v)
		(void)str_copy(ret, 32, v->name);
	else
		(void)str_format(ret, 32, "%d", value);
	for (char *s = ret; *s; s++)
		*s = *s == '_' ? '-' : (char)tolower((unsigned char)*s);
	return ret;
}

/* ctl_word_value() - See ctl.h. */
int ctl_word_value(const ProtobufCEnumDescriptor *type, const char *word,
		   int *ret)
{
	char each[32];

	for (unsigned int i = 0; i < type->n_values; i++) {
		int value = type->values[i].value;

		if (value && !strcasecmp(ctl_word(type, value, each), word)) {
			*ret = value;
			return CTL_DONE;
		}
	}
	(void)fprintf(stderr, "ioasidctl: '%s' is none of", word);
	for (unsigned int i = 0; i < type->n_values; i++)
		if (type->values[i].value)
			fprintf(stderr, " %s",
				ctl_word(type, type->values[i].value, each));
	fprintf(stderr, "\n");
	return CTL_USAGE;
}

/**
 * pci_quiet() - What libpci has to say that nobody wants to know
 * @fmt:	The words
 */
static void pci_quiet(char *fmt, ...)
{
	(void)fmt;
}

/**
 * pci_fatal() - What libpci cannot go on from: no memory
 * @fmt:	The words
 */
static __attribute__((noreturn)) void pci_fatal(char *fmt, ...)
{
	(void)fmt;
	ctl_no_memory();
}

/* ctl_pci_name() - See ctl.h. */
void ctl_pci_name(uint32_t vendor, uint32_t device, char *ret, size_t size)
{
	static struct pci_access *access;
	char buf[256];
	char *name;

	/* pci_init() would look for devices, and exit if there are none; all
	 * that names need of it is somebody to report to.
	 */
	if (!access) {
		access = pci_alloc();
		access->error = pci_fatal;
		access->warning = pci_quiet;
		access->debug = pci_quiet;
	}
	/* pci.ids has all there is; with the hwdb of udev, where that is not
	 * installed, libpci leaks a little at each look-up.
	 */
	name = pci_lookup_name(access, buf, sizeof(buf),
			       PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE |
			       PCI_LOOKUP_NO_HWDB, (int)vendor, (int)device);
	(void)str_copy(ret, size, name ? name : "");
}

/* ctl_time() - See ctl.h. */
const char *ctl_time(const Google__Protobuf__Timestamp *t, char ret[32])
{
	time_t seconds;
	struct tm tm;

	(void)str_copy(ret, 32, "-");
	if (!t)
		return ret;
	seconds = (time_t)t->seconds;
	if (localtime_r(&seconds, &tm) &&
	    strftime(ret, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)str_copy(ret, 32, "-");
	return ret;
}

/* ctl_size() - See ctl.h. */
const char *ctl_size(uint64_t bytes, bool unlimited, char ret[32])
{
	static const char units[] = " KMGT";
	size_t unit = 0;

	if (unlimited) {
		(void)str_copy(ret, 32, "unlimited");
		return ret;
	}
	while (bytes && bytes % 1024 == 0 && unit + 2 < sizeof(units)) {
		bytes /= 1024;
		unit++;
	}
	(void)str_format(ret, 32, "%" PRIu64 "%.*s", bytes, unit ? 1 : 0,
			 &units[unit]);
	return ret;
}

/* ctl_uid() - See ctl.h. */
int ctl_uid(const char *arg, uint32_t *ret)
{
	const struct passwd *pw;
	uint64_t n;

	/* (uid_t)-1 means "no change" to the kernel: never a user. */
	if (str_u64(arg, 10, UINT32_MAX - 1, &n) == 0) {
		*ret = (uint32_t)n;
		return 0;
	}
	pw = getpwnam(arg);
	if (!pw)
		return -EINVAL;
	*ret = pw->pw_uid;
	return 0;
}
