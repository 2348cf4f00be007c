/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy in front of the user's SSH agent; the test is agent and step at once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/str.h"
#include "builder/solve/agent.h"
#include "tests/unit/scratch.h"

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void say(int fd, const void *bytes, size_t len)
{
	assert_int_equal(write(fd, bytes, len), len);
}

static void hear(int fd, const void *bytes, size_t len)
{
	unsigned char got[64];
	size_t n = 0;

	while (n < len) {
		ssize_t more = read(fd, got + n, len - n);

		assert_true(more > 0);
		n += (size_t)more;
	}
	assert_memory_equal(got, bytes, len);
}

static struct xb_agent *start(int *ret_listener)
{
	struct xb_agent_request request = {
		.socket = scratch_path("real"),
		.dirfd = scratch_fd,
		.mode = 0640,
		.uid = geteuid(),
		.gid = getegid(),
	};
	struct xb_agent *agent = NULL;

	*ret_listener = listen_at(scratch_path("real"));
	assert_int_equal(xb_agent_start(&request, &agent, NULL), 0);
	return agent;
}

static void only_two_requests_pass(void **state)
{
	static const char list[] = "\0\0\0\1\x0b";
	static const char sign[] = "\0\0\0\3\x0d"
				   "ab";
	static const char failure[] = "\0\0\0\1\5";
	static const char keys[] = "\0\0\0\5\x0c\0\0\0\0";
	static const unsigned char refused[] = { 1, 17, 18, 19, 22, 23, 25, 27, 0, 255 };
	int listener;
	xb_auto_agent struct xb_agent *agent = start(&listener);
	xb_auto_fd int step = connect_to(scratch_path("agent"));
	xb_auto_fd int real = accept(listener, NULL, NULL);
	struct stat st;

	(void)state;
	assert_int_equal(fstat(xb_agent_fd(agent), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0640);
	for (size_t i = 0; i < XB_COUNT(refused); i++) {
		const unsigned char message[] = { 0, 0, 0, 2, refused[i], 'x' };

		say(step, message, sizeof(message));
		hear(step, failure, 5);
	}
	say(step, list, 5);
	hear(real, list, 5); /* the first that the agent hears */
	say(real, keys, 9);
	hear(step, keys, 9);
	say(step, sign, 7);
	hear(real, sign, 7);
	say(real, failure, 5);
	hear(step, failure, 5);
	close(listener);
}

/* Messages that are none end the connection, and others go on. */
static void what_is_no_message_ends_it(void **state)
{
	static const char *const bad[] = { "\0\0\0\0", "\xff\xff\xff\xff", "\0\4\0\1" };
	int listener;
	xb_auto_agent struct xb_agent *agent = start(&listener);
	xb_auto_fd int good = connect_to(scratch_path("agent"));
	char byte;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_fd int step = connect_to(scratch_path("agent"));

		say(step, bad[i], 4);
		assert_int_equal(read(step, &byte, 1), 0);
	}
	say(good, "\0\0\0\1\x13", 5);
	hear(good, "\0\0\0\1\5", 5);
	close(listener);
}

/* A step that stops in the middle of a message does not keep the proxy from ending. */
static void it_ends_when_told(void **state)
{
	int listener;
	struct xb_agent *agent = start(&listener);
	xb_auto_fd int step = connect_to(scratch_path("agent"));
	char byte;

	(void)state;
	say(step, "\0\0\0\5\x0b", 5);
	xb_agent_free(agent);
	assert_true(read(step, &byte, 1) <= 0);
	close(listener);
}

static void agents_are_given(void **state)
{
	struct xb_agent_sources sources = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *named = xb_format("other=%s", scratch_path("real"));
	xb_autofree char *file = xb_format("default=%s", scratch_path("file"));
	int listener = listen_at(scratch_path("real"));

	(void)state;
	scratch_write("file", "");
	assert_int_equal(unsetenv("SSH_AUTH_SOCK"), 0);
	assert_int_equal(xb_agent_parse("default", &sources, NULL), -EINVAL);
	assert_int_equal(xb_agent_parse(file, &sources, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
	assert_int_equal(xb_agent_parse("=x", &sources, NULL), -EINVAL);
	assert_int_equal(xb_agent_parse("default=/no/such/socket", &sources, NULL), -ENOENT);
	assert_int_equal(sources.len, 0);
	assert_int_equal(setenv("SSH_AUTH_SOCK", scratch_path("real"), 1), 0);
	assert_int_equal(xb_agent_parse("default", &sources, NULL), 0);
	assert_int_equal(xb_agent_parse(named, &sources, NULL), 0);
	assert_string_equal(xb_agent_find(&sources, "default")->socket, scratch_path("real"));
	assert_string_equal(xb_agent_find(&sources, "other")->socket, scratch_path("real"));
	assert_null(xb_agent_find(&sources, "third"));
	xb_agent_sources_clear(&sources);
	close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_two_requests_pass),
		TEST(what_is_no_message_ends_it),
		TEST(it_ends_when_told),
		TEST(agents_are_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
