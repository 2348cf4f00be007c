/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed blobs of others, by the coding that their first bytes show or the one asked for. */
#include <stdint.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/layer/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct xb_decode_options options = { .max_size = 1 << 20 };
	xb_auto_decoder struct xb_decoder *d = NULL;
	struct xb_error err = XB_ERROR_INIT;
	int r;

	if (size == 0)
		return 0;
	if (fd < 0)
		fd = xb_memfd_new("fuzz", NULL);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data + 1, size - 1, 0) != (ssize_t)size - 1)
		__builtin_trap();
	options.fd = fd;
	options.coding =
		data[0] < 4 ? (enum xb_coding)data[0] : xb_coding_detect(data + 1, size - 1);
	r = xb_decoder_new(&options, &d, &err);
	if (r >= 0)
		r = xb_decoder_drain(d, &err);
	if (r < 0 && err.message == NULL)
		__builtin_trap();
	/* the limit may be passed by the piece that showed it */
	if (d != NULL && xb_decoder_size(d) > options.max_size + (4 << 20))
		__builtin_trap();
	xb_error_clear(&err);
	return 0;
}
