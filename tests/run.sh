#!/usr/bin/env bash
# Sets up what the tests need and runs every test. The last line is "N passed, N failed, N skipped".
#   --long        the long forms (more seeds, longer nemesis, Lighthouse)
#   --coverage    an HTML report, and failure under 85 % of src/ or 70 % of any slice
#   --filter X    only tests whose full name contains X
#   --no-setup    install nothing
# ROOTMAS_TEST_STRICT=1: what could not be installed is a failure, not a reason to skip.
set -uo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
cd "$root" || exit 1
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
# Compiler, tests and what they start map their code once, not twice (W^X): a fifth of what a start costs. What is shipped keeps that protection.
export DOTNET_EnableWriteXorExecute=0
setup=1 coverage=0 incomplete=0 filter=()
while [ $# -gt 0 ]; do
  case "$1" in
    --long) export ROOTMAS_TEST_LONG=1 ;;
    --coverage) coverage=1 ;;
    --no-setup) setup=0 ;;
    --filter) shift; filter=(--filter "FullyQualifiedName~${1:?--filter needs a name}") ;;
    *) echo "tests: unknown option '$1'. Options: --long --coverage --filter NAME --no-setup" >&2; exit 2 ;;
  esac
  shift
done

say() { printf '\n== %s\n' "$*"; }

# Debian packages of the real programs that tests use. Without the right to install them their tests are skipped by name.
install_packages() {
  local missing=() as_root=()
  command -v promtool >/dev/null 2>&1 || missing+=(prometheus)
  command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
  [ -x /usr/bin/chromium ] || missing+=(chromium)
  [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
  command -v redis-server >/dev/null 2>&1 || missing+=(redis-server)
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing+=(rabbitmq-server)
  command -v haproxy >/dev/null 2>&1 || [ -x /usr/sbin/haproxy ] || missing+=(haproxy)
  command -v prometheus-alertmanager >/dev/null 2>&1 || missing+=(prometheus-alertmanager)
  command -v shellcheck >/dev/null 2>&1 || missing+=(shellcheck)
  command -v yamllint >/dev/null 2>&1 || missing+=(yamllint)
  command -v caddy >/dev/null 2>&1 || missing+=(caddy)
  command -v pdftotext >/dev/null 2>&1 || missing+=(poppler-utils)
  [ ${#missing[@]} -eq 0 ] && return
  if ! command -v apt-get >/dev/null 2>&1; then
    incomplete=1
    echo "Not a Debian system: ${missing[*]} not installed; their tests are skipped."
    return
  fi
  if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then as_root=(sudo -n); else
      incomplete=1
      echo "May not install packages: ${missing[*]} missing; their tests are skipped."
      return
    fi
  fi
  say "Installing ${missing[*]}"
  # The packages' services are not wanted: tests start what they need on ports of their own.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c "
    apt-get update -qq >/dev/null 2>&1
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    apt-get install -y -qq --no-install-recommends ${missing[*]} >/dev/null 2>&1
    status=\$?
    rm -f /usr/sbin/policy-rc.d
    exit \$status" || { incomplete=1; echo "Could not install ${missing[*]}; their tests are skipped."; }
}

install_node_packages() {
  command -v npm >/dev/null 2>&1 || { incomplete=1; echo "npm is not here: tests with JavaScript clients are skipped."; return; }
  local folder
  for folder in tests/RootMas.Tests/Conformance/*/; do
    [ -f "$folder/package-lock.json" ] || continue
    # Two hundred packages that only the long form uses.
    [ "$(basename "$folder")" != lighthouse ] || [ "${ROOTMAS_TEST_LONG:-}" = 1 ] || continue
    say "npm ci in $folder"
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error || { incomplete=1; echo "npm ci failed in $folder; its tests are skipped."; }
  done
}

if [ $setup = 1 ]; then
  install_packages
  install_node_packages
fi

# The web app is built before the server, which takes it along; its own checks and tests count like all others.
results="$root/artifacts/tests"
rm -rf "$results" "$root/artifacts/web"
mkdir -p "$results"
web_passed=0 web_failed=0 web_skipped=()
web_check() {
  say "Web app: $1"
  if (cd web && "${@:2}"); then web_passed=$((web_passed + 1)); else web_failed=$((web_failed + 1)) && echo "Failed: web app: $1"; fi
}
test_web() {
  if ! command -v npm >/dev/null 2>&1; then
    incomplete=1
    echo "npm is not here: the web app is neither built nor tested, and the tests in a browser are skipped."
    web_skipped=("web app: types, lint and build" "web app: its own tests")
    return
  fi
  if [ ! -d web/node_modules ] || [ web/package-lock.json -nt web/node_modules ]; then
    if [ $setup = 0 ] || ! npm ci --prefix web --no-audit --no-fund --loglevel=error; then
      incomplete=1
      echo "The packages of the web app are not installed: it is neither built nor tested."
      web_skipped=("web app: types, lint and build" "web app: its own tests")
      return
    fi
    touch web/node_modules
  fi
  # With a filter for other tests only what they need.
  if [ ${#filter[@]} -gt 0 ]; then
    local page=src/RootMas.Server/wwwroot/index.html
    [ -f $page ] && [ -z "$(find web docs/openapi.json \( -name node_modules -o -name schema.d.ts \) -prune -o -type f -newer $page -print -quit)" ] && return
    web_check "build" npm run --silent build
    return
  fi
  web_check "types and lint" npm run --silent check
  web_check "build, and the size of the first load" npm run --silent build
  say "Web app: its own tests"
  local report="$results/web.json" status=0 broken left
  (cd web && npx --no-install vitest run --reporter=dot --reporter=json --outputFile.json="$report") || status=1
  broken=$(web_count "$report" numFailedTests)
  [ $status = 1 ] && [ "$broken" = 0 ] && broken=1 # a file that does not even load has no tests to count
  web_failed=$((web_failed + broken))
  web_passed=$((web_passed + $(web_count "$report" numPassedTests)))
  left=$(web_count "$report" numPendingTests)
  while [ "$left" -gt 0 ]; do
    web_skipped+=("web app: a test of its own")
    left=$((left - 1))
  done
}
web_count() { grep -o "\"$2\":[0-9]*" "$1" 2>/dev/null | head -1 | grep -o '[0-9]*$' || echo 0; }
test_web

say "Building"
if ! dotnet build RootMas.slnx -v quiet -clp:ErrorsOnly; then
  echo "The build failed."
  echo "$web_passed passed, $((web_failed + 1)) failed, ${#web_skipped[@]} skipped"
  exit 1
fi

# Commands and servers that the tests start are the program as users have it, compiled ahead of time: half of what hundreds of starts cost was compiling.
# What lives for seconds is not compiled a second time at once, nor measured for that.
export DOTNET_TieredPGO=0 DOTNET_TC_CallCountingDelayMs=64
unset ROOTMAS_TEST_PROGRAM
rm -f artifacts/program/rootmas.dll # what is there afterwards was built now
if [ $coverage = 0 ] && ROOTMAS_BUILD=Release ./rootmas --version >/dev/null && [ -f artifacts/program/rootmas.dll ]; then
  export ROOTMAS_TEST_PROGRAM="$root/artifacts/program/rootmas.dll"
fi

say "Testing"
args=(test tests/RootMas.Tests --no-build --results-directory "$results" --logger "trx;LogFileName=tests.trx" --logger "console;verbosity=minimal" --blame-hang-timeout 10m --blame-hang-dump-type none)
if [ $coverage = 1 ]; then
  args+=(--settings tests/coverage.runsettings --collect "XPlat Code Coverage")
  export ROOTMAS_TEST_COVERAGE=1 # commands and servers that the tests start count too
fi
dotnet "${args[@]}" "${filter[@]}"
status=$?

# The counters of the result file: the console's wording is not a contract.
trx=$(find "$results" -name '*.trx' | head -1)
counters=$(grep -o '<Counters [^>]*>' "$trx" 2>/dev/null | head -1)
count() { printf '%s' "$counters" | grep -o " $1=\"[0-9]*\"" | grep -o '[0-9]*' || echo 0; }
total=$(count total) passed=$(count passed) failed=$(count failed)
total=${total:-0} passed=${passed:-0} failed=${failed:-0}
skipped=$((total - passed - failed + ${#web_skipped[@]}))
if [ "$skipped" -gt 0 ]; then
  say "Skipped"
  [ ${#web_skipped[@]} -gt 0 ] && printf '  %s\n' "${web_skipped[@]}"
  grep -o '<UnitTestResult [^>]*outcome="NotExecuted"[^>]*>' "$trx" | grep -o 'testName="[^"]*"' | sed 's/testName="/  /; s/"$//'
fi

[ $status -ne 0 ] && [ "$failed" = 0 ] && failed=1
if [ $coverage = 1 ] && ! "$root/tests/coverage.sh" "$results"; then
  failed=$((failed + 1))
fi

# Where a green run is the reason to publish, tests that were skipped because nothing could be installed are no green run.
if [ "${ROOTMAS_TEST_STRICT:-}" = 1 ] && [ $incomplete = 1 ]; then
  echo "Failed: what the tests need could not be installed (above), and ROOTMAS_TEST_STRICT=1."
  failed=$((failed + 1))
fi

passed=$((passed + web_passed))
failed=$((failed + web_failed))
[ -d artifacts/web ] && echo "Pictures of the web app: artifacts/web"
echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
