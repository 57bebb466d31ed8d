#!/bin/bash
# Usage: make.sh DIR: writes modules that no compiler makes.
set -euo pipefail
header='\0asm\1\0\0\0'
: >"$1/empty.wasm"
printf 'This is not a WebAssembly module.\n' >"$1/garbage.wasm"
printf "$header" >"$1/header-only.wasm"
printf '\0asm\2\0\0\0' >"$1/other-version.wasm"
# A component is told from a module by this layer field.
printf '\0asm\15\0\1\0' >"$1/component.wasm"
# An export section of 64 bytes that ends at once, and one whose length is a number without end.
printf "$header"'\7\100' >"$1/truncated.wasm"
printf "$header"'\7\377\377\377\377\377\377\377\377' >"$1/endless-length.wasm"
# An export section that counts 2^28 entries and has none.
printf "$header"'\7\5\200\200\200\200\1' >"$1/endless-exports.wasm"
# A good marker export of a function that does not exist.
printf "$header"'\7\33\1\27proxy_abi_version_0_2_1\0\0' >"$1/dangling-export.wasm"
