/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/wire.h"

#include <errno.h>
#include <string.h>

/* The fixed part of an answer; the message, the hint, the warnings and what is hidden
 * follow, each with its NUL. */
struct head {
	uint32_t magic;
	int32_t code;
	uint64_t entries;
	uint64_t tar_size;
	int64_t newest;
	uint32_t texts;
	uint32_t hidden; /* so many of them, at the end */
};

#define MAGIC UINT32_C(0x78626131)

void xb_wire_answer_clear(struct xb_wire_answer *answer)
{
	xb_strv_clear(&answer->warnings);
	xb_strv_clear(&answer->hidden);
	xb_error_clear(&answer->error);
}

static void put_text(struct xb_str *out, const char *text)
{
	xb_str_append(out, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

void xb_wire_encode(const struct xb_wire_answer *answer, struct xb_str *out)
{
	struct head head = {
		.magic = MAGIC,
		.code = answer->code,
		.entries = answer->entries,
		.tar_size = answer->tar_size,
		.newest = answer->newest,
		.texts = 2 + (uint32_t)(answer->warnings.len + answer->hidden.len),
		.hidden = (uint32_t)answer->hidden.len,
	};

	xb_str_append(out, &head, sizeof(head));
	put_text(out, answer->error.message);
	put_text(out, answer->error.hint);
	for (size_t i = 0; i < answer->warnings.len; i++)
		put_text(out, answer->warnings.items[i]);
	for (size_t i = 0; i < answer->hidden.len; i++)
		put_text(out, answer->hidden.items[i]);
}

static char *safe(struct xb_view text)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);

	xb_str_append_quoted(&out, text);
	return xb_str_steal(&out);
}

static void take_text(struct xb_wire_answer *ret, const struct head *head, size_t index,
		      struct xb_view text)
{
	xb_autofree char *printable = safe(text);

	if (index >= 2 && head->texts - index <= head->hidden)
		xb_strv_push_view(&ret->hidden, text);
	else if (index == 0 && ret->code < 0)
		(void)xb_error_set(&ret->error, ret->code, "%s", printable);
	else if (index == 1 && text.len > 0)
		(void)xb_error_hint(&ret->error, "%s", printable);
	else if (index > 1)
		xb_strv_take(&ret->warnings, XB_STEAL(printable));
}

int xb_wire_decode(struct xb_view bytes, struct xb_wire_answer *ret, struct xb_error *err)
{
	struct xb_wire_answer answer = { 0 };
	struct head head;
	size_t index = 0;

	if (bytes.len < sizeof(head))
		return xb_error_set(err, -EBADMSG, "the unpacker gave no answer");
	memcpy(&head, bytes.data, sizeof(head));
	bytes = xb_view_sub(bytes, sizeof(head), bytes.len);
	answer.code = head.code;
	answer.entries = head.entries;
	answer.tar_size = head.tar_size;
	answer.newest = head.newest;
	while (head.magic == MAGIC && index < head.texts && bytes.len > 0) {
		size_t len = strnlen(bytes.data, bytes.len);

		if (len == bytes.len)
			break;
		take_text(&answer, &head, index++, xb_view_sub(bytes, 0, len));
		bytes = xb_view_sub(bytes, len + 1, bytes.len);
	}
	if (head.magic != MAGIC || index < 2 || index != head.texts || bytes.len > 0) {
		xb_wire_answer_clear(&answer);
		return xb_error_set(err, -EBADMSG, "the unpacker's answer is not one");
	}
	*ret = answer;
	return 0;
}
