/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming root: by rights, by subordinate ids, and what a user is told when neither works. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "base/owner.h"
#include "base/proc.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

/*
 * In the child: become root and do what a build does. Prints "fine", or what is wrong; a refusal is
 * printed as fault, message and hint.
 */
static const char *use_root(const char *dir)
{
	DIR *fds = opendir("/proc/self/fd");
	char exe[4096];
	struct stat st;

	if (geteuid() != 0 || getuid() != 0 || getegid() != 0 || getgid() != 0)
		return "not id 0";
	if (getgroups(0, NULL) > 0)
		return "groups left";
	if (fds == NULL || readlink("/proc/self/exe", exe, sizeof(exe)) < 0)
		return "/proc/self is closed";
	(void)closedir(fds);
	if (open("/proc/self/exe", O_RDONLY | O_CLOEXEC) < 0)
		return "/proc/self/exe is closed";
	if (mount("none", dir, "tmpfs", 0, "mode=755") < 0 || chdir(dir) < 0)
		return "cannot mount";
	if (xb_owner_recorded())
		return "owners are recorded";
	if (mkdir("d", 0700) < 0 || chown("d", 1, 1) < 0 || chown("d", 65535, 65535) < 0)
		return "ids up to 65535 are not there";
	if (stat("d", &st) < 0 || st.st_uid != 65535 || st.st_gid != 65535)
		return "owner not kept";
	return "fine";
}

static int become(const char *dir)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_proc_become_root(&err) < 0)
		(void)printf("%d\n%s\n%s\n", (int)err.fault, err.message,
			     err.hint != NULL ? err.hint : "no hint");
	else
		(void)printf("%s\n", use_root(dir));
	return 0;
}

/* Run a shell script with $1 the scratch directory and $2 this program; gives its output. */
static void run_script(const char *script, struct xb_str *output)
{
	char *const argv[] = { strdup("sh"), strdup("-euc"),  strdup(script),
			       strdup("sh"), strdup(scratch), strdup(scratch_path("self")),
			       NULL };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_proc_status status = { 0 };
	int r = xb_proc_run(argv, (struct xb_view){ 0 }, output, &status, &err);

	for (size_t i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	if (r < 0)
		fail_msg("%s", err.message);
	if (status.exit_code != 0)
		fail_msg("%s: exit %d", script, status.exit_code);
}

/* A scratch directory that others may enter, with a copy of this program in it. */
static int setup(void **state)
{
	xb_auto_fd int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	xb_auto_fd int to = -1;

	if (scratch_setup(state) < 0 || chmod(scratch, 0755) < 0)
		return -1;
	to = openat(scratch_fd, "self", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (from < 0 || to < 0 || xb_copy_data(from, to, XB_COPY_TO_END, NULL) < 0)
		return -1;
	return mkdirat(scratch_fd, "at", 0755);
}

static bool have_userns(void)
{
	return scratch_run((const char *[]){ "unshare", "-Ur", "true", NULL }) == 0;
}

/* What the tests of a plain user start with: our lists of subordinate ids, and being nobody. */
#define AS_NOBODY(before)                                                                          \
	"exec unshare -m sh -euc 'mount --bind $1/subids /etc/subuid; "                            \
	"mount --bind $1/subids /etc/subgid; " before                                              \
	" exec setpriv --reuid=65534 --regid=65534 --clear-groups $2 $1/at 2>&1' sh $1 $2"

static void check_nobody(const char *subids, const char *script, const char *expected)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(10000);

	need("root", is_root_with_ids());
	need("userns", have_userns());
	scratch_write("subids", subids);
	if (access("/etc/subuid", F_OK) < 0 || access("/etc/subgid", F_OK) < 0)
		need("subids", false);
	run_script(script, &out);
	if (strstr(xb_str_text(&out), expected) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", expected, xb_str_text(&out));
}

static void root_only_gets_mounts_of_its_own(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(10000);

	(void)state;
	need("root", is_root_with_ids());
	run_script("setpriv --clear-groups $2 $1/at; ls -A $1/at", &out);
	/* The directory made there is not seen from outside. */
	assert_string_equal(xb_str_text(&out), "fine\n");
}

static void later_mounts_of_the_machine_are_seen(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(10000);

	(void)state;
	need("root", is_root_with_ids());
	run_script("exec unshare -m --propagation shared sh -euc '"
		   "mkfifo $1/go $1/ready; $2 wait $1 & "
		   "read -r line <$1/ready; mount -t tmpfs none $1/at; touch $1/at/new; "
		   "echo go >$1/go; wait' sh $1 $2",
		   &out);
	assert_string_equal(xb_str_text(&out), "seen\n");
}

/* In the child of the test above. */
static int wait_for_mount(const char *dir)
{
	xb_autofree char *go = xb_format("%s/go", dir);
	xb_autofree char *ready = xb_format("%s/ready", dir);
	xb_autofree char *file = xb_format("%s/at/new", dir);
	xb_auto_fd int fd = -1;
	char byte;

	if (xb_proc_become_root(NULL) < 0)
		return 1;
	fd = open(ready, O_WRONLY | O_CLOEXEC);
	(void)xb_write_all(fd, "\n", 1, NULL);
	xb_cleanup_fd(&fd);
	fd = open(go, O_RDONLY | O_CLOEXEC);
	(void)xb_read_full(fd, &byte, 1, NULL);
	(void)printf("%s\n", access(file, F_OK) == 0 ? "seen" : "not seen");
	return 0;
}

static void root_of_a_user_namespace_is_root(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(10000);

	(void)state;
	need("root", is_root_with_ids());
	need("userns", have_userns());
	scratch_write("subids", "root:0:65536\n");
	run_script("exec unshare -m sh -euc 'mount --bind $1/subids /etc/subuid; "
		   "mount --bind $1/subids /etc/subgid; "
		   "exec unshare -U --map-users=0,0,65536 --map-groups=0,0,65536 --setuid 0 "
		   "--setgid 0 setpriv --clear-groups $2 $1/at' sh $1 $2",
		   &out);
	assert_string_equal(xb_str_text(&out), "fine\n");
}

static void a_user_gets_its_subordinate_ids_by_name(void **state)
{
	(void)state;
	check_nobody("other:1:2\nnobody:200000:65536\n", AS_NOBODY(""), "fine");
}

static void a_user_gets_its_subordinate_ids_by_number(void **state)
{
	(void)state;
	check_nobody("65534:200000:65536\n", AS_NOBODY(""), "fine");
}

static void several_ranges_add_up(void **state)
{
	(void)state;
	check_nobody("nobody:200000:1000\nnobody:0:0\nnobody:x:1\nnobody\n\nnobody:300000:64535\n",
		     AS_NOBODY(""), "fine");
}

static void without_subordinate_ids_there_is_one(void **state)
{
	(void)state;
	check_nobody("other:200000:65536\n", AS_NOBODY(""), "owners are recorded\n");
}

static void without_newuidmap_there_is_one(void **state)
{
	(void)state;
	check_nobody("nobody:200000:65536\n",
		     AS_NOBODY("mkdir $1/bin; ln -s $(command -v setpriv) $1/bin; PATH=$1/bin;"),
		     "owners are recorded\n");
}

static void a_limit_of_none_is_named(void **state)
{
	(void)state;
	check_nobody("root:0:65536\nnobody:2000:60000\n",
		     "exec unshare -m sh -euc 'mount --bind $1/subids /etc/subuid; "
		     "mount --bind $1/subids /etc/subgid; "
		     "exec unshare -U --map-users=0,0,65536 --map-groups=0,0,65536 --setuid 0 "
		     "--setgid 0 sh -euc \"echo 0 >/proc/sys/user/max_user_namespaces; "
		     "exec setpriv --reuid=65534 --regid=65534 --clear-groups $2 $1/at\"' sh $1 $2",
		     "sysctl user.max_user_namespaces");
}

static void a_mapping_that_is_refused_is_shown(void **state)
{
	(void)state;
	/* Our own id as a subordinate one: newuidmap and the kernel take none twice. */
	check_nobody("nobody:65534:65536\n", AS_NOBODY(""),
		     "becoming root of a user namespace: mapping user ids: newuidmap ");
}

/* Whoever runs the tests: it works, or they are told what to do. */
static void this_user_becomes_root_or_is_told_why_not(void **state)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(10000);
	const char *text;

	(void)state;
	run_script("$2 $1/at 2>&1", &out);
	text = xb_str_text(&out);
	if (is_root_with_ids())
		assert_string_equal(text, "fine\n");
	else if (geteuid() == 0) /* as inside `unshare -r`, with one id only */
		assert_string_equal(text, "owners are recorded\n");
	else if (strcmp(text, "fine\n") != 0 &&
		 (strstr(text, "5\n") == NULL || strstr(text, "no hint") != NULL))
		fail_msg("%s", text);
}

#define in_scratch(test) cmocka_unit_test_setup_teardown((test), setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		in_scratch(root_only_gets_mounts_of_its_own),
		in_scratch(later_mounts_of_the_machine_are_seen),
		in_scratch(root_of_a_user_namespace_is_root),
		in_scratch(a_user_gets_its_subordinate_ids_by_name),
		in_scratch(a_user_gets_its_subordinate_ids_by_number),
		in_scratch(several_ranges_add_up),
		in_scratch(without_subordinate_ids_there_is_one),
		in_scratch(without_newuidmap_there_is_one),
		in_scratch(a_limit_of_none_is_named),
		in_scratch(a_mapping_that_is_refused_is_shown),
		in_scratch(this_user_becomes_root_or_is_told_why_not),
	};

	if (argc == 2)
		return become(argv[1]);
	if (argc == 3)
		return wait_for_mount(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
