"""Imports go downward only; what decides is pure; the sandbox stands apart."""

import ast

import pytest

from tests.architecture.house import ADAPTERS, ENGINES, STAGES, Module, internal_imports, modules

IMPURE_MODULES = {
    "asyncio", "concurrent", "multiprocessing", "threading", "signal", "subprocess",
    "time", "random", "secrets", "os", "shutil", "tempfile", "glob", "fcntl",
    "socket", "ssl", "select", "selectors", "http", "urllib.request", "logging",
    "boto3", "botocore", "aioboto3", "aiobotocore", "aiohttp", "structlog", "tenacity",
}  # fmt: skip
"""Time, chance, files, sockets, processes. `random.Random` may be named: draws are handed in."""
IMPURE_CALLS = {"open", "input", "print"}
IMPURE_METHODS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "datetime.datetime.now", "datetime.date.today", "uuid.uuid1", "uuid.uuid4",
}  # fmt: skip
IMPURE_PATH_METHODS = {
    "read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "unlink", "mkdir",
}  # fmt: skip

SANDBOX_DOORS = {"backfill.cli.sandbox", "backfill.cli.demo"}
"""The two verbs that start it; nothing else of the product knows that it exists."""

SHARED_GROUND = "run_directory"
"""The one adapter that others stand on: the journal's segments lie in the run directory."""

IMPORTERS = {
    "aioboto3": ("backfill.aws.session",),
    "aiobotocore": ("backfill.aws",),
    "boto3": ("backfill.aws", "backfill.cli.demo"),
    "botocore": ("backfill.aws",),
    "tenacity": ("backfill.aws.retry",),
    "structlog": ("backfill.observe",),
    "rich": ("backfill.observe", "backfill.report", "backfill.cli"),
    "jinja2": ("backfill.report",),
    "httptools": ("backfill.aws.lean", "backfill.sandbox"),
    "uvloop": ("backfill.cli.loop",),
    "orjson": ("backfill.run_directory",),
    "isal": ("backfill.run_directory",),
    "awscrt": ("backfill.sandbox",),
}
"""Who may import which dependency: each is one decision, in one place."""


def under(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_imports_go_downward_only() -> None:
    """If this fails, a noun leans on what acts, and can be neither tested nor read alone."""
    wrong = [
        f"{module.path}:{line}: floor {module.floor} imports {found.name} on floor {found.floor}"
        for module in modules()
        for line, found in internal_imports(module)
        if module.floor is not None and found.floor is not None and found.floor > module.floor
    ]
    assert not wrong, "\n".join(wrong)


def test_stages_and_adapters_meet_only_through_ports() -> None:
    """If this fails, a stage cannot be run on other adapters, nor an adapter be replaced."""
    wrong = [
        f"{module.path}:{line}: {module.top} imports {found.name}"
        for module in modules()
        for line, found in internal_imports(module)
        if (module.top in {*STAGES, *ENGINES} and found.top in ADAPTERS)
        or (module.top in ADAPTERS and found.top in {*STAGES, *ENGINES})
        or (module.top in ADAPTERS and found.top in set(ADAPTERS) - {module.top, SHARED_GROUND})
    ]
    assert not wrong, "\n".join(wrong)


def test_a_stage_never_runs_another() -> None:
    """If this fails, stages meet elsewhere than in artefacts, and none can be run alone."""
    wrong = [
        f"{module.path}:{line}: imports {found.name}"
        for module in modules()
        for line, found in internal_imports(module)
        if module.top in STAGES and found.is_shell and found.top not in {module.top, *ENGINES}
    ]
    assert not wrong, "\n".join(wrong)


def test_the_sandbox_and_the_product_do_not_know_each_other() -> None:
    """If this fails, one mistake is made twice and the sandbox agrees with it."""
    wrong = [
        f"{module.path}:{line}: imports {found.name}"
        for module in modules()
        for line, found in internal_imports(module)
        if module.is_sandbox != found.is_sandbox
        and found.parts
        and not (found.is_sandbox and under(module.name, *SANDBOX_DOORS))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", sorted(IMPORTERS))
def test_each_dependency_has_its_one_place(library: str) -> None:
    """If this fails, moving on from a library is no longer one file."""
    wrong = [
        f"{module.path}:{line}: imports {name}"
        for module in modules()
        for line, name in module.imports()
        if under(name, library) and not under(module.name, *IMPORTERS[library])
    ]
    assert not wrong, "\n".join(wrong)


def is_pure(module: Module) -> bool:
    """Whether a module must be pure: floor 0 and 1, and the sandbox's model and authorization."""
    return module.floor in {0, 1} or under(
        module.name, "backfill.sandbox.model", "backfill.sandbox.authorization"
    )


def impurities(module: Module) -> list[str]:
    found = [
        f"{module.path}:{line}: imports {name}"
        for line, name in module.imports()
        if under(name, *IMPURE_MODULES) and name != "random.Random"
    ]
    for node in module.nodes:
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in IMPURE_CALLS:
                found.append(f"{module.path}:{node.lineno}: calls {called.id}()")
            if isinstance(called, ast.Attribute) and (
                called.attr in IMPURE_PATH_METHODS or ast.unparse(called) in IMPURE_METHODS
            ):
                found.append(f"{module.path}:{node.lineno}: calls {ast.unparse(called)}()")
        if isinstance(node, ast.AsyncFunctionDef | ast.Await) and module.floor == 0:
            found.append(f"{module.path}:{node.lineno}: is asynchronous")
    return found


def test_what_decides_is_pure() -> None:
    """If this fails, a decision depends on the hour, chance or a file, and cannot be replayed."""
    wrong = [line for module in modules() if is_pure(module) for line in impurities(module)]
    assert not wrong, "\n".join(wrong)


def test_every_module_stands_on_a_floor() -> None:
    """If this fails, a new folder escapes the rules of the house."""
    assert {module.floor for module in modules()} >= {0, 1, 2, 4}
