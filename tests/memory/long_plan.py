"""One key with very many versions, planned as a history in this process, its heads computed.

    python -m tests.memory.long_plan VERSIONS

Prints one JSON document: the rows that go as a history, the HEADs, and the process's memory at its
peak, in KiB. No two heads are alike, so that nothing can be shared by chance.
"""

import asyncio
import json
import sys
from typing import cast

from backfill.campaign import Scope, Versions
from backfill.model.attributes import ContentHeaders, ObjectHead
from backfill.model.objects import Checksum, ChecksumType, ETag, ObjectVersion, VersionId
from backfill.model.places import BucketPlace
from backfill.plan.header import PlanHeader
from backfill.plan.key_plan import KeyPlan
from backfill.plan.reads import Reads
from backfill.plan.rows import row_of
from backfill.ports import ObjectStore
from tests.doubles.listings import place
from tests.doubles.planning import DESTINATION, HORIZON, SOURCE, head_of, rule, terms, version
from tests.memory.whole_pipeline import peak_kib

KEY = "one key/" + "with a long name " * 20


def entry(number: int, versions: int) -> ObjectVersion:
    return version(KEY, f"{number:032x}", f"{number:032x}", number, is_latest=number == versions)


class Heads:
    """A store that knows every version by its number."""

    async def head_object(
        self, where: BucketPlace, key: str, *, version_id: VersionId
    ) -> ObjectHead:
        assert (where.bucket, key) == (SOURCE, KEY), "nothing lies at the destination"
        number = int(version_id, 16)
        listed = entry(number, 0)._replace(etag=ETag(version_id))
        checksum = Checksum(
            algorithm="CRC64NVME", value=f"{number:012}", type=ChecksumType.FULL_OBJECT
        )
        return head_of(
            listed,
            metadata=(("edition", f"{number}"), ("by", f"person {number}")),
            content_headers=ContentHeaders(content_type=f"text/x-{number}"),
            checksums=(checksum,),
        )


async def planned(versions: int) -> dict[str, int]:
    """Plan the key and say what came of it."""
    made = terms(rule(), scope=Scope(versions=Versions.ALL), is_quiet=True)
    header = PlanHeader(source=place(SOURCE), destinations=(place(DESTINATION),), horizon=HORIZON)
    store = cast("ObjectStore", Heads())
    reads = Reads(header, store, store)
    chain = tuple(entry(number, versions) for number in range(versions, 0, -1))
    plan = KeyPlan(chain, [()], made)
    await reads.settle(KEY, plan)
    rows = sum(bool(each.handling) and bool(row_of(each)) for each in plan.entries(0))
    return {"rows": rows, "heads": reads.sent.heads, "peak_kib": peak_kib()}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(planned(int(sys.argv[1])))))  # noqa: T201 - data
