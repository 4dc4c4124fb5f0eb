/* SPDX-License-Identifier: Apache-2.0
 *
 * tce.c - windows of POWER's SPAPR TCE: planned, before the platform is asked
 */
#include "model/tce.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define DEFAULT_PAGE (UINT64_C(1) << TCE_DEFAULT_SHIFT)

/* Of one entry of a window's table, bytes. */
#define ENTRY UINT64_C(8)

/* The most of a table that is asked of the kernel in one piece, where it can
 * have levels. Ours: PowerNV takes up to 16 MiB if there are such pieces.
 */
#define LEVEL_MAX (UINT64_C(1) << 20)

/* How long a dynamic window can be: that it does not reach beyond the last
 * address, wherever it begins. Every platform has less memory than that.
 */
#define SIZE_MAX_SHIFT 59

/**
 * enum tce_role - Which window a wish can be
 */
enum tce_role {
	ROLE_DEFAULT,
	ROLE_DYNAMIC,
	ROLE_COUNT
};

/* tce_has_dynamic() - Can there be a dynamic window at all? */
bool tce_has_dynamic(const struct kernel_tce_info *info)
{
	return info->page_sizes && info->max_windows >= 1 &&
	       info->max_windows <= TCE_WINDOWS_MAX;
}

/**
 * default_shift() - Of which pages a wish's window is, if it is the default one
 *
 * Return: log2 of their size.
 */
static uint32_t default_shift(const struct window_wish *wish)
{
	return wish->page_sizes ? (uint32_t)__builtin_ctzll(wish->page_sizes) :
				  TCE_DEFAULT_SHIFT;
}

/* is_power() - Is it a power of two? */
static bool is_power(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* next_power() - The next power of two, that included; of no more than 2^63 */
static uint64_t next_power(uint64_t n)
{
	return n < 2 ? 1 : UINT64_C(1) << (64 - __builtin_clzll(n - 1));
}

/**
 * table_levels() - Of how many levels a window's table is
 * @size:	Of the window
 */
static uint32_t table_levels(const struct kernel_tce_info *info, uint64_t size,
			     uint32_t shift)
{
	const uint64_t per_level = LEVEL_MAX / ENTRY;
	uint64_t entries = size >> shift;
	uint32_t levels = 1;

	while (levels < info->levels && entries > per_level) {
		entries = (entries + per_level - 1) / per_level;
		levels++;
	}
	return levels;
}

/* --- which window a wish can be --- */

/**
 * struct reason - Why a wish cannot be a window
 */
struct reason {
	char text[160];
};

/* because() - Fill a reason. Return: false. */
static bool __attribute__((format(printf, 2, 3)))
because(struct reason *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return false;
}

/* can_be_default() - Can a wish be the default window, or lie in it? */
static bool can_be_default(const struct kernel_tce_info *info,
			   const struct window_wish *wish, struct reason *why)
{
	const uint64_t end = info->dma32_start + info->dma32_size;

	if (!info->dma32_size)
		return because(why, "the default window: there is none");
	if (default_shift(wish) != TCE_DEFAULT_SHIFT)
		return because(why, "the default window: its pages are of 4 KiB");
	if (wish->size > info->dma32_size ||
	    (wish->fixed && (wish->start < info->dma32_start ||
			     wish->start > end - wish->size)))
		return because(why, "the default window is 0x%" PRIx64 "-0x%" PRIx64,
			       info->dma32_start, end - 1);
	return true;
}

/* has_pages() - Does the platform make dynamic windows of such pages? */
static bool has_pages(const struct kernel_tce_info *info, uint32_t shift)
{
	return shift < 64 && (info->page_sizes >> shift & 1);
}

/* can_have_pages() - Can a wish be a dynamic window of such pages? */
static bool can_have_pages(const struct kernel_tce_info *info,
			   const struct window_wish *wish, uint32_t shift,
			   struct reason *why)
{
	if (!tce_has_dynamic(info))
		return because(why, "the platform has no dynamic windows");
	if (!has_pages(info, shift))
		return because(why, "a dynamic window: the platform has pages of 0x%" PRIx64 ", one bit for each",
			       info->page_sizes);
	if (!is_power(wish->size) || wish->size >> shift == 0)
		return because(why, "a dynamic window: its size is a power of two, and at least a page");
	if (wish->size > UINT64_C(1) << SIZE_MAX_SHIFT)
		return because(why, "a dynamic window has at most 0x%" PRIx64 " bytes",
			       UINT64_C(1) << SIZE_MAX_SHIFT);
	if (wish->purpose == WINDOW_DMA32)
		return because(why, "a dynamic window lies above 4 GiB");
	if (wish->fixed && wish->start != TCE_DYNAMIC_START)
		return because(why, "a dynamic window: the platform decides where it begins, 0x%" PRIx64 " on all that were seen",
			       TCE_DYNAMIC_START);
	/* is_default_window_request() of the kernel */
	if (info->max_windows == 1 && shift == TCE_DEFAULT_SHIFT &&
	    wish->size <= info->dma32_size)
		return because(why, "a dynamic window: where there is one window, the kernel takes this one for the default one");
	return true;
}

/**
 * dynamic_shift() - Of which pages a wish's window is, if it is a dynamic one
 * @ret:	Log2 of their size
 *
 * If it does not say which, the largest that any memory can be mapped with, then
 * smaller ones, then larger ones: those need huge pages.
 *
 * Return: false if it can be none; @why is about the first.
 */
static bool dynamic_shift(const struct kernel_tce_info *info,
			  const struct window_wish *wish, uint32_t *ret,
			  struct reason *why)
{
	const uint32_t kernel = (uint32_t)__builtin_ctzll(
		info->kernel_page ? info->kernel_page : DEFAULT_PAGE);
	struct reason other;

	*ret = wish->page_sizes ? default_shift(wish) : kernel;
	if (can_have_pages(info, wish, *ret, why))
		return true;
	if (wish->page_sizes)
		return false;
	for (*ret = kernel - 1; *ret >= TCE_DEFAULT_SHIFT; --*ret)
		if (can_have_pages(info, wish, *ret, &other))
			return true;
	for (*ret = kernel + 1; *ret < 64; ++*ret)
		if (can_have_pages(info, wish, *ret, &other))
			return true;
	return false;
}

/* can_be_dynamic() - Can a wish be a dynamic window? */
static bool can_be_dynamic(const struct kernel_tce_info *info,
			   const struct window_wish *wish, struct reason *why)
{
	uint32_t shift;

	return dynamic_shift(info, wish, &shift, why);
}

/* can_be() - Can a wish be such a window? */
static bool can_be(const struct kernel_tce_info *info,
		   const struct window_wish *wish, enum tce_role role,
		   struct reason *why)
{
	return role == ROLE_DEFAULT ? can_be_default(info, wish, why) :
				      can_be_dynamic(info, wish, why);
}

/* --- refusals --- */

/**
 * check_wish() - Can a wish be, on any machine?
 * @i:		Which
 *
 * Return: 0; -EINVAL, window.invalid.
 */
static int check_wish(const struct window_wish *wish, size_t i,
		      struct error *err)
{
	const uint64_t page = wish->page_sizes ?
		wish->page_sizes & -wish->page_sizes : DEFAULT_PAGE;
	const uint64_t start = wish->fixed ? wish->start : 0;
	const uint64_t last = start + wish->size - 1;

	if (!wish->size)
		return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
				 "window %zu: it has no size", i + 1);
	if (page < DEFAULT_PAGE)
		return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
				 "window %zu: page_sizes 0x%" PRIx64 " has a size below 0x%" PRIx64 "; it is one bit for each size",
				 i + 1, wish->page_sizes, DEFAULT_PAGE);
	if (wish->size % page || start % page)
		return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
				 "window %zu: its size 0x%" PRIx64 " or start 0x%" PRIx64 " is no multiple of 0x%" PRIx64 ", its pages",
				 i + 1, wish->size, start, page);
	if (last < start || (wish->purpose == WINDOW_DMA32 &&
			     last > UINT32_MAX))
		return error_set(err, -EINVAL, ERROR_WINDOW_INVALID,
				 "window %zu: 0x%" PRIx64 " bytes from 0x%" PRIx64 " on go beyond the last address%s",
				 i + 1, wish->size, start,
				 wish->purpose == WINDOW_DMA32 ?
					 " below 4 GiB" : "");
	return 0;
}

/**
 * fitting() - Find what is like a wish and would fit
 * @ret:	It; without a place
 *
 * Return: false if nothing is.
 */
static bool fitting(const struct kernel_tce_info *info,
		    const struct window_wish *wish, struct window_wish *ret)
{
	const uint32_t first = default_shift(wish);
	struct reason why;

	if (wish->size > UINT64_C(1) << SIZE_MAX_SHIFT)
		return false;
	for (uint32_t n = 0; n < 64; n++) {
		const uint32_t shift = (first + n) % 64;

		*ret = (struct window_wish){
			.page_sizes = UINT64_C(1) << shift,
			.size = next_power(wish->size),
		};
		if (ret->size < ret->page_sizes)
			ret->size = ret->page_sizes;
		if (can_be_dynamic(info, ret, &why))
			return true;
	}
	return false;
}

/**
 * refuse_wish() - Say why a wish can be neither window
 * @i:		Which
 *
 * Return: -EADDRINUSE, window.unavailable.
 */
static int refuse_wish(const char *device, const struct kernel_tce_info *info,
		       const struct window_wish *wish, size_t i,
		       struct error *err)
{
	const uint64_t page = wish->page_sizes & -wish->page_sizes;
	struct window_wish other;
	struct reason why;

	error_set(err, -EADDRINUSE, ERROR_WINDOW_UNAVAILABLE,
		  "window %zu: the platform has no window of 0x%" PRIx64 " bytes%s for it",
		  i + 1, wish->size,
		  page == DEFAULT_PAGE ? " with pages of 4 KiB" : "");
	for (enum tce_role role = ROLE_DEFAULT; role < ROLE_COUNT; role++)
		if (!can_be(info, wish, role, &why))
			error_cause(err, "device", device, "%s", why.text);
	if (wish->purpose == WINDOW_DMA32 || !fitting(info, wish, &other))
		error_remedy(err, "ask for what is in the default window, 0x%" PRIx64 " bytes from 0x%" PRIx64 " on",
			     info->dma32_size, info->dma32_start);
	else
		error_remedy(err, "0x%" PRIx64 " bytes with pages of 0x%" PRIx64 " would fit, from where the platform says",
			     other.size, other.page_sizes);
	return -EADDRINUSE;
}

/**
 * refuse_number() - Say that there are too many of a kind
 * @what:	Of which
 *
 * Return: -EADDRINUSE, window.unavailable.
 */
static int refuse_number(const char *device, const char *what,
			 struct error *err)
{
	error_set(err, -EADDRINUSE, ERROR_WINDOW_UNAVAILABLE,
		  "a container has at most %s", what);
	error_cause(err, "device", device, "has two windows at most: the default one, and a dynamic one beside it");
	error_remedy(err, "ask for one that fits into the default window, and for one that is a dynamic one");
	return -EADDRINUSE;
}

/* --- the plan --- */

/* add_default() - A wish is the default window, or lies in it */
static void add_default(const struct kernel_tce_info *info,
			const struct window_wish *wish, size_t i,
			struct tce_plan *plan)
{
	plan->windows[plan->n_windows++] = (struct tce_window){
		.start = wish->fixed ? wish->start : info->dma32_start,
		.size = wish->size,
		.page_shift = TCE_DEFAULT_SHIFT,
		.huge_pages = info->kernel_page < DEFAULT_PAGE,
		.wish = i,
	};
}

/* add_dynamic() - A wish is a dynamic window */
static void add_dynamic(const struct kernel_tce_info *info,
			const struct window_wish *wish, size_t i,
			struct tce_plan *plan)
{
	struct reason why;
	uint32_t levels, shift;

	(void)dynamic_shift(info, wish, &shift, &why); /* it can, by now */
	levels = table_levels(info, wish->size, shift);
	plan->steps[plan->n_steps++] = (struct tce_step){
		.kind = TCE_CREATE,
		.start = TCE_DYNAMIC_START,
		.size = wish->size,
		.page_shift = shift,
		.levels = levels,
		.table = (wish->size >> shift) * ENTRY,
	};
	plan->windows[plan->n_windows++] = (struct tce_window){
		.start = TCE_DYNAMIC_START,
		.size = wish->size,
		.page_shift = shift,
		.dynamic = true,
		.huge_pages = UINT64_C(1) << shift > info->kernel_page,
		.wish = i,
	};
}

/* begin() - Whether the default window is kept */
static void begin(const struct kernel_tce_info *info, bool keep,
		  struct tce_plan *plan)
{
	*plan = (struct tce_plan){ .n_steps = 1 };
	plan->steps[0] = (struct tce_step){
		.kind = keep ? TCE_KEEP_DEFAULT : TCE_REMOVE_DEFAULT,
		.start = info->dma32_start,
		.size = info->dma32_size,
		.page_shift = TCE_DEFAULT_SHIFT,
		.levels = 1,
		.table = keep ? (info->dma32_size >> TCE_DEFAULT_SHIFT) * ENTRY :
				0,
	};
}

/* plan_one() - Plan for at most one wish. Return: as tce_plan(). */
static int plan_one(const char *device, const struct kernel_tce_info *info,
		    const struct window_wish *wishes, size_t n,
		    struct tce_plan *plan, struct error *err)
{
	struct reason why = { .text = "" };

	begin(info, true, plan);
	if (n == 0)
		return 0;
	if (can_be_default(info, wishes, &why)) {
		add_default(info, wishes, 0, plan);
		return 0;
	}
	if (!can_be_dynamic(info, wishes, &why))
		return refuse_wish(device, info, wishes, 0, err);
	begin(info, info->dma32_size && info->max_windows > 1, plan);
	add_dynamic(info, wishes, 0, plan);
	return 0;
}

/* plan_two() - Plan for two wishes. Return: as tce_plan(). */
static int plan_two(const char *device, const struct kernel_tce_info *info,
		    const struct window_wish *wishes, struct tce_plan *plan,
		    struct error *err)
{
	bool can[2][ROLE_COUNT];
	struct reason why;
	size_t small;

	for (size_t i = 0; i < 2; i++) {
		for (enum tce_role role = ROLE_DEFAULT; role < ROLE_COUNT;
		     role++)
			can[i][role] = can_be(info, &wishes[i], role, &why);
		if (!can[i][ROLE_DEFAULT] && !can[i][ROLE_DYNAMIC])
			return refuse_wish(device, info, &wishes[i], i, err);
	}
	if (info->max_windows == 1)
		return refuse_number(device, "one window on this platform", err);
	if (can[0][ROLE_DEFAULT] && can[1][ROLE_DYNAMIC])
		small = 0;
	else if (can[1][ROLE_DEFAULT] && can[0][ROLE_DYNAMIC])
		small = 1;
	else
		return refuse_number(device, can[0][ROLE_DEFAULT] ?
				     "one window that is, or lies in, the default one" :
				     "one dynamic window", err);
	begin(info, true, plan);
	add_default(info, &wishes[small], small, plan);
	add_dynamic(info, &wishes[!small], !small, plan);
	return 0;
}

/* tce_plan() - Plan windows, or say why they cannot be */
int tce_plan(const char *device, const struct kernel_tce_info *info,
	     const struct window_wish *wishes, size_t n, struct tce_plan *ret,
	     struct error *err)
{
	struct tce_plan plan = { .n_steps = 0 };
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = check_wish(&wishes[i], i, err);
	if (r == 0 && n > TCE_WINDOWS_MAX)
		r = refuse_number(device, "two windows", err);
	else if (r == 0 && n == TCE_WINDOWS_MAX)
		r = plan_two(device, info, wishes, &plan, err);
	else if (r == 0)
		r = plan_one(device, info, wishes, n, &plan, err);
	if (r == 0)
		*ret = plan;
	return r;
}

/**
 * check_group() - Are all devices of one group?
 *
 * Return: 0; -EADDRINUSE window.unavailable, with the first that is of another.
 */
static int check_group(const struct window_device *devices, size_t n,
		       struct error *err)
{
	for (size_t i = 1; i < n; i++) {
		if (devices[i].group && devices[0].group &&
		    str_eq(devices[i].group, devices[0].group))
			continue;
		error_set(err, -EADDRINUSE, ERROR_WINDOW_UNAVAILABLE,
			  "%s and %s are not of one group: on POWER each group has windows of its own",
			  devices[0].name, devices[i].name);
		error_cause(err, "device", devices[i].name,
			    "is of another group than %s", devices[0].name);
		error_remedy(err, "plan for the devices of one group at a time");
		return -EADDRINUSE;
	}
	return 0;
}

/* tce_plan_devices() - Plan windows for devices */
int tce_plan_devices(const struct window_device *devices, size_t n_devices,
		     const struct window_wish *wishes, size_t n_wishes,
		     struct tce_plan *ret, struct error *err)
{
	int r = check_group(devices, n_devices, err);

	return r < 0 ? r : tce_plan(devices[0].name, &devices[0].caps->tce,
				    wishes, n_wishes, ret, err);
}

/* tce_place() - What window_plan() does, where the platform makes the windows */
int tce_place(const struct window_device *devices, size_t n_devices,
	      const struct window_wish *wishes, size_t n_wishes,
	      struct window **ret, size_t *ret_n, struct error *err)
{
	struct tce_plan plan = { .n_steps = 0 };
	struct window *windows = NULL;
	size_t n;
	int r;

	r = tce_plan_devices(devices, n_devices, wishes, n_wishes, &plan, err);
	if (r < 0)
		return r;
	n = plan.n_windows;
	if (n)
		windows = calloc(n, sizeof(*windows));
	if (n && !windows)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory");
	for (size_t i = 0; i < n; i++)
		windows[i] = (struct window){
			.start = plan.windows[i].start,
			.last = plan.windows[i].start +
				(plan.windows[i].size - 1),
			.page_sizes = UINT64_C(1) << plan.windows[i].page_shift,
			.purpose = wishes[plan.windows[i].wish].purpose,
		};
	*ret = windows;
	*ret_n = n;
	return 0;
}
