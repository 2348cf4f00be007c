/* SPDX-License-Identifier: Apache-2.0 */
#include "base/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void xb_names_clear(struct xb_names *names)
{
	free(names->text);
	free(names->items);
	*names = (struct xb_names){ 0 };
}

bool xb_names_is_dir(const struct xb_names *names, size_t index)
{
	return names->items[index][-1] == DT_DIR;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* `text` is all names, as struct xb_names has them. */
static void put_in_order(struct xb_str *text, size_t count, struct xb_names *ret)
{
	const char *name;

	ret->len = count;
	ret->items = xb_calloc(count + 1, sizeof(*ret->items));
	ret->text = xb_str_steal(text);
	name = ret->text + 1;
	for (size_t i = 0; i < count; i++) {
		ret->items[i] = name;
		name += strlen(name) + 2;
	}
	if (count > 1)
		qsort(ret->items, count, sizeof(*ret->items), compare);
}

static int read_all(DIR *dir, size_t max, struct xb_str *text, size_t *ret_count)
{
	const struct dirent *entry;

	for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (*ret_count == max)
			return -E2BIG;
		xb_str_putc(text, (char)entry->d_type);
		(void)xb_str_append(text, entry->d_name, strlen(entry->d_name) + 1);
		++*ret_count;
	}
	return -errno;
}

int xb_names_of(int dirfd, size_t max, struct xb_names *ret)
{
	/* a description of its own: the offset of `dirfd` stays */
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	/* as many as there are: no more than the file system has */
	xb_auto_str struct xb_str text = XB_STR_INIT(SIZE_MAX);
	size_t count = 0;
	int r;

	if (dir == NULL) {
		r = -errno;
		xb_cleanup_fd(&fd);
		return r;
	}
	r = read_all(dir, max, &text, &count);
	(void)closedir(dir);
	if (r == 0)
		put_in_order(&text, count, ret);
	return r;
}
