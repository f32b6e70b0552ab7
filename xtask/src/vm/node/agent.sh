#!/bin/sh
# Runs a node's command and hands its status to the host, which then ends the guest. The ports are
# those of the bare guest: ttyS1 is this script's word, vport0p1 and vport0p2 carry the command's
# stdout and stderr.
exec </dev/null >/dev/ttyS0 2>&1
stty -F /dev/ttyS1 raw -echo clocal -crtscts 115200
exec 3>/dev/ttyS1

# Pipes, because the command's stdout is not a terminal; and one reader each, so that what the
# command wrote is on its way when it ends.
mkfifo /run/vm/stdout /run/vm/stderr
cat </run/vm/stdout >/dev/vport0p1 3>&- &
stdout=$!
cat </run/vm/stderr >/dev/vport0p2 3>&- &
stderr=$!
cd /root
sh /run/vm/command >/run/vm/stdout 2>/run/vm/stderr 3>&-
status=$?

# What the command left running would keep the pipes open, and systemd may start more meanwhile.
is_running() { kill -0 $stdout 2>/dev/null || kill -0 $stderr 2>/dev/null; }
tries=0
while is_running && [ $tries -lt 20 ]; do
    tries=$((tries + 1))
    for process in /proc/[0-9]*; do
        process=${process#/proc/}
        case $process in
            1 | $$ | $stdout | $stderr) ;;
            *) kill -9 $process 2>/dev/null ;;
        esac
    done
    sleep 0.1
done
echo "exit $status" >&3
exec systemctl poweroff -ff
