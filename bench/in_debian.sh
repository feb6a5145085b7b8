#!/bin/sh
# Runs the comparison on the Python of another Debian, in a folder of its own: ours and the peers alike. As root; needs debootstrap.
#   bench/in_debian.sh trixie /var/tmp/trixie        made where it is missing; the results come back into this checkout
#   TRIAL=1 bench/in_debian.sh ...                   as compare.sh; nothing comes back
set -eu
SUITE=$1 ROOT=$2
cd "$(dirname "$0")/.."
IN="$ROOT/bench/antiphon"

if [ ! -x "$ROOT/usr/bin/python3" ]; then
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates,make "$SUITE" "$ROOT"
fi
# The network as this machine reaches it.
cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$ROOT/etc/ssl/certs/"
for file in /etc/pip.conf /etc/xdg/pip; do
  if [ -e "$file" ]; then mkdir -p "$ROOT$(dirname "$file")" && cp -rT "$file" "$ROOT$file"; fi
done

umounts() { for each in proc sys dev; do umount -l "$ROOT/$each" 2>/dev/null || true; done; }
trap umounts EXIT
trap 'exit 1' HUP INT TERM
for each in proc sys dev; do
  # Slaves: what is unmounted here later must not be unmounted there.
  mountpoint -q "$ROOT/$each" || { mount --rbind "/$each" "$ROOT/$each" && mount --make-rslave "$ROOT/$each"; }
done

rm -rf "$ROOT/bench" && mkdir "$ROOT/bench"
cp -r "${SPEECH:-tests/data/speech}" "$ROOT/bench/audio"
git clone --quiet . "$IN"
inside() { chroot "$ROOT" env -C /bench/antiphon "$@"; }
inside make .venv/.runtime
inside .venv/bin/python -m pip install --quiet matplotlib
inside sh bench/peers/pipecat/setup.sh /usr/bin/python3
inside sh bench/peers/livekit/setup.sh /usr/bin/python3
inside env SPEECH=/bench/audio TRIAL="${TRIAL:-}" sh bench/compare.sh
if [ -z "${TRIAL:-}" ]; then
  cp "$IN"/docs/benchmarks/* docs/benchmarks/
  cp "$IN/docs/benchmarks.md" docs/benchmarks.md
  cp "$IN/bench/reference.json" bench/reference.json
fi
