/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/owner.h"
#include "base/pool.h"

#define SOCKET_NAME "agent"
/* Bytes of a message, as OpenSSH's agent has it; and programs that ask at the same time. */
#define MAX_MESSAGE ((size_t)256 << 10)
#define MAX_CLIENTS 32

enum { SSH_AGENT_FAILURE = 5, SSH_AGENTC_REQUEST_IDENTITIES = 11, SSH_AGENTC_SIGN_REQUEST = 13 };

/* A program of the step, and the connection to the agent that is its own. */
struct client {
	int fd;
	int agent;
};

struct xb_agent {
	struct xb_job job; /* first, so that a job from the pool is its agent */
	struct xb_pool *pool;
	char *socket;
	int listener;
	int path; /* O_PATH, of the listener's socket */
	int stop; /* readable: end */
	struct client clients[MAX_CLIENTS];
	size_t client_count;
	uint8_t message[4 + MAX_MESSAGE];
};

/* ---- --ssh -------------------------------------------------------------------------------- */

static int usage(struct xb_error *err, int code, const char *text, const char *what,
		 const char *hint)
{
	(void)xb_error_set(err, code, "--ssh %s: %s", text, what);
	(void)xb_error_hint(err, "%s", hint);
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static int find_socket(const char *text, const char *path, char **ret, struct xb_error *err)
{
	struct stat st;

	if (path == NULL || *path == '\0')
		path = getenv("SSH_AUTH_SOCK");
	if (path == NULL || *path == '\0')
		return usage(err, -EINVAL, text, "$SSH_AUTH_SOCK is not set",
			     "start an agent: eval $(ssh-agent); ssh-add");
	if (stat(path, &st) < 0)
		return usage(err, -errno, text, "there is no such socket",
			     "write ID=SOCKET, as in --ssh default=$SSH_AUTH_SOCK");
	if (!S_ISSOCK(st.st_mode))
		return usage(err, -EINVAL, text, "that is no socket; files of keys are not read",
			     "add the key to an agent with ssh-add, and name the agent's socket");
	*ret = realpath(path, NULL);
	return *ret != NULL ? 0 : usage(err, -errno, text, "there is no such socket", "");
}

int xb_agent_parse(const char *text, struct xb_agent_sources *sources, struct xb_error *err)
{
	struct xb_view path = xb_view(text);
	struct xb_agent_source *source;
	xb_autofree char *socket = NULL;
	struct xb_view id;
	int r;

	(void)xb_view_split(&path, '=', &id);
	if (id.len == 0)
		return usage(err, -EINVAL, text, "it has no id", "write default or ID=SOCKET");
	r = find_socket(text, path.data, &socket, err);
	if (r < 0)
		return r;
	source = xb_array_push(sources);
	source->id = xb_view_dup(id);
	source->socket = XB_STEAL(socket);
	return 0;
}

const struct xb_agent_source *xb_agent_find(const struct xb_agent_sources *sources, const char *id)
{
	for (size_t i = sources != NULL ? sources->len : 0; i-- > 0;) {
		if (strcmp(sources->items[i].id, id) == 0)
			return &sources->items[i];
	}
	return NULL;
}

void xb_agent_sources_clear(struct xb_agent_sources *sources)
{
	for (size_t i = 0; i < sources->len; i++) {
		free(sources->items[i].id);
		free(sources->items[i].socket);
	}
	xb_array_clear(sources);
}

/* ---- messages ----------------------------------------------------------------------------- */

/* Wait until `fd` can be read or written, or the proxy shall stop; false then. */
static bool wait_for(const struct xb_agent *agent, int fd, short events)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = events },
		{ .fd = agent->stop, .events = POLLIN },
	};

	while (poll(fds, XB_COUNT(fds), -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return fds[1].revents == 0;
}

static bool receive(const struct xb_agent *agent, int fd, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n;

		if (!wait_for(agent, fd, POLLIN))
			return false;
		n = recv(fd, bytes, len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static bool send_all(const struct xb_agent *agent, int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n;

		if (!wait_for(agent, fd, POLLOUT))
			return false;
		n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* Take one message: its length in four bytes, then its type, then the rest. 0: there is none. */
static size_t take_message(struct xb_agent *agent, int fd)
{
	uint8_t *m = agent->message;
	size_t len;

	if (!receive(agent, fd, m, 4))
		return 0;
	len = (size_t)m[0] << 24 | (size_t)m[1] << 16 | (size_t)m[2] << 8 | m[3];
	if (len == 0 || len > MAX_MESSAGE || !receive(agent, fd, m + 4, len))
		return 0;
	return 4 + len;
}

static bool answer(struct xb_agent *agent, const struct client *client)
{
	static const uint8_t failure[] = { 0, 0, 0, 1, SSH_AGENT_FAILURE };
	size_t len = take_message(agent, client->fd);

	if (len == 0)
		return false;
	if (agent->message[4] != SSH_AGENTC_REQUEST_IDENTITIES &&
	    agent->message[4] != SSH_AGENTC_SIGN_REQUEST)
		return send_all(agent, client->fd, failure, sizeof(failure));
	if (!send_all(agent, client->agent, agent->message, len))
		return false;
	len = take_message(agent, client->agent);
	return len > 0 && send_all(agent, client->fd, agent->message, len);
}

/* ---- the thread --------------------------------------------------------------------------- */

static int connect_agent(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	xb_auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return XB_STEAL_FD(fd);
}

static void welcome(struct xb_agent *agent)
{
	xb_auto_fd int fd = accept4(agent->listener, NULL, NULL, SOCK_CLOEXEC);
	xb_auto_fd int upstream = -1;

	if (fd < 0 || agent->client_count == MAX_CLIENTS)
		return;
	upstream = connect_agent(agent->socket);
	if (upstream < 0)
		return;
	agent->clients[agent->client_count++] =
		(struct client){ .fd = XB_STEAL_FD(fd), .agent = XB_STEAL_FD(upstream) };
}

static void dismiss(struct xb_agent *agent, size_t i)
{
	xb_cleanup_fd(&agent->clients[i].fd);
	xb_cleanup_fd(&agent->clients[i].agent);
	agent->clients[i] = agent->clients[--agent->client_count];
}

static void serve(struct xb_job *job)
{
	struct xb_agent *agent = (struct xb_agent *)job;

	for (;;) {
		struct pollfd fds[2 + MAX_CLIENTS] = {
			{ .fd = agent->stop, .events = POLLIN },
			{ .fd = agent->listener, .events = POLLIN },
		};

		for (size_t i = 0; i < agent->client_count; i++)
			fds[2 + i] =
				(struct pollfd){ .fd = agent->clients[i].fd, .events = POLLIN };
		if (poll(fds, 2 + (nfds_t)agent->client_count, -1) < 0)
			continue;
		if (fds[0].revents != 0)
			return;
		/* from the last on: the one that takes a leaver's place has been looked at */
		for (size_t i = agent->client_count; i-- > 0;) {
			if (fds[2 + i].revents != 0 && !answer(agent, &agent->clients[i]))
				dismiss(agent, i);
		}
		if (fds[1].revents != 0)
			welcome(agent);
	}
}

/* A path of /proc, since the directory's own may be longer than a socket's address takes. */
static int listen_at(struct xb_agent *agent, const struct xb_agent_request *request)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET_NAME,
		       request->dirfd);
	agent->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (agent->listener < 0 ||
	    bind(agent->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(agent->listener, MAX_CLIENTS) < 0 ||
	    (!xb_owner_recorded() && fchownat(request->dirfd, SOCKET_NAME, request->uid,
					      request->gid, AT_SYMLINK_NOFOLLOW) < 0) ||
	    fchmodat(request->dirfd, SOCKET_NAME, request->mode, 0) < 0)
		return -errno;
	agent->path = openat(request->dirfd, SOCKET_NAME, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return agent->path < 0 ? -errno : 0;
}

int xb_agent_start(const struct xb_agent_request *request, struct xb_agent **ret,
		   struct xb_error *err)
{
	xb_auto_agent struct xb_agent *agent = xb_calloc(1, sizeof(*agent));
	int r;

	agent->listener = -1;
	agent->path = -1;
	agent->socket = xb_strdup(request->socket);
	agent->stop = eventfd(0, EFD_CLOEXEC);
	r = agent->stop < 0 ? -errno : listen_at(agent, request);
	if (r < 0)
		return xb_error_errno(err, r, "making a socket for the SSH agent");
	agent->job.run = serve;
	r = xb_pool_new(1, &agent->pool, err);
	if (r < 0)
		return r;
	xb_pool_submit(agent->pool, &agent->job);
	*ret = XB_STEAL(agent);
	return 0;
}

int xb_agent_fd(const struct xb_agent *agent)
{
	return agent->path;
}

void xb_agent_free(struct xb_agent *agent)
{
	uint64_t one = 1;

	if (agent == NULL)
		return;
	if (agent->stop >= 0)
		(void)!write(agent->stop, &one, sizeof(one));
	xb_pool_free(agent->pool);
	while (agent->client_count > 0)
		dismiss(agent, agent->client_count - 1);
	xb_cleanup_fd(&agent->listener);
	xb_cleanup_fd(&agent->path);
	xb_cleanup_fd(&agent->stop);
	free(agent->socket);
	free(agent);
}
