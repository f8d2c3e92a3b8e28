#!/usr/bin/env bash
# Runs each fuzz target for a bounded time: tests/fuzz/run.sh [SECONDS [TARGET...]]. What makes one fail is kept in
# target/fuzz/failures. A stable compiler does: only its coverage instrumentation is switched on.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-10}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(language advert bfd-packet netlink agentx bus replies)

root=$(realpath -m "${CARGO_TARGET_DIR:-../../target}")/fuzz
export CARGO_TARGET_DIR=$root
export RUSTFLAGS="-Cpasses=sancov-module -Ccodegen-units=1 --cfg fuzzing
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
# A target triple keeps the instrumentation away from build scripts.
triple=$(rustc -vV | sed -n 's/^host: //p')
cargo build --quiet --release --locked --target "$triple"

mkdir -p "$root/failures"
for target in "${targets[@]}"; do
    work=$root/corpus/$target
    mkdir -p "$work"
    # Frames are kept as hexadecimal text, one a line.
    [ ! -e "corpus/$target.hex" ] || grep -v '^#' "corpus/$target.hex" | while read -r name bytes; do
        # shellcheck disable=SC2059 # the format is the content
        printf "$(tr -d ' ' <<<"$bytes" | sed 's/../\\x&/g')" >"$work/$name"
    done
    if [ "$target" = language ]; then
        cp ../conformance/*.conf "$work"
        for story in ../parity/*.story; do
            sed -n '/^-- config main$/,/^-- events$/p' "$story" | grep -v '^-- ' >"$work/$(basename "$story" .story).conf"
        done
    fi
done

# As many at a time as there are processors: each keeps one busy.
fuzz='
"$ROOT/$TRIPLE/release/$1" "$ROOT/corpus/$1" -max_total_time="$SECONDS_EACH" -timeout=5 -rss_limit_mb=1024 -max_len=4096 \
    -artifact_prefix="$ROOT/failures/$1-" -print_final_stats=1 >"$ROOT/$1.log" 2>&1 || {
    tail -50 "$ROOT/$1.log" >&2
    echo "fuzz: $1 failed; the input is in $ROOT/failures" >&2
    exit 1
}
echo "fuzz: $1: $(sed -n "s/^stat::number_of_executed_units: *//p" "$ROOT/$1.log") inputs, no failure"'
printf '%s\n' "${targets[@]}" |
    ROOT=$root TRIPLE=$triple SECONDS_EACH=$seconds xargs -P "$(nproc)" -I '{}' sh -c "$fuzz" sh '{}'
