#!/bin/sh
# fenced: this site is still fenced by this very run. Read-only; the first half of verify.
# value=lost: a site that could not be drained has no token; then only the signal and the silence are looked at.
# Danger: a token stays true after an undo, so its run and epoch are compared, not only its positions.

main() {
  read_input
  if postmaster; then refuse "PostgreSQL runs again (process $pid)" "run the update again, it fences anew"; fi
  if [ ! -e "$data/standby.signal" ]; then refuse "standby.signal is gone from $data: a start would accept writes" "run the update again, it fences anew"; fi
  if [ "$value" = lost ] && [ "${token:--}" = - ]; then
    fact fenced yes
    return 0
  fi
  if ! read_token "$token"; then refuse "no token: the fence could not prove where this site stopped" "run the update again"; fi
  recall token
  if [ "$recalled" != "$token" ]; then refuse "the token kept here is '${recalled:-none}', shown was '$token'" "run the update again, it fences anew"; fi
  recall run
  if [ "$token_epoch" != "$epoch" ] || [ "$token_run" != "$run" ] || [ "$recalled" != "$run" ]; then
    refuse "the token is of epoch $token_epoch and run $token_run, this is epoch $epoch and run $run (site obeys run $recalled)" "run the update again, it fences anew"
  fi
  fact fenced yes
}
