/* SPDX-License-Identifier: Apache-2.0 */
/* The client against Debian's docker-registry, started here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/pool.h"
#include "base/proc.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "manifest/registry/registry.h"
#include "tests/unit/base/http_server.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

enum { LARGE = 20 << 20, BLOBS = 12 };

static struct xb_proc program = XB_PROC_NONE;
static unsigned port;
static struct xb_registry_hosts *hosts;
static struct xb_registry *registry;
static char *large;

static bool is_listening(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r = connect(fd, (const struct sockaddr *)&at, sizeof(at));
	(void)close(fd);
	return r == 0;
}

static void start(void)
{
	xb_autofree char *config = NULL;
	char *argv[] = { strdup("docker-registry"), strdup("serve"),
			 strdup(scratch_path("config.yml")), NULL };
	xb_auto_fd int log = open(scratch_path("log"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	const struct xb_proc_fd fds[] = { { log, STDOUT_FILENO }, { log, STDERR_FILENO } };
	const struct xb_proc_spec spec = {
		.path = "docker-registry", .argv = argv, .fds = fds, .fd_count = 2
	};
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)close(server_listen(&port));
	config = xb_format("version: 0.1\nlog:\n  level: error\n  accesslog: {disabled: true}\n"
			   "storage:\n  filesystem: {rootdirectory: %s}\n"
			   "  delete: {enabled: true}\nhttp: {addr: '127.0.0.1:%u'}\n",
			   scratch_path("data"), port);
	scratch_write("config.yml", config);
	if (xb_proc_spawn(&spec, &program, &err) < 0)
		fail_msg("%s", err.message);
	for (size_t i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	for (int i = 0; i < 12000 && !is_listening(); i++)
		(void)usleep(10000);
	assert_true(is_listening());
}

static int group_setup(void **state)
{
	const struct xb_registry_hosts_options none = { 0 };
	struct xb_registry_options options = XB_REGISTRY_OPTIONS_INIT;

	(void)setenv("no_proxy", "127.0.0.1", 1);
	large = xb_alloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		large[i] = (char)(i * 2654435761U >> 13);
	if (scratch_setup(state) < 0 || xb_registry_hosts_load(&none, &hosts, NULL) < 0)
		return -1;
	options.hosts = hosts;
	return xb_registry_new(&options, &registry, NULL);
}

static int group_teardown(void **state)
{
	xb_proc_clear(&program);
	xb_registry_free(registry);
	xb_registry_hosts_free(hosts);
	free(large);
	return scratch_teardown(state);
}

static void need_registry(void)
{
	need("docker-registry", access("/usr/bin/docker-registry", X_OK) == 0);
	if (port == 0)
		start();
}

static struct xb_reference reference(const char *path, const char *tag)
{
	return (struct xb_reference){ .domain = xb_format("127.0.0.1:%u", port),
				      .path = xb_strdup(path),
				      .tag = xb_strdup(tag) };
}

/* a blob: `size` bytes of `large` from `from` on */
struct piece {
	size_t from;
	size_t size;
	size_t at;
	struct xb_descriptor blob;
};

static struct piece piece_of(size_t from, size_t size)
{
	struct xb_digest digest = xb_digest_of(large + from, size);
	struct piece piece = { .from = from, .size = size };

	xb_descriptor_init(&piece.blob, "application/octet-stream", &digest, size);
	return piece;
}

static ssize_t give(void *context, uint64_t offset, void *data, size_t size, struct xb_error *err)
{
	const struct piece *piece = context;
	size_t left = piece->size - (size_t)offset;

	(void)err;
	if (size > left)
		size = left;
	memcpy(data, large + piece->from + offset, size);
	return (ssize_t)size;
}

static int take(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct piece *piece = context;

	if (len > piece->size - piece->at ||
	    memcmp(data, large + piece->from + piece->at, len) != 0)
		return xb_error_set(err, -EBADMSG, "other bytes than were sent");
	piece->at += len;
	return 0;
}

static int restart(void *context, struct xb_error *err)
{
	(void)err;
	((struct piece *)context)->at = 0;
	return 0;
}

static void check(int r, const struct xb_error *err)
{
	if (r < 0)
		fail_msg("%d: %s", r, err->message);
}

static int put(const char *path, struct piece *piece, struct xb_error *err)
{
	const struct xb_blob_source source = { piece, give };
	xb_auto_reference struct xb_reference ref = reference(path, NULL);

	return xb_registry_put_blob(registry, &ref, &piece->blob, &source, err);
}

static int get(const char *path, struct piece *piece, struct xb_error *err)
{
	const struct xb_blob_sink sink = { piece, take, restart };
	xb_auto_reference struct xb_reference ref = reference(path, NULL);
	int r;

	piece->at = 0;
	r = xb_registry_get_blob(registry, &ref, &piece->blob, &sink, err);
	return r < 0 || piece->at == piece->size ? r : -EIO;
}

static bool has(const char *path, const struct piece *piece)
{
	xb_auto_reference struct xb_reference ref = reference(path, NULL);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	bool there = false;

	check(xb_registry_has_blob(registry, &ref, &piece->blob, &there, &err), &err);
	return there;
}

static void blobs_there_and_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 5, 100000, LARGE };

	(void)state;
	need_registry();
	for (size_t i = 0; i < XB_COUNT(sizes); i++) {
		struct piece piece = piece_of(0, sizes[i]);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_false(has("there/and-back", &piece));
		check(put("there/and-back", &piece, &err), &err);
		assert_true(has("there/and-back", &piece));
		check(get("there/and-back", &piece, &err), &err);
		xb_descriptor_clear(&piece.blob);
	}
}

static void a_blob_that_is_not_there(void **state)
{
	struct piece piece;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	need_registry();
	piece = piece_of(7, 77);
	assert_int_equal(get("not/there", &piece, &err), -ENOENT);
	assert_non_null(strstr(err.message, "BLOB_UNKNOWN"));
	xb_descriptor_clear(&piece.blob);
}

static void bytes_of_another_digest_are_refused(void **state)
{
	struct piece piece;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	need_registry();
	piece = piece_of(11, 1000);
	piece.from++;
	assert_int_equal(put("refused", &piece, &err), -EREMOTEIO);
	assert_non_null(strstr(err.message, "DIGEST_INVALID"));
	xb_descriptor_clear(&piece.blob);
}

static void a_blob_is_mounted(void **state)
{
	xb_auto_reference struct xb_reference to = XB_REFERENCE_INIT;
	struct piece piece;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	bool mounted = false;

	(void)state;
	need_registry();
	to = reference("mounted/to", NULL);
	piece = piece_of(13, 5000);
	check(put("mounted/from", &piece, &err), &err);
	check(xb_registry_mount_blob(registry, &to, "mounted/from", &piece.blob, &mounted, &err),
	      &err);
	assert_true(mounted);
	assert_true(has("mounted/to", &piece));
	check(xb_registry_mount_blob(registry, &to, "mounted/nowhere", &piece.blob, &mounted, &err),
	      &err);
	assert_false(mounted);
	xb_descriptor_clear(&piece.blob);
}

static int there_and_back(void *context, size_t number, struct xb_error *err)
{
	struct piece *pieces = context;
	int r = put("many", &pieces[number], err);

	return r < 0 ? r : get("many", &pieces[number], err);
}

static void many_threads_share_it(void **state)
{
	struct piece pieces[BLOBS];
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	need_registry();
	for (size_t i = 0; i < BLOBS; i++)
		pieces[i] = piece_of(i, 300000 + i);
	check(xb_pool_each(BLOBS, there_and_back, pieces, &err), &err);
	for (size_t i = 0; i < BLOBS; i++)
		xb_descriptor_clear(&pieces[i].blob);
}

/* Push an index of nothing; its bytes. */
static const char *put_index(const struct xb_reference *ref)
{
	static const char index[] =
		"{\"schemaVersion\":2,\"mediaType\":\"" XB_MEDIA_OCI_INDEX "\",\"manifests\":[]}";
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	check(xb_registry_put_manifest(registry, ref, XB_MEDIA_OCI_INDEX, XB_VIEW(index), &err),
	      &err);
	return index;
}

static void documents_there_and_back(void **state)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_auto_descriptor struct xb_descriptor head = XB_DESCRIPTOR_INIT, got = XB_DESCRIPTOR_INIT;
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_descriptors struct xb_descriptors referrers = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	const char *index;

	(void)state;
	need_registry();
	ref = reference("documents", "v1");
	assert_int_equal(xb_registry_head(registry, &ref, &head, &err), -ENOENT);
	xb_error_clear(&err);
	index = put_index(&ref);
	check(xb_registry_head(registry, &ref, &head, &err), &err);
	check(xb_registry_get_manifest(registry, &ref, &bytes, &got, &err), &err);
	assert_string_equal(xb_str_text(&bytes), index);
	assert_string_equal(head.media_type, XB_MEDIA_OCI_INDEX);
	assert_true(xb_digest_eq(&head.digest, &got.digest));
	assert_int_equal(head.size, got.size);
	ref.digest = got.digest;
	check(xb_registry_referrers(registry, &ref, NULL, &referrers, &err), &err);
	assert_int_equal(referrers.len, 0);
	free(XB_STEAL(ref.tag));
	check(xb_registry_delete_manifest(registry, &ref, &err), &err);
	assert_int_equal(xb_registry_head(registry, &ref, &head, &err), -ENOENT);
}

static void tags_are_listed(void **state)
{
	static const char *const names[] = { "a", "b", "c" };
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	need_registry();
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		xb_auto_reference struct xb_reference ref = reference("tagged", names[i]);

		(void)put_index(&ref);
		if (i + 1 == XB_COUNT(names))
			check(xb_registry_tags(registry, &ref, &tags, &err), &err);
	}
	assert_int_equal(tags.len, 3);
	assert_true(xb_strv_find(&tags, "b") >= 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(blobs_there_and_back),
		cmocka_unit_test(a_blob_that_is_not_there),
		cmocka_unit_test(bytes_of_another_digest_are_refused),
		cmocka_unit_test(a_blob_is_mounted),
		cmocka_unit_test(many_threads_share_it),
		cmocka_unit_test(documents_there_and_back),
		cmocka_unit_test(tags_are_listed),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
