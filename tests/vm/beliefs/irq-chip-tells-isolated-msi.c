/* SPDX-License-Identifier: Apache-2.0
 *
 * chip_name in /sys/kernel/irq tells whether BIND finds interrupts isolated
 *
 * A chip that begins with IR- is there if and only if BIND is not EPERM without
 * iommufd.allow_unsafe_interrupts.
 */
#include "belief.h"

#define UNSAFE "/sys/module/iommufd/parameters/allow_unsafe_interrupts"

static char old[8];

/**
 * put_option_back() - For atexit(3)
 */
static void put_option_back(void)
{
	if (getpid() == taker)
		(void)try_write(UNSAFE, old);
}

/**
 * remapped() - Is there an interrupt of a chip that remaps?
 */
static bool remapped(void)
{
	DIR *dir = opendir("/sys/kernel/irq");
	bool found = false;
	struct dirent *e;

	if (!dir)
		broken("open /sys/kernel/irq: %s", strerror(errno));
	while ((e = readdir(dir))) {
		char path[300], chip[64];

		snprintf(path, sizeof(path), "/sys/kernel/irq/%s/chip_name",
			 e->d_name);
		if (e->d_name[0] == '.' || try_read(path, chip, sizeof(chip)))
			continue;
		found = found || !strncmp(chip, "IR-", 3);
	}
	closedir(dir);

	return found;
}

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, iommufd;

	take(bdf, "vfio-pci");
	need("read " UNSAFE, try_read(UNSAFE, old, sizeof(old)));
	atexit(put_option_back);
	need("write " UNSAFE, try_write(UNSAFE, "N"));
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	believe(remapped() ? "BIND with an IR- chip" : "BIND without IR- chip",
		try_bind(cdev, iommufd, NULL), remapped() ? 0 : -EPERM);

	return 0;
}
