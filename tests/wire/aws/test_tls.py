"""A certificate that nobody vouches for is refused, whatever the environment says."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backfill.aws.faults import error_of
from backfill.aws.object_store import S3ObjectStore
from backfill.aws.session import Connection
from backfill.errors import Disposition, StoreFault
from tests.doubles.clients import opened_calls
from tests.wire.aws.conftest import KeptEvents
from tests.wire.aws.operations import KEY, SOURCE

pytestmark = pytest.mark.asyncio(loop_scope="module")


def write_self_signed(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tls_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, Path]]:
    """An https endpoint with a certificate of its own, and the file that vouches for it."""
    file = tmp_path_factory.mktemp("tls") / "self-signed.pem"
    write_self_signed(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    body = b"<Tagging><TagSet/></Tagging>"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n")
        writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    yield f"https://localhost:{port}", file
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("bundle", [None, "", "self-signed"])
async def test_only_a_certificate_that_somebody_vouches_for_is_accepted(
    tls_server: tuple[str, Path], identity: pytest.MonkeyPatch, client: str, bundle: str | None
) -> None:
    """An empty AWS_CA_BUNDLE turns verification off in the SDK: anybody could be S3."""
    url, file = tls_server
    with identity.context() as patch:
        if bundle is not None:
            patch.setenv("AWS_CA_BUNDLE", str(file) if bundle else "")
        async with opened_calls(client, Connection(endpoint_url=url), KeptEvents()) as calls:
            store = S3ObjectStore(calls)
            if bundle:
                assert await store.get_object_tagging(SOURCE, KEY) == ()
                return
            with pytest.raises(StoreFault) as caught:
                await store.get_object_tagging(SOURCE, KEY)
    assert caught.value.code == "ClientConnectorCertificateError"
    assert caught.value.disposition is Disposition.STOP
    assert "AWS_CA_BUNDLE" in error_of(caught.value).hint
