/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/sandbox.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "builder/sandbox/record.h"
#include "emulation/guard.h"

extern const char xb_init_image[], xb_init_image_end[];

struct xb_sandbox {
	struct xb_proc proc; /* process A */
	int pidfd;	     /* of A too, open until the object goes, for xb_sandbox_kill() */
	int result;	     /* reading end of the record's pipe */
	int order;	     /* begun, and not told what for: where that goes; else -1 */
	uint64_t oom_kills;  /* the machine's counter when the step began */
	_Atomic bool killed; /* xb_sandbox_kill() was called */
};

/* xbuild-init as a sealed file in memory, made once for the process and never closed. */
static struct {
	pthread_mutex_t lock; /* guards fd */
	int fd;
} image = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

static int make_sealed(const char *name, struct xb_view bytes, struct xb_error *err)
{
	xb_auto_fd int fd = xb_memfd_new(name, err);
	int r = fd < 0 ? fd : xb_write_all(fd, bytes.data, bytes.len, err);

	if (r >= 0)
		r = xb_memfd_seal(fd, err);
	return r < 0 ? r : XB_STEAL_FD(fd);
}

/* It bears the guard's mark, since it is the guard's handler too. */
static int make_image(struct xb_error *err)
{
	const size_t len = (uintptr_t)xb_init_image_end - (uintptr_t)xb_init_image;
	unsigned char ident[EI_NIDENT];
	xb_auto_fd int fd = xb_memfd_new("xbuild-init", err);
	int r = fd;

	memcpy(ident, xb_init_image, sizeof(ident));
	xb_guard_mark(ident);
	if (r >= 0)
		r = xb_write_all(fd, ident, sizeof(ident), err);
	if (r >= 0)
		r = xb_write_all(fd, xb_init_image + sizeof(ident), len - sizeof(ident), err);
	if (r >= 0)
		r = xb_memfd_seal(fd, err);
	return r < 0 ? r : XB_STEAL_FD(fd);
}

static int image_fd(struct xb_error *err)
{
	int fd;

	pthread_mutex_lock(&image.lock);
	if (image.fd < 0)
		image.fd = make_image(err);
	fd = image.fd;
	pthread_mutex_unlock(&image.lock);
	return fd;
}

static int check_spec(const struct xb_sandbox_spec *spec, struct xb_error *err)
{
	const char *what = NULL;

	if (spec->argv.len == 0)
		what = "no program";
	else if ((spec->upper == NULL) != (spec->work == NULL))
		what = "an upper directory without a work directory, or the reverse";
	else if (spec->binfmt.len > 0 && !spec->private_userns)
		what = "emulators without a user namespace of its own";
	else if (spec->guard != NULL && spec->binfmt.len == 0)
		what = "a guard without registrations";
	return what != NULL ? xb_error_set(err, -EINVAL, "a step with %s", what) : 0;
}

struct xb_proc_fds XB_ARRAY(struct xb_proc_fd);

/* The encoding with the source descriptors' numbers as the child will have them; `fds` gets the
 * descriptors themselves. */
static int encode(const struct xb_sandbox_spec *spec, struct xb_proc_fds *fds, struct xb_str *bytes)
{
	struct xb_sandbox_spec copy = *spec;
	xb_autofree struct xb_sandbox_mount *mounts =
		xb_calloc(spec->mounts.len + 1, sizeof(*mounts));
	int next = XB_INIT_FD_SOURCES;

	if (spec->mounts.len > 0)
		memcpy(mounts, spec->mounts.items, spec->mounts.len * sizeof(*mounts));
	for (size_t i = 0; i < spec->mounts.len; i++) {
		if (mounts[i].kind != XB_SANDBOX_BIND || mounts[i].source != NULL) {
			mounts[i].source_fd = -1;
			continue;
		}
		*xb_array_push(fds) = (struct xb_proc_fd){ mounts[i].source_fd, next };
		mounts[i].source_fd = next++;
	}
	copy.mounts.items = mounts;
	if (spec->emulator_fd >= 0)
		copy.emulator_fd = XB_INIT_FD_EMULATOR;
	return xb_sandbox_spec_encode(&copy, bytes);
}

/* How many processes the kernel has killed for want of memory since it started; 0: unknown. Asked
 * for when a step is on its way: the program begins long after. */
static uint64_t count_oom_kills(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT((size_t)1 << 20);
	struct xb_view rest, line;
	uint64_t count = 0;

	if (xb_file_read("/proc/vmstat", &text, NULL) < 0)
		return 0;
	rest = xb_str_view(&text);
	while (xb_view_split(&rest, '\n', &line)) {
		if (xb_view_starts(line, XB_VIEW("oom_kill ")))
			(void)xb_view_parse_u64(xb_view_sub(line, 9, SIZE_MAX), UINT64_MAX, &count);
	}
	return count;
}

static void add_fd(struct xb_proc_fds *fds, int from, int to)
{
	if (from >= 0)
		*xb_array_push(fds) = (struct xb_proc_fd){ from, to };
}

static int spawn(int program, const struct xb_proc_fds *fds, struct xb_proc *ret,
		 struct xb_error *err)
{
	xb_autofree char *path = xb_format("/proc/self/fd/%d", program);
	char name[] = "xbuild-init";
	char *argv[] = { name, NULL };
	char *envp[] = { NULL };
	struct xb_proc_spec spec = {
		.path = path, .argv = argv, .envp = envp, .fds = fds->items, .fd_count = fds->len
	};

	return xb_proc_spawn(&spec, ret, err);
}

/* The specification as a sealed file in memory. */
static int seal_spec(const struct xb_sandbox_spec *spec, struct xb_proc_fds *fds,
		     struct xb_error *err)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);

	if (encode(spec, fds, &bytes) < 0)
		return xb_error_set(err, -EFBIG, "the step's specification is too large");
	return make_sealed("xbuild-step", xb_str_view(&bytes), err);
}

static int start(struct xb_sandbox *s, const struct xb_sandbox_spec *spec,
		 const struct xb_sandbox_io *io, struct xb_proc_fds *fds, struct xb_error *err)
{
	xb_auto_fd int encoded = -1;
	xb_auto_fd int record = -1;
	int program = image_fd(err);
	int ends[2];

	if (program < 0)
		return program;
	encoded = seal_spec(spec, fds, err);
	if (encoded < 0)
		return encoded;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "making a pipe");
	s->result = ends[0];
	record = ends[1];
	add_fd(fds, io->stdin_fd, STDIN_FILENO);
	add_fd(fds, io->stdout_fd, STDOUT_FILENO);
	add_fd(fds, io->stderr_fd, STDERR_FILENO);
	add_fd(fds, encoded, XB_INIT_FD_SPEC);
	add_fd(fds, record, XB_INIT_FD_RESULT);
	add_fd(fds, spec->emulator_fd, XB_INIT_FD_EMULATOR);
	return spawn(program, fds, &s->proc, err);
}

static struct xb_sandbox *sandbox_new(void)
{
	struct xb_sandbox *s = xb_calloc(1, sizeof(*s));

	s->proc = XB_PROC_NONE;
	s->pidfd = s->result = s->order = -1;
	return s;
}

/* `fds` are those besides the ones that every step has; they are released. */
static int start_process(struct xb_sandbox *s, const struct xb_sandbox_spec *spec,
			 const struct xb_sandbox_io *io, struct xb_proc_fds *fds,
			 struct xb_error *err)
{
	int r;

	r = start(s, spec, io, fds, err);
	xb_array_clear(fds);
	if (r < 0)
		return xb_error_wrap(err, r, "starting a step");
	s->pidfd = fcntl(s->proc.pidfd, F_DUPFD_CLOEXEC, 0);
	return s->pidfd < 0 ? xb_error_errno(err, -errno, "starting a step") : 0;
}

int xb_sandbox_start(const struct xb_sandbox_spec *spec, const struct xb_sandbox_io *io,
		     struct xb_sandbox **ret, struct xb_error *err)
{
	xb_auto_sandbox struct xb_sandbox *s = sandbox_new();
	struct xb_proc_fds fds = { 0 };
	int r = check_spec(spec, err);

	if (r >= 0)
		r = start_process(s, spec, io, &fds, err);
	if (r < 0)
		return r;
	s->oom_kills = count_oom_kills();
	*ret = XB_STEAL(s);
	return 0;
}

/* ---- ahead ---------------------------------------------------------------------------------- */

bool xb_sandbox_can_begin(const struct xb_sandbox_spec *spec)
{
	for (size_t i = 0; i < spec->mounts.len; i++) {
		if (spec->mounts.items[i].kind == XB_SANDBOX_BIND)
			return false;
	}
	return spec->cgroups.len == 0 && !spec->insecure && !spec->terminal;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool xb_sandbox_alike(const struct xb_sandbox_spec *a, const struct xb_sandbox_spec *b)
{
	if (a->network != b->network || a->private_userns != b->private_userns ||
	    a->shm_size != b->shm_size || a->emulator_fd != b->emulator_fd ||
	    !same_text(a->guard, b->guard) || a->binfmt.len != b->binfmt.len)
		return false;
	for (size_t i = 0; i < a->binfmt.len; i++) {
		if (strcmp(a->binfmt.items[i], b->binfmt.items[i]) != 0)
			return false;
	}
	return true;
}

int xb_sandbox_begin(const struct xb_sandbox_spec *like, struct xb_sandbox **ret,
		     struct xb_error *err)
{
	/* what it points to is borrowed */
	const struct xb_sandbox_spec spec = {
		.network = like->network,
		.private_userns = like->private_userns,
		.binfmt = like->binfmt,
		.emulator_fd = like->emulator_fd,
		.guard = like->guard,
		.shm_size = like->shm_size,
		.ahead = true,
	};
	xb_auto_sandbox struct xb_sandbox *s = sandbox_new();
	struct xb_proc_fds fds = { 0 };
	xb_auto_fd int theirs = -1;
	int ends[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return xb_error_errno(err, -errno, "starting a step");
	s->order = ends[0];
	theirs = ends[1];
	add_fd(&fds, theirs, XB_INIT_FD_ORDER);
	r = start_process(s, &spec, &(struct xb_sandbox_io){ -1, -1, -1 }, &fds, err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(s);
	return 0;
}

static int send_order(int socket, const struct xb_init_order *order, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * XB_INIT_ORDER_FDS)];
	} control = { 0 };
	struct iovec data = { (void *)(uintptr_t)order, sizeof(*order) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int xb_sandbox_go(struct xb_sandbox *sandbox, const struct xb_sandbox_spec *spec,
		  const struct xb_sandbox_io *io, struct xb_error *err)
{
	const int standard[] = { io->stdin_fd, io->stdout_fd, io->stderr_fd };
	struct xb_init_order order = { 0 };
	struct xb_proc_fds none = { 0 };
	xb_auto_fd int encoded = -1;
	int fds[XB_INIT_ORDER_FDS];
	size_t count = 1;
	int r = check_spec(spec, err);

	if (r >= 0)
		r = encoded = seal_spec(spec, &none, err);
	if (r < 0)
		return xb_error_wrap(err, r, "starting a step");
	fds[0] = encoded;
	for (size_t i = 0; i < XB_COUNT(standard); i++) {
		order.given[i] = standard[i] >= 0;
		if (standard[i] >= 0)
			fds[count++] = standard[i];
	}
	r = send_order(sandbox->order, &order, fds, count);
	xb_cleanup_fd(&sandbox->order);
	sandbox->oom_kills = count_oom_kills();
	return r < 0 ? xb_error_errno(err, r, "starting a step") : 0;
}

/* ---- the end -------------------------------------------------------------------------------- */

int xb_sandbox_fd(const struct xb_sandbox *sandbox)
{
	return sandbox->pidfd;
}

/* What a step needs and the kernel, or whoever rules over this container, does not give. */
static void explain_refusal(int code, struct xb_error *err)
{
	if (code == -EPERM)
		(void)xb_error_hint(err, "a container needs leave for this, such as --security-opt "
					 "seccomp=unconfined; `xbuild doctor` tries all of it");
	if (code == -ENOSYS)
		(void)xb_error_hint(err, "xbuild needs Linux 5.12, and in a container leave for "
					 "its calls; `xbuild doctor` tries all of them");
	if (code == -EPERM || code == -ENOSYS)
		(void)xb_error_fault(err, XB_FAULT_PLATFORM);
}

/* What the record says as an error; its texts come from our own program, but are bounded here
 * again, so that a damaged record stays a damaged record. */
static int error_of(const struct xb_init_record *record, size_t len, struct xb_error *err)
{
	size_t text = len - offsetof(struct xb_init_record, text);
	size_t hint = record->hint_len;
	size_t message = record->message_len;

	if (record->code >= 0 || message > text || hint > text - message)
		return xb_error_set(err, -EBADMSG, "the step's record is damaged");
	(void)xb_error_set(err, record->code, "%.*s", (int)message, record->text);
	if (hint > 0)
		(void)xb_error_hint(err, "%.*s", (int)hint, record->text + message);
	if (record->fault != XB_FAULT_NONE)
		(void)xb_error_fault(err, (enum xb_fault)record->fault);
	else
		explain_refusal(record->code, err);
	return record->code;
}

/* The sentence was written where the step's programs could write too: what is no text is made so.
 */
static void take_refusal(const struct xb_init_record *record, size_t len,
			 struct xb_sandbox_result *ret)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	size_t most = len - offsetof(struct xb_init_record, text);
	size_t given = record->message_len < most ? record->message_len : most;

	ret->refused = record->refused;
	if (given > 0)
		(void)xb_str_append_quoted(&text, (struct xb_view){ record->text, given });
	else if (ret->refused > 0)
		(void)xb_str_puts(&text, "a program of this machine was not started");
	(void)snprintf(ret->refusal, sizeof(ret->refusal), "%s", xb_str_text(&text));
}

static int without_record(const struct xb_sandbox *s, const struct xb_proc_status *status,
			  struct xb_error *err)
{
	if (s->killed) {
		(void)xb_error_set(err, -ECANCELED, "the step was cancelled");
		return xb_error_fault(err, XB_FAULT_INTERRUPTED);
	}
	return xb_error_set(err, -ECHILD, "xbuild-init ended without a word (%s %d)",
			    status->signal != 0 ? "signal" : "exit status",
			    status->signal != 0 ? status->signal : status->exit_code);
}

/* The pipe ends when A and B have both closed it: the step's processes are gone then, also when A
 * was killed from outside. */
static int read_record(struct xb_sandbox *s, struct xb_init_record *record, size_t *ret_len,
		       struct xb_error *err)
{
	char rest[256];
	ssize_t n = xb_read_full(s->result, record, sizeof(*record), err);

	if (n < 0)
		return (int)n;
	*ret_len = (size_t)n;
	while (n > 0)
		n = xb_read_full(s->result, rest, sizeof(rest), NULL);
	return 0;
}

int xb_sandbox_wait(struct xb_sandbox *sandbox, struct xb_sandbox_result *ret, struct xb_error *err)
{
	struct xb_init_record record = { 0 };
	struct xb_proc_status status;
	size_t len = 0;
	int r = xb_proc_wait(&sandbox->proc, &status, err);

	if (r >= 0)
		r = read_record(sandbox, &record, &len, err);
	if (r < 0)
		return r;
	if (len < offsetof(struct xb_init_record, text) || sandbox->killed)
		return without_record(sandbox, &status, err);
	if (record.code != 0)
		return error_of(&record, len, err);
	*ret = (struct xb_sandbox_result){
		.exit_code = record.exit_code,
		.signal = record.signal,
		.uid = record.uid,
		.gid = record.gid,
		.oom = record.signal == SIGKILL && count_oom_kills() > sandbox->oom_kills,
	};
	take_refusal(&record, len, ret);
	return 0;
}

void xb_sandbox_kill(struct xb_sandbox *sandbox)
{
	sandbox->killed = true;
	(void)syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGTERM, NULL, 0);
}

void xb_sandbox_free(struct xb_sandbox *sandbox)
{
	struct xb_proc_status status;

	if (sandbox == NULL)
		return;
	if (sandbox->proc.pid > 0) {
		xb_proc_signal(&sandbox->proc, SIGTERM);
		(void)xb_proc_wait(&sandbox->proc, &status, NULL);
	}
	xb_cleanup_fd(&sandbox->pidfd);
	xb_cleanup_fd(&sandbox->result);
	xb_cleanup_fd(&sandbox->order);
	free(sandbox);
}
