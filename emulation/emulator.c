/* SPDX-License-Identifier: Apache-2.0 */
#include "emulation/emulator.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/proc.h"
#include "platforms/elf.h"

/* Where distributions put qemu's user emulators. */
#define SYSTEM_PATH "/usr/bin:/usr/local/bin:/bin:/usr/libexec/qemu-user:/usr/lib/qemu-user"

/* How the program's name may go on behind "qemu-aarch64": static by name, then by luck (Debian 13
 * and Alpine ship static ones under the plain name). */
static const char *const suffixes[] = { "-static", "" };

/* The last word on a missing emulator. */
#define INSTALL_HINT                                                                               \
	"install static qemu user emulators (Debian: apt install qemu-user-static), or name one "  \
	"with --emulator %s=/path"

void xb_emulator_clear(struct xb_emulator *e)
{
	free(e->path);
	*e = XB_EMULATOR_INIT;
}

void xb_emulator_copy(struct xb_emulator *to, const struct xb_emulator *from)
{
	struct xb_emulator copy = *from;

	copy.path = xb_strdup(from->path);
	xb_emulator_clear(to);
	*to = copy;
}

/* Versions. Asking is a process started, so each path is asked once. */

struct known_version {
	char *path;
	dev_t dev;
	ino_t ino;
	char version[32];
};

static struct {
	pthread_mutex_t lock; /* guards all of `known` */
	struct known_versions XB_ARRAY(struct known_version) known;
} versions = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* "qemu-aarch64 version 7.2.22 (Debian …)": the word behind "version". */
static void pick_version(struct xb_view output, char *to, size_t size)
{
	static const char before[] = " version ";
	xb_autofree char *text = xb_view_dup(output);
	const char *at = strstr(text, before);
	size_t len;

	to[0] = '\0';
	if (at == NULL)
		return;
	at += strlen(before);
	len = strspn(at, "0123456789abcdefghijklmnopqrstuvwxyz.-+");
	if (len < size)
		(void)snprintf(to, size, "%.*s", (int)len, at);
}

static void ask_version(const char *path, char *to, size_t size)
{
	xb_auto_error struct xb_error ignored = XB_ERROR_INIT;
	xb_auto_str struct xb_str output = XB_STR_INIT((size_t)64 << 10);
	xb_autofree char *program = xb_strdup(path);
	char option[] = "--version";
	char *argv[] = { program, option, NULL };
	struct xb_proc_status status = { 0 };

	to[0] = '\0';
	if (xb_proc_run(argv, XB_VIEW(""), &output, &status, &ignored) == 0 &&
	    status.exit_code == 0)
		pick_version(xb_str_view(&output), to, size);
}

/* The version of `path`, which is the file `st`; the caller holds the lock. */
static const char *version_locked(const char *path, const struct stat *st)
{
	struct known_version *entry;

	for (size_t i = 0; i < versions.known.len; i++) {
		entry = &versions.known.items[i];
		if (strcmp(entry->path, path) == 0 && entry->dev == st->st_dev &&
		    entry->ino == st->st_ino)
			return entry->version;
	}
	entry = xb_array_push(&versions.known);
	entry->path = xb_strdup(path);
	entry->dev = st->st_dev;
	entry->ino = st->st_ino;
	ask_version(path, entry->version, sizeof(entry->version));
	return entry->version;
}

/* Candidates. */

/* What a search is about, and what it met on its way. */
struct search {
	const struct xb_arch *arch; /* what is to be emulated */
	const struct xb_arch *host;
	bool no_version;
	struct xb_error *passed_over; /* why the first unsuitable candidate is unsuitable */
};

/* Whether the open file is a static program of the host. */
static int check_program(int fd, const char *path, const struct xb_arch *host, struct xb_error *err)
{
	xb_autofree struct xb_elf_info *info = xb_calloc(1, sizeof(*info));
	const struct xb_arch *arch;
	int r = xb_elf_identify(fd, info, err);

	if (r < 0)
		return xb_error_wrap(err, -ENOEXEC, "emulator %s", path);
	arch = xb_elf_arch(info);
	if (arch == NULL || !xb_arch_same_elf(arch, host))
		return xb_error_set(err, -ENOEXEC, "emulator %s is not a program for linux/%s",
				    path, host->name);
	if (info->has_interpreter)
		return xb_error_set(
			err, -ENOEXEC,
			"emulator %s is dynamically linked; inside an image it would miss "
			"its libraries",
			path);
	return 0;
}

/* Take `path` as the emulator if it is one. -ENOENT when there is no such file. */
static int try_path(const char *path, const struct search *search, struct xb_emulator *ret,
		    struct xb_error *err)
{
	xb_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0)
		return xb_error_errno(err, -errno, "emulator %s", path);
	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "emulator %s", path);
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return xb_error_set(err, -ENOEXEC, "emulator %s is not an executable file", path);
	r = check_program(fd, path, search->host, err);
	if (r < 0)
		return r;
	xb_emulator_clear(ret);
	ret->path = xb_strdup(path);
	ret->arch = search->arch;
	if (search->no_version)
		return 0;
	(void)pthread_mutex_lock(&versions.lock);
	(void)snprintf(ret->version, sizeof(ret->version), "%s", version_locked(path, &st));
	(void)pthread_mutex_unlock(&versions.lock);
	return 0;
}

static int try_directory(struct xb_view directory, const struct search *search,
			 struct xb_emulator *ret)
{
	int r = -ENOENT;

	for (size_t i = 0; r < 0 && i < XB_COUNT(suffixes); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		xb_autofree char *path = xb_format("%.*s/qemu-%s%s", XB_VIEW_ARGS(directory),
						   search->arch->qemu, suffixes[i]);

		r = try_path(path, search, ret, &err);
		if (r == -ENOEXEC && search->passed_over->code == 0)
			xb_error_move(search->passed_over, &err);
	}
	return r;
}

/* Look into each absolute directory of a list with ':' between them. */
static int try_list(const char *list, const struct search *search, struct xb_emulator *ret)
{
	struct xb_view rest = xb_view(list);
	struct xb_view directory;
	int r = -ENOENT;

	while (r < 0 && rest.len > 0 && xb_view_split(&rest, ':', &directory))
		if (directory.len > 0 && directory.data[0] == '/')
			r = try_directory(directory, search, ret);
	return r;
}

/* Overrides. */

static int split_override(const char *text, struct xb_platform *ret, const char **ret_path,
			  struct xb_error *err)
{
	/* Nothing is left out of a useful override but the system, which is linux. */
	const struct xb_platform defaults = { .os = "linux" };
	struct xb_view view = xb_view(text);
	ptrdiff_t equals = xb_view_find(view, '=');
	int r;

	if (equals < 0 || text[equals + 1] != '/')
		return xb_error_set(err, -EINVAL,
				    "--emulator %s: it is not PLATFORM=/absolute/path", text);
	r = xb_platform_parse_as_written(xb_view_sub(view, 0, (size_t)equals), &defaults, ret, err);
	if (r < 0)
		return xb_error_wrap(err, r, "--emulator");
	*ret_path = text + equals + 1;
	return 0;
}

int xb_emulator_check_override(const char *text, struct xb_error *err)
{
	struct xb_platform platform;
	const char *path = NULL;
	int r = split_override(text, &platform, &path, err);

	if (r < 0) {
		(void)xb_error_hint(err, "for example --emulator "
					 "linux/arm64=/usr/bin/qemu-aarch64-static");
		(void)xb_error_fault(err, XB_FAULT_USAGE);
	}
	return r;
}

/* Whether an override written as `over` means `target`; one without a variant means all. */
static bool override_fits(const struct xb_platform *over, const struct xb_platform *target)
{
	struct xb_platform a = *over;
	struct xb_platform b = *target;

	if (over->variant[0] == '\0')
		b.variant[0] = '\0';
	xb_platform_normalise(&a);
	xb_platform_normalise(&b);
	return strcmp(a.os, b.os) == 0 && strcmp(a.arch, b.arch) == 0 &&
	       strcmp(a.variant, b.variant) == 0;
}

/* The path that the user gave for `target`, borrowed, or NULL. */
static const char *find_override(const struct xb_strv *overrides, const struct xb_platform *target)
{
	const char *found = NULL;

	for (size_t i = 0; overrides != NULL && i < overrides->len; i++) {
		struct xb_platform platform;
		const char *path = NULL;

		if (split_override(overrides->items[i], &platform, &path, NULL) == 0 &&
		    override_fits(&platform, target))
			found = path;
	}
	return found;
}

bool xb_emulator_is_overridden(const struct xb_platform *target,
			       const struct xb_emulator_options *options)
{
	return find_override(options->overrides, target) != NULL;
}

/* The search. */

static int not_found(const struct xb_platform *target, struct search *search, struct xb_error *err)
{
	struct xb_platform_name name = xb_platform_name(target);
	int r = search->passed_over->code != 0 ? -ENOEXEC : -ENOENT;

	if (r == -ENOEXEC)
		(void)xb_error_set(err, r, "no emulator for %s: %s", name.text,
				   search->passed_over->message);
	else
		(void)xb_error_set(err, r, "no emulator for %s: qemu-%s-static is not installed",
				   name.text, search->arch->qemu);
	(void)xb_error_hint(err, INSTALL_HINT, name.text);
	(void)xb_error_fault(err, XB_FAULT_PLATFORM);
	return r;
}

static int use_override(const char *path, const struct xb_platform *target,
			const struct search *search, struct xb_emulator *ret, struct xb_error *err)
{
	int r = try_path(path, search, ret, err);

	if (r < 0) {
		(void)xb_error_wrap(err, r, "no emulator for %s", xb_platform_name(target).text);
		(void)xb_error_hint(err,
				    "--emulator takes a statically linked program of the host");
		(void)xb_error_fault(err, XB_FAULT_PLATFORM);
	}
	return r;
}

int xb_emulator_find(const struct xb_platform *target, const struct xb_platform *host,
		     const struct xb_emulator_options *options, struct xb_emulator *ret,
		     struct xb_error *err)
{
	xb_auto_error struct xb_error passed_over = XB_ERROR_INIT;
	struct search search = {
		.arch = xb_arch_of_platform(target),
		.host = xb_arch_of_platform(host),
		.no_version = options->no_version,
		.passed_over = &passed_over,
	};
	const char *override = find_override(options->overrides, target);
	const char *path = options->search_path != NULL ? options->search_path : getenv("PATH");

	if (search.arch == NULL || search.host == NULL) {
		(void)xb_error_set(err, -ENOTSUP, "no emulator is known for %s on %s",
				   xb_platform_name(target).text, xb_platform_name(host).text);
		(void)xb_error_hint(err, "leave this platform out, or build it on such a machine");
		(void)xb_error_fault(err, XB_FAULT_PLATFORM);
		return -ENOTSUP;
	}
	if (override != NULL)
		return use_override(override, target, &search, ret, err);
	if (path != NULL && try_list(path, &search, ret) == 0)
		return 0;
	if (try_list(options->system_path != NULL ? options->system_path : SYSTEM_PATH, &search,
		     ret) == 0)
		return 0;
	return not_found(target, &search, err);
}
