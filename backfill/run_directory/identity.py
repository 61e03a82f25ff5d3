"""`run.json`: which campaign, under which replication configuration, and as of when.

Never changed after it was written: a resumed run has the run ID and the horizon of its first start.
Law: one run directory, one campaign; what differs is named before anything is read or written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypedDict, cast

from backfill.errors import ArtifactDamagedError, ForeignRunDirectoryError
from backfill.model.escaping import visible_text
from backfill.ports import ArtifactStore, Random
from backfill.run_directory.sealed import Types, has_shape, sealed, unsealed

SCHEMA: Final = 1
RUN_FILE: Final = "run.json"

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_HINT: Final = "choose another --run-dir, or ask for what this one was begun with"


class _RunDocument(TypedDict):
    run_id: str
    horizon: str
    campaign: dict[str, str]


_RUN_TYPES: Final[Types] = {"run_id": (str,), "horizon": (str,), "campaign": (dict,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIdentity:
    """A run. `campaign` maps the names of what was asked to values, for people and comparison.

    `horizon` is when the run began. It is not cut to whole seconds although listings are: a version
    written within the run's first second then counts as older than the horizon, so it is looked at
    twice (by live replication and by us) rather than by nobody.
    """

    run_id: str
    horizon: datetime
    campaign: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRun:
    """A run and whether it was begun before."""

    identity: RunIdentity
    is_resumed: bool


def open_run(
    documents: ArtifactStore, campaign: Mapping[str, str], *, now: datetime, random: Random
) -> OpenedRun:
    """Begin a run in an empty run directory, or resume the one that is there.

    `now` is S3's time where it is known: what S3 stamps on versions is compared with it.
    `campaign` holds all that a resumed run must agree in, the digest of the replication
    configuration included. A name that one side lacks counts as empty.

    Raises:
        ForeignRunDirectoryError: the directory belongs to another campaign or configuration, or a
            newer backfill wrote it.
        ArtifactDamagedError: run.json was altered.
    """
    identity = read_run(documents)
    if identity is not None:
        refuse_another_campaign(identity.campaign, campaign)
        return OpenedRun(identity=identity, is_resumed=True)
    now = now.astimezone(UTC)
    document = _RunDocument(
        run_id=new_run_id(now, random), horizon=now.isoformat(), campaign=dict(campaign)
    )
    data = sealed(dict(document), schema=SCHEMA)
    documents.write_document(RUN_FILE, data)
    return OpenedRun(identity=_identity(data), is_resumed=False)


def read_run(documents: ArtifactStore) -> RunIdentity | None:
    """Return the run of a run directory, None when none was begun there.

    Raises:
        ArtifactDamagedError, ForeignRunDirectoryError: as `open_run`.
    """
    data = documents.read_document(RUN_FILE)
    return _identity(data) if data is not None else None


def new_run_id(now: datetime, random: Random) -> str:
    """Return a ULID: 48 bits of milliseconds and 80 random bits; sorts by time."""
    milliseconds = int(now.timestamp() * 1000)
    number = milliseconds << 80 | int(random.random() * 2**40) << 40 | int(random.random() * 2**40)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def _identity(data: bytes) -> RunIdentity:
    hint = "choose another --run-dir; what this one delivered will be recognised"
    found = unsealed(data, RUN_FILE, schema=SCHEMA, hint=hint)
    try:
        assert has_shape(found, _RUN_TYPES), "as it was sealed"
        document = cast("_RunDocument", found)
        assert all(isinstance(each, str) for each in document["campaign"].values()), "texts"
        horizon = datetime.fromisoformat(document["horizon"])
        assert horizon.tzinfo is not None, "a moment anywhere"
    except (AssertionError, ValueError) as fault:
        raise ArtifactDamagedError(f"{RUN_FILE} is sealed, and yet no run", hint=hint) from fault
    return RunIdentity(run_id=document["run_id"], horizon=horizon, campaign=document["campaign"])


def refuse_another_campaign(begun_with: Mapping[str, str], asked: Mapping[str, str]) -> None:
    """Refuse unless both name the same values; a name that one side lacks counts as empty.

    Raises:
        ForeignRunDirectoryError: they differ; the message says in what.
    """
    differences = [
        f"{name} was {_shown(begun_with.get(name, ''))}, now {_shown(asked.get(name, ''))}"
        for name in dict.fromkeys([*begun_with, *asked])
        if begun_with.get(name, "") != asked.get(name, "")
    ]
    if differences:
        raise ForeignRunDirectoryError(
            f"the run directory belongs to another campaign: {'; '.join(differences)}", hint=_HINT
        )


def _shown(value: str) -> str:
    return f'"{visible_text(value)}"'
