#!/bin/bash
# Usage: plugins/check.sh [NAME...]
#
# Rebuilds the guests (all, or the named directories) into a temporary directory and compares them with the committed ones, byte for byte.
# Prints every difference and `N passed, N failed` (`, N skipped` if a toolchain cannot be had), and fails on a difference.
set -euo pipefail
plugins=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
trap 'echo "check.sh: line $LINENO failed" >&2' ERR

"$plugins/build.sh" --into "$fresh" "$@" >"$fresh/log" 2>&1 || {
  cat "$fresh/log"
  echo 'the guests do not build'
  echo '0 passed, 1 failed'
  exit 1
}
grep '^skipped ' "$fresh/log" || true
skipped=$(grep -c '^skipped ' "$fresh/log" || true)

# The guests to compare: those built now, and those committed in the same directories.
names=("$@")
[ ${#names[@]} -gt 0 ] || mapfile -t names < <(cd "$plugins" && printf '%s\n' */*.wasm | cut -d/ -f1 | sort -u)
passed=0 failed=0
for name in "${names[@]}"; do
  if grep -q "^skipped $name:" "$fresh/log"; then continue; fi
  while read -r file; do
    if cmp -s "$plugins/$file" "$fresh/$file"; then
      passed=$((passed + 1))
    elif [ ! -e "$fresh/$file" ]; then
      echo "$file is committed, but nothing builds it"
      failed=$((failed + 1))
    elif [ ! -e "$plugins/$file" ]; then
      echo "$file is not committed"
      failed=$((failed + 1))
    else
      echo "$file does not match its source: run plugins/build.sh $name"
      failed=$((failed + 1))
    fi
  done < <({ cd "$plugins" && ls "$name"/*.wasm; cd "$fresh" && ls "$name"/*.wasm; } 2>/dev/null | sort -u)
done
if [ "$skipped" = 0 ]; then
  echo "$passed passed, $failed failed"
else
  echo "$passed passed, $failed failed, $skipped skipped"
fi
[ "$failed" = 0 ]
