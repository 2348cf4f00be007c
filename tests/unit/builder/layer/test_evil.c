/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile layers: the cases of the set at XB_EVIL (cases.json and layouts.tar.zst) whose fault is
 * in a layer. Each is applied as a build would apply it; afterwards a directory outside, which the
 * layers try to reach, must be the same byte for byte and inode for inode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/times.h>

#include "base/json.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

/* The set's layers name it, so it cannot lie elsewhere. */
#define CANARY "/tmp/xb-canary"
/* Groups whose fault is in a layer; z are honest images. */
#define GROUPS "abcdefz"

static json_t *load_json(const char *path)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	json_t *json = NULL;

	assert_int_equal(xb_file_read(path, &text, NULL), 0);
	assert_int_equal(xb_json_parse(xb_str_view(&text), text.len, &json, NULL), 0);
	return json;
}

/* The document that a descriptor names. */
static json_t *load_blob(const char *layout, const json_t *descriptor)
{
	const char *digest = json_string_value(json_object_get(descriptor, "digest"));
	xb_autofree char *path = NULL;

	assert_non_null(digest);
	path = xb_format("%s/blobs/sha256/%s", layout, digest + strlen("sha256:"));
	return load_json(path);
}

/* The first manifest that a layout's index leads to. */
static json_t *load_manifest(const char *layout)
{
	xb_autofree char *path = xb_format("%s/index.json", layout);
	json_t *document = load_json(path);

	while (json_object_get(document, "manifests") != NULL) {
		json_t *below = load_blob(
			layout, json_array_get(json_object_get(document, "manifests"), 0));

		json_decref(document);
		document = below;
	}
	return document;
}

/* Apply one layer over the snapshots below it; returns what xb_layer_unpack() does. */
static int apply_layer(const char *layout, const json_t *layer, const char *diff_id, int index,
		       struct xb_error *err)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_autofree char *upper = xb_format("%s/s%d/fs", scratch, index);
	xb_autofree char *work = xb_format("%s/s%d/work", scratch, index);
	xb_autofree char *name = xb_format("s%d", index);
	xb_autofree char *path = NULL;
	const char *digest = json_string_value(json_object_get(layer, "digest"));
	struct xb_unpack_layer what = {
		.media_type = json_string_value(json_object_get(layer, "mediaType")),
		.size = (uint64_t)json_integer_value(json_object_get(layer, "size")),
	};
	xb_auto_fd int blob = -1;
	xb_auto_fd int dest = -1;

	assert_int_equal(xb_digest_parse(xb_view(digest), &what.digest, NULL), 0);
	assert_int_equal(xb_digest_parse(xb_view(diff_id), &what.diff_id, NULL), 0);
	snapshot_make(name);
	for (int i = index - 1; i >= 0; i--)
		xb_strv_printf(&lowers, "%s/s%d/fs", scratch, i);
	dest = xb_tree_mount((const char *const *)lowers.items, lowers.len, upper, work, err);
	assert_true(dest >= 0);
	path = xb_format("%s/blobs/sha256/%s", layout, digest + strlen("sha256:"));
	blob = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(blob >= 0);
	return xb_layer_unpack(blob, &what, dest, NULL, NULL, err);
}

/* Apply all layers; returns the number of snapshots or what failed. */
static int apply_image(const char *layout, struct xb_error *err)
{
	xb_auto_json json_t *manifest = load_manifest(layout);
	xb_auto_json json_t *config = load_blob(layout, json_object_get(manifest, "config"));
	const json_t *layers = json_object_get(manifest, "layers");
	const json_t *diff_ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	int r = 0;

	for (size_t i = 0; i < json_array_size(layers) && r >= 0; i++)
		r = apply_layer(layout, json_array_get(layers, i),
				json_string_value(json_array_get(diff_ids, i)), (int)i, err);
	return r < 0 ? r : (int)json_array_size(layers);
}

/* Names that must be there, or must not be. */
static bool names_are(int root, const json_t *names, bool there)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		xb_auto_fd int fd = xb_open_in_root(
			root, json_string_value(json_array_get(names, i)), O_PATH, 0, NULL);

		if ((fd >= 0) != there)
			return false;
	}
	return true;
}

static bool files_are(int root, json_t *files)
{
	const char *name;
	json_t *value;

	json_object_foreach(files, name, value)
	{
		xb_auto_str struct xb_str text = XB_STR_INIT(1000);
		xb_auto_fd int fd = xb_open_in_root(root, name, O_RDONLY, 0, NULL);

		/* the set writes its newlines as "\n" */
		if (fd < 0 || xb_file_read_fd(fd, &text, NULL) < 0 ||
		    strncmp(xb_str_text(&text), json_string_value(value), 4) != 0)
			return false;
	}
	return true;
}

static bool lacks_xattrs(int root, const json_t *names)
{
	xb_autofree char *list = tree_list(root);

	for (size_t i = 0; i < json_array_size(names); i++)
		if (strstr(list, json_string_value(json_array_get(names, i))) != NULL)
			return false;
	return strstr(list, "overlay.") == NULL;
}

/* No device that could be opened from the tree. */
static bool opens_no_device(int root)
{
	struct stat st;
	DIR *dir = fdopendir(openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *d;
	bool ok = true;

	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL) {
		if (fstatat(root, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
			continue;
		{
			xb_auto_fd int fd =
				openat(root, d->d_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

			ok = ok && fd < 0 && errno == EACCES;
		}
	}
	(void)closedir(dir);
	return ok;
}

/* What a case says of the tree that it leaves. */
static bool checks_hold(const json_t *checks, int snapshots)
{
	xb_auto_strv struct xb_strv lowers = XB_STRV_INIT;
	xb_auto_fd int root = -1;

	for (int i = snapshots - 1; i >= 0; i--)
		xb_strv_printf(&lowers, "%s/s%d/fs", scratch, i);
	/* an empty layer below makes it an overlay, whose mount has no devices */
	snapshot_make("bottom");
	xb_strv_printf(&lowers, "%s/bottom/fs", scratch);
	root = xb_tree_mount((const char *const *)lowers.items, lowers.len, NULL, NULL, NULL);
	assert_true(root >= 0);
	return names_are(root, json_object_get(checks, "inside"), true) &&
	       names_are(root, json_object_get(checks, "outside_of_root"), false) &&
	       files_are(root, json_object_get(checks, "inside_file")) &&
	       lacks_xattrs(root, json_object_get(checks, "no_xattr")) && opens_no_device(root);
}

/* The canary with all that stat() says. */
static char *canary_state(void)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);
	static const char *const names[] = { "", "dir", "dir/keep", "file", "secret" };
	xb_auto_fd int fd = open(CANARY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	xb_autofree char *list = tree_list(fd);

	xb_str_puts(&out, list);
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		xb_autofree char *path = xb_format(CANARY "/%s", names[i]);
		struct stat st;

		assert_int_equal(lstat(path, &st), 0);
		xb_str_printf(&out, "%llu %llu %lld.%09ld\n", (unsigned long long)st.st_ino,
			      (unsigned long long)st.st_nlink, (long long)st.st_ctim.tv_sec,
			      st.st_ctim.tv_nsec);
	}
	return xb_str_steal(&out);
}

static void canary_make(void)
{
	(void)scratch_run((const char *[]){ "rm", "-rf", CANARY, NULL });
	assert_int_equal(
		scratch_run((const char *[]){
			"sh", "-c",
			"mkdir -p " CANARY "/dir && cd " CANARY
			" && echo keep >dir/keep && echo file >file && echo secret >secret",
			NULL }),
		0);
}

static const char *verdict(const json_t *c, const char *layout, struct xb_error *err)
{
	const char *expected = json_string_value(json_object_get(c, "expected"));
	int r = apply_image(layout, err);

	if (r < 0)
		return strcmp(expected, "harmless") == 0 ? "WRONG: refused" : "refused";
	if (strcmp(expected, "reject") == 0)
		return "WRONG: taken";
	return checks_hold(json_object_get(c, "checks"), r) ? "harmless" : "WRONG: check failed";
}

/* Processor time of this process and of those that it waited for: no other work is in it. */
static double seconds_used(void)
{
	struct tms t;

	(void)times(&t);
	return (double)(t.tms_utime + t.tms_stime + t.tms_cutime + t.tms_cstime) /
	       (double)sysconf(_SC_CLK_TCK);
}

/* Run a case in a fresh scratch directory; true when it went as it should. */
static bool run_case(void **state, const char *set, const json_t *c)
{
	const char *id = json_string_value(json_object_get(c, "id"));
	const json_t *limits = json_object_get(c, "invariants");
	xb_autofree char *layout = xb_format("%s/layouts/%s", set, id);
	xb_autofree char *before = canary_state();
	xb_autofree char *after = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	double start = seconds_used();
	const char *got;

	assert_int_equal(scratch_setup(state), 0);
	got = verdict(c, layout, &err);
	assert_int_equal(scratch_teardown(state), 0);
	after = canary_state();
	if (strcmp(before, after) != 0)
		got = "WRONG: wrote outside";
	if (seconds_used() - start > json_number_value(json_object_get(limits, "max_seconds")))
		got = "WRONG: too slow";
	for (const char *p = err.message; p != NULL && *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			got = "WRONG: control characters";
	print_message("%-24s %-9s %-10s %s\n", id,
		      json_string_value(json_object_get(c, "expected")), got,
		      err.message != NULL ? err.message : "");
	return strncmp(got, "WRONG", 5) != 0;
}

static void hostile_layers_do_no_harm(void **state)
{
	const char *source = getenv("XB_EVIL");
	char set[256];
	xb_autofree char *cases_path = NULL;
	xb_autofree char *archive = NULL;
	xb_auto_json json_t *cases = NULL;
	struct rusage usage;
	unsigned wrong = 0, done = 0;
	json_t *c;
	size_t i;

	need("userns", trees_root);
	need("evil", source != NULL && access(source, R_OK) == 0);
	cases_path = xb_format("%s/cases.json", source);
	archive = xb_format("%s/layouts.tar.zst", source);
	/* the case's own scratch directory is made anew each time */
	(void)snprintf(set, sizeof(set), "%s", scratch);
	close(scratch_fd);
	assert_int_equal(scratch_run((const char *[]){ "tar", "-C", set, "-xf", archive, NULL }),
			 0);
	canary_make();
	cases = load_json(cases_path);
	json_array_foreach(json_object_get(cases, "cases"), i, c)
	{
		const char *id = json_string_value(json_object_get(c, "id"));

		if (strchr(GROUPS, id[0]) == NULL)
			continue;
		done++;
		wrong += !run_case(state, set, c);
	}
	(void)scratch_run((const char *[]){ "rm", "-rf", CANARY, NULL });
	(void)snprintf(scratch, sizeof(scratch), "%s", set);
	scratch_fd = open(set, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
	print_message("%u cases, %u wrong, largest child %ld MiB\n", done, wrong,
		      usage.ru_maxrss >> 10);
	assert_true(done > 50);
	assert_int_equal(wrong, 0);
#if !defined(__SANITIZE_ADDRESS__)
	assert_true(usage.ru_maxrss >> 10 < 128);
#endif
}

/* The canary's path is the same for all, so each run has a /tmp of its own. */
static bool have_own_tmp(char name[32])
{
	(void)snprintf(name, 32, "/tmp/xb-evil-XXXXXX");
	if (mkdtemp(name) == NULL)
		return false;
	return chmod(name, 0755) == 0 && mount(name, "/tmp", NULL, MS_BIND, NULL) == 0;
}

/* The set may lie below /tmp, which is about to be covered: name it by a descriptor. */
static void hold_set(void)
{
	const char *path = getenv("XB_EVIL");
	int fd = path != NULL && *path != '\0' ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	char held[64];

	if (fd < 0)
		return;
	(void)snprintf(held, sizeof(held), "/proc/%ld/fd/%d", (long)getpid(), fd);
	(void)setenv("XB_EVIL", held, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hostile_layers_do_no_harm, scratch_setup,
						scratch_teardown),
	};
	char own_tmp[32];
	int r;

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	hold_set();
	trees_root = trees_root && have_own_tmp(own_tmp);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	if (trees_root) {
		(void)umount2("/tmp", MNT_DETACH);
		(void)scratch_run((const char *[]){ "rm", "-rf", own_tmp, NULL });
	}
	return r;
}
