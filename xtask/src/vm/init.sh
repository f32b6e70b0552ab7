#!/bin/busybox sh
# PID 1 of a bare guest: mounts what a node has, runs /vm/command, hands its status to the host,
# and powers off. ttyS0 is the kernel's console, ttyS1 is this script's word to the host; vport0p1
# and vport0p2 carry the command's stdout and stderr: a serial port is a hundred times slower, and
# a command that waits for its own output is not the command that is to be tested.
export PATH=/usr/local/bin:/bin HOME=/root TERM=dumb

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec </dev/null >/dev/ttyS0 2>&1
stty -F /dev/ttyS1 raw -echo clocal -crtscts 115200
exec 3>/dev/ttyS1
echo ready >&3

for module in /vm/modules/*.ko; do
    [ ! -f $module ] || insmod $module
done
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for folder in /dev/shm /run /tmp; do
    mount -t tmpfs tmpfs $folder
done
mount -t securityfs securityfs /sys/kernel/security
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
hostname guest

# Each v1 controller that the kernel has, the pairs that are always together joined.
mount_v1() {
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    for controllers in cpu,cpuacct net_cls,net_prio \
        memory cpuset pids devices freezer blkio perf_event hugetlb; do
        mkdir /sys/fs/cgroup/$controllers
        mount -t cgroup -o $controllers cgroup /sys/fs/cgroup/$controllers 2>/dev/null ||
            rmdir /sys/fs/cgroup/$controllers
    done
    for controller in cpu cpuacct net_cls net_prio; do
        for joined in /sys/fs/cgroup/*,*; do
            case ,${joined##*/}, in
                *,$controller,*) ln -s ${joined##*/} /sys/fs/cgroup/$controller ;;
            esac
        done
    done
    mkdir /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
    # As systemd does: without it, a 5.10 parent does not pay for its children.
    echo 1 2>/dev/null >/sys/fs/cgroup/memory/memory.use_hierarchy
    # New cpusets can take tasks at once.
    echo 1 2>/dev/null >/sys/fs/cgroup/cpuset/cgroup.clone_children
}

case $(cat /vm/cgroup) in
    v2)
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
        for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
            echo +$controller >/sys/fs/cgroup/cgroup.subtree_control
        done
        ;;
    v1)
        mount_v1
        ;;
    hybrid)
        mount_v1
        mkdir /sys/fs/cgroup/unified
        mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
        ;;
esac

# Pipes, because the command's stdout is not a terminal; and one reader each, so that what the
# command wrote is on its way when it ends.
tries=0
until [ -c /dev/vport0p1 ] && [ -c /dev/vport0p2 ]; do
    tries=$((tries + 1))
    if [ $tries -gt 1000 ]; then
        echo "the guest has no virtio ports for the command's output"
        poweroff -f
    fi
    usleep 10000
done
mkfifo /run/stdout /run/stderr
cat </run/stdout >/dev/vport0p1 &
stdout=$!
cat </run/stderr >/dev/vport0p2 &
stderr=$!
cd /root
sh /vm/command >/run/stdout 2>/run/stderr 3>&-
status=$?

# What the command left running would keep the pipes open.
for process in /proc/[0-9]*; do
    process=${process#/proc/}
    case $process in
        1 | $stdout | $stderr) ;;
        *) kill -9 $process 2>/dev/null ;;
    esac
done
wait $stdout $stderr
echo "exit $status" >&3
poweroff -f
