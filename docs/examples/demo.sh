#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make demo` shows: Debian bases for two platforms, the example built on them, and both results
# run. Kept between runs below XB_DEMO_DIR (default build/demo), so the second run takes seconds.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
xbuild=${XBUILD:-$here/../../build/xbuild}
dir=${XB_DEMO_DIR:-$here/../../build/demo}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1700000000}"

say() { printf '\n== %s\n' "$*"; }
show() {
	printf '$ %s\n' "$*"
	"$@"
}

say "Base images: Debian bookworm for linux/amd64 and linux/arm64, made by xbuild"
XBUILD=$xbuild sh "$here/debian-base/make-base.sh" "$dir/base:bookworm-slim"

say "One Dockerfile, two platforms, one index"
rm -rf "$dir/hello"
show "$xbuild" build --root "$dir/store" --platform linux/amd64,linux/arm64 -t hello:demo \
	--build-context "debian:bookworm-slim=oci-layout://$dir/base:bookworm-slim" \
	-o "type=oci,dest=$dir/hello,tar=false,name=hello" "$here/hello"

say "The index, and the size of each platform's image"
python3 - "$dir/hello" <<'EOF' 2>/dev/null || cat "$dir/hello/index.json"
import json, os, sys
layout = sys.argv[1]
def blob(descriptor):
    with open(os.path.join(layout, "blobs", descriptor["digest"].replace(":", "/")), encoding="utf-8") as f:
        return json.load(f)
with open(os.path.join(layout, "index.json"), encoding="utf-8") as f:
    top = json.load(f)["manifests"][0]
index = blob(top)
print(top["digest"])
print(json.dumps(index, indent=2))
for manifest in index["manifests"]:
    platform = manifest["platform"]
    name = "/".join(platform[k] for k in ("os", "architecture", "variant") if platform.get(k))
    layers = blob(manifest)["layers"]
    print(f"{name:14} {manifest['digest'][:19]}  {len(layers)} layers, "
          f"{sum(layer['size'] for layer in layers) / 1e6:.1f} MB compressed")
EOF

say "Each image's program, run on this $(uname -m) machine"
for platform in linux/amd64 linux/arm64; do
	show "$xbuild" run --root "$dir/store" --platform $platform "oci:$dir/hello:hello"
done

say "This machine's own registered emulators (xbuild used and left none)"
ls /proc/sys/fs/binfmt_misc 2>/dev/null || echo "none: binfmt_misc is not even mounted"
