"""Import-linter's contracts bite: each one breaks over a violation planted in a copy."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.architecture.house import ROOT, modules

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = PYPROJECT["tool"]["importlinter"]["contracts"]

VIOLATIONS = {
    "Imports go downward only": ("settings.py", "backfill.ports"),
    "Stages know no adapter": ("plan/terms.py", "backfill.observe.log"),
    "Adapters know no stage": ("journal/frames.py", "backfill.plan.terms"),
    "Adapters know no other adapter but the run directory": (
        "observe/screen.py",
        "backfill.aws.pace",
    ),
    "No stage runs another": ("verify/run.py", "backfill.inventory.run"),
    "Verbs do not call each other": ("cli/report.py", "backfill.cli.run"),
    "The sandbox knows nothing of the product": ("sandbox/service.py", "backfill.errors"),
    "The product knows nothing of the sandbox, but for two verbs": (
        "cli/run.py",
        "backfill.sandbox.service",
    ),
    "Only aws.session imports aioboto3": ("aws/calls.py", "aioboto3"),
    "Only aws.retry imports tenacity": ("aws/calls.py", "tenacity"),
    "Only observe imports structlog": ("cli/stage.py", "structlog"),
    "Only aws knows the SDK": ("compose.py", "botocore"),
    "Only the report stage imports jinja2": ("cli/report_lines.py", "jinja2"),
    "Only the sandbox imports what is its extra": ("aws/replies.py", "awscrt"),
    "Only the lean client and the sandbox parse HTTP": ("aws/replies.py", "httptools"),
    "Only the run directory imports the codecs of its rows": ("journal/frames.py", "isal"),
}
"""Contract: module of backfill, and what it must not import."""


def test_every_contract_breaks_over_its_violation(tmp_path: Path) -> None:
    """If this fails, a contract is written so that it can never fail."""
    assert [contract["name"] for contract in CONTRACTS] == list(VIOLATIONS)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "backfill", tmp_path / "backfill", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, forbidden in VIOLATIONS.values():
        with (tmp_path / "backfill" / module).open("a") as stream:
            stream.write(f"\nimport {forbidden}\n")
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--no-cache",
    ]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    said = dict(re.findall(r"^(.+?) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE))
    assert said == dict.fromkeys(VIOLATIONS, "BROKEN"), done.stdout


def test_the_sandbox_is_kept_from_every_part_of_the_product() -> None:
    """If this fails, a new folder of the product is open to the sandbox."""
    parts = {f"backfill.{module.top}" for module in modules()} - {
        "backfill.", "backfill.sandbox", "backfill.__main__",
    }  # fmt: skip
    (contract,) = (one for one in CONTRACTS if one["name"].startswith("The sandbox knows"))
    assert set(contract["forbidden_modules"]) == parts
