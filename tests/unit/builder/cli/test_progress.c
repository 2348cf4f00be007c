/* SPDX-License-Identifier: Apache-2.0 */
/* Progress: what a build's events look like on standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "builder/cli/progress.h"
#include "tests/unit/builder/cli/capture.h"

#define NS_PER_MS 1000000ULL

static struct xb_step steps[] = {
	{ .kind = XB_STEP_BASE,
	  .title = "[linux/amd64 app] FROM base",
	  .platform = { .os = "linux", .arch = "amd64" } },
	{ .kind = XB_STEP_RUN,
	  .title = "[linux/arm64 app 2/3] RUN make",
	  .strategy = XB_STRATEGY_EMULATED,
	  .platform = { .os = "linux", .arch = "arm64" } },
	{ .kind = XB_STEP_COPY,
	  .title = "[linux/arm64 app 3/3] COPY a b",
	  .platform = { .os = "linux", .arch = "arm64" } },
};
static struct xb_plan_target target = { .platform = { .os = "linux", .arch = "arm64" } };
static const struct xb_plan plan = {
	.build_platform = { .os = "linux", .arch = "amd64" },
	.steps = steps,
	.step_count = 3,
	.targets = &target,
	.target_count = 1,
};

/* What happened; `ms` from now on. */
struct told {
	enum xb_event_kind kind;
	size_t step;
	int stream;
	uint64_t ms;
	const char *text;
};

static const struct told story[] = {
	{ XB_EVENT_CACHED, 0, 0, 0, NULL },
	{ XB_EVENT_DONE, 0, 0, 0, NULL },
	{ XB_EVENT_STARTED, 1, 0, 0, NULL },
	{ XB_EVENT_OUTPUT, 1, 1, 1500, "gcc\t-c x.c" },
	{ XB_EVENT_OUTPUT, 1, 2, 1750, "warning: \x1b[31mred\x1b[0m \xff" },
	{ XB_EVENT_OUTPUT, 1, 1, 1800, "" },
	{ XB_EVENT_WARNING, 1, 0, 1900, "a file\x07 was skipped" },
	{ XB_EVENT_DONE, 1, 0, 2000, NULL },
	{ XB_EVENT_STARTED, 2, 0, 2000, NULL },
	{ XB_EVENT_FAILED, 2, 0, 3000, NULL },
	{ XB_EVENT_STARTED, 1, 0, 3000, NULL },
	{ XB_EVENT_CANCELLED, 1, 0, 4000, NULL },
	{ XB_EVENT_CANCELLED, 2, 0, 4000, NULL },
	{ XB_EVENT_WAITING, 2, 0, 4000, "process 12, which has been at the same step for 3s" },
	{ XB_EVENT_CACHED, 2, 0, 5000, NULL },
	{ XB_EVENT_DONE, 2, 0, 5000, NULL },
	{ XB_EVENT_PACKING, 1, 0, 5000, NULL },
	{ XB_EVENT_PACKED, 1, 0, 6500, NULL },
};

/* Tell the story, and return what was written. */
static char *written(enum xb_progress_mode mode, bool summary)
{
	struct xb_progress *progress = xb_progress_new(&plan, mode);
	struct xb_observer observer = xb_progress_observer(progress);
	uint64_t start = xb_clock_monotonic();

	capture_begin();
	for (size_t i = 0; i < XB_COUNT(story); i++) {
		struct xb_event event = {
			.kind = story[i].kind,
			.step = story[i].step,
			.stream = story[i].stream,
			.time = start + story[i].ms * NS_PER_MS,
			.text = xb_strdup(story[i].text),
		};

		observer.event(observer.context, &event);
		if (observer.tick != NULL)
			observer.tick(observer.context);
		xb_event_clear(&event);
	}
	if (summary)
		xb_progress_summary(progress, &(struct xb_strv){ 0 });
	xb_progress_free(progress);
	return capture_end();
}

static void test_plain(void **state)
{
	xb_autofree char *text = written(XB_PROGRESS_PLAIN, false);

	(void)state;
	assert_string_equal(text, "#0 CACHED [linux/amd64 app] FROM base\n"
				  "#1 [linux/arm64 app 2/3] RUN make\n"
				  "#1 1.500 gcc\t-c x.c\n"
				  "#1 1.750 warning: \\x1b[31mred\\x1b[0m \\xff\n"
				  "#1 1.800 \n"
				  "#1 WARNING: a file\\x07 was skipped\n"
				  "#1 DONE 2.0s\n"
				  "#2 [linux/arm64 app 3/3] COPY a b\n"
				  "#2 FAILED [linux/arm64 app 3/3] COPY a b\n"
				  "#1 [linux/arm64 app 2/3] RUN make\n"
				  /* what had not begun is not worth a line */
				  "#1 CANCELLED [linux/arm64 app 2/3] RUN make\n"
				  "#2 WAITING for process 12, which has been at the same step for "
				  "3s: [linux/arm64 app 3/3] COPY a b\n"
				  "#2 CACHED [linux/arm64 app 3/3] COPY a b\n"
				  "#1 PACKING [linux/arm64 app 2/3] RUN make\n"
				  "#1 PACKED 1.5s\n");
}

static void test_summary(void **state)
{
	xb_autofree char *plain = written(XB_PROGRESS_PLAIN, true);
	xb_autofree char *quiet = written(XB_PROGRESS_QUIET, true);

	(void)state;
	/* a base image is no step that the cache saved */
	assert_non_null(strstr(plain, "3 steps run, 1 from the cache, "));
	assert_null(strstr(quiet, "steps run"));
}

static void test_quiet(void **state)
{
	xb_autofree char *text = written(XB_PROGRESS_QUIET, true);

	(void)state;
	assert_string_equal(text, "#1 WARNING: a file\\x07 was skipped\n");
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "(none)";
}

static void test_rawjson(void **state)
{
	static const char *const names[] = { "cached",	  "done",    "started", "output",
					     "output",	  "output",  "warning", "done",
					     "started",	  "failed",  "started", "cancelled",
					     "cancelled", "waiting", "cached",	"done",
					     "packing",	  "packed" };
	xb_autofree char *text = written(XB_PROGRESS_RAWJSON, true);
	struct xb_view rest = xb_view(text);
	struct xb_view line;
	uint64_t last = 0;
	size_t n = 0;

	(void)state;
	while (xb_view_split(&rest, '\n', &line) && line.len > 0) {
		xb_auto_json json_t *object = NULL;
		uint64_t time = 0;

		/* each line is a whole document, and safe to show */
		assert_int_equal(xb_json_parse(line, 1 << 20, &object, NULL), 0);
		for (size_t i = 0; i < line.len; i++)
			assert_true((unsigned char)line.data[i] >= 0x20);
		assert_true(n < XB_COUNT(names));
		assert_string_equal(text_at(object, "event"), names[n]);
		assert_int_equal(json_integer_value(json_object_get(object, "step")),
				 story[n].step);
		assert_string_equal(text_at(object, "title"), steps[story[n].step].title);
		assert_int_equal(json_object_get(object, "stream") != NULL,
				 story[n].kind == XB_EVENT_OUTPUT);
		assert_int_equal(xb_json_get_u64(object, "time", &time, NULL), 0);
		assert_true(time >= last);
		last = time;
		if (n == 3) {
			assert_string_equal(text_at(object, "text"), "gcc\t-c x.c");
			assert_int_equal(json_integer_value(json_object_get(object, "stream")), 1);
			assert_string_equal(text_at(object, "platform"), "linux/arm64");
			assert_string_equal(text_at(object, "strategy"), "emulated");
		}
		if (n == 5)
			assert_string_equal(text_at(object, "text"), "");
		n++;
	}
	assert_int_equal(n, XB_COUNT(names));
}

/* The live picture: whatever it shows, it takes down again, and foreign bytes stay text. */
static void test_tty(void **state)
{
	xb_autofree char *text = written(XB_PROGRESS_TTY, true);
	int lines = 0;

	(void)state;
	assert_non_null(strstr(text, "   cached [linux/amd64 app] FROM base\n"));
	assert_non_null(strstr(text, "     2.0s [linux/arm64 app 2/3] RUN make\n"));
	assert_non_null(strstr(text, "   FAILED [linux/arm64 app 3/3] COPY a b\n"));
	assert_null(strstr(text, "\x1b[31m"));
	assert_null(strchr(text, '\x07'));
	/* the only sequences are ours: up, and erase to the end */
	for (const char *c = strchr(text, '\x1b'); c != NULL; c = strchr(c + 1, '\x1b')) {
		int up = 0;
		int used = 0;

		if (sscanf(c, "\x1b[%dA%n", &up, &used) == 1 && used > 0) {
			assert_true(up > 0 && up <= 4);
			lines++;
		} else {
			assert_int_equal(strncmp(c, "\x1b[J", 3), 0);
		}
	}
	assert_true(lines > 0);
}

/* More steps at once than the terminal (24 lines of 80, where nobody says) has room for. */
static void test_tty_small(void **state)
{
	static struct xb_step many[100];
	struct xb_plan large = plan;
	struct xb_progress *progress;
	struct xb_observer observer;
	xb_autofree char *text = NULL;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(many); i++)
		many[i] = steps[1];
	large.steps = many;
	large.step_count = XB_COUNT(many);
	progress = xb_progress_new(&large, XB_PROGRESS_TTY);
	observer = xb_progress_observer(progress);
	capture_begin();
	for (size_t i = 0; i < XB_COUNT(many); i++) {
		char line[] = "\ta line that is long enough to be wider than the terminal, with a "
			      "tab before it and one\tin it";
		struct xb_event started = { .kind = XB_EVENT_STARTED, .step = i };
		struct xb_event output = { .kind = XB_EVENT_OUTPUT, .step = i, .text = line };

		observer.event(observer.context, &started);
		observer.event(observer.context, &output);
	}
	xb_progress_free(progress);
	text = capture_end();
	assert_null(strchr(text, '\t'));
	for (const char *c = strchr(text, '\x1b'); c != NULL; c = strchr(c + 1, '\x1b')) {
		int up = 0;

		if (sscanf(c, "\x1b[%dA", &up) == 1)
			assert_true(up < 24);
	}
	for (struct xb_view rest = xb_view(text), line; xb_view_split(&rest, '\n', &line);) {
		while (xb_view_starts(line, XB_VIEW("\x1b")))
			line = xb_view_sub(line, strcspn(line.data, "AJ") + 1, line.len);
		assert_true(line.len < 80);
	}
}

static void test_mode(void **state)
{
	static const struct {
		const char *text;
		enum xb_progress_mode mode;
	} good[] = {
		{ "plain", XB_PROGRESS_PLAIN },
		{ "tty", XB_PROGRESS_TTY },
		{ "quiet", XB_PROGRESS_QUIET },
		{ "rawjson", XB_PROGRESS_RAWJSON },
	};
	static const char *const bad[] = { "", "PLAIN", "json", "plain " };
	enum xb_progress_mode mode = XB_PROGRESS_QUIET;
	int r;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(good); i++) {
		assert_int_equal(xb_progress_mode(good[i].text, &mode, NULL), 0);
		assert_int_equal(mode, good[i].mode);
	}
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_true(xb_progress_mode(bad[i], &mode, &err) < 0);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		assert_non_null(err.hint);
	}
	/* a file is no terminal */
	capture_begin();
	r = xb_progress_mode(NULL, &mode, NULL);
	free(capture_end());
	assert_int_equal(r, 0);
	assert_int_equal(mode, XB_PROGRESS_PLAIN);
	capture_begin();
	r = xb_progress_mode("auto", &mode, NULL);
	free(capture_end());
	assert_int_equal(r, 0);
	assert_int_equal(mode, XB_PROGRESS_PLAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_summary),
		cmocka_unit_test(test_quiet), cmocka_unit_test(test_rawjson),
		cmocka_unit_test(test_tty),   cmocka_unit_test(test_tty_small),
		cmocka_unit_test(test_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
