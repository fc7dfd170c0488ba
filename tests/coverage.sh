#!/usr/bin/env bash
# HTML report of the coverage in a results folder, and the gate: 85 % of src/, 70 % of every slice (lines).
set -euo pipefail
root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
results=$1
tools="$root/artifacts/tools"
[ -x "$tools/reportgenerator" ] || dotnet tool install dotnet-reportgenerator-globaltool --version 5.6.0 --tool-path "$tools" >/dev/null
"$tools/reportgenerator" -reports:"$results/**/coverage.cobertura.xml" -targetdir:"$root/artifacts/coverage" -reporttypes:"Html;JsonSummary" >/dev/null
echo
echo "== Coverage (artifacts/coverage/index.html)"
# Lines by slice: the folder below RootMas.Server, or the runtime.
find "$results" -name coverage.cobertura.xml -exec cat {} + | awk '
  match($0, /filename="[^"]*"/) { file = substr($0, RSTART + 10, RLENGTH - 11); slice = "Runtime"
    if (file ~ /RootMas\.Server\//) { sub(/^.*RootMas\.Server\//, "", file); n = split(file, part, "/"); slice = n > 1 ? part[1] : "Program" } skip = slice == "obj" } # generated
  /<methods>|<methods\/>/ { inside = 1 } /<\/methods>/ { inside = 0 }
  !inside && !skip && match($0, /<line number="[0-9]+" hits="[0-9]+"/) { text = substr($0, RSTART, RLENGTH); sub(/.*hits="/, "", text); sub(/".*/, "", text)
    all[slice]++; total++; if (text + 0 > 0) { hit[slice]++; covered++ } }
  END { bad = 0
    for (s in all) { p = 100 * hit[s] / all[s]; printf "%-12s %6.1f %%  %d of %d lines\n", s, p, hit[s], all[s]; if (p < 70) { bad = 1; print "  under 70 %" } }
    p = 100 * covered / total; printf "%-12s %6.1f %%\n", "src", p; if (p < 85) { bad = 1; print "  under 85 %" }
    if (!("Platform" in all) || !("Runtime" in all)) { bad = 1; print "  not all of src/ was counted" }
    exit bad }'
