/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors, manifests and indexes: the specification's vectors, and what must be refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "manifest/config.h"
#include "manifest/index.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "tests/unit/corpora.h"

#define HEX  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEX2 "c86f7763873b6c0aae22d963bab59b4f5debbed6685761b5951584f6efb0633b"

#define CONFIG_MEMBER                                                                              \
	"\"config\":{\"mediaType\":\"" XB_MEDIA_OCI_CONFIG "\",\"digest\":\"sha256:" HEX           \
	"\",\"size\":2}"
#define LAYERS_MEMBER                                                                              \
	"\"layers\":[{\"mediaType\":\"" XB_MEDIA_OCI_LAYER_GZIP "\",\"digest\":\"sha256:" HEX2     \
	"\",\"size\":3}]"
#define MANIFESTS_MEMBER                                                                           \
	"\"manifests\":[{\"mediaType\":\"" XB_MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" HEX     \
	"\",\"size\":4,\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}]"
#define MANIFEST(more) "{\"schemaVersion\":2," CONFIG_MEMBER "," LAYERS_MEMBER more "}"
#define INDEX(more)    "{\"schemaVersion\":2," MANIFESTS_MEMBER more "}"

static int parse_descriptor(struct xb_view text, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_json json_t *root = NULL;
	int r = xb_json_parse(text, XB_MAX_MANIFEST, &root, err);

	return r < 0 ? r : xb_descriptor_from_json(root, &d, err);
}

static int parse_manifest(struct xb_view text, struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;

	return xb_manifest_parse(text, NULL, &m, err);
}

static int parse_index(struct xb_view text, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	return xb_index_parse(text, NULL, &index, err);
}

static int parse_config(struct xb_view text, struct xb_error *err)
{
	xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;

	return xb_image_config_parse(text, &c, err);
}

/* The specification allows algorithms that nobody has; xbuild takes sha256 and sha512. */
static bool has_other_algorithm(const char *document)
{
	return strstr(document, "sha256+") != NULL || strstr(document, "multihash") != NULL;
}

static void check(const json_t *v, int (*parse)(struct xb_view, struct xb_error *))
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	const char *document = corpora_member(v, "document");
	bool valid = json_is_true(json_object_get(v, "valid")) && !has_other_algorithm(document);
	int r = parse(xb_view(document), &err);

	if (valid && r < 0)
		fail_msg("%s: %s", corpora_member(v, "id"), err.message);
	if (!valid && r != -EBADMSG)
		fail_msg("%s is not valid, but read with %d:\n%s", corpora_member(v, "id"), r,
			 document);
}

static void check_descriptor(const json_t *v)
{
	check(v, parse_descriptor);
}

static void check_manifest(const json_t *v)
{
	check(v, parse_manifest);
}

static void check_index(const json_t *v)
{
	check(v, parse_index);
}

static void check_config(const json_t *v)
{
	check(v, parse_config);
}

static void vectors_of_the_specification(void **state)
{
	(void)state;
	corpora_each("oci-documents", "descriptor", check_descriptor);
	corpora_each("oci-documents", "manifest", check_manifest);
	corpora_each("oci-documents", "index", check_index);
	corpora_each("oci-documents", "config", check_config);
}

/* Writing what was read, and reading and writing that again, changes nothing. */
static void check_round_trip(const json_t *v)
{
	struct xb_view document = xb_view(corpora_member(v, "document"));
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT, again = XB_MANIFEST_INIT;
	xb_auto_str struct xb_str once = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_str struct xb_str twice = XB_STR_INIT(XB_MAX_MANIFEST);

	if (xb_manifest_parse(document, NULL, &m, NULL) < 0)
		return;
	assert_int_equal(xb_manifest_write(&m, &once, NULL), 0);
	assert_int_equal(xb_manifest_parse(xb_str_view(&once), NULL, &again, NULL), 0);
	assert_int_equal(xb_manifest_write(&again, &twice, NULL), 0);
	assert_string_equal(xb_str_text(&once), xb_str_text(&twice));
	assert_int_equal(again.layers.len, m.layers.len);
	assert_int_equal(again.has_subject, m.has_subject);
}

static void manifests_round_trip(void **state)
{
	(void)state;
	corpora_each("oci-documents", "manifest", check_round_trip);
}

/* The bytes that we write are pinned: a change of them would change every image's digest. */
static void written_bytes(void **state)
{
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_str struct xb_str s = XB_STR_INIT(XB_MAX_MANIFEST);

	(void)state;
	assert_int_equal(
		xb_manifest_parse(XB_VIEW(MANIFEST(",\"annotations\":{\"b\":\"2\",\"a\":\"1\"},"
						   "\"zz\":[1],\"other\":{\"k\":null}")),
				  NULL, &m, NULL),
		0);
	assert_int_equal(xb_manifest_write(&m, &s, NULL), 0);
	assert_string_equal(xb_str_text(&s),
			    "{\"schemaVersion\":2,\"mediaType\":\"" XB_MEDIA_OCI_MANIFEST
			    "\"," CONFIG_MEMBER "," LAYERS_MEMBER
			    ",\"annotations\":{\"a\":\"1\",\"b\":\"2\"},"
			    "\"other\":{\"k\":null},\"zz\":[1]}");
	xb_str_reset(&s);
	assert_int_equal(xb_index_parse(XB_VIEW(INDEX("")), NULL, &index, NULL), 0);
	assert_int_equal(xb_index_write(&index, &s, NULL), 0);
	assert_string_equal(xb_str_text(&s),
			    "{\"schemaVersion\":2,\"mediaType\":\"" XB_MEDIA_OCI_INDEX
			    "\"," MANIFESTS_MEMBER "}");
}

static void descriptor_keeps_what_it_does_not_know(void **state)
{
	static const char text[] =
		"{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\",\"size\":9007199254740992,"
		"\"annotations\":{\"a\":\"1\"},"
		"\"platform\":{\"architecture\":\"amd64\",\"os\":\"windows\","
		"\"os.version\":\"10.0.17763.1\",\"os.features\":[\"gpu\",\"win32k\"],"
		"\"variant\":\"v2\"},\"artifactType\":\"c/d\",\"data\":\"e30=\","
		"\"urls\":[\"https://x/\"],\"x-new\":{\"b\":1,\"a\":2}}";
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT, copy = XB_DESCRIPTOR_INIT;
	xb_auto_json json_t *root = NULL, *written = NULL;
	xb_auto_str struct xb_str s = XB_STR_INIT(4096);

	(void)state;
	assert_int_equal(xb_json_parse(XB_VIEW(text), 4096, &root, NULL), 0);
	assert_int_equal(xb_descriptor_from_json(root, &d, NULL), 0);
	assert_string_equal(d.platform.os_features, "gpu,win32k");
	xb_descriptor_copy(&copy, &d);
	xb_descriptor_clear(&d);
	written = xb_descriptor_to_json(&copy);
	assert_int_equal(xb_json_write(written, &s, NULL), 0);
	assert_string_equal(xb_str_text(&s), text);
}

struct refusal {
	const char *why; /* what the message must hold */
	const char *text;
};

static void assert_refused(const struct refusal *rows, size_t count, const char *type,
			   int (*parse)(struct xb_view, const char *, struct xb_error *))
{
	for (size_t i = 0; i < count; i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r = parse(xb_view(rows[i].text), type, &err);

		if (r != -EBADMSG)
			fail_msg("read with %d: %s", r, rows[i].text);
		if (strstr(err.message, rows[i].why) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.message, rows[i].why);
	}
}

static int as_manifest(struct xb_view text, const char *type, struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
	int r = xb_manifest_parse(text, type, &m, err);

	if (r < 0)
		assert_null(m.media_type);
	return r;
}

static int as_index(struct xb_view text, const char *type, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	return xb_index_parse(text, type, &index, err);
}

static void manifest_refusals(void **state)
{
	static const struct refusal rows[] = {
		{ "ambiguous", MANIFEST("," MANIFESTS_MEMBER) },
		{ "ambiguous", MANIFEST(",\"manifests\":[]") },
		{ "ambiguous", MANIFEST(",\"manifests\":null") },
		{ "ambiguous", MANIFEST(",\"fsLayers\":[]") },
		{ "case", MANIFEST(",\"Layers\":[]") },
		{ "case", MANIFEST(",\"LAYERS\":[]") },
		{ "case", MANIFEST(",\"layer\305\277\":[]") },	  /* LONG S */
		{ "case", MANIFEST(",\"manife\305\277tS\":[]") }, /* Go folds it to manifests */
		{ "case", MANIFEST(",\"Manifests\":[]") },
		{ "artifactType", MANIFEST(",\"artifactType\":\"x\"") },
		{ "artifactType", MANIFEST(",\"artifactType\":1") },
		{ "mediaType", MANIFEST(",\"mediaType\":1") },
		{ "config", "{\"schemaVersion\":2,\"config\":1," LAYERS_MEMBER "}" },
		{ "subject", MANIFEST(",\"subject\":1") },
		{ "duplicate", MANIFEST("," LAYERS_MEMBER) },
		{ "schemaVersion is 1",
		  "{\"schemaVersion\":1," CONFIG_MEMBER "," LAYERS_MEMBER "}" },
		{ "schemaVersion", "{\"schemaVersion\":3," CONFIG_MEMBER "," LAYERS_MEMBER "}" },
		{ "schemaVersion",
		  "{\"schemaVersion\":\"2\"," CONFIG_MEMBER "," LAYERS_MEMBER "}" },
		{ "schemaVersion", "{" CONFIG_MEMBER "," LAYERS_MEMBER "}" },
		{ "config is missing", "{\"schemaVersion\":2," LAYERS_MEMBER "}" },
		{ "layers is missing", "{\"schemaVersion\":2," CONFIG_MEMBER "}" },
		{ "annotations", MANIFEST(",\"annotations\":{\"a\":1}") },
		{ "annotations", MANIFEST(",\"annotations\":[]") },
		{ "subject", MANIFEST(",\"subject\":{}") },
		{ "layers[0]", "{\"schemaVersion\":2," CONFIG_MEMBER ",\"layers\":[null]}" },
		{ "not a JSON object", "[]" },
		{ "JSON", MANIFEST("") " x" },
		{ "JSON", "" },
		{ "media type", MANIFEST(",\"mediaType\":\"nonsense\"") },
		{ "not the media type of an image manifest",
		  MANIFEST(",\"mediaType\":\"" XB_MEDIA_OCI_INDEX "\"") },
		{ "not the media type of an image manifest", MANIFEST(",\"mediaType\":\"a/b\"") },
	};

	(void)state;
	assert_refused(rows, XB_COUNT(rows), NULL, as_manifest);
}

static void index_refusals(void **state)
{
	static const struct refusal rows[] = {
		{ "ambiguous", INDEX("," LAYERS_MEMBER) },
		{ "ambiguous", INDEX("," CONFIG_MEMBER) },
		{ "case", INDEX(",\"Manifests\":[]") },
		{ "case", INDEX(",\"Config\":{}") },
		{ "duplicate", INDEX(",\"manifests\":[]") },
		{ "manifests is missing", "{\"schemaVersion\":2}" },
		{ "manifests[0]", "{\"schemaVersion\":2,\"manifests\":[1]}" },
		{ "not the media type of an image index",
		  INDEX(",\"mediaType\":\"" XB_MEDIA_DOCKER_MANIFEST "\"") },
	};

	(void)state;
	assert_refused(rows, XB_COUNT(rows), NULL, as_index);
}

/* What the descriptor says and what the document says must agree, and both are in the message. */
static void media_types_must_agree(void **state)
{
	static const struct refusal docker[] = {
		{ XB_MEDIA_OCI_MANIFEST, MANIFEST(",\"mediaType\":\"" XB_MEDIA_OCI_MANIFEST "\"") },
		{ XB_MEDIA_DOCKER_MANIFEST,
		  MANIFEST(",\"mediaType\":\"" XB_MEDIA_OCI_MANIFEST "\"") },
		{ XB_MEDIA_DOCKER_MANIFEST, MANIFEST("," MANIFESTS_MEMBER) },
	};
	static const struct refusal index[] = {
		{ XB_MEDIA_OCI_INDEX, MANIFEST("") },
		{ XB_MEDIA_OCI_INDEX, MANIFEST(",\"mediaType\":\"" XB_MEDIA_OCI_MANIFEST "\"") },
	};
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;

	(void)state;
	assert_refused(docker, XB_COUNT(docker), XB_MEDIA_DOCKER_MANIFEST, as_manifest);
	assert_refused(index, XB_COUNT(index), XB_MEDIA_OCI_INDEX, as_manifest);
	assert_int_equal(
		xb_manifest_parse(XB_VIEW(MANIFEST("")), XB_MEDIA_DOCKER_MANIFEST, &m, NULL), 0);
	assert_string_equal(m.media_type, XB_MEDIA_DOCKER_MANIFEST);
}

static void descriptor_refusals(void **state)
{
	static const struct refusal rows[] = {
		{ "digest", "{\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"sha256:../../..\"}" },
		{ "digest", "{\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"\"}" },
		{ "digest", "{\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"md5:" HEX "\"}" },
		{ "digest", "{\"mediaType\":\"a/b\",\"size\":1,\"digest\":\"sha256:" HEX "0\"}" },
		{ "digest", "{\"mediaType\":\"a/b\",\"size\":1,\"digest\":null}" },
		{ "size", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\"}" },
		{ "size", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\",\"size\":null}" },
		{ "size", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\",\"size\":-1}" },
		{ "size", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX "\",\"size\":1.0}" },
		{ "size", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
			  "\",\"size\":9007199254740993}" },
		{ "case", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
			  "\",\"size\":1,\"Digest\":\"sha256:" HEX2 "\"}" },
		{ "urls", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
			  "\",\"size\":1,\"urls\":\"x\"}" },
		{ "platform", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
			      "\",\"size\":1,\"platform\":{\"os\":\"linux\"}}" },
		{ "printable", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
			       "\",\"size\":1,\"platform\":{\"os\":\"li\\u001b[31mux\","
			       "\"architecture\":\"amd64\"}}" },
		{ "longer", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
			    "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":"
			    "\"12345678901234567890123456789012\"}}" },
		{ "twice", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
			   "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"a\","
			   "\"os.features\":[\"a\",\"a\"]}}" },
		{ "os.features", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
				 "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":"
				 "\"a\",\"os.features\":\"a\"}}" },
		{ "mediaType", "{\"mediaType\":1,\"digest\":\"sha256:" HEX "\",\"size\":1}" },
		{ "mediaType", "{\"digest\":\"sha256:" HEX "\",\"size\":1}" },
		{ "digest", "{\"mediaType\":\"a/b\",\"digest\":1,\"size\":1}" },
		{ "architecture", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
				  "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":"
				  "1}}" },
		{ "object", "[]" },
		{ "comma", "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" HEX
			   "\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"a\","
			   "\"os.features\":[\"a,b\"]}}" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (parse_descriptor(xb_view(rows[i].text), &err) != -EBADMSG)
			fail_msg("read: %s", rows[i].text);
		if (strstr(err.message, rows[i].why) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", err.message, rows[i].why);
	}
}

/* null is what tools in Go write for an empty list. */
static void null_lists_are_empty(void **state)
{
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	(void)state;
	assert_int_equal(xb_index_parse(XB_VIEW("{\"schemaVersion\":2,\"manifests\":null,"
						"\"annotations\":null,\"subject\":null}"),
					NULL, &index, NULL),
			 0);
	assert_int_equal(index.manifests.len, 0);
	assert_int_equal(xb_manifest_parse(
				 XB_VIEW("{\"schemaVersion\":2," CONFIG_MEMBER ",\"layers\":null}"),
				 NULL, &m, NULL),
			 0);
	assert_int_equal(m.layers.len, 0);
}

static void documents_have_a_limit(void **state)
{
	size_t size = XB_MAX_MANIFEST + 1;
	xb_autofree char *text = xb_alloc(size);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	memset(text, ' ', size);
	memcpy(text, INDEX(""), sizeof(INDEX("")) - 1);
	assert_int_equal(parse_index((struct xb_view){ text, size - 1 }, &err), 0);
	assert_int_equal(parse_index((struct xb_view){ text, size }, &err), -EFBIG);
}

/* An empty object of two bytes takes a hundred times that in memory. */
static void small_bombs_are_refused(void **state)
{
	enum { UNITS = 1 << 18 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_str struct xb_str strings = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	(void)xb_str_puts(&text, "{\"schemaVersion\":2,\"manifests\":[],\"x\":[");
	(void)xb_str_append_view(&strings, xb_str_view(&text));
	for (int i = 0; i < UNITS; i++) {
		(void)xb_str_puts(&text, "{},");
		(void)xb_str_puts(&strings, "\"[\\\"\",");
	}
	(void)xb_str_puts(&text, "0]}");
	(void)xb_str_puts(&strings, "0]}");
	assert_int_equal(parse_index(xb_str_view(&text), &err), -EFBIG);
	assert_int_equal(parse_index(xb_str_view(&strings), NULL), 0); /* brackets in strings */
}

/* The writer refuses what no reader would take. */
static void writing_has_a_limit(void **state)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_str struct xb_str s = XB_STR_INIT(100);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_index_parse(XB_VIEW(INDEX("")), NULL, &index, NULL), 0);
	assert_int_equal(xb_index_write(&index, &s, &err), -EFBIG);
	assert_int_equal(s.len, 0);
}

static void images_and_artifacts(void **state)
{
	static const struct {
		const char *config, *layer, *why;
	} rows[] = {
		{ XB_MEDIA_OCI_CONFIG, XB_MEDIA_OCI_LAYER_ZSTD, NULL },
		{ XB_MEDIA_DOCKER_CONFIG, XB_MEDIA_DOCKER_LAYER_GZIP, NULL },
		{ "application/vnd.oci.empty.v1+json", XB_MEDIA_OCI_LAYER, "not an image" },
		{ XB_MEDIA_OCI_LAYER, XB_MEDIA_OCI_LAYER, "not an image" },
		{ XB_MEDIA_OCI_CONFIG, XB_MEDIA_OCI_CONFIG, "layer 0" },
		{ XB_MEDIA_OCI_CONFIG, "application/vnd.oci.image.layer.v1.tar+xz", "layer 0" },
	};
	struct xb_digest digest = xb_digest_of("", 0);

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r;

		xb_descriptor_init(&m.config, rows[i].config, &digest, 0);
		xb_descriptor_init(xb_array_push(&m.layers), rows[i].layer, &digest, 0);
		r = xb_manifest_check_image(&m, &err);
		assert_int_equal(r, rows[i].why == NULL ? 0 : -EBADMSG);
		if (rows[i].why != NULL)
			assert_non_null(strstr(err.message, rows[i].why));
	}
}

static void copies_are_deep(void **state)
{
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT, copy = XB_MANIFEST_INIT;
	xb_auto_str struct xb_str a = XB_STR_INIT(4096), b = XB_STR_INIT(4096);

	(void)state;
	assert_int_equal(xb_manifest_parse(
				 XB_VIEW(MANIFEST(",\"subject\":{\"mediaType\":\"a/b\",\"size\":1,"
						  "\"digest\":\"sha256:" HEX "\"},\"artifactType\":"
						  "\"x/y\",\"annotations\":{\"a\":\"b\"},\"q\":1")),
				 NULL, &m, NULL),
			 0);
	assert_int_equal(xb_manifest_write(&m, &a, NULL), 0);
	xb_manifest_copy(&copy, &m);
	xb_manifest_copy(&copy, &copy);
	xb_manifest_clear(&m);
	assert_int_equal(xb_manifest_write(&copy, &b, NULL), 0);
	assert_string_equal(xb_str_text(&a), xb_str_text(&b));
}

static void annotations(void **state)
{
	xb_auto_annotations struct xb_annotations a = { 0 }, copy = { 0 };

	(void)state;
	xb_annotations_set(&a, "b", "1");
	xb_annotations_set(&a, "a", "2");
	xb_annotations_set(&a, "b", "3");
	assert_int_equal(a.len, 2);
	assert_string_equal(a.items[0].name, "b");
	assert_string_equal(xb_annotations_get(&a, "b"), "3");
	xb_annotations_set(&a, "b", xb_annotations_get(&a, "b"));
	assert_string_equal(xb_annotations_get(&a, "b"), "3");
	xb_annotations_copy(&copy, &a);
	assert_true(xb_annotations_unset(&a, "b"));
	assert_false(xb_annotations_unset(&a, "b"));
	assert_null(xb_annotations_get(&a, "b"));
	assert_string_equal(xb_annotations_get(&a, "a"), "2");
	assert_string_equal(xb_annotations_get(&copy, "b"), "3");
}

static void media_types(void **state)
{
	static const char *const bad[] = { "",	   "a",	   "/b",    "a/",    "a/b/c", "a/b;c=d",
					   ".a/b", "a/.b", "a/b\n", "a b/c", "ä/b" };

	(void)state;
	assert_int_equal(xb_media_kind(XB_MEDIA_DOCKER_INDEX), XB_MEDIA_INDEX);
	assert_int_equal(xb_media_kind(NULL), XB_MEDIA_UNKNOWN);
	assert_int_equal(xb_media_kind("application/json"), XB_MEDIA_UNKNOWN);
	assert_true(xb_media_lookup("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
			    ->foreign);
	for (int docker = 0; docker < 2; docker++)
		for (enum xb_media_compression c = XB_MEDIA_PLAIN; c <= XB_MEDIA_ZSTD; c++) {
			const struct xb_media *row = xb_media_lookup(xb_media_layer(c, docker));

			assert_int_equal(row->kind, XB_MEDIA_LAYER);
			assert_int_equal(row->compression, c);
			assert_int_equal(row->docker, docker);
			assert_false(row->foreign);
			assert_true(xb_media_type_valid(xb_view(row->name)));
		}
	for (size_t i = 0; i < XB_COUNT(bad); i++)
		if (xb_media_type_valid(xb_view(bad[i])))
			fail_msg("\"%s\" is no media type", bad[i]);
}

static void attestations_are_known(void **state)
{
	struct xb_digest digest = xb_digest_of("", 0);
	struct xb_platform unknown = { .os = "unknown", .arch = "unknown" };
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;

	(void)state;
	xb_descriptor_init(&d, XB_MEDIA_OCI_MANIFEST, &digest, 0);
	assert_false(xb_descriptor_is_attestation(&d));
	xb_annotations_set(&d.annotations, XB_ANNOTATION_REFERENCE_TYPE, "attestation-manifest");
	assert_true(xb_descriptor_is_attestation(&d));
	xb_annotations_clear(&d.annotations);
	xb_descriptor_set_platform(&d, &unknown);
	assert_true(xb_descriptor_is_attestation(&d));
}

/* platforms: "os/arch/variant" with commas between; "-" is an entry without one */
static struct xb_index index_of(const char *platforms)
{
	struct xb_index index = XB_INDEX_INIT;
	struct xb_view rest = xb_view(platforms), one;

	while (xb_view_split(&rest, ',', &one)) {
		struct xb_digest digest = xb_digest_of(one.data, one.len);
		struct xb_descriptor *d = xb_array_push(&index.manifests);
		struct xb_platform p = { 0 };
		struct xb_view part;
		char *parts[] = { p.os, p.arch, p.variant };

		xb_descriptor_init(d, XB_MEDIA_OCI_MANIFEST, &digest, one.len);
		if (xb_view_is(one, "-"))
			continue;
		for (size_t i = 0; xb_view_split(&one, '/', &part); i++)
			memcpy(parts[i], part.data, part.len);
		xb_descriptor_set_platform(d, &p);
	}
	return index;
}

static void selection(void **state)
{
	static const struct {
		const char *there, *wanted, *chosen;
	} rows[] = {
		{ "linux/amd64,linux/arm64", "linux/arm64", "linux/arm64" },
		{ "linux/amd64,linux/arm64/v8", "linux/arm64", "linux/arm64/v8" },
		{ "unknown/unknown,linux/amd64", "linux/amd64", "linux/amd64" },
		{ "-,linux/amd64", "linux/amd64", "linux/amd64" },
		{ "linux/arm/v5,linux/arm/v7,linux/arm/v6", "linux/arm/v7", "linux/arm/v7" },
		{ "linux/arm/v5,linux/arm/v6", "linux/arm/v7", "linux/arm/v6" },
		{ "windows/amd64,linux/amd64", "linux/amd64", "linux/amd64" },
		{ "linux/amd64,linux/386", "linux/386", "linux/386" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		xb_auto_index struct xb_index index = index_of(rows[i].there);
		struct xb_platform wanted = { 0 };
		const struct xb_descriptor *chosen = NULL;
		struct xb_platform_name name;

		assert_int_equal(xb_platform_parse(xb_view(rows[i].wanted), NULL, &wanted, NULL),
				 0);
		assert_int_equal(xb_index_select(&index, &wanted, &chosen, NULL), 0);
		name = xb_platform_name(&chosen->platform);
		assert_string_equal(name.text, rows[i].chosen);
	}
}

/* An attestation that is listed for a platform is still none of its images. */
static void attestations_are_never_selected(void **state)
{
	xb_auto_index struct xb_index index = index_of("linux/amd64,linux/amd64");
	struct xb_platform wanted = { .os = "linux", .arch = "amd64" };
	const struct xb_descriptor *chosen = NULL;

	(void)state;
	xb_annotations_set(&index.manifests.items[0].annotations, XB_ANNOTATION_REFERENCE_TYPE,
			   "attestation-manifest");
	assert_int_equal(xb_index_select(&index, &wanted, &chosen, NULL), 0);
	assert_ptr_equal(chosen, &index.manifests.items[1]);
}

static void a_missing_platform_lists_what_there_is(void **state)
{
	xb_auto_index struct xb_index index =
		index_of("linux/amd64,linux/arm/v7,unknown/unknown,linux/amd64");
	xb_auto_index struct xb_index none = XB_INDEX_INIT;
	struct xb_platform wanted = { .os = "linux", .arch = "s390x" };
	const struct xb_descriptor *chosen = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_index_select(&index, &wanted, &chosen, &err), -ENOENT);
	assert_null(chosen);
	assert_int_equal(err.fault, XB_FAULT_PLATFORM);
	assert_non_null(strstr(err.message, "linux/s390x"));
	assert_non_null(strstr(err.message, "there is: linux/amd64, linux/arm/v7)"));
	assert_non_null(err.hint);
	xb_error_clear(&err);
	assert_int_equal(xb_index_select(&none, &wanted, &chosen, &err), -ENOENT);
	assert_non_null(strstr(err.message, "there is: none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_the_specification),
		cmocka_unit_test(manifests_round_trip),
		cmocka_unit_test(written_bytes),
		cmocka_unit_test(descriptor_keeps_what_it_does_not_know),
		cmocka_unit_test(manifest_refusals),
		cmocka_unit_test(index_refusals),
		cmocka_unit_test(media_types_must_agree),
		cmocka_unit_test(descriptor_refusals),
		cmocka_unit_test(null_lists_are_empty),
		cmocka_unit_test(documents_have_a_limit),
		cmocka_unit_test(small_bombs_are_refused),
		cmocka_unit_test(writing_has_a_limit),
		cmocka_unit_test(images_and_artifacts),
		cmocka_unit_test(copies_are_deep),
		cmocka_unit_test(annotations),
		cmocka_unit_test(media_types),
		cmocka_unit_test(attestations_are_known),
		cmocka_unit_test(selection),
		cmocka_unit_test(attestations_are_never_selected),
		cmocka_unit_test(a_missing_platform_lists_what_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
