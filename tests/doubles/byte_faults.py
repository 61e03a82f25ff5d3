"""What may go wrong between a client and S3, one coroutine a fault, for `fault_proxy`.

Names say what the server did (`before`: it never saw the request; `after`: it carried it out) and
what the client got. Never judges: what each must end in is written beside the tests.
Law: each is the whole of its fault; it needs no state from one exchange to the next.
"""

import asyncio
from typing import Final

from tests.doubles.fault_proxy import Exchange, Fault

_HEAD_END: Final = b"\r\n\r\n"
_FLOOD_LINES: Final = 20_000
"""With 64 bytes each more than a megabyte: no store of ours sends a hundredth of it."""


def plain_answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Return an answer of somebody on the way."""
    lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def error_document(code: str) -> bytes:
    """Return an error as S3 words it."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        "<Message>said so</Message><RequestId>R1</RequestId></Error>"
    ).encode()


HTML: Final = b"<html><head><title>502</title></head><body><hr>nginx</body></html>"
GARBAGE: Final = b"\x16\x03\x01\x02\x00 no http at all\r\n\r\n\x00\xff"


def parted(answer: bytes) -> tuple[bytes, bytes]:
    """Return head, with its empty line, and body."""
    head, end, body = answer.partition(_HEAD_END)
    return head + end, body


def with_headers(answer: bytes, *lines: bytes, drops: bytes = b"\x00") -> bytes:
    """Return the answer with more header lines, and without those that begin with `drops`."""
    head, body = parted(answer)
    kept = [line for line in head.split(b"\r\n")[:-2] if not line.lower().startswith(drops)]
    return b"\r\n".join([*kept, *lines]) + _HEAD_END + body


# --- the answer is whole: a client must take it as if nothing had happened ---


async def byte_by_byte(exchange: Exchange) -> None:
    """A slow answer."""
    for byte in await exchange.applied():
        await exchange.send(bytes([byte]))


async def continue_first(exchange: Exchange) -> None:
    """An interim answer that nobody asked for (RFC 9110 §15.2)."""
    await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" + await exchange.applied())


async def chunked(exchange: Exchange) -> None:
    """The body framed anew by somebody on the way."""
    head, body = parted(await exchange.applied())
    if exchange.asked.method == "HEAD" or b"\r\ncontent-length:" not in head.lower():
        await exchange.send(head)
        return
    framed = with_headers(head, b"Transfer-Encoding: chunked", drops=b"content-length:")
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
    await exchange.send(framed)
    for piece in pieces:
        await exchange.send(b"%x;note=1\r\n%b\r\n" % (len(piece), piece))
    await exchange.send(b"0\r\nX-Trailer: 1\r\n\r\n")


async def connection_close(exchange: Exchange) -> None:
    """The server's last answer on this connection, and says so."""
    await exchange.send(with_headers(await exchange.applied(), b"Connection: close"))
    exchange.close()


async def unannounced_close(exchange: Exchange) -> None:
    """The server's last answer on this connection, and does not say so."""
    await exchange.send(await exchange.applied())
    exchange.close()


async def half_close_after(exchange: Exchange) -> None:
    """A whole answer and FIN, while the server still reads."""
    await exchange.send(await exchange.applied())
    exchange.half_close()


async def garbage_behind(exchange: Exchange) -> None:
    """A whole answer, and bytes behind it that belong to nothing."""
    await exchange.send(await exchange.applied() + GARBAGE)


async def two_answers(exchange: Exchange) -> None:
    """A second answer, with another object's ETag, to nobody's question."""
    await exchange.send(await exchange.applied() + STRAY)


async def delivered_twice_first_answer(exchange: Exchange) -> None:
    """The server got the request twice; its first answer came through."""
    first = await exchange.applied()
    await exchange.applied()
    await exchange.send(first)


STRAY: Final = plain_answer(
    200,
    b"<CopyObjectResult><ETag>&quot;00000000000000000000000000000000&quot;</ETag>"
    b"</CopyObjectResult>",
    "ETag: stray",
    "Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT",
    "x-amz-version-id: stray",
)


# --- nobody knows ---


async def reset_before(exchange: Exchange) -> None:
    """RST, and the server never saw the request."""
    exchange.reset()


async def reset_after(exchange: Exchange) -> None:
    """RST after the server carried the request out."""
    await exchange.applied()
    exchange.reset()


async def closed_before(exchange: Exchange) -> None:
    """FIN, and the server never saw the request."""
    exchange.close()


async def lost_answer(exchange: Exchange) -> None:
    """FIN instead of the answer."""
    await exchange.applied()
    exchange.close()


async def half_closed_without_answer(exchange: Exchange) -> None:
    """FIN instead of the answer, while the server still reads."""
    await exchange.applied()
    exchange.half_close()


async def cut_in_status(exchange: Exchange) -> None:
    """The answer ends inside its status line."""
    await exchange.send((await exchange.applied())[:11])
    exchange.close()


async def cut_in_headers(exchange: Exchange) -> None:
    """The answer ends inside its headers."""
    head, _ = parted(await exchange.applied())
    await exchange.send(head[: len(head) // 2])
    exchange.close()


async def cut_before_last_newline(exchange: Exchange) -> None:
    """The answer's headers lack the one byte that ends them."""
    head, _ = parted(await exchange.applied())
    await exchange.send(head[:-1])
    exchange.close()


async def cut_in_body(exchange: Exchange) -> None:
    """FIN before the body is whole."""
    await exchange.send((await exchange.applied())[:-1])
    exchange.close()


async def reset_in_body(exchange: Exchange) -> None:
    """RST before the body is whole."""
    await exchange.send((await exchange.applied())[:-1])
    # The bytes above must be read before the reset takes them back.
    await asyncio.sleep(0.01)
    exchange.reset()


async def cut_chunks(exchange: Exchange) -> None:
    """A chunked body without its last chunk."""
    head, body = parted(await exchange.applied())
    framed = with_headers(head, b"Transfer-Encoding: chunked", drops=b"content-length:")
    await exchange.send(framed + b"%x\r\n%b\r\n" % (len(body), body))
    exchange.close()


async def bad_chunks(exchange: Exchange) -> None:
    """A chunked body with a size that is no number."""
    head, body = parted(await exchange.applied())
    framed = with_headers(head, b"Transfer-Encoding: chunked", drops=b"content-length:")
    await exchange.send(framed + b"zz\r\n%b\r\n0\r\n\r\n" % body)
    exchange.close()


async def announced_too_long(exchange: Exchange) -> None:
    """Content-Length promises a byte that never comes."""
    head, body = parted(await exchange.applied())
    length = b"Content-Length: %d" % (len(body) + 1)
    await exchange.send(with_headers(head, length, drops=b"content-length:") + body)
    exchange.close()


async def announced_too_short(exchange: Exchange) -> None:
    """Content-Length promises less than comes: XML that is cut."""
    head, body = parted(await exchange.applied())
    length = b"Content-Length: %d" % (len(body) // 2)
    await exchange.send(with_headers(head, length, drops=b"content-length:") + body)


async def length_is_no_number(exchange: Exchange) -> None:
    """Content-Length is none."""
    answer = await exchange.applied()
    await exchange.send(with_headers(answer, b"Content-Length: -7", drops=b"content-length:"))
    exchange.close()


async def garbage_instead(exchange: Exchange) -> None:
    """Bytes that are no HTTP."""
    await exchange.applied()
    await exchange.send(GARBAGE)
    exchange.close()


async def header_flood(exchange: Exchange) -> None:
    """More headers than anybody should keep."""
    await exchange.applied()
    lines = [b"X-Flood-%05d: %b" % (number, b"f" * 50) for number in range(_FLOOD_LINES)]
    await exchange.send(b"HTTP/1.1 200 OK\r\n" + b"\r\n".join(lines))
    exchange.close()


async def empty_200(exchange: Exchange) -> None:
    """200 with nothing in it."""
    await exchange.applied()
    await exchange.send(plain_answer(200))


async def error_inside_200(exchange: Exchange) -> None:
    """200 whose body is an error, as CopyObject may answer (S3 API: CopyObject)."""
    await exchange.applied()
    await exchange.send(plain_answer(200, error_document("InternalError")))


async def internal_error(exchange: Exchange) -> None:
    """500 after the server carried the request out."""
    await exchange.applied()
    body = b"" if exchange.asked.method == "HEAD" else error_document("InternalError")
    await exchange.send(plain_answer(500, body))


async def bare_500(exchange: Exchange) -> None:
    """500 without a body."""
    await exchange.applied()
    await exchange.send(plain_answer(500))


async def bare_503(exchange: Exchange) -> None:
    """503 without a body: a load balancer's, so nobody knows what became of the request."""
    await exchange.applied()
    await exchange.send(plain_answer(503))


async def html_502(exchange: Exchange) -> None:
    """A middlebox's page for people."""
    await exchange.applied()
    body = b"" if exchange.asked.method == "HEAD" else HTML
    await exchange.send(plain_answer(502, body, "Content-Type: text/html"))


async def html_200(exchange: Exchange) -> None:
    """A captive portal's page for people, with the status of a success."""
    await exchange.applied()
    body = b"" if exchange.asked.method == "HEAD" else HTML
    await exchange.send(plain_answer(200, body, "Content-Type: text/html"))


# --- refused at the door ---


async def slow_down(exchange: Exchange) -> None:
    """S3 asks for fewer requests."""
    body = b"" if exchange.asked.method == "HEAD" else error_document("SlowDown")
    await exchange.send(plain_answer(503, body, "Retry-After: 3"))


async def slow_down_and_close(exchange: Exchange) -> None:
    """S3 asks for fewer requests, and for another connection."""
    body = b"" if exchange.asked.method == "HEAD" else error_document("SlowDown")
    await exchange.send(plain_answer(503, body, "Connection: close"))
    exchange.close()


async def refused_before_read(exchange: Exchange) -> None:
    """S3 refuses by the request's head alone, before the body was read."""
    await slow_down(exchange)
    await exchange.body_read()
    exchange.close()


# --- something else ---


async def delivered_twice_second_answer(exchange: Exchange) -> None:
    """The server got the request twice; its second answer came through."""
    await exchange.applied()
    await exchange.send(await exchange.applied())


async def silence_before(exchange: Exchange) -> None:
    """Nothing comes, and the server never saw the request."""
    await exchange.client_has_gone()


async def silence_after(exchange: Exchange) -> None:
    """Nothing comes, after the server carried the request out."""
    await exchange.applied()
    await exchange.client_has_gone()


async def silence_in_body(exchange: Exchange) -> None:
    """The answer stops before its last byte."""
    await exchange.send((await exchange.applied())[:-1])
    await exchange.client_has_gone()


async def endless_drip(exchange: Exchange) -> None:
    """A head that never ends, a byte at a time: there is always something to read."""
    await exchange.applied()
    await exchange.send(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while True:
        await exchange.send(b"d")
        await asyncio.sleep(0.02)


# --- refused by S3 itself, before it did anything ---


def refused(status: int, code: str) -> Fault:
    """Return the fault that is S3's refusal; HEAD hears the status alone."""

    async def refuse(exchange: Exchange) -> None:
        body = b"" if exchange.asked.method == "HEAD" else error_document(code)
        await exchange.body_read()
        await exchange.send(plain_answer(status, body))

    refuse.__name__ = f"{code}_{status}"
    return refuse
