/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's uevents come from port 0, to group 1, with the PCI address
 *
 * What does not is somebody else's.
 */
#include "belief.h"

#include <linux/netlink.h>
#include <sys/socket.h>

int main(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK,
				       .nl_groups = 1 };
	const char *bdf = device("EDU0");
	char message[8192], wanted[64];
	bool found = false;
	int fd;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    NETLINK_KOBJECT_UEVENT);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		broken("uevent socket: %s", strerror(errno));
	take(bdf, "vfio-pci");
	snprintf(wanted, sizeof(wanted), "PCI_SLOT_NAME=%s", bdf);

	for (;;) {
		struct sockaddr_nl from;
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, message, sizeof(message) - 1, 0,
				     (struct sockaddr *)&from, &size);

		if (n < 0)
			break;
		message[n] = '\0';
		if (from.nl_pid || from.nl_groups != 1)
			changed("a uevent came from port %u to groups 0x%x",
				from.nl_pid, from.nl_groups);
		for (char *p = message; p < message + n; p += strlen(p) + 1)
			found = found || (!strncmp(message, "bind@", 5) &&
					  !strcmp(p, wanted));
	}
	if (!found)
		changed("no bind uevent named the function by then");

	return 0;
}
