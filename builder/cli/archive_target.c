/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/archive_target.h"

#include <errno.h>
#include <unistd.h>

#include "builder/layer/image_archive.h"
#include "builder/solve/output_file.h"
#include "manifest/index_tags.h"

/* The tag of an archive's image that is written without naming one: that which it has. */
static const char *tag_for(const struct xb_named_image *to, const struct xb_index *index)
{
	if (to->tag[0] != '\0' || index->manifests.len == 0)
		return to->tag;
	return xb_annotations_get(&index->manifests.items[0].annotations, XB_ANNOTATION_REF_NAME);
}

/* The index.json that the archive gets. */
static int set_entry(const struct xb_named_image *to, const struct xb_descriptor *root,
		     struct xb_index *index, struct xb_error *err)
{
	xb_autofree char *tag = xb_strdup(tag_for(to, index));
	int r;

	if (to->tag[0] == '\0' && index->manifests.len > 1)
		return xb_error_usage(err, "write oci-archive:FILE:TAG",
				      "%s: it holds %zu images, and none is named", to->name,
				      index->manifests.len);
	if (tag == NULL || *tag == '\0') {
		xb_descriptors_clear(&index->manifests);
		(void)xb_descriptors_add(&index->manifests, root);
		return 0;
	}
	r = xb_index_check_tag(tag, err);
	if (r < 0)
		return xb_error_fault(err, XB_FAULT_USAGE);
	if (to->tag[0] == '\0')
		xb_descriptors_clear(&index->manifests);
	xb_index_set_tag(index, root, tag);
	return 0;
}

static void read_index(const struct xb_named_image *to, struct xb_index *ret)
{
	const struct xb_index *old = to->archive != NULL ? xb_archive_index(to->archive) : NULL;

	if (old == NULL)
		return;
	xb_descriptors_copy(&ret->manifests, &old->manifests);
	xb_annotations_copy(&ret->annotations, &old->annotations);
	ret->media_type = xb_strdup(old->media_type);
	ret->extra = xb_strdup(old->extra);
}

/* All images of the index are found where they are: the new one in `from`, others in the file. */
static int gather(const struct xb_named_image *to, struct xb_place *from,
		  const struct xb_descriptor *root, const struct xb_index *index,
		  struct xb_medley *medley, struct xb_error *err)
{
	int r = xb_medley_add(medley, from, root, err);

	for (size_t i = 0; r == 0 && i < index->manifests.len; i++) {
		const struct xb_descriptor *d = &index->manifests.items[i];

		if (!xb_digest_eq(&d->digest, &root->digest))
			r = xb_medley_add(medley, to->place, d, err);
	}
	return r;
}

static int list_oci(const struct xb_named_image *to, struct xb_place *from,
		    const struct xb_descriptor *root, struct xb_medley *medley,
		    struct xb_export *files, struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	int r;

	read_index(to, &index);
	r = set_entry(to, root, &index, err);
	if (r == 0)
		r = gather(to, from, root, &index, medley, err);
	return r < 0 ? r : xb_export_index(xb_medley_place(medley), &index, files, err);
}

static int list_docker(const struct xb_named_image *to, struct xb_place *from,
		       const struct xb_descriptor *root, struct xb_export *files,
		       struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;

	if (to->tag[0] != '\0')
		xb_strv_push(&names, to->tag);
	return xb_export_docker(from, root, &names, files, err);
}

/* On the disk before it takes the place of what was there, which may be all that there is. */
static int write_file(const char *path, const struct xb_export *files, struct xb_place *from,
		      const atomic_bool *cancelled, struct xb_error *err)
{
	xb_auto_output_file struct xb_output_file file = XB_OUTPUT_FILE_INIT;
	int r = xb_output_file_open(&file, path, cancelled, err);

	if (r == 0)
		r = xb_archive_write(files, from, file.fd, err);
	if (r == 0 && file.path != NULL && fsync(file.fd) < 0)
		r = xb_error_errno(err, -errno, "writing %s", path);
	return r < 0 ? r : xb_output_file_done(&file, err);
}

int xb_archive_target_write(const struct xb_named_image *to, struct xb_place *from,
			    const struct xb_descriptor *root, const atomic_bool *cancelled,
			    struct xb_error *err)
{
	xb_auto_medley struct xb_medley *medley = xb_medley_new(to->path);
	xb_auto_export struct xb_export files = { 0 };
	int r = to->docker ? list_docker(to, from, root, &files, err)
			   : list_oci(to, from, root, medley, &files, err);

	if (r == 0)
		r = write_file(to->path, &files, to->docker ? from : xb_medley_place(medley),
			       cancelled, err);
	return r < 0 ? xb_error_wrap(err, r, "%s", to->name) : 0;
}
