/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Layers of base images and those who want to see them, for the tests of their unpacking. Include
 * it after tests/unit/builder/cache/fixture.h and those of builder/layer.
 */
#ifndef XB_TESTS_UNIT_BUILDER_SOLVE_BASES_H
#define XB_TESTS_UNIT_BUILDER_SOLVE_BASES_H

#include <pthread.h>

#include "builder/solve/trees.h"

/** The blob of a layer, in the words of tar_words(), as it is without compression. */
static inline void base_layer_bytes(const char *words, struct xb_str *ret)
{
	auto_tar struct tar t = TAR_INIT;
	static const char end[2 * XB_TAR_BLOCK];

	tar_words(&t, words);
	xb_str_append(&t.bytes, end, sizeof(end));
	*ret = XB_STR_INIT(XB_STR_OWN);
	xb_str_append(ret, t.bytes.data, t.bytes.len);
}

/** Put the layer that has these bytes on top. */
static inline void base_layer_add(struct xb_result *result, const struct xb_str *bytes)
{
	struct xb_result_layer *layer = xb_array_push(&result->layers);

	layer->blob = xb_digest_of(bytes->data, bytes->len);
	layer->diff_id = layer->blob;
	layer->blob_size = bytes->len;
	/* any text will do that says what is below */
	layer->chain = xb_digest_of(result->layers.items, sizeof(*layer) * result->layers.len);
	(void)snprintf(layer->media_type, sizeof(layer->media_type), "%s", XB_MEDIA_OCI_LAYER);
}

/** Open the tree of a result, whose layers are unpacked for it. */
static inline int open_tree(struct xb_store *store, const struct xb_result *result,
			    struct xb_error *err)
{
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;

	return xb_trees_open(store, result, 0, &warnings, err);
}

/** The text of the result's tree, without times that nobody gave. The caller frees it. */
static inline char *list_tree(struct xb_store *store, const struct xb_result *result)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int fd = open_tree(store, result, &err);
	char *text;

	check(fd, &err);
	text = tree_list(fd);
	for (char *at = strstr(text, " @"); at != NULL; at = strstr(at + 1, " @")) {
		if (strspn(at + 2, "0123456789") == 10)
			memset(at + 2, '#', 10);
	}
	return text;
}

/** A thread that wants a result's tree. */
struct asker {
	pthread_t thread;
	const struct xb_result *result;
	struct xb_store *store;
	int status;
};

static inline void *asker_run(void *argument)
{
	struct asker *a = argument;
	int fd = open_tree(a->store, a->result, NULL);

	a->status = fd < 0 ? fd : close(fd);
	return NULL;
}

/** Start it. */
static inline void asker_start(struct asker *a, struct xb_store *store,
			       const struct xb_result *result)
{
	*a = (struct asker){ .store = store, .result = result };
	assert_int_equal(pthread_create(&a->thread, NULL, asker_run, a), 0);
}

/** Wait until it has it. */
static inline void asker_end(struct asker *a)
{
	assert_int_equal(pthread_join(a->thread, NULL), 0);
	assert_int_equal(a->status, 0);
}

#endif
