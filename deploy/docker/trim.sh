#!/bin/sh
# Takes out of an app's directory what it does not run: LevelDB for other systems and its sources, type declarations, maps.
set -eu
app=$1
platform=$(node -p 'process.platform + "-" + process.arch')

level=$app/node_modules/classic-level
if [ -d "$level/prebuilds/$platform" ]; then
  find "$level/prebuilds" -mindepth 1 -maxdepth 1 ! -name "$platform" -exec rm -r {} +
  # The base image is Debian: the build for musl is not used.
  find "$level/prebuilds/$platform" -name '*.musl.node' -delete
  rm -rf "$level/deps" "$level/binding.cc" "$level/binding.gyp"
fi
rm -rf "$app/node_modules/zod/src" "$app/node_modules/@types"
# The native part of msgpackr, which is not loaded.
rm -rf "$app/node_modules/msgpackr-extract" "$app/node_modules/@msgpackr-extract"
# What npm notes for itself, and links to workspaces that are not there.
rm -rf "$app/node_modules/.package-lock.json"
find "$app/node_modules" -type l ! -exec test -e {} \; -delete
find "$app" -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -name '.tsbuildinfo' -o -name '*.md' \) -delete
# What is there must still load.
cd "$app"
node --input-type=module -e '
  import { existsSync } from "node:fs"
  import { ClassicLevel } from "classic-level"
  import "msgpackr/pack"
  if (existsSync("node_modules/zod")) await import("zod")
  await new ClassicLevel("/tmp/trimmed").open()'
rm -rf /tmp/trimmed
