/* SPDX-License-Identifier: Apache-2.0
 *
 * BIND resets a function that can be reset
 *
 * What was written to its registers before is gone. So between two holders
 * there is at least one reset, and none has to be made apart from it.
 */
#include "belief.h"

#define NVME_CC 0x14
/* Sizes of queue entries; without the enable bit they do nothing. */
#define NVME_CC_SIZES 0x00460000

int main(void)
{
	const char *bdf = device("NVME0");
	char methods[64], config[256];
	volatile uint32_t *bar;
	int cdev, iommufd, fd;
	uint32_t cc = 0;

	take(bdf, "vfio-pci");
	if (try_read(of(bdf, "reset_method"), methods, sizeof(methods)) ||
	    !strstr(methods, "flr"))
		broken("%s has no function level reset ('%s')", bdf, methods);

	/* Awake, with memory space on, before anybody has it. */
	if (!access(of(bdf, "power/control"), F_OK)) /* CONFIG_PM */
		need("power/control",
		     try_write(of(bdf, "power/control"), "on"));
	fd = open(of(bdf, "config"), O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread(fd, config, 64, 0) != 64)
		broken("read config: %s", strerror(errno));
	config[4] |= 2;
	if (pwrite(fd, config + 4, 2, 4) != 2)
		broken("write config: %s", strerror(errno));
	fd = open(of(bdf, "resource0"), O_RDWR | O_CLOEXEC);
	bar = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || bar == MAP_FAILED)
		broken("map resource0: %s", strerror(errno));
	bar[NVME_CC / 4] = 0; /* its last driver left it enabled */
	bar[NVME_CC / 4] = NVME_CC_SIZES;
	if (bar[NVME_CC / 4] != NVME_CC_SIZES)
		broken("the register takes nothing: 0x%x", bar[NVME_CC / 4]);

	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	need("BIND", try_bind(cdev, iommufd, NULL));
	if (pread(cdev, &cc, 4, region_offset(cdev, 0) + NVME_CC) != 4)
		broken("read the register: %s", strerror(errno));
	(void)try_write(of(bdf, "power/control"), "auto");
	if (cc == NVME_CC_SIZES)
		changed("BIND left the register as it was");

	return 0;
}
