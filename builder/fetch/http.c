/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/http_header.h"
#include "base/http_url.h"
#include "builder/cache/record.h"
#include "builder/fetch/shared.h"

#define UNNAMED "__unnamed__"

enum {
	PROGRESS_NS = 1000000000,
	MAX_FIELD = 480, /* bytes of a header that a record remembers */
};

/* One fetch. */
struct fetch {
	struct xb_store *store;
	const struct xb_fetch_options *options;
	struct xb_http_url url;
	char name[256];
	struct xb_digest checksum; /* that is wanted, or empty */
	char key[XB_RECORD_KEY_SIZE];
	struct xb_record known; /* what the store has, key "" when it has nothing */
	bool unchanged;		/* the server says that it is still that */

	struct xb_snapshot snapshot; /* what is being written */
	int dir;
	int file;
	struct xb_hasher *content;
	struct xb_hasher *check;
	uint64_t size;
	uint64_t total;	  /* UINT64_MAX: not known */
	uint64_t told_at; /* when progress was last told */
};

static void fetch_clear(struct fetch *f)
{
	if (f->snapshot.id[0] != '\0')
		xb_snapshot_discard(f->store, &f->snapshot);
	xb_cleanup_fd(&f->file);
	xb_cleanup_fd(&f->dir);
	xb_hasher_free(f->content);
	xb_hasher_free(f->check);
	xb_http_url_clear(&f->url);
}

bool xb_fetch_is_http(const char *text)
{
	return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

static int fault(struct xb_error *err, int r, enum xb_fault what)
{
	(void)xb_error_fault(err, what);
	return r;
}

/* names */

static bool is_name(struct xb_view name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if (c < 0x20 || c == 0x7f || c == '/')
			return false;
	}
	return name.len > 0 && !xb_view_is(name, ".") && !xb_view_is(name, "..");
}

/* The last component of a path. */
static struct xb_view name_of_path(const char *path)
{
	struct xb_view rest = xb_view(path), name = XB_VIEW(UNNAMED), part;

	while (xb_view_split(&rest, '/', &part)) {
		if (part.len > 0)
			name = part;
	}
	name = xb_view_trim(name);
	return is_name(name) ? name : XB_VIEW(UNNAMED);
}

static int choose_name(struct fetch *f, struct xb_error *err)
{
	const char *asked = f->options->name;
	struct xb_view name = asked != NULL ? xb_view(asked) : name_of_path(f->url.path);

	if (!is_name(name) || name.len >= sizeof(f->name)) {
		(void)xb_error_set(err, -EINVAL, "%s: it has no name that a file can have",
				   f->url.shown);
		return fault(err, -EINVAL, XB_FAULT_SOURCE);
	}
	memcpy(f->name, name.data, name.len);
	return 0;
}

/* What is asked for, and the key that its answer is kept under. */
static int prepare(struct fetch *f, const char *url, struct xb_error *err)
{
	const char *checksum = f->options->checksum;
	xb_auto_hasher struct xb_hasher *hasher = xb_hasher_new();
	struct xb_digest digest;
	int r = xb_http_url_parse(url, &f->url, err);

	if (r >= 0)
		r = choose_name(f, err);
	if (r < 0)
		return r;
	if (checksum != NULL && checksum[0] != '\0') {
		r = xb_digest_parse_checksum(xb_view(checksum), &f->checksum, err);
		if (r < 0)
			return fault(err, r, XB_FAULT_SOURCE);
	}
	xb_hasher_field(hasher, xb_view(f->url.text));
	xb_hasher_field(hasher, xb_view(f->name));
	digest = xb_hasher_finish(hasher);
	(void)snprintf(f->key, sizeof(f->key), "http:%s", xb_digest_hex(&digest));
	return 0;
}

/* what the store has */

/* A line of a record's note: its value, or the empty view. */
static struct xb_view noted(const struct xb_record *record, const char *name)
{
	struct xb_view rest = xb_view(record->note), line, word;

	while (xb_view_split(&rest, '\n', &line)) {
		if (xb_view_split(&line, ' ', &word) && xb_view_is(word, name))
			return line;
	}
	return (struct xb_view){ 0 };
}

static int64_t noted_time(const struct xb_record *record)
{
	int64_t seconds;

	return xb_http_date(noted(record, "modified"), &seconds) < 0 ? -1 : seconds;
}

static void note_field(struct xb_str *note, const char *name, const char *value)
{
	if (value != NULL && strlen(value) <= MAX_FIELD)
		(void)xb_str_printf(note, "%s %s\n", name, value);
}

/* Hash a file of the store with the algorithm of the checksum. */
static int hash_known(const struct fetch *f, struct xb_digest *ret, struct xb_error *err)
{
	xb_auto_hasher struct xb_hasher *hasher = xb_hasher_new_like(&f->checksum);
	xb_auto_fd int dir = -1;
	xb_auto_fd int file = -1;
	char buffer[64 << 10];
	ssize_t n = xb_snapshot_open(f->store, &f->known.snapshot, &dir, err);

	if (n < 0)
		return (int)n;
	file = openat(dir, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (file < 0)
		return xb_error_errno(err, -errno, "opening what was fetched before");
	while ((n = xb_read_full(file, buffer, sizeof(buffer), err)) > 0)
		xb_hasher_add(hasher, buffer, (size_t)n);
	if (n < 0)
		return (int)n;
	*ret = xb_hasher_finish(hasher);
	return 0;
}

static int wrong_checksum(const struct fetch *f, const struct xb_digest *found,
			  struct xb_error *err)
{
	(void)xb_error_set(err, -EBADMSG, "%s: the checksum is %s and not %s", f->url.shown,
			   found->text, f->checksum.text);
	(void)xb_error_hint(err, "it has changed, or the checksum is that of another file");
	return fault(err, -EBADMSG, XB_FAULT_SOURCE);
}

/* Whether the store's copy has the checksum that is wanted: 1, 0, or an error. */
static int check_known(const struct fetch *f, struct xb_digest *ret_found, struct xb_error *err)
{
	int r = 0;

	if (xb_view_eq(xb_digest_algorithm(&f->checksum), xb_digest_algorithm(&f->known.diff_id)))
		*ret_found = f->known.diff_id;
	else
		r = hash_known(f, ret_found, err);
	return r < 0 ? r : xb_digest_eq(ret_found, &f->checksum);
}

static void give_known(const struct fetch *f, struct xb_fetched *ret)
{
	*ret = (struct xb_fetched){
		.snapshot = f->known.snapshot,
		.content = f->known.diff_id,
		.time = noted_time(&f->known),
		.cached = true,
	};
	memcpy(ret->name, f->name, sizeof(ret->name));
}

/*
 * Look for the store's copy: 1 when it will do without asking, since it has the checksum, or since
 * another fetch brought it while this one waited for its turn.
 */
static int look(struct fetch *f, int64_t waited_since, struct xb_error *err)
{
	struct xb_digest found;
	int r = f->options->fresh && waited_since < 0
			? 0
			: xb_record_get(f->store, f->key, &f->known, err);

	if (r <= 0) {
		f->known.key[0] = '\0';
		return r;
	}
	if (!xb_digest_empty(&f->checksum)) {
		r = check_known(f, &found, err);
		if (r != 0)
			return r;
	}
	if (waited_since >= 0 && f->known.created >= waited_since)
		return xb_digest_empty(&f->checksum) ? 1 : wrong_checksum(f, &found, err);
	if (f->options->fresh)
		f->known.key[0] = '\0';
	return 0;
}

/* receiving */

static bool same_etag(struct xb_view a, struct xb_view b)
{
	/* weakly: what is marked weak means the same, which will do for a copy of our own */
	if (xb_view_starts(a, XB_VIEW("W/")))
		a = xb_view_sub(a, 2, a.len);
	if (xb_view_starts(b, XB_VIEW("W/")))
		b = xb_view_sub(b, 2, b.len);
	return a.len > 0 && xb_view_eq(a, b);
}

static int make_file(struct fetch *f, struct xb_error *err)
{
	int r = xb_snapshot_begin(f->store, &f->snapshot, err);

	if (r >= 0)
		r = xb_snapshot_open(f->store, &f->snapshot, &f->dir, err);
	if (r < 0)
		return r;
	f->file = openat(f->dir, f->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->file < 0 || fchmod(f->file, 0600) < 0)
		return xb_fetch_disk_error(err, -errno);
	return 0;
}

/* A body begins, or begins again. -EALREADY: it is what the store has, and need not come. */
static int on_begin(void *context, const struct xb_http_response *response, struct xb_error *err)
{
	struct fetch *f = context;
	const char *etag = xb_http_header(&response->headers, "etag", 0);
	int r = 0;

	if (f->known.key[0] != '\0' && same_etag(xb_view(etag), noted(&f->known, "etag"))) {
		f->unchanged = true;
		return xb_error_set(err, -EALREADY, "not changed");
	}
	if (f->snapshot.id[0] == '\0')
		r = make_file(f, err);
	if (r < 0)
		return r;
	if (ftruncate(f->file, 0) < 0 || lseek(f->file, 0, SEEK_SET) < 0)
		return xb_fetch_disk_error(err, -errno);
	xb_hasher_free(f->content);
	xb_hasher_free(f->check);
	f->content = xb_hasher_new();
	f->check = xb_digest_empty(&f->checksum) ? NULL : xb_hasher_new_like(&f->checksum);
	f->size = 0;
	f->told_at = xb_clock_monotonic(); /* what takes no time is not told of */
	if (xb_http_header(&response->headers, "content-encoding", 0) != NULL ||
	    xb_http_length(&response->headers, &f->total, NULL) <= 0)
		f->total = UINT64_MAX;
	return 0;
}

static void tell(struct fetch *f)
{
	uint64_t now = xb_clock_monotonic();
	char line[80];

	if (f->options->progress == NULL || now - f->told_at < PROGRESS_NS)
		return;
	f->told_at = now;
	if (f->total != UINT64_MAX)
		(void)snprintf(line, sizeof(line), "%.1f of %.1f MB", (double)f->size / 1e6,
			       (double)f->total / 1e6);
	else
		(void)snprintf(line, sizeof(line), "%.1f MB", (double)f->size / 1e6);
	f->options->progress(f->options->context, xb_view(line));
}

static int on_write(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct fetch *f = context;
	int r = xb_write_all(f->file, data, len, NULL);

	if (r < 0)
		return xb_fetch_disk_error(err, r);
	xb_hasher_add(f->content, data, len);
	if (f->check != NULL)
		xb_hasher_add(f->check, data, len);
	f->size += len;
	tell(f);
	return 0;
}

/* asking */

/* The secret `prefix` + host, without the line end that files of secrets tend to have. */
static bool find_secret(const struct fetch *f, const char *prefix, struct xb_view *ret)
{
	const char *host = f->url.host;
	size_t len = strlen(host);
	/* the brackets of an IPv6 address are not part of its name */
	bool brackets = host[0] == '[' && len > 2;
	xb_autofree char *id = xb_format("%s%.*s", prefix, (int)(brackets ? len - 2 : len),
					 host + (brackets ? 1 : 0));

	if (f->options->secret == NULL || !f->options->secret(f->options->context, id, ret))
		return false;
	while (ret->len > 0 && strchr("\r\n", ret->data[ret->len - 1]) != NULL)
		ret->len--;
	return true;
}

/* The Authorization that the build's secrets make, or NULL. */
static char *authorization(const struct fetch *f)
{
	struct xb_view secret;

	if (find_secret(f, "HTTP_AUTH_TOKEN_", &secret))
		return xb_format("Bearer %.*s", XB_VIEW_ARGS(secret));
	if (find_secret(f, "HTTP_AUTH_HEADER_", &secret))
		return xb_view_dup(secret);
	return NULL;
}

static void add_conditions(const struct fetch *f, struct xb_strv *headers)
{
	struct xb_view etag = noted(&f->known, "etag"), since = noted(&f->known, "since");

	if (f->known.key[0] == '\0')
		return;
	if (etag.len > 0)
		xb_strv_printf(headers, "If-None-Match: %.*s", XB_VIEW_ARGS(etag));
	else if (since.len > 0)
		xb_strv_printf(headers, "If-Modified-Since: %.*s", XB_VIEW_ARGS(since));
}

static void add_hint(const struct fetch *f, int r, struct xb_error *err)
{
	if (r == -EACCES)
		(void)xb_error_hint(err,
				    "give credentials as a secret: --secret "
				    "id=HTTP_AUTH_TOKEN_%s,env=TOKEN",
				    f->url.host);
	else if (r == -EHOSTUNREACH || r == -ECONNREFUSED || r == -ENETUNREACH)
		(void)xb_error_hint(err, "is there a network? proxies are named by http_proxy and "
					 "https_proxy; with --checksum the store's copy will do");
	else if (r == -EFBIG)
		(void)xb_error_hint(err, "fetch a file of this size in a RUN instruction");
}

/* Ask, under the conditions that what is known allows; 0 with an answer of any status. */
static int ask(struct fetch *f, struct xb_http_response *ret, struct xb_error *err)
{
	uint64_t max = f->options->max_size != 0 ? f->options->max_size : XB_MAX_FETCHED_FILE;
	xb_auto_http struct xb_http *http = NULL;
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;
	xb_autofree char *credentials = authorization(f);
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;
	int r = xb_http_new(&http, err);

	if (r < 0)
		return r;
	add_conditions(f, &headers);
	request.url = f->url.text;
	request.authorization = credentials != NULL ? credentials : f->url.user;
	request.headers = &headers;
	request.context = f;
	request.begin = on_begin;
	request.write = on_write;
	request.decode = true; /* as BuildKit gets it */
	request.max_size = max;
	request.cancel_fd = f->options->cancel_fd;
	return xb_http_perform(http, &request, ret, err);
}

/* keeping */

static void note_answer(const struct xb_http_response *response, struct xb_record *record)
{
	xb_auto_str struct xb_str note = XB_STR_INIT(sizeof(record->note) - 1);
	const char *etag = xb_http_header(&response->headers, "etag", 0);
	const char *modified = xb_http_header(&response->headers, "last-modified", 0);
	const char *validator = xb_http_validator(&response->headers);

	note_field(&note, "modified", modified);
	note_field(&note, "etag", etag);
	/* by a date alone only where it tells two versions apart */
	if (etag == NULL && validator != NULL)
		note_field(&note, "since", validator);
	memcpy(record->note, xb_str_text(&note), note.len + 1);
}

static int set_time(const struct fetch *f, const struct xb_record *record, struct xb_error *err)
{
	int64_t seconds = noted_time(record);
	const struct timespec time = { .tv_sec = seconds >= 0 ? seconds : 0 };
	const struct timespec times[2] = { time, time };

	if (futimens(f->file, times) < 0)
		return xb_fetch_disk_error(err, -errno);
	return 0;
}

/* The body is whole and on disk: make a record of it. */
static int keep(struct fetch *f, const struct xb_http_response *response, struct xb_error *err)
{
	struct xb_record record = { .snapshot = f->snapshot, .created = xb_clock_now() };
	int r;

	memcpy(record.key, f->key, sizeof(record.key));
	record.diff_id = xb_hasher_finish(f->content);
	note_answer(response, &record);
	r = set_time(f, &record, err);
	if (r >= 0 && xb_file_close(&f->file, NULL) < 0)
		r = xb_fetch_disk_error(err, -errno);
	if (r >= 0)
		r = xb_snapshot_commit(f->store, &f->snapshot, err);
	if (r >= 0)
		r = xb_record_put(f->store, &record, err);
	if (r < 0)
		return r;
	f->snapshot.id[0] = '\0';
	f->known = record;
	return 0;
}

static int receive(struct fetch *f, struct xb_fetched *ret, struct xb_error *err)
{
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	struct xb_digest found;
	int r = ask(f, &response, err);

	if (f->unchanged || (r >= 0 && response.status == 304 && f->known.key[0] != '\0')) {
		xb_error_clear(err);
		if (!xb_digest_empty(&f->checksum)) {
			r = check_known(f, &found, err);
			if (r <= 0)
				return r < 0 ? r : wrong_checksum(f, &found, err);
		}
		give_known(f, ret);
		return 0;
	}
	if (r >= 0 && (response.status < 200 || response.status > 299))
		r = xb_http_refuse(&response, err);
	if (r < 0)
		return add_hint(f, r, err), r;
	if (f->check != NULL) {
		found = xb_hasher_finish(f->check);
		if (!xb_digest_eq(&found, &f->checksum))
			return wrong_checksum(f, &found, err);
	}
	r = keep(f, &response, err);
	if (r >= 0) {
		give_known(f, ret);
		ret->cached = false;
	}
	return r;
}

/* Nobody may be asked whether the store's copy is still good: it has to be. */
static int do_without(const struct fetch *f, struct xb_fetched *ret, struct xb_error *err)
{
	struct xb_digest found;
	int r = f->known.key[0] != '\0' ? 1 : 0;

	if (r > 0 && !xb_digest_empty(&f->checksum))
		r = check_known(f, &found, err);
	if (r > 0)
		give_known(f, ret);
	else if (r == 0)
		r = xb_fetch_offline(f->url.shown, err);
	return r < 0 ? r : 0;
}

int xb_fetch_http(struct xb_store *store, const char *url, const struct xb_fetch_options *options,
		  struct xb_fetched *ret, struct xb_error *err)
{
	XB_CLEANUP(fetch_clear)
	struct fetch f = { .store = store, .options = options, .dir = -1, .file = -1 };
	xb_auto_keylock struct xb_keylock *lock = NULL;
	int64_t since = -1;
	int r = prepare(&f, url, err);

	if (r >= 0)
		r = look(&f, -1, err);
	if (r == 0 && options->offline)
		return do_without(&f, ret, err);
	if (r == 0) {
		r = xb_fetch_turn(store, f.key, options->cancel_fd, &lock, &since, err);
		if (r >= 0)
			r = look(&f, since, err);
		if (r == 0)
			return receive(&f, ret, err);
	}
	if (r > 0)
		give_known(&f, ret);
	return r < 0 ? r : 0;
}
