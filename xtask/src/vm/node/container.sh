# Run in a node's root: writes a tar with what systemd takes as the first process of a container,
# and little else, since emulated processors read, write and check all of it at each start.
# Programs that a release has not are left out.
programs="/bin/busybox /bin/dash /bin/ps /bin/sleep /bin/systemctl /usr/bin/journalctl
    /usr/bin/stress /bin/systemd-tmpfiles /usr/bin/systemd-notify /usr/bin/systemd-run"
for name in systemd systemd-executor systemd-journald systemd-sysctl systemd-shutdown; do
    programs="$programs /lib/systemd/$name"
done
plain="/bin /lib /lib64 /sbin /bin/sh /sbin/init /etc/group /etc/nsswitch.conf /etc/os-release
    /etc/passwd /lib/os-release /usr/lib/os-release /lib/systemd/system /usr/lib/sysctl.d
    /usr/lib/tmpfiles.d /lib/x86_64-linux-gnu/libnss_files.so.2"

{
    for file in $programs; do
        if [ -x $file ]; then
            echo $file
            # A static one has no libraries to name.
            ldd $file 2>/dev/null | grep -o '/[^ ]*' || true
        fi
    done
    for file in $plain; do
        echo $file
    done
} | sort -u | while read -r file; do
    [ -e $file ] || continue
    # By the folder's own name, which is another one where /lib is a link, and with what a link
    # leads to.
    echo $(realpath $(dirname $file))/$(basename $file)
    # Of a folder at the top that is no link, only what is asked for.
    case $file in
        /bin | /lib | /lib64 | /sbin) ;;
        *) realpath $file ;;
    esac
done | sed 's,^//*,./,' | sort -u | while read -r file; do
    case $file in
        ./bin | ./lib | ./lib64 | ./sbin) [ ! -L /$file ] || echo $file ;;
        *) echo $file ;;
    esac
done >/tmp/container
cd /
tar --create --numeric-owner --files-from /tmp/container
rm /tmp/container
