#!/bin/sh
# Install the pinned packages and this checkout into a virtual environment.
set -eu
venv=$1 uv=$2 lock=$3
if [ -n "$uv" ]; then
    "$uv" pip install --quiet --python "$venv/bin/python" -r "$lock"
    "$uv" pip install --quiet --python "$venv/bin/python" --no-deps -e .
else
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$lock"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -e .
fi
