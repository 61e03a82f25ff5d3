"""From a parsed setup.toml, or from flags for the simple case, to a checked spec.

Never reads a file: it is handed what the file holds.
Law: everything that is wrong is told at once, each with its place; nothing is guessed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from backfill.errors import UsageError
from backfill.model.attributes import Pairs
from backfill.model.escaping import quoted, visible_text
from backfill.setup.faults import Fault
from backfill.setup.fields import FIELDS, REPEATED, ROLE_TABLES, SpecField
from backfill.setup.spec import (
    DEFAULT_PATH,
    BatchSpec,
    DestinationSpec,
    NotificationSpec,
    Owner,
    ReplicationEvent,
    RoleSpec,
    RuleSpec,
    SourceSpec,
    Spec,
)
from backfill.setup.validation import faults_of

RULE_NAME: Final = "all"
"""Name of the one rule that flags describe."""
NOTIFICATION_NAME: Final = "events"
"""Name of the one notification that flags describe."""


def spec_of(document: Mapping[str, object], *, place: str) -> Spec:
    """Return the spec of a parsed setup.toml; `place` is its name in messages.

    Raises:
        UsageError: With every fault, one a line, each with its place and the hint that mends it.
    """
    reader = _Reader()
    spec = reader.spec(document)
    # Contradictions between fields are told when each field is sound: not twice for one slip.
    faults = reader.faults or list(faults_of(spec))
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = "\n".join(f"  {fault.line}" for fault in faults)
        raise UsageError(f"{visible_text(place)}: {count}\n{lines}")
    return spec


def document_of_flags(flags: Mapping[str, object]) -> dict[str, object]:
    """Return what flags say as the document of a spec; `flags` are values by flag, None unset.

    Flags describe one destination, one rule and one notification. The set-up is named by the
    source bucket unless `--name` says otherwise.
    """
    tables: dict[str, dict[str, object]] = {}
    for known in FIELDS:
        value = flags.get(known.flag) if known.flag else None
        if value is not None and value not in ((), []):
            tables.setdefault(known.table, {})[known.name] = value
    top = tables.pop("", {})
    bucket = str(tables.get("source", {}).get("bucket", ""))
    top.setdefault("name", name_of_bucket(bucket))
    tables["rule"] = {"name": RULE_NAME, **tables.get("rule", {})}
    if "notification" in tables:
        tables["notification"] |= {
            "name": NOTIFICATION_NAME,
            "events": _events_of(tables["rule"]),
        }
    return {
        **top,
        **{name: [body] if name in REPEATED else body for name, body in tables.items()},
    }


def _events_of(rule: Mapping[str, object]) -> list[str]:
    return [
        event.value
        for event in ReplicationEvent
        if rule.get("time-control") or not event.needs_time_control
    ]


def name_of_bucket(bucket: str) -> str:
    """Return a set-up's name for a bucket: its letters and digits, beginning with a letter."""
    return re.sub(r"^[0-9]*", "", re.sub(r"[^a-z0-9]", "", bucket.lower()))[:32] or "replication"


_Table = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Reads fields one by one and keeps every fault, so that one reading tells all."""

    faults: list[Fault] = field(default_factory=list)

    def spec(self, document: _Table) -> Spec:
        tables = {name: list(self._tables(document, name)) for name in _TABLES if name}
        for name in document:
            if name not in _TABLES and (("", name) not in _KNOWN):
                self._fault(f"[{name}]", "is not known", f"tables are: {', '.join(_TABLES[1:])}")
        top = {name: value for name, value in document.items() if ("", name) in _KNOWN}
        name = self._text("", top, "name") or "replication"
        destinations = tuple(self._destination(*row) for row in tables["destination"])
        only = destinations[0].bucket if len(destinations) == 1 else ""
        roles = {table: self._role(table, tables[table], name) for table in ROLE_TABLES}
        return Spec(
            name=name,
            source=self._source(*self._one("source", tables)),
            destinations=destinations,
            role=roles["role"],
            reverse_role=roles["reverse-role"],
            rules=tuple(self._rule(*row, only) for row in tables["rule"]),
            notifications=tuple(self._notification(*row) for row in tables["notification"]),
            batch=self._batch(tables, roles),
        )

    def _tables(self, document: _Table, name: str) -> Iterator[tuple[str, _Table]]:
        body = document.get(name, ())
        if isinstance(body, Mapping):
            body = (body,)
        if isinstance(body, str) or not isinstance(body, Sequence):
            self._fault(f"[{name}]", "is a table", f"write [{name}] above its fields")
            return
        if len(body) > 1 and name not in REPEATED:
            self._fault(f"[{name}]", "stands more than once", "one is enough")
        for number, row in enumerate(body, start=1):
            place = f"[{name} {number}]" if len(body) > 1 else f"[{name}]"
            if not isinstance(row, Mapping):
                self._fault(place, "is a table", f"write [{name}] above its fields")
                continue
            for word in row:
                if (name, word) not in _KNOWN:
                    known = ", ".join(each for table, each in _KNOWN if table == name)
                    self._fault(f"{place} {word}", "is not known", f"it knows: {known}")
            yield place, row

    def _one(self, name: str, tables: Mapping[str, list[tuple[str, _Table]]]) -> tuple[str, _Table]:
        return tables[name][0] if tables[name] else (f"[{name}]", {})

    def _source(self, place: str, row: _Table) -> SourceSpec:
        return SourceSpec(
            bucket=self._text(place, row, "bucket", table="source"),
            account=self._text(place, row, "account", table="source"),
            region=self._text(place, row, "region", table="source"),
            kms_key_arns=self._words(place, row, "kms-key-arns", table="source"),
            has_object_lock=self._switch(place, row, "object-lock"),
            has_annotations=self._switch(place, row, "annotations"),
        )

    def _destination(self, place: str, row: _Table) -> DestinationSpec:
        return DestinationSpec(
            bucket=self._text(place, row, "bucket", table="destination"),
            account=self._text(place, row, "account", table="destination"),
            region=self._text(place, row, "region", table="destination"),
            has_policy=(
                self._switch(place, row, "bucket-policy") if "bucket-policy" in row else None
            ),
            has_bucket_keys=self._switch(place, row, "bucket-keys"),
            is_guarded=self._switch(place, row, "guard"),
        )

    def _role(self, table: str, rows: list[tuple[str, _Table]], name: str) -> RoleSpec:
        place, row = rows[0] if rows else (f"[{table}]", {})
        arn = self._text(place, row, "arn", table=table)
        if arn and (given := [word for word in ("name", "path") if row.get(word)]):
            self._fault(f"{place} arn", f"beside {given[0]}", "an existing role has its own")
        return RoleSpec(
            name=self._text(place, row, "name", table=table) or f"backfill-{name}-{_ROLES[table]}",
            path=self._text(place, row, "path", table=table) or DEFAULT_PATH,
            arn=arn,
            has_policy=self._switch(place, row, "policy", default=True),
        )

    def _rule(self, place: str, row: _Table, only_destination: str) -> RuleSpec:
        owner = self._text(place, row, "owner", table="rule")
        return RuleSpec(
            name=self._text(place, row, "name", table="rule"),
            destination=self._text(place, row, "destination", table="rule") or only_destination,
            is_enabled=self._switch(place, row, "enabled", default=True),
            priority=self._number(place, row, "priority"),
            prefix=self._text(place, row, "prefix", table="rule"),
            tags=self._tags(place, row, "tags"),
            owner=Owner(owner) if owner in tuple(Owner) else Owner.DESTINATION,
            kms_key_arn=self._text(place, row, "kms-key-arn", table="rule"),
            kms_readers=self._words(place, row, "kms-readers", table="rule"),
            storage_class=self._text(place, row, "storage-class", table="rule"),
            has_time_control=self._switch(place, row, "time-control"),
            has_metrics=self._switch(place, row, "metrics", default=True),
            replicates_delete_markers=self._switch(place, row, "delete-markers"),
            syncs_replica_modifications=self._switch(place, row, "replica-modifications"),
        )

    def _notification(self, place: str, row: _Table) -> NotificationSpec:
        events = self._words(place, row, "events", table="notification")
        return NotificationSpec(
            name=self._text(place, row, "name", table="notification"),
            arn=self._text(place, row, "arn", table="notification"),
            queue=self._text(place, row, "queue", table="notification"),
            events=tuple(ReplicationEvent(word) for word in events if word in _EVENTS),
        )

    def _batch(
        self, tables: Mapping[str, list[tuple[str, _Table]]], roles: Mapping[str, RoleSpec]
    ) -> BatchSpec | None:
        place, row = self._one("batch", tables)
        for table in ("batch-role", "batch-destination-role"):
            if tables[table] and not tables["batch"]:
                self._fault(f"[{table}]", "without [batch]", "name a bucket: [batch] bucket = ...")
        if not tables["batch"]:
            return None
        bucket = self._text(place, row, "destination-bucket", table="batch")
        return BatchSpec(
            bucket=self._text(place, row, "bucket", table="batch"),
            role=roles["batch-role"],
            makes_buckets=self._switch(place, row, "make-buckets", default=True),
            has_generated_manifests=self._switch(place, row, "generated-manifests", default=True),
            has_checksums=self._switch(place, row, "checksums"),
            destination_bucket=bucket,
            destination_role=roles["batch-destination-role"] if bucket else None,
        )

    def _text(self, place: str, row: _Table, name: str, *, table: str = "") -> str:
        value = row.get(name, "")
        if not isinstance(value, str):
            self._fault(f"{place} {name}", f"is text, not {quoted(value)}", "put it in quotes")
            return ""
        choices = _KNOWN[table, name].choices
        if choices and value and value not in choices:
            self._fault(f"{place} {name}", f"{quoted(value)} is no choice", _one_of(choices))
            return ""
        return value

    def _switch(self, place: str, row: _Table, name: str, *, default: bool = False) -> bool:
        value = row.get(name, default)
        if not isinstance(value, bool):
            self._fault(
                f"{place} {name}", f"is true or false, not {quoted(value)}", "without quotes"
            )
            return default
        return value

    def _number(self, place: str, row: _Table, name: str) -> int | None:
        value = row.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            self._fault(f"{place} {name}", f"is a number, not {quoted(value)}", "without quotes")
            return None
        return value

    def _words(self, place: str, row: _Table, name: str, *, table: str) -> tuple[str, ...]:
        value = row.get(name, ())
        if isinstance(value, str):
            value = (value,)
        if not isinstance(value, Sequence) or not all(isinstance(word, str) for word in value):
            self._fault(f"{place} {name}", "is a list of texts", 'write ["...", "..."]')
            return ()
        words = tuple(str(word) for word in value)
        choices = _KNOWN[table, name].choices
        if choices and (unknown := [word for word in words if word not in choices]):
            self._fault(f"{place} {name}", f"{quoted(unknown[0])} is no choice", _one_of(choices))
        return words

    def _tags(self, place: str, row: _Table, name: str) -> Pairs:
        value = row.get(name, {})
        if isinstance(value, Sequence) and not isinstance(value, str):  # of flags: KEY=VALUE
            words = [word.partition("=") for word in value if isinstance(word, str) and "=" in word]
            pairs = [(key, item) for key, _, item in words]
            is_sound = len(pairs) == len(value) and len(dict(pairs)) == len(pairs)
            value = dict(pairs) if is_sound else None
        if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
            hint = 'write tags = { team = "media" }, or --tag team=media, each key once'
            self._fault(f"{place} {name}", "is a table of texts", hint)
            return ()
        return tuple(sorted((str(key), str(item)) for key, item in value.items()))

    def _fault(self, place: str, message: str, hint: str) -> None:
        self.faults.append(Fault(place=place.strip(), message=message, hint=hint))


def _one_of(choices: Sequence[str]) -> str:
    return f"one of: {', '.join(choices)}"


_KNOWN: Final[dict[tuple[str, str], SpecField]] = {(each.table, each.name): each for each in FIELDS}
_TABLES: Final = tuple(dict.fromkeys(each.table for each in FIELDS))
_EVENTS: Final = tuple(ReplicationEvent)
_ROLES: Final = {
    "role": "replication",
    "reverse-role": "reverse",
    "batch-role": "batch",
    "batch-destination-role": "checksums",
}
"""The last word of the names of roles that setup makes."""
