/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/words.h"

#include <errno.h>
#include <string.h>

#include "base/http.h"
#include "base/http_header.h"
#include "base/json.h"

/* Of how many errors it is told. */
enum { MAX_ERRORS = 4 };

/* The members that hold a sentence, the more telling ones first. */
static const char *const sentences[] = { "message", "error_description", "details", "detail" };

/* A string among the members of `object` that says something, or NULL. */
static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL && text[0] != '\0' ? text : NULL;
}

static const char *sentence_of(const json_t *object)
{
	const char *text = NULL;

	for (size_t i = 0; text == NULL && i < XB_COUNT(sentences); i++)
		text = text_of(object, sentences[i]);
	return text;
}

/* "DENIED: requested access to the resource is denied" */
static void append_error(const json_t *object, struct xb_str *ret)
{
	const char *code = text_of(object, "code");
	const char *sentence = sentence_of(object);

	if (code == NULL)
		code = text_of(object, "error");
	if (code == NULL && sentence == NULL)
		return;
	(void)xb_str_printf(ret, "%s%s%s%s", ret->len > 0 ? "; " : "", code != NULL ? code : "",
			    code != NULL && sentence != NULL ? ": " : "",
			    sentence != NULL ? sentence : "");
}

static void append_json(const json_t *document, struct xb_str *ret)
{
	const json_t *errors = json_object_get(document, "errors");
	size_t count = json_array_size(errors);

	for (size_t i = 0; i < count && i < MAX_ERRORS; i++)
		append_error(json_array_get(errors, i), ret);
	if (ret->len == 0)
		append_error(document, ret);
}

static bool is_plain_text(const struct xb_http_response *response)
{
	const char *type = xb_http_header(&response->headers, "content-type", 0);

	return type == NULL || strncmp(type, "text/plain", strlen("text/plain")) == 0;
}

/* Make `raw` one line of a limited length. */
static void append_line(struct xb_view raw, struct xb_str *ret)
{
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_STR_OWN);
	size_t len = 0, next;

	(void)xb_str_append_quoted(&line, xb_view_trim(raw));
	if (line.len <= XB_MAX_REGISTRY_WORDS) {
		(void)xb_str_append_view(ret, xb_str_view(&line));
		return;
	}
	/* whole characters only, and room for the dots */
	while ((next = xb_view_utf8_len(xb_view_sub(xb_str_view(&line), len, line.len))) > 0 &&
	       len + next <= XB_MAX_REGISTRY_WORDS - strlen("…"))
		len += next;
	(void)xb_str_append(ret, line.data, len);
	(void)xb_str_puts(ret, "…");
}

void xb_registry_words(const struct xb_http_response *response, struct xb_str *ret)
{
	xb_auto_str struct xb_str words = XB_STR_INIT(XB_STR_OWN);
	xb_auto_json json_t *document = NULL;
	struct xb_view text = xb_str_view(&response->text), line = { 0 };

	if (xb_json_parse(text, XB_MAX_HTTP_TEXT, &document, NULL) == 0) {
		append_json(document, &words);
	} else if (is_plain_text(response)) {
		text = xb_view_trim(text);
		(void)xb_view_split(&text, '\n', &line);
		(void)xb_str_append_view(&words, line);
	}
	append_line(xb_str_view(&words), ret);
}

int xb_registry_refuse(const struct xb_http_response *response, struct xb_error *err)
{
	xb_auto_str struct xb_str words = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = xb_http_refuse(response, &cause);

	xb_registry_words(response, &words);
	(void)xb_error_set(err, r, "%s%s%s", cause.message, words.len > 0 ? ": " : "",
			   xb_str_text(&words));
	/* who may not is a matter of credentials, and not of what was asked for */
	(void)xb_error_fault(err, r == -EACCES ? XB_FAULT_REGISTRY : cause.fault);
	if (cause.hint != NULL)
		(void)xb_error_hint(err, "%s", cause.hint);
	/* what servers of TLS say when they are spoken to without */
	if (response->status == 400 && strncmp(response->url, "http://", strlen("http://")) == 0 &&
	    strstr(xb_str_text(&words), "HTTPS") != NULL)
		(void)xb_error_hint(err, "it wants TLS: --registry-ca HOST=FILE, with the "
					 "certificate that it is to be believed by");
	return r;
}
