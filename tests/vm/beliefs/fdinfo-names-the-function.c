/* SPDX-License-Identifier: Apache-2.0
 *
 * fdinfo of a VFIO device names the PCI function
 *
 * It does for a bound and an unbound cdev, and for one whose unbind waits, when
 * it is out of sysfs. So who blocks an unbind is found. Since Linux 6.17.
 */
#include "belief.h"

/**
 * ask() - Does fdinfo end with the address?
 */
static void ask(int cdev, const char *bdf, const char *when)
{
	char path[64], text[4096], *at;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", cdev);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (fd < 0 || n < 0)
		broken("read %s: %s", path, strerror(errno));
	text[n] = '\0';
	at = strstr(text, "vfio-device-syspath:");
	if (!at || !strstr(at, bdf))
		changed("fdinfo %s does not name the function", when);
}

int main(void)
{
	const char *bdf = device("EDU0");
	int cdev, iommufd, status;
	pid_t pid;

	take(bdf, "vfio-pci");
	cdev = open_cdev(bdf);
	iommufd = open_iommufd();
	ask(cdev, bdf, "of an unbound cdev");
	need("BIND", try_bind(cdev, iommufd, NULL));
	ask(cdev, bdf, "of a bound cdev");
	pid = start_unbind(bdf);
	if (ended(pid, 500, &status))
		broken("unbind does not wait (it gave %d)", status);
	ask(cdev, bdf, "while an unbind waits");
	close(cdev);
	if (!ended(pid, 20000, &status))
		broken("unbind waits although nobody has the device");

	return 0;
}
