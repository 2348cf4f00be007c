/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mode.h"

#include <errno.h>
#include <string.h>

#define ALL    ((mode_t)06777) /* what "a" stands for */
#define OTHERS ((mode_t)00007)
#define STICKY ((mode_t)01000)
#define SET_ID ((mode_t)06000)
#define EXEC   ((mode_t)00111)

static mode_t class_bits(char c)
{
	switch (c) {
	case 'u':
		return 04700;
	case 'g':
		return 02070;
	case 'o':
		return OTHERS;
	default:
		return ALL;
	}
}

/* A clause that is being read: the actions of one operator. */
struct reader {
	struct xb_mode_change *change;
	mode_t who; /* 0: none named, which means all */
	char op;
	bool full;
};

static void add(struct reader *r, struct xb_mode_action action)
{
	if (r->change->count == XB_MODE_ACTIONS_MAX) {
		r->full = true;
		return;
	}
	action.op = r->op;
	action.who |= r->who != 0 ? r->who : ALL;
	r->change->actions[r->change->count++] = action;
	/* what follows in the same clause adds to what "=" has cleared */
	if (r->op == '=')
		r->op = '+';
}

/* The bits of a letter; those that mean nothing to the named classes are left out. */
static mode_t letter_bits(const struct reader *r, char c)
{
	bool only_others = r->who != 0 && (r->who & ~OTHERS) == 0;

	switch (c) {
	case 'r':
		return 0444;
	case 'w':
		return 0222;
	case 'x':
		return EXEC;
	case 's':
		return only_others ? 0 : SET_ID;
	case 't':
		return only_others ? 0 : STICKY;
	default:
		return 0;
	}
}

/* Read the letters behind an operator; returns how many there are. */
static size_t read_letters(struct reader *r, const char *text)
{
	struct xb_mode_action plain = { 0 };
	bool search = false;
	size_t n = 0;

	for (; text[n] != '\0' && strchr("rwxXstugo", text[n]) != NULL; n++) {
		if (strchr("ugo", text[n]) != NULL)
			add(r, (struct xb_mode_action){ .copied = text[n] });
		else if (text[n] == 'X' && r->op != '-')
			search = true;
		else
			plain.bits |= letter_bits(r, text[n] == 'X' ? 'x' : text[n]);
	}
	plain.who = plain.bits & STICKY;
	if (plain.bits != 0 || r->op == '=')
		add(r, plain);
	if (search)
		add(r, (struct xb_mode_action){ .bits = EXEC, .if_search = true });
	return n;
}

/* Read a clause, [ugoa]*([-+=][letters])+; returns its length, 0 when it is none. */
static size_t read_clause(struct xb_mode_change *change, const char *text, bool *ret_full)
{
	struct reader r = { .change = change };
	size_t n = 0;
	size_t ops = 0;

	for (; text[n] != '\0' && strchr("ugoa", text[n]) != NULL; n++)
		r.who |= class_bits(text[n]);
	while (text[n] != '\0' && strchr("+-=", text[n]) != NULL) {
		r.op = text[n++];
		n += read_letters(&r, text + n);
		ops++;
	}
	*ret_full = *ret_full || r.full;
	return ops > 0 ? n : 0;
}

int xb_mode_parse(const char *text, struct xb_mode_change *ret, struct xb_error *err)
{
	const char *rest = text;
	bool wrong = false;

	*ret = (struct xb_mode_change){ 0 };
	for (;;) {
		size_t n = read_clause(ret, rest, &wrong);

		rest += n;
		wrong = wrong || n == 0 || (*rest != ',' && *rest != '\0');
		if (wrong || *rest == '\0')
			break;
		rest++;
	}
	if (!wrong)
		return 0;
	(void)xb_error_set(err, -EINVAL, "invalid mode \"%s\"", text);
	(void)xb_error_hint(err, "write it as chmod takes it, such as 0755, u+x or go=rX");
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return -EINVAL;
}

/* The bits of one class for all three. */
static mode_t copied_bits(char class, mode_t mode)
{
	unsigned shift = class == 'u' ? 6 : class == 'g' ? 3 : 0;

	return (mode >> shift & 07) * EXEC;
}

mode_t xb_mode_apply(const struct xb_mode_change *change, mode_t mode, bool is_dir)
{
	mode_t before = mode & 07777;
	mode_t now = before;

	for (size_t i = 0; i < change->count; i++) {
		const struct xb_mode_action *a = &change->actions[i];
		mode_t bits = a->copied != 0 ? copied_bits(a->copied, now) : a->bits;

		bits &= a->who;
		if (a->if_search && !is_dir && (before & EXEC) == 0)
			bits = 0;
		if (a->op == '=')
			now &= ~a->who;
		now = a->op == '-' ? now & ~bits : now | bits;
	}
	return now;
}
