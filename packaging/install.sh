#!/usr/bin/env bash
# Lays the files down where distributions expect them, or removes them again:
#   install.sh [--remove] DESTDIR PREFIX SYSCONFDIR UNITDIR
# A configuration that is there already is never touched.
set -euo pipefail
cd "$(dirname "$0")/.."

remove=false
if [ "${1:-}" = --remove ]; then
    remove=true
    shift
fi
[ $# = 4 ] || { echo "usage: $0 [--remove] DESTDIR PREFIX SYSCONFDIR UNITDIR" >&2; exit 2; }
destdir=$1 prefix=$2 sysconfdir=$3 unitdir=$4
binary=target/release/keepalived

lay() { # MODE SOURCE TARGET
    if $remove; then
        rm -f "$destdir$3"
    else
        install -D -m "$1" "$2" "$destdir$3"
    fi
}

if ! $remove && [ ! -x "$binary" ]; then
    echo "$binary is missing: run make first" >&2
    exit 1
fi
unit=$(mktemp)
trap 'rm -f "$unit"' EXIT
sed -e "s|@SBINDIR@|$prefix/sbin|" -e "s|@SYSCONFDIR@|$sysconfdir|" packaging/keepalived.service.in >"$unit"

lay 755 "$binary" "$prefix/sbin/keepalived"
lay 644 "$unit" "$unitdir/keepalived.service"
lay 644 doc/keepalived.8 "$prefix/share/man/man8/keepalived.8"
lay 644 doc/keepalived.conf.5 "$prefix/share/man/man5/keepalived.conf.5"
lay 644 doc/genhash.1 "$prefix/share/man/man1/genhash.1"
lay 644 doc/samples/keepalived.conf "$sysconfdir/keepalived/keepalived.conf.sample"
lay 644 packaging/dbus/org.keepalived.Vrrp1.conf "$prefix/share/dbus-1/system.d/org.keepalived.Vrrp1.conf"
for interface in Instance Vrrp; do
    file=org.keepalived.Vrrp1.$interface.xml
    lay 644 "packaging/dbus/$file" "$prefix/share/dbus-1/interfaces/$file"
done
for mib in packaging/mibs/*.txt; do lay 644 "$mib" "$prefix/share/snmp/mibs/${mib##*/}"; done
lay 644 COPYING "$prefix/share/doc/keepalived/copyright"
for page in differences extensions; do lay 644 "doc/$page.md" "$prefix/share/doc/keepalived/$page.md"; done
if $remove; then
    rm -f "$destdir$prefix/bin/genhash"
else
    [ -e "$destdir$sysconfdir/sysconfig/keepalived" ] ||
        lay 644 packaging/keepalived.sysconfig "$sysconfdir/sysconfig/keepalived"
    install -d "$destdir$prefix/bin"
    ln -sfn ../sbin/keepalived "$destdir$prefix/bin/genhash"
fi
