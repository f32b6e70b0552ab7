# Run once on a new disk, whose changes are kept: gives each engine the container images.
set -e
systemctl start docker
for image in /opt/images/*.tar; do
    docker load --input $image
    ctr --namespace k8s.io images import $image
    podman load --input $image
done
systemctl stop docker.socket docker containerd
sync
# Mounted read-only from here on, all of the disk is in its file when the guest is ended.
echo u >/proc/sysrq-trigger
