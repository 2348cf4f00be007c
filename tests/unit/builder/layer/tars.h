/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Small tars made by hand, and their unpacking in this process, without the walls: what the
 * unpacker itself refuses must not hang on them. Include it after trees.h.
 */
#ifndef XB_TESTS_UNIT_BUILDER_LAYER_TARS_H
#define XB_TESTS_UNIT_BUILDER_LAYER_TARS_H

#include "builder/layer/tarwrite.h"
#include "builder/layer/unpack_child.h"

/** A tar being made. */
struct tar {
	struct xb_str bytes;
};

#define TAR_INIT ((struct tar){ XB_STR_INIT(XB_STR_OWN) })

static inline void tar_clear(struct tar *t)
{
	xb_str_clear(&t->bytes);
}
#define auto_tar XB_CLEANUP(tar_clear)

/** Add an entry as it is, with data. */
static inline void tar_add(struct tar *t, const struct xb_tar_entry *entry, const char *data)
{
	static const char zeros[XB_TAR_BLOCK];

	xb_tar_header(&t->bytes, entry);
	if (data != NULL) {
		xb_str_append(&t->bytes, data, entry->size);
		xb_str_append(&t->bytes, zeros, xb_tar_padding(entry->size));
	}
}

static inline void tar_file(struct tar *t, const char *name, const char *data)
{
	tar_add(t,
		&(struct xb_tar_entry){ .name = name,
					.type = XB_TAR_FILE,
					.mode = 0644,
					.mtime = 1000,
					.size = strlen(data) },
		data);
}

static inline void tar_dir(struct tar *t, const char *name)
{
	tar_add(t,
		&(struct xb_tar_entry){
			.name = name, .type = XB_TAR_DIRECTORY, .mode = 0755, .mtime = 2000 },
		NULL);
}

static inline void tar_link(struct tar *t, enum xb_tar_type type, const char *name,
			    const char *target)
{
	tar_add(t,
		&(struct xb_tar_entry){
			.name = name, .type = type, .link = target, .mode = 0777, .mtime = 3000 },
		NULL);
}

/**
 * A tar in words: "name/" a directory, "name=text" a file, "name>target" a symbolic link,
 * "name&target" a hard link. Whiteouts are written as they are in layers.
 */
static inline void tar_words(struct tar *t, const char *words)
{
	xb_autofree char *text = xb_strdup(words);
	char *state = NULL;

	for (char *word = strtok_r(text, " ", &state); word != NULL;
	     word = strtok_r(NULL, " ", &state)) {
		size_t len = strcspn(word, "=>&");
		char mark = word[len];

		word[len] = '\0';
		if (mark == '>')
			tar_link(t, XB_TAR_SYMLINK, word, word + len + 1);
		else if (mark == '&')
			tar_link(t, XB_TAR_HARDLINK, word, word + len + 1);
		else if (mark == '\0' && word[len - 1] == '/')
			tar_dir(t, word);
		else
			tar_file(t, word, mark == '=' ? word + len + 1 : "");
	}
}

/** A blob of the tar as it stands; the end's blocks are left to the end of the stream. */
static inline int tar_blob(const struct tar *t)
{
	int fd = xb_memfd_new("tar", NULL);

	assert_true(fd >= 0);
	assert_int_equal(xb_write_all(fd, t->bytes.data, t->bytes.len, NULL), 0);
	return fd;
}

/** Apply it below `dest` in this process. */
static inline int tar_apply(const struct tar *t, enum xb_wire_task task, int dest,
			    struct xb_wire_answer *answer, struct xb_error *err)
{
	const struct xb_wire_request request = {
		.task = task,
		.max_size = 1 << 20,
		.max_count = 100000,
		.uid = -1,
		.gid = -1,
	};
	XB_CLEANUP(xb_wire_answer_clear) struct xb_wire_answer own = { 0 };
	xb_auto_fd int blob = tar_blob(t);

	return xb_unpack_serve(&request, blob, dest, answer != NULL ? answer : &own, err);
}

#endif
