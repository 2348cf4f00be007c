/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/build_options.h"

#include <stddef.h>

#define AT(member) offsetof(struct xb_build_options, member)

const struct xb_option xb_build_option_table[] = {
	{ "platform", 0, XB_OPTION_LIST, AT(platforms), "LIST",
	  "platforms to build for (default: this machine's)" },
	{ "file", 'f', XB_OPTION_TEXT, AT(file), "PATH",
	  "the Dockerfile: a path, a URL or - (default: PATH/Dockerfile)" },
	{ "tag", 't', XB_OPTION_LIST, AT(names), "NAME", "name of the result" },
	{ "output", 'o', XB_OPTION_LIST, AT(outputs), "SPEC",
	  "where the result goes: type=oci|docker|local|tar|image,dest=PATH" },
	{ "build-arg", 0, XB_OPTION_LIST, AT(build_args), "NAME[=VALUE]", "value of an ARG" },
	{ "build-context", 0, XB_OPTION_LIST, AT(build_contexts), "NAME=VALUE",
	  "directory, URL, git repository, oci-layout://DIR[:TAG] or docker-image://NAME" },
	{ "target", 0, XB_OPTION_TEXT, AT(target), "STAGE", "stage to build (default: the last)" },
	{ "label", 0, XB_OPTION_LIST, AT(labels), "NAME=VALUE", "label of the result" },
	{ "add-host", 0, XB_OPTION_LIST, AT(hosts), "NAME:IP", "line of /etc/hosts in steps" },
	{ "network", 0, XB_OPTION_TEXT, AT(network), "MODE",
	  "network of steps: default, host, none" },
	{ "secret", 0, XB_OPTION_LIST, AT(secrets), "SPEC",
	  "secret of RUN --mount=type=secret: id=ID,src=PATH or id=ID,env=NAME" },
	{ "ssh", 0, XB_OPTION_LIST, AT(agents), "ID[=SOCKET]",
	  "SSH agent of RUN --mount=type=ssh: default, or ID=SOCKET" },
	{ "allow", 0, XB_OPTION_LIST, AT(allowed), "WHAT",
	  "let steps have security.insecure, device or device=NAME" },
	{ "shm-size", 0, XB_OPTION_TEXT, AT(shm_size), "SIZE", "size of /dev/shm in steps (64m)" },
	{ "ulimit", 0, XB_OPTION_LIST, AT(ulimits), "NAME=SOFT[:HARD]",
	  "limit of steps' processes, such as nofile=1024:4096" },
	{ "resource", 0, XB_OPTION_LIST, AT(resources), "KEY=VALUE",
	  "limit of each step: memory, memory-swap, cpu-shares, cpu-period, cpu-quota, "
	  "cpuset-cpus, cpuset-mems, pids" },
	{ "cgroup-parent", 0, XB_OPTION_TEXT, AT(cgroup_parent), "PATH",
	  "control group in which steps get theirs" },
	{ "no-cache", 0, XB_OPTION_FLAG, AT(no_cache), NULL, "run every step" },
	{ "no-cache-filter", 0, XB_OPTION_LIST, AT(no_cache_filters), "STAGE",
	  "run every step of these stages" },
	{ "cache-from", 0, XB_OPTION_LIST, AT(cache_from), "SPEC",
	  "cache to look into: type=registry,ref=NAME or type=local,src=DIR" },
	{ "cache-to", 0, XB_OPTION_LIST, AT(cache_to), "SPEC",
	  "cache to write: type=registry,ref=NAME, type=local,dest=DIR or type=inline; "
	  "mode=min|max" },
	{ "pull", 0, XB_OPTION_FLAG, AT(pull), NULL,
	  "ask registries also for images that the store has a tag of" },
	{ "offline", 0, XB_OPTION_FLAG, AT(offline), NULL,
	  "ask the network for nothing: what is in the store has to do" },
	{ "locked", 0, XB_OPTION_FLAG, AT(locked), NULL,
	  "take from elsewhere what xbuild.lock says, and nothing else" },
	{ "lock-file", 0, XB_OPTION_TEXT, AT(lock_file), "PATH",
	  "the lock file (default: PATH/xbuild.lock)" },
	{ "update", 0, XB_OPTION_LIST, AT(updates), "NAME",
	  "of lock: an image or a URL that is looked at anew" },
	{ "push", 0, XB_OPTION_FLAG, AT(push), NULL, "push the result: -o type=registry" },
	{ "allow-drop", 0, XB_OPTION_FLAG, AT(allow_drop), NULL,
	  "let pushed tags lose platforms that they have now" },
	{ "dry-run", 0, XB_OPTION_FLAG, AT(dry_run), NULL,
	  "push nothing: print what would become of each tag" },
	{ "load", 0, XB_OPTION_FLAG, AT(load), NULL,
	  "keep the result in the store, as without -o" },
	{ "annotation", 0, XB_OPTION_LIST, AT(annotations), "[TYPE:]NAME=VALUE",
	  "annotation of the result; TYPE: manifest, index, manifest-descriptor, "
	  "index-descriptor" },
	{ "no-index-labels", 0, XB_OPTION_FLAG, AT(no_index_labels), NULL,
	  "do not annotate the index with labels that all platforms have alike" },
	{ "provenance", 0, XB_OPTION_TEXT, AT(provenance), "false", "attestations are not made" },
	{ "sbom", 0, XB_OPTION_TEXT, AT(sbom), "false", "likewise" },
	{ "attest", 0, XB_OPTION_LIST, AT(attestations), "type=TYPE,disabled=true", "likewise" },
	{ "builder", 0, XB_OPTION_TEXT, AT(builder), "default", "there is no other" },
	{ "allow-mismatch", 0, XB_OPTION_LIST, AT(mismatches), "LIST",
	  "what may be of another platform: shadowed-arg, stage-platform, pinned-target, "
	  "digest-pin, base-platform" },
	{ "progress", 0, XB_OPTION_TEXT, AT(progress), "MODE", "auto, plain, tty, quiet, rawjson" },
	{ "quiet", 'q', XB_OPTION_FLAG, AT(quiet), NULL, "print the digest alone" },
	{ "metadata-file", 0, XB_OPTION_TEXT, AT(metadata_file), "PATH",
	  "write the result's descriptor as JSON" },
	{ "iidfile", 0, XB_OPTION_TEXT, AT(iid_file), "PATH", "write the result's digest" },
	{ "emulator", 0, XB_OPTION_LIST, AT(emulators), "PLATFORM=PATH", "emulator to use" },
	{ "leg", 0, XB_OPTION_LIST, AT(legs), "LIST",
	  "build these platforms of --platform alone, as a leg for `xbuild merge`" },
	{ "result", 0, XB_OPTION_TEXT, AT(result), "FILE", "what `xbuild merge` reads of a leg" },
	{ "revision", 0, XB_OPTION_TEXT, AT(revision), "TEXT",
	  "what a leg is built from (default: the commit of the context's repository)" },
	{ "guard", 0, XB_OPTION_TEXT, AT(guard), "on|off",
	  "refuse this machine's own programs in emulated steps (default: on)" },
	{ "no-emulation", 0, XB_OPTION_FLAG, AT(no_emulation), NULL, "refuse to emulate" },
	{ "audit", 0, XB_OPTION_TEXT, AT(audit), "error|warn|off",
	  "look at every file of the images before anything is published (off)" },
	{ "audit-allow", 0, XB_OPTION_TEXT, AT(audit_allow), "FILE",
	  "what of that is known and wanted (.xbuild-audit of the context)" },
	{ "smoke", 0, XB_OPTION_LIST, AT(smokes), "[PLATFORM]CMD",
	  "command that each image must pass before anything is published" },
	{ "smoke-timeout", 0, XB_OPTION_TEXT, AT(smoke_timeout), "TIME",
	  "how long one may take (60s)" },
	{ "max-layer-size", 0, XB_OPTION_TEXT, AT(max_layer), "SIZE",
	  "what a base's layer may unpack to, such as 20G" },
	{ "cache-limit", 0, XB_OPTION_TEXT, AT(cache_limit), "SIZE",
	  "what the store may take, such as 20G, or none" },
	{ "snapshots", 0, XB_OPTION_TEXT, AT(snapshots), "MEANS",
	  "trees of steps: auto, overlay or copy" },
	{ "keep-going", 'k', XB_OPTION_FLAG, AT(keep_going), NULL,
	  "a step that fails stops only what needs it" },
	{ "jobs", 'j', XB_OPTION_TEXT, AT(jobs), "N", "steps at once (default: processors)" },
	XB_REGISTRY_OPTION_ROWS(xb_build_options, registries),
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	{ "call", 0, XB_OPTION_TEXT, AT(call), "WHAT",
	  "instead of building: check, outline or targets[,format=json]" },
	{ "check", 0, XB_OPTION_FLAG, AT(check), NULL, "--call=check" },
	{ "format", 0, XB_OPTION_TEXT, AT(format), "FORMAT", "of plan: table or json" },
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ "accel", 0, XB_OPTION_LATER, 0, NULL, "" },
	{ 0 },
};

void xb_build_options_clear(struct xb_build_options *o)
{
	xb_strv_clear(&o->platforms);
	xb_strv_clear(&o->legs);
	xb_strv_clear(&o->names);
	xb_strv_clear(&o->outputs);
	xb_strv_clear(&o->build_args);
	xb_strv_clear(&o->build_contexts);
	xb_strv_clear(&o->labels);
	xb_strv_clear(&o->hosts);
	xb_strv_clear(&o->secrets);
	xb_strv_clear(&o->agents);
	xb_strv_clear(&o->ulimits);
	xb_strv_clear(&o->resources);
	xb_strv_clear(&o->allowed);
	xb_strv_clear(&o->emulators);
	xb_strv_clear(&o->mismatches);
	xb_strv_clear(&o->no_cache_filters);
	xb_strv_clear(&o->cache_from);
	xb_strv_clear(&o->cache_to);
	xb_strv_clear(&o->annotations);
	xb_strv_clear(&o->updates);
	xb_strv_clear(&o->attestations);
	xb_strv_clear(&o->smokes);
	xb_registry_flags_clear(&o->registries);
}
