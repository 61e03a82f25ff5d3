"""What memory a process may have: the smallest limit that makes sense, whoever set it."""

from pathlib import Path

import pytest

from backfill.cli.memory import refused_or_given, watched
from backfill.errors import UsageError
from backfill.observe import memory
from backfill.observe.memory import MemoryLimit, memory_limit, resident_bytes
from backfill.ports import Event
from backfill.settings import MIB, Settings, memory_needed_bytes

NO_V1_LIMIT = str(2**63 - 4096)


@pytest.fixture(autouse=True)
def _no_limit_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have limited them."""
    monkeypatch.setattr(memory, "_of_process", lambda: iter(()))


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/memory"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/memory.max": "536870912\n"}, (512, "cgroup v2")),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/memory.max": "max\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/kubepods/pod/one\n",
                f"{V2}/kubepods/pod/one/memory.max": "max\n",
                f"{V2}/kubepods/pod/memory.max": str(300 * MIB),
                f"{V2}/kubepods/memory.max": str(900 * MIB),
            },
            (300, "cgroup v2"),
        ),
        (
            {"proc/self/cgroup": "0::/host/only\n", f"{V2}/memory.max": str(64 * MIB)},
            (64, "cgroup v2"),
        ),
        (
            {
                "proc/self/cgroup": "9:cpu,cpuacct:/x\n4:memory:/jobs/one\n0::/\n",
                f"{V1}/jobs/one/memory.limit_in_bytes": str(200 * MIB),
                f"{V1}/memory.limit_in_bytes": NO_V1_LIMIT,
            },
            (200, "cgroup v1"),
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/docker/0123\n",
                f"{V1}/memory.limit_in_bytes": str(128 * MIB),
            },
            (128, "cgroup v1"),
        ),
        ({f"{V1}/memory.limit_in_bytes": NO_V1_LIMIT}, None),
        ({f"{V2}/memory.max": "-1"}, None),
        ({f"{V2}/memory.max": "0"}, None),
        ({f"{V2}/memory.max": "plenty"}, None),
        ({f"{V2}/memory.max": ""}, None),
        ({"proc/self/cgroup": "0::/../../etc\n", "etc/memory.max": str(64 * MIB)}, None),
    ],
    ids=[
        *("none", "v2-container", "v2-max", "v2-parents", "v2-host-path", "v1", "v1-container"),
        *("v1-unlimited", "negative", "zero", "word", "empty", "escape"),
    ],
)  # fmt: skip
def test_the_smallest_limit_that_makes_sense_counts(
    tmp_path: Path, files: dict[str, str], expected: tuple[int, str] | None
) -> None:
    """If this fails, a run in a container finds its limit by being killed."""
    found = memory_limit(root=tree(tmp_path, files))
    wanted = None
    if expected is not None:
        wanted = MemoryLimit(size_bytes=expected[0] * MIB, told_by=expected[1])
    assert found == wanted


def test_what_the_campaign_declares_is_one_more_limit(tmp_path: Path) -> None:
    """If this fails, --max-memory raises what the container gives, or is not heard."""
    root = tree(tmp_path, {f"{V2}/memory.max": str(512 * MIB)})
    assert memory_limit(100 * MIB, root=root) == MemoryLimit(
        size_bytes=100 * MIB, told_by="--max-memory"
    )
    assert memory_limit(900 * MIB, root=root) == MemoryLimit(
        size_bytes=512 * MIB, told_by="cgroup v2"
    )


@pytest.mark.parametrize("given_mib", [1, 160, 200])
def test_too_little_is_refused_with_limits_that_fit(given_mib: int) -> None:
    """If this fails, a run begins that the kernel ends in the middle of its listing."""
    settings = Settings(memory_bytes_max=given_mib * MIB)
    with pytest.raises(UsageError) as caught:
        refused_or_given(settings)
    assert caught.value.exit_code == 2
    assert f"{given_mib} MiB of memory (--max-memory) are too little" in caught.value.message
    words = caught.value.hint.split()
    if "--concurrency" in words:
        smaller = Settings(
            memory_bytes_max=given_mib * MIB,
            listing_concurrency=int(words[words.index("--listing-concurrency") + 1]),
            concurrency=int(words[words.index("--concurrency") + 1]),
            processes=int(words[words.index("--processes") + 1]),
        )
        assert refused_or_given(smaller).needed_bytes <= given_mib * MIB
    else:
        assert given_mib == 1


def test_the_defaults_need_what_the_guide_says() -> None:
    """If this fails, the templates of manifests/ give a run less than it may take."""
    assert memory_needed_bytes(Settings()) <= 256 * MIB


def test_a_person_is_warned_once_before_the_kernel_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, an OOM kill is the first that anybody hears of it."""
    told: list[Event] = []
    given = refused_or_given(Settings(memory_bytes_max=1000 * MIB))
    look = watched(given, told.append)
    monkeypatch.setattr("backfill.cli.memory.resident_bytes", lambda: 899 * MIB)
    look()
    assert not told
    monkeypatch.setattr("backfill.cli.memory.resident_bytes", lambda: 901 * MIB)
    look()
    look()
    assert [event.name for event in told] == ["run.memory_high"]


def test_a_process_knows_what_it_holds() -> None:
    """If this fails, the warning never comes."""
    assert resident_bytes() > 10 * MIB
