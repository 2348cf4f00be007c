/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "builder/cli/report.h"

#define TICK_MS		100
#define NS_PER_SECOND	1e9
#define DEFAULT_COLUMNS 80
#define DEFAULT_ROWS	24

/* HELD: the same step is being carried out elsewhere. PACKING: it is done but for its layer. */
enum step_state { WAITING, HELD, RUNNING, PACKING, FINISHED };

/* What is known of one step. */
struct seen {
	enum step_state state;
	uint64_t started;
	char *last; /* last line of output, quoted */
};

struct xb_progress {
	const struct xb_plan *plan;
	enum xb_progress_mode mode;
	struct seen *steps;
	size_t live; /* lines of the picture that is on the terminal now */
	size_t ran;
	size_t cached;
	uint64_t started;
};

int xb_progress_mode(const char *text, enum xb_progress_mode *ret, struct xb_error *err)
{
	static const char *const names[] = {
		[XB_PROGRESS_PLAIN] = "plain",
		[XB_PROGRESS_TTY] = "tty",
		[XB_PROGRESS_QUIET] = "quiet",
		[XB_PROGRESS_RAWJSON] = "rawjson",
	};

	if (text == NULL || strcmp(text, "auto") == 0) {
		*ret = isatty(STDERR_FILENO) == 1 ? XB_PROGRESS_TTY : XB_PROGRESS_PLAIN;
		return 0;
	}
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum xb_progress_mode)i;
			return 0;
		}
	}
	(void)xb_error_set(err, -EINVAL, "--progress %s is not known", text);
	(void)xb_error_hint(err, "use auto, plain, tty, quiet or rawjson");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

struct xb_progress *xb_progress_new(const struct xb_plan *plan, enum xb_progress_mode mode)
{
	struct xb_progress *p = xb_calloc(1, sizeof(*p));

	p->plan = plan;
	p->mode = mode;
	p->steps = xb_calloc(plan->step_count, sizeof(*p->steps));
	p->started = xb_clock_monotonic();
	return p;
}

static double seconds_since(uint64_t then, uint64_t now)
{
	return now > then ? (double)(now - then) / NS_PER_SECOND : 0.0;
}

/* Foreign text made safe for a terminal; tabs, which commands line columns up with, stay. */
static void append_safe(struct xb_str *out, const char *text)
{
	struct xb_view rest = xb_view(text);
	struct xb_view part;
	bool first = true;

	while (xb_view_split(&rest, '\t', &part)) {
		if (!first)
			(void)xb_str_putc(out, '\t');
		(void)xb_str_append_quoted(out, part);
		first = false;
	}
}

/* ---- the live picture --------------------------------------------------------------------- */

static struct winsize terminal(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
		return (struct winsize){ .ws_col = DEFAULT_COLUMNS, .ws_row = DEFAULT_ROWS };
	return size;
}

static void erase(struct xb_progress *p)
{
	if (p->live > 0)
		(void)fprintf(stderr, "\033[%zuA\033[J", p->live);
	p->live = 0;
}

/* Print at most `width` columns of `text`; each character counts as one, a tab becomes a blank. */
static void print_cut(const char *text, size_t width)
{
	size_t shown = 0;

	for (; *text != '\0'; text++) {
		bool continuation = ((unsigned char)*text & 0xC0U) == 0x80U;

		if (!continuation && shown++ >= width)
			break;
		(void)fputc(*text == '\t' ? ' ' : *text, stderr);
	}
}

static void draw_step(struct xb_progress *p, size_t index, size_t width)
{
	const struct seen *seen = &p->steps[index];
	double seconds = seconds_since(seen->started, xb_clock_monotonic());

	(void)fprintf(stderr, " %7.1fs ", seconds);
	print_cut(p->plan->steps[index].title, width > 11 ? width - 11 : 1);
	(void)fputs("\n", stderr);
	p->live++;
	if (seen->last != NULL) {
		(void)fputs("          | ", stderr);
		print_cut(seen->last, width > 13 ? width - 13 : 1);
		(void)fputs("\n", stderr);
		p->live++;
	}
}

static bool is_shown(enum step_state state)
{
	return state == HELD || state == RUNNING || state == PACKING;
}

/* The picture stays below the terminal's height: what has scrolled away cannot be taken down. */
static void draw(struct xb_progress *p)
{
	struct winsize size = terminal();

	for (size_t i = 0; i < p->plan->step_count && p->live + 2 < size.ws_row; i++) {
		if (is_shown(p->steps[i].state))
			draw_step(p, i, size.ws_col);
	}
	(void)fflush(stderr);
}

static void tick(void *context)
{
	struct xb_progress *p = context;

	erase(p);
	draw(p);
}

/* ---- events ------------------------------------------------------------------------------- */

static void say(struct xb_progress *p, const struct xb_event *event)
{
	const char *title = p->plan->steps[event->step].title;
	double seconds = seconds_since(p->steps[event->step].started, event->time);
	xb_auto_str struct xb_str safe = XB_STR_INIT(XB_STR_OWN);

	if (event->text != NULL)
		append_safe(&safe, event->text);
	switch (event->kind) {
	case XB_EVENT_STARTED:
		(void)fprintf(stderr, "#%zu %s\n", event->step, title);
		break;
	case XB_EVENT_CACHED:
		(void)fprintf(stderr, "#%zu CACHED %s\n", event->step, title);
		break;
	case XB_EVENT_OUTPUT:
		(void)fprintf(stderr, "#%zu %.3f %s\n", event->step, seconds, xb_str_text(&safe));
		break;
	case XB_EVENT_WARNING:
		(void)fprintf(stderr, "#%zu WARNING: %s\n", event->step, xb_str_text(&safe));
		break;
	case XB_EVENT_DONE:
		if (p->steps[event->step].state == RUNNING)
			(void)fprintf(stderr, "#%zu DONE %.1fs\n", event->step, seconds);
		break;
	case XB_EVENT_FAILED:
		(void)fprintf(stderr, "#%zu FAILED %s\n", event->step, title);
		break;
	case XB_EVENT_CANCELLED:
		if (p->steps[event->step].state == RUNNING)
			(void)fprintf(stderr, "#%zu CANCELLED %s\n", event->step, title);
		break;
	case XB_EVENT_WAITING:
		(void)fprintf(stderr, "#%zu WAITING for %s: %s\n", event->step, xb_str_text(&safe),
			      title);
		break;
	case XB_EVENT_PACKING:
		(void)fprintf(stderr, "#%zu PACKING %s\n", event->step, title);
		break;
	case XB_EVENT_PACKED:
		(void)fprintf(stderr, "#%zu PACKED %.1fs\n", event->step, seconds);
		break;
	}
}

static void picture(struct xb_progress *p, const struct xb_event *event)
{
	const char *title = p->plan->steps[event->step].title;
	double seconds = seconds_since(p->steps[event->step].started, event->time);
	bool ran = p->steps[event->step].state == RUNNING;

	erase(p);
	if (event->kind == XB_EVENT_CACHED)
		(void)fprintf(stderr, "   cached %s\n", title);
	else if (event->kind == XB_EVENT_DONE && ran)
		(void)fprintf(stderr, " %7.1fs %s\n", seconds, title);
	else if (event->kind == XB_EVENT_FAILED)
		(void)fprintf(stderr, "   FAILED %s\n", title);
	else if (event->kind == XB_EVENT_CANCELLED && ran)
		(void)fprintf(stderr, " stopped %s\n", title);
	else if (event->kind == XB_EVENT_WARNING)
		say(p, event);
	else if (event->kind == XB_EVENT_PACKED)
		(void)fprintf(stderr, " %7.1fs packing %s\n", seconds, title);
}

static void json(struct xb_progress *p, const struct xb_event *event)
{
	static const char *const names[] = {
		[XB_EVENT_STARTED] = "started",	    [XB_EVENT_CACHED] = "cached",
		[XB_EVENT_OUTPUT] = "output",	    [XB_EVENT_WARNING] = "warning",
		[XB_EVENT_DONE] = "done",	    [XB_EVENT_FAILED] = "failed",
		[XB_EVENT_CANCELLED] = "cancelled", [XB_EVENT_WAITING] = "waiting",
		[XB_EVENT_PACKING] = "packing",	    [XB_EVENT_PACKED] = "packed",
	};
	const struct xb_step *step = &p->plan->steps[event->step];
	xb_auto_json json_t *object = json_object();
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);

	xb_json_set_string(object, "event", names[event->kind]);
	xb_json_set_u64(object, "step", event->step);
	xb_json_set_string(object, "title", step->title);
	xb_json_set_string(object, "platform", xb_platform_name(&step->platform).text);
	xb_json_set_string(object, "strategy", xb_plan_strategy_name(p->plan, step));
	xb_json_set_u64(object, "time", event->time - p->started);
	if (event->kind == XB_EVENT_OUTPUT)
		xb_json_set_u64(object, "stream", (uint64_t)event->stream);
	xb_json_set_string(object, "text", event->text);
	if (xb_json_write(object, &line, NULL) == 0)
		(void)fprintf(stderr, "%s\n", xb_str_text(&line));
}

static void show(struct xb_progress *p, const struct xb_event *event)
{
	switch (p->mode) {
	case XB_PROGRESS_PLAIN:
		say(p, event);
		break;
	case XB_PROGRESS_TTY:
		picture(p, event);
		break;
	case XB_PROGRESS_QUIET:
		if (event->kind == XB_EVENT_WARNING)
			say(p, event);
		break;
	case XB_PROGRESS_RAWJSON:
		json(p, event);
		break;
	}
}

/* What stands below a step's line in the picture. */
static void set_last(struct seen *seen, const char *before, const char *text)
{
	xb_auto_str struct xb_str safe = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_puts(&safe, before);
	(void)xb_str_append_quoted(&safe, xb_view(text));
	free(seen->last);
	seen->last = xb_str_steal(&safe);
}

static void remember(struct xb_progress *p, const struct xb_event *event)
{
	struct seen *seen = &p->steps[event->step];

	switch (event->kind) {
	case XB_EVENT_STARTED:
		seen->state = RUNNING;
		free(XB_STEAL(seen->last));
		p->ran++;
		break;
	case XB_EVENT_CACHED:
		/* asked for elsewhere, and found to be what the store has */
		if (seen->state == RUNNING)
			p->ran--;
		p->cached += p->plan->steps[event->step].kind != XB_STEP_BASE;
		seen->state = FINISHED;
		break;
	case XB_EVENT_OUTPUT:
		set_last(seen, "", event->text);
		break;
	case XB_EVENT_WAITING:
		seen->state = HELD;
		set_last(seen, "waiting for ", event->text);
		break;
	case XB_EVENT_PACKING:
		seen->state = PACKING;
		set_last(seen, "packing", "");
		break;
	case XB_EVENT_PACKED:
	case XB_EVENT_DONE:
	case XB_EVENT_FAILED:
	case XB_EVENT_CANCELLED:
		seen->state = FINISHED;
		break;
	case XB_EVENT_WARNING:
		break;
	}
}

static void observe(void *context, const struct xb_event *event)
{
	struct xb_progress *p = context;

	if (event->kind == XB_EVENT_STARTED || event->kind == XB_EVENT_WAITING ||
	    event->kind == XB_EVENT_PACKING)
		p->steps[event->step].started = event->time;
	show(p, event);
	remember(p, event);
	if (p->mode == XB_PROGRESS_TTY)
		draw(p);
}

static void failed(void *context, size_t step, const struct xb_error *error)
{
	(void)step;
	erase(context);
	xb_report_error(error);
}

struct xb_observer xb_progress_observer(struct xb_progress *progress)
{
	bool live = progress->mode == XB_PROGRESS_TTY;

	return (struct xb_observer){
		.context = progress,
		.event = observe,
		.failed = failed,
		.tick = live ? tick : NULL,
		.tick_ms = live ? TICK_MS : 0,
	};
}

void xb_progress_summary(struct xb_progress *progress, const struct xb_strv *kept)
{
	double seconds = seconds_since(progress->started, xb_clock_monotonic());

	erase(progress);
	for (size_t i = 0; progress->mode == XB_PROGRESS_PLAIN && i < kept->len; i++) {
		xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);

		append_safe(&line, kept->items[i]);
		(void)fprintf(stderr, "%s is unchanged and left as it is\n", xb_str_text(&line));
	}
	if (progress->mode == XB_PROGRESS_PLAIN || progress->mode == XB_PROGRESS_TTY)
		(void)fprintf(stderr, "%zu steps run, %zu from the cache, %.1fs\n", progress->ran,
			      progress->cached, seconds);
}

void xb_progress_free(struct xb_progress *progress)
{
	if (progress == NULL)
		return;
	erase(progress);
	for (size_t i = 0; i < progress->plan->step_count; i++)
		free(progress->steps[i].last);
	free(progress->steps);
	free(progress);
}
