#!/bin/sh
# Measures ours and the peers in one go and writes docs/benchmarks/*.json.
# Before: bench/peers/pipecat/setup.sh and bench/peers/livekit/setup.sh. Usage: bench/compare.sh [SPEECH_FOLDER]
set -eu
cd "$(dirname "$0")/.."
SPEECH=${1:-../shared/audio}
OUT=docs/benchmarks
RUN=.venv/bin/antiphon
mkdir -p "$OUT"

"$RUN" bench --speech "$SPEECH" --calls 1,10,25,50,100,200,300,400 --wait-quiet 60 --waves 10 --no-knee --json "$OUT/antiphon.json"

PIPECAT="bench/peers/pipecat/.venv-pipecat/bin/python -W ignore bench/peers/pipecat/bot.py --port {port}"
"$RUN" bench --speech "$SPEECH" --calls 1,10,25 --wait-quiet 60 --no-knee --serve "$PIPECAT --mode lean" \
  --label "Pipecat 1.14.0, leanest" --json "$OUT/pipecat-lean.json"
"$RUN" bench --speech "$SPEECH" --calls 1,10 --wait-quiet 60 --no-knee --serve "$PIPECAT --mode stock" \
  --label "Pipecat 1.14.0, stock" --json "$OUT/pipecat-stock.json"

LIVEKIT=bench/peers/livekit
"${RUN%antiphon}python" "$LIVEKIT/export_speech.py" "$SPEECH" "$OUT/speech.tmp"
for mode in feeder tuned stock; do
  rm -f "$OUT/livekit-$mode.json"
  for calls in 10 25; do
    "$LIVEKIT/.venv-livekit/bin/python" -W ignore "$LIVEKIT/harness.py" --calls $calls --mode $mode \
      --speech "$OUT/speech.tmp" --json "$OUT/livekit-$mode.json"
  done
done
rm "$OUT/speech.tmp"
