#!/usr/bin/env bash
# `make test`: everything that must pass for work to land, on a fresh Debian machine with Rust. Needs root for the
# network namespaces (it makes its own and touches no other).
set -euo pipefail
cd "$(dirname "$0")/.."

packaging/prerequisites.sh test
tests/fetch-peers.sh
make --no-print-directory lint
cargo build --release --locked
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast
else
    cargo test --workspace --locked --no-fail-fast
fi
cargo test --workspace --locked --doc --quiet
tests/fuzz/run.sh 5
tests/msrv.sh
tests/install.sh
