#!/usr/bin/env bash
# smoke.sh PROGRAM: does what has just been started do its work? Another exit code than 0 makes deploy.sh go back to the release before.
# ROOTMAS_SMOKE_QUESTION is asked of the team; empty: nothing is asked (a model costs money, and its outage is not ours).
set -euo pipefail

program=${1:?the path of rootmas}
question=${ROOTMAS_SMOKE_QUESTION-What is 17 * 23?}

"$program" health --wait 30
# For whoever reads the log: each finding with a hint. It decides nothing, because an outage elsewhere is no fault of this release.
"$program" doctor || true
if [ -n "$question" ]; then
  answer=$("$program" chat "$question" </dev/null)
  [ -n "$answer" ] || { echo "smoke: the team gave no answer" >&2; exit 1; }
fi
echo "smoke: it works"
