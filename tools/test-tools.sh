#!/bin/sh
# What the tests need besides Python: Node.js with the stock JavaScript clients (npm ci, from the lock file), a Chromium,
# PostgreSQL and Redis.
# Quick and quiet when all is there. What cannot be had is said aloud, and the tests that need it are skipped
# (or fail, where CI is set: there nothing may be missing).
set -eu
cd "$(dirname "$0")/.."
clients=tests/conformance/realtime/js

missing() {
    echo "test-tools: $1; the tests that need it are skipped" >&2
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# One apt-get run for all that is absent: its lists alone take ten seconds.
wanted=
have node && have npm || wanted="$wanted nodejs npm"
have chromium || have chromium-browser || have google-chrome || wanted="$wanted chromium"
ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 || have pg_ctl || wanted="$wanted postgresql"
have redis-server || wanted="$wanted redis-server"
if [ -n "$wanted" ]; then
    if [ "$(id -u)" = 0 ] && have apt-get; then
        echo "test-tools: installing$wanted"
        # shellcheck disable=SC2086
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null ||
            missing "apt-get could not install$wanted"
    else
        missing "install$wanted with your package manager (not root, or no apt-get)"
    fi
fi

have node && have npm || exit 0
# npm writes its own copy of the lock file last, so that a broken installation is never taken for a whole one.
if [ "$clients/node_modules/.package-lock.json" -ot "$clients/package-lock.json" ] ||
    [ ! -e "$clients/node_modules/.package-lock.json" ]; then
    npm ci --prefix "$clients" --omit=dev --ignore-scripts --loglevel=error >/dev/null ||
        missing "npm could not install the JavaScript clients"
fi
