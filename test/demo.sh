#!/bin/bash
# Runs the examples through berth and shows what systemd knows of them: on this
# machine's systemd where that is PID 1, else in a private host.
#
#	test/demo.sh [SUITE]
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${1:-trixie}
start=$(date +%s)
machine=/var/lib/machines/web
site=/srv/www

step() { printf '\n\e[1m$ %s\e[0m\n' "$*"; "$@"; }

if [ "$(id -u)" != 0 ]; then
	echo "demo: containers are started as root: sudo make demo" >&2
	exit 1
fi
if [ ! -e /opt/debian ]; then
	if [ ! -d /run/systemd/system ]; then
		echo "PID 1 is not systemd here: this runs in a private host with Debian $suite's."
		exec go run ./test/host/cmd/berth-host -suite "$suite" -- /opt/berth/test/demo.sh "$suite"
	fi
	debian=$(go run ./test/host/cmd/berth-host root -suite "$suite")
fi
PATH=$PWD/bin:$PATH

# Where the machine's version 1 hierarchies hold the controllers, no limit of
# the examples can be enforced, and berth is told to go on without.
options=()
if ! grep -q pids /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
	options=(--best-effort)
fi

# What web.toml names, and only what wasn't there is removed afterwards.
remove=()
cleanup() {
	systemctl stop berth-web.scope 2>/dev/null || true
	wait
	if [ ${#remove[@]} != 0 ]; then rm -rf -- "${remove[@]}"; fi
}
trap cleanup EXIT
if [ ! -e "$machine" ]; then
	mkdir -p "${machine%/*}"
	remove+=("$machine")
	cp -a --reflink=auto "${debian:-/opt/debian}" "$machine"
fi
if [ ! -e "$site" ]; then
	remove+=("$site")
	mkdir -p "$site"
	echo '<h1>Hello from a container that systemd runs</h1>' > "$site/index.html"
fi

step berth run "${options[@]}" examples/hello.toml

printf '\n\e[1m$ berth run %s &\e[0m\n' "${options[*]} examples/web.toml"
berth run "${options[@]}" examples/web.toml &
for ((try = 0; try < 100; try++)); do
	if berth exec web -- curl --silent --fail --output /dev/null http://127.0.0.1/ 2>/dev/null; then break; fi
	sleep 0.1
done
step berth exec web -- curl --silent --show-error --fail --include http://127.0.0.1/
step berth ps
step systemctl status --no-pager berth-web.scope
step systemctl stop berth-web.scope
wait || true
step journalctl --no-pager --output=short --since="@$start" -u berth-hello.scope -u berth-web.scope
