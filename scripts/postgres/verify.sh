#!/bin/sh
# verify: this site holds every byte the fenced site wrote; then a permit to promote is written.
# Danger: beyond END is as bad as short of it: it means that somebody wrote after the fence.
# value=accepted: the other site is lost. A token that says `drained` proves that nothing is; without one a person accepts
# the loss, for exactly this epoch.

main() {
  read_input
  take_lock
  adopt
  recall promoted
  if [ "${recalled%% *}" = "$epoch" ]; then refuse "this site was already asked to promote in epoch $epoch" "run the update again, the only way is forward"; fi
  if ! postmaster; then later "PostgreSQL is not running here" "start it as standby and run the update again"; fi
  case $value in
  accepted) if read_token "$token"; then verify_token; else verify_acceptance; fi ;;
  *) verify_token ;;
  esac
  checkpoint before-permit
  give_permit
}

verify_token() {
  if ! read_token "$token"; then refuse "no token of the fence: it could not prove where site $from stopped" "run the update again; the loss of site $from is a failover"; fi
  if [ "$token_epoch" != "$epoch" ] || [ "$token_run" != "$run" ]; then refuse "the token is of epoch $token_epoch and run $token_run, this is epoch $epoch and run $run" "run the update again, it fences anew"; fi
  case $token_tli$token_system in *[!0-9]*) refuse "the token is damaged: $token" "run the update again" ;; *) ;; esac
  case $token_lsn$token_end$token_tail in *[!0-9A-F/]*) refuse "the token is damaged: $token" "run the update again" ;; *) ;; esac
  ask_standby
  if [ "$system" != "$token_system" ]; then refuse "this is system $system, the token is of system $token_system" "the two sites hold different databases: check dataDirectory of both"; fi
  # The lost site's disk came back older: this one has all of it, or the two have parted.
  number_of "$position"
  replayed=$number
  number_of "$token_end"
  if [ "$kind" = failover ] && { [ "$newest_tli" -gt "$token_tli" ] || [ "$replayed" -gt "$number" ]; }; then
    verify_surplus
    return 0
  fi
  if [ "$newest_tli" -gt "$token_tli" ]; then refuse "this site is on timeline $newest_tli, the token is of timeline $token_tli" "run the update again; if it stays, rejoin this site first"; fi
  if [ "$position" != "$token_end" ]; then
    if [ "$replayed" -gt "$number" ]; then refuse "replayed $position, $((replayed - number)) bytes past the token's end $token_end" "somebody wrote after the fence: look for a second writer"; fi
    later "replayed $position, $((number - replayed)) bytes short of the token's end $token_end" "mend replication from site $from, then run the update again"
  fi
  if [ "$record_hash" != "$token_record" ]; then refuse "the last record at $token_lsn differs from the token's" "the two sites do not share this WAL: rejoin this site"; fi
  if [ "$tail_hash" != "$token_hash" ]; then refuse "the WAL from $token_tail to $token_end differs from the token's" "the two sites do not share this WAL: rejoin this site"; fi
  tli=$token_tli loss=none
  fact replayed "$position"
  if [ "$token_v" = v1-drained ]; then fact loss 0,drained; else fact loss 0; fi
  fact wait_ms "$wait_ms"
}

# Danger: whoever holds more must not be taken for a second writer, nor its surplus for a proof.
verify_surplus() {
  tli=$newest_tli
  fact replayed "$position"
  if [ "$newest_tli" = "$token_tli" ] && [ "$record_hash$tail_hash" = "$token_record$token_hash" ] && leads_here; then
    loss=none
    say "holds all that site $from has, and $((replayed - number)) bytes more: the disk of site $from is older"
    fact loss 0,more
    return 0
  fi
  if [ "$accept_loss" != "$epoch" ]; then
    refuse "is at $position on timeline $newest_tli; site $from ends at $token_end on timeline $token_tli with writes that are not here: its disk came back older, and it has written since" "accept that for this epoch, they are exported when site $from returns: pulumi config set acceptLoss $epoch && pulumi up --yes --skip-preview"
  fi
  loss=accepted
  fact loss accepted
}

# Whether the records on this disk lead up to what was replayed. Danger: a primary whose disk came back older sends its own bytes over
# them, from the segment's begin on; then they are no account of what this site holds, and no proof.
leads_here() {
  read_control || return 1
  own_tli=$newest_tli
  ends_at "$(last_record "$((step_bound / 2))" "$position")" "$replayed"
}

# One session: wait for the END, then read the hashes of this site's own WAL. It gives up early when nothing can come any
# more: the sender is stopped, so what was not received by now stays behind.
ask_standby() {
  answer=$(
    sql <<SQL
select clock_timestamp() as began \gset
do \$\$ declare give_up timestamptz := clock_timestamp() + interval '$((step_bound / 2)) s'; seen pg_lsn; got pg_lsn; since timestamptz := clock_timestamp();
begin
  while pg_is_in_recovery() and pg_get_wal_replay_pause_state() = 'not paused' and pg_last_wal_replay_lsn() < '$token_end' and clock_timestamp() < give_up loop
    got := greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn());
    if got is distinct from seen then seen := got; since := clock_timestamp(); end if;
    exit when got < '$token_end' and clock_timestamp() > since + interval '2 s'
      and not exists (select from pg_stat_wal_receiver where status = 'streaming');
    perform pg_sleep(0.003);
  end loop;
end \$\$;
select concat_ws(' ', (select system_identifier from pg_control_system()), pg_is_in_recovery(), replace(pg_get_wal_replay_pause_state(), ' ', '-'),
  current_setting('recovery_min_apply_delay'), coalesce(pg_last_wal_replay_lsn()::text, '0/0'),
  (select greatest(timeline_id, (select max(('x' || left(name, 8))::bit(32)::int) from pg_ls_waldir() where name like '%.history')) from pg_control_checkpoint()),
  $(hash_sql "$token_lsn"), $(hash_sql "$token_tail"), round(1000 * extract(epoch from clock_timestamp() - :'began')));
SQL
  ) || no_answer
  read -r system recovering paused apply_delay position newest_tli record_hash tail_hash wait_ms <<ANSWER
$answer
ANSWER
  if [ "$recovering" != t ]; then refuse "this site is not in recovery" "run the update again"; fi
  if [ "$paused" != not-paused ]; then refuse "replay is paused at $position" "select pg_wal_replay_resume() here (compare max_connections of both sites first), then run the update again"; fi
  if [ "$apply_delay" != 0 ]; then refuse "recovery_min_apply_delay is $apply_delay" "set it to 0 here, then run the update again"; fi
}

# Hash of this site's own WAL from $1 to the token's END, across segments. The server reads the bytes itself: no process of
# our own inside the outage. A missing file hashes as nothing.
hash_sql() {
  printf '%s\n' "(select encode(sha256(coalesce(string_agg(pg_read_binary_file('pg_wal/' || lpad(upper(to_hex($token_tli)), 8, '0')
      || lpad(upper(to_hex(n / (4294967296 / size))), 8, '0') || lpad(upper(to_hex(n % (4294967296 / size))), 8, '0'),
      greatest(first - n * size, 0), least(last, (n + 1) * size) - greatest(first, n * size), true), '' order by n), '')), 'hex')
    from (select ('$1'::pg_lsn - '0/0')::bigint as first, ('$token_end'::pg_lsn - '0/0')::bigint as last,
      pg_size_bytes(current_setting('wal_segment_size')) as size) as span, generate_series(first / size, (last - 1) / size) as n)"
}

verify_acceptance() {
  if [ "$accept_loss" != "$epoch" ]; then
    refuse "nothing proves what site $from still holds (it could not be drained), and the loss is accepted for epoch '${accept_loss:-none}', not for $epoch" "mend site $from and run the update again, which drains it; or accept the loss: pulumi config set acceptLoss $epoch && pulumi up --yes --skip-preview"
  fi
  # The last check that needs nobody's word: a primary that answers is not lost.
  if answer=$(
    peer_sql connect_timeout=2 <<SQL 2>/dev/null
select pg_is_in_recovery();
SQL
  ) && [ "$answer" = f ]; then
    refuse "site $from still answers this site as a writable primary at $peer_host:$peer_port" "stop it there and run the update again; or let it serve on: pulumi config set activeSite $from && pulumi up"
  fi
  read_control || fault "cannot read the control file of $data" "look at the disk"
  answer=$(
    sql <<SQL
select concat_ws(' ', pg_is_in_recovery(), pg_last_wal_replay_lsn(), (select greatest($own_tli, max(('x' || left(name, 8))::bit(32)::int)) from pg_ls_waldir() where name like '%.history'));
SQL
  ) || no_answer
  read -r recovering position tli <<ANSWER
$answer
ANSWER
  if [ "$recovering" != t ]; then refuse "this site is not in recovery" "run the update again"; fi
  loss=accepted
  fact replayed "$position"
  fact loss accepted
}

# The permit lives 120 s of this boot's own uptime, which no clock change moves.
give_permit() {
  read -r boot </proc/sys/kernel/random/boot_id
  now
  keep permit "v1,$epoch,$run,$boot,$((now / 100 + 120)),$tli,$loss"
  fact permit "$epoch,$run"
}
