#!/usr/bin/env bash
# smoke.sh PROGRAM: does what has just been started do its work? Another exit code than 0 makes deploy.sh go back to the release before.
# ROOTMAS_SMOKE_QUESTION is asked of the team; empty: nothing is asked (a model costs money, and its outage is not ours).
# ROOTMAS_SMOKE_SECONDS is how long the answer may take; without one in that time it works if no model can be reached, for then the run waits for one.
set -euo pipefail

program=${1:?the path of rootmas}
seconds=${ROOTMAS_SMOKE_SECONDS:-120}
question=${ROOTMAS_SMOKE_QUESTION-What is 17 * 23?}

"$program" health --wait 30
# For whoever reads the log: each finding with a hint. It decides nothing, because an outage elsewhere is no fault of this release.
"$program" doctor || true
if [ -n "$question" ]; then
  code=0
  answer=$(timeout -k 10 "$seconds" "$program" chat "$question" </dev/null) || code=$?
  if [ $code = 124 ] || [ $code = 137 ]; then
    # The offline model is always there, and takes no other's place.
    models=$("$program" doctor | grep ' model endpoint ' | grep -v ' endpoint offline:') || true
    if [ -z "$models" ] || grep -q ': reachable' <<<"$models"; then
      echo "smoke: the team gave no answer in $seconds s" >&2
      exit 1
    fi
    echo "smoke: no answer in $seconds s, because no model can be reached: that is not this release's doing" >&2
  elif [ $code != 0 ]; then
    exit $code
  elif [ -z "$answer" ]; then
    echo "smoke: the team gave no answer" >&2
    exit 1
  fi
fi
echo "smoke: it works"
