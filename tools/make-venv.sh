#!/bin/sh
# Make a virtual environment: with uv where it is installed, else with venv, else with virtualenv's own bootstrap.
# A bare Debian has python3 without ensurepip; then the python3-venv package is asked for by name.
set -eu
python=$1 venv=$2 uv=$3
"$python" - <<'PY' || { echo "Antiphon needs Python 3.11 or newer (found $("$python" --version 2>&1))." >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
PY
if [ -n "$uv" ]; then
    "$uv" venv --python "$python" "$venv"
    exit 0
fi
if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv "$venv"
    exit 0
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq "python$version-venv" >/dev/null
    "$python" -m venv "$venv"
    exit 0
fi
echo "This Python has no ensurepip. Install it once with: sudo apt-get install python$version-venv" >&2
exit 1
