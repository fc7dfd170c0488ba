#!/usr/bin/env bash
# Root-MAS on this machine, as a service of systemd.
#   install.sh install [--from ARTIFACT]     user, folders, unit, command, settings with new secrets, program; starts it
#   install.sh upgrade [--from ARTIFACT]     the program, by deploy.sh: with a backup before and a way back
#   install.sh status
#   install.sh uninstall [--purge]           program, command and unit; --purge also data, settings, snapshots and user
# ARTIFACT is a release (archive or folder); default: the folder that this script lies in, if that is one.
#   --destdir DIR   everything below DIR, as this user and without systemd: for packages and tests
#   --no-start      put everything in its place, start nothing
#   further options go to deploy.sh (--wait, --smoke, --keep, --no-backup)
# Places: /opt/rootmas (program), /usr/local/bin/rootmas (the command, for root and the user rootmas), /etc/rootmas (settings, mode 750; rootmas.env with secrets, mode 640), /var/lib/rootmas (data, mode 700).
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
action='' from='' destdir='' purge=0 start=1 passed=()

say() { printf 'install: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
usage() { say "$*"; sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case "$1" in
    --from) from=${2:?--from needs a release}; shift ;;
    --destdir) destdir=${2:?--destdir needs a folder}; shift ;;
    --purge) purge=1 ;;
    --no-start) start=0 ;;
    --wait|--smoke|--keep) passed+=("$1" "${2:?$1 needs a value}"); shift ;;
    --no-backup) passed+=("$1") ;;
    --help|-h) usage "how to use it" ;;
    -*) usage "unknown option '$1'" ;;
    *) [ -z "$action" ] || usage "one action at a time"; action=$1 ;;
  esac
  shift
done

# The program runs in its data folder: what is named from here would be something else there.
if [[ -n $destdir && $destdir != /* ]]; then destdir=$(realpath -m -- "$destdir"); fi
root=$destdir/opt/rootmas data=$destdir/var/lib/rootmas config=$destdir/etc/rootmas units=$destdir/etc/systemd/system bin=$destdir/usr/local/bin
where=(--root "$root" --data "$data" --config "$config")
if [ -n "$destdir" ]; then where+=(--no-systemd); elif [ "$(id -u)" != 0 ]; then fail "run it as root (or with --destdir)"; fi

deploy() { bash "$here/deploy.sh" "$@" "${where[@]}"; }

need_runtime() {
  [ -n "$destdir" ] && return
  command -v dotnet >/dev/null 2>&1 && dotnet --list-runtimes | grep -q '^Microsoft.AspNetCore.App 10\.' && return
  fail "the ASP.NET Core runtime 10 is needed: https://dotnet.microsoft.com/download (Debian, Ubuntu: aspnetcore-runtime-10.0). Nothing was changed."
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Where the program is taken from.
find_artifact() {
  if [ -z "$from" ]; then
    if [ ! -x "$here/../rootmas" ] || [ ! -f "$here/../VERSION" ]; then fail "--from RELEASE: which one?"; fi
    from=$(readlink -f "$here/..")
  fi
  [ -e "$from" ] || fail "$from is not there"
  # Before anything of it runs as root.
  if [ -f "$from" ] && [ -f "$from.sha256" ]; then
    [ "$(sha256sum "$from" | cut -d' ' -f1)" = "$(cut -d' ' -f1 "$from.sha256")" ] || fail "$from is not what $from.sha256 says: it is damaged or not ours. Nothing was changed."
  fi
}

# `rootmas` of whoever sits at this machine is that of the service. What is there and is not ours stays.
mark='# Made by install.sh of Root-MAS.'
is_ours() { grep -qxF "$mark" "$bin/rootmas" 2>/dev/null; }

place_command() {
  local words current
  if { [ -e "$bin/rootmas" ] || [ -L "$bin/rootmas" ]; } && ! is_ours; then
    say "$bin/rootmas is there already and is not ours: it stays. The same is: bash $root/current/deploy/deploy.sh run ${where[*]} -- COMMAND"
    return 0
  fi
  printf -v words ' %q' "$root/current/deploy/deploy.sh" run "${where[@]}"
  printf -v current '%q' "$root/current"
  install -d -m 755 "$bin"
  printf '%s\n' '#!/usr/bin/env bash' "$mark" \
    "if [ ! -e $current ]; then echo 'rootmas: no release is in service yet: install.sh upgrade --from RELEASE puts one there, and says what is wrong with settings and files of the config folder' >&2; exit 1; fi" \
    "exec bash$words -- \"\$@\"" >"$scratch/command"
  install -m 755 "$scratch/command" "$bin/rootmas"
}

make_places() {
  if [ -z "$destdir" ] && ! id rootmas >/dev/null 2>&1; then
    useradd --system --home-dir /var/lib/rootmas --no-create-home --shell /usr/sbin/nologin rootmas
  fi
  install -d -m 755 "$root" "$root/releases" "$units"
  install -d -m 750 "$config"
  install -d -m 700 "$data"
  if [ -z "$destdir" ]; then
    chgrp rootmas "$config"
    chown rootmas:rootmas "$data"
  fi
}

# The release as a folder.
unpack() {
  release=$from
  [ ! -d "$from" ] || return 0
  release=$scratch/release
  mkdir "$release"
  tar -xzf "$from" -C "$release" --no-same-owner || fail "$from cannot be unpacked"
}

# Those of the release, which need not be the tree that this script lies in.
place_units() {
  local of=$release/deploy/systemd
  [ -d "$of" ] || of=$here/systemd
  take_units "$of"
}

take_units() {
  install -m 644 "$1/rootmas.service" "$1/rootmas-worker@.service" "$units/"
  [ -n "$destdir" ] || systemctl daemon-reload
}

# A release that is not taken leaves no unit behind.
keep_units() {
  mkdir "$scratch/units"
  cp "$units/rootmas.service" "$units/rootmas-worker@.service" "$scratch/units/"
}

# The program itself makes the secrets; what the file says already stays.
make_secrets() {
  ROOTMAS_DATA=$data "$release/rootmas" init --for host --output "$config/rootmas.env" >&2
  chmod 640 "$config/rootmas.env"
  [ -n "$destdir" ] || chown root:rootmas "$config/rootmas.env"
}

case "$action" in
  install)
    [ ! -e "$root/current" ] || fail "it is installed in $root; say upgrade"
    need_runtime
    find_artifact
    make_places
    unpack
    place_units
    place_command
    make_secrets
    if [ $start = 0 ]; then
      say "everything is in its place but the program: start it with install.sh upgrade --from $from. Until then $bin/rootmas has nothing to run"
      exit 0
    fi
    deploy deploy "$from" "${passed[@]}"
    [ -n "$destdir" ] || systemctl enable --quiet rootmas.service
    say "it runs. The first administrator is in $config/rootmas.env; settings: $config, docs: $root/current/docs/operations.md, the command: $bin/rootmas" ;;
  upgrade)
    if [ ! -f "$units/rootmas.service" ] || [ ! -f "$units/rootmas-worker@.service" ]; then fail "it is not installed; say install"; fi
    need_runtime
    find_artifact
    unpack
    keep_units
    place_units
    place_command
    # After install --no-start this is the first start; later it is the operator's whether it starts with the machine.
    first=0
    [ -e "$root/current" ] || first=1
    deploy deploy "$from" "${passed[@]}" || { code=$?; take_units "$scratch/units"; exit $code; }
    if [ $first = 1 ] && [ -z "$destdir" ]; then systemctl enable --quiet rootmas.service; fi ;;
  status)
    deploy status ;;
  uninstall)
    [ -d "$root" ] || fail "it is not installed"
    if [ -z "$destdir" ]; then
      systemctl disable --quiet --now rootmas.service || true
      systemctl stop 'rootmas-worker@*.service' || true
      systemctl disable --quiet rootmas-worker@.service || true # every instance of it
    else
      deploy stop
    fi
    rm -f "$units/rootmas.service" "$units/rootmas-worker@.service"
    if is_ours; then rm -f "$bin/rootmas"; fi
    [ -n "$destdir" ] || systemctl daemon-reload
    if [ $purge = 1 ]; then
      rm -rf "$root" "$config" "$data" "$data"-worker-?
      if [ -z "$destdir" ]; then userdel rootmas || true; fi
      say "program, settings and data are gone"
    else
      # Snapshots are data.
      find "$root" -mindepth 1 -maxdepth 1 ! -name snapshots ! -name deploy.log -exec rm -rf {} +
      say "the program is gone; $data and $config stay (uninstall --purge removes them)"
    fi ;;
  '') usage "what is to be done?" ;;
  *) usage "unknown action '$action'" ;;
esac
