#!/usr/bin/env bash
# Runs a recipe of the README, a file with a command a line, in namespaces of the network and of mounts that are its
# own: a line that starts tftpd in the background, once it serves the next, and then that it ends as asked.
set -Eeuo pipefail

recipe=$1
server=
trap '[[ -z $server ]] || kill "$server"' EXIT

ip link set lo up
ip address add 192.0.2.1/24 dev lo
mount -t tmpfs tmpfs /srv
mkdir /srv/tftp /srv/here
head -c 100000 /dev/urandom | tee /srv/tftp/pxelinux.0 >/srv/here/switch.cfg
cd /srv/here

while read -r -u 3 line; do
    echo "$ $line"
    if [[ $line = 'tftpd '* ]]; then
        # shellcheck disable=SC2086
        exec 4< <(exec $line 2>&1)
        server=$!
        until [[ ${said:-} = *'listening on '* ]]; do
            read -r -t 60 -u 4 said || { echo 'the server does not say where it listens' >&2 && exit 1; }
            echo "$said"
        done
    else
        bash -c "$line"
    fi
done 3<"$recipe"

# The folder here and the one that is served: what was fetched or sent is whole.
for served in /srv/*/pxelinux.0 /srv/*/switch.cfg; do cmp "$served" /srv/here/switch.cfg; done
[[ -e /srv/here/pxelinux.0 || -e /srv/switches/switch.cfg ]]
kill -TERM "$server"
wait "$server"
server=
cat <&4
