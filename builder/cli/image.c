/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/image.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "builder/cache/tag.h"
#include "manifest/registry/place.h"

void xb_named_image_clear(struct xb_named_image *image)
{
	xb_place_free(image->remote);
	xb_layout_free(image->layout);
	xb_medley_free(image->nothing);
	xb_archive_free(image->archive);
	free(image->path);
	free(image->tag);
	free(image->name);
	*image = (struct xb_named_image){ 0 };
}

/* What a name is to be opened with. */
struct opening {
	enum xb_named_use use;
	struct xb_store *store;
	struct xb_registries *registries;
};

/* A place where nothing is yet. */
static void foresee(const char *name, struct xb_named_image *ret)
{
	ret->nothing = xb_medley_new(name);
	ret->place = xb_medley_place(ret->nothing);
}

static int make_layout(const struct opening *how, const char *dir, struct xb_layout **ret,
		       struct xb_error *err)
{
	return how->use == XB_NAMED_CREATE ? xb_layout_create(dir, ret, err)
					   : xb_layout_open(dir, ret, err);
}

static int open_layout(const struct opening *how, const char *name, struct xb_named_image *ret,
		       struct xb_error *err)
{
	xb_autofree char *dir = xb_layout_split_name(name, &ret->tag);
	int r;

	if (how->use == XB_NAMED_FORESEE && access(dir, F_OK) < 0) {
		foresee(dir, ret);
		return 0;
	}
	r = make_layout(how, dir, &ret->layout, err);
	if (r < 0)
		return r;
	ret->in_layout = how->use == XB_NAMED_READ ? xb_layout_place(ret->layout)
						   : xb_layout_place_rw(ret->layout, true);
	ret->place = &ret->in_layout.place;
	return 0;
}

/* Split "FILE[:NAME]": the name of a Docker archive's image may hold all that a reference may. */
static char *split_docker(const char *text, char **ret_tag)
{
	size_t end = strcspn(text, ":");

	if (text[end] != '\0')
		*ret_tag = xb_strdup(text + end + 1);
	return xb_view_dup((struct xb_view){ text, end });
}

/* What is created takes the place of a Docker archive whatever that holds. */
static int open_archive_file(const struct opening *how, struct xb_named_image *ret,
			     struct xb_error *err)
{
	int r = ret->docker ? xb_archive_open_docker(ret->path, ret->tag, &ret->archive, err)
			    : xb_archive_open(ret->path, &ret->archive, err);

	if (r == -ENOENT && how->use >= XB_NAMED_CREATE) {
		xb_error_clear(err);
		foresee(ret->path, ret);
		return 0;
	}
	if (r == 0)
		ret->place = xb_archive_place(ret->archive);
	return r;
}

static int open_archive(const struct opening *how, bool docker, const char *name,
			struct xb_named_image *ret, struct xb_error *err)
{
	int r;

	ret->docker = docker;
	ret->path = docker ? split_docker(name, &ret->tag) : xb_layout_split_name(name, &ret->tag);
	r = open_archive_file(how, ret, err);
	if (ret->tag == NULL)
		ret->tag = xb_strdup("");
	return r;
}

static int open_oci_archive(const struct opening *how, const char *name, struct xb_named_image *ret,
			    struct xb_error *err)
{
	return open_archive(how, false, name, ret, err);
}

static int open_docker_archive(const struct opening *how, const char *name,
			       struct xb_named_image *ret, struct xb_error *err)
{
	return open_archive(how, true, name, ret, err);
}

static int open_remote(const struct opening *how, const char *name, struct xb_named_image *ret,
		       struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	struct xb_registry *registry = NULL;
	int r = xb_reference_parse(xb_view(name), &ref, err);

	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_USAGE);
		return r;
	}
	xb_reference_complete(&ref);
	r = xb_registries_open(how->registries, &registry, err);
	if (r < 0)
		return r;
	free(ret->name);
	ret->name = xb_reference_format(&ref);
	ret->tag = xb_strdup(xb_digest_empty(&ref.digest) ? ref.tag : ref.digest.text);
	ret->remote = xb_registry_place_new(registry, &ref);
	ret->place = ret->remote;
	return 0;
}

static int open_stored(const struct opening *how, const char *name, struct xb_named_image *ret,
		       struct xb_error *err)
{
	(void)err;
	ret->in_store = xb_store_place(how->store);
	ret->place = &ret->in_store.place;
	ret->tag = xb_strdup(name);
	return 0;
}

/* Whether the store has a tag of this name. */
static int look_in_store(const char *name, struct xb_store *store, bool *ret, struct xb_error *err)
{
	xb_auto_tags struct xb_tags tags = { 0 };
	int r = xb_tag_list(store, &tags, err);

	*ret = false;
	for (size_t i = 0; r == 0 && i < tags.len; i++)
		*ret |= strcmp(tags.items[i].name, name) == 0;
	return r;
}

static int open_plain(const struct opening *how, const char *name, struct xb_named_image *ret,
		      struct xb_error *err)
{
	bool stored = false;
	int r = how->use < XB_NAMED_CREATE ? look_in_store(name, how->store, &stored, err) : 0;

	if (r < 0)
		return r;
	return stored ? open_stored(how, name, ret, err) : open_remote(how, name, ret, err);
}

/* The last row is that of all names that have no other's prefix. */
static const struct {
	const char *prefix;
	int (*open)(const struct opening *, const char *, struct xb_named_image *,
		    struct xb_error *);
} forms[] = {
	{ "oci:", open_layout },
	{ "oci-layout://", open_layout },
	{ "oci-archive:", open_oci_archive },
	{ "docker-archive:", open_docker_archive },
	{ "docker://", open_remote },
	{ "store:", open_stored },
	{ "", open_plain },
};

/* What is written needs a name by which it is found again. */
static int check_tag(const struct xb_named_image *image, struct xb_error *err)
{
	struct xb_digest digest;

	if (image->tag != NULL && (*image->tag != '\0' || image->path != NULL) &&
	    xb_digest_parse(xb_view(image->tag), &digest, NULL) < 0)
		return 0;
	return xb_error_usage(err, "name it REGISTRY/NAME:TAG or oci:DIR:TAG",
			      "%s: what is written needs a tag", image->name);
}

int xb_named_image_open(const char *name, enum xb_named_use use, struct xb_store *store,
			struct xb_registries *registries, struct xb_named_image *ret,
			struct xb_error *err)
{
	const struct opening how = { use, store, registries };
	size_t form = 0;
	int r;

	while (strncmp(name, forms[form].prefix, strlen(forms[form].prefix)) != 0)
		form++;
	ret->name = xb_strdup(name);
	r = forms[form].open(&how, name + strlen(forms[form].prefix), ret, err);
	return r < 0 || use == XB_NAMED_READ ? r : check_tag(ret, err);
}
