"""One run in which everything happened, and every number, sentence and step that is told of it."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from backfill.errors import TotalsError
from backfill.execute.codes import Code
from backfill.execute.restoring.ledger import Ledger
from backfill.model.archives import Archive, Retrieved
from backfill.model.outcome import OutcomeKind
from backfill.plan.entries import PlanEntry
from backfill.plan.routes import Handling, Reason, Route
from backfill.plan.totals import Amount
from backfill.report.csv_rows import (
    COLUMNS,
    LINES_AT_ONCE,
    are_plain,
    csv_cells,
    csv_lines,
    encoded_key,
    safe_cell,
)
from backfill.report.document import (
    EVIDENCE_SENTENCES,
    FIDELITY_SENTENCES,
    Count,
    Node,
    Trouble,
    code_counts,
    counts,
    headline_of,
    totals_tree,
    trouble_of,
    way_counts,
)
from backfill.report.histories import HistoryCount, went_as_history
from backfill.report.html import page, template
from backfill.report.next_steps import next_steps
from backfill.report.restored import Restored, RestoredArchive, restored_line, restored_of
from backfill.report.run import REPORT_HTML
from backfill.report.tally import (
    Kinds,
    ReportRow,
    Tally,
    branch_of,
    has_failed,
    is_trouble,
    joined_rows,
    way_of,
)
from backfill.report.wording import (
    REASON_TONES,
    VERDICT_SENTENCES,
    Tone,
    code_words,
    outcome_sentence,
    route_sentence,
    way_name,
    way_sentence,
)
from backfill.verify.verdicts import Evidence, Fidelity, Field, Verdict
from tests.unit.report.rows import entry, outcome, verdict
from tests.unit.report.test_report import written

BATCH, COPY = Route.BATCH_REPLICATION, Route.COPY_OBJECT
COPIED, FAILED, SKIPPED = OutcomeKind.COPIED, OutcomeKind.FAILED, OutcomeKind.SKIPPED
DENIED = "DstPutObjectNotPermitted"


def rows() -> list[ReportRow]:
    """Return a run's rows: of each kind one, and two that are alike."""
    plan = [
        entry(0, "a", BATCH),
        entry(1, "b", BATCH),
        entry(2, "c", size_bytes=100),
        entry(3, "d", Route.DELETE_MARKER, is_delete_marker=True),
        entry(4, "e"),
        entry(5, "f"),
        entry(6, "g"),
        entry(7, "h", Reason.ARCHIVED, size_bytes=1000),
        entry(8, "i", Reason.NO_RULE),
        entry(9, "j", Reason.NOT_READABLE),
        entry(10, "k"),
        entry(11, "l"),
        entry(12, "m"),
    ]
    outcomes = [
        (0, outcome(0, OutcomeKind.REPLICATED)),
        (1, outcome(1, SKIPPED, "DstObjectHardDeleted")),
        (1, outcome(1)),
        (2, outcome(2)),
        (3, outcome(3, OutcomeKind.MARKED)),
        (4, outcome(4, FAILED, DENIED)),
        (5, outcome(5, FAILED, DENIED)),
        (10, outcome(10)),
        (11, outcome(11)),
        (12, outcome(12)),
    ]
    verdicts = [
        verdict(0, "a")._replace(
            evidence=Evidence.VERSION_ID_AND_ETAG, fidelity=Fidelity.NOT_LOOKED_AT
        ),
        verdict(1, "b"),
        verdict(2, "c", Verdict.EQUAL, (Field.TAGS, Field.METADATA)),
        verdict(3, "d")._replace(evidence=Evidence.LISTING),
        verdict(4, "e", Verdict.MISSING),
        verdict(5, "f"),
        verdict(10, "k", Verdict.UNVERIFIED)._replace(evidence=Evidence.NOT_READ),
        verdict(11, "l", Verdict.UNVERIFIED)._replace(evidence=Evidence.NONE),
        verdict(12, "m", Verdict.IN_FLIGHT),
        verdict(None, "z", Verdict.EXTRA),
    ]
    return list(joined_rows(plan, outcomes, verdicts))


def tally_of(some: list[ReportRow]) -> Tally:
    tally = Tally()
    for row in some:
        tally.add(row)
    return tally


WHOLE = tally_of(rows())


def test_every_total_is_the_sum_of_its_rows() -> None:
    """If this fails, a number of the report is of other rows than it says."""
    ten = Amount(rows=1, size_bytes=10)
    assert WHOLE.branches == {
        ("routed", "batch-replication", "replicated", "equal"): ten,
        ("routed", "batch-replication", "copied", "equal"): ten,
        ("routed", "copy-object", "copied", "equal"): Amount(rows=1, size_bytes=100),
        ("routed", "delete-marker", "marked", "equal"): Amount(rows=1, size_bytes=0),
        ("routed", "copy-object", "failed", "missing"): ten,
        ("routed", "copy-object", "failed", "equal"): ten,
        ("routed", "copy-object", "not executed", "not verified"): ten,
        ("reason", "archived", "not verified"): Amount(rows=1, size_bytes=1000),
        ("reason", "no-rule", "not verified"): ten,
        ("reason", "not-readable", "not verified"): ten,
        ("routed", "copy-object", "copied", "unverified"): Amount(rows=2, size_bytes=20),
        ("routed", "copy-object", "copied", "in-flight"): ten,
        ("extra", "extra"): Amount(rows=1, size_bytes=0),
    }
    assert (WHOLE.rows, WHOLE.extras, WHOLE.failed) == (13, 1, 1)
    assert (WHOLE.unlike, WHOLE.delete_markers) == (1, 1)
    assert WHOLE.verdicts == {
        "equal": 5, "missing": 1, "unverified": 2, "in-flight": 1, "extra": 1
    }  # fmt: skip
    assert WHOLE.evidence == {
        "version-id-and-etag": 1, "full-object-checksum": 6, "listing": 1, "not-read": 1, "none": 1
    }  # fmt: skip
    assert WHOLE.fidelity == {"not-looked-at": 1, "equal": 8, "different": 1}
    assert WHOLE.fields == {"tags": 1, "metadata": 1}
    assert WHOLE.codes == {DENIED: 2}
    assert WHOLE.overcome == {"DstObjectHardDeleted": 1}
    assert WHOLE.ways == {
        (("replicated", ""),): 1,
        (("skipped", "DstObjectHardDeleted"), ("copied", "")): 1,
        (("copied", ""),): 4,
        (("marked", ""),): 1,
        (("failed", DENIED),): 2,
    }
    kinds = Kinds()
    for row in rows():
        kinds.add(row)
    assert kinds.tally() == WHOLE


def test_a_row_can_stand_for_many_of_its_kind() -> None:
    """If this fails, a million alike rows are counted as one, or their bytes are."""
    (row, *_) = rows()
    for tally in (Tally(), Kinds()):
        tally.add(row, rows=3, size_bytes=7)
        tally.add(row)
        told = tally if isinstance(tally, Tally) else tally.tally()
        assert (told.rows, told.total("routed")) == (4, Amount(rows=4, size_bytes=17))
        assert told.verdicts == {"equal": 4}


Tree = dict[str, object]


def names(found: Node) -> Tree:
    """Return a tree's names, rows, bytes and tones."""
    inner: Tree = {name: told for child in found.children for name, told in names(child).items()}
    return {found.name: (found.rows, found.size_bytes, found.tone, inner)}


def test_the_tree_has_each_branch_in_the_order_of_the_closed_lists() -> None:
    """If this fails, a line of the tree is missing, in another place, or in another colour."""
    plain, good, wait, bad = (each.value for each in (Tone.PLAIN, Tone.GOOD, Tone.WAIT, Tone.BAD))
    tree = totals_tree(WHOLE)
    batch: Tree = {
        "replicated": (1, 10, plain, {"equal": (1, 10, good, {})}),
        "copied": (1, 10, plain, {"equal": (1, 10, good, {})}),
    }
    copied: Tree = {
        "equal": (1, 100, good, {}),
        "in-flight": (1, 10, wait, {}),
        "unverified": (2, 20, wait, {}),
    }
    failed: Tree = {"equal": (1, 10, good, {}), "missing": (1, 10, bad, {})}
    copies: Tree = {
        "copied": (4, 130, plain, copied),
        "failed": (2, 20, bad, failed),
        "not executed": (1, 10, bad, {"not verified": (1, 10, wait, {})}),
    }
    marked: Tree = {"marked": (1, 0, plain, {"equal": (1, 0, good, {})})}
    routed: Tree = {
        "batch-replication": (2, 20, plain, batch),
        "copy-object": (7, 160, plain, copies),
        "delete-marker": (1, 0, plain, marked),
    }
    explained: Tree = {
        "no-rule": (1, 10, plain, {}),
        "archived": (1, 1000, wait, {}),
        "not-readable": (1, 10, bad, {}),
    }
    inner: Tree = {
        "routed": (10, 180, plain, routed),
        "explained": (3, 1020, plain, explained),
    }
    assert names(tree) == {"versions": (13, 1200, plain, inner)}
    assert [each.name for each in tree.children[0].children] == list(routed)
    first, second, _ = tree.children[0].children
    assert "rows.csv names what is in the way" not in first.sentence
    assert "rows.csv names what is in the way" in second.sentence
    assert second.children[0].sentence == "copied by us"
    assert second.children[0].children[0].sentence == "proven equal"
    archived = tree.children[1].children[1]
    assert archived.remedy
    assert archived.sentence


def test_a_tree_that_does_not_add_up_is_no_report() -> None:
    """If this fails, a report is written whose numbers contradict each other."""
    lost = Tally(rows=2, branches={("reason", "archived", "not verified"): Amount(rows=1)})
    with pytest.raises(TotalsError, match="the plan has 2 rows, its routes and reasons 1"):
        totals_tree(lost)
    odd = Tally(rows=1, branches={("routed", "copy-object", "copied", "odd"): Amount(rows=1)})
    assert totals_tree(odd).children[0].children[0].children[0].children == ()
    half: dict[tuple[str, ...], Amount] = {
        ("routed", "copy-object", "copied", "odd"): Amount(rows=1),
        ("routed", "copy-object", "copied", "equal"): Amount(rows=1),
    }
    with pytest.raises(TotalsError, match="'copied' do not add up to 2"):
        totals_tree(Tally(rows=2, branches=half))


def test_the_steps_name_all_that_is_left_the_most_urgent_first() -> None:
    """If this fails, a person is not told of something that is left, or is sent elsewhere."""
    steps = next_steps(WHOLE)
    assert [step.partition(".")[0] for step in steps] == [
        "failed: 2",
        "still to be moved: 1",
        "different: 1, missing: 1",
        "at the destination only: 1",
        "not read: 1",
        "without common evidence: 1",
        "with live replication: 1",
        "not-readable: 1",
        "archived: 1",
    ]
    assert "backfill preflight --code CODE" in steps[0]
    assert next_steps(Tally()) == ()
    clean = tally_of([row for row in rows() if row.key in {"a", "i"}])
    assert next_steps(clean) == ()


@pytest.mark.parametrize(
    ("keys", "exit_code", "headline", "tone"),
    [
        ("", 0, "Nothing to prove: no version is in scope.", Tone.WAIT),
        ("z", 4, "Not in parity: 1 extra; 0 proven equal.", Tone.BAD),
        ("g", 3, "Not verified yet: 1 versions have to be moved.", Tone.WAIT),
        ("i", 0, "Not verified yet: 0 versions have to be moved.", Tone.WAIT),
        ("al", 0, "1 versions are proven equal, 1 accepted unverified.", Tone.WAIT),
        ("ab", 0, "Proven: all 2 versions that could be delivered are equal.", Tone.GOOD),
        (
            "ahij",
            0,
            (
                "Proven: all 1 versions that could be delivered are equal; 2 others stay"
                " behind, each for a stated reason."
            ),
            Tone.GOOD,
        ),
        ("alm", 5, "2 versions are not proven yet; nothing is known to be wrong.", Tone.WAIT),
        (
            "acekmz",
            4,
            (
                "Not in parity: 1 failed, 1 different, 1 missing, 1 extra, 2 not proven; 1 proven"
                " equal."
            ),
            Tone.BAD,
        ),
    ],
)
def test_the_headline_is_the_sum_of_what_verify_said(
    keys: str, exit_code: int, headline: str, tone: Tone
) -> None:
    """If this fails, the first line of the report is better or worse than the run."""
    tally = tally_of([row for row in rows() if row.key in keys])
    assert headline_of(tally, exit_code) == (headline, tone)


def test_a_run_that_had_nothing_to_deliver_is_called_so() -> None:
    """If this fails, nothing proven is called proven."""
    tally = Tally(rows=2, verdicts=Counter({"superseded": 1}))
    assert headline_of(tally, 0) == ("Nothing had to be delivered.", Tone.GOOD)
    tally.branches["reason", "archived", "not verified"] = Amount(rows=2)
    assert headline_of(tally, 0) == (
        "Nothing had to be delivered; 2 others stay behind, each for a stated reason.",
        Tone.WAIT,
    )


def test_codes_and_ways_have_words_and_only_what_is_left_a_mend() -> None:
    """If this fails, a person mends what is mended, or is not told what would mend the rest."""
    left, overcome = code_counts(WHOLE)
    assert (left.name, left.rows, bool(left.sentence)) == (DENIED, 2, True)
    assert "s3:ReplicateObject" in left.remedy
    assert (overcome.name, overcome.rows, overcome.remedy) == ("DstObjectHardDeleted", 1, "")
    ways = way_counts(WHOLE)
    assert [(way.name, way.rows) for way in ways] == [
        ("copied", 4),
        (f"failed ({DENIED})", 2),
        ("marked", 1),
        ("replicated", 1),
        ("skipped (DstObjectHardDeleted), then copied", 1),
    ]
    assert ways[0].sentence == "copied by us"
    assert ways[4].sentence.endswith("; then copied by us")


def test_a_way_after_a_delivery_is_a_repair() -> None:
    """If this fails, a repaired copy reads as if S3 had refused it."""
    way = (("copied", ""), ("skipped", ""), ("already-there", ""))
    assert way_name(way) == "copied, then skipped, then already-there"
    assert way_sentence(way).startswith("copied by us; repaired: not attempted")
    again = (("replicated", ""), ("copied", ""))
    assert way_sentence(again).endswith("a job of ours; repaired: copied by us")
    arrived = (("already-there", ""), ("copied", ""))
    assert way_sentence(arrived).endswith("mostly; repaired: copied by us")
    marked = (("marked", ""), ("copied", ""))
    assert way_sentence(marked) == "delete marker written by us; then copied by us"


def test_counts_are_largest_first_and_none_is_zero() -> None:
    """If this fails, the rarest fault stands on top of the page."""
    found = counts({"b": 1, "a": 1, "z": 3, "none": 0}, {"a": "said"})
    assert found == (
        Count(name="z", sentence="", rows=3),
        Count(name="a", sentence="said", rows=1),
        Count(name="b", sentence="", rows=1),
    )
    assert counts({}) == ()


def test_each_closed_list_has_its_words() -> None:
    """If this fails, the page shows a name without what it means."""
    assert set(EVIDENCE_SENTENCES) == set(Evidence)
    assert set(FIDELITY_SENTENCES) == set(Fidelity)
    for code in Code:
        sentence, mend = code_words(code)
        assert sentence
        assert mend == ""
    assert code_words("NobodyKnows") == ("", "")
    assert code_words(DENIED)[1]
    beside = "in rows.csv names what is in the way"
    assert not any(beside in route_sentence(each) for each in Route)
    told_beside = {each: beside in route_sentence(each, is_beside_jobs=True) for each in Route}
    assert told_beside == {each: each is not BATCH for each in Route}
    assert all(len(each) == 3 and each[0] for each in VERDICT_SENTENCES.values())
    remedies = {name for name, words in VERDICT_SENTENCES.items() if words[2]}
    assert remedies == {
        *("different", "missing", "extra", "in-flight", "unverified", "not verified"),
    }
    told = {each: VERDICT_SENTENCES[each][1] for each in VERDICT_SENTENCES}
    bad = {name for name, tone in told.items() if tone is Tone.BAD}
    assert bad == {"different", "missing", "extra"}
    assert {name for name, tone in told.items() if tone is Tone.GOOD} == {"equal"}
    assert {name for name, tone in told.items() if tone is Tone.PLAIN} == {"superseded", "vanished"}
    assert outcome_sentence("copied", BATCH) != outcome_sentence("copied", COPY)
    assert outcome_sentence("failed", BATCH) == outcome_sentence("failed", COPY)


def test_the_tone_of_a_reason_says_who_acts() -> None:
    """If this fails, a page is calm about what a person must look at."""
    by_tone = {tone: {r.value for r in Reason if REASON_TONES[r] is tone} for tone in Tone}
    assert by_tone[Tone.GOOD] == {"already-replicated", "already-copied", "already-deleted"}
    assert by_tone[Tone.BAD] == {
        *("not-readable", "destination-differs", "destination-newer", "destination-deleted"),
    }
    assert by_tone[Tone.PLAIN] == {
        *("after-horizon", "no-rule", "rule-disabled", "tag-mismatch", "kms-not-selected"),
        *("delete-marker-not-replicated", "out-of-scope", "vanished", "marker-unconditional"),
    }


BY_KEY = {row.key: row for row in rows()}


def test_troubles_are_what_is_not_proven_or_not_done() -> None:
    """If this fails, a row that a person must look at is not on the page."""
    assert "".join(key for key, row in BY_KEY.items() if is_trouble(row)) == "cegklmz"
    assert "".join(key for key, row in BY_KEY.items() if has_failed(row)) == "e"


@pytest.mark.parametrize(
    ("key", "version_id", "problem", "remedy"),
    [
        ("c", "v2", "different: tags, metadata", VERDICT_SENTENCES[Verdict.DIFFERENT][2]),
        ("e", "v4", "missing", VERDICT_SENTENCES[Verdict.MISSING][2]),
        ("g", "v6", "not executed", "run the same command again"),
        ("z", "", "extra", VERDICT_SENTENCES[Verdict.EXTRA][2]),
    ],
)
def test_a_trouble_names_its_problem_and_remedy(
    key: str, version_id: str, problem: str, remedy: str
) -> None:
    """If this fails, a person is told to do what does not help."""
    assert trouble_of(BY_KEY[key], ("to",)) == Trouble(
        key=key,
        version_id=version_id,
        destination="to",
        problem=problem,
        detail="",
        remedy=remedy,
    )


def test_the_detail_of_a_trouble_is_of_what_went_wrong() -> None:
    """If this fails, a person reads why the wrong thing happened."""
    row = BY_KEY["e"]
    assert row.outcome is not None
    assert row.verdict is not None
    told = row._replace(
        outcome=row.outcome._replace(detail="denied"), verdict=row.verdict._replace(detail="gone")
    )
    assert trouble_of(told, ("to",)).detail == "gone"
    unjudged = told._replace(verdict=None)
    assert trouble_of(unjudged, ("to",)).detail == "denied"
    assert trouble_of(unjudged, ("to",)).problem == "failed"


@pytest.mark.parametrize(
    ("key", "branch"),
    [
        ("a", ("routed", "batch-replication", "replicated", "equal")),
        ("g", ("routed", "copy-object", "not executed", "not verified")),
        ("h", ("reason", "archived", "not verified")),
        ("z", ("extra", "extra")),
    ],
)
def test_a_row_stands_in_one_branch(key: str, branch: tuple[str, ...]) -> None:
    """If this fails, a row is counted where nobody looks for it."""
    assert branch_of(BY_KEY[key]) == branch


def test_what_verify_left_out_says_why_and_is_no_trouble() -> None:
    """If this fails, a version that the source deleted since is called unverified."""
    row = BY_KEY["g"]._replace(unjudged="superseded")
    assert branch_of(row)[3] == "superseded"
    assert not is_trouble(row)
    assert way_of(BY_KEY["b"]) == (("skipped", "DstObjectHardDeleted"), ("copied", ""))


def cells(row: ReportRow) -> dict[str, str]:
    return dict(zip(COLUMNS, csv_cells(row, ("to", "other")), strict=True))


def test_a_line_has_all_that_is_known_of_a_version() -> None:
    """If this fails, a column of rows.csv says something else than its heading."""
    row = BY_KEY["b"]
    assert row.entry is not None
    assert row.outcome is not None
    assert row.verdict is not None
    planned = row.entry._replace(detail="why", rule_id="=rule", is_latest=False, destination=1)
    told = row._replace(
        key="-k",
        destination=1,
        entry=planned,
        outcome=row.outcome._replace(detail="what", code="Odd"),
        verdict=row.verdict._replace(detail="seen", fields=(Field.TAGS, Field.METADATA)),
    )
    assert cells(told) == {
        "key": "%2Dk",
        "version_id": "v1",
        "type": "object version",
        "current": "no",
        "last_modified": "2026-11-01T00:00:00+00:00",
        "size_bytes": "10",
        "destination": "other",
        "decision": "batch-replication",
        "rule": "'=rule",
        "outcome": "copied",
        "outcome_code": "Odd",
        "earlier_outcomes": "skipped DstObjectHardDeleted",
        "verdict": "equal",
        "evidence": "full-object-checksum",
        "fidelity": "equal",
        "differences": "tags metadata",
        "destination_version_id": "d1",
        "detail": "why; what; seen",
    }


def test_what_is_not_known_is_an_empty_cell() -> None:
    """If this fails, a cell says None, or the outcome's version ID is lost without a verdict."""
    bare = cells(BY_KEY["g"])
    assert [bare[name] for name in COLUMNS[8:]] == [""] * 10
    assert (bare["current"], bare["type"]) == ("yes", "object version")
    extra = cells(BY_KEY["z"])
    assert [extra[name] for name in COLUMNS[1:8]] == [
        "",
        "object version",
        *[""] * 3,
        "to",
        "extra",
    ]
    assert extra["type"] == "object version"
    told = BY_KEY["z"].verdict
    assert told is not None
    gone = BY_KEY["z"]._replace(verdict=told._replace(destination_is_delete_marker=True))
    assert cells(gone)["type"] == "delete marker"
    assert cells(BY_KEY["z"]._replace(verdict=None))["type"] == "object version"
    marker = cells(BY_KEY["d"])
    assert (marker["type"], marker["size_bytes"]) == ("delete marker", "0")
    assert cells(BY_KEY["b"]._replace(verdict=None))["destination_version_id"] == "d1"
    two = BY_KEY["b"]._replace(earlier=(outcome(1, SKIPPED, "A"), outcome(1, FAILED)))
    assert cells(two)["earlier_outcomes"] == "skipped A, failed"
    assert cells(two._replace(verdict=None, outcome=None))["destination_version_id"] == ""


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ""),
        ("plain - text=", "plain - text="),
        ("=A1", "'=A1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@a", "'@a"),
        ("\t=A1", "\\t=A1"),
        ("\r=A1", "\\r=A1"),
    ],
)
def test_a_cell_that_begins_as_a_formula_is_quoted(text: str, cell: str) -> None:
    """If this fails, opening rows.csv runs what somebody put into a rule's ID."""
    assert safe_cell(text) == cell


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("a/b-c_d.e~f", "a/b-c_d.e~f"),
        ("-a", "%2Da"),
        ("-", "%2D"),
        ("a-", "a-"),
        ("a b", "a%20b"),
        ("-a b", "%2Da%20b"),
        ("a\n", "a%0A"),
    ],
)
def test_a_key_is_encoded_as_manifests_have_it(key: str, encoded: str) -> None:
    """If this fails, a key in rows.csv is not found in a manifest, or begins a formula."""
    assert encoded_key(key) == encoded


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], True),
        ([""], True),
        (["a", "B9_.~/-x"], True),
        (["a", "-b"], False),
        (["a", "=b"], False),
        (["a b"], False),
        (["ü"], False),
        (["a,b"], False),
    ],
)
def test_only_what_needs_no_encoding_is_called_plain(texts: list[str], *, expected: bool) -> None:
    """If this fails, a key becomes a formula, or ends its cell."""
    assert are_plain(texts) is expected


def test_lines_are_handed_over_some_hundred_at_a_time() -> None:
    """If this fails, a million rows are held in memory, or each is written alone."""
    parts = list(csv_lines([[str(number)] for number in range(LINES_AT_ONCE + 1)]))
    assert [part.count(b"\n") for part in parts] == [LINES_AT_ONCE, 1]
    assert parts[1] == f"{LINES_AT_ONCE}\n".encode()


def test_histories_close_with_the_last_key() -> None:
    """If this fails, the last history is not counted, or counted twice."""
    count = HistoryCount()
    row = BY_KEY["a"]
    wrong = BY_KEY["c"]
    for given, key in ((row, "a"), (wrong, "b"), (row, "b"), (row, "c")):
        count.add(given, key)
    first = count.total()
    assert (first.keys, first.proven_keys, first.versions, first.delete_markers) == (3, 2, 4, 0)
    assert count.total() == first
    assert not went_as_history(None)
    plain: PlanEntry | None = row.entry
    assert plain is not None
    assert not went_as_history(plain)
    assert not went_as_history(plain._replace(handling=Handling.READ_SOURCE))
    assert went_as_history(plain._replace(handling=Handling.HISTORY))


def test_a_page_shows_all_text_as_text() -> None:
    """If this fails, a key runs in the browser of whoever opens the report, or numbers run on."""
    template.cache_clear()
    report, files = written(
        [entry(0, "<b>&\x07", size_bytes=2_000_000), *(entry(n, "k") for n in range(1, 1500))],
        [(0, outcome(0, FAILED, "<i>Code"))],
        [],
        3,
    )
    shown = page(report).decode()
    assert shown == files[REPORT_HTML].decode()
    assert "&lt;b&gt;&amp;\\x07" in shown
    assert "&lt;i&gt;Code" in shown
    assert "<b>&" not in shown
    assert "\x07" not in shown
    assert "1,500" in shown
    assert "2.01 MB" in shown
    assert template() is template()


def ledger(**changes: object) -> Ledger:
    fields: dict[str, object] = {
        "tier": "Bulk",
        "days": 2,
        "begun_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Ledger(**{**fields, **changes})  # type: ignore[arg-type] # by name


def test_restores_are_told_by_archive_with_what_was_left_out() -> None:
    """If this fails, the budget, what did not fit, or an archive is told wrongly."""
    told = restored_of(
        ledger(
            asked={
                Archive.GLACIER: Retrieved(restores=2, size_bytes=20),
                Archive.DEEP_ARCHIVE: Retrieved(restores=1, size_bytes=5),
            },
            extended=4,
            left_out=Retrieved(restores=3, size_bytes=2048),
            waiting=Retrieved(restores=1, size_bytes=1),
        )
    )
    assert asdict(told) | {"estimate": ""} == asdict(
        Restored(
            restores=3,
            size_bytes=25,
            archives=(
                RestoredArchive(archive="DEEP_ARCHIVE", restores=1, size_bytes=5),
                RestoredArchive(archive="GLACIER", restores=2, size_bytes=20),
            ),
            tier="Bulk",
            days=2,
            extended=4,
            left_out=3,
            left_out_bytes=2048,
            waiting=1,
            estimate="",
        )
    )
    assert restored_line(told) == (
        f"restored: 3 versions, 25 B, by Bulk; {told.estimate}; 3 versions, 2.05 kB, did not fit"
        " into the budget; 1 versions still wait"
    )
    nothing = restored_of(ledger(asked={}))
    assert restored_line(nothing) == "restored: 0 versions, 0 B, by Bulk"
    assert not nothing.has_any
    assert restored_of(ledger(left_out=Retrieved(restores=1, size_bytes=1))).has_any
    assert restored_of(ledger(waiting=Retrieved(restores=1, size_bytes=1))).has_any
