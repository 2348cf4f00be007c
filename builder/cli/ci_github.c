/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workflow of GitHub Actions: a matrix of legs, and a job that merges what they leave.
 *
 * GitHub puts values in place of "${{ … }}" wherever it stands, also in quotes: in what comes from
 * the command line it is written so that itself comes of it. Values of the matrix reach shells as
 * environment variables, never as text of a script.
 * Source: docs.github.com, "Workflow syntax for GitHub Actions", "Security hardening".
 */
#include <string.h>

#include "builder/cli/ci.h"
#include "builder/cli/ci_head.h"
#include "builder/cli/shell.h"
#include "builder/cli/yaml.h"

/* Append text in which GitHub finds no expression. */
static void append_inert(struct xb_str *s, const char *text)
{
	const char *at;

	while ((at = strstr(text, "${{")) != NULL) {
		(void)xb_str_append(s, text, (size_t)(at - text));
		(void)xb_str_puts(s, "${{ '${{' }}");
		text = at + 3;
	}
	(void)xb_str_puts(s, text);
}

static void append_command(struct xb_str *s, const struct xb_strv *words)
{
	xb_auto_str struct xb_str plain = XB_STR_INIT(XB_STR_OWN);

	xb_shell_append_all(&plain, words);
	append_inert(s, xb_str_text(&plain));
}

static void write_use(struct xb_yaml *y, const char *action)
{
	xb_yaml_item(y);
	xb_yaml_text(y, "uses", action);
}

static void write_run(struct xb_yaml *y, const char *name, const char *script)
{
	xb_yaml_item(y);
	xb_yaml_text(y, "name", name);
	xb_yaml_text(y, "run", script);
}

/* Checking out, and a machine that can build. */
static void write_setup(struct xb_yaml *y, const struct xb_ci *ci, bool builds)
{
	xb_auto_str struct xb_str setup = XB_STR_INIT(XB_STR_OWN);

	/* a token has no business in what may be a build context */
	write_use(y, "actions/checkout@v6");
	xb_yaml_map(y, "with");
	xb_yaml_bool(y, "persist-credentials", false);
	xb_yaml_end(y, 2);
	if (builds) {
		write_run(
			y, "Let plain users build",
			"sudo sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0 || true\n"
			"command -v newuidmap >/dev/null ||\n"
			"  { sudo apt-get -q update && sudo apt-get -q -y install uidmap; }");
		xb_yaml_end(y, 1);
		xb_yaml_item(y);
		xb_yaml_text(y, "name", "Install emulators");
		xb_yaml_text(y, "if", "${{ matrix.emulator }}");
		xb_yaml_text(y, "run",
			     "sudo apt-get -q update\n"
			     "sudo apt-get -q -y install qemu-user-static");
		xb_yaml_end(y, 1);
	}
	append_inert(&setup, ci->setup);
	write_run(y, "Install xbuild", xb_str_text(&setup));
	xb_yaml_end(y, 1);
}

/* GitHub's own registry takes the job's token; others have secrets of the repository. */
static void write_login(struct xb_yaml *y, const char *host)
{
	bool own = strcmp(host, "ghcr.io") == 0;
	xb_auto_str struct xb_str script = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_puts(&script,
			  "printf %s \"$REGISTRY_PASSWORD\" |\n"
			  "  xbuild login --username \"$REGISTRY_USER\" --password-stdin ");
	xb_shell_append(&script, host);
	xb_yaml_item(y);
	xb_yaml_text(y, "name", "Log in");
	xb_yaml_map(y, "env");
	xb_yaml_text(y, "REGISTRY_USER",
		     own ? "${{ github.actor }}" : "${{ secrets.REGISTRY_USER }}");
	xb_yaml_text(y, "REGISTRY_PASSWORD",
		     own ? "${{ secrets.GITHUB_TOKEN }}" : "${{ secrets.REGISTRY_PASSWORD }}");
	xb_yaml_end(y, 1);
	xb_yaml_text(y, "run", xb_str_text(&script));
	xb_yaml_end(y, 1);
}

static void write_logins(struct xb_yaml *y, const struct xb_ci *ci)
{
	for (size_t i = 0; i < ci->hosts->len; i++)
		write_login(y, ci->hosts->items[i]);
}

static void write_permissions(struct xb_yaml *y, const struct xb_ci *ci)
{
	xb_yaml_map(y, "permissions");
	xb_yaml_text(y, "contents", "read");
	if (xb_strv_find(ci->hosts, "ghcr.io") >= 0)
		xb_yaml_text(y, "packages", "write");
	xb_yaml_end(y, 1);
}

static void write_matrix(struct xb_yaml *y, const struct xb_ci *ci)
{
	xb_yaml_map(y, "strategy");
	xb_yaml_map(y, "matrix");
	xb_yaml_list(y, "include");
	for (size_t i = 0; i < ci->legs->len; i++) {
		const struct xb_ci_leg *leg = &ci->legs->items[i];
		xb_autofree char *platforms = xb_ci_leg_platforms(leg);

		xb_yaml_item(y);
		xb_yaml_text(y, "leg", leg->name);
		xb_yaml_text(y, "platforms", platforms);
		xb_yaml_texts(y, "runner", &ci->runners->items[leg->runner].labels);
		xb_yaml_bool(y, "emulator", leg->emulator);
		xb_yaml_bool(y, "optional", leg->optional);
		xb_yaml_end(y, 1);
	}
	xb_yaml_end(y, 3);
}

static void write_build(struct xb_yaml *y, const struct xb_ci *ci)
{
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	xb_auto_str struct xb_str script = XB_STR_INIT(XB_STR_OWN);

	xb_ci_common_words(ci, &words);
	(void)xb_str_puts(&script, XB_CI_BEFORE_BUILD
			  "xbuild build --leg \"$PLATFORMS\" --result \"" XB_CI_DIR
			  "/$LEG.json\" " XB_CI_REVISION " ");
	if (!ci->push)
		(void)xb_str_puts(&script, "--output \"type=oci,dest=" XB_CI_DIR "/$LEG.tar\" ");
	append_command(&script, &words);
	xb_yaml_item(y);
	xb_yaml_text(y, "name", "Build");
	xb_yaml_map(y, "env");
	xb_yaml_text(y, "LEG", "${{ matrix.leg }}");
	xb_yaml_text(y, "PLATFORMS", "${{ matrix.platforms }}");
	xb_yaml_end(y, 1);
	xb_yaml_text(y, "run", xb_str_text(&script));
	xb_yaml_end(y, 1);
}

static void write_upload(struct xb_yaml *y, const char *name, const char *path)
{
	write_use(y, "actions/upload-artifact@v7");
	xb_yaml_map(y, "with");
	xb_yaml_text(y, "name", name);
	xb_yaml_text(y, "path", path);
	xb_yaml_text(y, "if-no-files-found", "error");
	xb_yaml_end(y, 2);
}

static void write_leg_job(struct xb_yaml *y, const struct xb_ci *ci)
{
	xb_yaml_map(y, "leg");
	xb_yaml_text(y, "name", "${{ matrix.leg }}");
	xb_yaml_text(y, "runs-on", "${{ matrix.runner }}");
	xb_yaml_text(y, "continue-on-error", "${{ matrix.optional }}");
	write_permissions(y, ci);
	write_matrix(y, ci);
	xb_yaml_list(y, "steps");
	write_setup(y, ci, true);
	write_logins(y, ci);
	write_build(y, ci);
	write_upload(y, "xbuild-leg-${{ matrix.leg }}", XB_CI_DIR "/");
	xb_yaml_end(y, 2);
}

static void write_merge_job(struct xb_yaml *y, const struct xb_ci *ci)
{
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	xb_auto_str struct xb_str script = XB_STR_INIT(XB_STR_OWN);

	xb_ci_merge_words(ci, &words);
	append_command(&script, &words);
	(void)xb_str_puts(&script, " --revision \"$(git rev-parse HEAD)\" -- " XB_CI_DIR "/*.json");
	xb_yaml_map(y, "merge");
	xb_yaml_text(y, "needs", "leg");
	xb_yaml_texts(y, "runs-on", &ci->runners->items[0].labels);
	write_permissions(y, ci);
	xb_yaml_list(y, "steps");
	write_setup(y, ci, false);
	write_logins(y, ci);
	write_use(y, "actions/download-artifact@v8");
	xb_yaml_map(y, "with");
	xb_yaml_text(y, "pattern", "xbuild-leg-*");
	xb_yaml_text(y, "path", XB_CI_DIR);
	xb_yaml_bool(y, "merge-multiple", true);
	xb_yaml_end(y, 2);
	write_run(y, "Merge", xb_str_text(&script));
	xb_yaml_end(y, 1);
	if (!ci->push && ci->outputs->len == 0)
		write_upload(y, "image", XB_CI_ARCHIVE);
	xb_yaml_end(y, 2);
}

static void write_trigger(struct xb_yaml *y)
{
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;

	xb_strv_push(&tags, "v*");
	xb_yaml_map(y, "on");
	xb_yaml_map(y, "push");
	xb_yaml_texts(y, "tags", &tags);
	xb_yaml_end(y, 1);
	xb_yaml_map(y, "workflow_dispatch");
	xb_yaml_end(y, 2);
}

int xb_ci_write_github(const struct xb_ci *ci, struct xb_str *out, struct xb_error *err)
{
	struct xb_yaml y = { .out = out };

	(void)err;
	xb_ci_write_head(ci, "github", &y);
	xb_yaml_text(&y, "name", "image");
	write_trigger(&y);
	xb_yaml_map(&y, "jobs");
	write_leg_job(&y, ci);
	write_merge_job(&y, ci);
	xb_yaml_end(&y, 1);
	return 0;
}
