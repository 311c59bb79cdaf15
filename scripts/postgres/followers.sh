#!/bin/sh
# followers: what replicates from this site besides the pair's standby, as the program declares it: pg_receivewal, Barman, a
# read replica, a logical consumer. Functions only; stands in front of preflight, fence, settle and repoint.
# Input lines, in order, for each: follower=NAME KIND, follower_app=APPLICATION_NAME or follower_user=USER, follower_slot=SLOT,
# follower_repoint=COMMAND, the last two where they are given. KIND is physical, archive or logical.
# shellcheck disable=SC2154 # lib.sh sets them

# Sets `declared`: the rows (name, kind, app, usr, slot) as SQL. The first is nobody, so that there is always one.
declare_followers() {
  declared="values ('', '', null::text, null::text, null::text)"
  name_of='' app_of=null user_of=null slot_of=null
  while IFS= read -r line; do
    text=${line#*=}
    case $line in
    follower=*)
      end_declaration
      name_of=${text%% *} kind_of=${text#* } app_of=null user_of=null slot_of=null
      ;;
    follower_app=*) quote_text && app_of=$quoted ;;
    follower_user=*) quote_text && user_of=$quoted ;;
    follower_slot=*) quote_text && slot_of=$quoted ;;
    *) ;;
    esac
  done <<FOLLOWERS
$services
FOLLOWERS
  end_declaration
}
end_declaration() { if [ -n "$name_of" ]; then declared="$declared, ('$name_of', '$kind_of', $app_of, $user_of, $slot_of)"; fi; }
quote_text() {
  quoted=$(
    sed "s/'/''/g; s/.*/'&'/" <<TEXT
$text
TEXT
  )
}

# The connections of declared followers: (pid, name, kind, slot, slot type).
connected_sql() {
  cat <<SQL
(select s.pid, d.name, d.kind, coalesce(r.slot_name, d.slot) as slot, coalesce(r.slot_type, case d.kind when 'logical' then 'logical' else 'physical' end) as type
  from pg_stat_replication s join ($declared) as d(name, kind, app, usr, slot) on d.app = s.application_name or d.usr = s.usename
  left join pg_replication_slots r on r.active_pid = s.pid where s.application_name is distinct from 'standby_$peer') as connected
SQL
}

# NAME:SLOT:TYPE,... as a fact carries it; what another site says is looked at before it is used.
each_slot() { # LIST FUNCTION
  left=$1
  while [ -n "$left" ]; do
    entry=${left%%,*}
    left=${left#"$entry"}
    left=${left#,}
    IFS=: read -r follower slot type <<ENTRY
$entry
ENTRY
    case $slot in '' | - | *[!a-z0-9_]*) continue ;; *) ;; esac
    case $type in physical | logical) "$2" ;; *) ;; esac
  done
}
