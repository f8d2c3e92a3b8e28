#!/usr/bin/env bash
# `make install` lays down what distributions expect, and `make uninstall` takes it away again.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
make --no-print-directory install DESTDIR="$root" PREFIX=/usr >/dev/null
for file in \
    usr/sbin/keepalived usr/bin/genhash usr/lib/systemd/system/keepalived.service usr/share/man/man8/keepalived.8 \
    usr/share/man/man5/keepalived.conf.5 usr/share/man/man1/genhash.1 \
    etc/keepalived/keepalived.conf.sample etc/sysconfig/keepalived usr/share/doc/keepalived/copyright \
    usr/share/doc/keepalived/differences.md usr/share/doc/keepalived/extensions.md \
    usr/share/dbus-1/system.d/org.keepalived.Vrrp1.conf usr/share/dbus-1/interfaces/org.keepalived.Vrrp1.Instance.xml \
    usr/share/dbus-1/interfaces/org.keepalived.Vrrp1.Vrrp.xml; do
    [ -e "$root/$file" ] || { echo "install: $file is missing" >&2; exit 1; }
done
grep -q '^ExecStart=/usr/sbin/keepalived ' "$root/usr/lib/systemd/system/keepalived.service"
[[ $("$root/usr/sbin/keepalived" --version 2>&1) == 'Keepalived v2.4.3 '* ]] || {
    echo "install: no version" >&2
    exit 1
}
# Its usage comes with status 1, as in the original.
[[ $("$root/usr/bin/genhash" --help 2>&1 || true) == 'Usage: '* ]] || { echo "install: no genhash" >&2; exit 1; }

echo '# mine' >"$root/etc/sysconfig/keepalived"
make --no-print-directory install DESTDIR="$root" PREFIX=/usr >/dev/null
grep -q '^# mine' "$root/etc/sysconfig/keepalived" || { echo "install: the settings were overwritten" >&2; exit 1; }
make --no-print-directory uninstall DESTDIR="$root" PREFIX=/usr >/dev/null
left=$(find "$root" -type f -o -type l | grep -v sysconfig || true)
[ -z "$left" ] || { echo "uninstall: left $left" >&2; exit 1; }
echo "install: all files in place, settings kept, nothing left behind"
