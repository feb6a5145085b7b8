#!/bin/sh
# Makes .venv-pipecat beside this file from the pinned requirements. Usage: setup.sh [PYTHON]
set -eu
cd "$(dirname "$0")"
"${1:-python3}" -m venv .venv-pipecat
.venv-pipecat/bin/pip install --quiet --no-deps -r requirements.txt
