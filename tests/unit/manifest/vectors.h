/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Vectors of tests/data/vectors: vectors_load() one file in a group's setup, vectors_free() in its
 * teardown, each() in a test. Include it after cmocka.h.
 */
#ifndef XB_TESTS_UNIT_MANIFEST_VECTORS_H
#define XB_TESTS_UNIT_MANIFEST_VECTORS_H

#include <jansson.h>
#include <string.h>

static json_t *vectors;

/** Read the vectors of a file. */
static inline int vectors_load(const char *path)
{
	json_error_t error;
	json_t *document = json_load_file(path, 0, &error);

	if (document == NULL) {
		print_error("%s: %s\n", path, error.text);
		return -1;
	}
	vectors = json_incref(json_object_get(document, "vectors"));
	json_decref(document);
	return vectors == NULL ? -1 : 0;
}

/** Release them; a group's teardown. */
static inline int vectors_free(void **state)
{
	(void)state;
	json_decref(vectors);
	vectors = NULL;
	return 0;
}

/** The string `key` of a vector, NULL when it has none. */
static inline const char *member(const json_t *vector, const char *key)
{
	return json_string_value(json_object_get(vector, key));
}

/** Call `check` for each vector of a kind; there has to be one. */
static inline void each(const char *kind, void (*check)(const json_t *vector))
{
	size_t found = 0, i;
	json_t *vector;

	json_array_foreach(vectors, i, vector)
	{
		if (strcmp(member(vector, "kind"), kind) != 0)
			continue;
		found++;
		check(vector);
	}
	assert_true(found > 0);
}

#endif
