#!/bin/sh
# Makes .venv-livekit beside this file from the pinned requirements. Usage: setup.sh [PYTHON]
set -eu
cd "$(dirname "$0")"
"${1:-python3}" -m venv .venv-livekit
.venv-livekit/bin/pip install --quiet --no-deps -r requirements.txt
