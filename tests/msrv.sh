#!/usr/bin/env bash
# Builds the workspace with Rust 1.85, the oldest version that we promise: clippy knows which library calls are too new,
# but only that compiler knows its own syntax. Debian 12's packages of it are unpacked, not installed.
set -euo pipefail
cd "$(dirname "$0")/.."

tree=target/msrv-toolchain
library=$tree/usr/lib/$(uname -m)-linux-gnu
if ! LD_LIBRARY_PATH=$library "$tree/usr/bin/rustc" --version 2>/dev/null | grep -q '^rustc 1\.85\.'; then
    version=$(apt-cache madison rustc-web 2>/dev/null | awk '$3 ~ /^1\.85\./ { print $3; exit }')
    if [ -z "$version" ]; then
        echo "msrv: no package of Rust 1.85 in reach (Debian 12's rustc-web has it); not checked"
        exit 0
    fi
    rm -rf "$tree"
    mkdir -p "$tree/packages"
    (cd "$tree/packages" && apt-get download -qq \
        "rustc-web=$version" "libstd-rust-web-dev=$version" "libstd-rust-web-1.85=$version" libllvm19 2>/dev/null)
    for package in "$tree"/packages/*.deb; do dpkg -x "$package" "$tree"; done
fi

RUSTC=$PWD/$tree/usr/bin/rustc LD_LIBRARY_PATH=$PWD/$library CARGO_TARGET_DIR=target/msrv \
    cargo check --quiet --workspace --locked
echo "msrv: builds with $(LD_LIBRARY_PATH=$library "$tree/usr/bin/rustc" --version)"
