"""Every request that names a bucket says whose it is, or stands here with its reason.

S3 User Guide, bucket-owner-condition: a bucket of that name in another account is then refused, not
read or written. Whatever the product sends is in `every_operation.ACTS`, which is held complete.
"""

from contextlib import suppress
from pathlib import Path

import pytest

from backfill.aws.calls import Calls
from backfill.errors import StoreFault
from tests.doubles.clients import CLIENTS
from tests.doubles.figures import Row, Tried
from tests.wire.aws.conftest import quick_retries
from tests.wire.aws.every_operation import ACTS, adapters, asked_operation
from tests.wire.aws.raw_server import Action, RawServer, Seen, answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHOUT_OWNER = {
    "CreateBucket": "has no such parameter: who creates it owns it, or is refused",
    "HeadBucket (region)": "asks where a bucket is before anybody has said whose it is; the next"
    " request about it says the owner",
}
"""Acts that cannot say an owner."""


def owners_of(seen: Seen) -> list[str | None]:
    """Return whom a request expects to own each bucket that it names."""
    if "x-amz-account-id" in seen.headers:  # S3 Control: the account is the request's own place
        return [seen.headers["x-amz-account-id"]]
    expected = [seen.headers.get("x-amz-expected-bucket-owner")]
    if "x-amz-copy-source" in seen.headers:
        expected.append(seen.headers.get("x-amz-source-expected-bucket-owner"))
    return expected


@pytest.mark.parametrize("client", CLIENTS, scope="module")
async def test_every_request_says_who_owns_the_bucket(
    calls: Calls, raw_server: RawServer, tmp_path: Path, tried: Tried
) -> None:
    """If this fails, a bucket of somebody else's with the right name is read, or written."""
    file = tmp_path / "file"
    file.write_bytes(b"to upload")
    lacking, looked_at = set[str](), 0
    for act in ACTS:
        if act.service not in {"s3", "s3control"}:
            continue
        before = act.before

        def script(seen: Seen, before: dict[str, Action] = {**before}) -> Action:  # noqa: B006 - of this act
            return before.get(asked_operation(seen), answer(404))

        raw_server.forget()
        raw_server.script = script
        with suppress(StoreFault):
            await act.call(adapters(calls, quick_retries(1), file))
        assert raw_server.seen, act.name
        for seen in raw_server.seen:
            is_of_this = asked_operation(seen) not in before
            owners = owners_of(seen)
            looked_at += 1
            if None in owners and is_of_this:
                lacking.add(act.name)
            assert all(len(owner or "1" * 12) == 12 for owner in owners)
    assert lacking == WITHOUT_OWNER.keys()
    assert looked_at > 60
    tried(Row.WIRE_CELLS, looked_at)
