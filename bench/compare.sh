#!/bin/sh
# Measures ours and the peers in one go; writes docs/benchmarks/*.json, the pictures, bench/reference.json and the tables in
# docs/benchmarks.md. Each number of calls is measured three times. Takes 55 minutes; nobody else should use the machine meanwhile.
# Before: bench/peers/pipecat/setup.sh, bench/peers/livekit/setup.sh, and matplotlib (dependency group "bench").
# PYTHON names ours, where it is not .venv/bin/python; the peers' shall be of the same make (setup.sh PYTHON).
#   bench/compare.sh            TRIAL=1 bench/compare.sh     a trial of few and short points into a folder that is thrown away
#   bench/compare.sh --vendors  instead: everybody with the vendors' wires attached (bench/peers/wired.py), in 13 minutes
set -eu
cd "$(dirname "$0")/.."
SPEECH=${SPEECH:-tests/data/speech}
PYTHON=${PYTHON:-.venv/bin/python}
if [ "${1:-}" = --vendors ]; then
  set -- --times 3 --wait-quiet 30 --page docs/benchmarks.md --json docs/benchmarks/wired.json
  [ -z "${TRIAL:-}" ] || set -- --times 1 --seconds 10 --wait-quiet 0
  exec "$PYTHON" bench/peers/wired.py --speech "$SPEECH" "$@"
fi
OUT=docs/benchmarks PAGE=docs/benchmarks.md REFERENCE=bench/reference.json
OURS=1,10,50,200,400 BESIDE=200 PIPECAT_CALLS=1,10,20 LIVEKIT_CALLS="1 10 25 50" STOCK_CALLS=10
SECONDS_OURS=20 SECONDS_PEERS=20 SECONDS_QUICK=15 QUICK=1,10,50 SOAK=1000 MOST=800 QUIET=30 TIMES=3 LIVEKIT=bench/peers/livekit
if [ "${TRIAL:-}" ]; then
  OUT=$(mktemp -d) && trap 'rm -rf "$OUT"' EXIT
  cp docs/benchmarks.md "$OUT/page.md"
  PAGE=$OUT/page.md REFERENCE=$OUT/reference.json
  OURS=1,10 BESIDE=10 PIPECAT_CALLS=1 LIVEKIT_CALLS=1 STOCK_CALLS=1 SECONDS_OURS=10 SECONDS_PEERS=10 SECONDS_QUICK=5 QUICK=10 SOAK=40 MOST=10 QUIET=0 TIMES=1
fi
bench() { "$PYTHON" -m antiphon bench --speech "$SPEECH" --wait-quiet "$QUIET" "$@"; }
# Ours once more, before and after each peer: what the ratios are reckoned from.
beside() { bench --calls "$BESIDE" --times "$TIMES" --seconds "$SECONDS_OURS" --no-knee --json "$OUT/beside-$1.json"; }
# pipecat MODE LABEL CALLS
pipecat() {
  bench --calls "$3" --times "$TIMES" --seconds "$SECONDS_PEERS" --no-knee --label "Pipecat 1.14.0, $2" --json "$OUT/pipecat-$1.json" \
    --serve "bench/peers/pipecat/.venv-pipecat/bin/python -W ignore bench/peers/pipecat/bot.py --port {port} --mode $1"
}
# livekit MODE CALLS: each number once, before any has its second turn
livekit() {
  rm -f "$OUT/livekit-$1.json"
  for calls in $(for time in $(seq "$TIMES"); do echo "$2"; done); do
    "$LIVEKIT/.venv-livekit/bin/python" -W ignore "$LIVEKIT/harness.py" --calls "$calls" --seconds "$SECONDS_PEERS" --mode "$1" \
      --speech "$OUT/speech.tmp" --json "$OUT/livekit-$1.json"
  done
}

bench --calls "$OURS" --times "$TIMES" --seconds "$SECONDS_OURS" --most "$MOST" --twice --start --json "$OUT/antiphon.json"
bench --calls "$QUICK" --seconds "$SECONDS_QUICK" --no-knee --json "$REFERENCE"
bench --soak "$SOAK" --json "$OUT/soak.json"

beside 1
pipecat lean leanest "$PIPECAT_CALLS"
beside 2
"$PYTHON" "$LIVEKIT/export_speech.py" "$SPEECH" "$OUT/speech.tmp"
livekit tuned "$LIVEKIT_CALLS"
beside 3
pipecat stock stock "$STOCK_CALLS"
livekit stock "$STOCK_CALLS"
rm "$OUT/speech.tmp"

"$PYTHON" bench/plots.py "$OUT" "$PAGE"
