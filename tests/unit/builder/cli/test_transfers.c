/* SPDX-License-Identifier: Apache-2.0 */
/* What blobs on their way to or from a registry look like on standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "builder/cli/transfers.h"
#include "tests/unit/builder/cli/capture.h"

#define BIG   0
#define SMALL 1
#define INDEX 2

static char layer[] = "application/vnd.oci.image.layer.v1.tar+gzip";
static char config[] = "application/vnd.oci.image.config.v1+json";
static char index_type[] = "application/vnd.oci.image.index.v1+json";

static struct xb_descriptor blobs[] = {
	[BIG] = { .media_type = layer, .size = 300000000 },
	[SMALL] = { .media_type = config, .size = 500000 },
	[INDEX] = { .media_type = index_type, .size = 1000 },
};

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(blobs); i++)
		blobs[i].digest = xb_digest_of(blobs[i].media_type, strlen(blobs[i].media_type));
	return 0;
}

/* The story that all ways of showing tell: one blob sent, one mounted, one sent that came again. */
static char *tell(enum xb_progress_mode mode)
{
	struct xb_transfers *transfers;
	struct xb_transfer_watch watch;

	capture_begin();
	transfers = xb_transfers_new(mode);
	watch = xb_transfers_watch(transfers);
	if (watch.moving != NULL) {
		watch.moving(watch.context, &blobs[BIG], 200000000);
		watch.moving(watch.context, &blobs[BIG], 100000000); /* begun again */
		watch.moving(watch.context, &blobs[BIG], 300000000);
		watch.done(watch.context, &blobs[BIG], XB_TRANSFER_MOVED);
		watch.done(watch.context, &blobs[SMALL], XB_TRANSFER_MOUNTED);
		watch.done(watch.context, &blobs[INDEX], XB_TRANSFER_MOVED);
		watch.moving(watch.context, &blobs[SMALL], 100000); /* never arrives */
	}
	xb_transfers_free(transfers);
	return capture_end();
}

static void a_log_has_a_line_for_each_blob_that_arrived(void **state)
{
	xb_autofree char *said = tell(XB_PROGRESS_PLAIN);
	xb_autofree char *wanted = xb_format("     0.0s %.19s 300.0 MB\n"
					     "blobs: 1 moved (300.0 MB), 1 mounted, "
					     "0 already there\n",
					     blobs[BIG].digest.text);

	(void)state;
	assert_string_equal(said, wanted);
}

static void a_terminal_shows_what_is_on_its_way(void **state)
{
	xb_autofree char *said = tell(XB_PROGRESS_TTY);
	xb_autofree char *line = xb_format("%.19s 200.0 of 300.0 MB\n", blobs[BIG].digest.text);
	const char *shown, *taken_down, *end = strstr(said, "blobs: 1 moved");

	(void)state;
	shown = strstr(said, line);
	assert_non_null(shown);
	/* the picture of one line is taken down before the line that stays */
	taken_down = strstr(shown, "\033[1A\033[J");
	assert_non_null(taken_down);
	assert_non_null(strstr(taken_down, "300.0 MB\n"));
	assert_non_null(end);
	assert_null(strstr(end, "\033"));
}

static void programs_get_an_object_for_each(void **state)
{
	xb_autofree char *said = tell(XB_PROGRESS_RAWJSON);
	struct xb_view rest = xb_view(said), line;
	static const char *const ways[] = { "moved", "mounted", "moved" };
	size_t count = 0;

	(void)state;
	while (xb_view_split(&rest, '\n', &line) && line.len > 0) {
		xb_auto_json json_t *object = json_loadb(line.data, line.len, 0, NULL);

		assert_non_null(object);
		assert_string_equal(json_string_value(json_object_get(object, "digest")),
				    blobs[count].digest.text);
		assert_string_equal(json_string_value(json_object_get(object, "way")), ways[count]);
		assert_int_equal(json_integer_value(json_object_get(object, "size")),
				 blobs[count].size);
		assert_int_equal(json_integer_value(json_object_get(object, "bytes")),
				 count == SMALL ? 0 : blobs[count].size);
		count++;
	}
	assert_int_equal(count, XB_COUNT(ways));
}

static void nothing_is_said_when_nobody_asked(void **state)
{
	xb_autofree char *quiet = tell(XB_PROGRESS_QUIET);
	struct xb_transfers *transfers;
	xb_autofree char *nothing = NULL;

	(void)state;
	assert_string_equal(quiet, "");
	capture_begin();
	transfers = xb_transfers_new(XB_PROGRESS_PLAIN);
	xb_transfers_free(transfers);
	nothing = capture_end();
	assert_string_equal(nothing, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_has_a_line_for_each_blob_that_arrived),
		cmocka_unit_test(a_terminal_shows_what_is_on_its_way),
		cmocka_unit_test(programs_get_an_object_for_each),
		cmocka_unit_test(nothing_is_said_when_nobody_asked),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
