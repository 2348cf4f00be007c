/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/cdi.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/json.h"

#define CLASS	  "org.mobyproject.buildkit.device.class"
#define AUTOALLOW "org.mobyproject.buildkit.device.autoallow"

/* A device; all but `name` is borrowed from the document. */
struct device {
	char *name; /* "vendor.com/class=device" */
	const char *file;
	json_t *edits;	/* its own; NULL: none */
	json_t *common; /* those of all devices of the file; NULL: none */
	const char *class;
	bool open;
};
struct devices XB_ARRAY(struct device);

struct documents XB_ARRAY(json_t *);

struct xb_cdi {
	struct devices devices; /* ordered by name */
	struct documents documents;
	struct xb_strv files; /* of the documents */
	bool has_yaml;
};

/* ---- reading ------------------------------------------------------------------------------ */

/* The first of two annotations counts: the device's own, then the file's. JSON may have the switch
 * as a word or as a value. */
static json_t *annotation(json_t *device, json_t *document, const char *key)
{
	json_t *own = json_object_get(json_object_get(device, "annotations"), key);

	return own != NULL ? own : json_object_get(json_object_get(document, "annotations"), key);
}

static bool is_true(const json_t *value)
{
	static const char *const words[] = { "1", "t", "true" };
	const char *text = json_string_value(value);

	for (size_t i = 0; text != NULL && i < XB_COUNT(words); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return true;
	}
	return json_is_true(value);
}

static struct device *find_device(const struct xb_cdi *cdi, const char *name)
{
	for (size_t i = 0; i < cdi->devices.len; i++) {
		if (strcmp(cdi->devices.items[i].name, name) == 0)
			return &cdi->devices.items[i];
	}
	return NULL;
}

/* A device in its place among the others, in place of one of that name. */
static void put_device(struct xb_cdi *cdi, const struct device *device)
{
	struct device *old = find_device(cdi, device->name);
	size_t at;

	if (old != NULL) {
		free(old->name);
		*old = *device;
		return;
	}
	(void)xb_array_push(&cdi->devices);
	for (at = cdi->devices.len - 1; at > 0; at--) {
		if (strcmp(cdi->devices.items[at - 1].name, device->name) < 0)
			break;
		cdi->devices.items[at] = cdi->devices.items[at - 1];
	}
	cdi->devices.items[at] = *device;
}

static int read_device(struct xb_cdi *cdi, json_t *document, const char *kind, json_t *item,
		       struct xb_error *err)
{
	const char *name = NULL;
	struct device device = { .file = cdi->files.items[cdi->files.len - 1] };
	int r = xb_json_get_string(item, "name", &name, err);

	if (r == 0 && (name == NULL || *name == '\0'))
		r = xb_error_set(err, -EBADMSG, "a device without a name");
	if (r == 0)
		r = xb_json_get_object(item, "containerEdits", &device.edits, err);
	if (r == 0)
		r = xb_json_get_object(document, "containerEdits", &device.common, err);
	if (r < 0)
		return r;
	device.name = xb_format("%s=%s", kind, name);
	device.class = json_string_value(annotation(item, document, CLASS));
	device.open = is_true(annotation(item, document, AUTOALLOW));
	put_device(cdi, &device);
	return 0;
}

static int read_document(struct xb_cdi *cdi, json_t *document, struct xb_error *err)
{
	const char *version = NULL;
	const char *kind = NULL;
	json_t *devices = NULL;
	int r = xb_json_get_string(document, "cdiVersion", &version, err);

	if (r == 0)
		r = xb_json_get_string(document, "kind", &kind, err);
	if (r == 0)
		r = xb_json_get_array(document, "devices", &devices, err);
	if (r == 0 && (version == NULL || kind == NULL || strchr(kind, '/') == NULL ||
		       strchr(kind, '=') != NULL))
		r = xb_error_set(err, -EBADMSG,
				 "no CDI description: it needs cdiVersion and a kind such as "
				 "vendor.com/class");
	for (size_t i = 0; r == 0 && i < json_array_size(devices); i++)
		r = read_device(cdi, document, kind, json_array_get(devices, i), err);
	return r;
}

static int read_file(struct xb_cdi *cdi, int dir, const char *path, const char *name,
		     struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_CDI);
	xb_auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	json_t *document = NULL;
	int r = fd < 0 ? xb_error_errno(err, -errno, "opening it")
		       : xb_file_read_fd(fd, &text, err);

	if (r == 0)
		r = xb_json_parse(xb_str_view(&text), XB_MAX_CDI, &document, err);
	if (r == 0) {
		*xb_array_push(&cdi->documents) = document;
		xb_strv_printf(&cdi->files, "%s/%s", path, name);
		r = read_document(cdi, document, err);
	}
	return r < 0 ? xb_error_wrap(err, r, "%s/%s", path, name) : 0;
}

static bool has_suffix(const char *name, const char *suffix)
{
	return xb_view_ends(xb_view(name), xb_view(suffix));
}

static void list_files(struct xb_cdi *cdi, DIR *dir, struct xb_strv *names)
{
	struct dirent *e;

	while ((e = readdir(dir)) != NULL) {
		if (has_suffix(e->d_name, ".json"))
			xb_strv_push(names, e->d_name);
		else if (has_suffix(e->d_name, ".yaml") || has_suffix(e->d_name, ".yml"))
			cdi->has_yaml = true;
	}
	xb_strv_sort(names);
}

static int read_directory(struct xb_cdi *cdi, const char *path, struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	DIR *dir = opendir(path);
	int r = 0;

	if (dir == NULL)
		return errno == ENOENT ? 0 : xb_error_errno(err, -errno, "opening %s", path);
	list_files(cdi, dir, &names);
	for (size_t i = 0; r == 0 && i < names.len; i++)
		r = read_file(cdi, dirfd(dir), path, names.items[i], err);
	(void)closedir(dir);
	return r;
}

XB_DEFINE_CLEANUP(cdi_cleanup, struct xb_cdi, xb_cdi_free)

int xb_cdi_load(const struct xb_strv *directories, struct xb_cdi **ret, struct xb_error *err)
{
	static const char *const usual[] = { "/etc/cdi", "/run/cdi", "/etc/buildkit/cdi" };
	XB_CLEANUP(cdi_cleanup) struct xb_cdi *cdi = xb_calloc(1, sizeof(*cdi));
	size_t count = directories != NULL ? directories->len : XB_COUNT(usual);
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_directory(cdi, directories != NULL ? directories->items[i] : usual[i],
				   err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(cdi);
	return 0;
}

void xb_cdi_free(struct xb_cdi *cdi)
{
	if (cdi == NULL)
		return;
	for (size_t i = 0; i < cdi->devices.len; i++)
		free(cdi->devices.items[i].name);
	for (size_t i = 0; i < cdi->documents.len; i++)
		json_decref(cdi->documents.items[i]);
	xb_array_clear(&cdi->devices);
	xb_array_clear(&cdi->documents);
	xb_strv_clear(&cdi->files);
	free(cdi);
}

/* ---- asking ------------------------------------------------------------------------------- */

/* Whether `name` stands for the device by its own name or its kind. `*ret_one`: for one at most. */
static bool is_named(const struct device *device, struct xb_view name, bool *ret_one)
{
	struct xb_view rest = name, kind;
	struct xb_view own = xb_view(device->name), own_kind;

	(void)xb_view_split(&rest, '=', &kind);
	(void)xb_view_split(&own, '=', &own_kind);
	*ret_one = !xb_view_is(rest, "*");
	return xb_view_eq(kind, own_kind) &&
	       (rest.len == 0 || xb_view_is(rest, "*") || xb_view_eq(rest, own));
}

void xb_cdi_find(const struct xb_cdi *cdi, const char *name, struct xb_strv *ret)
{
	size_t before = ret->len;
	bool one = false;

	for (size_t i = 0; i < cdi->devices.len && !(one && ret->len > before); i++) {
		if (is_named(&cdi->devices.items[i], xb_view(name), &one))
			xb_strv_push(ret, cdi->devices.items[i].name);
	}
	if (ret->len > before)
		return;
	for (size_t i = 0; i < cdi->devices.len; i++) {
		const char *class = cdi->devices.items[i].class;

		if (class != NULL && strcmp(class, name) == 0)
			xb_strv_push(ret, cdi->devices.items[i].name);
	}
}

bool xb_cdi_is_open(const struct xb_cdi *cdi, const char *name)
{
	const struct device *device = find_device(cdi, name);

	return device != NULL && device->open;
}

bool xb_cdi_has_yaml(const struct xb_cdi *cdi)
{
	return cdi->has_yaml;
}

/* ---- applying ----------------------------------------------------------------------------- */

/* One description being put into a specification. */
struct applying {
	const struct device *device;
	struct xb_sandbox_spec *spec;
	struct xb_strv *warnings;
};

static int no_path(struct xb_error *err)
{
	return xb_error_set(err, -EBADMSG, "a path is missing or not absolute");
}

static int add_bind(struct applying *a, const char *source, const char *target, bool device,
		    bool read_only, struct xb_error *err)
{
	struct xb_sandbox_mount *mount;

	if (source == NULL || target == NULL || source[0] != '/' || target[0] != '/')
		return no_path(err);
	mount = xb_sandbox_spec_mount(a->spec, XB_SANDBOX_BIND, target);
	mount->source = xb_strdup(source);
	mount->device = device;
	mount->read_only = read_only;
	return 0;
}

static int apply_env(struct applying *a, json_t *item, struct xb_error *err)
{
	struct xb_view value = xb_view(json_string_value(item));
	struct xb_view name;

	(void)xb_view_split(&value, '=', &name);
	if (value.data == NULL || name.len == 0)
		return xb_error_set(err, -EBADMSG, "a variable that is no NAME=VALUE");
	xb_env_set(&a->spec->env, name, value);
	return 0;
}

/* The machine's node is shown, whose numbers, mode and owner are what they are. */
static int apply_node(struct applying *a, json_t *item, struct xb_error *err)
{
	const char *path = NULL;
	const char *host = NULL;
	int r = xb_json_get_string(item, "path", &path, err);

	if (r == 0)
		r = xb_json_get_string(item, "hostPath", &host, err);
	return r < 0 ? r : add_bind(a, host != NULL ? host : path, path, true, false, err);
}

static int apply_tmpfs(struct applying *a, const char *target, struct xb_error *err)
{
	if (target == NULL || target[0] != '/')
		return no_path(err);
	(void)xb_sandbox_spec_mount(a->spec, XB_SANDBOX_TMPFS, target);
	return 0;
}

static bool has_option(const json_t *options, const char *name)
{
	for (size_t i = 0; i < json_array_size(options); i++) {
		const char *text = json_string_value(json_array_get(options, i));

		if (text != NULL && strcmp(text, name) == 0)
			return true;
	}
	return false;
}

static int apply_mount(struct applying *a, json_t *item, struct xb_error *err)
{
	const char *source = NULL;
	const char *target = NULL;
	const char *type = NULL;
	json_t *options = NULL;
	int r = xb_json_get_string(item, "hostPath", &source, err);

	if (r == 0)
		r = xb_json_get_string(item, "containerPath", &target, err);
	if (r == 0)
		r = xb_json_get_string(item, "type", &type, err);
	if (r == 0)
		r = xb_json_get_array(item, "options", &options, err);
	if (r < 0)
		return r;
	if (type != NULL && strcmp(type, "tmpfs") == 0)
		return apply_tmpfs(a, target, err);
	return add_bind(a, source, target, !has_option(options, "nodev"), has_option(options, "ro"),
			err);
}

static int apply_gid(struct applying *a, json_t *item, struct xb_error *err)
{
	json_int_t gid = json_integer_value(item);

	if (!json_is_integer(item) || gid < 0 || gid > INT32_MAX)
		return xb_error_set(err, -EBADMSG, "a group that is no number");
	if (gid > 0) /* 0 stands for none */
		*xb_array_push(&a->spec->gids) = (uint32_t)gid;
	return 0;
}

static int apply_hook(struct applying *a, json_t *item, struct xb_error *err)
{
	const char *name = NULL;
	const char *path = NULL;
	int r = xb_json_get_string(item, "hookName", &name, err);

	if (r == 0)
		r = xb_json_get_string(item, "path", &path, err);
	if (r == 0)
		xb_strv_printf(a->warnings, "the %s hook %s of the device %s is not run",
			       name != NULL ? name : "", path != NULL ? path : "", a->device->name);
	return r;
}

static const struct {
	const char *key;
	int (*apply)(struct applying *a, json_t *item, struct xb_error *err);
} edits_table[] = {
	{ "env", apply_env },	   { "deviceNodes", apply_node },
	{ "mounts", apply_mount }, { "additionalGids", apply_gid },
	{ "hooks", apply_hook },
};

static void warn_of_others(struct applying *a, json_t *edits)
{
	const char *key;
	json_t *value;

	json_object_foreach(edits, key, value)
	{
		bool known = false;

		for (size_t i = 0; i < XB_COUNT(edits_table); i++)
			known = known || strcmp(key, edits_table[i].key) == 0;
		if (!known)
			xb_strv_printf(a->warnings, "%s of the device %s is not applied", key,
				       a->device->name);
	}
}

static int apply_edits(struct applying *a, json_t *edits, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < XB_COUNT(edits_table); i++) {
		json_t *list = NULL;

		r = xb_json_get_array(edits, edits_table[i].key, &list, err);
		for (size_t j = 0; r == 0 && j < json_array_size(list); j++)
			r = edits_table[i].apply(a, json_array_get(list, j), err);
		if (r < 0)
			return xb_error_wrap(err, r, "%s: %s", a->device->file, edits_table[i].key);
	}
	warn_of_others(a, edits);
	return 0;
}

int xb_cdi_apply(const struct xb_cdi *cdi, const char *name, struct xb_sandbox_spec *spec,
		 struct xb_strv *warnings, struct xb_error *err)
{
	const struct device *device = find_device(cdi, name);
	struct applying a = { .device = device, .spec = spec, .warnings = warnings };
	int r = 0;

	if (device == NULL)
		return xb_error_set(err, -ENODEV, "there is no device %s", name);
	if (device->common != NULL)
		r = apply_edits(&a, device->common, err);
	if (r == 0 && device->edits != NULL)
		r = apply_edits(&a, device->edits, err);
	return r;
}
