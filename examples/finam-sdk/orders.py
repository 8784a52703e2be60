"""Signs in, shows what the token may do, places an order, reads it back and cancels it.

By the official SDK, which calls by gRPC, renews the token by itself and retries what may be retried.

    PROPUSK_SECRET=... python orders.py
"""

import os
import sys
import uuid
from datetime import datetime, timezone
from urllib.parse import urlsplit

import grpc
from finam_trade_api import FinamClient, FinamError
from finam_trade_api.auth_messages import TokenDetailsRequest
from finam_trade_api.orders import (
    CancelOrderRequest,
    GetOrderRequest,
    Order,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from google.rpc.error_details_pb2 import ErrorInfo
from google.type.decimal_pb2 import Decimal
from grpc_status import rpc_status

TIMEOUT_SECONDS = 10


def connect(url, secret):
    """A client that has signed in. Plaintext is what the SDK calls testing."""
    scheme, endpoint = urlsplit(url)[:2]
    if scheme == "https":
        return FinamClient(secret, endpoint=endpoint)
    return FinamClient.for_testing(secret, endpoint=endpoint)


def reason_of(error):
    """Why the service said no: stable, where the message is for people."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return error.code().name


def show_details(details):
    expires_at = details.expires_at.ToDatetime(timezone.utc)
    minutes = int((expires_at - datetime.now(timezone.utc)).total_seconds() // 60)
    print(f"Token: {minutes} minutes left, until {details.expires_at.ToJsonString()}")
    rights = "read only" if details.readonly else "may trade"
    print(f"Accounts: {', '.join(details.account_ids)} ({rights})")
    print(f"Market data: {len(details.md_permissions)} permissions")


def trade(orders, account):
    """Places an order, reads it back and cancels it."""
    placed = orders.PlaceOrder(
        Order(
            account_id=account,
            symbol="SBER@MISX",
            # Decimals are text, so that nothing is lost in a float.
            quantity=Decimal(value="10"),
            side=Side.SIDE_BUY,
            type=OrderType.ORDER_TYPE_LIMIT,
            time_in_force=TimeInForce.TIME_IN_FORCE_DAY,
            limit_price=Decimal(value="150.5"),
            # At most 20 characters. Sent again with the same id, the order is not placed twice.
            client_order_id=uuid.uuid4().hex[:20],
        ),
        timeout=TIMEOUT_SECONDS,
    )
    order_id = placed.order_id
    print(f"Order {order_id}: placed, {OrderStatus.Name(placed.status)}")

    read = orders.GetOrder(
        GetOrderRequest(account_id=account, order_id=order_id), timeout=TIMEOUT_SECONDS
    )
    order = read.order
    print(
        f"Order {order_id}: read, {Side.Name(order.side)} {order.quantity.value} {order.symbol}"
        f" at {order.limit_price.value}, {read.remaining_quantity.value} left"
    )

    cancelled = orders.CancelOrder(
        CancelOrderRequest(account_id=account, order_id=order_id), timeout=TIMEOUT_SECONDS
    )
    print(f"Order {order_id}: cancelled, {OrderStatus.Name(cancelled.status)}")


def main():
    secret = os.environ.get("PROPUSK_SECRET")
    if not secret:
        sys.exit("PROPUSK_SECRET is not set")
    url = os.environ.get("PROPUSK_URL", "http://127.0.0.1:8080")
    with connect(url, secret) as client:
        details = client.auth.TokenDetails(
            TokenDetailsRequest(token=client.get_token()), timeout=TIMEOUT_SECONDS
        )
        show_details(details)
        trade(client.orders, os.environ.get("PROPUSK_ACCOUNT", details.account_ids[0]))


if __name__ == "__main__":
    try:
        main()
    except grpc.RpcError as error:
        sys.exit(f"{reason_of(error)}: {error.details()}")
    except FinamError as error:
        # Signing in fails with the SDK's own error, and the one of gRPC behind it.
        sys.exit(f"{reason_of(error.__cause__)}: {error}")
