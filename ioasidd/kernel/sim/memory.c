/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c - the memory behind mappings: of processes, of files
 */
#include "kernel/sim/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/sim/account.h"
#include "kernel/sim/rule.h"

/* --- the caller --- */

/* sim_copy_in() - Read the caller's memory */
int sim_copy_in(const struct sim_caller *caller, void *to, uint64_t from,
		size_t size)
{
	/* cppcheck-suppress ctuuninitvar ; it is what is filled */
	struct iovec local = { to, size };
	struct iovec remote = { (void *)(uintptr_t)from, size };

	if (!size)
		return 0;

	return process_vm_readv(caller->pid, &local, 1, &remote, 1, 0) ==
	       (ssize_t)size ? 0 : -EFAULT;
}

/* sim_copy_out() - Write it */
int sim_copy_out(const struct sim_caller *caller, uint64_t to, const void *from,
		 size_t size)
{
	struct iovec local = { (void *)from, size };
	struct iovec remote = { (void *)(uintptr_t)to, size };

	if (!size)
		return 0;

	return process_vm_writev(caller->pid, &local, 1, &remote, 1, 0) ==
	       (ssize_t)size ? 0 : -EFAULT;
}

/* sim_caller_fd() - A copy of a descriptor of the caller's */
int sim_caller_fd(const struct sim_caller *caller, int fd, int *ret_fd)
{
	_cleanup_fd_ int pidfd = -1;
	int copy;

	if (fd < 0)
		return -EBADF;

	pidfd = (int)syscall(SYS_pidfd_open, caller->pid, 0);
	if (pidfd < 0)
		return -EBADF;

	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy < 0)
		return errno == EPERM ? -EPERM : -EBADF;

	*ret_fd = copy;
	return 0;
}

/* sim_caller_capable() - Does the caller have a capability in effect? */
bool sim_caller_capable(const struct sim_caller *caller, unsigned int cap)
{
	char path[40], line[128];
	uint64_t effective = 0;
	FILE *file;

	if (caller->root)
		return true;

	str_format(path, sizeof(path), "/proc/%d/status", (int)caller->pid);
	file = fopen(path, "re");
	if (!file)
		return false;

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &effective) == 1)
			break;

	(void)fclose(file); /* nothing was written */
	return effective >> cap & 1;
}

/* --- files --- */

/* backing_unref() - Let go of it. Return: NULL. */
static struct sim_backing *backing_unref(struct sim_backing *backing)
{
	struct sim_backing **at;

	if (!backing || --backing->refs)
		return NULL;

	at = &backing->sim->backings;
	while (*at != backing)
		at = &(*at)->next;
	*at = backing->next;

	backing->fd = fd_close(backing->fd);
	free(backing);
	return NULL;
}

/**
 * backing_of() - The file that a descriptor is of
 * @fd:		Taken over, or closed if the file has one already; on failure
 *		the caller's still
 * @ret:	One reference
 */
static int backing_of(struct sim *sim, int fd, struct sim_backing **ret)
{
	int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
	struct sim_backing *backing;
	struct stat st;

	if (fstat(fd, &st))
		return -EBADF;

	for (backing = sim->backings; backing; backing = backing->next) {
		if (backing->dev != st.st_dev || backing->ino != st.st_ino ||
		    backing->mode != mode)
			continue;
		(void)fd_close(fd);
		backing->refs++;
		*ret = backing;
		return 0;
	}

	backing = malloc(sizeof(*backing));
	if (!backing)
		return -ENOMEM;
	*backing = (struct sim_backing){
		.sim = sim, .next = sim->backings, .refs = 1, .fd = fd,
		.mode = mode, .dev = st.st_dev, .ino = st.st_ino,
	};
	sim->backings = backing;
	*ret = backing;
	return 0;
}

/* --- memory --- */

/**
 * memory_new() - What all kinds have
 * @backing:	NULL, or its reference is taken over on success
 */
static int memory_new(struct sim *sim, const struct sim_caller *caller,
		      struct sim_backing *backing, uint64_t address,
		      bool writeable, bool per_process, struct sim_memory **ret)
{
	struct sim_memory *memory = calloc(1, sizeof(*memory));
	bool free_of_charge = sim_rule(SIM_RULE_ACCOUNT_IPC_LOCK) &&
			      sim_caller_capable(caller, SIM_CAP_IPC_LOCK);
	int r;

	if (!memory)
		return -ENOMEM;

	memory->refs = 1;
	memory->backing = backing;
	memory->fd = backing ? backing->fd : -1;
	memory->address = address - address % SIM_PAGE;
	memory->writeable = writeable;

	r = sim_account_process(sim, caller->pid, &memory->process);
	if (r < 0)
		goto undo_memory;

	if (!sim_rule(SIM_RULE_ACCOUNT_PER_PROCESS))
		per_process = false;
	if (!free_of_charge && per_process)
		memory->account = sim_account_ref(memory->process);
	else if (!free_of_charge)
		r = sim_account_user(sim, caller->uid, &memory->account);
	if (r < 0)
		goto undo_process;

	*ret = memory;
	return 0;

undo_process:
	memory->process = sim_account_unref(memory->process);
undo_memory:
	free(memory);
	return r;
}

/* sim_memory_of_process() - Memory of the caller */
int sim_memory_of_process(struct sim *sim, const struct sim_caller *caller,
			  uint64_t address, bool writeable, bool per_process,
			  struct sim_memory **ret)
{
	return memory_new(sim, caller, NULL, address, writeable, per_process,
			  ret);
}

/* file_kind() - What kind of file is it: to be pinned, and of huge pages? */
static void file_kind(int fd, bool *ret_pinnable, bool *ret_huge)
{
	struct statfs fs;
	struct stat st;

	*ret_pinnable = *ret_huge = false;
	if (fstatfs(fd, &fs) || fstat(fd, &st))
		return;

	*ret_huge = fs.f_type == HUGETLBFS_MAGIC;
	*ret_pinnable = S_ISREG(st.st_mode) &&
			(*ret_huge || fs.f_type == TMPFS_MAGIC);
}

/* open_wider() - The same file for reading and writing, if that can be: the
 * kernel does not look at how the client has opened it.
 */
static int open_wider(int fd)
{
	char path[40];
	int wider;

	str_format(path, sizeof(path), "/proc/self/fd/%d", fd);
	wider = open(path, O_RDWR | O_CLOEXEC);
	if (wider < 0)
		return fd;

	(void)fd_close(fd);
	return wider;
}

/* sim_memory_of_file() - Pages of a file */
int sim_memory_of_file(struct sim *sim, const struct sim_caller *caller, int fd,
		       uint64_t start, bool writeable, bool per_process,
		       struct sim_memory **ret)
{
	_cleanup_fd_ int copy = -1;
	struct sim_backing *backing;
	bool pinnable, huge;
	int flags, r;

	r = sim_caller_fd(caller, fd, &copy);
	if (r < 0)
		return r;

	flags = fcntl(copy, F_GETFL);
	if (flags & O_PATH)
		return -EBADF;
	if (!sim_rule(SIM_RULE_FILE_MODE_IGNORED) && writeable &&
	    (flags & O_ACCMODE) != O_RDWR)
		return -EACCES;

	file_kind(copy, &pinnable, &huge);
	if (pinnable)
		copy = open_wider(copy);
	r = backing_of(sim, copy, &backing);
	if (r < 0)
		return r;
	(void)TAKE_FD(copy);

	r = memory_new(sim, caller, backing, start, writeable, per_process,
		       ret);
	if (r < 0) {
		backing_unref(backing);
		return r;
	}

	(*ret)->pinnable = pinnable;
	(*ret)->huge = huge;
	return 0;
}

/* sim_memory_ref() - Hold it */
struct sim_memory *sim_memory_ref(struct sim_memory *memory)
{
	memory->refs++;
	return memory;
}

/* sim_memory_unref() - Let go of it */
struct sim_memory *sim_memory_unref(struct sim_memory *memory)
{
	if (!memory || --memory->refs)
		return NULL;

	memory->backing = backing_unref(memory->backing);
	memory->process = sim_account_unref(memory->process);
	memory->account = sim_account_unref(memory->account);
	free(memory->spans);
	free(memory);
	return NULL;
}

/* sim_memory_copy() - The same memory anew, with nothing pinned */
int sim_memory_copy(const struct sim_memory *memory, struct sim_memory **ret)
{
	struct sim_memory *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;

	*copy = *memory;
	copy->refs = 1;
	copy->spans = NULL;
	copy->n_spans = 0;
	if (copy->backing)
		copy->backing->refs++;
	copy->process = sim_account_ref(memory->process);
	if (memory->account)
		copy->account = sim_account_ref(memory->account);
	*ret = copy;
	return 0;
}

/* sim_memory_words() - For sim_state() */
void sim_memory_words(const struct sim_memory *memory, char *buf, size_t size)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < memory->n_spans; i++)
		pages += memory->spans[i].last - memory->spans[i].first + 1;

	str_format(buf, size, "%s 0x%" PRIx64 " of %u, %" PRIu64 " pinned",
		   memory->fd < 0 ? "memory" : "file", memory->address,
		   memory->process->id, pages);
}
