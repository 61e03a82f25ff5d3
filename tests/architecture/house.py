"""The source tree as the architecture tests see it: modules, their imports, the floor of each.

Never imports the product: it reads source text, so that it also judges what is half built.
Law: a module without a floor is a failure; nobody adds a folder without saying where it stands.
"""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

STAGES = (
    "setup",
    "preflight",
    "inventory",
    "plan",
    "manifest",
    "execute",
    "verify",
    "report",
    "repair",
    "watch",
)
"""One word a stage, in the order of the story."""

ADAPTERS = ("aws", "journal", "observe", "run_directory")

ENGINES = ("batch_operations",)
"""What several stages work with, on their floors: S3 Batch Operations jobs."""

SHELLS = {
    "batch_operations": {
        "collecting",
        "driver",
        "manifest_files",
        "side_by_side",
        "sorting",
        "workplace",
    },
    "setup": {"ground", "reading", "writing"},
    "preflight": {"canary", "checksum_jobs", "engine", "gathering", "job_places", "readable"},
    "inventory": {"lister"},
    "plan": {"planning", "reads"},
    "execute": {
        "bench",
        "blocks",
        "chains",
        "conclusions",
        "crew",
        "evidence",
        "extras",
        "multipart",
        "outcomes",
        "stop",
        "tally",
        "upload_reads",
        "uploads",
        "worker",
        "batch_replication.arrivals",
        "batch_replication.attempts",
        "batch_replication.work",
        "history.band",
        "history.cutting",
        "history.ledger",
        "history.writer",
        "restoring.asking",
        "restoring.engine",
        "restoring.keys",
    },
    "verify": {"bandwidth", "checksum_jobs", "conclusion", "looking", "reader", "unproven"},
    "watch": {"ledger", "looks", "manifests", "queue_reader"},
}
"""Modules of a stage that act. Every stage's `run` is one; what else acts is named here."""

FLOORS = {
    0: "model, policies, errors, events, settings, campaign with options, nouns of stages: pure",
    1: "ports: the Protocols that stages speak",
    2: "shells of the stages with in_order, how they keep requests in flight, and the adapters",
    3: "pipeline with stage_inputs, opening, watching, setting_up, checking, fleet and copiers, "
    "compose with this_machine and kept_on_s3, and what reads across stages: work_done, reporting,"
    " status, jobs_of_run",
    4: "cli",
}
_FLOOR_OF_TOP = {
    **dict.fromkeys(
        ("model", "errors", "events", "settings", "campaign", "campaign_options", "policies"), 0
    ),
    "ports": 1,
    "in_order": 2,
    **dict.fromkeys(ADAPTERS, 2),
    **dict.fromkeys(
        ("pipeline", "fleet", "copiers", "stage_inputs", "opening", "watching", "setting_up"), 3
    ),
    "checking": 3,
    **dict.fromkeys(("compose", "this_machine", "kept_on_s3", "work_done"), 3),
    **dict.fromkeys(("reporting", "status", "jobs_of_run"), 3),
    "cli": 4,
    "__main__": 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One Python file of the product."""

    name: str
    path: Path
    source: str
    tree: ast.Module

    @property
    def parts(self) -> tuple[str, ...]:
        """The dotted name after `backfill`."""
        return tuple(self.name.split(".")[1:])

    @property
    def top(self) -> str:
        """The first word after `backfill`, empty for the package itself."""
        return self.parts[0] if self.parts else ""

    @property
    def is_sandbox(self) -> bool:
        """Whether this is part of the sandbox, a product of its own."""
        return self.top == "sandbox"

    @property
    def is_shell(self) -> bool:
        """Whether this module of a stage acts instead of deciding."""
        is_sorted_in_two = self.top in STAGES or self.top in ENGINES
        names = {self.parts[-1], ".".join(self.parts[1:])} if len(self.parts) > 1 else set()
        return is_sorted_in_two and not names.isdisjoint(shells_of(self.top))

    @property
    def floor(self) -> int | None:
        """The floor that the module stands on; None for the sandbox and the bare package."""
        if self.top in {"", "sandbox"}:
            return None
        if self.top in STAGES or self.top in ENGINES:
            return 2 if self.is_shell else 0
        assert self.top in _FLOOR_OF_TOP, f"{self.name} stands on no floor of {FLOORS}"
        return _FLOOR_OF_TOP[self.top]

    @property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree, walked once: two dozen tests look at all of them."""
        return _nodes(self)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Give every function and method."""
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def imports(self) -> tuple[tuple[int, str], ...]:
        """Give line and dotted name of every import, lazy ones and those for types included."""
        return _imports(self)


@cache
def _nodes(module: Module) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(module.tree))


@cache
def _imports(module: Module) -> tuple[tuple[int, str], ...]:
    found: list[tuple[int, str]] = []
    for node in module.nodes:
        if isinstance(node, ast.Import):
            found += ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}:{node.lineno}: imports are absolute"
            assert node.module is not None, "an absolute import names its module"
            found += ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
    return tuple(found)


def shells_of(stage: str) -> set[str]:
    """Return the names of the modules of a stage that act."""
    return {"run", *SHELLS.get(stage, set())}


@cache
def modules() -> tuple[Module, ...]:
    """Return every module of the product, by name."""
    return tuple(_module(path) for path in sorted((ROOT / "backfill").rglob("*.py")))


def _module(path: Path) -> Module:
    words = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(words[:-1] if words[-1] == "__init__" else words)
    source = path.read_text()
    return Module(name=name, path=path, source=source, tree=ast.parse(source))


@cache
def by_name() -> dict[str, Module]:
    """Return the modules by their dotted names."""
    return {module.name: module for module in modules()}


def internal_imports(module: Module) -> Iterator[tuple[int, Module]]:
    """Give line and module for every import from the product itself."""
    for line, name in module.imports():
        found = by_name().get(name) or by_name().get(name.rpartition(".")[0])
        if found is not None:
            yield line, found


@cache
def committed_files() -> tuple[Path, ...]:
    """Return what git holds or is about to, links and deleted files aside."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(path for path in sorted(paths) if path.is_file() and not path.is_symlink())
