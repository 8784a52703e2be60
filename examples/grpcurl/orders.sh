#!/usr/bin/env bash
# Signs in, shows what the token may do, places an order, reads it back and cancels it. No proto file
# is needed: grpcurl asks the server what its messages are.
#
#     PROPUSK_SECRET=... bash orders.sh
set -euo pipefail

: "${PROPUSK_SECRET:?is not set}"
url=${PROPUSK_URL:-http://127.0.0.1:8080}
export TOKEN=

# http://HOST:PORT or https://HOST:PORT, in grpcurl's terms
flags=(-max-time 10 -emit-defaults -format-error -expand-headers)
case $url in http://*) flags+=(-plaintext) ;; esac
authority=${url#*://}

# call METHOD: sends standard input, prints the JSON of the answer. When the service says no, it tells
# the reason, which is stable, and the message, which is for people.
# Secret and token stay out of all arguments: every user of the machine can see those. grpcurl puts in
# the value of ${TOKEN} itself.
call() {
  local answer
  # shellcheck disable=SC2016
  if answer=$(grpcurl "${flags[@]}" -H 'authorization: ${TOKEN}' -d @ \
    "$authority" "grpc.tradeapi.v1.$1" 2>&1); then
    printf '%s\n' "$answer"
    return
  fi
  # An error of the network is no JSON.
  jq -r '"\(.details[] | select(."@type" | endswith("/google.rpc.ErrorInfo")).reason): \(.message)"' \
    <<<"$answer" >&2 2>/dev/null || printf '%s\n' "$answer" >&2
  return 1
}

TOKEN=$(jq -n '{secret: env.PROPUSK_SECRET}' | call auth.AuthService/Auth | jq -r .token)

details=$(jq -n '{token: env.TOKEN}' | call auth.AuthService/TokenDetails)
jq -r '
  "Token: \((.expiresAt | fromdate) - now | . / 60 | floor) minutes left, until \(.expiresAt)",
  "Accounts: \(.accountIds | join(", ")) (\(if .readonly then "read only" else "may trade" end))",
  "Market data: \(.mdPermissions | length) permissions"' <<<"$details"

account=${PROPUSK_ACCOUNT:-$(jq -r '.accountIds[0]' <<<"$details")}

# Decimals are text, so that nothing is lost in a float. The client order id has at most 20
# characters; sent again with the same id, the order is not placed twice.
placed=$(jq -n --arg account "$account" --arg id "$(date +%s)-$$" '{
  account_id: $account,
  symbol: "SBER@MISX",
  quantity: {value: "10"},
  side: "SIDE_BUY",
  type: "ORDER_TYPE_LIMIT",
  time_in_force: "TIME_IN_FORCE_DAY",
  limit_price: {value: "150.5"},
  client_order_id: $id
}' | call orders.OrdersService/PlaceOrder)
jq -r '"Order \(.orderId): placed, \(.status)"' <<<"$placed"

order=$(jq '{account_id: .order.accountId, order_id: .orderId}' <<<"$placed")
read=$(call orders.OrdersService/GetOrder <<<"$order")
jq -r '"Order \(.orderId): read, \(.order | "\(.side) \(.quantity.value) \(.symbol) at \(
  .limitPrice.value)"), \(.remainingQuantity.value) left"' <<<"$read"

cancelled=$(call orders.OrdersService/CancelOrder <<<"$order")
jq -r '"Order \(.orderId): cancelled, \(.status)"' <<<"$cancelled"
