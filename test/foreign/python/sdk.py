"""What the official Python SDK sees; finam-sdk.test.ts runs it and reads its lines of JSON.

    sdk.py details sync|async ENDPOINT SECRET [tls]
    sdk.py renewal sync|async ENDPOINT SECRET     until its standard input ends
    sdk.py error sync|async ENDPOINT SECRET       the error of signing in, or of TokenDetails
    sdk.py limit sync|async ENDPOINT SECRET       TokenDetails once more than the limit of 2 allows
"""

import asyncio
import base64
import json
import select
import sys
import time

import grpc
from finam_trade_api import AsyncFinamClient, FinamClient, FinamError, from_rpc_error
from finam_trade_api.auth_messages import TokenDetailsRequest
from google.protobuf.json_format import MessageToDict

LOOK_SECONDS = 0.05


def say(**line):
    print(json.dumps(line), flush=True)


def seconds_left(token):
    """How long a token still lives, by what it says itself."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims["exp"] - time.time()


def is_over():
    """True once whoever runs this has closed its standard input."""
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready) and sys.stdin.read(1) == ""


class Watch:
    """Says each new token once, and how little was left of any that was current."""

    def __init__(self):
        self.token = None
        self.least_seconds_left = float("inf")

    def look(self, token):
        """True for a token that is new."""
        self.least_seconds_left = min(self.least_seconds_left, seconds_left(token))
        is_new = token != self.token
        self.token = token
        return is_new


def details_of(answer):
    return MessageToDict(answer, preserving_proto_field_name=True)


def details(client_of):
    with client_of() as client:
        answer = client.auth.TokenDetails(TokenDetailsRequest(token=client.get_token()))
        say(details=details_of(answer))


async def details_async(client_of):
    async with client_of() as client:
        answer = await client.auth.TokenDetails(TokenDetailsRequest(token=client.get_token()))
        say(details=details_of(answer))


def renewal(client_of):
    watch = Watch()
    with client_of() as client:
        while not is_over():
            if watch.look(client.get_token()):
                answer = client.auth.TokenDetails(TokenDetailsRequest(token=watch.token))
                say(token=watch.token, details=details_of(answer))
            time.sleep(LOOK_SECONDS)
    say(least_seconds_left=watch.least_seconds_left)


async def renewal_async(client_of):
    watch = Watch()
    async with client_of() as client:
        while not is_over():
            if watch.look(client.get_token()):
                answer = await client.auth.TokenDetails(TokenDetailsRequest(token=watch.token))
                say(token=watch.token, details=details_of(answer))
            await asyncio.sleep(LOOK_SECONDS)
    say(least_seconds_left=watch.least_seconds_left)


def limit(client_of):
    with client_of() as client:
        for _ in range(3):
            begun = time.monotonic()
            client.auth.TokenDetails(TokenDetailsRequest(token=client.get_token()))
            say(seconds=time.monotonic() - begun)


async def limit_async(client_of):
    async with client_of() as client:
        for _ in range(3):
            begun = time.monotonic()
            await client.auth.TokenDetails(TokenDetailsRequest(token=client.get_token()))
            say(seconds=time.monotonic() - begun)


def say_error(at, error):
    say(error=type(error).__name__, code=error.code.name, details=error.details, at=at)


def error(client_of):
    try:
        client = client_of()
    except FinamError as caught:
        say_error("construction", caught)
        return
    with client:
        try:
            client.auth.TokenDetails(TokenDetailsRequest(token=client.get_token()))
        except grpc.RpcError as caught:
            say_error("TokenDetails", from_rpc_error(caught))


async def error_async(client_of):
    client = client_of()
    try:
        await client.start()
    except FinamError as caught:
        say_error("construction", caught)
        return
    try:
        await client.auth.TokenDetails(TokenDetailsRequest(token=client.get_token()))
    except grpc.RpcError as caught:
        say_error("TokenDetails", from_rpc_error(caught))
    finally:
        await client.close()


def main(task, kind, endpoint, secret, *flags):
    client = {"sync": FinamClient, "async": AsyncFinamClient}[kind]

    def client_of():
        if "tls" in flags:
            return client(secret, endpoint=endpoint)
        return client.for_testing(secret, endpoint=endpoint)

    if kind == "sync":
        {"details": details, "renewal": renewal, "error": error, "limit": limit}[task](client_of)
    else:
        tasks = {
            "details": details_async,
            "renewal": renewal_async,
            "error": error_async,
            "limit": limit_async,
        }
        asyncio.run(tasks[task](client_of))


if __name__ == "__main__":
    main(*sys.argv[1:])
