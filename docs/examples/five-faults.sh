#!/bin/bash
# An upload through five faults. Exit code 0: it arrived, and all happened as expected; verdict.xml tells.
set -eu
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
address() { until sed -n 's/.*"listen":\["\([^"]*\).*/\1/p' "$1" 2> /dev/null | grep .; do kill -0 $! || exit 2; sleep 0.1; done; }
mkdir -p received && head -c 8388608 /dev/urandom > report.bin
bitstap serve received --listen 127.0.0.1:0 --json > server.json &
bitstap proxy --upstream "http://$(address server.json)" --listen 127.0.0.1:0 --json --until sessions=1 \
    --rules "$(dirname "$0")/five-faults.toml" --junit verdict.xml > proxy.json & watcher=$!
bitstap send report.bin "http://$(address proxy.json)/report.bin" --fragment-size 1MiB --retry-delay 200ms --no-progress-timeout 1m
wait "$watcher"
cmp report.bin received/report.bin
