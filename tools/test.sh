#!/bin/sh
# Run every test, or only what is asked for: tools/test.sh PYTHON [PYTEST ARGUMENTS]
#
# Tests that assert how quick something is, or load the machine (marked `timed`), come first, at most two at once: they wait for speech most
# of the time. All others wait more than they compute, too, and run together, twice as many as there are cores. Either may fail; both are
# run.
set -eu
python=$1
shift
if [ $# -gt 0 ]; then
    exec "$python" -m pytest "$@"
fi
cores=$(nproc)
status=0
# Where nothing is compiled yet, each process would compile every test for itself, all at the same time: once is enough.
if [ -z "$(find tests -name '*-pytest-*.pyc' -print -quit)" ]; then
    part=0
    while [ "$part" -lt "$cores" ]; do
        # shellcheck disable=SC2046
        "$python" -m pytest --collect-only -qq $(find tests -name 'test_*.py' | sort | awk "NR % $cores == $part") >/dev/null 2>&1 &
        part=$((part + 1))
    done
    wait
fi
# Only the files that have such tests: to import all the others takes longer than half of these.
# shellcheck disable=SC2046
"$python" -m pytest -m timed --durations=10 --numprocesses "$((cores > 1 ? 2 : 1))" --dist worksteal \
    $(grep -rl --include='test_*.py' 'mark\.timed' tests) || status=$?
"$python" -m pytest -m "not timed" --durations=20 --numprocesses "$((cores * 2))" --dist worksteal || status=$?
exit "$status"
