#!/usr/bin/env bash
# Puts a release into service, or leaves everything as it was.
#   deploy.sh deploy ARTIFACT   ARTIFACT: rootmas-VERSION-….tar.gz (checked against ARTIFACT.sha256, if that is there) or an unpacked release
#   deploy.sh rollback          back to the release before
#   deploy.sh start|stop|status
#   deploy.sh run -- COMMAND…   the program in service with settings, user and folders of the service; files are named by their whole path
# Options:
#   --root DIR      releases/, current, snapshots/        (default /opt/rootmas)
#   --data DIR      database, keys, files                 (default /var/lib/rootmas)
#   --config DIR    agents, teams, models, rootmas.env    (default /etc/rootmas)
#   --service UNIT  systemd unit                          (default rootmas.service)
#   --no-systemd    run it as a process of this user, with ROOT/rootmas.pid
#   --wait N        seconds until it must be ready        (default 120)
#   --smoke FILE    called with the program's path after the start; another exit code than 0 rolls back (default: the release's deploy/smoke.sh);
#                   a file of this machine, also with --host: it is sent along
#   --keep N        releases to keep                      (default 5)
#   --no-backup     do not ask the running version for a backup first
#   --host U@HOST   do all this there, by ssh; U may use sudo without a password. --root, --data and --config are folders there
# Steps: check the artifact, check settings and config folder with the new program, back up, stop, keep a copy of the embedded database, switch, migrate, start, wait, smoke test.
# Workers on this machine (rootmas-worker@N.service) stop with it, and those that ran start with it again, on the release that is then in service.
# A smoke test may take three times ROOTMAS_SMOKE_SECONDS (of rootmas.env; default 120), then it has failed.
# When a step after the switch fails, the release before runs again, on the data as the new one left them or, if it cannot read those, on the copy.
# What the new one left then lies in snapshots/left-by-VERSION-TIME and is never deleted by this script: it holds what users wrote meanwhile.
# Killed at any point (ROOT/deploying says where), it is called again: the same release goes on, with another one the release before runs first;
# rollback, or the release before itself, makes that one run again and does no more. A killed rollback, called again, goes on.
# With --host it goes on there when the connection is lost.
# Exit codes: 0 done, or done already; 1 not done, the old release runs (or nothing was changed); 2 wrong usage; 3 not done and the old release does not run: the last lines say what to do.
set -euo pipefail

root=/opt/rootmas data=/var/lib/rootmas config=/etc/rootmas service=rootmas.service
systemd=1 wait=120 smoke='' keep=5 backup=1 host='' action='' artifact='' passed=() command=() worded=''

say() { printf 'deploy: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
usage() { say "$*"; sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case "$1" in
    --no-systemd) systemd=0; passed+=("$1") ;;
    --no-backup) backup=0; passed+=("$1") ;;
    --root|--data|--config|--service|--wait|--smoke|--keep|--host)
      [ $# -ge 2 ] || usage "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      case "$1" in --host|--smoke) ;; *) passed+=("$1" "$2") ;; esac
      shift ;;
    --help|-h) usage "how to use it" ;;
    --) [ "$action" = run ] || usage "only run has a command"; shift; command=("$@") worded=1; break ;;
    -*) usage "unknown option '$1'" ;;
    *) if [ -z "$action" ]; then action=$1; elif [ -z "$artifact" ]; then artifact=$1; else usage "one artifact at a time"; fi ;;
  esac
  shift
done
case "$action" in
  deploy) [ -n "$artifact" ] || usage "which artifact?" ;;
  run) if [ -z "$worded" ] || [ -n "$artifact$host" ]; then usage "run -- COMMAND, on this machine"; fi ;;
  rollback|start|stop|status) [ -z "$artifact" ] || usage "$action takes no artifact" ;;
  '') usage "what is to be done?" ;;
  *) usage "unknown action '$action'" ;;
esac
[[ $wait =~ ^[0-9]+$ && $keep =~ ^[1-9][0-9]*$ ]] || usage "--wait and --keep are numbers"
# The program runs in the data folder: whatever is named from here would be something else there.
for name in root data config; do
  [ -n "${!name}" ] || usage "--$name needs a value"
  if [[ ${!name} != /* ]]; then
    [ -z "$host" ] || usage "--$name is a folder on $host and must begin with /"
    printf -v "$name" '%s' "$(realpath -m -- "${!name}")"
  fi
done
if [ -n "$smoke" ]; then
  [ -f "$smoke" ] || usage "--smoke: there is no file '$smoke'"
  smoke=$(realpath -- "$smoke")
fi

# The same on another machine: the artifact and this script go there, and nothing else is needed.
if [ -n "$host" ]; then
  folder=$(ssh "$host" 'mktemp -d')
  files=("${BASH_SOURCE[0]}")
  if [ -n "$artifact" ]; then
    [ -f "$artifact" ] || fail "$artifact is not an archive: a folder cannot be sent"
    files+=("$artifact")
    if [ -f "$artifact.sha256" ]; then files+=("$artifact.sha256"); fi
    passed=("$folder/$(basename "$artifact")" "${passed[@]}")
  fi
  scp -q "${files[@]}" "$host:$folder/"
  if [ -n "$smoke" ]; then
    scp -q "$smoke" "$host:$folder/smoke.sh"
    passed+=(--smoke "$folder/smoke.sh")
  fi
  printf -v there '%q ' bash "$folder/$(basename "${BASH_SOURCE[0]}")" "$action" "${passed[@]}"
  printf -v at '%q' "$folder"
  status=0
  # In a session of its own there, with its words in files: a connection that is lost takes neither the deployment nor its words with it.
  # shellcheck disable=SC2029 # it is meant to be put together here
  ssh "$host" "touch $at/out $at/err; setsid sudo -n bash -c '\"\$@\"; echo \$? >$at/status' bash $there </dev/null >$at/out 2>$at/err & did=\$!
    tail -q -n +1 -s 0.2 -f --pid=\$did $at/out & tail -q -n +1 -s 0.2 -f --pid=\$did $at/err >&2; wait
    status=\$(cat $at/status 2>/dev/null || echo 1); rm -rf $at; exit \$status" || status=$?
  if [ "$status" = 255 ]; then say "the connection to $host was lost. What was begun there goes on: its words are in $folder/err there; deploy.sh status --host $host says what runs, and calling this again finishes what was interrupted."; fi
  exit "$status"
fi

current=$root/current
workers="${service%.service}-worker@*.service"
pidfile=$root/rootmas.pid
state=$root/deploying
work='' smoke_copy=''

cleanup() { rm -rf ${work:+"$work"} ${smoke_copy:+"$smoke_copy"}; }
trap cleanup EXIT

# ---- the service ----

# The service's environment. Values never become arguments, and the file is read, not executed: as systemd reads it.
take_environment() {
  local rest name value
  if [ -r "$config/rootmas.env" ]; then
    while next_line; do
      case "$rest" in '#'*|';'*) continue ;; *=*) ;; *) continue ;; esac
      name=${rest%%=*} rest=${rest#*=}
      name=${name%"${name##*[!"$blank"]}"}
      [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || { say "$config/rootmas.env: '$name' is not the name of a variable"; exit 2; }
      take_value
      export "$name=$value"
    done <"$config/rootmas.env"
  fi
  export ROOTMAS_DATA=$data ROOTMAS_CONFIG=$config DOTNET_NOLOGO=1
  cd "$data"
}

# The next line of rootmas.env, and without the blanks that it begins with.
blank=$' \t\r'
more() { IFS= read -r rest || [ -n "$rest" ]; }
skip_blanks() { rest=${rest#"${rest%%[!"$blank"]*}"}; }
next_line() { more && skip_blanks; }

# The value that begins in $rest: parts in quotes, one after the other, or one without. A quote may end on a later line.
take_value() {
  value=''
  while skip_blanks; [ -n "$rest" ]; do
    case "$rest" in
      \'*)
        rest=${rest#?}
        until [[ $rest == *\'* ]]; do value+=$rest$'\n'; more || return 0; done
        value+=${rest%%\'*} rest=${rest#*\'} ;;
      \"*) rest=${rest#?}; take_quoted || return 0 ;;
      *) take_plain; return 0 ;;
    esac
  done
}

# Up to the next ". A backslash takes the meaning from what has one in double quotes, joins lines, and is itself before anything else.
take_quoted() {
  local part
  while :; do
    part=${rest%%[\"\\]*}
    value+=$part rest=${rest:${#part}}
    case "$rest" in
      '') value+=$'\n'; more || return 1 ;;
      \"*) rest=${rest#?}; return 0 ;;
      \\) more || return 1 ;;
      \\[\"\\\`\$]*) value+=${rest:1:1} rest=${rest:2} ;;
      *) value+=${rest:0:2} rest=${rest:2} ;;
    esac
  done
}

# Up to the end of the line, without the blanks there. A backslash joins lines, and is left out before anything else.
take_plain() {
  local part
  while :; do
    part=${rest%%\\*}
    value+=$part rest=${rest:${#part}}
    case "$rest" in
      '') value=${value%"${part##*[!"$blank"]}"}; return 0 ;;
      \\) more || return 0 ;;
      *) value+=${rest:1:1} rest=${rest:2} ;;
    esac
  done
}

# Becomes a command of the program as the service would run it; on a real installation as its user, whose logins are not root's.
become() {
  take_environment
  if [ $systemd = 1 ] && [ "$(id -u)" = 0 ]; then
    export HOME=$data
    unset XDG_CONFIG_HOME
    exec runuser -u rootmas -- "$@"
  fi
  exec "$@"
}

as_service() { (become "$@"); }

process() { [ -f "$pidfile" ] && pid=$(cat "$pidfile") && [[ $pid =~ ^[0-9]+$ ]] && kill -0 "$pid" 2>/dev/null && grep -qz rootmas "/proc/$pid/cmdline" 2>/dev/null; }

start_service() {
  if [ $systemd = 1 ]; then systemctl start "$service"; return; fi
  if process; then return; fi
  (
    exec </dev/null >>"$root/rootmas.log" 2>&1 9>&-
    take_environment
    exec setsid "$current/rootmas" serve
  ) &
  echo $! >"$pidfile"
}

stop_service() {
  if [ $systemd = 1 ]; then systemctl stop "$service"; return; fi
  if process; then
    kill -TERM "$pid"
    for _ in $(seq 450); do process || break; sleep 0.1; done
    if process; then say "process $pid did not end within 45 s and is killed; its runs go on at the next start"; kill -KILL "$pid"; fi
  fi
  rm -f "$pidfile"
}

# What ran is written down before it is stopped, so that whoever starts the service next starts these too, also after this script was killed.
stop_workers() {
  [ $systemd = 1 ] || return 0
  systemctl list-units --plain --no-legend --state=active,activating "$workers" | awk '{print $1}' >>"$root/stopped-workers"
  systemctl stop "$workers"
}

start_workers() {
  local names=()
  [ ! -f "$root/stopped-workers" ] || mapfile -t names < <(sort -u "$root/stopped-workers")
  if [ ${#names[@]} -gt 0 ]; then systemctl start "${names[@]}" || return 1; fi
  rm -f "$root/stopped-workers"
}

is_up() { if [ $systemd = 1 ]; then systemctl is-active --quiet "$service"; else process; fi; }

# A process that has ended will not become ready: no need to wait for it.
wait_ready() {
  local until=$((SECONDS + wait))
  while [ $SECONDS -lt $until ]; do
    if as_service "$current/rootmas" health >/dev/null 2>&1; then return 0; fi
    is_up || { say "it ended before it was ready"; return 1; }
    sleep 0.2
  done
  say "it was not ready within $wait s"
  return 1
}

# ---- releases ----

switch_to() { ln -sfn "$1" "$current.new" && mv -Tf "$current.new" "$current"; }

release_of() { readlink "$1" 2>/dev/null || true; }

# Into a folder beside the releases, where it is looked at first.
unpack() {
  work=$(mktemp -d "$root/releases/.new.XXXXXX")
  if [ -d "$artifact" ]; then
    cp -R --preserve=mode,timestamps "$artifact/." "$work/"
  else
    if [ -f "$artifact.sha256" ]; then
      [ "$(sha256sum "$artifact" | cut -d' ' -f1)" = "$(cut -d' ' -f1 "$artifact.sha256")" ] || fail "$artifact is not what $artifact.sha256 says: it is damaged or not ours. Nothing was changed."
    fi
    tar -xzf "$artifact" -C "$work" --no-same-owner || fail "$artifact cannot be unpacked. Nothing was changed."
  fi
  [ -x "$work/rootmas" ] || fail "$artifact holds no program 'rootmas'. Nothing was changed."
  [ -s "$work/VERSION" ] || fail "$artifact says no VERSION. Nothing was changed."
  version=$(tr -d '[:space:]' <"$work/VERSION")
  [[ $version =~ ^[0-9A-Za-z][0-9A-Za-z.+-]*$ ]] || fail "'$version' is not a version. Nothing was changed."
  # Whatever umask and owner it came with: the service reads it, and only whoever deploys may change it.
  chmod -R u+rwX,go+rX,go-w "$work"
  release=releases/$version
}

place() {
  rm -rf "${root:?}/$release"
  mv -T "$work" "$root/$release"
  work=''
}

# The release in service is the one that is asked for: as it is at a second call after a lost connection, or when a job is run again.
already() {
  local unchanged="Nothing was changed."
  if [ -n "$1" ]; then unchanged="Nothing else was changed."; fi
  if [ -n "$work" ] && ! diff -rq --no-dereference "$work" "$root/$release" >/dev/null; then
    fail "a $version that is not this one is in service; what is built anew needs a new version. $unchanged"
  fi
  if is_up && wait_ready; then
    say "$version ${1:-is in service already}"
    exit 0
  fi
  if [ -n "$1" ]; then
    say "$version was put back, and does not become ready. Look at its log, then: deploy.sh start."
    exit 3
  fi
  fail "$version is the release in service, but it is not ready. Nothing was changed; look at its log, then: deploy.sh start."
}

# Puts the contents of $1 into the file $2, all of them or none: a full disk or a kill leaves what was there. Its owner, its mode and a link to it stay.
put() {
  local target new
  target=$(readlink -f "$2") || return 1
  new=$(dirname "$target")/.$(basename "$target").deploy
  if [ -w "$(dirname "$target")" ] && { [ -O "$target" ] || [ "$(id -u)" = 0 ]; }; then
    if ! { cp -p --remove-destination "$target" "$new" && cat "$1" >"$new" && sync "$new"; }; then
      rm -f "$new"
      return 1
    fi
    if mv -fT "$new" "$target" 2>/dev/null; then return 0; fi
    rm -f "$new"
  fi
  # A file that is mounted, or another's: over what it holds, and its room is given back only at the end. So what it held fits in again.
  cat "$1" 1<>"$target" && truncate -s "$(stat -c %s "$1")" "$target"
}

# A file that is not there yet, whole or not at all.
bring() {
  local new
  new=$(dirname "$2")/.$(basename "$2").deploy
  if install -D -m 640 "$1" "$new" && mv -fT "$new" "$2"; then return 0; fi
  rm -f "$new"
  return 1
}

# Files that nobody changed here follow the release; others stay, and the new ones lie in the release.
take_config() {
  local from=$root/$release/config before=${1:+$root/$1/config} file target
  # Files that the release before brought and this one does not are left: nothing reads them.
  [ -d "$from" ] || return 0
  while IFS= read -r -d '' file; do
    target=$config/$file
    if [ ! -e "$target" ]; then
      bring "$from/$file" "$target" || return 1
      if [ $systemd = 1 ] && [ "$(id -u)" = 0 ]; then
        { chgrp rootmas "$target" && chmod 750 "$(dirname "$target")" && chgrp rootmas "$(dirname "$target")"; } || return 1
      fi
    elif ! cmp -s "$from/$file" "$target"; then
      if [ -n "$before" ] && cmp -s "$before/$file" "$target"; then
        { bring "$target" "$snapshot/config.new" && mkdir -p "$(dirname "$snapshot/config/$file")" && mv -fT "$snapshot/config.new" "$snapshot/config/$file"; } || return 1
        put "$from/$file" "$target" || return 1
      else
        say "$target was changed here and stays; the release's is $from/$file"
      fi
    fi
  done < <(cd "$from" && find . -type f -printf '%P\0')
}

# Contents only: owners and modes of what is there stay.
give_config_back() {
  local file all=0
  [ -d "$snapshot/config" ] || return 0
  while IFS= read -r -d '' file; do
    if ! cmp -s "$snapshot/config/$file" "$config/$file" && ! put "$snapshot/config/$file" "$config/$file"; then
      say "$config/$file cannot be put back as it was; that is $snapshot/config/$file"
      all=1
    fi
  done < <(cd "$snapshot/config" && find . -type f -printf '%P\0')
  return $all
}

# A file of the embedded database may be left from before the move to PostgreSQL: it is nobody's, and no way back. Whoever does not say counts as embedded.
is_embedded() {
  local settings
  settings=$(as_service "$root/$release/rootmas" config print 2>/dev/null) || true
  ! grep -qi '^Database:Kind = postgres' <<<"$settings"
}

keep_database() {
  local size free
  if [ ! -f "$data/rootmas.db" ] || ! is_embedded; then return 0; fi
  size=$(du -ck "$data"/rootmas.db* | tail -1 | cut -f1)
  free=$(df -Pk "$root" | awk 'NR==2 {print $4}')
  [ "$free" -gt $((size + 51200)) ] || return 1
  mkdir -p "$snapshot/data"
  cp -a --reflink=auto "$data"/rootmas.db* "$snapshot/data/"
}

# ---- back to what was ----

roll_back() {
  go_back "$1"
  if [ -z "$old" ]; then fail "there was no release before; the data stay in $data. See $root/rootmas.log or: journalctl -u $service"; fi
  fail "$version is not in service; ${old#releases/} runs again, with its data. Its files are in $root/$release for a look."
}

# Can the release that is in service again read what is there? A database that does not answer (7) says neither.
reads_data() {
  local status=0
  as_service "$current/rootmas" migrate --plan >/dev/null 2>&1 || status=$?
  [ $status = 0 ] || [ $status = 7 ]
}

# Each step can be done again: this may be killed too.
go_back() {
  say "$1: going back to ${old:-nothing}"
  stop_workers || true
  stop_service || true
  if [ -z "$old" ]; then rm -f "$current" "$state"; return; fi
  give_config_back || true
  switch_to "$old"
  # The old program says by itself whether it can read what the new one left. Without a database the copy was on its way.
  if [ -f "$snapshot/data/rootmas.db" ] && { [ ! -f "$data/rootmas.db" ] || ! reads_data; }; then
    put_copy_back
  fi
  start_service || true
  if ! wait_ready; then
    rm -f "$state"
    say "the release before does not become ready either. Look at its log; the backup that was made first can be put back: deploy.sh stop, deploy.sh run -- backup list, deploy.sh run -- backup restore ID --force (what is there now is kept aside), then deploy.sh start."
    exit 3
  fi
  start_workers || say "not every worker started: systemctl list-units --all '$workers'"
  note "rolled back to ${old#releases/}: $1"
  rm -f "$state"
}

# The database itself comes last: where it is, everything is.
put_copy_back() {
  local aside=$root/snapshots/left-by-$version-$began copy=$data/.put-back file
  mkdir -p "$aside"
  chmod 700 "$aside"
  if [ ! -f "$copy/rootmas.db" ]; then
    for file in "$data"/rootmas.db*; do
      if [ -e "$file" ]; then mv "$file" "$aside/"; fi
    done
    rm -rf "$copy" "$copy.new"
    cp -a "$snapshot/data" "$copy.new"
    mv -T "$copy.new" "$copy"
  fi
  for file in "$copy"/rootmas.db-* "$copy/rootmas.db"; do
    if [ -e "$file" ]; then mv "$file" "$data/"; fi
  done
  rmdir "$copy"
  say "the old program cannot read the new database: the copy from before the switch is in service, the new one lies in $aside, with what was written since"
}

# ---- a run that was killed ----

# What is under way: the release that comes, the one before, since when, and how far. It is on the disk before anything else changes.
phase='' left='' was='' began='' how=''
read_state() {
  if [ -f "$state" ]; then { read -r left; read -r was; read -r began; read -r phase; read -r how; } <"$state" || true; fi
}

write_state() {
  if printf '%s\n' "$release" "$old" "$began" "$1" "$action" >"$state.new" && sync "$state.new" && mv -Tf "$state.new" "$state"; then return 0; fi
  rm -f "$state.new"
  return 1
}

# What is under way, in words.
interrupted() {
  local at=before
  if [ "$phase:$(release_of "$current")" = "switched:$left" ]; then at=after; fi
  if [ "$how" = rollback ]; then
    echo "the rollback to ${left#releases/} was interrupted $at the switch: say rollback again, or deploy ${was#releases/}"
  else
    echo "the deployment of ${left#releases/} was interrupted $at the switch: deploy it again, or say rollback"
  fi
}

# Puts things back where the killed run found them. Before the switch that is the configuration and the service.
recover() {
  local next=${version:-} next_release=${release:-} given=1
  [ -n "$phase" ] || return 0
  release=$left version=${left#releases/} old=$was snapshot=$root/snapshots/before-${left#releases/}
  if [ "$phase" = switched ]; then
    go_back "the deployment of $version was interrupted"
  else
    say "the deployment of $version was interrupted before the switch: ${old:-nothing} goes on"
    give_config_back || given=0
    if [ -n "$old" ]; then
      start_service || say "$old does not start"
      wait_ready || say "$old does not become ready"
      start_workers || say "not every worker started: systemctl list-units --all '$workers'"
    fi
    [ $given = 1 ] || fail "the configuration of before is not back: make room, and say rollback"
    rm -f "$state"
  fi
  phase='' version=$next release=$next_release
}

# After the switch the same call goes on.
go_on() {
  say "what was interrupted after the switch to $version goes on"
  stop_workers
  stop_service
  if [ "$action" = deploy ]; then place; fi
  old=$was snapshot=$root/snapshots/before-$version
  finish
}

# Nothing was switched: what was prepared is taken back.
abandon() {
  give_config_back || fail "$1 The configuration of before is not back: make room, and say rollback."
  rm -f "$state"
  fail "$1"
}

note() { printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >>"$root/deploy.log"; }

# Older versions of this script kept what a newer release left in there.
drop_snapshot() {
  local each
  for each in "$1"/left-by-*; do
    if [ -d "$each" ]; then mv -T "$each" "$root/snapshots/$(basename "$each")-$(date -u -r "$each" +%Y%m%dT%H%M%SZ)-$$"; fi
  done
  rm -rf "$1"
}

prune() {
  local each
  # The newest by the time they were put here; never the one in service or the one before.
  while IFS= read -r each; do
    case "releases/$each" in "$(release_of "$current")"|"$(release_of "$root/previous")") continue ;; esac
    rm -rf "${root:?}/releases/$each"
    drop_snapshot "${root:?}/snapshots/before-$each"
  done < <(cd "$root/releases" && find . -mindepth 1 -maxdepth 1 -type d ! -name '.*' -printf '%T@ %P\n' | sort -rn | tail -n "+$((keep + 1))" | cut -d' ' -f2-)
}

into_service() {
  old=$(release_of "$current")
  snapshot=$root/snapshots/before-$version
  began=$(date -u +%Y%m%dT%H%M%SZ)
  drop_snapshot "$snapshot"
  mkdir -p "$snapshot"
  chmod 700 "$root/snapshots" "$snapshot"
  write_state preparing || fail "nothing can be written to $root. Nothing was changed."
  take_config "$old" || abandon "the configuration of $version cannot be put in place (above). Nothing else was changed; ${old:-nothing} stays in service."
  if ! as_service "$root/$release/rootmas" config check >/dev/null; then
    abandon "$version does not accept the settings, or the files in $config (above). Nothing else was changed; ${old:-nothing} stays in service."
  fi
  if [ -n "$old" ] && [ $backup = 1 ] && as_service "$current/rootmas" --help | grep -q '^  backup '; then
    as_service "$current/rootmas" backup create >&2 || abandon "the backup before the upgrade failed; $old stays in service. Correct the cause, or say --no-backup."
  fi
  stop_workers
  stop_service
  if ! keep_database || ! write_state switched; then
    rm -rf "$snapshot/data"
    give_config_back || true
    if [ -n "$old" ]; then
      start_service
      wait_ready || exit 3
      start_workers || say "not every worker started: systemctl list-units --all '$workers'"
    fi
    abandon "there is no room in $root for a copy of the database; ${old:-nothing} stays in service."
  fi
  finish
}

# The service's user may be kept from where it lies, as what was sent by --host is.
take_smoke() {
  if [ -z "$smoke" ] || as_service test -r "$smoke" 2>/dev/null; then return; fi
  rm -rf "$root"/.smoke.*
  smoke_copy=$(mktemp -d "$root/.smoke.XXXXXX")
  cp "$smoke" "$smoke_copy/"
  smoke=$smoke_copy/$(basename "$smoke")
  if [ $systemd = 1 ] && [ "$(id -u)" = 0 ]; then
    chgrp -R rootmas "$smoke_copy"
    chmod -R g+rX "$smoke_copy"
  fi
}

# One that does not end is one that fails.
run_smoke() {
  local status=0
  # shellcheck disable=SC2016 # the service's environment says how long
  as_service bash -c '
    export ROOTMAS_SMOKE_SECONDS="${ROOTMAS_SMOKE_SECONDS:-120}"
    if ! [[ $ROOTMAS_SMOKE_SECONDS =~ ^[1-9][0-9]{0,5}$ ]]; then
      echo "deploy: ROOTMAS_SMOKE_SECONDS is \"$ROOTMAS_SMOKE_SECONDS\" and no whole number of seconds: 120 counts"
      ROOTMAS_SMOKE_SECONDS=120
    fi
    exec timeout -k 10 "$((3 * ROOTMAS_SMOKE_SECONDS))" bash "$@"' smoke "$smoke" "$current/rootmas" >&2 || status=$?
  if [ $status = 124 ]; then say "the smoke test did not end in time (three times ROOTMAS_SMOKE_SECONDS)"; fi
  return $status
}

# From the switch on; also where a killed run got as far as this.
finish() {
  switch_to "$release"
  touch "$root/$release"
  as_service "$current/rootmas" migrate >&2 || roll_back "the migration failed"
  start_service || roll_back "it did not start"
  wait_ready || roll_back "it did not become ready"
  start_workers || roll_back "a worker did not start"
  : "${smoke:=$root/$release/deploy/smoke.sh}"
  if [ -e "$smoke" ]; then run_smoke || roll_back "the smoke test failed"; fi
  if [ -n "$old" ]; then ln -sfn "$old" "$root/previous"; fi
  note "in service: $version"
  rm -f "$state"
  prune
  say "$version is in service"
}

if [ "$action" = run ]; then
  [ -e "$current" ] || fail "not installed"
  [ $systemd = 0 ] || [ "$(id -u)" = 0 ] || [ "$(id -un)" = rootmas ] || fail "run it as root or as the user rootmas: sudo rootmas …"
  become "$current/rootmas" "${command[@]}"
fi
# Whoever only looks makes nothing.
if [ "$action" = deploy ]; then
  mkdir -p "$root/releases" "$root/snapshots" "$config"
  [ -d "$data" ] || install -d -m 700 "$data"
elif [ ! -d "$root" ]; then
  echo "not installed"
  exit 1
fi
exec 9>"$root/deploy.lock"
flock -n 9 || fail "another deployment is going on in $root"
read_state
case "$action" in
  deploy)
    unpack
    take_smoke
    if [ "$phase:$left" = "switched:$release" ] && [ "$(release_of "$current")" = "$release" ]; then
      go_on
    else
      again=${phase:+runs again}
      recover
      if [ "$(release_of "$current")" = "$release" ]; then already "$again"; fi
      place
      into_service
    fi ;;
  rollback)
    if [ "$how:$phase:$left" = "rollback:switched:$(release_of "$current")" ]; then
      release=$left version=${left#releases/}
      take_smoke
      go_on
      exit 0
    fi
    # The way back from what was interrupted; not also from the release that it leads to, unless that was a way back itself.
    before=${phase:+${how:-deploy}}
    recover
    if [ "$before" = deploy ]; then
      release=$old version=${old#releases/}
      [ -n "$release" ] || fail "there was no release before: nothing is installed"
      already "runs again"
    fi
    take_smoke
    release=$(release_of "$root/previous")
    if [ -z "$release" ] || [ ! -x "$root/$release/rootmas" ]; then fail "there is no release before this one"; fi
    version=${release#releases/}
    into_service ;;
  start)
    if [ -n "$phase" ]; then say "$(interrupted)"; fi
    [ -e "$current" ] || fail "no release is installed"
    start_service
    wait_ready
    start_workers ;;
  stop) stop_workers; stop_service ;;
  status)
    if [ -n "$phase" ]; then interrupted; fi
    [ -e "$current" ] || { echo "not installed"; exit 1; }
    echo "release $(basename "$(release_of "$current")")"
    if is_up; then echo "running"; else echo "not running"; exit 1; fi
    as_service "$current/rootmas" health ;;
esac
