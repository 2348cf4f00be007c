/* SPDX-License-Identifier: Apache-2.0 */
/* What a step that was started ahead is for. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/sandbox/init.h"
#include "builder/sandbox/record.h"

/* Descriptors that came with a message; -1 once they are used. */
struct received {
	int fds[XB_INIT_ORDER_FDS];
	size_t count;
};

static void take_descriptors(struct msghdr *message, struct received *ret)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);

	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	ret->count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(ret->fds, CMSG_DATA(c), ret->count * sizeof(int));
}

/* Returns how many bytes there were; 0: the builder has closed its end. */
static ssize_t receive(struct xb_init_order *order, struct received *ret)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(ret->fds))];
	} control;
	struct iovec data = { order, sizeof(*order) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(XB_INIT_FD_ORDER, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		take_descriptors(&message, ret);
	return n < 0 ? -errno : n;
}

static size_t count_given(const struct xb_init_order *order)
{
	size_t count = 0;

	for (size_t i = 0; i < XB_COUNT(order->given); i++)
		count += order->given[i] != 0;
	return count;
}

/* The standard descriptors are handed on to the program, unlike all others. */
static int place(const struct xb_init_order *order, struct received *received, struct xb_error *err)
{
	size_t at = 1;

	for (size_t i = 0; i < XB_COUNT(order->given); i++) {
		if (order->given[i] == 0)
			continue;
		if (dup2(received->fds[at], (int)i) < 0)
			return xb_error_errno(err, -errno, "placing a descriptor");
		xb_cleanup_fd(&received->fds[at++]);
	}
	return 0;
}

/* What A would have had to open is not there. */
static bool needs_outside(const struct xb_sandbox_spec *spec)
{
	for (size_t i = 0; i < spec->mounts.len; i++) {
		if (spec->mounts.items[i].kind == XB_SANDBOX_BIND)
			return true;
	}
	return spec->cgroups.len > 0;
}

static int read_ordered(int fd, struct xb_sandbox_spec *spec, struct xb_error *err)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
	int r = xb_file_read_fd(fd, &bytes, err);

	if (r < 0)
		return r;
	xb_sandbox_spec_clear(spec);
	r = xb_sandbox_spec_decode(xb_str_view(&bytes), spec, err);
	if (r >= 0 && needs_outside(spec))
		return xb_error_set(err, -EINVAL, "a step of this kind is not started ahead");
	return r < 0 ? r : 1;
}

int init_order_wait(struct xb_sandbox_spec *spec, struct xb_error *err)
{
	struct xb_init_order order = { 0 };
	struct received received = { 0 };
	ssize_t n = receive(&order, &received);
	int r;

	(void)close(XB_INIT_FD_ORDER);
	if (n <= 0)
		return n == 0 ? 0 : xb_error_errno(err, (int)n, "waiting for the order");
	if (n != sizeof(order) || received.count != 1 + count_given(&order))
		return xb_error_set(err, -EBADMSG, "the step's order is damaged");
	r = place(&order, &received, err);
	if (r >= 0)
		r = read_ordered(received.fds[0], spec, err);
	xb_cleanup_fd(&received.fds[0]);
	return r;
}
