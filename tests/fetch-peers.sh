#!/usr/bin/env bash
# Unpacks the distribution's keepalived, BIRD, FRR and nginx under the target directory, with the libraries that they need and the
# system lacks. Nothing of it is installed: the lab runs them in network namespaces as the other router, or as a server.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$(realpath -m "${CARGO_TARGET_DIR:-target}")/peer
library=$root/usr/lib/$(uname -m)-linux-gnu
peer() { LD_LIBRARY_PATH=$root/usr/lib:$library "$root/usr/sbin/keepalived" --version 2>&1; }
bird() { LD_LIBRARY_PATH=$root/usr/lib:$library "$root/usr/sbin/bird" --version 2>&1; }
nginx() { LD_LIBRARY_PATH=$library "$root/usr/sbin/nginx" -v 2>&1; }
frr() { LD_LIBRARY_PATH=$library/frr:$library "$root/usr/lib/frr/bfdd" --version 2>&1 | sed -n 1p; }
if [[ $(peer) == 'Keepalived v'* && $(bird) == 'BIRD version'* && $(frr) == 'bfdd version'* &&
    $(nginx) == 'nginx version'* ]]; then exit 0; fi

rm -rf "$root"
mkdir -p "$root/packages"
# Downloads packages as this user: apt's own account may not write here.
download() { (cd "$root/packages" && apt-get -o APT::Sandbox::User=root download -qq "$@"); }
wanted=(keepalived bird2 frr nginx)
download "${wanted[@]}" 2>/dev/null || { apt-get update -qq; download "${wanted[@]}"; }
# What the package depends on directly is enough: what those need in turn has the base system.
for dependency in $(for package in "$root"/packages/*.deb; do dpkg-deb -f "$package" Depends; done |
    tr ',' '\n' | awk '/^ *lib/ { print $1 }'); do
    dpkg -s "$dependency" >/dev/null 2>&1 || download "$dependency"
done
for package in "$root"/packages/*.deb; do dpkg -x "$package" "$root"; done

missing=$(LD_LIBRARY_PATH=$root/usr/lib:$library:$library/frr \
    ldd "$root/usr/sbin/keepalived" "$root/usr/lib/frr/bfdd" "$root/usr/lib/frr/zebra" | awk '/not found/ { print $1 }')
if [ -n "$missing" ]; then
    # A library deeper down: let apt resolve it.
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        $(for package in "$root"/packages/{keepalived,frr}_*.deb; do dpkg-deb -f "$package" Depends; done |
            tr ',' '\n' | awk '/^ *lib/ { print $1 }') >/dev/null
fi
peer | sed -n 1p
bird
frr
nginx
