#!/bin/sh
# Pin versions for Python 3.11+ into the lock files (names and versions only: no index address is written).
set -eu
bin=$1
"$bin/python" -m pip install --quiet --disable-pip-version-check uv
for pair in "requirements.lock:" "requirements-web.lock:--extra webrtc --extra api" "requirements-dev.lock:--group dev"; do
    file=${pair%%:*} extra=${pair#*:}
    # shellcheck disable=SC2086
    "$bin/uv" pip compile --quiet --python "$bin/python" --universal --no-header --no-annotate --no-emit-index-url $extra pyproject.toml -o "$file"
done
