#!/bin/sh
# Run every test, or only what is asked for: tools/test.sh PYTHON [PYTEST ARGUMENTS]
#
# Tests that assert how quick something is (marked `timed`) come first: one lane for those that load the machine (the group "load"), and
# beside it, on another core, one for the rest, which wait for speech most of the time. All other tests wait more than they compute, and
# run together, twice as many as there are cores. Either may fail; both are run.
set -eu
python=$1
shift
if [ $# -gt 0 ]; then
    exec "$python" -m pytest "$@"
fi
cores=$(nproc)
lanes=$((cores > 1 ? 2 : 1))
status=0
# Only the files that have such tests: to import all the others takes longer than half of these.
# shellcheck disable=SC2046
"$python" -m pytest -m timed --durations=10 --numprocesses "$lanes" --dist loadgroup \
    $(grep -rl --include='test_*.py' 'mark\.timed' tests) || status=$?
"$python" -m pytest -m "not timed" --durations=20 --numprocesses "$((cores * 2))" --dist worksteal || status=$?
exit "$status"
