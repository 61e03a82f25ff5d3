"""Renders docs/reference from the code: command line, campaign, exit codes, events, closed lists.

Never holds a fact of its own; what a page should say belongs into the module that it is made from.
Law: the same code gives the same pages, byte for byte; CI compares them.
"""

import ast
import contextlib
import dataclasses
import difflib
import enum
import inspect
import io
import itertools
import json
import os
import re
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from backfill import errors, settings
from backfill.batch_operations.failure_codes import FAILURE_CODES, FailureClass
from backfill.campaign_options import OPTIONS
from backfill.cli.jobs import ACTIONS as JOB_ACTIONS
from backfill.cli.main import EPILOG, VERBS, build_parser
from backfill.events import calls, copying, holding, jobs, judging, replication, restoring, runs
from backfill.model.outcome import OutcomeKind
from backfill.plan.reasons import REASON_TEXTS, ROUTE_TEXTS, Text
from backfill.preflight.canary_plan import FOLDER as CANARY_FOLDER
from backfill.preflight.catalogue import CATALOGUE
from backfill.preflight.findings import FINDING_FIELDS, Part
from backfill.preflight.findings import SCHEMA as FINDINGS_SCHEMA
from backfill.preflight.findings import Verdict as PreflightVerdict
from backfill.report.csv_rows import COLUMN_MEANINGS
from backfill.report.document import EVIDENCE_SENTENCES, SCHEMA, Node, Report
from backfill.report.wording import VERDICT_SENTENCES, Tone
from backfill.setup.fields import FIELDS as SETUP_FIELDS
from backfill.setup.fields import REPEATED, SpecField
from backfill.verify import verdicts
from backfill.watch.causes import Cause
from backfill.watch.mends import MissingStatement
from backfill.watch.metrics import Trend
from backfill.watch.notices import Word
from backfill.watch.picture import ManifestFilePicture, Picture, QueuePicture, RulePicture
from backfill.watch.verdicts import Verdict as WatchVerdict
from tests.doubles import damage_table
from tests.doubles.fidelity_table import Keeping, markdown_table

FOLDER = Path(__file__).resolve().parents[1] / "docs/reference"
NOTE = "<!-- Written by scripts/docs from the code. Do not edit. -->"
COLUMNS = 100


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table in Markdown."""
    names = list(head)
    lines = [names, ["---"] * len(names), *([_cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def paragraph(text: str | None) -> str:
    """Return a docstring's first paragraph on one line."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


def member_docs(kind: type[object]) -> dict[str, str]:
    """Return the docstrings that stand below the members or fields of a class."""
    tree = ast.parse(inspect.getsource(kind))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    found = {}
    for node, after in itertools.pairwise(body):
        match node, after:
            case (
                ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = text
    return found


def attribute_docs(kind: type[object]) -> dict[str, str]:
    """Return what the Attributes section of a class's docstring says of each field."""
    section = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if line.startswith("    ") and not line.startswith("     "):
            name, _, text = line.strip().partition(": ")
            found[name] = text
        elif name:
            found[name] += " " + line.strip()
    return found


def closed_list(kind: type[enum.StrEnum], sentences: Mapping[str, str] | None = None) -> str:
    """Return an enum as a section: what it is, and its members."""
    docs = member_docs(kind)
    told = sentences or {}
    rows = [(f"`{word.value}`", told.get(word.value) or docs.get(word.name, "")) for word in kind]
    assert all(meaning for _, meaning in rows) or not any(meaning for _, meaning in rows), kind
    has_meanings = all(meaning for _, meaning in rows)
    head = ("word", "meaning") if has_meanings else ("word",)
    return f"## {kind.__name__}\n\n{paragraph(kind.__doc__)}\n\n" + table(
        head, [row[: len(head)] for row in rows]
    )


def command_line() -> str:
    """Return the help of the command and of every verb."""
    sections = [f"```text\n{help_of()}```"]
    for name in VERBS:
        sections.append(f"## {name}\n\n```text\n{help_of(name)}```")
        actions = JOB_ACTIONS if name == "jobs" else ()
        sections += [f"### {name} {one}\n\n```text\n{help_of(name, one)}```" for one in actions]
    return "\n\n".join(sections)


def help_of(*verb: str) -> str:
    """Return what `backfill [VERB] --help` prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        build_parser().parse_args([*verb, "--help"])
    return printed.getvalue()


def campaign() -> str:
    """Return every option in its three spellings."""
    rows = [
        (
            f"`[{option.table}] {option.name}`",
            f"`{option.flag}`" if option.flag else "",
            f"`{option.environment}`",
            f"{option.kind.value}: {', '.join(option.choices)}" if option.choices else option.kind,
            option.help,
        )
        for option in OPTIONS
    ]
    return "A flag wins over its variable, a variable over `campaign.toml`.\n\n" + table(
        ("campaign.toml", "flag", "environment", "value", "meaning"), rows
    )


def exit_codes() -> str:
    """Return the tree of errors, and each with its code."""
    tree = inspect.cleandoc(errors.__doc__ or "").split("\n\n")[1]
    codes = re.sub(r"\s*[·\n]\s*", "|", EPILOG.removeprefix("exit codes:").strip()).split("|")
    meanings = [re.fullmatch(r"([\d, ]*\d) (.+)", code) for code in codes]
    assert all(meanings), "the epilog lists codes and meanings"
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.BackfillError) and kind is not errors.BackfillError
    ]
    kinds.sort(key=lambda kind: (kind.exit_code, inspect.getsourcelines(kind)[1]))
    rows = [(kind.exit_code, f"`{kind.__name__}`", paragraph(kind.__doc__)) for kind in kinds]
    return "\n\n".join(
        (
            "If several apply, the first of 70, 20, 21, 3, 4, 5 is the code.",
            table(("code", "meaning"), [found.groups() for found in meanings if found]),
            table(("code", "error", "meaning"), rows),
            f"```text\n{tree}\n```",
        )
    )


def log_events() -> str:
    """Return every typed event with its fields."""
    told = (runs, holding, copying, restoring, jobs, judging, replication, calls)
    kinds = [kind for module in told for kind in vars(module).values() if isinstance(kind, type)]
    kinds = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
    rows = [
        (
            f"`{vars(kind)['name']}`",
            vars(kind)["level"],
            ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind)),
            paragraph(kind.__doc__),
        )
        for kind in kinds
    ]
    return (
        "Beside these, off a terminal, each stage writes `<stage>.progress` at intervals, and what "
        "libraries log comes as `library.message`. Every line has `timestamp`, `level`, `event` "
        "and `run_id`.\n\n" + table(("event", "level", "fields", "meaning"), rows)
    )


def reasons() -> str:
    """Return the routes and reasons of a plan with their sentences and remedies."""

    def rows(texts: Iterable[tuple[enum.StrEnum, Text]]) -> str:
        body = [(f"`{word.value}`", text.sentence, text.remedy) for word, text in texts]
        return table(("word", "meaning", "remedy"), body)

    return f"## Routes\n\n{rows(ROUTE_TEXTS.items())}\n\n## Reasons\n\n{rows(REASON_TEXTS.items())}"


def failure_codes() -> str:
    """Return what each failure code of a Batch Operations task means, and what mends it."""
    rows = [
        (f"`{code}`", f"`{told.cls}`", told.sentence, told.mend)
        for code, told in FAILURE_CODES.items()
    ]
    return f"""S3 Batch Operations carries out one task for each object version of a job's manifest
and writes into the job's completion report how each ended. A task that failed has a code. It is
kept as S3 wrote it, counted, and shown with what is said here.

Two roles are at work. S3 runs the *job* under the batch role, and carries every object over under
the *replication role*, which the replication configuration names. SOURCE and DESTINATION stand for
the names of the buckets.

{closed_list(FailureClass)}

## Codes

{table(("code", "class", "what happened", "what mends it"), rows)}

A code that is not listed here has the class `unknown`; without any code, HTTP 429 and 5xx are
`again`."""


def preflight_checks() -> str:
    """Return every check of preflight by its id, and what the findings look like as JSON."""
    sections = [
        f"""## {check.id}

{check.asks} {check.why} Part: `{check.part}`."""
        for check in CATALOGUE
    ]
    return f"""`backfill preflight` carries out all of them, `backfill run` begins with them. See
the [guide](../guides/preflight.md). What is not there at all (jobs without a batch role, say) gives
no finding.

{closed_list(PreflightVerdict)}

{closed_list(Part)}

## JSON

`--json` prints one object: `schema` (`{FINDINGS_SCHEMA}`), `verdict` (`green` or `blocked`),
`counts` by verdict, `findings`, and `notes` about what no check can see. A finding has:

{table(("field", "meaning"), FINDING_FIELDS)}

{chr(10).join(section + chr(10) for section in sections)}
## canary

Does an object that is written now arrive? Only with `--canary`: one small object for each
destination, below `{CANARY_FOLDER}` behind the rule's own prefix. `ok`: it arrived, equal in bytes,
checksums, metadata, tags, storage class and encryption, with the status REPLICA; `warning`: it
arrived and differs; `blocker`: S3 says FAILED, or gave it no replication status; `cannot tell`: it
was on its way when the time was over, or could not be written. Nothing deletes it."""


def results() -> str:
    """Return the closed lists of outcomes and verdicts."""
    verdict_sentences = {word: told[0] for word, told in VERDICT_SENTENCES.items()}
    return "\n\n".join(
        (
            closed_list(OutcomeKind),
            closed_list(verdicts.Verdict, verdict_sentences),
            closed_list(verdicts.Evidence, EVIDENCE_SENTENCES),
            closed_list(verdicts.Fidelity),
            closed_list(verdicts.Field),
        )
    )


def fidelity() -> str:
    """Return what each way keeps, field by route, from the table that the tests hold to."""
    words = ", ".join(f"*{keeping.value}*" for keeping in Keeping)
    return f"What becomes of each field on each route: {words}.\n\n{markdown_table().rstrip()}"


def damage() -> str:
    """Return what verify says of each damage, from the table that the tests hold to it."""
    return f"""What `backfill verify` says of each damage to each kind of copy, where the plan
of the run is at hand. `tests/damage` tries each cell, with ETags and checksums as S3 derives them.

- *equal, but tags*: the bytes are equal, and the object tags differ.
- *unverified*: nothing that S3 stores on both sides can be compared. `--deep` reads the bytes.
- *fidelity not looked at*: two listings prove a replica by its version ID and ETag; metadata, tags
  and the rest are compared with `--deep`.
- *extra*: a version beside it that the source lacks. What lies below the current version is
  compared with `--versions all`.

{damage_table.markdown_table().rstrip()}"""


def report() -> str:
    """Return the report's files: the fields of report.json and the columns of rows.csv."""
    docs = attribute_docs(Report)
    fields = [(f"`{field.name}`", docs[field.name]) for field in dataclasses.fields(Report)]
    columns = [(f"`{name}`", meaning) for name, meaning in COLUMN_MEANINGS.items()]
    return f"""## report.json

Schema `{SCHEMA}`, formally in [report.schema.json](report.schema.json). Who
reads it ignores fields that it does not know.

{table(("field", "holds"), fields)}

## rows.csv

One line for every source version and delete marker, for each destination, and for every extra
object. UTF-8, RFC 4180 quoting, LF.

{table(("column", "meaning"), columns)}

## report.html

The same totals for people: one file, no script, no network. It shows the first rows that
need a person; all of them are in rows.csv."""


def report_schema() -> str:
    """Return the JSON Schema of report.json, made from its dataclasses."""
    kinds: dict[str, object] = {}
    _add_schema(Report, kinds)
    top = typing.cast("dict[str, object]", kinds.pop(Report.__name__))
    tones = {"enum": [tone.value for tone in Tone]}
    _narrow(top, schema={"const": SCHEMA}, exit_code={"enum": [0, 3, 4, 5]}, tone=tones)
    _narrow(kinds[Node.__name__], tone=tones)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        **top,
        "$defs": kinds,
    }
    return json.dumps(document, indent=2) + "\n"


def _narrow(kind: object, **closed: Mapping[str, object]) -> None:
    """Say which values a property can have, where its type says less."""
    properties = typing.cast("dict[str, dict[str, dict[str, object]]]", kind)["properties"]
    for name, values in closed.items():
        properties[name].pop("type")
        properties[name].update(values)


def _add_schema(kind: type[object], kinds: dict[str, object]) -> None:
    assert dataclasses.is_dataclass(kind), kind
    hints = typing.get_type_hints(kind)
    kinds[kind.__name__] = {}  # taken before its fields are, because a node holds nodes
    docs = attribute_docs(kind)
    properties = {
        name: ({"description": docs[name]} if name in docs else {}) | _schema_of(hint, kinds)
        for name, hint in hints.items()
    }
    kinds[kind.__name__] = {
        "description": paragraph(kind.__doc__),
        "type": "object",
        "properties": properties,
        "required": [field.name for field in dataclasses.fields(kind)],
    }


def _schema_of(hint: object, kinds: dict[str, object]) -> dict[str, object]:
    if typing.get_origin(hint) is tuple:
        return {"type": "array", "items": _schema_of(typing.get_args(hint)[0], kinds)}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if hint.__name__ not in kinds:
            _add_schema(hint, kinds)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if hint is int:
        return {"type": "integer"}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    assert hint is str, hint
    return {"type": "string"}


def watch() -> str:
    """Return what `backfill watch --json` prints, and its closed lists."""
    sections = ["`--once` prints one document, otherwise each look is one line."]
    for kind in (Picture, RulePicture, Cause, MissingStatement, QueuePicture, ManifestFilePicture):
        docs = attribute_docs(kind)
        rows = [(f"`{field.name}`", docs[field.name]) for field in dataclasses.fields(kind)]
        about = paragraph(kind.__doc__)
        sections.append(f"## {kind.__name__}\n\n{about}\n\n{table(('field', 'holds'), rows)}")
    lists = map(closed_list, (WatchVerdict, Trend, Word))
    return "\n\n".join([*sections, *lists])


def limits() -> str:
    """Return every limit with its default and its reason."""
    docs = attribute_docs(settings.Settings)
    defaults = settings.Settings()
    rows = [
        (f"`{field.name}`", getattr(defaults, field.name), docs.get(field.name, ""))
        for field in dataclasses.fields(settings.Settings)
    ]
    return table(("limit", "default", "meaning and reason"), rows)


def setup_spec() -> str:
    """Return every field of a setup spec, and every option of S3's replication console."""
    rows = [
        (
            f"`{where} {field.name}`".replace("` ", "`"),
            f"`{field.flag}`" if field.flag else "",
            f"{field.kind.value}: {', '.join(field.choices)}" if field.choices else field.kind,
            field.sets,
            field.console,
            f"[{_test_of(field)}](../../tests/unit/setup/{field.test.partition('::')[0]})",
        )
        for field in SETUP_FIELDS
        for where in [f"[[{field.table}]]" if field.table in REPEATED else f"[{field.table}]"]
    ]
    head = ("field", "flag", "holds", "what it sets", "option of S3's console", "test")
    return (
        "What `backfill setup` reads: a TOML file, or flags for one destination and one rule."
        " Examples are in [manifests/setup](../../manifests/setup), and what setup makes of them,"
        " in empty accounts, in [manifests/iam/setup](../../manifests/iam/setup)."
        " Tables with two brackets may stand more than once.\n\n"
        + table(head, [(cell.replace("[] ", ""), *rest) for cell, *rest in rows])
        + "\n\n"
        + SETUP_NOT_OFFERED
    )


def _test_of(field: SpecField) -> str:
    """Return the test of a field as pytest names it; the cases of one test are named by field."""
    name = field.test.partition("::")[2]
    return f"{name}\\[{field.table}-{field.name}\\]" if "option" in name else name


SETUP_NOT_OFFERED = """\
## What has no field

- Existing objects: S3 no longer takes `ExistingObjectReplication`; `backfill run` brings them over.
- Versioning: replication does not work without it, so it is enabled on both buckets, and left on.
- Permissions boundaries and attached policies of roles: setup writes inline policies of its own
  name alone.
- Conditions in the trust policies of replication and Batch Operations roles: S3's documentation
  names none that it sends there, and one that it does not send would stop replication.
  `iam:PassRole` decides who may name a role; policies of queues, topics, functions and keys do have
  conditions, `aws:SourceArn` and `aws:SourceAccount`, `kms:ViaService` and the encryption context.

## Whose is what

Rule IDs, notification Ids and policy names begin with `backfill.NAME.`, Sids are
`BackfillPURPOSEForNAME`, and roles that setup makes have the tag `backfill:setup`. What has no such
mark is another's and stays, field by field. A document is refused, with both texts, where ours
cannot be laid beside another's: an identifier that is about something else, a priority that is
taken, a rule of the old schema, another role for rules of others, events that somebody else asks
for, a limit of AWS, an element that this version's SDK does not know. The last meets `bucket-keys`
on buckets whose default encryption says `BlockedEncryptionTypes`, as S3 says of new ones: switch
the Bucket Key on by hand there."""


PAGES: dict[str, tuple[str, Callable[[], str]]] = {
    "cli.md": ("Command line", command_line),
    "campaign.md": ("Campaign", campaign),
    "setup-spec.md": ("Setup spec", setup_spec),
    "exit-codes.md": ("Exit codes", exit_codes),
    "reasons.md": ("Routes and reasons", reasons),
    "failure-codes.md": ("Failure codes of Batch Operations", failure_codes),
    "checks.md": ("Checks of preflight", preflight_checks),
    "results.md": ("Outcomes, verdicts, evidence", results),
    "fidelity.md": ("Fidelity", fidelity),
    "damage.md": ("What verify says of damage", damage),
    "report.md": ("Report files", report),
    "watch.md": ("What watch prints", watch),
    "events.md": ("Log events", log_events),
    "limits.md": ("Limits", limits),
}


def contents() -> str:
    """Return the list of the pages."""
    return "\n".join(f"- [{title}]({name})" for name, (title, _) in PAGES.items())


def rendered() -> dict[str, str]:
    """Return every file of the folder as it should be, by name."""
    # What argparse prints depends on both; a page must not depend on who renders it.
    os.environ["COLUMNS"] = str(COLUMNS)
    os.environ["NO_COLOR"] = "1"
    pages = {"README.md": ("Reference", contents), **PAGES}
    texts = {name: f"{NOTE}\n\n# {title}\n\n{make()}\n" for name, (title, make) in pages.items()}
    return {**texts, "report.schema.json": report_schema()}


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check say where they differ from what is written."""
    is_check = arguments == ["--check"]
    if arguments and not is_check:
        print("usage: scripts/docs [--check]", file=sys.stderr)
        return 2
    texts = rendered()
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = {path.name for path in FOLDER.iterdir()} - texts.keys()
    differences = [f"{FOLDER / name}: no page of scripts/docs" for name in sorted(stale)]
    for name, text in texts.items():
        path = FOLDER / name
        if is_check:
            written = path.read_text() if path.exists() else ""
            differences += difflib.unified_diff(
                written.splitlines(), text.splitlines(), str(path), "from the code", lineterm=""
            )
        else:
            path.write_text(text)
    print("\n".join(differences), end="\n" if differences else "")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
