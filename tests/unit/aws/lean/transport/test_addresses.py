"""Which address is tried when: S3 names eight at a time, and wants them all used."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable

import pytest

from backfill.aws.lean.addresses import AVOIDED_MAX, AVOIDED_S, HELD_S, Addresses
from backfill.aws.lean.dialing import ATTEMPTS_MAX, Dialer
from backfill.aws.lean.failures import ConnectFailedError
from backfill.aws.lean.transport import Transport
from backfill.aws.lean.wire import Origin
from tests.doubles.scripted_server import GET, Caller, ScriptedServer, answer

Resolver = Callable[..., object]


class Names:
    """A resolver that says what the test wants, and keeps count."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def getaddrinfo(self, host: str, port: int, **_: object) -> list[object]:
        self.asked.append(host)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, 1, 6, "", (address, port))
            for address in self.addresses
        ]


async def looked_up(names: Names, addresses: Addresses, now: float) -> tuple[str, ...]:
    """Ask with these names for the resolver's; the loop of uvloop takes no patch."""

    class Loop:
        getaddrinfo = names.getaddrinfo

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backfill.aws.lean.addresses.asyncio.get_running_loop", Loop)
        return await addresses.next_addresses(now)


EIGHT = (*(f"10.0.0.{number}" for number in range(7)), "2001:db8::1")


async def test_every_address_gets_its_turn() -> None:
    """All connections to one of eight front ends is an eighth of what S3 offers."""
    names, addresses = Names(*EIGHT), Addresses("s3.example", 443)
    first = Counter([(await looked_up(names, addresses, 0.0))[0] for _ in range(80)])
    assert first == dict.fromkeys(EIGHT, 10)
    assert set(await looked_up(names, addresses, 0.0)) == set(EIGHT)


async def test_the_resolver_is_asked_again_when_its_answer_has_aged() -> None:
    """S3 takes front ends out of service by its names; asking each time would cost a thread."""
    names, addresses = Names("10.0.0.1"), Addresses("s3.example", 443)
    await looked_up(names, addresses, 0.0)
    await looked_up(names, addresses, HELD_S - 0.1)
    assert names.asked == ["s3.example"]
    names.addresses = ("10.0.0.2",)
    assert await looked_up(names, addresses, HELD_S) == ("10.0.0.2",)


async def test_an_address_that_failed_is_tried_last_for_a_while() -> None:
    """A machine without a route to IPv6 must not lose every other connection to it."""
    names, addresses = Names("10.0.0.1", "::2"), Addresses("s3.example", 443)
    addresses.avoid("::2", 0.0)
    seen = {await looked_up(names, addresses, 1.0) for _ in range(4)}
    assert seen == {("10.0.0.1", "::2")}
    seen = {await looked_up(names, addresses, AVOIDED_S) for _ in range(4)}
    assert seen == {("10.0.0.1", "::2"), ("::2", "10.0.0.1")}


async def test_only_so_many_failures_are_remembered() -> None:
    """A run of a month meets thousands of front ends."""
    addresses = Addresses("s3.example", 443)
    for number in range(AVOIDED_MAX + 10):
        addresses.avoid(f"10.0.1.{number}", 0.0)
    assert len(addresses._avoided) == AVOIDED_MAX


@pytest.mark.parametrize("host", ["s3.LocalHost", "bucket.s3.localhost", "localhost.", "localhost"])
async def test_names_below_localhost_are_this_machine(host: str) -> None:
    """RFC 6761: the C library knows it on some machines only."""
    names, addresses = Names("127.0.0.1"), Addresses(host, 1)
    assert await looked_up(names, addresses, 0.0) == ("127.0.0.1",)
    assert names.asked == ["localhost"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "2001:db8::5"])
async def test_a_numeric_host_is_not_looked_up(host: str) -> None:
    """There is nothing to ask."""
    names, addresses = Names(), Addresses(host, 1)
    assert await looked_up(names, addresses, 1e9) == (host,)
    assert names.asked == []


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example"])
async def test_a_name_that_does_not_resolve_is_a_failed_connection(host: str) -> None:
    """Nothing was sent, and the message names the host."""
    transport = Transport(Origin("http", host, 80), connections_max=1)
    with pytest.raises(ConnectFailedError, match=host):
        await transport.exchange(GET)
    await transport.close()


async def test_many_who_connect_at_once_ask_the_resolver_once() -> None:
    """A hundred copies begin at the same moment."""
    names, addresses = Names("10.0.0.1"), Addresses("s3.example", 443)
    await asyncio.gather(*(looked_up(names, addresses, 0.0) for _ in range(20)))
    assert len(names.asked) == 1


async def test_the_next_address_is_tried_when_one_refuses(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One front end that is down is no reason to fail."""

    async def both(self: Addresses, now: float) -> tuple[str, ...]:
        del self, now
        return ("127.1.2.3", "127.0.0.1")

    monkeypatch.setattr(Addresses, "next_addresses", both)
    server.answers(answer(b"here"))
    transport = Transport(Origin("http", "s3.example", server.port), connections_max=1)
    assert (await transport.exchange(GET)).body == b"here"
    assert list(transport._dialer._addresses._avoided) == ["127.1.2.3"]
    await transport.close()


async def test_only_so_many_addresses_are_tried_and_each_has_its_share_of_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An address that swallows packets must leave time for the next one, within the limit."""
    tried: list[tuple[str, float]] = []

    async def all_of_them(self: Addresses, now: float) -> tuple[str, ...]:
        del self, now
        return EIGHT

    async def swallow(self: Dialer, address: str, new: object, limit_s: float) -> None:
        del self, new
        tried.append((address, limit_s))
        raise TimeoutError

    monkeypatch.setattr(Addresses, "next_addresses", all_of_them)
    monkeypatch.setattr(Dialer, "_attempt", swallow)
    transport = Transport(Origin("http", "s3.example", 80), connections_max=1, connect_limit_s=9.0)
    with pytest.raises(ConnectFailedError, match=r"10\.0\.0\.2: TimeoutError"):
        await transport.exchange(GET)
    await transport.close()
    assert tried == [(address, 9.0 / ATTEMPTS_MAX) for address in EIGHT[:ATTEMPTS_MAX]]


async def test_a_host_that_accepts_nothing_is_given_up_within_the_limit() -> None:
    """A full backlog swallows packets as a broken route does."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            transport = Transport(
                Origin("http", "127.0.0.1", port), connections_max=3, connect_limit_s=0.05
            )
            errors = await asyncio.gather(
                *(transport.exchange(GET, limit_s=0.5) for _ in range(3)), return_exceptions=True
            )
            await transport.close()
    assert any(isinstance(error, ConnectFailedError) for error in errors)


async def test_connections_are_probed_and_send_small_writes_at_once(
    server: ScriptedServer,
) -> None:
    """A CopyObject may be silent for minutes: without probes a NAT gateway forgets it."""

    async def serve(caller: Caller) -> None:
        await caller.serve(answer())
        await caller.gone()

    server.script(serve)
    transport = Transport(Origin("http", "127.0.0.1", server.port), connections_max=1)
    await transport.exchange(GET)
    (connection,) = transport._open
    sock = connection._transport.get_extra_info("socket")
    options = [
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    ]
    await transport.close()
    assert options == [1, 1, 30]
