/* SPDX-License-Identifier: Apache-2.0
 *
 * RLIMIT_MODE is set on a context without objects only
 *
 * So it is the first thing that is done with a context.
 */
#include "belief.h"

/**
 * try_mode() - IOMMU_OPTION, RLIMIT_MODE 1
 */
static int try_mode(int iommufd)
{
	struct uapi_option cmd = { .size = sizeof(cmd),
				   .option_id = UAPI_OPTION_RLIMIT_MODE,
				   .op = UAPI_OPTION_OP_SET,
				   .val64 = 1 };

	return call(iommufd, UAPI_OPTION, &cmd);
}

int main(void)
{
	int iommufd = open_iommufd();
	uint32_t ioas;

	believe("RLIMIT_MODE of an empty context", try_mode(iommufd), 0);
	ioas = new_ioas(iommufd);
	believe("RLIMIT_MODE of a context with a space", try_mode(iommufd),
		-EBUSY);
	need("IOMMU_DESTROY", try_destroy(iommufd, ioas));
	believe("RLIMIT_MODE of a context that is empty again",
		try_mode(iommufd), 0);

	return 0;
}
