/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/csv.h"
#include "base/size.h"
#include "builder/dockerfile/instruction.h"

#define ANY	   (~0u)
#define ONLY(type) (1u << (type))

static const char *const type_names[] = {
	[XB_MOUNT_BIND] = "bind",     [XB_MOUNT_CACHE] = "cache", [XB_MOUNT_TMPFS] = "tmpfs",
	[XB_MOUNT_SECRET] = "secret", [XB_MOUNT_SSH] = "ssh",	  [XB_MOUNT_COUNT_] = NULL,
};
static const char *const sharing_names[] = {
	[XB_MOUNT_SHARED] = "shared",
	[XB_MOUNT_PRIVATE] = "private",
	[XB_MOUNT_LOCKED] = "locked",
	[XB_MOUNT_SHARING_COUNT_] = NULL,
};

/* A mount being read. */
struct reading {
	struct xb_mount *mount;
	bool said_access;  /* ro or rw was given */
	bool said_sharing; /* sharing was given */
};

/* One key: what takes its value. `value.data` is NULL for a key that stands alone. */
struct key {
	const char *name;
	unsigned types; /* it stands behind the type, and only behind these */
	bool alone;	/* it needs no value */
	int (*set)(struct reading *reading, const char *name, struct xb_view value,
		   struct xb_error *err);
};

static int invalid(struct xb_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int invalid(struct xb_error *err, const char *format, ...)
{
	va_list args;
	xb_autofree char *text = NULL;

	va_start(args, format);
	text = xb_vformat(format, args);
	va_end(args);
	(void)xb_error_set(err, -EINVAL, "%s", text);
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

static int bad_value(const char *name, struct xb_view value, struct xb_error *err)
{
	return invalid(err, "invalid value for %s: \"%.*s\"", name, XB_VIEW_ARGS(value));
}

/* Name the candidate that was probably meant, else all of them. */
static void suggest(struct xb_view name, const char *const *candidates, struct xb_error *err)
{
	const char *nearest = xb_name_nearest(name, candidates);
	xb_auto_str struct xb_str all = XB_STR_INIT(XB_STR_OWN);

	if (nearest != NULL) {
		(void)xb_error_hint(err, "did you mean %s?", nearest);
		return;
	}
	for (size_t i = 0; candidates[i] != NULL; i++)
		(void)xb_str_printf(&all, "%s%s", i > 0 ? ", " : "", candidates[i]);
	(void)xb_error_hint(err, "use one of %s", xb_str_text(&all));
}

/* Which of `names` a value is, in any case; -1: none. */
static int find_name(const char *const *names, struct xb_view value)
{
	for (int i = 0; names[i] != NULL; i++) {
		if (xb_view_eq_nocase(value, xb_view(names[i])))
			return i;
	}
	return -1;
}

/* The truth values of Go's strconv.ParseBool; a key alone is true. */
static int read_bool(const char *name, struct xb_view value, bool *ret, struct xb_error *err)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	*ret = value.data == NULL;
	if (*ret)
		return 0;
	for (size_t i = 0; i < XB_COUNT(yes); i++) {
		*ret = xb_view_is(value, yes[i]);
		if (*ret || xb_view_is(value, no[i]))
			return 0;
	}
	return bad_value(name, value, err);
}

static int set_type(struct reading *r, const char *name, struct xb_view value, struct xb_error *err)
{
	int type = find_name(type_names, value);

	(void)name;
	if (type < 0) {
		int e = invalid(err, "unsupported mount type \"%.*s\"", XB_VIEW_ARGS(value));

		suggest(value, type_names, err);
		return e;
	}
	r->mount->type = (enum xb_mount_type)type;
	return 0;
}

static int set_text(char **member, struct xb_view value)
{
	free(*member);
	*member = xb_view_dup(value);
	return 0;
}

static int set_from(struct reading *r, const char *name, struct xb_view value, struct xb_error *err)
{
	(void)name;
	(void)err;
	return set_text(&r->mount->from, value);
}

static int set_source(struct reading *r, const char *name, struct xb_view value,
		      struct xb_error *err)
{
	(void)name;
	(void)err;
	return set_text(&r->mount->source, value);
}

static int set_target(struct reading *r, const char *name, struct xb_view value,
		      struct xb_error *err)
{
	(void)name;
	(void)err;
	return set_text(&r->mount->target, value);
}

static int set_id(struct reading *r, const char *name, struct xb_view value, struct xb_error *err)
{
	(void)name;
	(void)err;
	return set_text(&r->mount->id, value);
}

static int set_env(struct reading *r, const char *name, struct xb_view value, struct xb_error *err)
{
	if (value.len == 0 || xb_view_find(value, '=') >= 0)
		return bad_value(name, value, err);
	return set_text(&r->mount->env, value);
}

static int set_read_only(struct reading *r, const char *name, struct xb_view value,
			 struct xb_error *err)
{
	r->said_access = true;
	return read_bool(name, value, &r->mount->read_only, err);
}

static int set_read_write(struct reading *r, const char *name, struct xb_view value,
			  struct xb_error *err)
{
	bool write = false;
	int e = read_bool(name, value, &write, err);

	r->said_access = true;
	r->mount->read_only = !write;
	return e;
}

static int set_required(struct reading *r, const char *name, struct xb_view value,
			struct xb_error *err)
{
	return read_bool(name, value, &r->mount->required, err);
}

static int set_size(struct reading *r, const char *name, struct xb_view value, struct xb_error *err)
{
	return xb_size_parse(value, &r->mount->size) < 0 ? bad_value(name, value, err) : 0;
}

static int set_sharing(struct reading *r, const char *name, struct xb_view value,
		       struct xb_error *err)
{
	int sharing = find_name(sharing_names, value);

	(void)name;
	if (sharing < 0) {
		int e = invalid(err, "unsupported sharing value \"%.*s\"", XB_VIEW_ARGS(value));

		suggest(value, sharing_names, err);
		return e;
	}
	r->said_sharing = true;
	r->mount->sharing = (enum xb_mount_sharing)sharing;
	return 0;
}

static int set_mode(struct reading *r, const char *name, struct xb_view value, struct xb_error *err)
{
	uint32_t mode = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '7' || mode > 07777)
			return bad_value(name, value, err);
		mode = mode * 8 + (uint32_t)(value.data[i] - '0');
	}
	if (value.len == 0 || mode > 07777)
		return bad_value(name, value, err);
	r->mount->has_mode = true;
	r->mount->mode = mode;
	return 0;
}

static int read_id(const char *name, struct xb_view value, uint32_t *ret, bool *ret_has,
		   struct xb_error *err)
{
	/* the last number means "none" to the kernel */
	uint64_t id = 0;

	if (xb_view_parse_u64(value, UINT32_MAX - 1, &id) < 0)
		return bad_value(name, value, err);
	*ret = (uint32_t)id;
	*ret_has = true;
	return 0;
}

static int set_uid(struct reading *r, const char *name, struct xb_view value, struct xb_error *err)
{
	return read_id(name, value, &r->mount->uid, &r->mount->has_uid, err);
}

static int set_gid(struct reading *r, const char *name, struct xb_view value, struct xb_error *err)
{
	return read_id(name, value, &r->mount->gid, &r->mount->has_gid, err);
}

static const struct key keys[] = {
	{ "type", ANY, false, set_type },
	{ "from", ANY, false, set_from },
	{ "source", ANY, false, set_source },
	{ "src", ANY, false, set_source },
	{ "target", ANY, false, set_target },
	{ "dst", ANY, false, set_target },
	{ "destination", ANY, false, set_target },
	{ "readonly", ANY, true, set_read_only },
	{ "ro", ANY, true, set_read_only },
	{ "readwrite", ANY, true, set_read_write },
	{ "rw", ANY, true, set_read_write },
	{ "required", ONLY(XB_MOUNT_SECRET) | ONLY(XB_MOUNT_SSH), true, set_required },
	{ "size", ONLY(XB_MOUNT_TMPFS), false, set_size },
	{ "id", ANY, false, set_id },
	{ "sharing", ANY, false, set_sharing },
	{ "mode", ANY, false, set_mode },
	{ "uid", ANY, false, set_uid },
	{ "gid", ANY, false, set_gid },
	{ "env", ANY, false, set_env },
};

static int unknown_key(struct xb_view key, struct xb_view field, struct xb_error *err)
{
	const char *names[XB_COUNT(keys) + 1] = { NULL };
	int r = invalid(err, "unexpected key '%.*s' in '%.*s'", XB_VIEW_ARGS(key),
			XB_VIEW_ARGS(field));

	for (size_t i = 0; i < XB_COUNT(keys); i++)
		names[i] = keys[i].name;
	suggest(key, names, err);
	return r;
}

static const struct key *find_key(struct xb_view name)
{
	for (size_t i = 0; i < XB_COUNT(keys); i++) {
		if (xb_view_eq_nocase(name, xb_view(keys[i].name)))
			return &keys[i];
	}
	return NULL;
}

/* Names of stages are looked up before any variable has a value. */
static int check_from(struct xb_view value, struct xb_error *err)
{
	ptrdiff_t dollar = xb_view_find(value, '$');

	if (dollar < 0 || (size_t)dollar + 1 == value.len)
		return 0;
	return invalid(err,
		       "'from' doesn't support variable expansion, define alias stage instead");
}

static int read_field(struct reading *reading, const struct xb_expand_env *env,
		      struct xb_view field, struct xb_error *err)
{
	xb_auto_str struct xb_str expanded = XB_STR_INIT(XB_STR_OWN);
	struct xb_view value = field;
	struct xb_view name;
	const struct key *key;
	xb_autofree char *text = NULL;
	int r = 0;

	(void)xb_view_split(&value, '=', &name);
	key = find_key(name);
	if (value.data == NULL && (key == NULL || !key->alone))
		return invalid(err, "invalid field '%.*s' must be a key=value pair",
			       XB_VIEW_ARGS(field));
	if (key == NULL)
		return unknown_key(name, field, err);
	if ((key->types & ONLY(reading->mount->type)) == 0) {
		r = invalid(err, "unexpected key '%s' for mount type '%s'", key->name,
			    type_names[reading->mount->type]);
		(void)xb_error_hint(err, "type= stands in front of the keys that go with it");
		return r;
	}
	if (value.data == NULL)
		return key->set(reading, key->name, value, err);
	text = xb_view_dup(value);
	if (key->set == set_from)
		r = check_from(value, err);
	else if (env != NULL)
		r = xb_expand_word(text, env, &expanded, err);
	if (r < 0)
		return r;
	return key->set(
		reading, key->name,
		env != NULL && key->set != set_from ? xb_str_view(&expanded) : xb_view(text), err);
}

static int check_secret(const struct xb_mount *m, struct xb_error *err)
{
	if (m->from != NULL)
		return invalid(err, "secret mount should not have a from");
	if (m->source == NULL && m->target == NULL && m->id == NULL)
		return invalid(err, "invalid secret mount. one of source, target required");
	if (m->source != NULL && m->id != NULL)
		return invalid(err, "both source and id can't be set");
	return 0;
}

/* What only shows once all fields are read. */
static int check_mount(const struct reading *reading, struct xb_error *err)
{
	const struct xb_mount *m = reading->mount;
	bool files = m->type == XB_MOUNT_BIND || m->type == XB_MOUNT_TMPFS;
	const char *type = type_names[m->type];

	if (files && (m->has_mode || m->has_uid || m->has_gid))
		return invalid(err, "%s not allowed for \"%s\" type mounts",
			       m->has_mode  ? "mode"
			       : m->has_uid ? "uid"
					    : "gid",
			       type);
	if (reading->said_sharing && m->type != XB_MOUNT_CACHE)
		return invalid(err, "invalid cache sharing set for %s mount", type);
	if (m->type == XB_MOUNT_SECRET)
		return check_secret(m, err);
	if (m->type == XB_MOUNT_SSH && m->source != NULL)
		return invalid(err, "ssh mount should not have a source");
	return 0;
}

static int unended_quote(struct xb_error *err)
{
	return invalid(err, "a quote in the mount's options does not end");
}

int xb_mount_parse(const char *text, const struct xb_expand_env *env, struct xb_mount *ret,
		   struct xb_error *err)
{
	xb_auto_str struct xb_str field = XB_STR_INIT(XB_STR_OWN);
	struct reading reading = { .mount = ret };
	struct xb_view rest = xb_view(text);
	int r;

	*ret = (struct xb_mount){ 0 };
	while ((r = xb_csv_next(&rest, &field)) > 0) {
		r = read_field(&reading, env, xb_str_view(&field), err);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return unended_quote(err);
	if (!reading.said_access)
		ret->read_only = ret->type != XB_MOUNT_CACHE && ret->type != XB_MOUNT_TMPFS;
	return check_mount(&reading, err);
}

int xb_mount_check(const char *text, struct xb_error *err)
{
	xb_auto_str struct xb_str field = XB_STR_INIT(XB_STR_OWN);
	struct xb_view rest = xb_view(text);
	int r;

	while ((r = xb_csv_next(&rest, &field)) > 0) {
		struct xb_view value = xb_str_view(&field);
		struct xb_view name;

		if (!xb_view_split(&value, '=', &name) || value.data == NULL ||
		    !xb_view_eq_nocase(name, XB_VIEW("from")))
			continue;
		r = check_from(value, err);
		if (r < 0)
			return r;
	}
	return r < 0 ? unended_quote(err) : 0;
}

char *xb_mount_from(const char *text)
{
	xb_auto_str struct xb_str field = XB_STR_INIT(XB_STR_OWN);
	struct xb_view rest = xb_view(text);
	char *from = NULL;

	while (xb_csv_next(&rest, &field) > 0) {
		struct xb_view value = xb_str_view(&field);
		struct xb_view name;

		if (xb_view_split(&value, '=', &name) && value.data != NULL &&
		    xb_view_eq_nocase(name, XB_VIEW("from")))
			(void)set_text(&from, value);
	}
	return from;
}

const char *xb_mount_type_name(enum xb_mount_type type)
{
	return type_names[type];
}

const char *xb_mount_sharing_name(enum xb_mount_sharing sharing)
{
	return sharing_names[sharing];
}

void xb_mount_clear(struct xb_mount *mount)
{
	free(mount->from);
	free(mount->source);
	free(mount->target);
	free(mount->id);
	free(mount->env);
	*mount = (struct xb_mount){ 0 };
}
