/* SPDX-License-Identifier: Apache-2.0
 *
 * driver_override and drivers_probe bind, without the device's ids
 *
 * A newline clears the override, and then the kernel's own choice is bound
 * again.
 */
#include "belief.h"

int main(void)
{
	const char *bdf = device("NVME1");
	char text[64], before[64];

	snprintf(before, sizeof(before), "%s", driver_of(bdf));
	if (strcmp(before, "nvme"))
		broken("%s is with driver '%s', not nvme", bdf, before);
	take(bdf, "vfio-pci"); /* says itself if that is not so */
	need("read driver_override",
	     try_read(of(bdf, "driver_override"), text, sizeof(text)));
	if (strcmp(text, "vfio-pci"))
		changed("driver_override reads '%s'", text);
	if (!cdev_path(bdf))
		changed("there is no cdev right after drivers_probe");

	need("unbind", try_write(of(bdf, "driver/unbind"), bdf));
	if (driver_of(bdf)[0])
		changed("a driver is bound after unbind");
	need("clear", try_write(of(bdf, "driver_override"), "\n"));
	need("read driver_override",
	     try_read(of(bdf, "driver_override"), text, sizeof(text)));
	if (text[0] && strcmp(text, "(null)"))
		changed("a cleared driver_override reads '%s'", text);
	believe("drivers_probe",
		try_write("/sys/bus/pci/drivers_probe", bdf), 0);
	if (strcmp(driver_of(bdf), before))
		changed("driver '%s' is bound, not '%s'", driver_of(bdf),
			before);

	return 0;
}
