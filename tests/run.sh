#!/usr/bin/env bash
# `make test`: everything that must pass for work to land, on a fresh Debian machine with Rust. Needs root for the
# network namespaces (it makes its own and touches no other).
set -euo pipefail
cd "$(dirname "$0")/.."

packaging/prerequisites.sh test
tests/fetch-peers.sh
# One processor links the daemon, which takes long; the others need not wait for it.
cargo build --release --locked --quiet &
build=$!
trap 'kill "$build" 2>/dev/null || true' EXIT
make --no-print-directory lint
tests/msrv.sh
wait "$build"
trap - EXIT
cargo test --workspace --locked --doc --quiet
# The lab mostly waits for routers to do something, so more of it runs at once than there are processors.
target=$(realpath "${CARGO_TARGET_DIR:-target}")
export KEEPALIVED=$target/release/keepalived
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --exclude lab --locked --no-fail-fast
    # One retry: a machine that stands still for a second fails a test that takes the time, and rightly so.
    cargo nextest run --package lab --test-threads 10 --retries 1 --locked --no-fail-fast
else
    cargo test --workspace --exclude lab --locked --no-fail-fast
    cargo test --package lab --locked --no-fail-fast -- --test-threads 10
fi
tests/fuzz/run.sh 5
tests/install.sh
