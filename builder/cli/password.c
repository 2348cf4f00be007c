/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/password.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Read what there is next: 1, 0 at the end. Signals come through `stop_fd`. */
static int read_some(int stop_fd, struct xb_str *ret, struct xb_error *err)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = stop_fd, .events = POLLIN } };
	char block[1024];
	ssize_t n;
	int r;

	while (poll(fds, 2, -1) < 0)
		;
	if (fds[1].revents != 0) {
		(void)xb_error_set(err, -ECANCELED, "interrupted");
		return xb_error_fault(err, XB_FAULT_INTERRUPTED), -ECANCELED;
	}
	n = read(STDIN_FILENO, block, sizeof(block));
	if (n < 0)
		return xb_error_errno(err, -errno, "reading standard input");
	r = xb_str_append(ret, block, (size_t)n);
	explicit_bzero(block, sizeof(block));
	if (r < 0)
		return xb_error_set(err, -EFBIG, "more than %zu bytes came", ret->max);
	return n > 0;
}

/* One line, of which the end is dropped. */
static int check_line(struct xb_str *ret, struct xb_error *err)
{
	size_t len = ret->len;

	if (len > 0 && ret->data[len - 1] == '\n')
		len--;
	if (len > 0 && ret->data[len - 1] == '\r')
		len--;
	xb_str_truncate(ret, len);
	if (len == 0)
		return xb_error_set(err, -EINVAL, "nothing came");
	if (memchr(ret->data, '\n', len) != NULL || memchr(ret->data, '\0', len) != NULL)
		return xb_error_set(err, -EINVAL, "more than one line came");
	return 0;
}

int xb_password_read(int stop_fd, struct xb_str *ret, struct xb_error *err)
{
	int r;

	do
		r = read_some(stop_fd, ret, err);
	while (r > 0);
	return r < 0 ? r : check_line(ret, err);
}

static void set_echo(const struct termios *before, bool echo)
{
	struct termios now = *before;

	if (!echo)
		now.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
}

int xb_password_ask(const char *question, bool secret, int stop_fd, struct xb_str *ret,
		    struct xb_error *err)
{
	struct termios before;
	bool hidden = secret && tcgetattr(STDIN_FILENO, &before) == 0;
	int r;

	/* before the question: what is typed earlier is thrown away */
	if (hidden)
		set_echo(&before, false);
	(void)fprintf(stderr, "%s: ", question);
	do
		r = read_some(stop_fd, ret, err);
	while (r > 0 && memchr(ret->data, '\n', ret->len) == NULL);
	if (hidden) {
		set_echo(&before, true);
		(void)fputc('\n', stderr);
	}
	return r < 0 ? r : check_line(ret, err);
}
