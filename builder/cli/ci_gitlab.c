/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline of GitLab CI: a job for each leg, and one that merges what they leave.
 *
 * Scripts are given to a shell as they are; elsewhere GitLab would put values in place of "$NAME",
 * and nothing from the command line stands there but labels, which have no '$'.
 * Source: docs.gitlab.com, "CI/CD YAML syntax reference".
 */
#include "builder/cli/ci.h"
#include "builder/cli/ci_head.h"
#include "builder/cli/shell.h"
#include "builder/cli/yaml.h"

#define STAGE_LEGS  "legs"
#define STAGE_MERGE "merge"
#define IMAGE	    "debian:bookworm"

static void write_before(struct xb_yaml *y, const struct xb_ci *ci)
{
	xb_yaml_list(y, "before_script");
	xb_yaml_element(y, "apt-get -q update\n"
			   "apt-get -q -y install ca-certificates git uidmap");
	xb_yaml_element(y, ci->setup);
	for (size_t i = 0; i < ci->hosts->len; i++) {
		xb_auto_str struct xb_str script = XB_STR_INIT(XB_STR_OWN);

		(void)xb_str_puts(
			&script, "printf %s \"${REGISTRY_PASSWORD:-$CI_REGISTRY_PASSWORD}\" |\n"
				 "  xbuild login --username \"${REGISTRY_USER:-$CI_REGISTRY_USER}\""
				 " --password-stdin ");
		xb_shell_append(&script, ci->hosts->items[i]);
		xb_yaml_element(y, xb_str_text(&script));
	}
	xb_yaml_end(y, 1);
}

static void write_script(struct xb_yaml *y, const char *script)
{
	xb_yaml_list(y, "script");
	xb_yaml_element(y, script);
	xb_yaml_end(y, 1);
}

static void write_artifacts(struct xb_yaml *y, const char *path)
{
	xb_auto_strv struct xb_strv paths = XB_STRV_INIT;

	xb_strv_push(&paths, path);
	xb_yaml_map(y, "artifacts");
	xb_yaml_texts(y, "paths", &paths);
	xb_yaml_text(y, "expire_in", "1 day");
	xb_yaml_end(y, 1);
}

static void write_leg(struct xb_yaml *y, const struct xb_ci *ci, const struct xb_ci_leg *leg)
{
	xb_autofree char *name = xb_format("leg %s", leg->name);
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	xb_auto_str struct xb_str script = XB_STR_INIT(XB_STR_OWN);

	xb_ci_leg_words(ci, leg, &words);
	xb_ci_common_words(ci, &words);
	if (leg->emulator)
		(void)xb_str_puts(&script, "apt-get -q -y install qemu-user-static\n");
	(void)xb_str_puts(&script, XB_CI_BEFORE_BUILD "xbuild build " XB_CI_REVISION " ");
	xb_shell_append_all(&script, &words);
	xb_yaml_map(y, name);
	xb_yaml_text(y, "extends", ".xbuild");
	xb_yaml_text(y, "stage", STAGE_LEGS);
	xb_yaml_texts(y, "tags", &ci->runners->items[leg->runner].labels);
	write_script(y, xb_str_text(&script));
	write_artifacts(y, XB_CI_DIR "/");
	if (leg->optional)
		xb_yaml_bool(y, "allow_failure", true);
	xb_yaml_end(y, 1);
}

static void write_merge(struct xb_yaml *y, const struct xb_ci *ci)
{
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;
	xb_auto_str struct xb_str script = XB_STR_INIT(XB_STR_OWN);

	xb_ci_merge_words(ci, &words);
	xb_shell_append_all(&script, &words);
	(void)xb_str_puts(&script, " --revision \"$(git rev-parse HEAD)\" -- " XB_CI_DIR "/*.json");
	xb_yaml_map(y, "merge");
	xb_yaml_text(y, "extends", ".xbuild");
	xb_yaml_text(y, "stage", STAGE_MERGE);
	xb_yaml_texts(y, "tags", &ci->runners->items[0].labels);
	write_script(y, xb_str_text(&script));
	if (!ci->push && ci->outputs->len == 0)
		write_artifacts(y, XB_CI_ARCHIVE);
	xb_yaml_end(y, 1);
}

int xb_ci_write_gitlab(const struct xb_ci *ci, struct xb_str *out, struct xb_error *err)
{
	struct xb_yaml y = { .out = out };
	xb_auto_strv struct xb_strv stages = XB_STRV_INIT;

	(void)err;
	xb_strv_push(&stages, STAGE_LEGS);
	xb_strv_push(&stages, STAGE_MERGE);
	xb_ci_write_head(ci, "gitlab", &y);
	xb_yaml_texts(&y, "stages", &stages);
	xb_yaml_map(&y, ".xbuild");
	xb_yaml_text(&y, "image", IMAGE);
	write_before(&y, ci);
	xb_yaml_end(&y, 1);
	for (size_t i = 0; i < ci->legs->len; i++)
		write_leg(&y, ci, &ci->legs->items[i]);
	write_merge(&y, ci);
	return 0;
}
