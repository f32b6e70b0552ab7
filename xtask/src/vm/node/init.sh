#!/bin/busybox sh
# Comes before a node's systemd: loads what the disk takes, puts what this run brings into the
# node's root, and starts systemd there. What this run brings is the command with what runs it,
# below /run, and the caller's files.
export PATH=/bin

fail() {
    echo "the node cannot start: $1"
    poweroff -f
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec </dev/null >/dev/ttyS0 2>&1
stty -F /dev/ttyS1 raw -echo clocal -crtscts 115200
echo ready >/dev/ttyS1

for module in /vm/modules/*.ko; do
    [ ! -f $module ] || insmod $module
done
tries=0
until [ -b /dev/vda ] && [ -c /dev/vport0p1 ] && [ -c /dev/vport0p2 ]; do
    tries=$((tries + 1))
    [ $tries -le 1000 ] || fail "no disk, or no virtio ports for the command's output"
    usleep 10000
done

mkdir /node
# Inode tables that are not zeroed yet would be in the background, at the command's cost.
mount -t ext4 -o noatime,noinit_itable /dev/vda /node || fail "its disk cannot be mounted"
# What this run brings stays in memory when that runs short: read anew from the disk, page by page,
# it would bring the node to a halt.
mount -t tmpfs -o mode=755 tmpfs /node/usr/local/bin
cp -a /vm/root/. /node/
mount -t tmpfs -o mode=755 tmpfs /node/run
mkdir -p /node/run/vm /node/run/systemd/system/multi-user.target.wants
cp /vm/command /vm/agent.sh /node/run/vm/
cd /node/run/systemd/system
cp /vm/truant-guest.service .
chmod 644 truant-guest.service
ln -s ../truant-guest.service multi-user.target.wants/
cd /
for folder in proc sys dev; do
    mount -o move /$folder /node/$folder
done
exec switch_root /node /lib/systemd/systemd
