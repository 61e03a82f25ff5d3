"""Verify end to end over two buckets in memory: damage is found, clean pairs raise no alarm."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from backfill.errors import Disposition, MissingPermissionError, StoreFault
from backfill.model.attributes import ContentHeaders, ReplicationStatus
from backfill.plan.routes import Reason
from backfill.settings import Settings
from backfill.verify.reader import DENIED_HEADS_MIN
from backfill.verify.rows import draft_of, look_name, unjudged_name
from backfill.verify.totals import exit_code
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict
from tests.unit.verify.two_buckets import (
    AFTER,
    BEFORE,
    Marker,
    Stored,
    World,
    kms,
    planned,
)

DATA = b"some bytes that matter"
TAGS = (("team", "red"), ("zone", "a"))
BASE = Stored(version_id="v", data=DATA, metadata=(("owner", "anna"),), tags=TAGS)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@dataclass(frozen=True)
class Damage:
    name: str
    changes: Mapping[str, object]
    verdict: Verdict
    evidence: Evidence
    fields: tuple[Field, ...]


FLIPPED = bytes([DATA[0] ^ 1]) + DATA[1:]
EQUAL_BY = (Verdict.EQUAL, Evidence.FULL_OBJECT_CHECKSUM)
DAMAGES = [
    Damage("a flipped bit", {"data": FLIPPED}, Verdict.DIFFERENT, Evidence.FULL_OBJECT_CHECKSUM,
           (Field.CONTENT,)),
    Damage("truncation", {"data": DATA[:-1]}, Verdict.DIFFERENT, Evidence.SIZE, (Field.SIZE,)),
    Damage("emptied", {"data": b""}, Verdict.DIFFERENT, Evidence.SIZE, (Field.SIZE,)),
    Damage("metadata", {"metadata": ()}, *EQUAL_BY, (Field.METADATA,)),
    Damage("content type", {"headers": ContentHeaders(content_type="text/html")}, *EQUAL_BY,
           (Field.CONTENT_HEADERS,)),
    Damage("a missing tag", {"tags": TAGS[:1]}, *EQUAL_BY, (Field.TAGS,)),
    Damage("a changed tag", {"tags": (TAGS[0], ("zone", "b"))}, *EQUAL_BY, (Field.TAGS,)),
    Damage("storage class", {"storage_class": "GLACIER_IR"}, *EQUAL_BY, (Field.STORAGE_CLASS,)),
    Damage("encryption", {"encryption": kms("rogue")}, *EQUAL_BY, (Field.ENCRYPTION,)),
    Damage("bytes and metadata", {"data": FLIPPED, "metadata": ()}, Verdict.DIFFERENT,
           Evidence.FULL_OBJECT_CHECKSUM, (Field.CONTENT, Field.METADATA)),
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
async def test_damage_to_one_copy_is_found_and_named_and_nothing_else_is(
    world: World, damage: Damage
) -> None:
    """If this fails, an altered copy passes, or a sound one beside it is suspected."""
    for key in ("a", "b", "c"):
        world.deliver(key, BASE)
    world.destination.edit("b", **damage.changes)
    totals = await world.verify()
    rows = world.verdicts()
    assert rows["a"].is_good
    assert rows["c"].is_good
    row = rows["b"]
    assert (row.content, row.evidence, row.fields) == (
        damage.verdict,
        damage.evidence,
        damage.fields,
    )
    assert totals.exit_code == 4
    assert sum(totals.fields.values()) == len(damage.fields)


async def test_a_wrong_kms_key_is_found(world: World) -> None:
    """If this fails, a copy lies under a key that its owner cannot revoke."""
    world.deliver("a", BASE, encryption=kms("wanted"))
    world.destination.edit("a", encryption=kms("other"))
    await world.verify()
    assert world.verdicts()["a"].fields == (Field.ENCRYPTION,)


async def test_swapped_objects_are_found_on_both_keys(world: World) -> None:
    """If this fails, two copies that changed places pass because both contents exist."""
    world.deliver("a", BASE)
    world.deliver("b", replace(BASE, version_id="w", data=DATA[::-1]))
    chains = world.destination.chains
    chains["a"][0], chains["b"][0] = (
        replace(_stored(chains["b"][0]), version_id="copy-of-v"),
        replace(_stored(chains["a"][0]), version_id="copy-of-w"),
    )
    await world.verify()
    assert {row.fields for row in world.verdicts().values()} == {(Field.CONTENT,)}


def _stored(lying: Stored | Marker) -> Stored:
    assert isinstance(lying, Stored)
    return lying


async def test_a_missing_stale_hidden_and_extra_object_are_found_each_by_its_name(
    world: World,
) -> None:
    """If this fails, readers of the destination see another world than the source's."""
    for key in ("gone", "hidden", "stale", "sound"):
        world.deliver(key, BASE)
    older = replace(BASE, version_id="u", data=b"older")
    world.source.chains["stale"].append(older)
    world.destination.chains["stale"].insert(0, replace(older, version_id="raw"))
    world.destination.chains["hidden"].insert(0, Marker(version_id="m", last_modified=AFTER))
    del world.destination.chains["gone"]
    world.destination.chains["stranger"] = [replace(BASE, last_modified=AFTER)]
    totals = await world.verify()
    rows = world.verdicts()
    assert {key: (row.content, row.fields) for key, row in rows.items()} == {
        "gone": (Verdict.MISSING, ()),
        "hidden": (Verdict.DIFFERENT, (Field.DELETE_MARKER,)),
        "stale": (Verdict.DIFFERENT, (Field.CURRENT_VERSION,)),
        "sound": (Verdict.EQUAL, ()),
        "stranger": (Verdict.EXTRA, ()),
    }
    assert (totals.judged, totals.extras, totals.plan_rows) == (4, 1, 4)
    assert [event.name for event in world.events.emitted].count("verify.difference") == 4


SHAPES = [
    Stored(version_id="v", data=DATA),
    Stored(version_id="v", data=DATA, algorithms=()),
    Stored(version_id="v", data=DATA, algorithms=("SHA256",)),
    Stored(version_id="v", data=DATA, algorithms=("SHA256",), parts=(10, 12)),
    Stored(version_id="v", data=DATA, algorithms=("CRC32",), parts=(10, 12)),
    Stored(version_id="v", data=DATA, algorithms=(), parts=(22,)),
    Stored(version_id="v", data=DATA, tags=TAGS),
    Stored(version_id="v", data=DATA, metadata=(("a", "b"),), encryption=kms("k")),
    Stored(version_id="null", data=DATA),
    Stored(version_id="v", data=b""),
]


def chance_edits(chance: Random, lying: Stored) -> Mapping[str, object]:
    """Return one seeded damage that changes bytes."""
    at = chance.randrange(len(lying.data))
    flipped = bytearray(lying.data)
    flipped[at] ^= 1 << chance.randrange(8)
    cut = {"data": lying.data[:at], "parts": ()}
    return chance.choice(({"data": bytes(flipped)}, cut))


@pytest.mark.parametrize("seed", range(20))
async def test_seeded_damage_is_found_or_unverified_and_clean_pairs_raise_no_alarm(
    tmp_path: Path, seed: int
) -> None:
    """If this fails, some kind of object can rot unseen, or alarms are false."""
    chance = Random(seed)
    world = World(tmp_path, settings=Settings(settle_rounds=0))
    damaged = set()
    for number in range(60):
        shape = replace(chance.choice(SHAPES), data=bytes(chance.randbytes(22)))
        changes: dict[str, object] = {}
        if chance.random() < 0.5:  # a copy changes what CopyObject changes
            changes["parts"] = ()
        if chance.random() < 0.3:
            changes["encryption"] = kms("theirs")
        key = f"key-{number:03d}"
        world.deliver(key, shape, **changes)
        if chance.random() < 0.5:
            copy = _stored(world.destination.chains[key][0])
            world.destination.edit(key, **chance_edits(chance, copy))
            damaged.add(key)
    totals = await world.verify()
    found = {key for key, row in world.verdicts().items() if row.content is Verdict.DIFFERENT}
    unverified = {key for key, row in world.verdicts().items() if row.content is Verdict.UNVERIFIED}
    assert found <= damaged
    assert damaged <= found | unverified
    assert totals.judged == 60
    await world.verify(is_deep=True)
    rows = world.verdicts()
    assert {key for key, row in rows.items() if row.content is Verdict.DIFFERENT} == damaged
    assert all(row.is_good for key, row in rows.items() if key not in damaged)


async def test_a_clean_pair_costs_exactly_two_heads_a_copy_and_no_second_look(
    world: World,
) -> None:
    """If this fails, verify costs more requests than it says, or pauses for nothing."""
    world.deliver("copied", replace(BASE, tags=()))
    world.deliver("copied with tags", BASE)
    world.source.chains["replica"] = [BASE]
    world.destination.chains["replica"] = [replace(BASE, status=ReplicationStatus.REPLICA)]
    world.entries.append(planned(2, "replica", BASE, reason=Reason.ALREADY_REPLICATED))
    totals = await world.verify()
    assert world.source.asked == {"ListObjectVersions": 1, "HeadObject": 2, "GetObjectTagging": 1}
    assert world.destination.asked == world.source.asked
    assert world.clock.slept_s == []
    assert (totals.exit_code, totals.keys_looked_again) == (0, 0)
    assert totals.evidence == {"full-object-checksum": 2, "version-id-and-etag": 1}
    assert totals.fidelity == {"equal": 2, "not-looked-at": 1}


async def test_part_sizes_tell_damage_from_another_layout(world: World) -> None:
    """If this fails, a damaged multipart object stays unverified, or a new layout is an alarm."""
    shape = Stored(version_id="v", data=DATA, algorithms=("SHA256",), parts=(5, 5, 12))
    world.deliver("another layout", shape, parts=(5, 6, 11))
    world.deliver("damaged", shape, data=FLIPPED)
    world.deliver("same layout", shape)
    await world.verify()
    rows = world.verdicts()
    assert rows["another layout"].content is Verdict.UNVERIFIED
    assert rows["damaged"].evidence is Evidence.COMPOSITE_CHECKSUM
    assert rows["damaged"].fields == (Field.CONTENT,)
    assert rows["same layout"].is_good
    # Two parts prove a layout of three; the damaged one is looked at three times.
    assert world.source.asked["HeadObject(PartNumber)"] == 2 + 3 * 2


async def test_deep_reads_bytes_only_where_nothing_stored_decides(world: World) -> None:
    """If this fails, --deep costs a full read of everything, or proves nothing."""
    opaque = Stored(version_id="v", data=DATA, algorithms=(), encryption=kms("k"))
    world.deliver("decided", BASE)
    world.deliver("open", opaque, encryption=kms("k2"), algorithms=())
    totals = await world.verify()
    assert world.verdicts()["open"].content is Verdict.UNVERIFIED
    assert (totals.exit_code, exit_code(totals, allows_unverified=True)) == (5, 0)
    await world.verify(is_deep=True)
    assert world.verdicts()["open"].evidence is Evidence.BYTES
    assert world.source.asked["GetObject"] == 1
    world.destination.edit("open", data=FLIPPED)
    await world.verify(is_deep=True)
    assert world.verdicts()["open"].content is Verdict.DIFFERENT


async def test_a_refused_head_leaves_its_row_unverified_with_the_code(world: World) -> None:
    """If this fails, one object that cannot be read stops the run, or passes unread."""
    world.deliver("denied", BASE)
    world.deliver("sound", BASE)
    world.destination.refusals["HeadObject", "denied"] = (403, "AccessDenied", Disposition.FAIL)
    totals = await world.verify()
    row = world.verdicts()["denied"]
    assert (row.content, row.fidelity) == (Verdict.UNVERIFIED, Fidelity.NOT_LOOKED_AT)
    assert row.evidence is Evidence.NOT_READ
    assert "AccessDenied" in row.detail
    assert world.verdicts()["sound"].is_good
    assert exit_code(totals, allows_unverified=True) == 5
    assert totals.keys_looked_again == 0


async def test_refused_bytes_are_not_read_rather_than_without_evidence(world: World) -> None:
    """If this fails, a deep look that read nothing is forgiven as one that found nothing."""
    opaque = Stored(version_id="v", data=DATA, algorithms=(), encryption=kms("k"))
    world.deliver("denied", opaque, encryption=kms("k2"), algorithms=())
    world.source.refusals["GetObject", "denied"] = (403, "AccessDenied", Disposition.FAIL)
    totals = await world.verify(is_deep=True)
    assert world.verdicts()["denied"].evidence is Evidence.NOT_READ
    assert exit_code(totals, allows_unverified=True) == 5


@pytest.mark.parametrize("readable", [0, 1])
async def test_a_side_that_denies_every_head_is_a_missing_permission(
    world: World, readable: int
) -> None:
    """If this fails, a policy that lacks one line looks like a million odd objects."""
    for number in range(DENIED_HEADS_MIN + readable):
        world.deliver(f"key-{number:02}", BASE)
        if number >= readable:
            refused = (403, "AccessDenied", Disposition.FAIL)
            world.destination.refusals["HeadObject", f"key-{number:02}"] = refused
    if readable:
        totals = await world.verify()
        assert totals.evidence[Evidence.NOT_READ] == DENIED_HEADS_MIN
        return
    with pytest.raises(MissingPermissionError, match="destination-bucket") as refusal:
        await world.verify()
    assert "s3:GetObjectVersion" in refusal.value.hint
    assert world.artifacts.index("verify/01") is None


async def test_what_the_destination_forbade_is_judged_and_found_equal_where_it_is(
    world: World,
) -> None:
    """If this fails, a destination that differs all along ends as exit code 0."""
    stranger = replace(BASE, version_id="x", data=FLIPPED)
    twin = replace(BASE, version_id="t", encryption=kms("k"))
    for key in ("differs", "equal", "deleted"):
        world.source.chains[key] = [BASE]
    world.destination.chains = {
        "differs": [stranger],
        "equal": [twin],
        "deleted": [Marker(version_id="m")],
    }
    reasons = {"differs": Reason.DESTINATION_DIFFERS, "equal": Reason.DESTINATION_UNPROVEN,
               "deleted": Reason.DESTINATION_DELETED}  # fmt: skip
    for number, (key, reason) in enumerate(reasons.items()):
        world.entries.append(planned(number, key, BASE, reason=reason))
    totals = await world.verify()
    assert {key: (row.content, row.fields) for key, row in world.verdicts().items()} == {
        "differs": (Verdict.DIFFERENT, (Field.CONTENT,)),
        "equal": (Verdict.EQUAL, ()),
        "deleted": (Verdict.DIFFERENT, (Field.DELETE_MARKER,)),
    }
    assert totals.unjudged == {}
    assert totals.exit_code == 4


async def test_a_trouble_with_fidelity_alone_says_so_in_a_sentence(world: World) -> None:
    """If this fails, a person reads `equal` beside an exit code 4 and no word of why."""
    world.deliver("a", BASE)
    world.destination.edit("a", tags=(), metadata=(), storage_class="GLACIER_IR")
    await world.verify()
    row = world.verdicts()["a"]
    assert row.detail == (
        "The bytes are equal; these differ: metadata, object tags, storage class. "
        "Storage class STANDARD was wanted, GLACIER_IR is there."
    )


async def test_refused_tags_leave_fidelity_not_looked_at(world: World) -> None:
    """If this fails, tags that could not be read are called equal."""
    world.deliver("denied", BASE)
    world.source.refusals["GetObjectTagging", "denied"] = (403, "AccessDenied", Disposition.FAIL)
    await world.verify()
    row = world.verdicts()["denied"]
    assert (row.content, row.fidelity) == (Verdict.EQUAL, Fidelity.NOT_LOOKED_AT)


async def test_a_fault_that_stops_everything_stops_verify_and_leaves_no_verdicts(
    world: World,
) -> None:
    """If this fails, expired credentials come out as a million unverified rows."""
    for number in range(50):
        world.deliver(f"key-{number}", BASE)
    world.source.refusals["HeadObject", "key-7"] = (400, "ExpiredToken", Disposition.STOP)
    with pytest.raises(StoreFault, match="ExpiredToken"):
        await world.verify()
    assert world.artifacts.index("verify/01") is None


async def test_what_arrives_while_verify_waits_is_no_difference(world: World) -> None:
    """If this fails, every verify beside a live writer cries wolf."""
    world.source.chains["late"] = [BASE]
    world.entries.append(planned(0, "late", BASE))
    stranger = replace(BASE, version_id="s", last_modified=AFTER)
    world.destination.chains["removed"] = [stranger]

    def arrive() -> None:
        world.destination.chains["late"] = [BASE]
        world.destination.chains.pop("removed", None)

    world.clock.on_sleep = arrive
    totals = await world.verify()
    assert world.verdicts()["late"].evidence is Evidence.VERSION_ID_AND_ETAG
    assert (totals.exit_code, totals.extras, totals.explained) == (0, 0, 1)
    assert (totals.keys_looked_again, world.clock.slept_s) == (2, [7.0])


async def test_a_difference_that_stays_is_looked_at_as_often_as_settings_say(
    world: World,
) -> None:
    """If this fails, verify loops for ever, or reports the first impression."""
    world.source.chains["gone"] = [BASE]
    world.entries.append(planned(0, "gone", BASE))
    totals = await world.verify()
    assert world.clock.slept_s == [7.0, 7.0]
    assert totals.exit_code == 4
    assert world.source.asked == {"ListObjectVersions": 3, "HeadObject": 3}


async def test_pending_at_the_source_is_in_flight(world: World) -> None:
    """If this fails, live replication's own work is reported as missing."""
    world.source.chains["a"] = [replace(BASE, status=ReplicationStatus.PENDING)]
    world.entries.append(planned(0, "a", BASE))
    totals = await world.verify()
    assert world.verdicts()["a"].content is Verdict.IN_FLIGHT
    assert exit_code(totals, allows_unverified=True) == 5


async def test_what_live_replication_wrote_after_the_horizon_is_not_extra(world: World) -> None:
    """If this fails, a key written and removed beside the run is hidden by repair."""
    replica = replace(BASE, last_modified=AFTER, status=ReplicationStatus.REPLICA)
    world.destination.chains["theirs"] = [replica]
    totals = await world.verify()
    assert (totals.extras, totals.explained, totals.exit_code) == (0, 1, 0)


async def test_rows_without_a_verdict_are_counted_by_reason_and_listed(world: World) -> None:
    """If this fails, a planned version is dropped without a word."""
    world.deliver("a", BASE)
    newer = replace(BASE, version_id="n", last_modified=AFTER)
    world.source.chains["b"] = [newer, BASE]
    world.destination.chains["b"] = [newer]
    world.entries.append(planned(1, "b", BASE))
    world.source.chains["c"] = [BASE]
    world.entries.append(planned(2, "c", BASE, reason=Reason.NO_RULE))
    totals = await world.verify()
    assert totals.unjudged == {"no-rule": 1, "superseded": 1}
    assert totals.plan_rows == totals.judged + 2
    assert [list(row) for row in world.artifacts.rows(unjudged_name(1))] == [
        [1, "b", 0, "superseded"]
    ]


async def test_two_buckets_without_a_run_are_compared_by_their_current_versions(
    world: World,
) -> None:
    """If this fails, verify cannot be used alone."""
    later = replace(BASE, version_id="l", last_modified=AFTER)
    world.source.chains = {
        "copied": [BASE],
        "deleted": [Marker(version_id="m"), BASE],
        "differs": [BASE],
        "missing": [BASE],
        "new": [later],
        "replica": [BASE],
    }
    copy = replace(BASE, version_id="c", encryption=kms("k"))
    world.destination.chains = {
        "copied": [copy],
        "deleted": [BASE],
        "differs": [replace(BASE, version_id="d", storage_class="GLACIER_IR")],
        "extra": [BASE],
        "replica": [BASE],
    }
    totals = await world.verify_buckets()
    assert {key: (row.content, row.fields) for key, row in world.verdicts().items()} == {
        "copied": (Verdict.EQUAL, ()),
        "deleted": (Verdict.DIFFERENT, (Field.DELETE_MARKER,)),
        "differs": (Verdict.EQUAL, (Field.STORAGE_CLASS,)),
        "extra": (Verdict.EXTRA, ()),
        "missing": (Verdict.MISSING, ()),
        "replica": (Verdict.EQUAL, ()),
    }
    assert "aws:kms" in world.verdicts()["copied"].detail
    assert totals.unjudged == {"after-horizon": 1}
    await world.verify_buckets(replicates_delete_markers=False)
    assert "deleted" not in world.verdicts()


async def test_verdicts_come_in_plan_order_whatever_takes_longest(tmp_path: Path) -> None:
    """If this fails, report cannot join verdicts with the plan as streams."""
    settings = Settings(concurrency=3, page_max=7, settle_rounds=1)
    world = World(tmp_path, settings=settings)
    chance = Random(5)
    for number in range(100):
        world.deliver(f"{chance.getrandbits(40):x}", BASE)
        if number % 3 == 0:
            world.destination.chains[f"{chance.getrandbits(40):x}"] = [BASE]
    await world.verify()
    rows = list(world.verdicts().values())
    assert [row.key for row in rows] == sorted(row.key for row in rows)
    numbers = [row.number for row in rows if row.number is not None]
    assert numbers == list(range(100))


async def test_no_more_requests_are_in_flight_than_settings_allow(tmp_path: Path) -> None:
    """If this fails, verify floods a store that execute was gentle with."""
    world = World(tmp_path, settings=Settings(concurrency=4))
    for number in range(40):
        world.deliver(f"key-{number}", BASE)
    totals = await world.verify()
    assert totals.judged == 40
    assert 2 <= world.destination.in_flight_max <= 4


async def test_a_key_with_hostile_characters_is_verified_as_any_other(world: World) -> None:
    """If this fails, a newline or a prefix of another key confuses joins or the second look."""
    for key in ("a", "a\n", "a/", "a//b", "../a", "a+%2F", "\U0001f600", "ab"):
        world.deliver(key, BASE)
    world.destination.edit("a", metadata=())
    world.destination.edit("a\n", metadata=())
    await world.verify()
    assert {key for key, row in world.verdicts().items() if not row.is_good} == {"a", "a\n"}


async def test_a_replica_that_says_replica_keeps_its_listing_evidence_when_looked_at_deeply(
    world: World,
) -> None:
    """If this fails, --deep turns what is proved into unverified, or misses its metadata."""
    old = Stored(
        version_id="v", data=DATA, algorithms=(), encryption=kms("k"), last_modified=BEFORE
    )
    world.source.chains["a"] = [old]
    world.destination.chains["a"] = [replace(old, metadata=(("planted", "1"),))]
    world.entries.append(planned(0, "a", old, reason=Reason.ALREADY_REPLICATED))
    await world.verify()
    assert world.verdicts()["a"].is_good
    await world.verify(is_deep=True)
    row = world.verdicts()["a"]
    assert (row.content, row.fields) == (Verdict.EQUAL, (Field.METADATA,))
    assert world.source.asked["GetObject"] == 0


async def test_drafts_are_written_only_from_the_first_suspect_on(world: World) -> None:
    """If this fails, every row of a clean run is written twice."""
    names = ["a", "b", "c", "d"]
    for name in names:
        world.deliver(name, Stored(version_id=name, data=name.encode()))
    await world.verify()
    assert list(world.artifacts.rows(look_name(1, 0))) == []
    assert list(world.verdicts()) == names
    world.destination.edit("c", metadata=(("x", "y"),))
    await world.verify()
    drafts = map(draft_of, world.artifacts.rows(look_name(2, 0)))
    assert [draft.key for draft in drafts] == ["c", "d"]
    assert [row.is_good for row in world.verdicts().values()] == [True, True, False, True]
