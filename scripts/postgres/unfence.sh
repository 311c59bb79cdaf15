#!/bin/sh
# unfence: by hand only. Starts this site as a writable primary although nothing proves that it may.
# value must be "I-am-sure NAME", NAME being the pair's name. action names who asks. It is written to log/unfence.

main() {
  read_input
  take_lock
  if [ "$value" != "I-am-sure $name" ]; then refuse "unfence was not confirmed" "value=I-am-sure $name, if site $peer cannot and will not accept writes"; fi
  # A person may know more than the sites, but not that a disk holds what it lacks.
  no_less_than_peer
  recall record
  entered=${SSH_CLIENT:-}
  printf '%s unfence by %s, entered as %s from %s, record %s\n' "$(date --utc --iso-8601=seconds)" "${action:-an unnamed person}" "$(id -un)" "${entered:-this host}" "${recalled:-none}" >>"$state/log/unfence"
  give_to_owner "$state/log/unfence"
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
