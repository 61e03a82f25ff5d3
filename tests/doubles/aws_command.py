"""The aws command line, in an environment of its own: its botocore is another one than ours.

`aws` is a command like any other, for scripts as well: what it is asked is carried out by a process
forked from one that has imported it and read its models, since that is nine tenths of its time.
Law: nothing happened before the fork but imports and the reading of what botocore ships.
"""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_INSTALL_TIMEOUT_S = 240

_SERVER = """
import gc, json, os, socket, sys
import awscli.clidriver
data_path = os.environ["AWS_DATA_PATH"]  # which the import has set
(loaders,) = [module for name, module in sys.modules.items() if name.endswith("botocore.loaders")]

read, known = loaders.JSONFileLoader.load_file, {}

def read_once(loader, path):
    if path not in known:
        known[path] = read(loader, path)
    return known[path]

loaders.JSONFileLoader.load_file = read_once
loader = awscli.clidriver.create_clidriver().session.get_component("data_loader")
for service in ("s3", "s3control", "iam", "sts", "kms", "sqs", "sns", "lambda", "cloudwatch"):
    for kind in ("service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2"):
        try:
            loader.load_service_model(service, kind)
        except loaders.UnknownServiceError:
            pass  # not every service has each
        except loaders.DataNotFoundError:
            pass
loader.load_data("endpoints"), loader.load_data("partitions")
gc.collect()
gc.freeze()

door = socket.socket(socket.AF_UNIX)
door.bind(sys.argv[1])
door.listen(16)
print("ready", flush=True)
while True:
    visitor, _ = door.accept()
    if os.fork():
        visitor.close()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        continue
    door.close()
    length, fds, _, _ = socket.recv_fds(visitor, 8, 3)
    asked = json.loads(visitor.makefile("rb").read(int(length)))
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        visitor.sendall(b"%d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    visitor.close()
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update({"AWS_DATA_PATH": data_path, **asked["environment"]})
    sys.argv[:] = ["aws", *asked["words"]]
    sys.exit(awscli.clidriver.main())
"""

_SHIM = """\
#!{python} -SE
import json, os, socket, sys
told = dict(words=sys.argv[1:], folder=os.getcwd(), environment=dict(os.environ))
request = json.dumps(told).encode()
door = socket.socket(socket.AF_UNIX)
door.connect({door!r})
socket.send_fds(door, [b"%08d" % len(request)], [0, 1, 2])
door.sendall(request)
code = int(door.recv(16) or b"70")
sys.exit(code if code >= 0 else 128 - code)
"""


def _installed(pytestconfig: pytest.Config) -> Path:
    """Return the environment with the `aws` command, made once in pytest's cache folder.

    By this interpreter's pip: to give the environment one of its own takes as long as awscli.
    """
    folder = pytestconfig.cache.mkdir("awscli")
    home = folder / "venv"
    make = [sys.executable, "-m", "venv", "--without-pip", str(home)]
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python")]
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be at it
        if (home / "bin" / "aws").exists():
            return home
        try:
            subprocess.run(make, check=True, capture_output=True)
            subprocess.run(
                [*pip, "install", "--quiet", "awscli"],
                check=True,
                capture_output=True,
                timeout=_INSTALL_TIMEOUT_S,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"awscli cannot be installed here: {error}")
    return home


@pytest.fixture(scope="session")
def aws(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `aws` command, alone in its folder."""
    python = _installed(pytestconfig) / "bin" / "python"
    folder = tmp_path_factory.mktemp("aws-command")
    command, door = folder / "aws", tmp_path_factory.mktemp("door") / "door"
    command.write_text(_SHIM.format(python=python, door=str(door)), encoding="utf-8")
    command.chmod(0o755)
    with subprocess.Popen(
        [str(python), "-c", _SERVER, str(door)],
        env={"PATH": str(python.parent), "HOME": str(folder), "AWS_DEFAULT_REGION": "us-east-1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None, "it is a pipe"
        try:
            assert server.stdout.readline() == "ready\n", "the command can be imported"
            yield command
        finally:
            server.kill()
