#!/usr/bin/env bash
# Signs in, shows what the token may do, places an order, reads it back and cancels it.
#
#     PROPUSK_SECRET=... bash orders.sh
set -euo pipefail

: "${PROPUSK_SECRET:?is not set}"
url=${PROPUSK_URL:-http://127.0.0.1:8080}
token=

# call VERB PATH [CURL ARGUMENT...]: prints the JSON of the answer. When the service says no, it tells
# the reason, which is stable, and the message, which is for people.
# Secret and token stay out of all arguments: every user of the machine can see those.
call() {
  local verb=$1 path=$2 answer code=0
  shift 2
  answer=$(curl --silent --show-error --fail-with-body --max-time 10 --request "$verb" \
    --header 'Content-Type: application/json' \
    --config <([ -z "$token" ] || printf 'header = "Authorization: Bearer %s"\n' "$token") \
    "$@" "$url$path") || code=$?
  if [ "$code" = 0 ]; then
    printf '%s\n' "$answer"
    return
  fi
  # 22: an HTTP status of 400 or more. Whatever stands in between may have sent no JSON with it.
  if [ "$code" = 22 ]; then
    jq -r '"\(.details[] | select(."@type" | endswith("/google.rpc.ErrorInfo")).reason): \(.message)"' \
      <<<"$answer" >&2 || printf '%s\n' "$answer" >&2
  fi
  return 1
}

token=$(jq -n '{secret: env.PROPUSK_SECRET}' | call POST /v1/sessions --data @- | jq -r .token)

details=$(printf '{"token": "%s"}' "$token" | call POST /v1/sessions/details --data @-)
jq -r '
  "Token: \((.expires_at | fromdate) - now | . / 60 | floor) minutes left, until \(.expires_at)",
  "Accounts: \(.account_ids | join(", ")) (\(if .readonly then "read only" else "may trade" end))",
  "Market data: \(.md_permissions | length) permissions"' <<<"$details"

account=${PROPUSK_ACCOUNT:-$(jq -r '.account_ids[0]' <<<"$details")}
orders=/v1/accounts/$(jq -nr --arg account "$account" '$account | @uri')/orders

# Decimals are text, so that nothing is lost in a float. The client order id has at most 20
# characters; sent again with the same id, the order is not placed twice.
placed=$(jq -n --arg id "$(date +%s)-$$" '{
  symbol: "SBER@MISX",
  quantity: {value: "10"},
  side: "SIDE_BUY",
  type: "ORDER_TYPE_LIMIT",
  time_in_force: "TIME_IN_FORCE_DAY",
  limit_price: {value: "150.5"},
  client_order_id: $id
}' | call POST "$orders" --data @-)
jq -r '"Order \(.order_id): placed, \(.status)"' <<<"$placed"

order=$orders/$(jq -r '.order_id | @uri' <<<"$placed")
read=$(call GET "$order")
jq -r '"Order \(.order_id): read, \(.order | "\(.side) \(.quantity.value) \(.symbol) at \(
  .limit_price.value)"), \(.remaining_quantity.value) left"' <<<"$read"

cancelled=$(call DELETE "$order")
jq -r '"Order \(.order_id): cancelled, \(.status)"' <<<"$cancelled"
