/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c - the simulated machine, behind the table
 *
 * What sysfs and opening a node would tell is asked of the machine's process.
 * Calls on descriptors are made as on real ones (kernel/call.h).
 */
#include "kernel/sim/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kernel/iommufd.h"
#include "kernel/sim/link.h"
#include "kernel/sim/private.h"
#include "kernel/sysfs.h"
#include "kernel/vfio.h"

/* A description is a few kilobytes; of 4,096 VFs, too. */
#define DESCRIPTION_MAX (16 << 20)

/* A machine that ends just now is found no more the next time. */
#define CONNECT_TRIES 3

/* client_end() - Let go of the machine, which goes on */
static void client_end(struct client *client)
{
	(void)fd_close(client->present);
	(void)fd_close(client->proc);
	(void)fd_close(client->dir);
	free(client);
}

/* client_free() - The same; NULL is allowed */
static void client_free(struct kernel *k)
{
	if (k)
		client_end(client_of(k));
}

/* --- asking --- */

/**
 * client_no_answer() - The machine does not answer
 * @r:		How
 *
 * Return: @r; -ENODEV and -ETIMEDOUT mean something else to callers.
 */
int client_no_answer(int r, struct error *err)
{
	return error_set(err, r, ERROR_KERNEL_SYSTEM,
			 "the simulated machine does not answer: %m");
}

/**
 * client_not_found() - There is no such function
 */
int client_not_found(const char *bdf, struct error *err)
{
	return error_set(err, -ENODEV, ERROR_DEVICE_NOT_FOUND,
			 "there is no PCI function %s", bdf);
}

/**
 * client_ask() - Ask the machine something that it answers at once
 * @k:		The machine
 * @op:		What
 * @request:	With what
 * @ret:	The answer; its @result is the caller's to look at
 * @ret_fd:	See link_receive()
 *
 * Return: 0; -errno if there is no answer.
 */
int client_ask(struct kernel *k, enum control_op op,
	       struct control_request *request, struct control_reply *ret,
	       int *ret_fd, struct error *err)
{
	_cleanup_fd_ int fd = -1;
	int r;

	r = link_connect(client_of(k)->dir, &fd);
	if (!r)
		r = link_send(fd, op, request);
	if (!r)
		r = link_receive(fd, 0, ret, ret_fd);

	return r < 0 ? client_no_answer(r, err) : 0;
}

/**
 * client_ask_about() - Ask the machine about a function
 * @bdf:	The function
 *
 * The rest as in client_ask().
 *
 * Return: 0; -ENODEV, device.not-found; -errno if there is no answer.
 */
int client_ask_about(struct kernel *k, enum control_op op, const char *bdf,
		     struct control_reply *ret, int *ret_fd, struct error *err)
{
	struct control_request request = { .magic = 0 };
	int r;

	if (!str_copy(request.bdf, sizeof(request.bdf), bdf))
		return client_not_found(bdf, err);
	r = client_ask(k, op, &request, ret, ret_fd, err);

	return r == 0 && ret->result == -ENODEV ? client_not_found(bdf, err) : r;
}

/* --- what there is --- */

/* client_backend() - It has iommufd, or nothing */
enum kernel_backend client_backend(struct kernel *k)
{
	return client_of(k)->hello.info.iommufd ? KERNEL_BACKEND_IOMMUFD :
						  KERNEL_BACKEND_NONE;
}

/* client_info() - What the machine's kernel is */
static int client_info(struct kernel *k, struct kernel_info *ret,
		       struct error *err)
{
	*ret = client_of(k)->hello.info;
	ret->simulated = true;
	ret->backend = client_backend(k);
	return 0;
}

/* client_uevents() - Open the machine's announcements */
static int client_uevents(struct kernel *k, int *ret_fd, struct error *err)
{
	struct control_request request = { .magic = 0 };
	struct control_reply reply = { .magic = 0 };
	_cleanup_fd_ int fd = -1;
	int r;

	r = client_ask(k, CONTROL_UEVENTS, &request, &reply, &fd, err);
	if (r < 0)
		return r;
	if (reply.result < 0 || fd < 0)
		return client_no_answer(reply.result < 0 ? reply.result :
							   -EPROTO, err);

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* client_uevent_read() - The next announcement. -ENODEV: there will be none any
 * more, since the machine has ended.
 */
static int client_uevent_read(struct kernel *k, int fd,
			      struct kernel_uevent *ret, struct error *err)
{
	struct kernel_uevent event;
	ssize_t n = fd_receive(fd, &event, sizeof(event), NULL, 0, NULL);

	if (n == -EAGAIN)
		return -EAGAIN;
	if (n != sizeof(event))
		return error_set(err, -ENODEV, ERROR_KERNEL_SYSTEM,
				 "the simulated machine is no more");

	*ret = event;
	return 0;
}

/* --- VFIO --- */

/* client_cdev_open() - Open a function's own cdev */
static int client_cdev_open(struct kernel *k, const char *bdf, int *ret_fd,
			    struct error *err)
{
	struct control_reply reply = { .magic = 0 };
	struct kernel_device dev;
	_cleanup_fd_ int fd = -1;
	int r;

	r = client_device(k, bdf, &dev, err);
	if (!r)
		r = client_ask_about(k, CONTROL_CDEV, bdf, &reply, &fd, err);
	if (r < 0)
		return r;
	if (reply.result == -ENOENT)
		return error_set(err, -ENOENT, ERROR_KERNEL_NO_CDEV,
				 "%s is with driver '%s' and has no VFIO cdev",
				 bdf, dev.driver);
	if (reply.result < 0 || fd < 0)
		return error_set(err, reply.result, ERROR_KERNEL_VFIO,
				 "open '/dev/vfio/devices/%s' of %s: %m",
				 dev.cdev_name, bdf);

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/**
 * blame() - Does a sibling keep a function from being bound?
 * @k:		The machine
 * @sibling:	It
 * @found:	A filled error: it is added as a cause
 *
 * Return: 1 or 0.
 */
static int blame(struct kernel *k, const struct kernel_device *sibling,
		 struct error *found)
{
	struct error held = ERROR_NULL;

	if (vfio_is_host_driver(sibling)) {
		error_cause(found, "device", sibling->bdf,
			    "of the same group is with driver %s",
			    sibling->driver);
		if (found->n_causes == 1)
			error_remedy(found, "take it off driver %s: `echo %s > /sys/bus/pci/devices/%s/driver/unbind` as root",
				     sibling->driver, sibling->bdf,
				     sibling->bdf);
		return 1;
	}
	if (!sibling->vfio || client_find_holders(k, sibling, &held, NULL) <= 0)
		return 0;
	error_cause(found, "device", sibling->bdf,
		    "of the same group is held by process %s (%s)",
		    held.causes[0].name, held.causes[0].detail);
	return 1;
}

/**
 * not_permitted() - Find out what EPERM of BIND means
 * @k:		The machine
 * @inv:	What there is
 * @dev:	The function
 * @err:	Filled
 *
 * Return: -EPERM.
 */
static int not_permitted(struct kernel *k, const struct kernel_inventory *inv,
			 const struct kernel_device *dev, struct error *err)
{
	struct control_request request = { .magic = 0 };
	struct control_reply reply = { .magic = 0 };
	struct error found;
	int n = 0;

	error_set(&found, -EPERM, ERROR_GROUP_NOT_VIABLE,
		  "VFIO_DEVICE_BIND_IOMMUFD of %s: group %d belongs to "
		  "somebody else", dev->bdf, dev->group);
	for (size_t i = 0; i < inv->n_devices; i++)
		if (inv->devices[i].group == dev->group &&
		    !str_eq(inv->devices[i].bdf, dev->bdf))
			n += blame(k, &inv->devices[i], &found);
	if (n) {
		if (err)
			*err = found;
		return -EPERM;
	}

	/* Asked anew: it may have been allowed since. */
	if (inv->isolated_msi != ISOLATED_MSI_YES &&
	    client_ask(k, CONTROL_HELLO, &request, &reply, NULL, NULL) == 0 &&
	    !reply.hello.allow_unsafe)
		return error_set(err, -EPERM, ERROR_DEVICE_UNSAFE_INTERRUPTS,
				 "VFIO_DEVICE_BIND_IOMMUFD of %s: the host "
				 "does not isolate its interrupts", dev->bdf);

	return error_set(err, -EPERM, ERROR_DEVICE_UNUSABLE,
			 "VFIO_DEVICE_BIND_IOMMUFD of %s: group %d belongs to "
			 "somebody whom no process shows: %m", dev->bdf,
			 dev->group);
}

/* client_vfio_bind() - Bind a function, and say why not */
static int client_vfio_bind(struct kernel *k, const char *bdf, int cdev,
			    int iommufd, uint32_t *ret_dev_id,
			    struct error *err)
{
	struct kernel_inventory *inv;
	struct kernel_device dev;
	int r;

	r = vfio_bind(bdf, cdev, iommufd, ret_dev_id, err);
	if (r != -EPERM || client_device(k, bdf, &dev, NULL) < 0 ||
	    client_inventory(k, &inv, NULL) < 0)
		return r;
	r = not_permitted(k, inv, &dev, err);
	(void)kernel_inventory_free(inv);

	return r;
}

/* client_vfio_attach() - See vfio_attach(). */
static int client_vfio_attach(struct kernel *k, int cdev, uint32_t pt_id,
			      uint32_t *ret_pt_id, struct error *err)
{
	return vfio_attach(cdev, pt_id, ret_pt_id, err);
}

/* client_vfio_detach() - See vfio_detach(). */
static int client_vfio_detach(struct kernel *k, int cdev, struct error *err)
{
	return vfio_detach(cdev, err);
}

/* client_vfio_reset_set() - See vfio_reset_set(). */
static int client_vfio_reset_set(struct kernel *k, int cdev,
				 char (**ret)[BDF_SIZE], size_t *ret_n,
				 struct error *err)
{
	return vfio_reset_set(cdev, ret, ret_n, err);
}

/* client_vfio_reset() - See vfio_reset(). */
static int client_vfio_reset(struct kernel *k, int cdev, struct error *err)
{
	return vfio_reset(cdev, err);
}

/* client_vfio_health() - See vfio_health(). */
static int client_vfio_health(struct kernel *k, int cdev,
			      struct kernel_health *ret, struct error *err)
{
	return vfio_health(cdev, ret, err);
}

/* --- containers and groups --- */

/**
 * no_containers() - Say that a simulated machine has iommufd alone
 *
 * Return: -ENOENT.
 */
static int no_containers(struct error *err)
{
	return error_set(err, -ENOENT, ERROR_KERNEL_NO_CONTAINER,
			 "a simulated machine has no VFIO containers and groups");
}

/* client_container_open() - See no_containers(), as of the seven that follow. */
static int client_container_open(struct kernel *k, int *ret_fd,
				 struct error *err)
{
	return no_containers(err);
}

static int client_group_open(struct kernel *k, int group, int *ret_fd,
			     struct error *err)
{
	return no_containers(err);
}

static int client_container_attach(struct kernel *k, int container, int group,
				   int number, struct error *err)
{
	return no_containers(err);
}

static int client_container_info(struct kernel *k, int container,
				 struct kernel_container_info *ret,
				 struct error *err)
{
	return no_containers(err);
}

static int client_container_tce_info(struct kernel *k, int container,
				     struct kernel_tce_info *ret,
				     struct error *err)
{
	return no_containers(err);
}

static int client_group_device(struct kernel *k, int group, const char *bdf,
			       int *ret_fd, struct error *err)
{
	return no_containers(err);
}

static int client_container_unmap_all(struct kernel *k, int container,
				      uint64_t *ret_bytes, struct error *err)
{
	return no_containers(err);
}

static int client_vfio_is(struct kernel *k, int fd, const char *bdf,
			  struct error *err)
{
	return no_containers(err);
}

/* --- iommufd --- */

/* client_iommufd_open() - Make a context */
static int client_iommufd_open(struct kernel *k, int *ret_fd,
			       struct error *err)
{
	struct control_request request = { .magic = 0 };
	struct control_reply reply = { .magic = 0 };
	_cleanup_fd_ int fd = -1;
	int r;

	r = client_ask(k, CONTROL_IOMMUFD, &request, &reply, &fd, err);
	if (r < 0)
		return r;
	if (reply.result < 0 || fd < 0)
		return error_set(err, reply.result, reply.result == -ENOENT
				 ? ERROR_KERNEL_NO_IOMMUFD
				 : ERROR_KERNEL_IOMMUFD,
				 "open '/dev/iommu': %m");

	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* client_iommufd_rlimit_mode() - See iommufd_rlimit_mode(). */
static int client_iommufd_rlimit_mode(struct kernel *k, int iommufd,
				      struct error *err)
{
	return iommufd_rlimit_mode(iommufd, err);
}

/* client_ioas_alloc() - See iommufd_ioas_alloc(). */
static int client_ioas_alloc(struct kernel *k, int iommufd, uint32_t *ret_id,
			     struct error *err)
{
	return iommufd_ioas_alloc(iommufd, ret_id, err);
}

/* client_ioas_ranges() - See iommufd_ioas_ranges(). */
static int client_ioas_ranges(struct kernel *k, int iommufd, uint32_t ioas_id,
			      struct kernel_range **ret, size_t *ret_n,
			      uint64_t *ret_alignment, struct error *err)
{
	return iommufd_ioas_ranges(iommufd, ioas_id, ret, ret_n, ret_alignment,
				   err);
}

/* client_ioas_allow() - See iommufd_ioas_allow(). */
static int client_ioas_allow(struct kernel *k, int iommufd, uint32_t ioas_id,
			     const struct kernel_range *ranges, size_t n,
			     struct error *err)
{
	return iommufd_ioas_allow(iommufd, ioas_id, ranges, n, err);
}

/* client_ioas_unmap_all() - See iommufd_ioas_unmap_all(). */
static int client_ioas_unmap_all(struct kernel *k, int iommufd,
				 uint32_t ioas_id, uint64_t *ret_bytes,
				 struct error *err)
{
	return iommufd_ioas_unmap_all(iommufd, ioas_id, ret_bytes, err);
}

/* client_ioas_map_file() - See iommufd_ioas_map_file(). */
static int client_ioas_map_file(struct kernel *k, int iommufd,
			      uint32_t ioas_id, int fd, uint64_t offset,
			      uint64_t length, uint64_t iova, bool writable,
			      const char *lease, struct error *err)
{
	return iommufd_ioas_map_file(iommufd, ioas_id, fd, offset, length,
				     iova, writable, err);
}

/* client_ioas_unmap() - See iommufd_ioas_unmap(). */
static int client_ioas_unmap(struct kernel *k, int iommufd, uint32_t ioas_id,
			   uint64_t iova, uint64_t length,
			   uint64_t *ret_bytes, struct error *err)
{
	return iommufd_ioas_unmap(iommufd, ioas_id, iova, length, ret_bytes,
				  err);
}

/* client_hw_info() - See iommufd_hw_info(). */
static int client_hw_info(struct kernel *k, int iommufd, uint32_t dev_id,
			  struct kernel_hw_info *ret, struct error *err)
{
	return iommufd_hw_info(iommufd, dev_id, ret, err);
}

/**
 * client_node_find() - What a simulated machine has no nodes for
 *
 * Whoever opens a group by its path opens one of this host.
 *
 * Return: -ENOENT, kernel.no-node.
 */
static int client_node_find(struct kernel *k, int group,
			    struct kernel_node *ret, struct error *err)
{
	return error_set(err, -ENOENT, ERROR_KERNEL_NO_NODE,
			 "group %d is of a simulated machine, which has no device nodes",
			 group);
}

/* client_node_get_acl() - Likewise. */
static int client_node_get_acl(struct kernel *k,
			       const struct kernel_node *node,
			       struct acl *ret, struct error *err)
{
	return error_set(err, -ENOENT, ERROR_KERNEL_NO_NODE,
			 "'%s' is of a simulated machine", node->path);
}

/* client_node_set_acl() - Likewise. */
static int client_node_set_acl(struct kernel *k,
			       const struct kernel_node *node,
			       const struct acl *acl, struct error *err)
{
	return error_set(err, -ENOENT, ERROR_KERNEL_NO_NODE,
			 "'%s' is of a simulated machine", node->path);
}

/* client_destroy() - See iommufd_destroy(). */
static int client_destroy(struct kernel *k, int iommufd, uint32_t id,
			  struct error *err)
{
	return iommufd_destroy(iommufd, id, err);
}

static const struct kernel_ops client_ops = {
	.free = client_free,
	.info = client_info,
	.inventory = client_inventory,
	.device = client_device,
	.device_users = client_device_users,
	.uevents = client_uevents,
	.uevent_read = client_uevent_read,
	.get_override = client_get_override,
	.set_override = client_set_override,
	.unbind = client_unbind,
	.probe = client_probe,
	.mend_config = client_mend_config,
	.wait_earlier = client_wait_earlier,
	.stuck_ended = client_stuck_ended,
	.cdev_open = client_cdev_open,
	.cdev_holders = client_cdev_holders,
	.vfio_bind = client_vfio_bind,
	.vfio_attach = client_vfio_attach,
	.vfio_detach = client_vfio_detach,
	.vfio_attach_pasid = client_vfio_attach_pasid,
	.vfio_detach_pasid = client_vfio_detach_pasid,
	.vfio_reset_set = client_vfio_reset_set,
	.vfio_reset = client_vfio_reset,
	.vfio_health = client_vfio_health,
	.container_open = client_container_open,
	.group_open = client_group_open,
	.container_attach = client_container_attach,
	.container_info = client_container_info,
	.container_tce_info = client_container_tce_info,
	.group_device = client_group_device,
	.container_unmap_all = client_container_unmap_all,
	.vfio_is = client_vfio_is,
	.iommufd_open = client_iommufd_open,
	.iommufd_rlimit_mode = client_iommufd_rlimit_mode,
	.ioas_alloc = client_ioas_alloc,
	.ioas_ranges = client_ioas_ranges,
	.ioas_allow = client_ioas_allow,
	.ioas_unmap_all = client_ioas_unmap_all,
	.ioas_map_file = client_ioas_map_file,
	.ioas_unmap = client_ioas_unmap,
	.hw_info = client_hw_info,
	.hwpt_alloc = client_hwpt_alloc,
	.hwpt_invalidate = client_hwpt_invalidate,
	.hwpt_set_dirty = client_hwpt_set_dirty,
	.hwpt_get_dirty = client_hwpt_get_dirty,
	.fault_queue_alloc = client_fault_queue_alloc,
	.viommu_alloc = client_viommu_alloc,
	.vdevice_alloc = client_vdevice_alloc,
	.node_find = client_node_find,
	.node_get_acl = client_node_get_acl,
	.node_set_acl = client_node_set_acl,
	.destroy = client_destroy,
};

/* --- finding it, or starting it --- */

/**
 * open_dir() - Open the state folder
 * @path:	It
 * @make:	Make it if it is not there
 * @ret:	The folder
 *
 * Return: 0 or -errno.
 */
static int open_dir(const char *path, bool make, int *ret, struct error *err)
{
	int fd;

	if (make && mkdir(path, 0700) && errno != EEXIST)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "make the folder '%s': %m", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, ERROR_KERNEL_SYSTEM,
				 "open the folder '%s': %m", path);
	*ret = fd;
	return 0;
}

/**
 * read_description() - Read a description, and what tells it from others
 * @file:	Its path
 * @ret:	Text, to be freed
 * @hello:	@description and @name are filled
 *
 * Source: FNV-1a, 64 bits.
 *
 * Return: 0 or -errno.
 */
static int read_description(const char *file, char **ret,
			    struct control_hello *hello, struct error *err)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	char *text = malloc(DESCRIPTION_MAX);
	ssize_t n;

	if (!text)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for a description");
	n = fd_read_file(AT_FDCWD, file, text, DESCRIPTION_MAX);
	if (n < 0) {
		free(text);
		return error_set(err, (int)n, ERROR_REQUEST_INVALID,
				 "read the description '%s': %m", file);
	}
	for (ssize_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)text[i]) *
		       UINT64_C(0x100000001b3);
	hello->description = hash;
	(void)str_copy(hello->name, sizeof(hello->name), file);
	*ret = text;
	return 0;
}

/**
 * greet() - Connect to the machine that runs, and say that we need it
 * @client:	@dir is open; @present and @hello are filled
 *
 * Return: 0; -ENOENT if there is none; -errno.
 */
static int greet(struct client *client)
{
	struct control_request request = { .magic = 0 };
	struct control_reply reply = { .magic = 0 };
	int r = -ENOENT;

	for (int i = 0; i < CONNECT_TRIES; i++) {
		_cleanup_fd_ int fd = -1;

		r = link_connect(client->dir, &fd);
		if (r == -ECONNREFUSED)
			return -ENOENT;
		if (!r)
			r = link_send(fd, CONTROL_HELLO, &request);
		if (!r)
			r = link_receive(fd, 0, &reply, NULL);
		if (!r) {
			client->present = TAKE_FD(fd);
			client->hello = reply.hello;
			return 0;
		}
		if (r != -ECONNRESET && r != -EPIPE)
			return r;
	}

	return r;
}

/**
 * start() - Start a machine
 * @client:	@dir is open and locked; @present and @hello are filled
 * @text:	Its description
 * @hello:	@description and @name are filled
 *
 * Return: 0 or -errno.
 */
static int start(struct client *client, const char *text,
		 const struct control_hello *hello, unsigned int linger_s,
		 struct error *err)
{
	struct sim *sim;
	int r;

	r = sim_describe(text, hello->name, &sim, err);
	if (r < 0)
		return r;
	r = spawn_machine(client->dir, sim, hello, linger_s, err);
	(void)sim_free(sim);
	if (r < 0)
		return r;
	r = greet(client);

	return r < 0 ? client_no_answer(r, err) : 0;
}

/**
 * find_or_start() - Have a machine
 * @client:	@dir is open and locked; @present and @hello are filled
 * @file:	Description; NULL for the one that runs
 *
 * Return: 0 or -errno.
 */
static int find_or_start(struct client *client, const char *file,
			 unsigned int linger_s, struct error *err)
{
	struct control_hello hello = { .description = 0 };
	_cleanup_free_ char *text = NULL;
	int r = 0;

	if (file)
		r = read_description(file, &text, &hello, err);
	if (r < 0)
		return r;
	r = greet(client);
	if (r == -ENOENT && file)
		return start(client, text, &hello, linger_s, err);
	if (r == -ENOENT)
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "no simulated machine runs here: say what it "
				 "is, --machine FILE");
	if (r < 0)
		return client_no_answer(r, err);
	if (!file || hello.description == client->hello.description)
		return 0;

	return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
			 "the simulated machine that runs here (process %d) "
			 "was made of another description, '%s'; to switch it "
			 "off: ioasidd-sim --state-dir DIR --poke power-off",
			 (int)client->hello.pid, client->hello.name);
}

/**
 * client_init() - Open what a client needs, and have a machine
 * @client:	Zero; to be ended on failure, too
 *
 * Return: 0 or -errno.
 */
static int client_init(struct client *client, const char *state_dir,
		       const char *file, unsigned int linger_s,
		       struct error *err)
{
	int r;

	client->kernel.ops = &client_ops;
	client->dir = client->present = -1;
	client->proc = sysfs_open(AT_FDCWD, "/proc");
	if (client->proc < 0)
		return error_set(err, client->proc, ERROR_KERNEL_SYSTEM,
				 "open '/proc': %m");
	r = open_dir(state_dir, true, &client->dir, err);
	if (r < 0)
		return r;
	/* Two that start at once make one machine. */
	(void)flock(client->dir, LOCK_EX);
	r = find_or_start(client, file, linger_s, err);
	(void)flock(client->dir, LOCK_UN);

	return r;
}

/* kernel_sim_new() - Have the machine of a state folder */
int kernel_sim_new(const char *state_dir, const char *file,
		   unsigned int linger_s, struct kernel **ret,
		   struct error *err)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return error_set(err, -ENOMEM, ERROR_DAEMON_NO_MEMORY,
				 "no memory for the machine");
	r = client_init(client, state_dir, file, linger_s, err);
	if (r < 0) {
		client_end(client);
		return r;
	}

	*ret = (void *)client; /* whose first member it is */
	return 0;
}

/* kernel_sim_poke() - Do something to the machine that runs */
int kernel_sim_poke(const char *state_dir, const char *command, char **ret,
		    struct error *err)
{
	struct control_request request = { .magic = 0 };
	struct client client = { .dir = -1 };
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int dir = -1, fd = -1;
	struct control_reply reply = { .magic = 0 };
	size_t size;
	int r;

	if (!str_copy(request.text, sizeof(request.text), command))
		return error_set(err, -EINVAL, ERROR_REQUEST_INVALID,
				 "the command is too long");
	r = open_dir(state_dir, false, &dir, err);
	if (r < 0)
		return r;
	client.dir = dir;
	r = client_ask(&client.kernel, CONTROL_POKE, &request, &reply, &fd, err);
	if (r < 0)
		return r;
	r = fd < 0 ? -EPROTO : link_read_memory(fd, &text, &size);
	if (r < 0)
		return client_no_answer(r, err);
	if (reply.result < 0)
		return error_set(err, reply.result, ERROR_REQUEST_INVALID,
				 "%s", text);

	*ret = TAKE_PTR(text);
	return 0;
}
