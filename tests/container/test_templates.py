"""manifests/kubernetes and manifests/aws-batch: what people hand to a platform, held to its schema.

The schemas are the platforms' own: Kubernetes' API as `kubernetes-validate` carries it, AWS Batch's
service model as botocore does. What no schema knows is held to the Dockerfile, the command line and
the table of exit codes.
"""

import json
import re
import tomllib
from typing import Any, Final

import botocore.session
import kubernetes_validate  # type: ignore[import-untyped] # it ships no types
import pytest
import yaml
from botocore.validate import ParamValidator

from backfill.campaign.parsing import campaign_of, values_of_document, values_of_environment
from backfill.campaign_options import OPTIONS
from backfill.cli.arguments import _ON_S3
from backfill.cli.main import EPILOG, build_parser
from backfill.execute.run import LEAVING_S
from backfill.settings import Settings
from tests.container.containers import ROOT
from tests.container.image import instructions

KUBERNETES_VERSIONS: Final = ("1.31", "1.34", "1.37")
"""The oldest that somebody still runs, and the newest that there is a schema of."""
AGAIN: Final = {11, 130, 143}
"""Exit codes after which the same command goes on by itself."""
KILLED: Final = {1, 137}
"""Not ours to choose: the interpreter did not start, SIGKILL."""

JOB: Final = ROOT / "manifests" / "kubernetes" / "job.yaml"
DEFINITION: Final = ROOT / "manifests" / "aws-batch" / "job-definition.json"


def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(JOB.read_text(encoding="utf-8")))


@pytest.fixture
def job() -> dict[str, Any]:
    """The Job's specification."""
    (found,) = (one for one in documents() if one["kind"] == "Job")
    specification: dict[str, Any] = found["spec"]
    return specification


@pytest.fixture
def pod(job: dict[str, Any]) -> dict[str, Any]:
    """The specification of its pods."""
    found: dict[str, Any] = job["template"]["spec"]
    return found


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    """The one container of a pod."""
    (found,) = pod["containers"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def definition() -> dict[str, Any]:
    """AWS Batch's job definition."""
    found: dict[str, Any] = json.loads(DEFINITION.read_text(encoding="utf-8"))
    return found


def said(word: str) -> str:
    """Return what the image's last stage says of something."""
    steps = instructions((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    return [step.argument for step in steps if step.word == word][-1]


def own_codes() -> set[int]:
    """Return the exit codes of a run, as the command's help has them; 1 is a probe's answer."""
    words = re.findall(r"(?:^|· |\n|codes: )((?:\d+, )?\d+) ", EPILOG)
    return {int(code) for word in words for code in word.split(", ")} - {0, 1}


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_takes_the_job(version: str) -> None:
    """If this fails, `kubectl apply` refuses the template, or drops what it does not know."""
    kinds = []
    for document in documents():
        assert kubernetes_validate.validate(document, version, strict=True) == version
        kinds.append(document["kind"])
    assert kinds == ["ServiceAccount", "ConfigMap", "Job"]


def test_the_schema_sees_what_is_wrong() -> None:
    """If this fails, the test above passes for anything."""
    document = documents()[-1]
    document["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, KUBERNETES_VERSIONS[-1], strict=True)


def test_aws_batch_takes_the_job_definition(definition: dict[str, Any]) -> None:
    """If this fails, RegisterJobDefinition refuses the template."""
    shape = botocore.session.get_session().get_service_model("batch")
    asked = shape.operation_model("RegisterJobDefinition").input_shape
    assert asked is not None
    assert ParamValidator().validate(definition, asked).generate_report() == ""
    wrong = {**definition, "retryStrategy": {"attempts": "10"}, "backoff": 3}
    assert ParamValidator().validate(wrong, asked).has_errors()


def test_the_pod_may_do_what_the_image_needs_and_no_more(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    """If this fails, a cluster with the restricted profile refuses the pod, or it cannot write."""
    user, group = map(int, said("USER").split(":"))
    security = pod["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (
        *(user, group),
        group,
    )
    assert security["runAsNonRoot"]
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = [mount for mount in container["volumeMounts"] if not mount.get("readOnly")]
    assert [mount["mountPath"] for mount in writable] == [said("VOLUME")]
    (scratch,) = (v for v in pod["volumes"] if v["name"] == writable[0]["name"])
    assert scratch["emptyDir"]["sizeLimit"] == container["resources"]["limits"]["ephemeral-storage"]


def test_batch_runs_it_as_the_image_wants(definition: dict[str, Any]) -> None:
    """If this fails, Fargate gives it a root that it may write, or a disk that it may not."""
    properties = definition["containerProperties"]
    assert properties["user"] == said("USER")
    assert properties["readonlyRootFilesystem"] is True
    (mount,) = properties["mountPoints"]
    assert (mount["containerPath"], mount["readOnly"]) == (said("VOLUME"), False)


def test_every_exit_code_is_tried_again_or_shown_to_a_person(
    job: dict[str, Any], definition: dict[str, Any]
) -> None:
    """If this fails, a cluster repeats what cannot succeed, or gives up what only has to go on."""
    rules = {rule["action"]: rule for rule in job["podFailurePolicy"]["rules"]}
    fails = set(rules["FailJob"]["onExitCodes"]["values"])
    counts = set(rules["Count"]["onExitCodes"]["values"])
    assert fails == own_codes() - AGAIN
    assert counts == AGAIN | KILLED
    again = {
        int(rule["onExitCode"])
        for rule in definition["retryStrategy"]["evaluateOnExit"]
        if "onExitCode" in rule and rule["action"] == "RETRY"
    }
    assert again == AGAIN | {137}
    assert definition["retryStrategy"]["evaluateOnExit"][-1] == {"onReason": "*", "action": "EXIT"}


def test_the_campaign_loads_and_its_drain_fits_into_the_grace_period(
    pod: dict[str, Any], definition: dict[str, Any]
) -> None:
    """If this fails, SIGKILL comes in the middle of every drain."""
    (text,) = (one["data"]["campaign.toml"] for one in documents() if one["kind"] == "ConfigMap")
    document = tomllib.loads(text.replace("SOURCE-BUCKET", "source-bucket"))
    campaign = campaign_of(values_of_document(document, place="campaign.toml"))
    leaving_s = campaign.settings.drain_timeout_s + LEAVING_S
    assert pod["terminationGracePeriodSeconds"] >= 2 * leaving_s
    told = {one["name"]: one["value"] for one in definition["containerProperties"]["environment"]}
    told["BACKFILL_SOURCE_BUCKET"] = "source-bucket"
    batch = campaign_of(values_of_environment(told))
    # AWS Batch gives 30 s between SIGTERM and SIGKILL (AWS Batch User Guide: TerminateJob).
    assert batch.settings.drain_timeout_s + LEAVING_S < 30
    assert batch.access.destination_role_arn == campaign.access.destination_role_arn
    assert Settings().drain_timeout_s < pod["terminationGracePeriodSeconds"]


def test_commands_probes_and_variables_are_the_commands_own(
    container: dict[str, Any], definition: dict[str, Any]
) -> None:
    """If this fails, a probe fails for ever, or a setting is set that nobody reads."""
    parser = build_parser()
    probes = [container[name]["exec"]["command"] for name in container if name.endswith("Probe")]
    assert len(probes) == 3
    for words in (*probes, ["backfill", *container["args"]]):
        assert [words[0]] == json.loads(said("ENTRYPOINT"))
        parser.parse_args(words[1:])
    parser.parse_args(definition["containerProperties"]["command"])
    known = {option.environment for option in OPTIONS} | {
        f"BACKFILL_{flag.removeprefix('--').upper().replace('-', '_')}"
        for flag in ("--run-dir", *_ON_S3)
    }
    names = {one["name"] for one in container["env"]}
    names |= {one["name"] for one in definition["containerProperties"]["environment"]}
    assert {name for name in names if name.startswith("BACKFILL_")} <= known
    assert "BACKFILL_RUN_DIR" in names
