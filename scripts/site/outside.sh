#!/bin/sh
# outside: asks the authoritative servers, as a client of this site would, where the public names lead. Reads only.
# Input: servers, hostnames (space separated), address (where they must lead), value=yes (must hold) | pending (report only).
# Facts: names_SITE (names that lead there at every server), of_SITE (names asked for).
# shellcheck disable=SC2154 # lib.sh sets them

main() {
  # hostnames and address belong to this verb alone, so lib.sh does not know them.
  lines=$(cat)
  hostnames='' address=''
  while IFS= read -r line; do
    case $line in
    hostnames=*) hostnames=${line#*=} ;;
    address=*) address=${line#*=} ;;
    *) ;;
    esac
  done <<LINES
$lines
LINES
  read_input <<LINES
$lines
LINES
  deadline_in "$((step_bound / 2))"
  until all_lead_there; do
    if [ "$value" = pending ] || ! in_time; then break; fi
    sleep 0.2
  done
  fact "names_$site" "$names"
  fact "of_$site" "$of"
  if [ "$names" -lt "$of" ] && [ "$value" != pending ]; then
    later "$names of $of names lead to $address at every server; not yet:$wrong" "run pulumi up again; DNS may need a moment more"
  fi
}

all_lead_there() {
  names=0 of=0 wrong=''
  for hostname in $hostnames; do
    of=$((of + 1))
    if leads_there "$hostname"; then names=$((names + 1)); else wrong="$wrong $hostname"; fi
  done
  [ "$names" -eq "$of" ]
}

leads_there() {
  for server in $servers; do
    dns_port=53
    case $server in *'#'*) dns_port=${server##*#} ;; *) ;; esac
    timeout -k 1 2 dig +norecurse +tries=1 +time=1 +noall +answer "@${server%#*}" -p "$dns_port" "$1" A </dev/null 2>/dev/null |
      grep --quiet --extended-regexp "[[:space:]]IN[[:space:]]+A[[:space:]]+$(printf '%s' "$address" | sed 's/\./\\./g')\$" || return 1
  done
}
