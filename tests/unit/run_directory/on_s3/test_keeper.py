"""What simulation found once, told step by step."""

import pytest

from backfill.errors import Disposition, StoreFault
from backfill.model.objects import ETag
from backfill.ports.run_store import HeadSeen
from backfill.run_directory.on_s3.head import decoded_head
from backfill.run_directory.on_s3.keeper import Holder, LeaseKeeper
from backfill.run_directory.on_s3.location import S3Location
from tests.doubles.memory_run_store import MemoryRunStore, fault
from tests.doubles.virtual_clock import VirtualClock

LOCATION = S3Location(bucket="runs", prefix="p")
HEAD = "p/head.json"


class LateStore(MemoryRunStore):
    """A bucket where the next write of the head takes effect when nobody waits any more."""

    def __init__(self) -> None:
        super().__init__()
        self.is_late = False
        self.late: list[tuple[bytes, ETag | None]] = []

    async def write_head(self, key: str, data: bytes, *, replaces: ETag | None) -> ETag:
        if self.is_late:
            self.late.append((data, replaces))
            raise fault("PutObject", "ReadTimeoutError", 0, Disposition.SETTLE)
        return await super().write_head(key, data, replaces=replaces)

    async def read_head(self, key: str) -> HeadSeen | None:
        if self.is_late:
            raise fault("GetObject", "InternalError", 500, Disposition.RETRY)
        return await super().read_head(key)


async def test_a_renewal_that_took_effect_long_ago_is_no_renewal_of_now() -> None:
    """If this fails, a holder acts on a lease that a contender has watched run out."""
    store, now_s = LateStore(), [1000.0]
    keeper = LeaseKeeper(
        store,
        LOCATION,
        clock=VirtualClock(),
        now_s=lambda: now_s[0],
        holder=Holder(nonce="n", words="me", lease_s=60.0),
        tell=lambda _: None,
    )
    await keeper.take()
    store.is_late = True
    with pytest.raises(StoreFault):
        await keeper.renew()
    store.is_late = False
    data, replaces = store.late.pop()
    await store.write_head(HEAD, data, replaces=replaces)
    now_s[0] = 2000.0
    await keeper.renew()
    assert store.objects[HEAD] != data, "the head is as a contender has watched it for long"
    assert decoded_head(store.objects[HEAD], HEAD) == keeper.head
