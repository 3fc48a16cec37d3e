#!/bin/bash -eu
# An upload through five faults. Exit code 0: it arrived, and all happened as expected; verdict.xml tells.
server=${SERVER:-127.0.0.1:9001} proxy=${PROXY:-127.0.0.1:9000}
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
head -c 8388608 /dev/urandom > report.bin
bitstap serve received --listen "$server" --quiet &
bitstap proxy --upstream "http://$server" --listen "$proxy" --rules "$(dirname "$0")/five-faults.toml" \
    --junit verdict.xml --quiet --until sessions=1 & watcher=$!
bitstap send report.bin "http://$proxy/report.bin" --fragment-size 1MiB --retry-delay 200ms --quiet
wait "$watcher"
cmp report.bin received/report.bin
