/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/document.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

/*
 * The arrays and objects of a text. An empty object of two bytes takes 230 in memory: 4 MiB of them
 * would take 300 MiB. Done before the parser sees the text; what is not JSON is its to refuse.
 */
static size_t count_containers(struct xb_view text)
{
	bool in_string = false;
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '"')
			in_string = !in_string;
		else if (in_string)
			i += c == '\\';
		else
			count += c == '[' || c == '{';
	}
	return count;
}

int xb_document_parse(struct xb_view text, size_t max, json_t **ret, struct xb_error *err)
{
	enum { MOST = 1 << 17 }; /* 4 MiB of descriptors are a third of it */
	xb_auto_json json_t *root = NULL;
	int r;

	if (text.len <= max && count_containers(text) > MOST)
		return xb_error_set(err, -EFBIG, "more than %d arrays and objects", MOST);
	r = xb_json_parse(text, max, &root, err);
	if (r < 0)
		return r;
	if (!json_is_object(root))
		return xb_error_set(err, -EBADMSG, "the document is not a JSON object");
	*ret = XB_STEAL(root);
	return 0;
}

/*
 * One folded character of `*p`, which moves on. Go's encoding/json folds member names by Unicode,
 * where two letters outside ASCII fold into it: LONG S (C5 BF) and the KELVIN SIGN (E2 84 AA).
 */
static unsigned char next_folded(const unsigned char **p)
{
	const unsigned char *s = *p;

	if (s[0] == 0xc5 && s[1] == 0xbf) {
		*p += 2;
		return 's';
	}
	if (s[0] == 0xe2 && s[1] == 0x84 && s[2] == 0xaa) {
		*p += 3;
		return 'k';
	}
	*p += 1;
	return s[0] >= 'A' && s[0] <= 'Z' ? (unsigned char)(s[0] - 'A' + 'a') : s[0];
}

static bool equal_folded(const char *a, const char *b)
{
	const unsigned char *p = (const unsigned char *)a, *q = (const unsigned char *)b;

	while (*p != '\0' && *q != '\0')
		if (next_folded(&p) != next_folded(&q))
			return false;
	return *p == *q;
}

enum known { KNOWN_NOT, KNOWN_EXACTLY, KNOWN_BUT_FOR_CASE };

static enum known find_known(const char *key, const char *const *known, const char **ret)
{
	enum known found = KNOWN_NOT;

	for (; *known != NULL; known++) {
		if (strcmp(key, *known) == 0)
			return KNOWN_EXACTLY;
		if (equal_folded(key, *known)) {
			*ret = *known;
			found = KNOWN_BUT_FOR_CASE;
		}
	}
	return found;
}

/* The compact text of a value of ours; memory is the only thing that can fail. */
static char *dump(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text == NULL)
		xb_die("out of memory writing JSON");
	return text;
}

int xb_document_extra(const json_t *object, const char *const *known, char **ret,
		      struct xb_error *err)
{
	xb_auto_json json_t *extra = json_object();
	const char *key, *like = NULL;
	json_t *value;

	/* jansson iterates without changing the object, but its macro wants it writable */
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		switch (find_known(key, known, &like)) {
		case KNOWN_EXACTLY:
			break;
		case KNOWN_BUT_FOR_CASE:
			return xb_error_set(err, -EBADMSG,
					    "a member is named like \"%s\" but for its case", like);
		case KNOWN_NOT:
			xb_json_set_new(extra, key, json_incref(value));
			break;
		}
	}
	*ret = json_object_size(extra) > 0 ? dump(extra) : NULL;
	return 0;
}

void xb_document_add_extra(json_t *object, const char *extra)
{
	xb_auto_json json_t *members = NULL, *sorted = NULL;

	if (extra == NULL)
		return;
	members = json_loads(extra, 0, NULL);
	if (members == NULL)
		return;
	sorted = xb_document_sorted(members);
	(void)json_object_update_missing(object, sorted);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *xb_document_sorted(json_t *object)
{
	size_t count = json_object_size(object), i = 0;
	xb_autofree const char **keys = xb_calloc(count + 1, sizeof(*keys));
	json_t *sorted = json_object();
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) keys[i++] = key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (i = 0; i < count; i++)
		xb_json_set_new(sorted, keys[i], json_incref(json_object_get(object, keys[i])));
	return sorted;
}

int xb_document_write(const json_t *root, const char *what, struct xb_str *s, struct xb_error *err)
{
	int r = xb_json_write(root, s, err);

	if (r < 0)
		return xb_error_wrap(err, r, "writing the %s", what);
	return 0;
}

int xb_document_strings(const json_t *object, const char *key, struct xb_strv *ret,
			struct xb_error *err)
{
	json_t *array = NULL, *item;
	size_t i;
	int r = xb_json_get_array(object, key, &array, err);

	if (r < 0)
		return r;
	json_array_foreach(array, i, item)
	{
		if (!json_is_string(item))
			return xb_error_set(err, -EBADMSG, "%s[%zu] is not a string", key, i);
		xb_strv_push(ret, json_string_value(item));
	}
	return 0;
}

json_t *xb_document_string_array(const struct xb_strv *v)
{
	json_t *array = json_array();

	for (size_t i = 0; i < v->len; i++)
		(void)json_array_append_new(array, json_string(v->items[i]));
	return array;
}

int xb_document_string(const json_t *object, const char *key, char **ret, struct xb_error *err)
{
	const char *text = NULL;
	int r = xb_json_get_string(object, key, &text, err);

	if (r < 0 || text == NULL)
		return r;
	free(*ret);
	*ret = xb_strdup(text);
	return 0;
}

char *xb_document_quote(const char *text)
{
	struct xb_str quoted = XB_STR_INIT(4096);

	(void)xb_str_append_quoted(&quoted, xb_view_sub(xb_view(text), 0, 512));
	return xb_str_steal(&quoted);
}
