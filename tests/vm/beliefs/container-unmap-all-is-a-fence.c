/* SPDX-License-Identifier: Apache-2.0
 *
 * UNMAP of all in a VFIO container works whoever mapped: its fence
 *
 * Another process maps, and is alive. Who ends its mappings is told how much that
 * was, and all entries of the container are left afterwards; the device reaches
 * none of the memory. Older kernels let only the mapper do it.
 */
#include "group.h"

#define SOURCE_IOVA 0x100000
#define TARGET_IOVA 0x200000

/* What a container says, and room for what comes with it. */
union info {
	struct uapi_iommu_type1_info head;
	uint8_t bytes[4096];
};

/**
 * make_container() - Make a container of type1, and put a group into it
 */
static int make_container(int group)
{
	int fd = open_container();

	if (ioctl(fd, UAPI_CHECK_EXTENSION, UAPI_TYPE1v2_IOMMU) != 1)
		skipped("no VFIO type1 on this machine");
	need("SET_CONTAINER", try_container(group, fd));
	if (ioctl(fd, UAPI_SET_IOMMU, UAPI_TYPE1v2_IOMMU))
		broken("VFIO_SET_IOMMU: %s", strerror(errno));

	return fd;
}

/**
 * entries() - How many mappings can there be yet?
 */
static uint32_t entries(int container)
{
	struct uapi_iommu_type1_info_dma_avail avail;
	union info info;
	size_t at;

	memset(&info, 0, sizeof(info));
	info.head.argsz = sizeof(info);
	need("GET_INFO", call(container, UAPI_IOMMU_GET_INFO, &info));
	for (at = info.head.cap_offset; at && at + sizeof(avail) < sizeof(info);
	     at = avail.header.next) {
		memcpy(&avail, info.bytes + at, sizeof(avail));
		if (avail.header.id == UAPI_IOMMU_TYPE1_INFO_DMA_AVAIL)
			return avail.avail;
	}
	broken("the container does not count its entries");
}

/**
 * try_map_dma() - VFIO_IOMMU_MAP_DMA of a page
 */
static int try_map_dma(int container, volatile void *va, uint64_t iova)
{
	struct uapi_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = UAPI_DMA_MAP_FLAG_READ | UAPI_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)va,
		.iova = iova,
		.size = PAGE,
	};

	return call(container, UAPI_IOMMU_MAP_DMA, &cmd);
}

/* The other process, and its end: before put_back(), whose unbind would wait for
 * what it has, for good.
 */
static pid_t other;

static void end_other(void)
{
	if (!other)
		return;
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

/**
 * map_by_another() - Have another process map two pages, and live on
 */
static void map_by_another(int container, volatile uint32_t *shared)
{
	const struct timespec step = { .tv_nsec = 10000000 };

	other = start();
	if (!other) {
		int r = try_map_dma(container, shared, SOURCE_IOVA);

		if (!r)
			r = try_map_dma(container, shared + 1024, TARGET_IOVA);
		shared[1] = r ? 2 : 1;
		pause();
		_exit(0);
	}
	for (int i = 0; i < 1000 && !shared[1]; i++)
		nanosleep(&step, NULL);
	if (shared[1] != 1)
		broken("another process cannot map");
}

int main(void)
{
	struct uapi_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = UAPI_DMA_UNMAP_FLAG_ALL,
	};
	const char *bdf = device("EDU0");
	volatile uint32_t *shared;
	int group, container, fd;
	uint32_t before;
	struct edu edu;

	take(bdf, "vfio-pci");
	atexit(end_other);
	group = need_group(bdf);
	container = make_container(group);
	fd = try_device(group, bdf);
	need("VFIO_GROUP_GET_DEVICE_FD", fd);
	shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		broken("mmap: %s", strerror(errno));

	before = entries(container);
	map_by_another(container, shared);
	if (entries(container) != before - 2)
		changed("two mappings take %u entries",
			before - entries(container));
	edu = edu_open(fd);
	shared[0] = 0x600dbeef;
	edu_copy(&edu, SOURCE_IOVA, TARGET_IOVA, 64);
	if (shared[1024] != 0x600dbeef)
		broken("DMA does not work at all");

	shared[1024] = 0;
	believe("VFIO_IOMMU_UNMAP_DMA of all, of another process's",
		call(container, UAPI_IOMMU_UNMAP_DMA, &unmap), 0);
	if (unmap.size != 2 * PAGE)
		changed("it has unmapped %llu bytes",
			(unsigned long long)unmap.size);
	if (entries(container) != before)
		changed("%u of %u entries are left", entries(container),
			before);
	edu_dma(&edu, EDU_BUFFER, TARGET_IOVA, 64, EDU_TO_MEMORY);
	if (shared[1024])
		changed("DMA reaches memory that was unmapped");

	return 0;
}
