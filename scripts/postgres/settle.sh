#!/bin/sh
# settle: drop what is left over at this site and record the epoch as settled. A forgotten slot keeps WAL until the disk
# is full, so the pair's own are dropped and foreign ones are named. value=yes: DNS is pending, nothing is recorded.

main() {
  read_input
  take_lock
  adopt
  if ! postmaster; then later "PostgreSQL is not running here" "run the update again once it does"; fi
  declare_followers
  recall followers
  named="''"
  each_slot "$recalled" name_slot
  answer=$(
    sql <<SQL
select case when pg_is_in_recovery() then 'standby' else 'primary' end as role \gset
\echo :role
checkpoint;
select 'dropped', slot_name, pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_type = 'physical' and not active
  and slot_name in ('standby_$site', case when :'role' = 'standby' then 'standby_$peer' end);
-- A follower's slot serves at the primary; here nobody reads it any more. One that is kept in step (17) stays.
select 'dropped', slot_name, pg_drop_replication_slot(slot_name) from pg_replication_slots as slot where :'role' = 'standby' and not active
  and (to_jsonb(slot)->>'synced') is distinct from 'true'
  and (slot_name in ($named) or slot_name in (select slot from ($declared) as declared(name, kind, app, usr, slot)));
select 'foreign', slot_name from pg_replication_slots where slot_name not in ('standby_$site', 'standby_$peer', '$delta_slot', $named)
  and slot_name not in (select coalesce(slot, '') from ($declared) as declared(name, kind, app, usr, slot));
SQL
  ) || no_answer
  if [ -n "$delta_slot" ]; then keep_delta_slot || say "slot $delta_slot could not be kept: a delta would be read from the heap alone"; fi
  dropped='' leftover=''
  for line in $answer; do
    name_of=${line#*|}
    case $line in
    'dropped|'*) dropped="$dropped,${name_of%%|*}" ;;
    'foreign|'*) leftover="$leftover,$name_of" ;;
    *) ;;
    esac
  done
  dropped=${dropped#,} leftover=${leftover#,}
  fact dropped "${dropped:--}"
  fact leftover "${leftover:--}"
  bring_back_names
  if [ "$value" = yes ]; then later "DNS is pending, epoch $epoch stays open" "run the update again once DNS can be written"; fi
  # The proof has served; a token must not outlive its transition.
  rm -f "$state/token" "$state/permit"
  checkpoint before-settled
  store settled "$epoch"
  fact settled "$epoch"
}

name_slot() { named="$named, '$slot'"; }

# A logical slot serves at the primary only: what a standby replays takes away the catalog that the slot decodes by. Making
# one waits for every transaction that runs.
keep_delta_slot() {
  sql <<SQL >/dev/null
set statement_timeout = '20s';
select pg_drop_replication_slot(slot_name) from pg_replication_slots
  where slot_name = '$delta_slot' and not active and (pg_is_in_recovery() or wal_status = 'lost');
select pg_create_logical_replication_slot('$delta_slot', 'test_decoding')
  where not pg_is_in_recovery() and not exists (select from pg_replication_slots where slot_name = '$delta_slot');
SQL
}
