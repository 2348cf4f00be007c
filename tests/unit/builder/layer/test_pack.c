/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a packed layer, and that nothing but the tree decides it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "builder/layer/pack.h"
#include "builder/layer/tree.h"
#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

static const struct xb_pack_options plain = { .epoch = -1, .compression = XB_COMPRESSION_NONE };

static void shell(const char *command)
{
	xb_autofree char *line = xb_format("cd '%s' && %s", scratch, command);

	if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) != 0)
		fail_msg("failed: %s", command);
}

/* Pack the directory `from` into the file `to`. */
static struct xb_layer_info pack(const char *from, const char *to,
				 const struct xb_pack_options *options)
{
	xb_auto_fd int dir = openat(scratch_fd, from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	xb_auto_fd int out = openat(scratch_fd, to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_layer_info info;

	assert_true(dir >= 0 && out >= 0);
	if (xb_layer_pack(dir, options, out, &info, &err) < 0)
		fail_msg("%s", err.message);
	return info;
}

/* Let a command judge; its output must be `expected`. */
static void assert_says(const char *command, const char *expected)
{
	xb_autofree char *line = xb_format("{ %s; } >said 2>&1", command);
	xb_auto_str struct xb_str said = XB_STR_INIT(1 << 20);

	shell(line);
	assert_int_equal(xb_file_read(scratch_path("said"), &said, NULL), 0);
	assert_string_equal(xb_str_text(&said), expected);
}

static void changes_become_whiteouts(void **state)
{
	const char *lowers[] = { NULL };
	xb_autofree char *lower = NULL, *upper = NULL, *work = NULL;
	xb_auto_fd int view = -1;
	xb_auto_fd int replaced = -1;

	(void)state;
	need("userns", trees_root);
	snapshot_make("one");
	snapshot_make("two");
	shell("cd one/fs && mkdir keep gone opaque && touch keep/file keep/gone gone/x opaque/old");
	lowers[0] = lower = xb_format("%s/one/fs", scratch);
	upper = xb_format("%s/two/fs", scratch);
	work = xb_format("%s/two/work", scratch);
	view = xb_tree_mount(lowers, 1, upper, work, NULL);
	assert_true(view >= 0);
	assert_int_equal(unlinkat(view, "keep/gone", 0), 0);
	assert_int_equal(unlinkat(view, "gone/x", 0), 0);
	assert_int_equal(unlinkat(view, "gone", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(view, "opaque/old", 0), 0);
	assert_int_equal(unlinkat(view, "opaque", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(view, "opaque", 0750), 0);
	replaced = openat(view, "opaque/.a", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(replaced >= 0);
	pack("two/fs", "layer.tar", &plain);
	assert_says("tar -tf layer.tar", ".wh.gone\nkeep/\nkeep/.wh.gone\nopaque/\n"
					 "opaque/.wh..wh..opq\nopaque/.a\n");
	assert_says("tar -tvf layer.tar --numeric-owner | grep -c ' .wh.gone\\| keep/.wh.gone'",
		    "2\n");
}

static void the_same_tree_gives_the_same_bytes(void **state)
{
	static const enum xb_compression ways[] = { XB_COMPRESSION_NONE, XB_COMPRESSION_GZIP,
						    XB_COMPRESSION_ZSTD };

	(void)state;
	need("userns", trees_root);
	/* the other tree was made in another order, so that its directories list differently
	 * and its inodes have other numbers */
	shell("mkdir a b && cd a && for i in $(seq 1 300); do echo $i >f$i; done && "
	      "mkdir d && ln f7 d/link && ln -s f7 d/sym && chmod 4755 f9 && chown 9:8 f9 && "
	      "head -c 3000000 /dev/urandom >big && truncate -s 5M sparse && "
	      "find . -exec touch -h -d @1000000000.123456789 {} +");
	shell("cd b && ls -1r ../a | while read n; do cp -a ../a/$n .; done && rm d/link && "
	      "ln f7 d/link && find . -exec touch -h -d @1000000000.987654321 {} +");
	for (size_t i = 0; i < XB_COUNT(ways); i++) {
		struct xb_pack_options options = plain;
		struct xb_layer_info one, other;

		options.compression = ways[i];
		one = pack("a", "a.blob", &options);
		other = pack("b", "b.blob", &options);
		shell("cmp a.blob b.blob");
		assert_string_equal(one.digest.text, other.digest.text);
		assert_string_equal(one.diff_id.text, other.diff_id.text);
	}
}

static void digests_and_sizes_are_those_of_the_blob(void **state)
{
	static const struct {
		enum xb_compression compression;
		int level;
		const char *type, *decompress;
	} ways[] = {
		{ XB_COMPRESSION_NONE, 0, "application/vnd.oci.image.layer.v1.tar", "cat" },
		{ XB_COMPRESSION_GZIP, 0, "application/vnd.oci.image.layer.v1.tar+gzip",
		  "gzip -dc" },
		{ XB_COMPRESSION_GZIP, 1, "application/vnd.oci.image.layer.v1.tar+gzip",
		  "python3 -c 'import gzip,sys; "
		  "sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))'" },
		{ XB_COMPRESSION_GZIP, 9, "application/vnd.oci.image.layer.v1.tar+gzip",
		  "busybox gunzip -c" },
		{ XB_COMPRESSION_ZSTD, 0, "application/vnd.oci.image.layer.v1.tar+zstd",
		  "zstd -dc" },
	};

	(void)state;
	shell("mkdir a && seq 1 900000 >a/numbers && head -c 2500000 /dev/urandom >a/noise");
	for (size_t i = 0; i < XB_COUNT(ways); i++) {
		const struct xb_pack_options options = { .epoch = -1,
							 .compression = ways[i].compression,
							 .level = ways[i].level };
		const struct xb_layer_info info = pack("a", "blob", &options);
		xb_autofree char *judge = xb_format(
			"sha256sum <blob | cut -c1-64; stat -c%%s blob; %s <blob | sha256sum | "
			"cut -c1-64; %s <blob | wc -c",
			ways[i].decompress, ways[i].decompress);
		xb_autofree char *expected =
			xb_format("%s\n%llu\n%s\n%llu\n", xb_digest_hex(&info.digest),
				  (unsigned long long)info.size, xb_digest_hex(&info.diff_id),
				  (unsigned long long)info.tar_size);

		assert_says(judge, expected);
		assert_string_equal(info.media_type, ways[i].type);
		assert_int_equal(info.entries, 2);
	}
}

static void levels_out_of_range_are_refused(void **state)
{
	const struct xb_pack_options options = { .epoch = -1, .level = 13 };
	struct xb_layer_info info;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_layer_pack(scratch_fd, &options, -1, &info, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
}

static void an_empty_layer_is_two_blocks(void **state)
{
	struct xb_layer_info info;

	(void)state;
	shell("mkdir a");
	info = pack("a", "a.tar", &plain);
	assert_int_equal(info.entries, 0);
	assert_int_equal(info.tar_size, 1024);
	/* the digest that every tool knows for a layer that changes nothing */
	assert_string_equal(
		info.diff_id.text,
		"sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
}

static void other_tars_read_what_is_written(void **state)
{
	static const char *const judges[] = {
		"tar --xattrs --xattrs-include='*' --numeric-owner -p -xf a.tar -C out",
		"bsdtar --numeric-owner -p -xf a.tar -C out",
	};
	struct rng rng = { 4242 };
	xb_auto_fd int tree = -1;

	(void)state;
	need("root", trees_root);
	assert_int_equal(mkdirat(scratch_fd, "a", 0755), 0);
	tree = openat(scratch_fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	random_steps(&rng, tree, 200, 1);
	random_times(&rng, tree, 0);
	pack("a", "a.tar", &plain);
	for (size_t i = 0; i < XB_COUNT(judges); i++) {
		xb_auto_fd int out = -1;

		if (i > 0 && scratch_run((const char *[]){
				     "sh", "-c", "command -v bsdtar >/dev/null", NULL }) != 0)
			continue;
		shell("rm -rf out && mkdir out");
		shell(judges[i]);
		out = openat(scratch_fd, "out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_int_equal(fchmod(out, 0755), 0);
		assert_trees_equal(tree, out);
	}
}

/* An image of the two layers "one.blob" and "two.blob", as bare as can be. */
static const char make_image[] =
	"python3 -c 'import hashlib, json, os, sys\n"
	"def put(data):\n"
	"    digest = hashlib.sha256(data).hexdigest()\n"
	"    open(\"oci/blobs/sha256/\" + digest, \"wb\").write(data)\n"
	"    return {\"digest\": \"sha256:\" + digest, \"size\": len(data)}\n"
	"def typed(kind, data):\n"
	"    return {\"mediaType\": \"application/vnd.oci.image.\" + kind, **put(data)}\n"
	"os.makedirs(\"oci/blobs/sha256\")\n"
	"layers = [typed(\"layer.v1.tar+gzip\", open(n + \".blob\", \"rb\").read())\n"
	"          for n in (\"one\", \"two\")]\n"
	"config = {\"architecture\": \"amd64\", \"os\": \"linux\", \"config\": {},\n"
	"          \"rootfs\": {\"type\": \"layers\", \"diff_ids\": sys.argv[1:]}}\n"
	"manifest = {\"schemaVersion\": 2, \"layers\": layers,\n"
	"            \"config\": typed(\"config.v1+json\", json.dumps(config).encode())}\n"
	"entry = typed(\"manifest.v1+json\", json.dumps(manifest).encode())\n"
	"entry[\"annotations\"] = {\"org.opencontainers.image.ref.name\": \"t\"}\n"
	"json.dump({\"schemaVersion\": 2, \"manifests\": [entry]}, open(\"oci/index.json\", "
	"\"w\"))\n"
	"json.dump({\"imageLayoutVersion\": \"1.0.0\"}, open(\"oci/oci-layout\", \"w\"))' ";

/* To Go's tar an empty value takes the attribute back. Changes the text in place. */
static char *without_empty(char *list)
{
	static const char empty[] = " user.empty=";
	char *at;

	while ((at = strstr(list, empty)) != NULL)
		memmove(at, at + strlen(empty), strlen(at + strlen(empty)) + 1);
	return list;
}

static void umoci_unpacks_the_same_tree(void **state)
{
	(void)state;
	/* in a user namespace it cannot make the device nodes, and says so by failing */
	need("root", geteuid() == 0 && trees_root && chown(scratch, 3000000, 0) == 0);
	need("umoci",
	     scratch_run((const char *[]){ "sh", "-c", "umoci --version >/dev/null", NULL }) == 0);

	const struct xb_pack_options options = { .epoch = -1 };
	xb_autofree char *lower = xb_format("%s/one/fs", scratch);
	xb_autofree char *upper = xb_format("%s/two/fs", scratch);
	xb_autofree char *work = xb_format("%s/two/work", scratch);
	const char *lowers[] = { lower };
	struct rng rng = { 99 };
	struct xb_layer_info one, two;
	xb_autofree char *command = NULL;
	xb_autofree char *ours_text = NULL, *theirs_text = NULL;
	xb_auto_fd int view = -1;
	xb_auto_fd int theirs = -1;

	snapshot_make("one");
	snapshot_make("two");
	view = xb_tree_mount(NULL, 0, lower, NULL, NULL);
	random_steps(&rng, view, 150, 0);
	random_times(&rng, view, 0);
	close(view);
	view = xb_tree_mount(lowers, 1, upper, work, NULL);
	random_steps(&rng, view, 60, 4);
	random_times(&rng, view, 0);
	one = pack("one/fs", "one.blob", &options);
	two = pack("two/fs", "two.blob", &options);
	command = xb_format("%s %s %s", make_image, one.diff_id.text, two.diff_id.text);
	shell(command);
	shell("umoci unpack --image oci:t bundle >umoci.log 2>&1 || { cat umoci.log; exit 1; }");
	theirs = openat(scratch_fd, "bundle/rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fchmod(theirs, 0755), 0);
	ours_text = without_empty(tree_list(view));
	theirs_text = without_empty(tree_list(theirs));
	assert_string_equal(ours_text, theirs_text);
}

static void sockets_are_left_out_and_fifos_do_not_block(void **state)
{
	(void)state;
	shell("mkdir a && mkfifo a/fifo && touch a/z && python3 -c 'import socket; "
	      "socket.socket(socket.AF_UNIX).bind(\"a/socket\")'");
	pack("a", "a.tar", &plain);
	assert_says("tar -tf a.tar", "fifo\nz\n");
}

static void reserved_names_are_refused(void **state)
{
	xb_auto_fd int dir = -1;
	xb_auto_fd int out = openat(scratch_fd, "out", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_layer_info info;

	(void)state;
	shell("mkdir -p a/b && touch a/b/.wh.x");
	dir = openat(scratch_fd, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(xb_layer_pack(dir, &plain, out, &info, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_STEP);
	assert_non_null(strstr(err.message, "b/.wh.x"));
	assert_non_null(err.hint);
	/* a whole tree is written as it is */
	assert_int_equal(
		xb_tree_pack(&(struct xb_pack_tree){ .fd = dir }, 1, &plain, out, &info, NULL), 0);
	assert_says("tar -tf out", "b/\nb/.wh.x\n");
}

static void the_epoch_clamps_and_leaves_older_times(void **state)
{
	const struct xb_pack_options options = { .epoch = 1500000000,
						 .compression = XB_COMPRESSION_NONE };

	(void)state;
	shell("mkdir a && touch -d @1600000000 a/new && touch -d @1400000000.9 a/old && "
	      "touch -d @-5 a/before");
	pack("a", "a.tar", &options);
	assert_says("python3 -c 'import tarfile\n"
		    "for m in tarfile.open(\"a.tar\"): print(m.name, m.mtime)'",
		    "before 0\nnew 1500000000\nold 1400000000\n");
}

static void headers_are_plain_where_they_can_be(void **state)
{
	(void)state;
	need("userns", trees_root);
	/* 100 bytes fit, 101 need a pax header; 2097151 fits, more needs one */
	shell("mkdir a && touch a/$(printf '%0100d' 0) && ln -s $(printf '%0100d' 0) a/link");
	pack("a", "a.tar", &plain);
	assert_says("grep -c PaxHeaders a.tar || true", "0\n");
	shell("touch a/$(printf '%0101d' 0)");
	pack("a", "a.tar", &plain);
	assert_says("grep -ao PaxHeaders a.tar", "PaxHeaders\n");
}

static void large_ids_survive(void **state)
{
	(void)state;
	need("root", chown(scratch, 3000000, 0) == 0);
	shell("mkdir a && touch a/f && chown 3000000:4294967294 a/f");
	pack("a", "a.tar", &plain);
	assert_says("tar --numeric-owner -tvf a.tar | cut -d' ' -f2", "3000000/4294967294\n");
}

static void capabilities_are_version_2(void **state)
{
	/* version 3 with root id 0: {magic, permitted, inheritable, permitted, inheritable, id} */
	static const unsigned char v3[24] = { 1, 0, 0, 3, 0, 4 };
	xb_auto_fd int fd = -1;

	(void)state;
	need("userns", trees_root);
	shell("mkdir a && touch a/f");
	fd = openat(scratch_fd, "a/f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsetxattr(fd, "security.capability", v3, sizeof(v3), 0), 0);
	pack("a", "a.tar", &plain);
	assert_says("python3 -c 'import tarfile\n"
		    "for m in tarfile.open(\"a.tar\", encoding=\"latin-1\"):\n"
		    "  v = m.pax_headers[\"SCHILY.xattr.security.capability\"]\n"
		    "  print(len(v.encode(\"latin-1\", \"surrogateescape\")), ord(v[3]))'",
		    "20 2\n");
}

static void overlay_attributes_stay_behind(void **state)
{
	xb_auto_fd int fd = -1;

	(void)state;
	shell("mkdir a && touch a/f");
	fd = openat(scratch_fd, "a/f", O_RDONLY | O_CLOEXEC);
	need("user attributes", fsetxattr(fd, "user.kept", "x", 1, 0) == 0);
	assert_int_equal(fsetxattr(fd, "user.overlay.origin", "x", 1, 0), 0);
	pack("a", "a.tar", &plain);
	assert_says("grep -ao 'SCHILY.xattr[a-z.]*' a.tar", "SCHILY.xattr.user.kept\n");
}

static void deep_trees_take_few_descriptors(void **state)
{
	struct rlimit old, few = { 40, 40 };
	struct xb_layer_info info;

	(void)state;
	shell("python3 -c 'import os\nos.mkdir(\"a\"); os.chdir(\"a\")\n"
	      "for i in range(3000): os.mkdir(\"dd\"); os.chdir(\"dd\")'");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	info = pack("a", "a.tar", &plain);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(info.entries, 3000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(changes_become_whiteouts),
		TEST(the_same_tree_gives_the_same_bytes),
		TEST(digests_and_sizes_are_those_of_the_blob),
		TEST(levels_out_of_range_are_refused),
		TEST(an_empty_layer_is_two_blocks),
		TEST(other_tars_read_what_is_written),
		TEST(umoci_unpacks_the_same_tree),
		TEST(sockets_are_left_out_and_fifos_do_not_block),
		TEST(reserved_names_are_refused),
		TEST(the_epoch_clamps_and_leaves_older_times),
		TEST(headers_are_plain_where_they_can_be),
		TEST(large_ids_survive),
		TEST(capabilities_are_version_2),
		TEST(overlay_attributes_stay_behind),
		TEST(deep_trees_take_few_descriptors),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
