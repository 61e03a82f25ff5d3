"""Rows of completion reports as real jobs wrote them, and bytes that are none."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backfill.batch_operations.report_rows import ReportedChecksum, TaskRow, checksum_of, task_rows
from backfill.errors import ReportRefusedError
from backfill.model.objects import ETag
from tests.doubles.written_reports import SOURCE, rows_of_tasks, written


def read(data: bytes, *, is_succeeded: bool = False, chunk_bytes: int = 1000) -> list[TaskRow]:
    chunks = [data[start : start + chunk_bytes] for start in range(0, len(data), chunk_bytes)]
    return list(
        task_rows(chunks, file="results/a.csv", expected_bucket=SOURCE, is_succeeded=is_succeeded)
    )


def failed(key: str = "k", version_id: str | None = "v", **told: object) -> TaskRow:
    http_status, code, message = (told.get(name) for name in ("http_status", "code", "message"))
    return TaskRow(
        key=key,
        version_id=version_id,
        is_succeeded=False,
        http_status=http_status if isinstance(http_status, int) else None,
        code=str(code or ""),
        message=str(message or ""),
    )


@pytest.mark.parametrize(
    ("line", "row"),
    [
        pytest.param(
            "500,SrcObjectNotEligible,Object is not eligible for replication",
            failed(
                http_status=500,
                code="SrcObjectNotEligible",
                message="Object is not eligible for replication",
            ),
            id="as-written",
        ),
        pytest.param(
            "SrcKeyNotFound,404,gone",
            failed(http_status=404, code="SrcKeyNotFound", message="gone"),
            id="as-declared",
        ),
        pytest.param(",,", failed(), id="nothing-told"),
        pytest.param("AccessDenied,,no", failed(code="AccessDenied", message="no"), id="no-status"),
        pytest.param(",AccessDenied,no", failed(code="AccessDenied", message="no"), id="no-5th"),
        pytest.param("403,,no", failed(http_status=403, message="no"), id="no-code"),
        pytest.param(
            '500,E,"one, two\nthree ""four"""',
            failed(http_status=500, code="E", message='one, two\nthree "four"'),
            id="comma-newline-quote",
        ),
        pytest.param("500,E,m\r", failed(http_status=500, code="E", message="m"), id="crlf"),
    ],
)
def test_columns_are_told_apart_by_what_they_hold(line: str, row: TaskRow) -> None:
    """If this fails, an HTTP status is taken for an error code, or a message is cut."""
    for chunk_bytes in (1, 3, 1000):
        assert read(f"{SOURCE},k,v,failed,{line}\n".encode(), chunk_bytes=chunk_bytes) == [row]


@pytest.mark.parametrize(
    ("spelled", "key"),
    [
        ("a/b.txt", "a/b.txt"),
        ("a%2Fb", "a/b"),
        ("a+b", "a+b"),
        ("a%2Bb%20c", "a+b c"),
        ("%E2%98%83%0A", "\N{SNOWMAN}\n"),
        ("%25", "%"),
        ('"a,b"', "a,b"),
    ],
)
def test_keys_are_decoded_as_manifests_spell_them(spelled: str, key: str) -> None:
    """If this fails, the join loses rows silently: a plus turns into a space, or stays encoded."""
    assert [row.key for row in read(f"{SOURCE},{spelled},v,failed,500,E,m".encode())] == [key]


@pytest.mark.parametrize(
    ("field", "version_id"), [(r"\N", None), ("", None), ("null", "null"), ("v1", "v1")]
)
def test_an_empty_version_id_is_not_the_null_version(field: str, version_id: str | None) -> None:
    """If this fails, a task that named no version is taken for one of the null version."""
    [row] = read(f"{SOURCE},k,{field},failed,500,E,m\n".encode())
    assert row.version_id == version_id


REFUSED = {
    "other-bucket": (b"theirs,k,v,failed,500,E,m", "about bucket theirs instead of the-source"),
    "other-status": (b"the-source,k,v,succeeded,200,,ok", "'succeeded' in a file of failed tasks"),
    "no-status-word": (b"the-source,k,v,FAILED?,500,E,m", "'FAILED?' in a file of failed tasks"),
    "header": (
        b"Bucket,Key,VersionId,TaskStatus,ErrorCode,HTTPStatusCode,ResultMessage",
        "about bucket Bucket",
    ),
    "cut": (b"the-source,k,v,failed,500", "5 columns instead of 7"),
    "bare-message": (b"the-source,k,v,failed,500,E,a,b", "8 columns instead of 7"),
    "no-key": (b"the-source,,v,failed,500,E,m", "has no key"),
    "bad-percent": (b"the-source,a%2,v,failed,500,E,m", "a % without two hexadecimal digits"),
    "bad-utf8-key": (b"the-source,a%FF,v,failed,500,E,m", "no UTF-8"),
    "bad-utf8": (b"the-source,k,v,failed,500,E,\xff", "no UTF-8"),
    "cut-utf8": (b"the-source,k,v,failed,500,E,\xe2\x98", "no UTF-8"),
    "open-quote": (b'the-source,k,v,failed,500,E,"cut', "is no CSV: unexpected end"),
    "stray-quote": (b'the-source,k,v,failed,500,E,"a"b', "is no CSV"),
    "two-codes": (b"the-source,k,v,failed,E,F,m", "no HTTP status in column 5 or 6"),
    "endless-line": (b"x" * 1_100_000, "is no CSV: a line has more"),
    "endless-field": (b"x" * 140_000, "is no CSV: field larger"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_row_is_refused_with_file_and_row(case: str) -> None:
    """If this fails, a damaged or foreign report counts, or nobody learns where it is damaged."""
    data, told = REFUSED[case]
    good = b'\nthe-source,k,v,failed,500,E,"two\nlines"\n'
    with pytest.raises(ReportRefusedError) as refused:
        read(good + data)
    assert told in refused.value.message
    # The empty first line counts as a row: so does an editor, more or less.
    where = refused.value.message.partition(":")[0]
    assert where.startswith("completion report results/a.csv, row ")
    assert where.endswith((" 3", " 1"))
    assert refused.value.hint
    assert refused.value.exit_status == 20


def test_messages_show_hostile_text_inertly() -> None:
    """If this fails, a report can write on the terminal of who reads it."""
    with pytest.raises(ReportRefusedError) as refused:
        read(b"the\x1b[31msource,k,v,failed,500,E,m")
    assert "\x1b" not in refused.value.message


@settings(max_examples=300, deadline=None)
@given(st.lists(rows_of_tasks, max_size=6), st.integers(1, 40))
@example([failed(key="a,b\n\"c'", version_id=None, message='"\r\n')], 1)
def test_what_s3_writes_is_read_back_as_it_was(rows: list[TaskRow], chunk_bytes: int) -> None:
    """If this fails, some key, code or message does not survive its report."""
    for is_succeeded in (True, False):
        alike = [row._replace(is_succeeded=is_succeeded) for row in rows]
        assert read(written(alike), is_succeeded=is_succeeded, chunk_bytes=chunk_bytes) == alike


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200)
    | st.lists(
        st.sampled_from([b"the-source", b",", b'"', b"\n", b"\r", b"\0", b"%", b"failed", b"500"])
        | st.binary(max_size=3),
        max_size=20,
    ).map(b"".join),
    st.integers(1, 20),
)
def test_any_bytes_are_rows_or_a_refusal(data: bytes, chunk_bytes: int) -> None:
    """If this fails, a damaged report ends in a crash that names neither file nor row."""
    try:
        rows = read(data, chunk_bytes=chunk_bytes)
    except ReportRefusedError as refused:
        assert "results/a.csv, row" in refused.message  # noqa: PT017 - either way is right
    else:
        assert len(rows) <= data.count(b"the-source")


EQUAL = ReportedChecksum(
    algorithm="SHA256", value="3q2+7w==", type="FULL_OBJECT", etag=ETag("abc-2")
)


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (
            """{"checksum_base64":"3q2+7w==","etag":"abc-2","checksumAlgorithm":"SHA256",
                "checksumType":"FULL_OBJECT","checksum_hex":"DEADBEEF"}""",
            EQUAL,
        ),
        (
            r"""{"Checksum_Hex":"deadbeef","ETag":"\"abc-2\"","ChecksumAlgorithm":"sha256",
                "ChecksumType":"full_object"}""",
            EQUAL,
        ),
        (
            """{"checksum_base64":"3q2+7w==","checksum_hex":"deadbeee",
                "checksumAlgorithm":"SHA256","checksumType":"FULL_OBJECT"}""",
            None,
        ),
        ('{"checksumAlgorithm":"SHA256","checksumType":"FULL_OBJECT"}', None),
        ('{"checksum_base64":"3q2+7w==","checksumType":"FULL_OBJECT"}', None),
        ('{"checksum_base64":"?","checksumAlgorithm":"A","checksumType":"B"}', None),
        ('{"checksum_base64":5,"checksumAlgorithm":"A","checksumType":"B"}', None),
        ("Successful", None),
        ("[]", None),
        ("", None),
        ("[" * 100_000, None),
    ],
)
def test_a_checksum_counts_only_if_it_is_whole_and_of_one_mind(
    message: str, found: ReportedChecksum | None
) -> None:
    """If this fails, a message without a usable checksum proves an object equal or different."""
    assert checksum_of(message) == found


@given(st.text())
def test_no_message_breaks_the_reading_of_checksums(message: str) -> None:
    """If this fails, one odd ResultMessage ends the verification of all."""
    found = checksum_of(message)
    assert found is None or found.value
