#!/bin/sh
# answer: why a server that should answer does not, told by where and as whom it was asked. Functions only; part of lib at
# every site (sites/guardProgram.ts).
# shellcheck disable=SC2154,SC2034 # lib.sh sets them, the verbs use what is set here

# Ends the verb. What no later try mends (the wrong port, folder or program) is refused; all else may pass.
no_answer() { # [HINT]
  hint=${1:-look at its log, then run the update again}
  tried="socket $socket/.s.PGSQL.$port, user $superuser, database $database, program $bindir/psql"
  if ! postmaster; then later "PostgreSQL has ended or does not run ($tried)" "$hint"; fi
  if [ ! -x "$bindir/psql" ]; then refuse "there is no program $bindir/psql to ask PostgreSQL with" "set binDirectory of this site to the folder of its programs"; fi
  if [ "${pid_port:-$port}" != "$port" ]; then refuse "PostgreSQL of $data (process $pid) listens on port $pid_port, not $port" "set port: $pid_port for this site"; fi
  if [ ! -S "$socket/.s.PGSQL.$port" ]; then refuse "there is no socket $socket/.s.PGSQL.$port; that of process $pid is in ${pid_socket:-no folder}" "set socketDirectory of this site to ${pid_socket:-one of unix_socket_directories}"; fi
  ready=0
  is_ready || ready=$?
  case $ready in
  1)
    recovery_progress
    later "PostgreSQL (process $pid) takes no connections yet: ${pid_status:-starting}, in recovery at $recovery_at of about $recovery_of" "wait for it, then run the update again"
    ;;
  2) later "PostgreSQL (process $pid) runs, but nobody listens at $socket/.s.PGSQL.$port" "$hint" ;;
  *) ;;
  esac
  refused=$(echo 'select 1' | sql 2>&1 >/dev/null | tail --lines=1) || :
  if [ -z "$refused" ]; then later "PostgreSQL answers, but ended the session or refused a statement; its words are above" "$hint"; fi
  later "PostgreSQL is up and lets nobody in ($tried): $refused" "check superuser and database of this site, and pg_hba.conf (Debian has the line: local all $superuser peer); then run the update again"
}

# 0 takes connections, 1 not yet or no longer, 2 nobody listens.
is_ready() { as_owner timeout 5 "$bindir/pg_isready" --quiet --host="$socket" --port="$port" --timeout=3 >/dev/null 2>&1; }
