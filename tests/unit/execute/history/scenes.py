"""Histories for the tests of their writer: a source chain, its rows, and what should arrive.

A chain is written as a word, oldest first: a letter is a version with that letter's bytes, `-` a
delete marker, a digit an object that goes by parts.
"""

from dataclasses import replace
from datetime import UTC, datetime

from backfill.manifest.entries import ManifestEntry
from backfill.model.objects import NULL_VERSION_ID
from backfill.model.outcome import Outcome
from backfill.plan.routes import Handling, Route
from backfill.settings import Settings
from tests.unit.execute.campaign_double import Run
from tests.unit.execute.versioned_store import Stored

LARGE = 4
"""Bytes above which an object goes by parts."""


def body_of(letter: str) -> bytes:
    """Return the bytes of a letter."""
    return letter.encode() * (3 * LARGE if letter.isdigit() else 2)


def written(run: Run, word: str, key: str = "k") -> list[Stored]:
    """Write a source chain, oldest first."""
    made = []
    for place, letter in enumerate(word):
        if letter == "-":
            made.append(run.store.mark("src", key))
        else:
            tags = (("t", "1"),) if letter in "TU" else ()
            made.append(
                run.store.put(
                    "src", key, body_of(letter), tags=tags, metadata=(("letter", letter),)
                )
            )
        assert len(made) == place + 1
    return made


def planned(
    run: Run, sources: list[Stored], *, left_out: frozenset[int] = frozenset(), destination: int = 0
) -> list[ManifestEntry]:
    """Plan a key's chain as a history, newest first; `left_out` are places in it."""
    first = len(run.entries)
    rows = []
    for place in reversed(range(len(sources))):
        source = sources[place]
        if place in left_out:
            continue
        route = Route.DELETE_MARKER if source.is_marker else Route.COPY_OBJECT
        if len(source.body) > LARGE:
            route = Route.MULTIPART_COPY
        rows.append(
            run.add(
                source,
                plan_number=1000 * first + len(sources) - 1 - place,
                route=route,
                destination=destination,
                handling=Handling.HISTORY,
                has_other_writers=False,
            )
        )
    return rows


def scene(*words: str, settings: Settings | None = None) -> Run:
    """Return a run with one key for each word."""
    run = Run(settings=settings or Settings(copy_object_bytes_max=LARGE, part_bytes=LARGE))
    for number, word in enumerate(words):
        planned(run, written(run, word, key_of(number)))
    return run


def key_of(number: int) -> str:
    """Return the key of the word with a number."""
    return "k" if number == 0 else f"k{number:03}"


def arrived(run: Run, key: str = "k") -> str:
    """Return a destination chain as a word, oldest first."""
    chain = reversed(run.store.chain("dst", key))
    return "".join("-" if one.is_marker else one.body[:1].decode() for one in chain)


def by_number(outcomes: list[Outcome]) -> dict[int, Outcome]:
    """Return outcomes by entry."""
    return {outcome.number: outcome for outcome in outcomes}


def mapped(run: Run, outcomes: list[Outcome], key: str = "k") -> list[str | None]:
    """Return the destination's version IDs that the outcomes of a key map to, newest first."""
    told = by_number(outcomes)
    return [told[entry.number].version_id for entry in run.entries if entry.key == key]


def listed(run: Run, key: str = "k") -> list[str | None]:
    """Return the destination's version IDs, newest first."""
    return [one.version_id for one in run.store.chain("dst", key)]


def nulled(run: Run, key: str, place: int) -> None:
    """Make one source version the null version, as it was before versioning."""
    chain = run.store.chain("src", key)
    chain[place] = replace(chain[place], version_id=NULL_VERSION_ID)


def codes(outcomes: list[Outcome]) -> list[str]:
    """Return kind and code of each outcome, oldest version first."""
    return [f"{one.kind} {one.code}".strip() for one in reversed(outcomes)]


FAR_AWAY = datetime(2030, 1, 1, tzinfo=UTC)
"""A horizon after all that a source shows: what a plan left out is no news then."""
