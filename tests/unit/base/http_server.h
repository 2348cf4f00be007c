/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A scripted HTTP server in a thread: for each request that comes, what has to be in it and what it
 * gets. It listens on two ports of the loopback device, so that there are two origins.
 *
 * "{0}" and "{1}" in replies become the ports. The thread is joined before anything it has seen is
 * looked at. Include it after cmocka.h.
 */
#ifndef XB_TESTS_UNIT_HTTP_SERVER_H
#define XB_TESTS_UNIT_HTTP_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

/** What is sent behind a reply. */
enum server_tail {
	TAIL_NONE,
	TAIL_ENDLESS, /**< bytes, as fast as they are taken */
	TAIL_DRIP,    /**< ten bytes a second */
	TAIL_SILENT,  /**< nothing, until the client goes */
	TAIL_RESET,   /**< the connection is reset */
};

/** One request and its reply. A step without a reply is the end of the script. */
struct server_step {
	const char *reply; /**< "" closes without an answer */
	/** What the request has to hold, '|' between pieces; "!piece": what it must not. */
	const char *expect;
	enum server_tail tail;
	int port;	    /**< 0 or 1: where it has to come in */
	size_t reply_len;   /**< 0: the reply is text */
	unsigned delay_ms;  /**< before the reply */
	const char *repeat; /**< with `times`: sent so often behind the reply */
	unsigned times;
	/** No more than about so many bytes of the request's body are read, all of it with 0. */
	size_t read_max;
};

struct server {
	int listeners[2];
	unsigned ports[2];
	int stop;
	pthread_t thread;
	const struct server_step *script;
	size_t served;
	char failure[4096]; /**< of the first request that was not as expected */
};

static inline int server_listen(unsigned *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

/** Whether there is something to read at `fd` (1), or the server is to stop (0). */
static inline int server_wait(const struct server *s, int fd)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN },
				{ .fd = s->stop, .events = POLLIN } };

	while (poll(fds, 2, -1) < 0)
		;
	return fds[0].revents != 0;
}

/** Read a request up to the end of its headers, and of its body where it has a length. */
static inline void server_read(const struct server *s, int fd, size_t max, struct xb_str *request)
{
	char buffer[4096];
	const char *end, *length;
	size_t body = 0;

	while (server_wait(s, fd)) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		if (n <= 0)
			return;
		(void)xb_str_append(request, buffer, (size_t)n);
		end = strstr(xb_str_text(request), "\r\n\r\n");
		length = strstr(xb_str_text(request), "Content-Length: ");
		if (length != NULL)
			body = (size_t)strtoul(length + 16, NULL, 10);
		if (max > 0 && body > max)
			body = max;
		if (end != NULL && strlen(end + 4) >= body)
			return;
	}
}

static inline void server_check(struct server *s, const struct server_step *step,
				const struct xb_str *request, int port)
{
	struct xb_view rest = xb_view(step->expect), piece;

	if (s->failure[0] != '\0')
		return;
	if (port != step->port)
		(void)snprintf(s->failure, sizeof(s->failure), "step %zu came to the port %d",
			       s->served, port);
	while (step->expect != NULL && xb_view_split(&rest, '|', &piece)) {
		bool wanted = piece.len == 0 || piece.data[0] != '!';
		xb_autofree char *text = xb_view_dup(wanted ? piece : xb_view_sub(piece, 1, 999));

		if ((strstr(xb_str_text(request), text) != NULL) != wanted)
			(void)snprintf(s->failure, sizeof(s->failure), "step %zu: %s%s in:\n%s",
				       s->served, wanted ? "not " : "", text, xb_str_text(request));
	}
}

static inline bool server_send(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/** Send a text with its ports filled in. */
static inline bool server_send_text(const struct server *s, int fd, const char *text)
{
	const char *brace = strchr(text, '{');
	char port[16];

	while (brace != NULL && brace[1] != '\0' && brace[2] == '}') {
		(void)snprintf(port, sizeof(port), "%u", s->ports[brace[1] == '1']);
		if (!server_send(fd, text, (size_t)(brace - text)) ||
		    !server_send(fd, port, strlen(port)))
			return false;
		text = brace + 3;
		brace = strchr(text, '{');
	}
	return server_send(fd, text, strlen(text));
}

static inline void server_send_tail(const struct server *s, int fd, const struct server_step *step)
{
	const struct linger linger = { .l_onoff = 1 };
	char block[4096];

	memset(block, 'x', sizeof(block));
	while (step->tail == TAIL_ENDLESS && server_send(fd, block, sizeof(block)))
		;
	while (step->tail == TAIL_DRIP && server_send(fd, "x", 1))
		(void)usleep(100000);
	if (step->tail == TAIL_SILENT)
		(void)server_wait(s, fd);
	if (step->tail == TAIL_RESET)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static inline void server_answer(const struct server *s, int fd, const struct server_step *step)
{
	bool good;

	(void)usleep(step->delay_ms * 1000);
	good = step->reply_len > 0 ? server_send(fd, step->reply, step->reply_len)
				   : server_send_text(s, fd, step->reply);
	for (unsigned i = 0; good && i < step->times; i++)
		good = server_send_text(s, fd, step->repeat);
	if (good)
		server_send_tail(s, fd, step);
}

static inline void *server_main(void *context)
{
	struct server *s = context;

	for (;;) {
		struct pollfd fds[] = { { .fd = s->listeners[0], .events = POLLIN },
					{ .fd = s->listeners[1], .events = POLLIN },
					{ .fd = s->stop, .events = POLLIN } };
		xb_auto_str struct xb_str request = XB_STR_INIT(1 << 20);
		const struct server_step *step = &s->script[s->served];
		int port, fd;

		if (poll(fds, 3, -1) < 0)
			continue;
		port = fds[1].revents != 0;
		if (fds[2].revents != 0)
			return NULL;
		fd = accept4(s->listeners[port], NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		server_read(s, fd, step->read_max, &request);
		if (step->reply == NULL && s->failure[0] == '\0')
			(void)snprintf(s->failure, sizeof(s->failure), "a request too many:\n%s",
				       xb_str_text(&request));
		if (step->reply != NULL) {
			server_check(s, step, &request, port);
			server_answer(s, fd, step);
			s->served++;
		}
		(void)close(fd);
	}
}

/** Start it with a script, which ends with a step without a reply. */
static inline void server_start(struct server *s, const struct server_step *script)
{
	memset(s, 0, sizeof(*s));
	s->script = script;
	for (int i = 0; i < 2; i++)
		s->listeners[i] = server_listen(&s->ports[i]);
	s->stop = eventfd(0, EFD_CLOEXEC);
	assert_true(s->stop >= 0);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

/** End it, whatever has come. */
static inline void server_stop(struct server *s)
{
	assert_int_equal(eventfd_write(s->stop, 1), 0);
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	for (int i = 0; i < 2; i++)
		(void)close(s->listeners[i]);
	(void)close(s->stop);
}

/** End it; fails the test unless exactly the requests of the script came. */
static inline void server_finish(struct server *s)
{
	server_stop(s);
	if (s->failure[0] != '\0')
		fail_msg("%s", s->failure);
	if (s->script[s->served].reply != NULL)
		fail_msg("only %zu requests came", s->served);
}

#endif
