/* SPDX-License-Identifier: Apache-2.0
 *
 * restless.c - a process whose address space changes all the time
 *
 * Its hundreds of mappings come and go one by one, so that the kernel's tree of
 * them is split and joined over and over. Whoever asks the kernel what it has
 * mapped comes into the middle of that.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define COUNT 300
#define PAGE 4096

/* every_other() - Give every other page the same rights, from either end */
static int every_other(char *pages, int rights)
{
	for (int i = 0; i < COUNT; i++) {
		int k = rights ? i : COUNT - 1 - i;

		if (mprotect(pages + 2 * k * PAGE, PAGE, rights))
			return -1;
	}
	return 0;
}

int main(void)
{
	char *pages = mmap(NULL, 2 * COUNT * PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (pages == MAP_FAILED || prctl(PR_SET_PDEATHSIG, SIGKILL)) {
		perror("restless");
		return 1;
	}
	while (!every_other(pages, PROT_READ) && !every_other(pages, PROT_NONE))
		;
	perror("restless");
	return 1;
}
