# Obtains what the guests are built with. Sourced by build.sh; nothing but Debian's own clang, lld and wabt is installed system-wide.
#
# Every need_NAME makes one toolchain usable and answers 0, or sets `why` and answers 1. Versions are pinned, since the committed binaries
# must come out byte for byte; an unexpected version counts as not to be had.
#
# GUEST_TOOLCHAINS names the cache (default: plugins/.toolchains). GUEST_TOOLCHAINS=... can be kept between runs; it is filled once.

cache=${GUEST_TOOLCHAINS:-$plugins/.toolchains}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
why=

clang_version=14.0.6
wabt_version=1.0.32
rustc_version='rustc 1.85.1 '
lld_version='LLD 19.1.7'
go_version='go1.24.4 '
asc_version='Version 0.28.20'

# install COMMAND PACKAGE...: by apt, where we may.
install() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    why="$command is missing (apt-get install $*)"
    return 1
  fi
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"; } >"$cache/apt.log" 2>&1 ||
    { why="apt-get install $* failed, see $cache/apt.log"; return 1; }
}

# expect WHAT FOUND WANTED
expect() {
  [[ $2 == *"$3"* ]] || { why="$1 is ${2%%$'\n'*}, the committed guests were made by $3"; return 1; }
}

need_clang() {
  install clang clang lld && install wasm-ld lld && expect clang "$(clang --version)" "$clang_version"
}

need_wabt() {
  install wat2wasm wabt && expect wat2wasm "$(wat2wasm --version)" "$wabt_version"
}

# unpack NAME PACKAGE...: Debian trixie's packages, unpacked under $cache/NAME/root, from the mirror that apt is configured with.
unpack() {
  local name=$1 dir=$cache/$1 mirror deb
  shift
  [ -e "$dir/complete" ] && return
  command -v apt-get >/dev/null || { why='apt-get is missing'; return 1; }
  mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -E '/debian/?$' | sort -u | head -n 1)
  [ -n "$mirror" ] || { why='apt is configured with no Debian mirror'; return 1; }
  rm -rf "$dir"
  mkdir -p "$dir"/{lists/partial,archives/partial,debs,root}
  : >"$dir/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$dir/sources.list"
  local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$dir/lists"
    -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir" -o "Dir::Cache::archives=$dir/archives" -o APT::Sandbox::User=root)
  (cd "$dir/debs" && "${apt[@]}" update && "${apt[@]}" download "$@") >"$dir/apt.log" 2>&1 ||
    { why="Debian trixie's packages could not be had, see $dir/apt.log"; return 1; }
  for deb in "$dir"/debs/*.deb; do
    dpkg-deb -x "$deb" "$dir/root"
  done
  rm -rf "$dir"/{debs,lists,archives,pkgcache.bin,srcpkgcache.bin}
  touch "$dir/complete"
}

# wrap FILE ROOT PROGRAM: a script that runs a program of an unpacked root with that root's own libraries.
wrap() {
  printf '#!/bin/sh\nexec "%s/usr/lib64/ld-linux-x86-64.so.2" --library-path "%s/usr/lib/x86_64-linux-gnu" "%s/%s" "$@"\n' "$2" "$2" "$2" "$3" >"$1"
  chmod +x "$1"
}

need_rust() {
  local root=$cache/rust/root
  [ "$(uname -m)" = x86_64 ] || { why='only x86-64 is supported'; return 1; }
  command -v cargo >/dev/null || { why='cargo is missing'; return 1; }
  unpack rust rustc libstd-rust-1.85 libstd-rust-dev libstd-rust-dev-wasm32 lld-19 libllvm19 libc6 libstdc++6 libgcc-s1 libedit2 \
    libffi8 libxml2 libz3-4 libzstd1 zlib1g libtinfo6 libbsd0 libmd0 liblzma5 libicu76 || return 1
  wrap "$cache/rust/rustc" "$root" usr/bin/rustc
  wrap "$cache/rust/wasm-ld" "$root" usr/lib/llvm-19/bin/wasm-ld
  expect rustc "$("$cache/rust/rustc" --version)" "$rustc_version" && expect wasm-ld "$("$cache/rust/wasm-ld" --version)" "$lld_version"
}

need_go() {
  unpack go golang-1.24-go golang-1.24-src || return 1
  expect go "$(GOROOT=$cache/go/root/usr/lib/go-1.24 "$cache/go/root/usr/lib/go-1.24/bin/go" version)" "$go_version"
}

need_asc() {
  command -v npm >/dev/null || { why='npm is missing'; return 1; }
  if [ ! -e "$cache/asc/node_modules/.bin/asc" ]; then
    mkdir -p "$cache/asc"
    cp "$plugins/sdk-assemblyscript/package.json" "$plugins/sdk-assemblyscript/package-lock.json" "$cache/asc/"
    (cd "$cache/asc" && npm ci --no-audit --no-fund --ignore-scripts) >"$cache/asc/npm.log" 2>&1 ||
      { why="npm ci failed, see $cache/asc/npm.log"; return 1; }
  fi
  expect asc "$("$cache/asc/node_modules/.bin/asc" --version)" "$asc_version"
}
