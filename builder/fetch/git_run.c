/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "builder/fetch/git_auth.h"
#include "builder/fetch/git_words.h"

/* One file of a repository, a pack mostly, when the options do not say. */
#define DEFAULT_FILE_SIZE ((uint64_t)16 << 30)
/* What of its messages is kept. */
#define MAX_MESSAGES ((size_t)64 << 10)

void xb_git_clear(struct xb_git *git)
{
	free(git->program);
	free(git->url);
	free(git->remote);
	free(git->shown);
	free(git->origin);
	free(git->known_hosts);
	xb_strv_clear(&git->env);
	xb_strv_clear(&git->config);
	xb_strv_clear(&git->readable);
	xb_strv_clear(&git->secrets);
	*git = (struct xb_git){ 0 };
}

unsigned xb_git_schemes(enum xb_git_scheme scheme, const struct xb_fetch_options *options)
{
	unsigned schemes = 1u << scheme | 1u << XB_GIT_HTTPS;

	if (scheme == XB_GIT_HTTP || scheme == XB_GIT_GIT)
		schemes |= 1u << XB_GIT_HTTP | 1u << XB_GIT_GIT;
	if (options->ssh_agent != NULL)
		schemes |= 1u << XB_GIT_SSH;
	return schemes;
}

void xb_git_tell(const struct xb_git *git, const char *format, ...)
{
	const struct xb_fetch_options *o = git->options;
	xb_autofree char *line = NULL;
	va_list args;

	if (o->progress == NULL)
		return;
	va_start(args, format);
	line = xb_vformat(format, args);
	va_end(args);
	o->progress(o->context, xb_view(line));
}

static int canceled(struct xb_error *err)
{
	xb_error_set(err, -ECANCELED, "canceled");
	return xb_error_fault(err, XB_FAULT_INTERRUPTED);
}

int xb_git_wait(const struct xb_fetch_options *options, int ms, struct xb_error *err)
{
	struct pollfd cancel = { .fd = options->cancel_fd, .events = POLLIN };

	return poll(&cancel, 1, ms) > 0 ? canceled(err) : 0;
}

/* An executable file of this name on PATH, as the absolute path without links, or NULL. */
static char *find_program(const char *name)
{
	const char *path = getenv("PATH");
	struct xb_view rest = xb_view(path != NULL ? path : "/usr/local/bin:/usr/bin:/bin");
	struct xb_view dir;

	while (xb_view_split(&rest, ':', &dir)) {
		xb_autofree char *file = xb_format("%.*s/%s", XB_VIEW_ARGS(dir), name);
		char real[PATH_MAX];
		struct stat st;

		if (dir.len > 0 && dir.data[0] == '/' && access(file, X_OK) == 0 &&
		    realpath(file, real) != NULL && stat(real, &st) == 0 && S_ISREG(st.st_mode))
			return xb_strdup(real);
	}
	return NULL;
}

static void add_env(struct xb_git *git, const char *name)
{
	const char *value = getenv(name);

	if (value != NULL)
		xb_strv_printf(&git->env, "%s=%s", name, value);
}

/* Certificates: git has names of its own for what other programs know as SSL_CERT_…. */
static void add_certificates(struct xb_git *git, const char *name, const char *general)
{
	const char *value = getenv(name);

	if (value == NULL)
		value = getenv(general);
	if (value == NULL || value[0] != '/')
		return;
	xb_strv_printf(&git->env, "%s=%s", name, value);
	xb_strv_push(&git->readable, value);
}

/*
 * Nothing of the user's environment but the way to the network: no configuration, no prompts, no
 * replaced objects, no other programs.
 */
static void set_env(struct xb_git *git)
{
	static const char *const fixed[] = {
		"HOME=/dev/null",
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=",
		"SSH_ASKPASS_REQUIRE=never",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_NO_LAZY_FETCH=1",
		"GIT_OPTIONAL_LOCKS=0",
		"GIT_SSH_VARIANT=ssh",
		"GIT_TEMPLATE_DIR=",
	};
	static const char *const network[] = {
		"PATH",	      "HTTP_PROXY",  "HTTPS_PROXY", "NO_PROXY",	 "ALL_PROXY",
		"http_proxy", "https_proxy", "no_proxy",    "all_proxy",
	};

	for (size_t i = 0; i < XB_COUNT(fixed); i++)
		xb_strv_push(&git->env, fixed[i]);
	for (size_t i = 0; i < XB_COUNT(network); i++)
		add_env(git, network[i]);
	add_certificates(git, "GIT_SSL_CAINFO", "SSL_CERT_FILE");
	add_certificates(git, "GIT_SSL_CAPATH", "SSL_CERT_DIR");
}

/* The directory `up` levels above a path, unless that is the root. */
static void add_above(struct xb_git *git, const char *path, int up)
{
	xb_autofree char *dir = xb_strdup(path);

	for (; up > 0; up--) {
		char *slash = strrchr(dir, '/');

		if (slash == NULL || slash == dir)
			return;
		*slash = '\0';
	}
	xb_strv_push(&git->readable, dir);
}

/*
 * Where programs, libraries and what they need of the system lie; not the users' files, not /proc,
 * where the environment of this process stands.
 */
static void set_readable(struct xb_git *git)
{
	static const char *const system[] = {
		"/usr",
		"/bin",
		"/sbin",
		"/lib",
		"/lib32",
		"/lib64",
		"/libx32",
		"/etc",
		"/opt",
		"/nix/store",
		"/gnu/store",
		"/run/current-system",
		"/var/lib/ca-certificates",
	};
	char real[PATH_MAX];

	for (size_t i = 0; i < XB_COUNT(system); i++)
		xb_strv_push(&git->readable, system[i]);
	add_above(git, git->program, 2);
	if (realpath("/etc/resolv.conf", real) != NULL)
		add_above(git, real, 1);
}

/* In single quotes for the shell and in double quotes for ssh, which knows "%%" for a "%". */
static int append_ssh_path(struct xb_str *s, const char *path, struct xb_error *err)
{
	if (strpbrk(path, "'\"\\$\n") != NULL)
		return xb_error_set(
			err, -EINVAL,
			"ssh cannot keep host keys in %s: it has a quote, a backslash or "
			"a dollar sign",
			path);
	(void)xb_str_puts(s, "\"");
	for (; *path != '\0'; path++)
		(void)xb_str_printf(s, *path == '%' ? "%%%%" : "%c", *path);
	return xb_str_puts(s, "\"");
}

/*
 * The keys of the user's agent and no others; a host's key is taken when it is met first and has to
 * stay the same from then on.
 */
static int set_ssh(struct xb_git *git, const char *known_hosts, struct xb_error *err)
{
	const char *home = getenv("HOME");
	xb_autofree char *users =
		home != NULL && home[0] == '/' ? xb_format("%s/.ssh/known_hosts", home) : NULL;
	xb_auto_str struct xb_str command = XB_STR_INIT(XB_STR_OWN);
	int r;

	(void)xb_str_puts(&command, "ssh -F /dev/null -a -x -o BatchMode=yes -o IdentityFile=none "
				    "-o ConnectTimeout=30 -o ServerAliveInterval=30 "
				    "-o StrictHostKeyChecking=accept-new "
				    "-o 'UserKnownHostsFile=");
	r = append_ssh_path(&command, known_hosts, err);
	if (r == 0 && users != NULL && strpbrk(users, "'\"\\$\n") == NULL) {
		(void)xb_str_putc(&command, ' ');
		r = append_ssh_path(&command, users, err);
		xb_strv_push(&git->readable, users);
	}
	if (r < 0)
		return r;
	(void)xb_str_puts(&command, "'");
	xb_strv_printf(&git->env, "GIT_SSH_COMMAND=%s", xb_str_text(&command));
	xb_strv_printf(&git->env, "SSH_AUTH_SOCK=%s", git->options->ssh_agent);
	git->known_hosts = xb_strdup(known_hosts);
	return 0;
}

/* Refuse what cannot work before the network is touched. */
static int check_scheme(const struct xb_git *git, struct xb_error *err)
{
	if ((git->schemes & 1u << git->scheme) == 0) {
		xb_error_set(err, -ENOTSUP, "%s: git over %s is not allowed here", git->shown,
			     xb_git_scheme_name(git->scheme));
		return xb_error_hint(err, "only a source of that kind itself may lead to it");
	}
	if (git->scheme == XB_GIT_SSH && git->options->ssh_agent == NULL) {
		xb_error_set(err, -EACCES, "%s: git over ssh takes keys from your SSH agent alone",
			     git->shown);
		return xb_error_hint(err, "lend it to the build with --ssh default");
	}
	return 0;
}

static int open_program(struct xb_git *git, struct xb_error *err)
{
	git->program = find_program("git");
	if (git->program == NULL) {
		xb_error_set(err, -ENOTSUP, "there is no git program on PATH");
		return xb_error_hint(err, "install git (Debian: apt-get install git)");
	}
	set_env(git);
	set_readable(git);
	return 0;
}

/* Older ones take no configuration from the environment, and would run without it. */
static int check_version(struct xb_git *git, struct xb_error *err)
{
	static const char *const args[] = { "version", NULL };
	const struct xb_git_command command = { .args = args };
	xb_auto_str struct xb_str text = XB_STR_INIT(4096);
	unsigned major = 0, minor = 0;
	int r = xb_git_run(git, &command, &text, err);

	if (r < 0)
		return r;
	if (sscanf(xb_str_text(&text), "git version %u.%u", &major, &minor) == 2 &&
	    (major > 2 || (major == 2 && minor >= 31)))
		return 0;
	xb_error_set(err, -ENOTSUP, "%s is too old: %.*s", git->program,
		     XB_VIEW_ARGS(xb_view_trim(xb_str_view(&text))));
	return xb_error_hint(err, "git 2.31 or later is needed");
}

int xb_git_open(struct xb_git *git, const struct xb_git_address *address, unsigned schemes,
		const char *known_hosts, const struct xb_fetch_options *options,
		struct xb_error *err)
{
	int r;

	git->options = options;
	git->scheme = address->scheme;
	git->schemes = schemes;
	r = xb_git_auth(git, address, err);
	if (r == 0)
		r = check_scheme(git, err);
	if (r == 0)
		r = open_program(git, err);
	if (r == 0 && options->ssh_agent != NULL && known_hosts != NULL)
		r = set_ssh(git, known_hosts, err);
	if (r == 0)
		r = check_version(git, err);
	return r < 0 ? xb_error_fault(err, XB_FAULT_SOURCE) : 0;
}

/* The configuration of every command. */
static const char *const hardening[][2] = {
	{ "protocol.allow", "never" },
	{ "core.hooksPath", "/dev/null" },
	{ "core.fsmonitor", "false" },
	{ "core.askPass", "" },
	{ "core.attributesFile", "/dev/null" },
	{ "core.excludesFile", "/dev/null" },
	{ "core.logAllRefUpdates", "false" },
	{ "core.alternateRefsCommand", "" },
	{ "credential.helper", "" },
	{ "init.templateDir", "" },
	{ "init.defaultBranch", "master" },
	{ "advice.detachedHead", "false" },
	{ "submodule.recurse", "false" },
	{ "fetch.recurseSubmodules", "false" },
	{ "fetch.writeCommitGraph", "false" },
	{ "gc.auto", "0" },
	{ "maintenance.auto", "false" },
	/* a server that says nothing for two minutes is gone */
	{ "http.lowSpeedLimit", "1" },
	{ "http.lowSpeedTime", "120" },
};

static void add_config(struct xb_strv *env, size_t *count, const char *key, const char *value)
{
	xb_strv_printf(env, "GIT_CONFIG_KEY_%zu=%s", *count, key);
	xb_strv_printf(env, "GIT_CONFIG_VALUE_%zu=%s", *count, value);
	++*count;
}

/* What the network takes: the schemes, the remote, the credentials. */
static void add_network(const struct xb_git *git, struct xb_strv *env, size_t *count)
{
	xb_auto_strv struct xb_strv allowed = XB_STRV_INIT;
	xb_autofree char *list = NULL;

	for (enum xb_git_scheme s = XB_GIT_HTTPS; s <= XB_GIT_GIT; s++) {
		xb_autofree char *key = xb_format("protocol.%s.allow", xb_git_scheme_name(s));

		if ((git->schemes & 1u << s) == 0)
			continue;
		xb_strv_push(&allowed, xb_git_scheme_name(s));
		add_config(env, count, key, "always");
	}
	list = xb_strv_join(&allowed, ":");
	xb_strv_printf(env, "GIT_ALLOW_PROTOCOL=%s", list);
	add_config(env, count, "remote.origin.url", git->url);
	for (size_t i = 0; i + 1 < git->config.len; i += 2)
		add_config(env, count, git->config.items[i], git->config.items[i + 1]);
}

static void make_env(const struct xb_git *git, const struct xb_git_command *c, struct xb_strv *env)
{
	size_t count = 0;

	xb_strv_copy(env, &git->env);
	xb_strv_printf(env, "GIT_DIR=%s", c->git_dir != NULL ? c->git_dir : "/dev/null");
	if (c->work_tree != NULL)
		xb_strv_printf(env, "GIT_WORK_TREE=%s", c->work_tree);
	if (c->index != NULL)
		xb_strv_printf(env, "GIT_INDEX_FILE=%s", c->index);
	for (size_t i = 0; i < XB_COUNT(hardening); i++)
		add_config(env, &count, hardening[i][0], hardening[i][1]);
	if (c->network)
		add_network(git, env, &count);
	else
		xb_strv_push(env, "GIT_ALLOW_PROTOCOL=");
	xb_strv_printf(env, "GIT_CONFIG_COUNT=%zu", count);
}

static void add_pair(struct xb_strv *argv, const char *name, const char *value)
{
	xb_strv_push(argv, name);
	xb_strv_push(argv, value);
}

static void make_argv(const struct xb_git *git, const struct xb_git_command *c,
		      struct xb_strv *argv)
{
	uint64_t size = git->options->max_size;
	xb_autofree char *number =
		xb_format("%llu", (unsigned long long)(size > 0 ? size : DEFAULT_FILE_SIZE));

	xb_strv_push(argv, XB_GIT_NAME);
	add_pair(argv, "-s", number);
	add_pair(argv, "-C", c->work_tree != NULL ? c->work_tree : "/");
	for (size_t i = 0; i < git->readable.len; i++)
		add_pair(argv, "-r", git->readable.items[i]);
	for (size_t i = 0; i < XB_COUNT(c->writable) && c->writable[i] != NULL; i++)
		add_pair(argv, "-w", c->writable[i]);
	if (c->network && git->known_hosts != NULL)
		add_pair(argv, "-w", git->known_hosts);
	xb_strv_push(argv, "--");
	xb_strv_push(argv, git->program);
	for (size_t i = 0; c->args[i] != NULL; i++)
		xb_strv_push(argv, c->args[i]);
}

/* A running command. */
struct running {
	struct xb_proc child;
	int from_out;
	int from_err;
	struct xb_str *output; /* NULL: dropped */
	struct xb_str messages;
};

static void running_clear(struct running *run)
{
	xb_proc_signal_group(&run->child, SIGKILL);
	xb_proc_clear(&run->child);
	xb_cleanup_fd(&run->from_out);
	xb_cleanup_fd(&run->from_err);
	xb_str_clear(&run->messages);
}

static int open_pipe(int *ret_read, int *ret_write, struct xb_error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "making a pipe");
	*ret_read = ends[0];
	*ret_write = ends[1];
	return 0;
}

static int open_input(struct xb_view input, struct xb_error *err)
{
	xb_auto_fd int fd = xb_memfd_new("git-input", err);
	int r = fd < 0 ? fd : xb_write_all(fd, input.data, input.len, err);

	if (r >= 0)
		r = xb_memfd_seal(fd, err);
	return r < 0 ? r : XB_STEAL_FD(fd);
}

static int start(const struct xb_git *git, const struct xb_git_command *c, struct running *run,
		 struct xb_error *err)
{
	xb_auto_strv struct xb_strv argv = XB_STRV_INIT;
	xb_auto_strv struct xb_strv env = XB_STRV_INIT;
	xb_auto_fd int in = open_input(c->input, err);
	xb_auto_fd int to_out = -1;
	xb_auto_fd int to_err = -1;
	int r = in;

	if (r >= 0)
		r = open_pipe(&run->from_out, &to_out, err);
	if (r >= 0)
		r = open_pipe(&run->from_err, &to_err, err);
	if (r < 0)
		return r;
	make_argv(git, c, &argv);
	make_env(git, c, &env);
	return xb_proc_spawn(
		&(struct xb_proc_spec){
			.path = xb_proc_self_path(),
			.argv = xb_strv_argv(&argv),
			.envp = xb_strv_argv(&env),
			.fds = (struct xb_proc_fd[]){ { in, STDIN_FILENO },
						      { to_out, STDOUT_FILENO },
						      { to_err, STDERR_FILENO } },
			.fd_count = 3,
			.own_group = true,
		},
		&run->child, err);
}

/* Keep the last words: what went wrong stands at the end. */
static void append_messages(struct xb_str *s, const char *data, size_t len)
{
	if (s->len + len > s->max) {
		size_t drop = s->len < s->max / 2 ? s->len : s->max / 2;

		memmove(s->data, s->data + drop, s->len - drop);
		xb_str_truncate(s, s->len - drop);
	}
	(void)xb_str_append(s, data, len);
}

/* Take what a pipe has; its end closes it. */
static int take(struct running *run, int *fd, struct xb_error *err)
{
	char buffer[16384];
	ssize_t n;

	do
		n = read(*fd, buffer, sizeof(buffer));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return xb_error_errno(err, -errno, "reading from git");
	if (n == 0)
		xb_cleanup_fd(fd);
	else if (fd == &run->from_err)
		append_messages(&run->messages, buffer, (size_t)n);
	else if (run->output != NULL && xb_str_append(run->output, buffer, (size_t)n) < 0)
		return xb_error_set(err, -EFBIG, "git says more than fits");
	return 0;
}

/* Until the child ends, and what it said was read; a grandchild may live on with the pipes. */
static int converse(const struct xb_git *git, struct running *run, struct xb_error *err)
{
	int r = 0;

	while (r == 0) {
		struct pollfd fds[] = {
			{ .fd = run->from_out, .events = POLLIN },
			{ .fd = run->from_err, .events = POLLIN },
			{ .fd = git->options->cancel_fd, .events = POLLIN },
			{ .fd = run->child.pidfd, .events = POLLIN },
		};

		if (poll(fds, XB_COUNT(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return xb_error_errno(err, -errno, "waiting for git");
		}
		if (fds[2].revents != 0)
			return canceled(err);
		if (fds[0].revents != 0)
			r = take(run, &run->from_out, err);
		if (r == 0 && fds[1].revents != 0)
			r = take(run, &run->from_err, err);
		if (fds[0].revents == 0 && fds[1].revents == 0 && fds[3].revents != 0)
			break;
	}
	return r;
}

static int execute(struct xb_git *git, const struct xb_git_command *c, struct running *run,
		   struct xb_proc_status *status, struct xb_error *err)
{
	int r = start(git, c, run, err);

	if (r >= 0)
		r = converse(git, run, err);
	if (r < 0)
		return r;
	/* what it left behind goes with it, as long as its number is its own */
	xb_proc_signal_group(&run->child, SIGKILL);
	return xb_proc_wait(&run->child, status, err);
}

#define RUNNING_INIT                                                                               \
	(struct running)                                                                           \
	{                                                                                          \
		.child = XB_PROC_NONE, .from_out = -1, .from_err = -1,                             \
		.messages = XB_STR_INIT(MAX_MESSAGES),                                             \
	}

int xb_git_run(struct xb_git *git, const struct xb_git_command *command, struct xb_str *output,
	       struct xb_error *err)
{
	XB_CLEANUP(running_clear) struct running run = RUNNING_INIT;
	struct xb_proc_status status = { 0 };
	int r;

	run.output = output;
	r = execute(git, command, &run, &status, err);
	if (r < 0)
		return xb_error_wrap(err, r, "git %s", command->args[0]);
	if (status.exit_code == 0)
		return 0;
	return xb_git_words(git, command, &status, xb_str_view(&run.messages), err);
}

int xb_git_ask(struct xb_git *git, const struct xb_git_command *command, struct xb_error *err)
{
	XB_CLEANUP(running_clear) struct running run = RUNNING_INIT;
	struct xb_proc_status status = { 0 };
	int r = execute(git, command, &run, &status, err);

	if (r < 0)
		return xb_error_wrap(err, r, "git %s", command->args[0]);
	return status.exit_code == 0;
}
