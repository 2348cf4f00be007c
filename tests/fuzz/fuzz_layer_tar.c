/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tars of others: entries and data, in runs of any length. The first byte says how long, and with
 * its lowest bit that headers get the checksum that they need.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/layer/tarread.h"
#include "tests/fuzz/mend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t len;
	size_t step;
};

static int next(void *context, const void **ret_data, size_t *ret_len, struct xb_error *err)
{
	struct input *in = context;

	(void)err;
	*ret_data = in->data;
	*ret_len = in->len < in->step ? in->len : in->step;
	in->data += *ret_len;
	in->len -= *ret_len;
	return *ret_len > 0;
}

/* Runs are ascending, within the file, and their bytes are readable. */
static void read_data(struct xb_tar_reader *tar, const struct xb_tar_item *item)
{
	const void *data;
	size_t len;
	uint64_t offset, end = 0;
	volatile unsigned sum = 0;

	while (xb_tar_data(tar, &data, &len, &offset, NULL) > 0) {
		if (len == 0 || offset < end || offset + len > item->size)
			__builtin_trap();
		for (size_t i = 0; i < len; i++)
			sum += ((const uint8_t *)data)[i];
		end = offset + len;
	}
}

static void check_item(const struct xb_tar_item *item)
{
	size_t len = strlen(item->name) + strlen(item->link);

	for (size_t i = 0; i < item->xattrs.len; i++)
		len += strlen(item->xattrs.items[i].name) + item->xattrs.items[i].len;
	if (len > 4 * XB_MAX_TAR_SPECIAL || item->mode > 07777 || item->mtime_ns >= 1000000000)
		__builtin_trap();
	if (item->type < XB_TAR_FILE || item->type > XB_TAR_FIFO)
		__builtin_trap();
	if (item->type != XB_TAR_FILE && item->size != 0)
		__builtin_trap();
}

static void read_all(struct input *in)
{
	struct xb_tar_reader *tar =
		xb_tar_reader_new(&(struct xb_tar_input){ .next = next, .context = in });
	struct xb_tar_item item;
	struct xb_error err = XB_ERROR_INIT;
	unsigned entries = 0;
	int r;

	while ((r = xb_tar_next(tar, &item, &err)) > 0) {
		check_item(&item);
		if (entries++ % 2 == 0)
			read_data(tar, &item);
	}
	if (r < 0 && err.message == NULL)
		__builtin_trap();
	xb_error_clear(&err);
	xb_tar_reader_free(tar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { 0 };
	uint8_t *copy;

	if (size == 0)
		return 0;
	copy = malloc(size);
	if (copy == NULL)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if ((data[0] & 1) != 0)
		mend(copy, size - 1);
	in.data = copy;
	in.len = size - 1;
	in.step = data[0] < 2 ? size : (size_t)data[0] * 7;
	read_all(&in);
	free(copy);
	return 0;
}
