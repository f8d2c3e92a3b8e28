#!/usr/bin/env bash
# Installs what a goal of the Makefile needs on Debian or Ubuntu: prerequisites.sh build|demo|test|msrv.
# Does nothing, and asks for no privilege, where everything is there already.
set -euo pipefail

declare -A provides=(
    [cc]=gcc [c++]=g++ [make]=make [ip]=iproute2 [ping]=iputils-ping [tc]=iproute2 [tshark]=tshark [tcpdump]=tcpdump [nft]=nftables
    [openssl]=openssl [iptables]=iptables [ipset]=ipset [ipvsadm]=ipvsadm
    [qemu-system-x86_64]=qemu-system-x86 [busybox]=busybox-static [cpio]=cpio [depmod]=kmod [xz]=xz-utils
    [ps]=procps [pkg-config]=pkg-config
    [dbus-daemon]=dbus-daemon [dbus-send]=dbus-bin [dbus-monitor]=dbus-bin
    [snmpd]=snmpd [snmptrapd]=snmptrapd [snmpwalk]=snmp
)
case "${1:-build}" in
    build) commands=(cc pkg-config) ;;
    demo) commands=(cc pkg-config ip) ;;
    test) commands=(cc c++ pkg-config ip ping tc tshark tcpdump nft iptables ipset ipvsadm openssl ps
        qemu-system-x86_64 busybox cpio depmod xz snmpd snmptrapd snmpwalk dbus-daemon dbus-send dbus-monitor) ;;
    *) echo "usage: $0 build|demo|test" >&2; exit 2 ;;
esac

command -v cargo >/dev/null || {
    echo "Rust is missing: install version 1.85 or newer (Debian 13: apt install cargo; elsewhere: https://rustup.rs)" >&2
    exit 1
}

missing=()
for command in "${commands[@]}"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null || missing+=("${provides[$command]}")
done
[ -e /usr/include/openssl/ssl.h ] || missing+=(libssl-dev)
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
