/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/config.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "manifest/descriptor.h"
#include "manifest/document.h"

/* The members of `config` are rows: what each is called, how it is read and written, and where. */

enum field_type {
	FIELD_TEXT,	     /* char * */
	FIELD_LIST,	     /* struct xb_strv; absent when empty */
	FIELD_OPTIONAL_LIST, /* struct xb_strv with a bool that tells absent from empty */
	FIELD_SET,	     /* struct xb_strv; an object of empty objects in JSON */
	FIELD_LABELS,	     /* struct xb_annotations */
	FIELD_FLAG	     /* bool; absent when false */
};

struct field {
	const char *key;
	enum field_type type;
	size_t offset;
	size_t present; /* offset of the bool of a FIELD_OPTIONAL_LIST */
};

#define AT(member) offsetof(struct xb_image_config, member)

/* In the order in which Docker and BuildKit write them. Healthcheck stands between the two. */
static const struct field fields[] = {
	{ "User", FIELD_TEXT, AT(user), 0 },
	{ "ExposedPorts", FIELD_SET, AT(exposed_ports), 0 },
	{ "Env", FIELD_LIST, AT(env), 0 },
	{ "Entrypoint", FIELD_OPTIONAL_LIST, AT(entrypoint), AT(has_entrypoint) },
	{ "Cmd", FIELD_OPTIONAL_LIST, AT(cmd), AT(has_cmd) },
	{ "Volumes", FIELD_SET, AT(volumes), 0 },
	{ "WorkingDir", FIELD_TEXT, AT(working_dir), 0 },
	{ "Labels", FIELD_LABELS, AT(labels), 0 },
	{ "StopSignal", FIELD_TEXT, AT(stop_signal), 0 },
	{ "ArgsEscaped", FIELD_FLAG, AT(args_escaped), 0 },
	{ "OnBuild", FIELD_LIST, AT(on_build), 0 },
	{ "Shell", FIELD_LIST, AT(shell), 0 },
};

static const char *const config_keys[] = {
	"User",	  "ExposedPorts", "Env",	 "Entrypoint", "Cmd",	"Volumes",     "WorkingDir",
	"Labels", "StopSignal",	  "ArgsEscaped", "OnBuild",    "Shell", "Healthcheck", NULL
};

static void *member_of(struct xb_image_config *c, size_t offset)
{
	return (char *)c + offset;
}

static const void *const_member_of(const struct xb_image_config *c, size_t offset)
{
	return (const char *)c + offset;
}

static void healthcheck_clear(struct xb_healthcheck *h)
{
	xb_strv_clear(&h->test);
	*h = (struct xb_healthcheck){ 0 };
}

static void healthcheck_copy(struct xb_healthcheck *h, const struct xb_healthcheck *from)
{
	*h = *from;
	h->test = XB_STRV_INIT;
	xb_strv_copy(&h->test, &from->test);
}

static void history_clear(struct xb_histories *v)
{
	for (size_t i = 0; i < v->len; i++) {
		free(v->items[i].created);
		free(v->items[i].created_by);
		free(v->items[i].author);
		free(v->items[i].comment);
	}
	xb_array_clear(v);
}

static void history_copy(struct xb_histories *v, const struct xb_histories *from)
{
	for (size_t i = 0; i < from->len; i++) {
		struct xb_history *added = xb_array_push(v);

		added->created = xb_strdup(from->items[i].created);
		added->created_by = xb_strdup(from->items[i].created_by);
		added->author = xb_strdup(from->items[i].author);
		added->comment = xb_strdup(from->items[i].comment);
		added->empty_layer = from->items[i].empty_layer;
	}
}

static void field_clear(struct xb_image_config *c, const struct field *f)
{
	switch (f->type) {
	case FIELD_TEXT:
		free(*(char **)member_of(c, f->offset));
		break;
	case FIELD_LIST:
	case FIELD_OPTIONAL_LIST:
	case FIELD_SET:
		xb_strv_clear(member_of(c, f->offset));
		break;
	case FIELD_LABELS:
		xb_annotations_clear(member_of(c, f->offset));
		break;
	case FIELD_FLAG:
		break;
	}
}

void xb_image_config_clear(struct xb_image_config *c)
{
	for (size_t i = 0; i < XB_COUNT(fields); i++)
		field_clear(c, &fields[i]);
	healthcheck_clear(&c->healthcheck);
	free(c->created);
	free(c->author);
	free(c->config_extra);
	free(c->extra);
	xb_array_clear(&c->diff_ids);
	history_clear(&c->history);
	*c = XB_IMAGE_CONFIG_INIT;
}

static void field_copy(struct xb_image_config *c, const struct xb_image_config *from,
		       const struct field *f)
{
	void *to = member_of(c, f->offset);
	const void *source = const_member_of(from, f->offset);

	switch (f->type) {
	case FIELD_TEXT:
		*(char **)to = xb_strdup(*(char *const *)source);
		break;
	case FIELD_OPTIONAL_LIST:
		*(bool *)member_of(c, f->present) =
			*(const bool *)const_member_of(from, f->present);
		xb_strv_copy(to, source);
		break;
	case FIELD_LIST:
	case FIELD_SET:
		xb_strv_copy(to, source);
		break;
	case FIELD_LABELS:
		xb_annotations_copy(to, source);
		break;
	case FIELD_FLAG:
		*(bool *)to = *(const bool *)source;
		break;
	}
}

void xb_image_config_copy(struct xb_image_config *c, const struct xb_image_config *from)
{
	if (c == from)
		return;
	xb_image_config_clear(c);
	for (size_t i = 0; i < XB_COUNT(fields); i++)
		field_copy(c, from, &fields[i]);
	c->platform = from->platform;
	c->created = xb_strdup(from->created);
	c->author = xb_strdup(from->author);
	c->has_healthcheck = from->has_healthcheck;
	healthcheck_copy(&c->healthcheck, &from->healthcheck);
	c->config_extra = xb_strdup(from->config_extra);
	c->extra = xb_strdup(from->extra);
	for (size_t i = 0; i < from->diff_ids.len; i++)
		*xb_array_push(&c->diff_ids) = from->diff_ids.items[i];
	history_copy(&c->history, &from->history);
}

void xb_image_config_set(char **member, const char *value)
{
	char *copy = xb_strdup(value); /* first: `value` may be the old one */

	free(*member);
	*member = copy;
}

void xb_image_config_add(struct xb_strv *set, const char *item)
{
	if (xb_strv_find(set, item) < 0)
		xb_strv_push(set, item);
}

void xb_image_config_add_history(struct xb_image_config *c, const char *created,
				 const char *created_by, const char *comment, bool empty_layer)
{
	struct xb_history *added = xb_array_push(&c->history);

	added->created = xb_strdup(created);
	added->created_by = xb_strdup(created_by);
	added->comment = xb_strdup(comment);
	added->empty_layer = empty_layer;
}

/* reading */

static int read_set(const json_t *object, const char *key, struct xb_strv *ret,
		    struct xb_error *err)
{
	json_t *members = NULL, *value;
	const char *name;
	int r = xb_json_get_object(object, key, &members, err);

	if (r < 0)
		return r;
	json_object_foreach(members, name, value)
	{
		if (!json_is_object(value))
			return xb_error_set(err, -EBADMSG, "a value of %s is not an object", key);
		xb_strv_push(ret, name);
	}
	return 0;
}

static int read_field(const json_t *object, const struct field *f, struct xb_image_config *c,
		      struct xb_error *err)
{
	void *to = member_of(c, f->offset);

	switch (f->type) {
	case FIELD_TEXT:
		return xb_document_string(object, f->key, to, err);
	case FIELD_OPTIONAL_LIST:
		*(bool *)member_of(c, f->present) = json_is_array(json_object_get(object, f->key));
		return xb_document_strings(object, f->key, to, err);
	case FIELD_LIST:
		return xb_document_strings(object, f->key, to, err);
	case FIELD_SET:
		return read_set(object, f->key, to, err);
	case FIELD_LABELS:
		return xb_annotations_from_json(object, f->key, to, err);
	case FIELD_FLAG:
		return xb_json_get_bool(object, f->key, to, err);
	}
	return 0;
}

/* The numbers of a health check, in the order of Docker's struct. */
#define HEALTH(key, member)                                                                        \
	{                                                                                          \
		key, offsetof(struct xb_healthcheck, member)                                       \
	}
static const struct {
	const char *key;
	size_t offset;
} health_numbers[] = {
	HEALTH("Interval", interval),	     HEALTH("Timeout", timeout),
	HEALTH("StartPeriod", start_period), HEALTH("StartInterval", start_interval),
	HEALTH("Retries", retries),
};

static int read_healthcheck(const json_t *object, struct xb_image_config *c, struct xb_error *err)
{
	json_t *health = NULL;
	int r = xb_json_get_object(object, "Healthcheck", &health, err);

	if (r < 0 || health == NULL)
		return r;
	c->has_healthcheck = true;
	r = xb_document_strings(health, "Test", &c->healthcheck.test, err);
	for (size_t i = 0; r >= 0 && i < XB_COUNT(health_numbers); i++) {
		uint64_t *to = (void *)((char *)&c->healthcheck + health_numbers[i].offset);

		r = xb_json_get_u64(health, health_numbers[i].key, to, err);
	}
	if (r < 0)
		return xb_error_wrap(err, r, "Healthcheck");
	return 0;
}

static int read_config(const json_t *root, struct xb_image_config *c, struct xb_error *err)
{
	json_t *config = NULL;
	int r = xb_json_get_object(root, "config", &config, err);

	if (r < 0 || config == NULL)
		return r;
	for (size_t i = 0; r >= 0 && i < XB_COUNT(fields); i++)
		r = read_field(config, &fields[i], c, err);
	if (r >= 0)
		r = read_healthcheck(config, c, err);
	if (r >= 0)
		r = xb_document_extra(config, config_keys, &c->config_extra, err);
	if (r < 0)
		return xb_error_wrap(err, r, "config");
	return 0;
}

static int read_diff_ids(const json_t *rootfs, struct xb_image_config *c, struct xb_error *err)
{
	json_t *array = NULL, *item;
	size_t i;
	int r = xb_json_get_array(rootfs, "diff_ids", &array, err);

	if (r < 0)
		return r;
	/* null is what tools in Go write for none */
	if (json_object_get(rootfs, "diff_ids") == NULL)
		return xb_error_set(err, -EBADMSG, "diff_ids is missing");
	json_array_foreach(array, i, item)
	{
		if (!json_is_string(item))
			return xb_error_set(err, -EBADMSG, "diff_ids[%zu] is not a string", i);
		r = xb_digest_parse(xb_view(json_string_value(item)), xb_array_push(&c->diff_ids),
				    err);
		if (r < 0)
			return xb_error_wrap(err, -EBADMSG, "diff_ids[%zu]", i);
	}
	return 0;
}

static int read_rootfs(const json_t *root, struct xb_image_config *c, struct xb_error *err)
{
	json_t *rootfs = NULL;
	const char *type = NULL;
	int r = xb_json_get_object(root, "rootfs", &rootfs, err);

	if (r < 0)
		return r;
	if (rootfs == NULL)
		return xb_error_set(err, -EBADMSG, "rootfs is missing");
	r = xb_json_get_string(rootfs, "type", &type, err);
	if (r < 0)
		return xb_error_wrap(err, r, "rootfs");
	if (type == NULL || strcmp(type, "layers") != 0)
		return xb_error_set(err, -EBADMSG, "rootfs.type is not \"layers\"");
	r = read_diff_ids(rootfs, c, err);
	if (r < 0)
		return xb_error_wrap(err, r, "rootfs");
	return 0;
}

static int read_history_line(const json_t *object, struct xb_history *line, struct xb_error *err)
{
	const struct {
		const char *key;
		char **to;
	} texts[] = {
		{ "created", &line->created },
		{ "created_by", &line->created_by },
		{ "author", &line->author },
		{ "comment", &line->comment },
	};
	int r;

	if (!json_is_object(object))
		return xb_error_set(err, -EBADMSG, "it is not an object");
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		r = xb_document_string(object, texts[i].key, texts[i].to, err);
		if (r < 0)
			return r;
	}
	return xb_json_get_bool(object, "empty_layer", &line->empty_layer, err);
}

static int read_history(const json_t *root, struct xb_image_config *c, struct xb_error *err)
{
	json_t *array = NULL, *item;
	size_t i;
	int r = xb_json_get_array(root, "history", &array, err);

	if (r < 0)
		return r;
	json_array_foreach(array, i, item)
	{
		r = read_history_line(item, xb_array_push(&c->history), err);
		if (r < 0)
			return xb_error_wrap(err, r, "history[%zu]", i);
	}
	return 0;
}

static int read_platform(const json_t *root, struct xb_image_config *c, struct xb_error *err)
{
	int r = xb_platform_from_json(root, &c->platform, err);

	if (r < 0)
		return r;
	if (c->platform.os[0] == '\0' || c->platform.arch[0] == '\0')
		return xb_error_set(err, -EBADMSG, "architecture or os is empty");
	return 0;
}

static int read_all(const json_t *root, struct xb_image_config *c, struct xb_error *err)
{
	static const char *const known[] = { "architecture", "author",	    "config",	  "created",
					     "history",	     "os",	    "os.version", "rootfs",
					     "variant",	     "os.features", NULL };
	int r = read_platform(root, c, err);

	if (r >= 0)
		r = xb_document_string(root, "created", &c->created, err);
	if (r >= 0)
		r = xb_document_string(root, "author", &c->author, err);
	if (r >= 0)
		r = read_config(root, c, err);
	if (r >= 0)
		r = read_rootfs(root, c, err);
	if (r >= 0)
		r = read_history(root, c, err);
	if (r >= 0)
		r = xb_document_extra(root, known, &c->extra, err);
	return r;
}

int xb_image_config_parse(struct xb_view text, struct xb_image_config *ret, struct xb_error *err)
{
	xb_auto_image_config struct xb_image_config c = XB_IMAGE_CONFIG_INIT;
	xb_auto_json json_t *root = NULL;
	int r = xb_document_parse(text, XB_MAX_CONFIG, &root, err);

	if (r >= 0)
		r = read_all(root, &c, err);
	if (r < 0)
		return xb_error_wrap(err, r, "image config");
	*ret = c;
	c = XB_IMAGE_CONFIG_INIT;
	return 0;
}

/* writing */

static json_t *set_to_json(const struct xb_strv *set)
{
	xb_auto_strv struct xb_strv sorted = XB_STRV_INIT;
	json_t *object = json_object();

	xb_strv_copy(&sorted, set);
	xb_strv_sort(&sorted);
	for (size_t i = 0; i < sorted.len; i++)
		xb_json_set_new(object, sorted.items[i], json_object());
	return object;
}

/* The member's value, NULL when it is absent. */
static json_t *field_to_json(const struct xb_image_config *c, const struct field *f)
{
	const void *from = const_member_of(c, f->offset);
	const struct xb_strv *list = from;

	switch (f->type) {
	case FIELD_TEXT:
		return *(char *const *)from != NULL ? json_string(*(char *const *)from) : NULL;
	case FIELD_LIST:
		return list->len > 0 ? xb_document_string_array(list) : NULL;
	case FIELD_OPTIONAL_LIST:
		return *(const bool *)const_member_of(c, f->present)
			       ? xb_document_string_array(list)
			       : NULL;
	case FIELD_SET:
		return list->len > 0 ? set_to_json(list) : NULL;
	case FIELD_LABELS:
		return xb_annotations_to_json(from);
	case FIELD_FLAG:
		return *(const bool *)from ? json_true() : NULL;
	}
	return NULL;
}

static json_t *healthcheck_to_json(const struct xb_healthcheck *h)
{
	json_t *object = json_object();

	if (h->test.len > 0)
		xb_json_set_new(object, "Test", xb_document_string_array(&h->test));
	for (size_t i = 0; i < XB_COUNT(health_numbers); i++) {
		uint64_t number = *(const uint64_t *)(const void *)((const char *)h +
								    health_numbers[i].offset);

		if (number > 0)
			xb_json_set_u64(object, health_numbers[i].key, number);
	}
	return object;
}

static json_t *config_to_json(const struct xb_image_config *c)
{
	json_t *object = json_object();

	for (size_t i = 0; i < XB_COUNT(fields); i++) {
		json_t *value;

		if (fields[i].offset == AT(on_build) && c->has_healthcheck)
			xb_json_set_new(object, "Healthcheck",
					healthcheck_to_json(&c->healthcheck));
		value = field_to_json(c, &fields[i]);
		if (value != NULL)
			xb_json_set_new(object, fields[i].key, value);
	}
	xb_document_add_extra(object, c->config_extra);
	return object;
}

static json_t *rootfs_to_json(const struct xb_image_config *c)
{
	json_t *object = json_object(), *diff_ids = json_array();

	for (size_t i = 0; i < c->diff_ids.len; i++)
		(void)json_array_append_new(diff_ids, json_string(c->diff_ids.items[i].text));
	xb_json_set_string(object, "type", "layers");
	xb_json_set_new(object, "diff_ids", diff_ids);
	return object;
}

static json_t *history_to_json(const struct xb_histories *v)
{
	json_t *array = json_array();

	for (size_t i = 0; i < v->len; i++) {
		const struct xb_history *line = &v->items[i];
		json_t *object = json_object();

		xb_json_set_string(object, "created", line->created);
		xb_json_set_string(object, "created_by", line->created_by);
		xb_json_set_string(object, "author", line->author);
		xb_json_set_string(object, "comment", line->comment);
		if (line->empty_layer)
			xb_json_set_new(object, "empty_layer", json_true());
		(void)json_array_append_new(array, object);
	}
	return array;
}

int xb_image_config_write(const struct xb_image_config *c, struct xb_str *s, struct xb_error *err)
{
	xb_auto_json json_t *root = xb_platform_to_json(&c->platform), *sorted = NULL;

	xb_json_set_string(root, "created", c->created);
	xb_json_set_string(root, "author", c->author);
	xb_json_set_new(root, "config", config_to_json(c));
	xb_json_set_new(root, "rootfs", rootfs_to_json(c));
	if (c->history.len > 0)
		xb_json_set_new(root, "history", history_to_json(&c->history));
	xb_document_add_extra(root, c->extra);
	sorted = xb_document_sorted(root);
	return xb_document_write(sorted, "image config", s, err);
}
