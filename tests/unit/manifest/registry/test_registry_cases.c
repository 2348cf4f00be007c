/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client against a registry that does as it is told: each case in the files of cases/ says what
 * is wanted, which requests have to come, what they get, and what comes out. The form of the files
 * is in cases/README.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>

#include "base/clock.h"
#include "base/file.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "manifest/registry/registry.h"
#include "tests/unit/base/http_server.h"
#include "tests/unit/scratch.h"

#define CASES "tests/unit/manifest/registry/cases"

/* bytes of the blobs "big" and "large" */
enum { BIG = 200000, LARGE = 600000 };

#define CONFIG_DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

/* What cases call by a name: contents, and then their digests. */
static struct content {
	const char *name;
	const char *text;
	struct xb_digest digest;
} contents[] = {
	{ "index",
	  "{\"schemaVersion\":2,\"mediaType\":\"" XB_MEDIA_OCI_INDEX
	  "\",\"manifests\":[{\"mediaType\":\"" XB_MEDIA_OCI_MANIFEST
	  "\",\"digest\":\"" CONFIG_DIGEST "\",\"size\":2,\"artifactType\":\"a/b\"}]}",
	  { "" } },
	{ "manifest",
	  "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" XB_MEDIA_OCI_CONFIG
	  "\",\"digest\":\"" CONFIG_DIGEST "\",\"size\":2},\"layers\":[]}",
	  { "" } },
	{ "list",
	  "{\"schemaVersion\":2,\"mediaType\":\"" XB_MEDIA_DOCKER_INDEX "\",\"manifests\":[]}",
	  { "" } },
	{ "signature",
	  "{\"schemaVersion\":2,\"mediaType\":\"" XB_MEDIA_OCI_INDEX
	  "\",\"artifactType\":\"a/b\",\"manifests\":[],\"subject\":{\"mediaType\":"
	  "\"" XB_MEDIA_OCI_MANIFEST "\",\"digest\":\"" CONFIG_DIGEST "\",\"size\":2}}",
	  { "" } },
	{ "small", "hello", { "" } },
	{ "other", "world", { "" } },
	{ "empty", "", { "" } },
	/* media types */
	{ "OI", XB_MEDIA_OCI_INDEX, { "" } },
	{ "OM", XB_MEDIA_OCI_MANIFEST, { "" } },
	{ "DI", XB_MEDIA_DOCKER_INDEX, { "" } },
	/* text that can be told apart at each offset, without NUL */
	{ "big", NULL, { "" } },
	{ "large", NULL, { "" } },
};

/* One case as its file has it. */
struct sample {
	char *name;
	char *what;	      /* the line behind "do" */
	struct xb_strv texts; /* what the steps point to */
	struct server_step steps[24];
	size_t step_count;
	char *outcome;
};
struct samples XB_ARRAY(struct sample);

static char *numbers(size_t size)
{
	char *text = xb_alloc(size + 1);

	for (size_t i = 0; i < size; i += 8)
		(void)snprintf(text + i, 9, "%07zu.", i / 8);
	return text;
}

static void fill_contents(void)
{
	contents[XB_COUNT(contents) - 2].text = numbers(BIG);
	contents[XB_COUNT(contents) - 1].text = numbers(LARGE);
	for (size_t i = 0; i < XB_COUNT(contents); i++)
		contents[i].digest = xb_digest_of(contents[i].text, strlen(contents[i].text));
}

static const struct content *find_content(struct xb_view name)
{
	for (size_t i = 0; i < XB_COUNT(contents); i++) {
		if (xb_view_is(name, contents[i].name))
			return &contents[i];
	}
	return NULL;
}

/* {big} is a content, {big:10} its first bytes, {big:10-} those from there on, {big.digest} and
 * {big.size} what they are called; others stay as they are. */
static void expand_one(struct xb_view piece, struct xb_str *s)
{
	const struct content *content;
	struct xb_view rest, name, digits;
	ptrdiff_t inner;
	uint64_t at = 0;

	/* the braces of a document stay */
	while ((inner = xb_view_find(piece, '{')) >= 0) {
		(void)xb_str_printf(s, "{%.*s", (int)inner, piece.data);
		piece = xb_view_sub(piece, (size_t)inner + 1, piece.len);
	}
	rest = piece;
	if (xb_view_ends(piece, XB_VIEW(".digest")))
		name = xb_view_sub(piece, 0, piece.len - 7);
	else if (xb_view_ends(piece, XB_VIEW(".size")))
		name = xb_view_sub(piece, 0, piece.len - 5);
	else
		(void)xb_view_split(&rest, ':', &name);
	content = find_content(name);
	if (content == NULL) {
		(void)xb_str_printf(s, "{%.*s}", XB_VIEW_ARGS(piece));
	} else if (xb_view_ends(piece, XB_VIEW(".digest"))) {
		(void)xb_str_puts(s, content->digest.text);
	} else if (xb_view_ends(piece, XB_VIEW(".size"))) {
		(void)xb_str_printf(s, "%zu", strlen(content->text));
	} else if (rest.data == NULL) {
		(void)xb_str_puts(s, content->text);
	} else {
		(void)xb_view_split(&rest, '-', &digits);
		assert_int_equal(xb_view_parse_u64(digits, LARGE, &at), 0);
		if (rest.data != NULL)
			(void)xb_str_puts(s, content->text + at);
		else
			(void)xb_str_append(s, content->text, at);
	}
}

static char *expand(struct xb_view text)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(XB_STR_OWN);
	struct xb_view before, piece;

	while (xb_view_split(&text, '{', &before)) {
		(void)xb_str_append_view(&s, before);
		if (text.data == NULL)
			break;
		if (xb_view_find(text, '}') < 0 || !xb_view_split(&text, '}', &piece))
			break;
		expand_one(piece, &s);
	}
	return xb_str_steal(&s);
}

/* One line of a request: a further piece of what it has to hold. */
static void add_expected(struct sample *c, struct server_step *step, struct xb_view text,
			 const char *mark)
{
	xb_autofree char *piece = expand(text);
	char *joined = xb_format("%s%s%s%s", step->expect != NULL ? step->expect : "",
				 step->expect != NULL ? "|" : "", mark, piece);

	xb_strv_take(&c->texts, joined);
	step->expect = joined;
}

static void set_reply(struct sample *c, struct server_step *step, char *reply)
{
	xb_strv_take(&c->texts, reply);
	step->reply = reply;
}

/* A reply's status: its headers and body follow. */
static void begin_reply(struct sample *c, struct server_step *step, struct xb_view text)
{
	set_reply(c, step, xb_format("HTTP/1.1 %.*s\r\nConnection: close\r\n", XB_VIEW_ARGS(text)));
}

static void add_header(struct sample *c, struct server_step *step, struct xb_view text)
{
	xb_autofree char *line = expand(text);

	set_reply(c, step, xb_format("%s%s\r\n", step->reply, line));
}

/* The body, with its length unless a header says another. */
static void end_reply(struct sample *c, struct server_step *step, struct xb_view text)
{
	xb_autofree char *body = expand(text);
	char *line_end = strstr(body, "\\n"); /* stands for the end of a line */
	bool said = strstr(step->reply, "Content-Length:") != NULL ||
		    strstr(step->reply, "Transfer-Encoding:") != NULL;

	if (line_end != NULL)
		memcpy(line_end, "\r\n", 2);
	if (said)
		set_reply(c, step, xb_format("%s\r\n%s", step->reply, body));
	else
		set_reply(c, step,
			  xb_format("%sContent-Length: %zu\r\n\r\n%s", step->reply, strlen(body),
				    body));
}

static void add_tail(struct server_step *step, struct xb_view word)
{
	if (xb_view_is(word, "reset"))
		step->tail = TAIL_RESET;
	else if (xb_view_is(word, "endless"))
		step->tail = TAIL_ENDLESS;
	else
		fail_msg("no such tail: %.*s", XB_VIEW_ARGS(word));
}

/* The lines that say something of one step; `word` is their mark. */
static bool read_step_line(struct sample *c, struct xb_view word, struct xb_view rest)
{
	struct server_step *step = &c->steps[c->step_count > 0 ? c->step_count - 1 : 0];
	uint64_t number = 0;

	if (xb_view_is(word, ">+"))
		add_expected(c, step, rest, "");
	else if (xb_view_is(word, ">-"))
		add_expected(c, step, rest, "!");
	else if (xb_view_is(word, ">to"))
		step->port = xb_view_is(rest, "1");
	else if (xb_view_is(word, ">only") && xb_view_parse_u64(rest, LARGE, &number) == 0)
		step->read_max = (size_t)number;
	else if (xb_view_is(word, "<"))
		begin_reply(c, step, rest);
	else if (xb_view_is(word, "<+"))
		add_header(c, step, rest);
	else if (xb_view_is(word, "<body"))
		end_reply(c, step, rest);
	else if (xb_view_is(word, "<close"))
		step->reply = "";
	else if (xb_view_is(word, "<tail"))
		add_tail(step, rest);
	else
		return false;
	return true;
}

static void read_line(struct samples *all, const char *file, size_t number, struct xb_view line)
{
	struct xb_view rest = line, word;
	struct sample *c = all->len > 0 ? &all->items[all->len - 1] : NULL;

	if (line.len == 0 || line.data[0] == '#')
		return;
	(void)xb_view_split(&rest, ' ', &word);
	if (xb_view_is(word, "case")) {
		xb_array_push(all)->name = xb_format("%s: %.*s", file, XB_VIEW_ARGS(rest));
	} else if (c != NULL && xb_view_is(word, "do")) {
		c->what = expand(rest);
	} else if (c != NULL && xb_view_is(word, "=")) {
		c->outcome = expand(rest);
	} else if (c != NULL && xb_view_is(word, ">")) {
		if (c->step_count + 1 == XB_COUNT(c->steps))
			fail_msg("%s:%zu: too many steps", file, number);
		add_expected(c, &c->steps[c->step_count++], rest, "");
	} else if (c == NULL || !read_step_line(c, word, rest)) {
		fail_msg("%s:%zu: %.*s", file, number, XB_VIEW_ARGS(line));
	}
}

/* A reply that has only a status and headers ends here. */
static void close_replies(struct sample *c)
{
	for (size_t i = 0; i < c->step_count; i++) {
		struct server_step *step = &c->steps[i];

		if (step->reply == NULL)
			fail_msg("%s: step %zu has no reply", c->name, i);
		if (step->reply[0] != '\0' && strstr(step->reply, "\r\n\r\n") == NULL)
			end_reply(c, step, XB_VIEW(""));
	}
}

static void read_file(struct samples *all, const char *name)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(1 << 20);
	xb_autofree char *path = xb_format(CASES "/%s", name);
	struct xb_view rest, line;

	assert_int_equal(xb_file_read(path, &text, NULL), 0);
	rest = xb_str_view(&text);
	for (size_t number = 1; xb_view_split(&rest, '\n', &line); number++)
		read_line(all, name, number, line);
}

static void read_files(struct samples *all)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	DIR *dir = opendir(CASES);
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (xb_view_ends(xb_view(entry->d_name), XB_VIEW(".txt")))
			xb_strv_push(&names, entry->d_name);
	}
	(void)closedir(dir);
	xb_strv_sort(&names);
	for (size_t i = 0; i < names.len; i++)
		read_file(all, names.items[i]);
	for (size_t i = 0; i < all->len; i++)
		close_replies(&all->items[i]);
}

/* what a case does */

/* A run of a case. */
struct run {
	struct xb_registry *registry;
	struct xb_reference ref;
	const struct content *content; /* that is moved */
	struct xb_descriptor blob;     /* of it */
	char *other;		       /* the argument that is none of these */
	struct xb_str got;	       /* the outcome where it worked */
	struct xb_str sink;
	unsigned restarts;
};

static int do_head(struct run *run, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	int r = xb_registry_head(run->registry, &run->ref, &d, err);

	if (r >= 0)
		(void)xb_str_printf(&run->got, "%s %s %llu", d.media_type, d.digest.text,
				    (unsigned long long)d.size);
	return r;
}

static int do_get(struct run *run, struct xb_error *err)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_MANIFEST);
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	int r = xb_registry_get_manifest(run->registry, &run->ref, &bytes, &d, err);

	if (r < 0)
		return r;
	assert_int_equal(d.size, bytes.len);
	(void)xb_str_printf(&run->got, "%s %s %s", d.media_type, d.digest.text,
			    xb_str_text(&bytes));
	return r;
}

static int do_put(struct run *run, struct xb_error *err)
{
	return xb_registry_put_manifest(run->registry, &run->ref, XB_MEDIA_OCI_INDEX,
					xb_view(run->content->text), err);
}

static int do_delete(struct run *run, struct xb_error *err)
{
	return xb_registry_delete_manifest(run->registry, &run->ref, err);
}

static int do_tags(struct run *run, struct xb_error *err)
{
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;
	xb_autofree char *joined = NULL;
	int r = xb_registry_tags(run->registry, &run->ref, &tags, err);

	joined = xb_strv_join(&tags, ",");
	(void)xb_str_puts(&run->got, joined);
	return r;
}

static int do_referrers(struct run *run, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors found = { 0 };
	int r = xb_registry_referrers(run->registry, &run->ref, run->other, &found, err);

	(void)xb_str_printf(&run->got, "%zu", found.len);
	for (size_t i = 0; i < found.len; i++)
		(void)xb_str_printf(&run->got, " %s", found.items[i].digest.text);
	return r;
}

static int do_has(struct run *run, struct xb_error *err)
{
	bool there = false;
	int r = xb_registry_has_blob(run->registry, &run->ref, &run->blob, &there, err);

	(void)xb_str_puts(&run->got, there ? "yes" : "no");
	return r;
}

static int do_mount(struct run *run, struct xb_error *err)
{
	bool mounted = false;
	int r = xb_registry_mount_blob(run->registry, &run->ref, run->other, &run->blob, &mounted,
				       err);

	(void)xb_str_puts(&run->got, mounted ? "yes" : "no");
	return r;
}

static int take(void *context, const void *data, size_t len, struct xb_error *err)
{
	(void)err;
	return xb_str_append(&((struct run *)context)->sink, data, len);
}

static int restart(void *context, struct xb_error *err)
{
	struct run *run = context;

	(void)err;
	xb_str_reset(&run->sink);
	run->restarts++;
	return 0;
}

static int do_pull(struct run *run, struct xb_error *err)
{
	const struct xb_blob_sink sink = { run, take, restart };
	int r = xb_registry_get_blob(run->registry, &run->ref, &run->blob, &sink, err);

	if (r < 0)
		return r;
	assert_string_equal(xb_str_text(&run->sink), run->content->text);
	(void)xb_str_printf(&run->got, "%u restarts", run->restarts);
	return r;
}

static ssize_t give(void *context, uint64_t offset, void *data, size_t size, struct xb_error *err)
{
	const struct run *run = context;
	struct xb_view piece = xb_view_sub(xb_view(run->content->text), (size_t)offset, size);

	(void)err;
	memcpy(data, piece.data, piece.len);
	return (ssize_t)piece.len;
}

static int do_push(struct run *run, struct xb_error *err)
{
	const struct xb_blob_source source = { run, give };

	return xb_registry_put_blob(run->registry, &run->ref, &run->blob, &source, err);
}

static const struct {
	const char *name;
	int (*function)(struct run *run, struct xb_error *err);
} verbs[] = {
	{ "head", do_head },	 { "get", do_get },   { "put", do_put },
	{ "delete", do_delete }, { "tags", do_tags }, { "referrers", do_referrers },
	{ "has", do_has },	 { "pull", do_pull }, { "push", do_push },
	{ "mount", do_mount },
};

/* An argument: ":tag", "@digest", a content, or else what `other` is. */
static void read_argument(struct run *run, struct xb_view word)
{
	const struct content *content = find_content(word);

	if (word.data[0] == ':') {
		run->ref.tag = xb_view_dup(xb_view_sub(word, 1, word.len));
	} else if (word.data[0] == '@') {
		assert_int_equal(
			xb_digest_parse(xb_view_sub(word, 1, word.len), &run->ref.digest, NULL), 0);
	} else if (content != NULL) {
		run->content = content;
		xb_descriptor_init(&run->blob, "application/octet-stream", &content->digest,
				   strlen(content->text));
	} else {
		run->other = xb_view_dup(word);
	}
}

static int run_verb(struct run *run, const char *what, struct xb_error *err)
{
	struct xb_view rest = xb_view(what), verb, word;

	(void)xb_view_split(&rest, ' ', &verb);
	while (xb_view_split(&rest, ' ', &word))
		read_argument(run, word);
	for (size_t i = 0; i < XB_COUNT(verbs); i++) {
		if (xb_view_is(verb, verbs[i].name))
			return verbs[i].function(run, err);
	}
	fail_msg("no such verb: %s", what);
	return -EINVAL;
}

/* "ok TEXT" or "ENAME TEXT", where the message or the hint holds each word of TEXT that "|" parts.
 */
static void check_outcome(const struct sample *c, int r, const struct run *run,
			  const struct xb_error *err)
{
	struct xb_view rest = xb_view(c->outcome), word, piece;
	const char *name = r < 0 ? strerrorname_np(-r) : "ok";
	xb_autofree char *text =
		r < 0 ? xb_format("%s\n%s", err->message, err->hint != NULL ? err->hint : "")
		      : xb_strdup(xb_str_text(&run->got));

	(void)xb_view_split(&rest, ' ', &word);
	if (!xb_view_is(word, name))
		fail_msg("%s: %s instead of %s: %s", c->name, name, c->outcome, text);
	if (r >= 0 && rest.data != NULL && !xb_view_is(rest, text))
		fail_msg("%s: not what was to come out: %s", c->name, text);
	while (r < 0 && xb_view_split(&rest, '|', &piece)) {
		xb_autofree char *wanted = xb_view_dup(piece);

		if (strstr(text, wanted) == NULL)
			fail_msg("%s: not in the error: %s\n%s", c->name, wanted, text);
	}
	if (r < 0 && err->fault == XB_FAULT_NONE)
		fail_msg("%s: no fault class: %s", c->name, text);
}

static void begin_run(struct run *run, const struct server *server,
		      const struct xb_registry_hosts *hosts)
{
	struct xb_registry_options options = XB_REGISTRY_OPTIONS_INIT;

	*run = (struct run){ .got = XB_STR_INIT(1 << 20), .sink = XB_STR_INIT(1 << 20) };
	options.hosts = hosts;
	options.attempts = 4;
	options.pause_ms = 1;
	assert_int_equal(xb_registry_new(&options, &run->registry, NULL), 0);
	run->ref.domain = xb_format("127.0.0.1:%u", server->ports[0]);
	run->ref.path = xb_strdup("r/n");
}

static void end_run(struct run *run)
{
	xb_registry_free(run->registry);
	xb_reference_clear(&run->ref);
	xb_descriptor_clear(&run->blob);
	xb_str_clear(&run->got);
	xb_str_clear(&run->sink);
	free(run->other);
}

/* The second port is a mirror of the first. */
static void use_mirror(const struct server *server)
{
	xb_autofree char *text = xb_format("[[registry]]\nlocation = '127.0.0.1:%u'\n"
					   "[[registry.mirror]]\nlocation = '127.0.0.1:%u'\n",
					   server->ports[0], server->ports[1]);

	scratch_write("registries.conf", text);
	(void)setenv("CONTAINERS_REGISTRIES_CONF", scratch_path("registries.conf"), 1);
}

static void check_case(void **state)
{
	const struct sample *c = *state;
	const char *what = c->what;
	xb_auto_registry_hosts struct xb_registry_hosts *hosts = NULL;
	struct xb_registry_hosts_options options = { .no_files = true };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct server server;
	struct run run;
	int r;

	(void)unsetenv("CONTAINERS_REGISTRIES_CONF");
	server_start(&server, c->steps);
	if (strncmp(what, "mirrored ", 9) == 0) {
		use_mirror(&server);
		what += 9;
		options.no_files = false;
	}
	assert_int_equal(xb_registry_hosts_load(&options, &hosts, NULL), 0);
	begin_run(&run, &server, hosts);
	r = run_verb(&run, what, &err);
	server_stop(&server);
	if (server.failure[0] != '\0')
		fail_msg("%s: %s\n%s", c->name, server.failure,
			 err.message != NULL ? err.message : "");
	check_outcome(c, r, &run, &err);
	if (c->steps[server.served].reply != NULL)
		fail_msg("%s: only %zu requests came", c->name, server.served);
	end_run(&run);
}

int main(void)
{
	struct samples all = { 0 };
	struct CMUnitTest *tests;

	(void)setenv("no_proxy", "127.0.0.1", 1);
	fill_contents();
	read_files(&all);
	tests = xb_calloc(all.len, sizeof(*tests));
	for (size_t i = 0; i < all.len; i++)
		tests[i] = (struct CMUnitTest){ .name = all.items[i].name,
						.test_func = check_case,
						.initial_state = &all.items[i] };
	return _cmocka_run_group_tests("registry", tests, all.len, scratch_setup, scratch_teardown);
}
