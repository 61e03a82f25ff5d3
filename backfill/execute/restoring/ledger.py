"""What a run has had restored: one small document for each shard of a manifest.

It is what the budget is held against, and what report and status tell. S3 bills a restore when it
is asked for, so what is about to be asked for is counted first, and durable; what S3 then refused
is taken off again. After a crash the last few may have been counted and not asked for: they are
named, and asked for without being counted twice.
Never files or clocks: the engine reads and writes it.
Law: `decoded(encoded(ledger)) == ledger`, and no restore was asked for that is not counted.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypedDict, cast

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError
from backfill.model.archives import NOTHING, Archive, Retrieved
from backfill.model.json_values import json_value

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One shard's restores.

    `asked` counts what S3 was asked for, by archive; `opened` are the rows that were about to be
    asked for when it was written. `extended` are restored copies that were given more days,
    `left_out` what did not fit into the budget. `waiting` is what was not readable yet at the last
    look over all keys, at `looked_at`.
    """

    tier: str
    days: int
    asked: Mapping[Archive, Retrieved] = field(default_factory=dict)
    opened: frozenset[int] = frozenset()
    extended: int = 0
    left_out: Retrieved = NOTHING
    waiting: Retrieved = NOTHING
    begun_at: datetime | None = None
    looked_at: datetime | None = None

    @property
    def asked_bytes(self) -> int:
        """How much of the budget is spent."""
        return sum(amount.size_bytes for amount in self.asked.values())

    @property
    def restores(self) -> int:
        """How many restores were asked for."""
        return sum(amount.restores for amount in self.asked.values())


def ledger_name(manifest: str, shard: int = 0) -> str:
    """Return the document of a manifest's restores, by one shard of it."""
    return f"restores/{manifest.rpartition('/')[2]}-{shard:02d}.json"


def with_asked(
    asked: Mapping[Archive, Retrieved], archive: Archive, size_bytes: int, *, times: int = 1
) -> dict[Archive, Retrieved]:
    """Return what was asked for with one restore more, or one less (`times` -1)."""
    more = Retrieved(restores=times, size_bytes=times * size_bytes)
    total = asked.get(archive, Retrieved()) + more
    return {**asked, archive: total}


def summed(ledgers: Iterable[Ledger | None]) -> Ledger | None:
    """Return several ledgers as one; None where there are none."""
    total: Ledger | None = None
    for each in filter(None, ledgers):
        total = each if total is None else _sum(total, each)
    return total


def _sum(one: Ledger, other: Ledger) -> Ledger:
    asked = dict(one.asked)
    for archive, amount in other.asked.items():
        asked[archive] = asked.get(archive, Retrieved()) + amount
    begun = [each for each in (one.begun_at, other.begun_at) if each is not None]
    looked = [each for each in (one.looked_at, other.looked_at) if each is not None]
    return Ledger(
        tier=other.tier,
        days=other.days,
        asked=asked,
        extended=one.extended + other.extended,
        left_out=one.left_out + other.left_out,
        waiting=one.waiting + other.waiting,
        begun_at=min(begun, default=None),
        looked_at=max(looked, default=None),
    )


class _Document(TypedDict):
    schema: int
    tier: str
    days: int
    asked: dict[str, list[int]]
    opened: list[int]
    extended: int
    left_out: list[int]
    waiting: list[int]
    begun_at: str | None
    looked_at: str | None


def encoded(ledger: Ledger) -> bytes:
    """Return the document of a ledger."""
    content = _Document(
        schema=SCHEMA,
        tier=ledger.tier,
        days=ledger.days,
        asked={archive.value: _pair(amount) for archive, amount in ledger.asked.items()},
        opened=sorted(ledger.opened),
        extended=ledger.extended,
        left_out=_pair(ledger.left_out),
        waiting=_pair(ledger.waiting),
        begun_at=_text(ledger.begun_at),
        looked_at=_text(ledger.looked_at),
    )
    return _canonical({**content, "digest": hashlib.sha256(_canonical({**content})).hexdigest()})


def decoded(data: bytes, file: str) -> Ledger:
    """Return the ledger of a document; `file` is its name for people.

    Raises:
        ArtifactDamagedError: it is not, byte for byte, what `encoded` wrote.
        ForeignRunDirectoryError: a newer backfill wrote it.
    """
    hint = "what S3 was asked to restore is in its bill all the same; begin another --run-dir"
    try:
        document = cast("_Document", json_value(data))
        schema = document["schema"]
        if isinstance(schema, int) and schema > SCHEMA:
            raise ForeignRunDirectoryError(
                f"{file} has schema {schema}; this backfill reads up to {SCHEMA}",
                hint="use the version of backfill that wrote the run directory",
            )
        ledger = _ledger(document)
        is_intact = encoded(ledger) == data
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ArtifactDamagedError(f"{file} is cut or altered", hint=hint) from fault
    if not is_intact:
        raise ArtifactDamagedError(f"{file} was altered: its digest does not fit", hint=hint)
    return ledger


def _ledger(document: _Document) -> Ledger:
    return Ledger(
        tier=document["tier"],
        days=document["days"],
        asked={Archive(name): _amount(pair) for name, pair in document["asked"].items()},
        opened=frozenset(document["opened"]),
        extended=document["extended"],
        left_out=_amount(document["left_out"]),
        waiting=_amount(document["waiting"]),
        begun_at=_moment(document["begun_at"]),
        looked_at=_moment(document["looked_at"]),
    )


def _pair(amount: Retrieved) -> list[int]:
    return [amount.restores, amount.size_bytes]


def _amount(pair: list[int]) -> Retrieved:
    restores, size_bytes = pair
    return Retrieved(restores=restores, size_bytes=size_bytes)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _canonical(value: Mapping[str, object]) -> bytes:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, indent=1)
    return text.encode("ascii") + b"\n"
