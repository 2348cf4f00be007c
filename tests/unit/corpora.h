/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Other projects' test material, which is not part of this one: the directory that XB_CORPORA
 * names. Include it after cmocka.h; a test that asks for it is skipped, by name, without it.
 */
#ifndef XB_TESTS_UNIT_CORPORA_H
#define XB_TESTS_UNIT_CORPORA_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tests/unit/need.h"

/** That directory. Before anything is allocated: a test that is skipped does not come back. */
static inline const char *corpora_need(void)
{
	const char *corpora = getenv("XB_CORPORA");

	need("corpora", corpora != NULL && *corpora != '\0');
	return corpora;
}

/** The path of `below` in that directory; malloc()ed. */
static inline char *corpora_path(const char *below)
{
	return xb_format("%s/%s", corpora_need(), below);
}

/** The array "vectors" of vectors/NAME.json; the caller's to release. */
static inline json_t *corpora_vectors(const char *name)
{
	xb_autofree char *path = xb_format("%s/vectors/%s.json", corpora_need(), name);
	json_error_t error;
	/* not base/json: vectors hold escaped NUL characters */
	json_t *document = json_load_file(path, JSON_ALLOW_NUL, &error);
	json_t *vectors;

	if (document == NULL)
		fail_msg("%s: %s", path, error.text);
	vectors = json_incref(json_object_get(document, "vectors"));
	json_decref(document);
	assert_true(json_array_size(vectors) > 0);
	return vectors;
}

/** The string `key` of a vector, NULL when it has none. */
static inline const char *corpora_member(const json_t *vector, const char *key)
{
	return json_string_value(json_object_get(vector, key));
}

/** Call `check` for each vector of a kind in vectors/NAME.json; there has to be one. */
static inline void corpora_each(const char *name, const char *kind,
				void (*check)(const json_t *vector))
{
	json_t *vectors = corpora_vectors(name);
	size_t found = 0, i;
	json_t *vector;

	json_array_foreach(vectors, i, vector)
	{
		if (strcmp(corpora_member(vector, "kind"), kind) != 0)
			continue;
		found++;
		check(vector);
	}
	json_decref(vectors);
	assert_true(found > 0);
}

#endif
