"""A set-up as files for each account's owner: documents, AWS CLI scripts, a page in plain words.

Never holds a secret and never asks an account: it is given the difference. Scripts read, merge and
write; what others put into a document stays. Names are hostile: every word is quoted for the shell,
and files are named by kinds and numbers.
Law: an owner needs nothing of the other account but word that its step is done.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backfill.model.escaping import visible_text
from backfill.setup.export_commands import fields_of, file_name, puts, script
from backfill.setup.layouts import TRUST_FIELD, items_of
from backfill.setup.recipes import MERGE_FILE, MERGE_PROGRAM
from backfill.setup.wanted import (
    Action,
    Difference,
    DocumentDifference,
    Fields,
    ResourceKind,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """One file: its path below the export's directory, with `/`, and its text."""

    path: str
    text: str
    is_program: bool = False


_STEPS: Final[Mapping[str, tuple[str, frozenset[ResourceKind]]]] = {
    "1-roles.sh": (
        "Step 1: buckets, queues, versioning and roles. Nothing of the other account is needed.",
        frozenset(
            {
                ResourceKind.BUCKET,
                ResourceKind.QUEUE,
                ResourceKind.VERSIONING,
                ResourceKind.OBJECT_LOCK,
                ResourceKind.ENCRYPTION,
                ResourceKind.ROLE_TRUST,
                ResourceKind.ROLE_POLICIES,
            }
        ),
    ),
    "2-policies.sh": (
        "Step 2: policies, which name the roles of step 1 of both accounts.",
        frozenset(
            {
                ResourceKind.KEY_POLICY,
                ResourceKind.BUCKET_POLICY,
                ResourceKind.EVENT_DESTINATION_POLICY,
            }
        ),
    ),
    "3-rules.sh": (
        "Step 3: replication rules and notifications. They need steps 1 and 2 of both accounts.",
        frozenset({ResourceKind.REPLICATION, ResourceKind.NOTIFICATION}),
    ),
}


def exported(difference: Difference) -> tuple[ExportedFile, ...]:
    """Return the files of every account that something is to be written in.

    Documents that could be read are put as they will stand, if nobody changed them since; of others
    the script reads first and lays ours in.
    """
    accounts = dict.fromkeys(document.resource.account for document in difference.documents)
    return tuple(
        file for account in accounts for file in _account_files(difference, account, len(accounts))
    )


def _account_files(difference: Difference, account: str, of: int) -> Iterator[ExportedFile]:
    mine = [each for each in difference.documents if each.resource.account == account]
    folder = f"account-{account}"
    work = [each for each in mine if _is_work(each)]
    numbered = {each.resource: number for number, each in enumerate(work, start=1)}
    for document in work:
        for name, fields in _documents(document, numbered[document.resource]):
            text = json.dumps(fields, indent=2, default=str) + "\n"
            yield ExportedFile(path=f"{folder}/{name}", text=text)
    steps = {}
    for name, (title, kinds) in _STEPS.items():
        group = [each for each in work if each.resource.kind in kinds]
        if group:
            steps[name] = title
            text = script(title, account, group, numbered)
            yield ExportedFile(path=f"{folder}/{name}", text=text, is_program=True)
    if steps:
        yield ExportedFile(path=f"{folder}/{MERGE_FILE}", text=MERGE_PROGRAM, is_program=True)
    page = _page(difference, account, mine, steps, is_alone=of == 1)
    yield ExportedFile(path=f"{folder}/README.md", text=page)


def _is_work(document: DocumentDifference) -> bool:
    is_refused = any(change.action is Action.REFUSE for change in document.changes)
    return document.is_change and not is_refused


def _documents(document: DocumentDifference, number: int) -> Iterator[tuple[str, Fields]]:
    """Give the documents of one resource: what is put, and what must be found before."""
    resource, after = document.resource, document.after or {}
    kind = resource.kind
    if kind is ResourceKind.ROLE_POLICIES:
        for index, change in enumerate(puts(document), start=1):
            yield file_name(resource, number, f"-{index}"), fields_of(after[change.identifier])
            if change.before is not None:
                yield file_name(resource, number, f"-{index}-before"), change.before
    elif kind is ResourceKind.ROLE_TRUST:
        yield file_name(resource, number), fields_of(after[TRUST_FIELD])
        if document.before is not None:
            before = fields_of(document.before[TRUST_FIELD])
            yield file_name(resource, number, "-before"), before
    elif kind not in {ResourceKind.BUCKET, ResourceKind.QUEUE}:
        yield file_name(resource, number), _unchosen(document, after)
        if document.before is not None:
            yield file_name(resource, number, "-before"), document.before


def _unchosen(document: DocumentDifference, after: Fields) -> Fields:
    """Return what is put; of rules laid in unread, no priority that was chosen without looking."""
    if document.unread is None or document.resource.kind is not ResourceKind.REPLICATION:
        return after
    chosen = {change.identifier for change in document.changes if "with priority" in change.reason}
    rules = [
        {
            name: value
            for name, value in item.content.items()
            if name != "Priority" or item.identifier not in chosen
        }
        for item in items_of(ResourceKind.REPLICATION, after)
    ]
    return {**after, "Rules": rules}


def _page(
    difference: Difference,
    account: str,
    documents: Sequence[DocumentDifference],
    steps: Mapping[str, str],
    *,
    is_alone: bool,
) -> str:
    lines = [f"# Account {account}: the set-up `{difference.name}`", ""]
    if not steps:
        lines += ["Nothing is to be done in this account.", ""]
    else:
        both = "" if is_alone else (
            " Both owners do step 1, then both step 2, then both step 3: tell each other. An"
            " account that has no script for a step has nothing to do in it."
        )  # fmt: skip
        lines.append(
            "Read what is to be changed below, then run the scripts in their order with credentials"
            f" of this account.{both} The scripts read each document, lay in what is ours, and put"
            " it: what others put there stays. Each may be run again."
        )
        lines += [
            "",
            *(f"- `{name}`: {title.partition(': ')[2]}" for name, title in steps.items()),
            "",
        ]
    lines += ["## What changes", ""]
    for document in documents:
        lines += [f"### {_plain(document.resource.title)}", ""]
        if document.unread is not None:
            lines += ["What stands there now was not read: the script reads it.", ""]
        for change in document.changes:
            word = f" `{_plain(change.identifier)}`" if change.identifier else ""
            lines.append(f"- {change.action.value}{word}: {_plain(change.reason)}")
        lines += [*(f"- note: {_plain(note)}" for note in document.notes), ""]
    if difference.notes:
        lines += ["## Notes", "", *(f"- {_plain(note)}" for note in difference.notes), ""]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Return a text that no Markdown reader makes a link, a tag or a line of."""
    return re.sub(r"([`<>\[\]|])", r"\\\1", visible_text(text))
