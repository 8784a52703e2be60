"""Signs in, shows what the token may do, places an order, reads it back and cancels it.

    PROPUSK_SECRET=... python orders.py
"""

import os
import sys
import uuid
from datetime import datetime, timezone
from urllib.parse import quote

import requests

URL = os.environ.get("PROPUSK_URL", "http://127.0.0.1:8080")
TIMEOUT_SECONDS = 10


class ApiError(Exception):
    """The service said no. Decide by the reason: it is stable, the message is for people."""

    def __init__(self, response):
        try:
            status = response.json()
        except requests.JSONDecodeError:
            # Whatever stands in between, such as a proxy, may answer with something else.
            status = {}
        reasons = [
            detail["reason"]
            for detail in status.get("details", [])
            if detail.get("@type", "").endswith("/google.rpc.ErrorInfo")
        ]
        self.http_status = response.status_code
        self.reason = reasons[0] if reasons else f"HTTP_{response.status_code}"
        super().__init__(f"{self.reason}: {status.get('message', response.reason)}")


def call(session, method, path, body=None):
    """Sends a request and returns the JSON of its answer."""
    response = session.request(method, URL + path, json=body, timeout=TIMEOUT_SECONDS)
    if not response.ok:
        raise ApiError(response)
    return response.json()


def show_details(details):
    expires_at = datetime.strptime(details["expires_at"], "%Y-%m-%dT%H:%M:%S%z")
    minutes = int((expires_at - datetime.now(timezone.utc)).total_seconds() // 60)
    print(f"Token: {minutes} minutes left, until {details['expires_at']}")
    rights = "read only" if details["readonly"] else "may trade"
    print(f"Accounts: {', '.join(details['account_ids'])} ({rights})")
    print(f"Market data: {len(details['md_permissions'])} permissions")


def main():
    secret = os.environ.get("PROPUSK_SECRET")
    if not secret:
        sys.exit("PROPUSK_SECRET is not set")
    with requests.Session() as session:
        token = call(session, "POST", "/v1/sessions", {"secret": secret})["token"]
        session.headers["Authorization"] = f"Bearer {token}"

        details = call(session, "POST", "/v1/sessions/details", {"token": token})
        show_details(details)

        account = os.environ.get("PROPUSK_ACCOUNT", details["account_ids"][0])
        orders = f"/v1/accounts/{quote(account, safe='')}/orders"
        placed = call(
            session,
            "POST",
            orders,
            {
                "symbol": "SBER@MISX",
                # Decimals are text, so that nothing is lost in a float.
                "quantity": {"value": "10"},
                "side": "SIDE_BUY",
                "type": "ORDER_TYPE_LIMIT",
                "time_in_force": "TIME_IN_FORCE_DAY",
                "limit_price": {"value": "150.5"},
                # At most 20 characters. Sent again with the same id, the order is not placed twice.
                "client_order_id": uuid.uuid4().hex[:20],
            },
        )
        order_id = placed["order_id"]
        print(f"Order {order_id}: placed, {placed['status']}")

        order_path = f"{orders}/{quote(order_id, safe='')}"
        read = call(session, "GET", order_path)
        order = read["order"]
        print(
            f"Order {order_id}: read, {order['side']} {order['quantity']['value']} {order['symbol']}"
            f" at {order['limit_price']['value']}, {read['remaining_quantity']['value']} left"
        )

        cancelled = call(session, "DELETE", order_path)
        print(f"Order {order_id}: cancelled, {cancelled['status']}")


if __name__ == "__main__":
    try:
        main()
    except (ApiError, requests.RequestException) as error:
        sys.exit(str(error))
