#!/usr/bin/env bash
# tests/vm.sh COMMAND [ARGUMENT...]: runs a command as root on a virtual machine with a distribution's kernel, for what the
# kernel of this machine may lack: IPVS, VRFs. Prints what it prints, and ends with its status; 125 when it never ran.
#
# The machine has this one's root file system, under an overlay that goes with it, and no network but loopback. It is
# emulated in software: it boots in some seconds and is ten times slower than this one.
#
# VM_CACHE is where the kernel is kept (default: target/vm), VM_TIMEOUT the seconds that it may run (default: 120),
# VM_PROCESSORS how many it has (default: 1).
set -euo pipefail

fail() { echo "vm.sh: $*" >&2; exit 125; }

[ $# -gt 0 ] || fail "no command"
PATH=$PATH:/usr/sbin:/sbin
cache=${VM_CACHE:-$(cd "$(dirname "$0")/.." && pwd)/target/vm}
mkdir -p "$cache"

# The kernel: fetched once, by one run at a time.
exec 9>"$cache/lock"
flock 9
if [ ! -e "$cache/complete" ]; then
    rm -rf "$cache/tree"
    package=$(apt-cache depends linux-image-amd64 | awk '$1 == "Depends:" { print $2; exit }')
    [ -n "$package" ] || fail "the package archive knows no kernel"
    (cd "$cache" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2) || fail "cannot fetch $package"
    dpkg-deb -x "$cache/$package"_*.deb "$cache/tree"
    rm "$cache/$package"_*.deb
    touch "$cache/complete"
fi
flock -u 9
kernel=$(echo "$cache"/tree/boot/vmlinuz-*)
version=${kernel##*/vmlinuz-}
modules=$cache/tree/lib/modules/$version
[ -d "$modules" ] || modules=$cache/tree/usr/lib/modules/$version
[ -e "$modules/modules.dep" ] || depmod -b "${modules%/lib/modules/*}" "$version"

work=$(mktemp -d "${TMPDIR:-/tmp}/vm.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/initial/{bin,modules,proc,sys,dev,lower,upper,root} "$work/exchange"

# What the kernel needs to find the file system, in the order of their dependencies.
: >"$work/initial/modules/order"
for name in virtio_pci 9pnet_virtio 9p overlay; do
    modprobe -d "${modules%/lib/modules/*}" -S "$version" --show-depends "$name" | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' | while read -r file; do
    base=${file##*/}
    case $base in
        *.xz) base=${base%.xz}; xz -dc "$file" >"$work/initial/modules/$base" ;;
        *) cp "$file" "$work/initial/modules/$base" ;;
    esac
    echo "$base" >>"$work/initial/modules/order"
done

cp "$(command -v busybox)" "$work/initial/bin/busybox"
cat >"$work/initial/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read -r file; do insmod "/modules/$file"; done </modules/order
options=trans=virtio,version=9p2000.L,msize=262144
mount -t 9p -o $options,ro,cache=loose host /lower
mount -t tmpfs upper /upper
mkdir /upper/data /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work root /root
cd /root
for place in proc sys; do mount -t ${place}${place#proc} none $place 2>/dev/null || mount -t ${place}fs none $place; done
mount -t devtmpfs dev dev; mkdir -p dev/shm dev/pts; mount -t devpts pts dev/pts; mount -t tmpfs run run
# Where the kernel looks for modules by itself.
mkdir -p run/vm "lib/modules/$(uname -r)"
mount -t 9p -o $options,ro,cache=loose modules "lib/modules/$(uname -r)"
mount -t 9p -o $options,cache=none exchange run/vm
exec switch_root /root /bin/sh /run/vm/main
INIT
chmod +x "$work/initial/init"
(cd "$work/initial" && find . | cpio --quiet -o -H newc) | gzip -1 >"$work/initrd"

printf '%q ' "$@" >"$work/exchange/command"
cat >"$work/exchange/main" <<MAIN
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
ip link set lo up
for module in ip_vs veth bridge macvlan ipvlan vrf; do modprobe \$module; done 2>/dev/null
cd $(printf %q "$PWD")
/bin/bash /run/vm/command >/run/vm/output 2>&1 </dev/null
echo \$? >/run/vm/status
sync
echo o >/proc/sysrq-trigger
sleep 60
MAIN

# Two machines at a time: more would only slow each other down, and what else runs.
for place in 1 2; do
    exec 8>"$cache/running.$place"
    if flock -n 8; then break; fi
    [ "$place" = 1 ] || flock 8
done
timeout -k 5 "${VM_TIMEOUT:-120}" qemu-system-x86_64 -accel tcg -cpu max -m 1024 -smp "${VM_PROCESSORS:-1}" -display none -monitor none -no-reboot \
    -nic none -no-user-config -kernel "$kernel" -initrd "$work/initrd" -serial "file:$work/console" \
    -append "console=ttyS0 quiet panic=-1 sysrq_always_enabled no_timer_check mitigations=off rcupdate.rcu_expedited=1 nokaslr audit=0" \
    -virtfs "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap" \
    -virtfs "local,path=$modules,mount_tag=modules,security_model=none,readonly=on" \
    -virtfs "local,path=$work/exchange,mount_tag=exchange,security_model=none" </dev/null >&2 || true
[ -s "$work/exchange/status" ] || { cat "$work/console" "$work/exchange/output" >&2 || true; fail "the machine gave no answer"; }
cat "$work/exchange/output"
exit "$(cat "$work/exchange/status")"
