#!/bin/bash
# Usage: plugins/build.sh [--into DIR] [NAME...]
#
# Rebuilds the guests (all, or the named directories) from their sources, beside them or under DIR. The same sources give the same bytes.
# Toolchains are obtained as toolchains.sh says and cached under $GUEST_TOOLCHAINS (plugins/.toolchains). A guest whose toolchain cannot
# be had is left out with a line `skipped NAME: reason`; a guest that does not build ends the script.
set -euo pipefail
plugins=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$plugins/toolchains.sh"

into=$plugins
if [ "${1:-}" = --into ]; then
  into=$2
  shift 2
fi
mkdir -p "$into"
into=$(cd "$into" && pwd)
names=("$@")
export LC_ALL=C SOURCE_DATE_EPOCH=0

# The names of a kind's guests that were asked for, of those in the directories below.
wanted() {
  local name
  for name in "$@"; do
    if [ ${#names[@]} = 0 ] || [[ " ${names[*]} " == *" $name "* ]]; then echo "$name"; fi
  done
}

# directories GLOB...: of plugins that hold a file of that kind.
directories() {
  (cd "$plugins" && for file in "$@"; do [ ! -e "$file" ] || echo "${file%%/*}"; done) | sort -u
}

skip() {
  local name
  for name in "$@"; do echo "skipped $name: $why"; done
}

built() {
  chmod 644 "$into/$1"
  echo "built $1 ($(stat -c %s "$into/$1") bytes)"
}

# --- C ---------------------------------------------------------------------------------------------------------------------------------
# -Oz, no C library; the stack lies first, so that overflowing it traps.
c_flags=(--target=wasm32 -Oz -std=c11 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-infinite-recursion -nostdlib -ffreestanding -fno-builtin
  -Wl,--no-entry -Wl,--strip-all -Wl,--stack-first)

c_guest() { # OUTPUT SOURCE-AND-FLAG...: paths under plugins/
  local output=$1
  shift
  mkdir -p "$into/$(dirname "$output")"
  (cd "$plugins" && clang "${c_flags[@]}" "$@" -o "$into/$output")
  built "$output"
}

build_c() {
  local name
  for name in "$@"; do
    case $name in
      probe)
        c_guest probe/probe.wasm -DABI=21 "probe/src/"*.c
        c_guest probe/probe-0.2.0.wasm -DABI=20 "probe/src/"*.c
        c_guest probe/probe-0.1.0.wasm -DABI=10 "probe/src/"*.c
        ;;
      sdk-cpp) # emscripten's usual memory
        c_guest sdk-cpp/sdk-cpp.wasm -Wl,--initial-memory=16777216 -Wl,--max-memory=2147483648 -Wl,--export-table sdk-cpp/sdk-cpp.c
        ;;
      *) c_guest "$name/$name.wasm" "$name/$name.c" ;;
    esac
  done
}

# --- WAT -------------------------------------------------------------------------------------------------------------------------------
build_wat() {
  local name source output names
  for name in "$@"; do
    # The names of its functions are what it is about.
    names=()
    [[ $name != backtrace ]] || names=(--debug-names)
    for source in "$plugins/$name"/*.wat; do
      output=$name/$(basename "$source" .wat).wasm
      mkdir -p "$into/$name"
      wat2wasm --enable-all ${names[@]+"${names[@]}"} "$source" -o "$into/$output"
      built "$output"
    done
  done
}

# --- Bytes -----------------------------------------------------------------------------------------------------------------------------
build_bytes() {
  local name file
  for name in "$@"; do
    mkdir -p "$into/$name"
    bash "$plugins/$name/make.sh" "$into/$name"
    for file in "$into/$name"/*.wasm; do built "$name/${file##*/}"; done
  done
}

# --- Rust ------------------------------------------------------------------------------------------------------------------------------
# The target of a guest; both kinds of module load.
rust_target() {
  case $1 in
    auth) echo wasm32-unknown-unknown ;;
    *) echo wasm32-wasip1 ;;
  esac
}

build_rust() {
  local name target home=${CARGO_HOME:-$HOME/.cargo} remap=() directory
  (cd "$plugins" && cargo fetch --quiet --locked) # so that the sources' directories are there to be remapped
  for directory in "$home"/registry/src/*/; do
    remap+=("--remap-path-prefix=${directory%/}=/registry")
  done
  remap+=("--remap-path-prefix=$plugins=/plugins")
  for target in wasm32-wasip1 wasm32-unknown-unknown; do
    local packages=()
    for name in "$@"; do
      if [ "$(rust_target "$name")" = "$target" ]; then packages+=(-p "$name"); fi
    done
    [ ${#packages[@]} -gt 0 ] || continue
    (
      cd "$plugins"
      unset RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTUP_TOOLCHAIN RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
      export RUSTC="$cache/rust/rustc" CARGO_TARGET_DIR="$cache/rust/target" CARGO_INCREMENTAL=0
      export CARGO_TARGET_WASM32_WASIP1_LINKER="$cache/rust/wasm-ld" CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$cache/rust/wasm-ld"
      export CARGO_ENCODED_RUSTFLAGS
      CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && echo "${remap[*]}")
      cargo build --quiet --locked --release --target "$target" "${packages[@]}"
    )
    for name in "$@"; do
      if [ "$(rust_target "$name")" != "$target" ]; then continue; fi
      mkdir -p "$into/$name"
      cp "$cache/rust/target/$target/release/${name//-/_}.wasm" "$into/$name/$name.wasm"
      built "$name/$name.wasm"
    done
  done
}

# --- Go --------------------------------------------------------------------------------------------------------------------------------
build_go() {
  local name
  for name in "$@"; do
    mkdir -p "$into/$name"
    (
      cd "$plugins/$name"
      export GOROOT="$cache/go/root/usr/lib/go-1.24" GOCACHE="$cache/go/build" GOPATH="$cache/go/path"
      export GOOS=wasip1 GOARCH=wasm GOTOOLCHAIN=local GOFLAGS= GOENV=off GOPROXY=off GOWASM=
      "$GOROOT/bin/go" build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -buildmode=c-shared -o "$into/$name/$name.wasm" .
    )
    built "$name/$name.wasm"
  done
}

# --- AssemblyScript --------------------------------------------------------------------------------------------------------------------
build_asc() {
  local name
  for name in "$@"; do
    mkdir -p "$into/$name"
    (
      cd "$plugins/$name"
      "$cache/asc/node_modules/.bin/asc" "$name.ts" --runtime incremental --use "abort=$name/abort_" -O3 --noAssert -o "$into/$name/$name.wasm"
    )
    built "$name/$name.wasm"
  done
}

# --- All of them -----------------------------------------------------------------------------------------------------------------------
run() { # NEED BUILD DIRECTORY...
  local need=$1 build=$2 chosen
  shift 2
  mapfile -t chosen < <(wanted "$@")
  [ ${#chosen[@]} -gt 0 ] || return 0
  if "$need"; then "$build" "${chosen[@]}"; else skip "${chosen[@]}"; fi
}

for name in ${names[@]+"${names[@]}"}; do
  [ -d "$plugins/$name" ] || { echo "no guest $name" >&2; exit 2; }
done
cd "$plugins"
run need_clang build_c probe $(directories */*.c)
run need_wabt build_wat $(directories */*.wat)
run true build_bytes $(directories */make.sh)
run need_rust build_rust $(directories */src/lib.rs)
run need_asc build_asc $(directories */*.ts)
run need_go build_go $(directories */go.mod)
