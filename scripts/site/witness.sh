#!/bin/sh
# witness: waits until every pinned server answers the record of this transition. Reads only.
# sites/scripts puts query.sh in front of it.
# Facts: seen (servers that answer it), of (servers), obeyed (epoch this site's guard has acted on, or unknown).
# shellcheck disable=SC2154 # lib.sh and query.sh set them
main() {
  read_input
  if [ -z "$servers" ]; then refuse "no name server is given" "set dns.servers, or make the zone's own servers resolvable"; fi
  deadline_in "${witness_bound:-10}"
  until all_see; do
    in_time || break
    sleep 0.2
  done
  fact seen "$seen"
  fact of "$look_of"
  hear_guard
  if [ "$seen" -lt "$look_of" ]; then
    later "$seen of $look_of name servers answer the witness of epoch $epoch" "run pulumi up again; if it stays so, look at the zone: dig +norecurse TXT $witness_name"
  fi
}

# One round. A newer record, or another of the same epoch, is somebody else's transition.
all_see() {
  witness_look 1
  seen=0
  case $look_state in
  none) return 1 ;;
  doubt) refuse "the name servers answer two witness records of epoch $look_epoch" "look at the zone: dig +norecurse TXT $witness_name" ;;
  *) ;;
  esac
  if [ "$look_epoch" -gt "$epoch" ]; then refuse "the witness is at epoch $look_epoch, this update at $epoch" "another update went ahead; run pulumi up again, it will look anew"; fi
  if [ "$look_epoch" -lt "$epoch" ]; then return 1; fi
  if [ "$look_from $look_to $look_kind" != "$from $to $kind" ]; then
    refuse "the witness of epoch $epoch says from=$look_from to=$look_to kind=$look_kind, this update from=$from to=$to kind=$kind" "run pulumi up again, it will look anew"
  fi
  seen=$look_answers
  [ "$seen" -eq "$look_of" ]
}

# The guard's own report, where one runs: it is rung for, and given the time one poll may take.
hear_guard() {
  look_at_guard
  recall obeyed
  while [ "$guard_running" = yes ] && [ "${recalled:-0}" -lt "$epoch" ] && in_time; do
    printf '.' 1<>"$state/guard.bell" || :
    sleep 0.1
    recall obeyed
  done
  fact obeyed "${recalled:-unknown}"
}
