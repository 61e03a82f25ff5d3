"""Processes of the command that need not import it first: forked from one that has.

    with Nursery(environment) as nursery:
        child = nursery.start(words, environment=..., folder=..., files=(stdin, stdout, stderr))

Imports are two thirds of what a short command costs, and the tests start hundreds. What is forked
is a process of its own with its own signals, locks and files; it can be killed like any other.
Never used where start-up itself is looked at. Law: nothing happened before the fork but imports,
the compiling of the report's template, and the reading of what botocore ships: the models of the
services, which each session reads anew. What botocore computes again for each client from nothing
but its own code (names of events, signatures of handlers) is computed once.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

READY_TIMEOUT_S = 120.0
_REQUEST_BYTES_MAX = 1024 * 1024

_PROGRAM = """
import atexit, gc, importlib, json, os, pkgutil, signal, socket, sys, threading
import backfill, backfill.cli.main as command
for module in pkgutil.walk_packages(backfill.__path__, "backfill."):
    if "sandbox" not in module.name and "demo" not in module.name:
        importlib.import_module(module.name)
import aiobotocore.client, aiobotocore.session, aioboto3, boto3
import aioboto3.s3.inject, concurrent.futures.thread, encodings.idna, uvloop
import botocore.client, botocore.hooks, botocore.loaders, botocore.session
import aiobotocore.hooks
import backfill.report.html
from backfill.execute import shards

backfill.report.html.template()

alias = botocore.hooks.EventAliaser._alias_event_name
aliased, accepts, accepting = {}, botocore.hooks.accepts_kwargs, {}

def alias_once(aliaser, name):
    # A session may have its own table of aliases; there is but one in what the command does.
    if name not in aliased:
        aliased[name] = alias(aliaser, name)
    return aliased[name]

def accepts_once(function):
    named = getattr(function, "__code__", None)
    if named is None:
        return accepts(function)
    if named not in accepting:
        accepting[named] = accepts(function)
    return accepting[named]

botocore.hooks.EventAliaser._alias_event_name = alias_once
botocore.hooks.accepts_kwargs = accepts_once

read, known = botocore.loaders.JSONFileLoader.load_file, {}

def read_once(loader, path):
    if path not in known:
        known[path] = read(loader, path)
    return known[path]

botocore.loaders.JSONFileLoader.load_file = read_once
listed, lists = botocore.loaders.Loader.list_available_services, {}

def list_once(loader, type_name):
    asked = (type_name, *loader.search_paths)
    if asked not in lists:
        lists[asked] = listed(loader, type_name)
    return lists[asked]

botocore.loaders.Loader.list_available_services = list_once
created, classes = aiobotocore.client.AioClientCreator._create_client_class, {}

async def create_once(creator, service_name, service_model):
    if service_name not in classes:
        classes[service_name] = await created(creator, service_name, service_model)
    return classes[service_name]

aiobotocore.client.AioClientCreator._create_client_class = create_once
session = botocore.session.get_session()
boto3.Session(botocore_session=session)  # adds a place to look for models in
loader = session.get_component("data_loader")
for service in ("s3", "s3control", "iam", "sts", "kms", "sqs", "sns", "lambda", "cloudwatch"):
    for kind in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model(service, kind)
    keys = {"aws_access_key_id": "of nobody", "aws_secret_access_key": "of nobody"}
    session.create_client(service, "us-east-1", **keys).close()  # sends nothing
loader.load_data("endpoints"), loader.load_data("partitions")
gc.collect()
gc.freeze()  # so that no child looks through all of this for garbage

door = socket.socket(socket.AF_UNIX)
door.bind(sys.argv[1])
door.listen(16)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
while True:
    visitor, _ = door.accept()
    if os.fork():
        visitor.close()
        continue
    door.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with visitor.makefile("r", encoding="utf-8") as lines:
        asked = json.loads(lines.readline())
    child = os.fork()
    if child:
        visitor.sendall(f"{child}\\n".encode())
        _, status = os.waitpid(child, 0)
        visitor.sendall(f"{os.waitstatus_to_exitcode(status)}\\n".encode())
        os._exit(0)
    visitor.close()
    for number, name in enumerate(asked["files"]):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    if "BAD_DISK" in os.environ:
        from tests.doubles.bad_disk import installed
        installed(os.environ)
    # So that few rows are worth a process: the simulation plants the same.
    shards.ROWS_MIN = int(os.environ.pop("SHARD_ROWS_MIN", shards.ROWS_MIN))
    sys.argv[:] = ["backfill", *asked["words"]]
    try:
        command.entry_point()
    except SystemExit as ended:
        # As Python ends, but for taking apart each module that was forked: a third of the cost.
        if not isinstance(ended.code, int):
            raise
        threading._shutdown()
        atexit._run_exitfuncs()
        gc.collect()  # what was left open complains now
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            raise ended
        os._exit(ended.code)
    raise AssertionError("the command ends by an exit code")
"""


class Child:
    """A forked command."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("r", encoding="utf-8")
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        """Return something once it has ended, None while it goes on."""
        readable, _, _ = select.select([self._connection], [], [], 0)
        return 0 if readable else None

    def wait(self, timeout: float) -> int:
        """Wait for its end and return its exit code, negative for a signal's number.

        Raises:
            TimeoutError: it goes on.
        """
        self._connection.settimeout(timeout)
        try:
            return int(self._lines.readline())
        finally:
            self._lines.close()
            self._connection.close()


class Nursery:
    """One process that has imported the command and forks on request."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._folder = tempfile.TemporaryDirectory()
        self._process: subprocess.Popen[str] | None = None

    @property
    def _door(self) -> str:
        return str(Path(self._folder.name) / "door")

    def start(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        files: tuple[Path, Path, Path],
    ) -> Child:
        """Fork a command; `files` are its standard input, output and error."""
        request = json.dumps(
            {
                "words": list(words),
                "environment": dict(environment),
                "folder": str(folder),
                "files": [str(file) for file in files],
            }
        ).encode()
        assert len(request) < _REQUEST_BYTES_MAX, "a command line is short"
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(READY_TIMEOUT_S)
        connection.connect(self._door)
        connection.sendall(request + b"\n")
        return Child(connection)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, self._door],
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None, "it is a pipe"
        assert self._process.stdout.readline() == "ready\n", "the command can be imported"
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None, "entered"
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()
        self._folder.cleanup()


def own_environment(root: Path) -> dict[str, str]:
    """Return this process's environment without its AWS and backfill settings."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "BACKFILL_"))
    }
    return {**own, "PYTHONPATH": str(root), "PYTHONUTF8": "1"}
