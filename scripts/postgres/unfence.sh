#!/bin/sh
# unfence: by hand only. Starts this site as a writable primary although nothing proves that it may.
# value must be "I-am-sure NAME", NAME being the pair's name. It is written to log/unfence.

main() {
  read_input
  take_lock
  if [ "$value" != "I-am-sure $name" ]; then refuse "unfence was not confirmed" "value=I-am-sure $name, if site $peer cannot and will not accept writes"; fi
  if answer=$(
    peer_sql connect_timeout=2 <<SQL 2>/dev/null
select pg_is_in_recovery();
SQL
  ) && [ "$answer" = f ]; then
    refuse "site $peer answers as a writable primary at $peer_host:$peer_port" "stop it there first"
  fi
  recall record
  printf '%s unfence by %s, record %s\n' "$(date --utc --iso-8601=seconds)" "$(id -un)" "${recalled:-none}" >>"$state/log/unfence"
  sync "$state/log/unfence"
  rm -f "$state/token" "$state/permit"
  # The running guard lets this site be until an epoch beyond all that is known here.
  known=${recalled#epoch=}
  known=${known%% *}
  recall obeyed
  if [ "${recalled:-0}" -gt "${known:-0}" ]; then known=$recalled; fi
  store unfenced "${known:-0}"
  if postmaster; then stop_postgres INT "$stop_bound" || fault "PostgreSQL did not stop within $stop_bound s" "look at its log"; fi
  remove_signal
  start_postgres
  sql <<SQL >/dev/null
begin;
set local synchronous_commit = local;
select pg_logical_emit_message(true, 'standby', 'unfence');
commit;
SQL
  fact role primary
}
