"""Carries out a Dockerfile without an engine: each stage a root directory, each RUN a chroot.

Never a container engine: no layers, no pull. The base image is this machine's Python, copied to
where the official images have it, over the machine's own /usr, which is mounted read-only.
Law: an instruction that this module does not know is an error, so that nothing is passed over.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM = ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "usr/libexec", "usr/share")
DEVICES = ("null", "zero", "random", "urandom")
ETC = ("hosts", "resolv.conf", "nsswitch.conf", "passwd", "group", "ld.so.conf", "ld.so.conf.d",
       "ssl", "ca-certificates")  # fmt: skip
NETWORK = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE")
"""What a build takes from the machine: how its pip reaches an index, as proxies would be."""
PATH = "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"
BUILD_TIMEOUT_S = 600
SECRETS = "/run"
"""Where a test mounts what a platform would mount as a secret: a folder that every root has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction, its continuation lines joined."""

    word: str
    argument: str


# Grows while its instructions are carried out.
@dataclass(slots=True, kw_only=True)
class Stage:
    """One stage: its root directory and what its instructions have set so far."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    arguments: dict[str, str] = field(default_factory=dict)
    directory: str = "/"
    user: str = "0:0"
    volumes: list[str] = field(default_factory=list)
    stop_signal: str = "SIGTERM"
    entry_point: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def instructions(text: str) -> list[Instruction]:
    """Parse a Dockerfile: comments dropped, continuations joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = []
    for line in filter(None, (line.strip() for line in joined.splitlines())):
        word, _, argument = line.partition(" ")
        found.append(Instruction(word=word.upper(), argument=argument.strip()))
    return found


def allowed(dockerignore: str) -> set[str]:
    """Return the top-level names that the build context holds."""
    lines = dockerignore.splitlines()
    assert "*" in lines, "the context is a list of what is let in"
    return {line.removeprefix("!") for line in lines if line.startswith("!")}


class Builder:
    """Builds the last stage of a Dockerfile below a directory."""

    def __init__(self, context: Path, work: Path, arguments: Mapping[str, str]) -> None:
        self._context = context
        self._work = work
        self._arguments = dict(arguments)
        self._allowed = allowed((context / ".dockerignore").read_text())
        self._stages: dict[str, Stage] = {}
        self._global: dict[str, str] = {}
        self._base = work / "base"

    def build(self) -> Stage:
        """Carry out every instruction and return the last stage."""
        make_base(self._base)
        stage: Stage | None = None
        for instruction in instructions((self._context / "Dockerfile").read_text()):
            if instruction.word == "FROM":
                stage = self._from(instruction.argument)
            elif stage is None:
                assert instruction.word == "ARG", "only ARG may stand before FROM"
                self._set_argument(self._global, instruction.argument)
            else:
                self._carry_out(stage, instruction)
        assert stage is not None, "a Dockerfile has a stage"
        return stage

    def _from(self, argument: str) -> Stage:
        image, _, name = argument.partition(" AS ")
        assert image == "${BASE_IMAGE}", "the base is the build argument"
        assert "/" not in self._global["BASE_IMAGE"], "the default base names no registry"
        name = name or f"stage-{len(self._stages)}"
        root = self._work / name
        subprocess.run(["cp", "-a", self._base, root], check=True)
        self._stages[name] = Stage(root=root)
        return self._stages[name]

    def _set_argument(self, arguments: dict[str, str], argument: str) -> None:
        name, _, default = argument.partition("=")
        arguments[name] = self._arguments.get(name, default)

    def _carry_out(self, stage: Stage, instruction: Instruction) -> None:
        match instruction.word:
            case "ARG":
                self._set_argument(stage.arguments, instruction.argument)
            case "COPY":
                self._copy(stage, self._expanded(stage, instruction.argument))
            case "RUN":
                self._run(stage, instruction.argument)
            case word:
                _configure(stage, word, self._expanded(stage, instruction.argument))

    def _expanded(self, stage: Stage, text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda found: stage.arguments[found[1]], text)

    def _copy(self, stage: Stage, argument: str) -> None:
        words = argument.split()
        origin = self._context
        if words[0].startswith("--from="):
            origin = self._stages[words.pop(0).removeprefix("--from=")].root
        *sources, destination = words
        place = Path(stage.directory, destination).relative_to("/")
        for source in sources:
            if origin == self._context:
                assert source.split("/")[0] in self._allowed, f".dockerignore leaves out {source}"
            source_path = origin / source.lstrip("/")
            if source_path.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source_path, stage.root / place, dirs_exist_ok=True, ignore=ignored)
            else:
                end = place / source_path.name if destination.endswith("/") else place
                (stage.root / end).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source_path, stage.root / end)

    def _run(self, stage: Stage, argument: str) -> None:
        mounts = mount_lines(stage.root, read_only=False)
        while argument.startswith("--mount="):
            mount, _, argument = argument.partition(" ")
            mounts += _cache_mount(stage.root, mount)
            argument = argument.lstrip()
        environment = {name: os.environ[name] for name in NETWORK if name in os.environ}
        inside = f"cd {stage.directory} && {{ {argument}; }}"
        in_namespace(
            [*mounts, f"exec chroot {stage.root} /bin/sh -euc {shlex.quote(inside)}"],
            {**environment, **stage.environment, **stage.arguments},
        )


def _configure(stage: Stage, word: str, argument: str) -> None:
    """Carry out what sets how the image runs."""
    match word:
        case "ENV":
            for pair in shlex.split(argument):
                name, _, value = pair.partition("=")
                stage.environment[name] = value
        case "WORKDIR":
            stage.directory = argument
            (stage.root / argument.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "USER":
            stage.user = argument
        case "VOLUME":
            stage.volumes.append(argument)
        case "STOPSIGNAL":
            stage.stop_signal = argument
        case "ENTRYPOINT":
            stage.entry_point = json.loads(argument)
        case "CMD":
            stage.command = json.loads(argument)
        case _:
            raise AssertionError(f"the builder does not know {word}")


def _cache_mount(root: Path, mount: str) -> list[str]:
    options = dict(pair.split("=", 1) for pair in mount.removeprefix("--mount=").split(","))
    assert options["type"] == "cache", "only caches are mounted in a build"
    target = root / options["target"].lstrip("/")
    target.mkdir(parents=True, exist_ok=True)
    cache = subprocess.run(
        [sys.executable, "-m", "pip", "cache", "dir"], check=True, capture_output=True, text=True
    ).stdout.strip()
    Path(cache).mkdir(parents=True, exist_ok=True)
    return [f"mount --bind {shlex.quote(cache)} {target}"]


def make_base(root: Path) -> None:
    """Make the base image: this machine's Python and pip in /usr/local, and mount points."""
    for name in ("proc", "dev", "etc", "tmp", "run", "root", "usr/local/bin", "usr/local/lib"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    for name in SYSTEM:
        if Path("/", name).is_dir():
            (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
    for name in DEVICES:
        (root / "dev" / name).touch()
    for name in ETC:
        if Path("/etc", name).exists():
            subprocess.run(["cp", "-rL", f"/etc/{name}", root / "etc" / name], check=True)
    _copy_python(root / "usr/local")
    _copy_pip(Path(sysconfig.get_path("purelib")), root / "usr/local")
    prepare = "ldconfig && python -m pip --version >/dev/null"
    in_namespace(
        [*mount_lines(root, read_only=False), f"exec chroot {root} /bin/sh -euc '{prepare}'"],
        {"PATH": PATH},
    )


def _copy_python(prefix: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    executable = Path(sys.executable).resolve()
    shutil.copy(executable, prefix / "bin" / version)
    (prefix / "bin/python").symlink_to(version)
    (prefix / "bin/python3").symlink_to(version)
    ignored = shutil.ignore_patterns(
        "__pycache__", "site-packages", "dist-packages", "test", "idlelib", "tkinter", "config-*",
        "EXTERNALLY-MANAGED",
    )  # fmt: skip
    shutil.copytree(sysconfig.get_path("stdlib"), prefix / "lib" / version, ignore=ignored)
    (prefix / "lib" / version / "site-packages").mkdir()
    # Debian's Python looks for what was installed under a name of its own.
    (prefix / "lib" / version / "dist-packages").symlink_to("site-packages")
    library = Path(
        sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or ""
    )
    if library.is_file() and ".so" in library.name:
        shutil.copy(library, prefix / "lib" / library.name)


def _copy_pip(origin: Path, prefix: Path) -> None:
    """Copy this interpreter's pip: to install and compile it anew takes seconds."""
    (place,) = prefix.glob("lib/python*/site-packages")
    for folder in (origin / "pip", *origin.glob("pip-*.dist-info")):
        shutil.copytree(folder, place / folder.name)


def mount_lines(root: Path, *, read_only: bool) -> list[str]:
    """Return shell lines that mount a stage's root and the machine's system into it."""
    lines = [f"mount --bind {root} {root}"]
    if read_only:
        lines.append(f"mount -o remount,bind,ro {root}")
    for name in SYSTEM:
        if (root / name).is_dir():
            lines.append(f"mount --bind /{name} {root / name}")
            lines.append(f"mount -o remount,bind,ro {root / name}")
    lines += [f"mount --bind /dev/{name} {root / 'dev' / name}" for name in DEVICES]
    lines.append(f"mount -t proc proc {root / 'proc'}")
    return lines


NAMESPACE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]


def in_namespace(lines: list[str], environment: Mapping[str, str]) -> None:
    """Run shell lines in namespaces of their own; what they print is the error."""
    ended = subprocess.run(
        [*NAMESPACE, "/bin/sh", "-euc", "\n".join(lines)],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=BUILD_TIMEOUT_S,
    )
    assert ended.returncode == 0, f"{lines[-1]}\n{ended.stdout[-4000:]}"


def run_command(
    stage: Stage,
    run_directory: Path,
    arguments: list[str],
    *,
    environment: Mapping[str, str] | None = None,
    secrets: Path | None = None,
) -> list[str]:
    """Return the command that runs the image as an engine would with a read-only root.

    The command is process 1 of its namespace, has no capability, and no shell stands before it.
    `environment` is added to the image's own; `secrets` is mounted read-only at SECRETS.
    """
    user, group = stage.user.split(":")
    variables = {**stage.environment, **(environment or {})}
    words = [
        "setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs",
        "--bounding-set=-all", "--inh-caps=-all",
        *("env", "-i", "-C", stage.directory),
        *(f"{name}={value}" for name, value in variables.items()),
        *stage.entry_point, *(arguments or stage.command),
    ]  # fmt: skip
    (volume,) = stage.volumes
    lines = [
        *mount_lines(stage.root, read_only=True),
        f"mount --bind {run_directory} {stage.root}{volume}",
    ]
    if secrets is not None:
        lines.append(f"mount --bind {secrets} {stage.root}{SECRETS}")
        lines.append(f"mount -o remount,bind,ro {stage.root}{SECRETS}")
    lines.append(f"exec chroot {stage.root} {shlex.join(words)}")
    return [*NAMESPACE, "/bin/sh", "-euc", "\n".join(lines)]
