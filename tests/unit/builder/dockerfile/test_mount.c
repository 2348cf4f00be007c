/* SPDX-License-Identifier: Apache-2.0 */
/* The value of RUN --mount=…. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "builder/dockerfile/mount.h"

static struct xb_expand_env env_of(const struct xb_strv *variables)
{
	return (struct xb_expand_env){
		.lookup = xb_expand_lookup_env,
		.ctx = (void *)(uintptr_t)variables,
		.escape = '\\',
	};
}

/* What a mount came to, as text; malloc()ed. */
static char *describe(const struct xb_mount *m)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	const char *const texts[][2] = { { "from", m->from },
					 { "source", m->source },
					 { "target", m->target },
					 { "id", m->id },
					 { "env", m->env } };

	(void)xb_str_printf(&text, "%s %s", xb_mount_type_name(m->type),
			    m->read_only ? "ro" : "rw");
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		if (texts[i][1] != NULL)
			(void)xb_str_printf(&text, " %s=%s", texts[i][0], texts[i][1]);
	}
	if (m->type == XB_MOUNT_CACHE)
		(void)xb_str_printf(&text, " %s", xb_mount_sharing_name(m->sharing));
	if (m->required)
		(void)xb_str_puts(&text, " required");
	if (m->size > 0)
		(void)xb_str_printf(&text, " size=%llu", (unsigned long long)m->size);
	if (m->has_mode)
		(void)xb_str_printf(&text, " mode=%o", m->mode);
	if (m->has_uid)
		(void)xb_str_printf(&text, " uid=%u", m->uid);
	if (m->has_gid)
		(void)xb_str_printf(&text, " gid=%u", m->gid);
	return xb_str_steal(&text);
}

static void test_good(void **state)
{
	static const char *const pairs[][2] = {
		{ "target=/x", "bind ro target=/x" },
		{ "dst=/x,rw", "bind rw target=/x" },
		{ "type=bind,destination=/x,src=a,from=b,readwrite=true",
		  "bind rw from=b source=a target=/x" },
		{ "TYPE=BIND,Target=/X,RO=false", "bind rw target=/X" },
		{ "target=/x,rw,ro", "bind ro target=/x" },
		{ "target=/x,readonly=0", "bind rw target=/x" },
		{ "type=cache,target=/x", "cache rw target=/x shared" },
		{ "type=cache,target=/x,id=i,sharing=LOCKED,mode=0700,uid=1,gid=2,ro",
		  "cache ro target=/x id=i locked mode=700 uid=1 gid=2" },
		{ "type=cache,target=/x,from=a,source=/b,sharing=private",
		  "cache rw from=a source=/b target=/x private" },
		{ "type=tmpfs,target=/x", "tmpfs rw target=/x" },
		{ "type=tmpfs,target=/x,size=128m", "tmpfs rw target=/x size=134217728" },
		{ "type=tmpfs,target=/x,size=1.5GiB", "tmpfs rw target=/x size=1610612736" },
		{ "type=tmpfs,target=/x,size=4kb", "tmpfs rw target=/x size=4096" },
		{ "type=tmpfs,target=/x,size=7b", "tmpfs rw target=/x size=7" },
		{ "type=tmpfs,target=/x,size=4096", "tmpfs rw target=/x size=4096" },
		{ "type=secret,id=s", "secret ro id=s" },
		{ "type=secret,target=/s,required", "secret ro target=/s required" },
		{ "type=secret,source=s,env=S,required=false", "secret ro source=s env=S" },
		{ "type=ssh", "ssh ro" },
		{ "type=ssh,id=x,target=/s,mode=0666,required=true",
		  "ssh ro target=/s id=x required mode=666" },
		{ "target=$V/y,source=${V}", "bind ro source=/v target=/v/y" },
		{ "type=$T,target=/x,id=$V", "cache rw target=/x id=/v shared" },
		{ "\"target=/a,b\"", "bind ro target=/a,b" },
		{ "target=/x,from=a$", "bind ro from=a$ target=/x" },
	};
	xb_auto_strv struct xb_strv variables = XB_STRV_INIT;
	struct xb_expand_env env;

	(void)state;
	xb_strv_push(&variables, "V=/v");
	xb_strv_push(&variables, "T=cache");
	env = env_of(&variables);
	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		xb_auto_mount struct xb_mount mount = { 0 };
		xb_autofree char *got = NULL;

		if (xb_mount_parse(pairs[i][0], &env, &mount, &err) < 0)
			fail_msg("%s: %s", pairs[i][0], err.message);
		got = describe(&mount);
		assert_string_equal(got, pairs[i][1]);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		const char *message;
		const char *hint;
	} cases[] = {
		{ "type=tmp,target=/x", "unsupported mount type \"tmp\"", "did you mean tmpfs?" },
		{ "type=zzzzzz", "unsupported mount type", "use one of bind, cache" },
		{ "target=/x,tarjet=/y", "unexpected key 'tarjet' in 'tarjet=/y'",
		  "did you mean target?" },
		{ "target", "invalid field 'target' must be a key=value pair", NULL },
		{ "target=/x,", "invalid field '' must be a key=value pair", NULL },
		{ "", "invalid field '' must be a key=value pair", NULL },
		{ "from=$a,target=/x", "'from' doesn't support variable expansion", NULL },
		{ "target=/x,required", "unexpected key 'required' for mount type 'bind'", NULL },
		{ "size=1m,type=tmpfs,target=/x", "unexpected key 'size' for mount type 'bind'",
		  "type= stands in front" },
		{ "type=tmpfs,target=/x,size=1x", "invalid value for size: \"1x\"", NULL },
		{ "type=tmpfs,target=/x,size=", "invalid value for size", NULL },
		{ "type=tmpfs,target=/x,size=-1", "invalid value for size", NULL },
		{ "type=tmpfs,target=/x,size=1.2.3m", "invalid value for size", NULL },
		{ "type=tmpfs,target=/x,size=9999999p", "invalid value for size", NULL },
		{ "type=tmpfs,target=/x,mode=0700", "mode not allowed for \"tmpfs\"", NULL },
		{ "target=/x,uid=1", "uid not allowed for \"bind\"", NULL },
		{ "target=/x,gid=1", "gid not allowed for \"bind\"", NULL },
		{ "target=/x,sharing=shared", "invalid cache sharing set for bind mount", NULL },
		{ "type=cache,target=/x,sharing=lock", "unsupported sharing value \"lock\"",
		  "did you mean locked?" },
		{ "type=cache,target=/x,mode=888", "invalid value for mode", NULL },
		{ "type=cache,target=/x,mode=17777", "invalid value for mode", NULL },
		{ "type=cache,target=/x,mode=", "invalid value for mode", NULL },
		{ "type=cache,target=/x,uid=-1", "invalid value for uid", NULL },
		{ "type=cache,target=/x,uid=4294967295", "invalid value for uid", NULL },
		{ "type=cache,target=/x,gid=x", "invalid value for gid", NULL },
		{ "target=/x,ro=maybe", "invalid value for ro: \"maybe\"", NULL },
		{ "type=secret", "invalid secret mount. one of source, target required", NULL },
		{ "type=secret,id=a,from=b", "secret mount should not have a from", NULL },
		{ "type=secret,id=a,source=b", "both source and id can't be set", NULL },
		{ "type=secret,id=a,env=A=B", "invalid value for env", NULL },
		{ "type=secret,id=a,env=", "invalid value for env", NULL },
		{ "type=ssh,source=x", "ssh mount should not have a source", NULL },
		{ "target=${V", "", NULL },
		{ "\"target=/x", "a quote in the mount's options does not end", NULL },
	};
	xb_auto_strv struct xb_strv variables = XB_STRV_INIT;
	struct xb_expand_env env = env_of(&variables);

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		xb_auto_mount struct xb_mount mount = { 0 };

		if (xb_mount_parse(cases[i].text, &env, &mount, &err) == 0)
			fail_msg("%s is taken", cases[i].text);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		if (strstr(err.message, cases[i].message) == NULL)
			fail_msg("%s: %s", cases[i].text, err.message);
		if (cases[i].hint != NULL &&
		    (err.hint == NULL || strstr(err.hint, cases[i].hint) == NULL))
			fail_msg("%s: the hint is %s", cases[i].text, err.hint);
	}
}

/* What variables may still change is not looked at. */
static void test_check(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_mount_check("type=$T,target=/x,from=a", NULL), 0);
	assert_int_equal(xb_mount_check("type=nonesuch,from=a$,tarjet=", NULL), 0);
	assert_int_equal(xb_mount_check("target=/x,From=$a", &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
	assert_int_equal(xb_mount_check("target=/x,\"from=a", NULL), -EINVAL);
}

static void test_from(void **state)
{
	static const char *const pairs[][2] = {
		{ "from=a,target=/x", "a" },
		{ "target=/x,FROM=b", "b" },
		{ "from=a,from=c", "c" },
		{ "target=/x", NULL },
		{ "from", NULL },
		{ "from=", "" },
		{ "\"from=a:b\",target=/x", "a:b" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		xb_autofree char *got = xb_mount_from(pairs[i][0]);

		if (pairs[i][1] == NULL)
			assert_null(got);
		else
			assert_string_equal(got, pairs[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
