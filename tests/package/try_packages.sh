#!/bin/sh
# Installs packages, runs their tests and purges them, on top of this machine and without changing it:
# try_packages.sh FOLDER_OF_DEBS FOLDER_OF_TESTS. Needs root, for an overlay in mounts of its own.
set -eu
[ "$(id -u)" = 0 ] || exec sudo -n "$0" "$@"
debs=$1
tests=$2
over=$(mktemp -d)
# shellcheck disable=SC2016 # it is the inner shell's
inside='
    set -eu
    mount -t tmpfs tmpfs "$over"
    mkdir "$over/upper" "$over/work" "$over/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$over/upper,workdir=$over/work" "$over/root"
    mkdir "$over/root/packages"
    cp "$debs"/*.deb "$over/root/packages/"
    rm -f "$over"/root/packages/*dbgsym*
    cp -r "$tests" "$over/root/packages/tests"
    mount -t proc proc "$over/root/proc"
    mount --rbind /dev "$over/root/dev"
    exec chroot "$over/root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -euc "
        dpkg -i /packages/*.deb
        for name in embed serve python; do
            mkdir /tmp/try.\$name
            AUTOPKGTEST_TMP=/tmp/try.\$name /packages/tests/\$name
        done
        dpkg --purge pollux libpollux-dev libpollux-doc python3-pollux libpollux0.1
        left=\$(find /usr /etc /lib /var/lib/systemd -name \"*pollux*\")
        [ -z \"\$left\" ] || { echo \"left: \$left\"; exit 1; }
        echo all is gone"'
code=0
over=$over debs=$debs tests=$tests unshare --mount --pid --fork --kill-child sh -c "$inside" || code=$?
rmdir "$over"
exit $code
