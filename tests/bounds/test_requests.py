"""How many requests a clean run makes, counted exactly, stage by stage and operation by operation.

The product runs on the model behind its ports; whatever it sends is counted. Runs of several sizes
tell what each object costs from what the run itself costs.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import pytest

from backfill import pipeline
from backfill.campaign import Versions
from backfill.execute.stop import StopRequest
from backfill.sandbox.model.model import S3Model
from tests.damage.originals import write
from tests.damage.place import Place, Story, in_place, switch_rule_on
from tests.doubles.damage_table import Kind
from tests.doubles.figures import Row, Tried
from tests.doubles.virtual_clock import VirtualClock

SIZES = (40, 80, 120)
LISTINGS_MAX = 0.1
"""Pages of ListObjectVersions for each entry, both sides and all stages, beside the run's own."""
OF_A_RUN_MAX = 250
"""Requests that a run makes whatever its size: of the buckets, and to prove that it may read."""
LISTING = "ListObjectVersions"

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of run, and what each object of it costs. `versions` of one key each."""

    name: str
    kind: Kind
    plan: Counts
    execute: Counts
    verify: Counts
    has_rule: bool = False
    has_acls: bool = False
    versions: int = 1
    listings_max: float = LISTINGS_MAX


HEAD, ACL, COPY = {"HeadObject": 1}, {"GetObjectAcl": 1}, {"CopyObject": 1}
PARTS = {"CreateMultipartUpload": 1, "UploadPartCopy": 2, "CompleteMultipartUpload": 1}
CASES = (
    Case(name="one copy, quiet", kind=Kind.ONE_PART, plan=HEAD, execute=COPY, verify=HEAD),
    Case(
        name="one copy beside a rule",
        kind=Kind.ONE_PART,
        has_rule=True,
        plan=HEAD,
        execute=COPY,
        verify={"HeadObject": 2},
    ),
    Case(
        name="one copy, SSE-KMS", kind=Kind.KMS, plan=HEAD, execute=COPY, verify={"HeadObject": 2}
    ),
    Case(
        name="one copy that keeps the default ACL",
        kind=Kind.ONE_PART,
        has_acls=True,
        plan={**HEAD, **ACL},
        execute=COPY,
        # Of the copy and of its source: both ACLs are looked at.
        verify={"HeadObject": 2, "GetObjectAcl": 2},
    ),
    Case(
        name="two parts, quiet",
        kind=Kind.PARTS_WHOLE,
        plan=HEAD,
        # One of the source, which is re-supplied, and one for the size of each part.
        execute={**PARTS, "HeadObject": 3},
        verify={"HeadObject": 2},
    ),
    Case(
        name="two parts beside a rule",
        kind=Kind.PARTS_COMPOSITE,
        has_rule=True,
        plan=HEAD,
        execute={**PARTS, "HeadObject": 3},
        verify={"HeadObject": 2},
        # A large object is looked at by itself, before its upload, before it is completed and
        # after: three times on both sides.
        listings_max=6.1,
    ),
    Case(
        name="delete marker beside a rule",
        kind=Kind.MARKER,
        has_rule=True,
        plan={},
        execute={"DeleteObject": 1},
        verify={},
    ),
    Case(
        name="history of three versions",
        kind=Kind.ONE_PART,
        versions=3,
        plan={"HeadObject": 3},
        execute={"CopyObject": 3},
        verify={"HeadObject": 6},
        listings_max=0.3,
    ),
)


def counted(case: Case, objects: int) -> dict[str, Counter[str]]:
    """Return the requests of each stage of a run of so many objects."""
    versions = Versions.ALL if case.versions > 1 else Versions.CURRENT
    story = Story(seed=1, has_rule=case.has_rule, versions=versions, has_acls=case.has_acls)
    seen = dict[str, Counter[str]]()

    def fill(model: S3Model, clock: VirtualClock) -> None:
        random = Random(objects)
        for number in range(objects):
            for _ in range(case.versions):
                clock.skip(1.0)
                write(model, case.kind, f"k{number:04}", random, is_rich=False)
        if case.has_rule:
            switch_rule_on(model)

    async def act(place: Place) -> None:
        count = Counter[str]()
        place.s3.on_sent = lambda operation, _: count.update([operation])

        def note(stage: str) -> None:
            seen[stage] = Counter(count)
            count.clear()

        run = await place.begin()
        await pipeline.take_inventories(run)
        note("inventory")
        await pipeline.plan(run)
        note("plan")
        await pipeline.execute(run, StopRequest())
        note("execute")
        verdicts = await place.verify(run)
        note("verify")
        assert all(row.is_good for row in verdicts), "a clean run"

    in_place(story, fill, act)
    return seen


def without_listings(counts: Counter[str]) -> Counter[str]:
    return Counter({name: n for name, n in counts.items() if name != LISTING})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_object_costs_exactly_these_requests(case: Case, tried: Tried) -> None:
    """If this fails, a change has made every object of a bucket dearer, or cheaper."""
    runs = [counted(case, objects) for objects in SIZES]
    wanted: Mapping[str, Counts] = {
        "inventory": {},
        "plan": case.plan,
        "execute": case.execute,
        "verify": case.verify,
    }
    step = SIZES[1] - SIZES[0]
    for stage, counts in wanted.items():
        own = [without_listings(run[stage]) for run in runs]
        for smaller, larger in pairwise(own):
            grown = Counter(larger)
            grown.subtract(smaller)  # unlike `-`, it keeps what became less
            more = {name: n for name, n in grown.items() if n}
            assert more == {name: n * step for name, n in counts.items()}, stage
    few, _, many = [sum((run[stage] for stage in wanted), Counter[str]()) for run in runs]
    listings = (many[LISTING] - few[LISTING]) / (2 * step)
    assert listings <= case.listings_max, f"{listings} pages an object"
    each = sum(sum(counts.values()) for counts in wanted.values())
    of_run = without_listings(few).total() - each * SIZES[0]
    assert 0 < of_run < OF_A_RUN_MAX, f"a run makes {of_run} requests of its own"
    tried(Row.REQUEST_COUNTS, sum(sum(one.values()) for run in runs for one in run.values()))
