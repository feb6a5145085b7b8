#!/bin/sh
# Make a virtual environment: with uv where it is installed, else with venv. What a bare Debian lacks for that is installed where we may,
# and asked for by name where we may not: ensurepip (python3-venv), and for a very new Python a compiler.
set -eu
python=$1 venv=$2 uv=$3
"$python" - <<'PY' || { echo "Antiphon needs Python 3.11 or newer (found $("$python" --version 2>&1))." >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
PY
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

need() { # WHY PACKAGE...
    why=$1
    shift
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
    else
        echo "$why Install once: sudo apt-get install $*" >&2
        exit 1
    fi
}

# pocketsphinx has wheels for Python up to 3.13. For a newer one pip compiles it, which takes half a minute.
compiles() {
    command -v cc >/dev/null && command -v c++ >/dev/null &&
        "$python" -c 'import os, sysconfig; os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null
}
if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 14))' && ! compiles; then
    need "For Python $version one package must be compiled; one up to 3.13 (make PYTHON=python3.13) needs no compiler." \
        gcc g++ "python$version-dev"
fi

if [ -n "$uv" ]; then
    "$uv" venv --python "$python" "$venv"
    exit 0
fi
"$python" -c 'import ensurepip' 2>/dev/null || need "This Python has no ensurepip." "python$version-venv"
"$python" -m venv "$venv"
