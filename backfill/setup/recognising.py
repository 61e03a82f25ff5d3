"""Knows the widely copied destination policy when it sees it, and says what it lacks and exceeds.

Never changes it: a statement of somebody else's stays. Articles that set replication up grant
s3:PutObject, s3:PutObjectAcl and s3:GetObjectVersionForReplication on the destination, which
replication never asks for there (S3 User Guide: setting-repl-config-perm-overview).
Law: what is not recognised is not spoken of.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from backfill.model.escaping import quoted
from backfill.policies.replication_needs import WIDELY_COPIED
from backfill.setup.layouts import Item
from backfill.setup.likeness import parties
from backfill.setup.wanted import Fields, Resource, ResourceKind, WantedPart

NOT_NEEDED: Final = {
    "s3:putobject": "replication writes by s3:ReplicateObject",
    "s3:putobjectacl": "replication writes ACLs by s3:ReplicateObject",
    "s3:putobjectversionacl": "replication writes ACLs by s3:ReplicateObject",
    "s3:getobjectversionforreplication": "that is read on the source",
    "s3:getobjectversionacl": "that is read on the source",
    "s3:getobjectversiontagging": "that is read on the source",
}
"""What copied policies grant on the destination, in small letters, and why it is not needed."""

_REPLICATION: Final = "s3:replicate*"


def copied_policy_notes(
    resource: Resource, parts: Sequence[WantedPart], others: Sequence[Item]
) -> Iterator[str]:
    """Give a note for every statement of others that is such a policy for our role."""
    if resource.kind is not ResourceKind.BUCKET_POLICY:
        return
    needed = {word.lower(): word for part in parts for word in _granted(part.content)}
    ours = {party for part in parts for party in parties(resource.kind, part.content)}
    accounts = {party.split(":")[4] for party in ours if party.startswith("arn:")}
    roots = {f":{account}:root" for account in accounts}
    for item in others:
        named = parties(resource.kind, item.content)
        is_about_us = named & ours or any(word.endswith(tuple(roots)) for word in named)
        actions = [word.lower() for word in _granted(item.content)]
        if not is_about_us or not any(_is_replication(word) for word in actions):
            continue
        more = [f"{word} ({why})" for word, why in NOT_NEEDED.items() if word in actions]
        lacks = [
            word
            for small, word in sorted(needed.items())
            if not any(fnmatchcase(small, action) for action in actions)
        ]
        if more or lacks:
            is_copied = {word.lower() for word in WIDELY_COPIED} <= set(actions)
            what = "statement" if not is_copied else "the widely copied statement"
            said = f"{what} {quoted(item.identifier or 'without Sid')} lets the role in already"
            exceeds = f"; more than is needed: {', '.join(more)}" if more else ""
            short = f"; lacking: {', '.join(lacks)}" if lacks else ""
            yield f"{said}{exceeds}{short}. It stays: setup's own statements stand beside it"


def _is_replication(action: str) -> bool:
    return fnmatchcase(action, _REPLICATION)


def _granted(statement: Fields) -> list[str]:
    """Return the actions of an Allow statement."""
    actions = statement.get("Action", ())
    if statement.get("Effect") != "Allow" or isinstance(actions, Mapping):
        return []
    if isinstance(actions, str):
        return [actions]
    return [str(word) for word in actions] if isinstance(actions, Sequence) else []
