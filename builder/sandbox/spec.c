/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/spec.h"

#include <errno.h>
#include <string.h>

/* "XBS" and the version of the encoding: xbuild-init is of the same build as its parent, so a
 * difference means that something else wrote the bytes. */
#define MAGIC UINT64_C(0x0000000258425300)
/* Stands for the length of a string that is NULL. */
#define NO_TEXT UINT64_MAX

/*
 * One description of the encoding serves both directions: every member is passed through a
 * `coder`, which either appends it to `out` or fills it from `in`. So the two cannot differ.
 */
struct coder {
	struct xb_str *out; /* NULL: reading */
	struct xb_view in;  /* what is left to read */
	int r;		    /* first error; everything after it does nothing */
};

static bool reading(const struct coder *c)
{
	return c->out == NULL;
}

static void code_bytes(struct coder *c, void *data, size_t len)
{
	if (c->r < 0)
		return;
	if (!reading(c)) {
		c->r = xb_str_append(c->out, data, len);
		return;
	}
	if (len > c->in.len) {
		c->r = -EBADMSG;
		return;
	}
	memcpy(data, c->in.data, len);
	c->in = xb_view_sub(c->in, len, SIZE_MAX);
}

/* A number below `limit` (0: any), little-endian in 8 bytes on every machine. */
static uint64_t code_number(struct coder *c, uint64_t value, uint64_t limit)
{
	unsigned char bytes[8] = { 0 };

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	code_bytes(c, bytes, sizeof(bytes));
	if (c->r < 0)
		return 0;
	value = 0;
	for (size_t i = 0; i < sizeof(bytes); i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	if (limit != 0 && value >= limit)
		c->r = -EBADMSG;
	return c->r < 0 ? 0 : value;
}

static void code_u64(struct coder *c, uint64_t *value)
{
	*value = code_number(c, *value, 0);
}

static void code_u32(struct coder *c, uint32_t *value)
{
	*value = (uint32_t)code_number(c, *value, (uint64_t)UINT32_MAX + 1);
}

static void code_bool(struct coder *c, bool *value)
{
	*value = code_number(c, *value, 2) != 0;
}

/* A descriptor or -1, shifted by one so that it is never negative. */
static void code_fd(struct coder *c, int *fd)
{
	*fd = (int)code_number(c, (uint64_t)((int64_t)*fd + 1), INT32_MAX) - 1;
}

/* The number of elements of a list, each of which takes at least `least` bytes. */
static size_t code_count(struct coder *c, size_t count, size_t least)
{
	count = (size_t)code_number(c, count, 0);
	if (reading(c) && count > c->in.len / least)
		c->r = c->r < 0 ? c->r : -EBADMSG;
	return c->r < 0 ? 0 : count;
}

static void read_text(struct coder *c, uint64_t len, char **text)
{
	struct xb_view bytes;

	if (c->r >= 0 && len > c->in.len)
		c->r = -EBADMSG;
	if (c->r < 0)
		return;
	bytes = xb_view_sub(c->in, 0, (size_t)len);
	if (xb_view_find(bytes, '\0') >= 0) {
		c->r = -EBADMSG;
		return;
	}
	*text = xb_view_dup(bytes);
	c->in = xb_view_sub(c->in, (size_t)len, SIZE_MAX);
}

static void code_text(struct coder *c, char **text)
{
	uint64_t len = code_number(c, *text != NULL ? strlen(*text) : NO_TEXT, 0);

	if (len == NO_TEXT || c->r < 0)
		return;
	if (reading(c))
		read_text(c, len, text);
	else
		code_bytes(c, *text, (size_t)len);
}

static void code_blob(struct coder *c, struct xb_str *blob)
{
	size_t len = code_count(c, blob->len, 1);

	if (c->r < 0)
		return;
	if (!reading(c)) {
		code_bytes(c, blob->data, len);
		return;
	}
	*blob = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
	c->r = xb_str_append(blob, c->in.data, len);
	c->in = xb_view_sub(c->in, len, SIZE_MAX);
}

static void code_strv(struct coder *c, struct xb_strv *v)
{
	size_t count = code_count(c, v->len, sizeof(uint64_t));

	for (size_t i = 0; i < count && c->r >= 0; i++) {
		char *text = reading(c) ? NULL : v->items[i];

		code_text(c, &text);
		if (reading(c) && c->r >= 0 && text == NULL)
			c->r = -EBADMSG;
		if (reading(c) && c->r >= 0)
			xb_strv_take(v, text);
	}
}

static void code_mount(struct coder *c, struct xb_sandbox_mount *m)
{
	m->kind = (enum xb_sandbox_mount_kind)code_number(c, m->kind, XB_SANDBOX_MOUNT_COUNT_);
	code_text(c, &m->source);
	code_fd(c, &m->source_fd);
	code_text(c, &m->target);
	code_blob(c, &m->content);
	code_bool(c, &m->read_only);
	code_bool(c, &m->device);
	code_u32(c, &m->mode);
	code_u32(c, &m->uid);
	code_u32(c, &m->gid);
	code_u64(c, &m->size);
	if (reading(c) && c->r >= 0 && m->target == NULL)
		c->r = -EBADMSG;
}

static void code_mounts(struct coder *c, struct xb_sandbox_mounts *mounts)
{
	size_t count = code_count(c, mounts->len, 11 * sizeof(uint64_t));

	for (size_t i = 0; i < count && c->r >= 0; i++)
		code_mount(c, reading(c) ? xb_array_push(mounts) : &mounts->items[i]);
}

static void code_rlimits(struct coder *c, struct xb_sandbox_rlimits *limits)
{
	size_t count = code_count(c, limits->len, 3 * sizeof(uint64_t));

	for (size_t i = 0; i < count && c->r >= 0; i++) {
		struct xb_sandbox_rlimit *l =
			reading(c) ? xb_array_push(limits) : &limits->items[i];

		code_u32(c, &l->resource);
		code_u64(c, &l->soft);
		code_u64(c, &l->hard);
	}
}

static void code_gids(struct coder *c, struct xb_sandbox_gids *gids)
{
	size_t count = code_count(c, gids->len, sizeof(uint64_t));

	for (size_t i = 0; i < count && c->r >= 0; i++)
		code_u32(c, reading(c) ? xb_array_push(gids) : &gids->items[i]);
}

static void code_spec(struct coder *c, struct xb_sandbox_spec *s)
{
	if (code_number(c, MAGIC, 0) != MAGIC && c->r >= 0)
		c->r = -EBADMSG;
	code_strv(c, &s->lowers);
	code_text(c, &s->upper);
	code_text(c, &s->work);
	code_text(c, &s->tree);
	code_text(c, &s->points);
	code_bool(c, &s->scratch_upper);
	code_mounts(c, &s->mounts);
	code_strv(c, &s->stubs);
	code_strv(c, &s->argv);
	code_strv(c, &s->env);
	code_text(c, &s->cwd);
	code_text(c, &s->user);
	code_gids(c, &s->gids);
	code_u32(c, &s->umask);
	code_text(c, &s->hostname);
	s->network = (enum xb_sandbox_network)code_number(c, s->network, XB_SANDBOX_NET_COUNT_);
	code_bool(c, &s->private_userns);
	code_strv(c, &s->binfmt);
	code_fd(c, &s->emulator_fd);
	code_text(c, &s->guard);
	code_u64(c, &s->capabilities);
	code_blob(c, &s->seccomp);
	code_bool(c, &s->insecure);
	code_strv(c, &s->cgroups);
	code_rlimits(c, &s->rlimits);
	code_u64(c, &s->shm_size);
	code_bool(c, &s->terminal);
	code_bool(c, &s->ahead);
}

void xb_sandbox_spec_init(struct xb_sandbox_spec *spec)
{
	*spec = (struct xb_sandbox_spec){
		.cwd = xb_strdup("/"),
		.umask = 0022,
		.hostname = xb_strdup("xbuild"),
		.network = XB_SANDBOX_NET_HOST,
		.emulator_fd = -1,
		.capabilities = XB_SANDBOX_CAPABILITIES,
		.seccomp = XB_STR_INIT(XB_MAX_SANDBOX_SPEC),
		.shm_size = XB_SANDBOX_SHM_SIZE,
	};
}

void xb_sandbox_spec_clear(struct xb_sandbox_spec *spec)
{
	xb_strv_clear(&spec->lowers);
	free(spec->upper);
	free(spec->work);
	free(spec->tree);
	free(spec->points);
	for (size_t i = 0; i < spec->mounts.len; i++) {
		free(spec->mounts.items[i].source);
		free(spec->mounts.items[i].target);
		xb_str_clear(&spec->mounts.items[i].content);
	}
	xb_array_clear(&spec->mounts);
	xb_strv_clear(&spec->stubs);
	xb_strv_clear(&spec->argv);
	xb_strv_clear(&spec->env);
	free(spec->cwd);
	free(spec->user);
	free(spec->hostname);
	xb_strv_clear(&spec->binfmt);
	free(spec->guard);
	xb_str_clear(&spec->seccomp);
	xb_array_clear(&spec->rlimits);
	xb_array_clear(&spec->gids);
	xb_strv_clear(&spec->cgroups);
	*spec = (struct xb_sandbox_spec){ 0 };
}

struct xb_sandbox_mount *xb_sandbox_spec_mount(struct xb_sandbox_spec *spec,
					       enum xb_sandbox_mount_kind kind, const char *target)
{
	struct xb_sandbox_mount *m = xb_array_push(&spec->mounts);

	m->kind = kind;
	m->source_fd = -1;
	m->target = xb_strdup(target);
	m->content = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
	m->mode = kind == XB_SANDBOX_FILE ? 0644 : 0755;
	return m;
}

int xb_sandbox_spec_encode(const struct xb_sandbox_spec *spec, struct xb_str *bytes)
{
	/* A shallow copy: the coder takes pointers to change, but changes nothing while writing. */
	struct xb_sandbox_spec copy = *spec;
	struct coder c = { .out = bytes };

	code_spec(&c, &copy);
	return c.r;
}

int xb_sandbox_spec_decode(struct xb_view bytes, struct xb_sandbox_spec *ret, struct xb_error *err)
{
	xb_auto_sandbox_spec struct xb_sandbox_spec spec = { 0 };
	struct coder c = { .in = bytes };

	code_spec(&c, &spec);
	if (c.r >= 0 && c.in.len > 0)
		c.r = -EBADMSG;
	if (c.r < 0)
		return xb_error_set(err, c.r, "the step's specification is damaged");
	*ret = spec;
	spec = (struct xb_sandbox_spec){ 0 };
	return 0;
}
