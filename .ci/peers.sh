#!/usr/bin/env bash
# Unpacks the programs that the interoperability tests run beside ours, and says where each one is.
#
# They are unpacked from Debian's packages, not installed: tftpd-hpa and atftpd conflict, and installing
# either would start a service. Libraries that this machine lacks are unpacked beside them; `bin/NAME` is a
# wrapper that finds them. A second run finds everything in place and downloads nothing.
#
# usage: .ci/peers.sh [FOLDER]        (default: target/peers of this workspace, where the tests look)
set -euo pipefail

peers=$(realpath -m "${1:-$(dirname "$0")/../target/peers}")

# The package and the path in it of each program, under the name that the tests use.
programs=(
    "tftp-hpa      usr/bin/tftp       tftp-hpa"
    "atftp         usr/bin/atftp      atftp"
    "curl          usr/bin/curl       curl"
    "busybox       bin/busybox        busybox"
    "tftpd-hpa     usr/sbin/in.tftpd  tftpd-hpa"
    "atftpd        usr/sbin/atftpd    atftpd"
    "dnsmasq-base  usr/sbin/dnsmasq   dnsmasq"
    "tshark        usr/bin/tshark     tshark"
)

main() {
    local package path name
    if ! all_present; then
        download_and_unpack
        for program in "${programs[@]}"; do
            read -r package path name <<<"$program"
            write_wrapper "$path" "$name"
        done
    fi
    for program in "${programs[@]}"; do
        read -r package path name <<<"$program"
        needs_nothing_more "$path"
        printf '%-10s %s  (%s)\n' "$name" "$peers/bin/$name" "$(cat "$peers/versions/$package")"
    done
}

all_present() {
    local package path name
    for program in "${programs[@]}"; do
        read -r package path name <<<"$program"
        [[ -x $peers/bin/$name && -x $peers/root/$path && -s $peers/versions/$package ]] || return 1
    done
}

download_and_unpack() {
    local packages=() package path name deb
    for program in "${programs[@]}"; do
        read -r package path name <<<"$program"
        packages+=("$package")
    done

    rm -rf "$peers"
    mkdir -p "$peers"/{bin,debs,root,versions}
    as_root apt-get update -q
    mapfile -t libraries < <(missing_libraries "${packages[@]}")

    cd "$peers/debs"
    apt-get download -q -o APT::Sandbox::User=root "${packages[@]}" "${libraries[@]}"
    for deb in *.deb; do
        dpkg-deb -x "$deb" "$peers/root"
        dpkg-deb -f "$deb" Version >"$peers/versions/$(dpkg-deb -f "$deb" Package)"
    done
    cd - >/dev/null
    rm -r "$peers/debs"
}

# The library packages that installing each package would bring; asked one by one, for two of them conflict.
# Packages that this machine has already are asked for as a reinstallation, which brings nothing.
missing_libraries() {
    local package
    for package in "$@"; do
        apt-get install --simulate --no-install-recommends "$package" | awk '/^Inst lib/ { print $2 }'
    done | sort -u
}

write_wrapper() {
    local path=$1 name=$2
    cat >"$peers/bin/$name" <<END
#!/bin/sh
root=$(printf %q "$peers/root")
LD_LIBRARY_PATH=$(library_path) exec "\$root/$path" "\$@"
END
    chmod +x "$peers/bin/$name"
}

# Written for the wrapper to expand: \$root is a variable there.
library_path() {
    local folder path=()
    for folder in lib usr/lib "lib/$(uname -m)-linux-gnu" "usr/lib/$(uname -m)-linux-gnu"; do
        path+=("\$root/$folder")
    done
    (IFS=: && echo "${path[*]}")
}

needs_nothing_more() {
    local root=$peers/root missing
    missing=$(LD_LIBRARY_PATH=$(eval echo "$(library_path)") ldd "$root/$1" | grep 'not found' || true)
    if [[ -n $missing ]]; then
        echo "peers.sh: $1 lacks libraries:" >&2
        echo "$missing" >&2
        exit 1
    fi
}

as_root() { if [[ $(id -u) = 0 ]]; then "$@"; else sudo "$@"; fi; }

main
