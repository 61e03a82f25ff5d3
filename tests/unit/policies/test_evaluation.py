"""The decision: the IAM User Guide's rules, one by one, and the evidence that goes with each."""

from collections.abc import Mapping

import pytest

from backfill.policies.context import Context, Every, Said, context_of
from backfill.policies.evaluation import EVIDENCE_MAX, Decision, Verdict, decision
from backfill.policies.principals import Principal, principal_of, service
from backfill.policies.request import Documents, Place, Reading, Request, Unread, reading_of

A, B = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{A}:role/service-role/replicator"
SESSION = f"arn:aws:sts::{A}:assumed-role/replicator/s3"
USER = f"arn:aws:iam::{A}:user/carlos"
KEY = f"arn:aws:kms:eu-west-1:{B}:key/k"
OBJECT = "arn:aws:s3:::b/k"

as_role = principal_of(ROLE, session_arn=SESSION)
as_unnamed_session = principal_of(ROLE)
as_user = principal_of(USER)
as_root = principal_of(f"arn:aws:iam::{A}:root")
as_s3 = service("s3.amazonaws.com")

ALLOWED, EXPLICIT = Verdict.ALLOWED, Verdict.EXPLICIT_DENY
IMPLICIT, OPEN = Verdict.IMPLICIT_DENY, Verdict.CANNOT_TELL


def statement(effect: str = "Allow", **elements: object) -> dict[str, object]:
    return {"Effect": effect, "Action": "*", "Resource": "*", **elements}


def policy(*statements: Mapping[str, object], name: str = "policy", account: str = A) -> Reading:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return reading_of(name, account, document)


def for_(principal: object, effect: str = "Allow", **elements: object) -> Reading:
    return policy(statement(effect, Principal=principal, **elements), name="bucket policy of b")


def unread(name: str = "policy") -> Unread:
    return Unread(name=name, account_id=A, reason="AccessDenied")


ALLOW_ALL = policy(statement())
DENY_ALL = policy(statement("Deny", Sid="Never"))
SILENT = policy(statement(Action="ec2:*"))
AWS_ROLE, AWS_SESSION, AWS_USER = {"AWS": ROLE}, {"AWS": SESSION}, {"AWS": USER}


def asked(
    who: Principal,
    documents: Documents,
    *,
    action: str = "s3:GetObject",
    resource: Said = OBJECT,
    owner: str = A,
    context: Context | None = None,
) -> Decision:
    return decision(
        Request(
            principal=who,
            action=action,
            resource=resource,
            resource_account_id=owner,
            context=context or Context(),
        ),
        documents,
    )


def documents(
    *identity: Reading, resource: Reading | None = None, boundary: Reading | None = None
) -> Documents:
    return Documents(identity=identity, resource=resource, boundary=boundary)


@pytest.mark.parametrize(
    ("who", "held", "verdict"),
    [
        # Identity-based policies with resource-based policies
        (as_user, documents(), IMPLICIT),
        (as_user, documents(ALLOW_ALL), ALLOWED),
        (as_user, documents(ALLOW_ALL, DENY_ALL), EXPLICIT),
        (as_user, documents(SILENT), IMPLICIT),
        (as_user, documents(resource=for_(AWS_USER)), ALLOWED),
        (as_user, documents(resource=for_("*")), ALLOWED),
        (as_user, documents(resource=for_({"AWS": A})), IMPLICIT),
        (as_user, documents(resource=for_({"AWS": f"arn:aws:iam::{A}:root"})), IMPLICIT),
        (as_user, documents(ALLOW_ALL, resource=for_(AWS_USER, "Deny")), EXPLICIT),
        (as_user, documents(ALLOW_ALL, resource=for_({"AWS": A}, "Deny")), EXPLICIT),
        (as_user, documents(DENY_ALL, resource=for_(AWS_USER)), EXPLICIT),
        (as_role, documents(resource=for_(AWS_ROLE)), ALLOWED),
        (as_role, documents(resource=for_(AWS_SESSION)), ALLOWED),
        (as_role, documents(resource=for_({"AWS": f"arn:aws:iam::{A}:role/replicator"})), IMPLICIT),
        (
            as_role,
            documents(resource=for_({"AWS": ROLE.replace("replicator", "Replicator")})),
            IMPLICIT,
        ),
        # The account's root
        (as_root, documents(), ALLOWED),
        (as_root, documents(resource=for_("*", "Deny")), EXPLICIT),
        # Permissions boundaries: the table of implicit denies
        (as_user, documents(ALLOW_ALL, boundary=SILENT), IMPLICIT),
        (as_user, documents(ALLOW_ALL, boundary=ALLOW_ALL), ALLOWED),
        (as_user, documents(boundary=ALLOW_ALL), IMPLICIT),
        (as_user, documents(ALLOW_ALL, boundary=DENY_ALL), EXPLICIT),
        (as_user, documents(boundary=SILENT, resource=for_(AWS_USER)), ALLOWED),
        (as_role, documents(ALLOW_ALL, boundary=SILENT, resource=for_(AWS_ROLE)), IMPLICIT),
        (as_role, documents(boundary=ALLOW_ALL, resource=for_(AWS_ROLE)), ALLOWED),
        (as_role, documents(boundary=SILENT, resource=for_(AWS_SESSION)), ALLOWED),
        (as_role, documents(boundary=SILENT, resource=for_("*")), OPEN),
        # Services
        (as_s3, documents(ALLOW_ALL), IMPLICIT),
        (as_s3, documents(resource=for_({"Service": "s3.amazonaws.com"})), ALLOWED),
        (as_s3, documents(resource=for_("*")), ALLOWED),
        (as_s3, documents(resource=for_({"AWS": A})), IMPLICIT),
        (as_s3, documents(resource=for_({"Service": "sns.amazonaws.com"})), IMPLICIT),
        (as_s3, documents(DENY_ALL, resource=for_("*")), ALLOWED),
        # What is named in other ways
        (as_user, documents(resource=for_({"Federated": "cognito"})), IMPLICIT),
        (as_user, documents(resource=for_({"CanonicalUser": "79a5"})), IMPLICIT),
        (as_user, documents(resource=for_({"Martian": "x"})), OPEN),
        (as_user, documents(resource=policy(statement())), OPEN),
    ],
)
def test_within_an_account(who: Principal, held: Documents, verdict: Verdict) -> None:
    """If this fails, an answer within one account is not the IAM User Guide's."""
    assert asked(who, held).verdict is verdict


@pytest.mark.parametrize(
    ("who", "held", "verdict"),
    [
        (as_user, documents(ALLOW_ALL), IMPLICIT),
        (as_user, documents(resource=for_(AWS_USER)), IMPLICIT),
        (as_user, documents(ALLOW_ALL, resource=for_(AWS_USER)), ALLOWED),
        (as_user, documents(ALLOW_ALL, resource=for_({"AWS": A})), ALLOWED),
        (as_user, documents(ALLOW_ALL, resource=for_({"AWS": B})), IMPLICIT),
        (as_user, documents(ALLOW_ALL, resource=for_("*")), ALLOWED),
        (as_user, documents(ALLOW_ALL, boundary=SILENT, resource=for_(AWS_USER)), IMPLICIT),
        (as_user, documents(ALLOW_ALL, resource=for_({"CanonicalUser": "79a5"})), OPEN),
        (as_root, documents(resource=for_({"AWS": A})), ALLOWED),
        (as_root, documents(), IMPLICIT),
        (as_role, documents(ALLOW_ALL, boundary=SILENT, resource=for_(AWS_SESSION)), IMPLICIT),
        (as_s3, documents(resource=for_({"Service": "s3.amazonaws.com"})), ALLOWED),
    ],
)
def test_across_accounts_both_must_allow(who: Principal, held: Documents, verdict: Verdict) -> None:
    """If this fails, one account's word is taken for the other's, too."""
    assert asked(who, held, owner=B).verdict is verdict


@pytest.mark.parametrize("action", ["kms:Decrypt", "sts:AssumeRole"])
@pytest.mark.parametrize(
    ("who", "held", "owner", "verdict"),
    [
        (as_role, documents(ALLOW_ALL), A, IMPLICIT),
        (as_role, documents(ALLOW_ALL, resource=for_({"AWS": A})), A, ALLOWED),
        (as_role, documents(resource=for_({"AWS": A})), A, IMPLICIT),
        (as_role, documents(resource=for_(AWS_ROLE)), A, ALLOWED),
        (as_root, documents(), A, IMPLICIT),
        (as_root, documents(resource=for_({"AWS": A})), A, ALLOWED),
        (as_role, documents(resource=for_(AWS_ROLE)), B, IMPLICIT),
        (as_role, documents(ALLOW_ALL, resource=for_(AWS_ROLE)), B, ALLOWED),
        (as_role, documents(ALLOW_ALL, resource=for_({"AWS": A})), B, ALLOWED),
        (as_s3, documents(resource=for_({"Service": "s3.amazonaws.com"})), A, ALLOWED),
        (as_s3, documents(resource=for_({"AWS": A})), A, IMPLICIT),
    ],
)
def test_keys_and_roles_must_say_so_themselves(
    action: str, who: Principal, held: Documents, owner: str, verdict: Verdict
) -> None:
    """If this fails, an identity policy alone seems to open a key or a role."""
    assert asked(who, held, owner=owner, action=action, resource="*").verdict is verdict


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"session": (ALLOW_ALL,)}, ALLOWED),
        ({"session": (SILENT,)}, IMPLICIT),
        ({"session": (SILENT, ALLOW_ALL)}, ALLOWED),
        ({"service_control": ((ALLOW_ALL,), (SILENT,))}, IMPLICIT),
        ({"service_control": ((ALLOW_ALL,), (SILENT, ALLOW_ALL))}, ALLOWED),
        ({"service_control": ((ALLOW_ALL, DENY_ALL),)}, EXPLICIT),
        ({"resource_control": ((ALLOW_ALL,),)}, ALLOWED),
        ({"resource_control": ((ALLOW_ALL, policy(statement("Deny"))),)}, EXPLICIT),
        ({"service_control": ((unread(),),)}, OPEN),
        ({"resource_control": ((unread(),),)}, OPEN),
    ],
)
def test_what_limits_must_allow_on_every_level(
    changes: dict[str, tuple[Reading, ...]], verdict: Verdict
) -> None:
    """If this fails, an organization's guard rail or a session policy is overlooked."""
    held = Documents(identity=(ALLOW_ALL,), **changes)  # type: ignore[arg-type] # each names one field
    assert asked(as_role, held).verdict is verdict


@pytest.mark.parametrize(
    ("held", "verdict"),
    [
        (documents(unread()), OPEN),
        (documents(ALLOW_ALL, unread()), OPEN),
        (documents(ALLOW_ALL, resource=unread()), OPEN),
        (documents(ALLOW_ALL, boundary=unread()), OPEN),
        (documents(unread(), DENY_ALL), EXPLICIT),
        (documents(unread(), resource=for_(AWS_ROLE, "Deny")), EXPLICIT),
        (documents(unread(), boundary=SILENT), IMPLICIT),
    ],
)
def test_a_document_that_was_not_read_is_never_an_allow(held: Documents, verdict: Verdict) -> None:
    """If this fails, preflight says ok about a document that nobody has seen."""
    assert asked(as_role, held).verdict is verdict


ALL_THREE = {"AWS": [ROLE, SESSION, A]}


@pytest.mark.parametrize(
    ("who", "named", "boundary", "verdict"),
    [
        (as_role, {"AWS": B}, None, EXPLICIT),
        (as_role, ALL_THREE, None, ALLOWED),
        (as_role, ALL_THREE, ALLOW_ALL, EXPLICIT),
        (as_role, ALL_THREE, unread(), OPEN),
        (as_role, {"AWS": [ROLE, A]}, None, OPEN),
        (as_unnamed_session, ALL_THREE, None, OPEN),
        (as_role, "*", None, ALLOWED),
        (as_user, {"AWS": [USER, A]}, None, ALLOWED),
        (as_user, {"AWS": USER}, None, OPEN),
        (as_user, {"AWS": [USER, A]}, ALLOW_ALL, EXPLICIT),
        (as_root, {"AWS": A}, None, ALLOWED),
    ],
)
def test_not_principal_with_deny(
    who: Principal, named: object, boundary: Reading | None, verdict: Verdict
) -> None:
    """If this fails, a Deny for everybody else is read as none for us, or the other way round."""
    denies = policy({"Effect": "Deny", "NotPrincipal": named, "Action": "*", "Resource": "*"})
    held = documents(ALLOW_ALL, resource=denies, boundary=boundary)
    assert asked(who, held).verdict is verdict


def test_not_principal_with_allow_is_never_an_allow() -> None:
    """If this fails, something that AWS does not support is taken for a grant."""
    allows = policy({"Effect": "Allow", "NotPrincipal": {"AWS": B}, "Action": "*", "Resource": "*"})
    assert asked(as_user, documents(resource=allows)).verdict is OPEN


@pytest.mark.parametrize(
    ("elements", "verdict"),
    [
        ({"Action": "S3:getobject"}, ALLOWED),
        ({"Action": "s3:GetObjectAcl"}, IMPLICIT),
        ({"Action": None, "NotAction": "s3:Put*"}, ALLOWED),
        ({"Action": None, "NotAction": ["s3:Get*", "s3:Put*"]}, IMPLICIT),
        ({"Resource": "arn:aws:s3:::b/*"}, ALLOWED),
        ({"Resource": "arn:aws:s3:::b"}, IMPLICIT),
        ({"Resource": None, "NotResource": "arn:aws:s3:::c/*"}, ALLOWED),
        ({"Resource": None, "NotResource": "arn:aws:s3:::b/*"}, IMPLICIT),
        ({"Resource": "arn:aws:s3:::${aws:username}/*"}, OPEN),
        ({"Resource": "arn:aws:s3:::b/${aws:PrincipalAccount}"}, IMPLICIT),
        ({"Resource": None}, OPEN),
        ({"Condition": {"StringEquals": {"aws:ResourceAccount": A}}}, ALLOWED),
        ({"Condition": {"StringEquals": {"s3:ResourceAccount": B}}}, IMPLICIT),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, ALLOWED),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, OPEN),
        ({"Condition": {"StringEquals": {"aws:SourceArn": "x"}}}, IMPLICIT),
        ({"Condition": {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{A}:role/*"}}}, ALLOWED),
        ({"Condition": {"StringEquals": {"aws:PrincipalType": "User"}}}, IMPLICIT),
        ({"Condition": {"Null": {"aws:username": "true"}}}, ALLOWED),
        ({"Condition": {"StringSoundsLike": {"aws:username": "x"}}}, OPEN),
        ({"Elsewhere": 1}, OPEN),
        ({"Principal": "*"}, OPEN),
    ],
)
def test_each_element_narrows_a_statement(elements: dict[str, object], verdict: Verdict) -> None:
    """If this fails, an element of a statement is read wrongly or not at all."""
    made = {name: each for name, each in (statement() | elements).items() if each is not None}
    assert asked(as_role, documents(policy(made))).verdict is verdict


def test_a_part_of_the_objects_leaves_the_whole_open() -> None:
    """If this fails, a policy for one prefix is taken for one of the whole bucket."""
    part = statement(Resource="arn:aws:s3:::b/logs/*")
    whole = Every(prefix="arn:aws:s3:::b/")
    assert asked(as_role, documents(policy(part)), resource=whole).verdict is OPEN
    logs = Every(prefix="arn:aws:s3:::b/logs/2026/")
    assert asked(as_role, documents(policy(part)), resource=logs).is_allowed
    denied = documents(ALLOW_ALL, policy({**part, "Effect": "Deny"}))
    assert asked(as_role, denied, resource=whole).verdict is OPEN


def test_a_session_whose_role_has_an_unknown_path_is_left_open() -> None:
    """If this fails, GetCallerIdentity's ARN, which has no path, is taken for the role's."""
    who = principal_of(SESSION)
    assert asked(who, documents(resource=for_(AWS_ROLE))).verdict is OPEN
    other = {"AWS": f"arn:aws:iam::{A}:role/service-role/another"}
    assert asked(who, documents(resource=for_(other))).verdict is IMPLICIT
    assert asked(who, documents(resource=for_(AWS_SESSION))).is_allowed


def test_a_session_that_nobody_can_name_is_left_open() -> None:
    """If this fails, a grant to one session of a role seems to hold for all of them, or none."""
    assert asked(as_unnamed_session, documents(resource=for_(AWS_SESSION))).verdict is OPEN
    assert asked(as_unnamed_session, documents(resource=for_(AWS_ROLE))).is_allowed


def test_a_name_with_a_wildcard_is_left_open() -> None:
    """If this fails, a principal that AWS refuses to take is read as somebody, or as nobody."""
    named = {"AWS": f"arn:aws:iam::{A}:role/*"}
    assert asked(as_role, documents(resource=for_(named))).verdict is OPEN
    assert asked(as_user, documents(resource=for_(named))).verdict is OPEN


def test_whose_a_resource_is_stays_open_where_nobody_said() -> None:
    """If this fails, a condition on the resource's account holds for no account at all."""
    owned = policy(statement(Condition={"StringEquals": {"aws:ResourceAccount": A}}))
    held = documents(owned, resource=for_(AWS_ROLE))
    assert asked(as_role, held, owner="").verdict is OPEN


@pytest.mark.parametrize("arn", ["", "role", "arn:aws:s3:::b", "arn:aws:iam::1"])
def test_what_is_no_principal_is_refused(arn: str) -> None:
    """If this fails, a typing error becomes a principal whom no policy names."""
    with pytest.raises(ValueError, match="no role"):
        principal_of(arn)


def test_a_deny_shows_account_document_and_statement() -> None:
    """If this fails, nobody finds the statement that refuses."""
    held = documents(ALLOW_ALL, resource=for_("*", "Deny", Sid="Stop\x1b[2J"))
    (line,) = asked(as_role, held).lines
    assert line == (
        f'account {A}: bucket policy of b, statement "Stop\\x1b[2J": '
        f"denies s3:GetObject on {OBJECT}"
    )


@pytest.mark.parametrize(
    ("held", "owner", "lacks", "words"),
    [
        (documents(), A, (Place.IDENTITY,), f"nothing here allows s3:GetObject on {OBJECT}"),
        (documents(), B, (Place.IDENTITY, Place.RESOURCE), "there is none"),
        (documents(ALLOW_ALL), B, (Place.RESOURCE,), "there is none"),
        (documents(resource=for_(AWS_ROLE)), B, (Place.IDENTITY,), "nothing here allows"),
        (documents(ALLOW_ALL, boundary=SILENT), A, (Place.BOUNDARY,), "permissions boundary of"),
        (
            documents(ALLOW_ALL, resource=for_({"AWS": f"arn:aws:iam::{A}:role/replicator"})),
            B,
            (Place.RESOURCE,),
            f"its Principal does not name {ROLE}",
        ),
        (
            documents(ALLOW_ALL, resource=for_({"AWS": "AROA0123456789ABCDEF"})),
            B,
            (Place.RESOURCE,),
            "AROA0123456789ABCDEF in it is all that is left of one that was deleted",
        ),
        (
            documents(ALLOW_ALL, resource=for_(AWS_ROLE, Resource="arn:aws:s3:::b")),
            B,
            (Place.RESOURCE,),
            f"its Resource does not cover {OBJECT}",
        ),
        (
            documents(policy(statement(Condition={"Bool": {"aws:SecureTransport": "false"}}))),
            A,
            (Place.IDENTITY,),
            "its condition Bool on aws:SecureTransport does not hold",
        ),
    ],
)
def test_an_implicit_deny_says_what_lacks_and_how_near_it_was(
    held: Documents, owner: str, lacks: tuple[Place, ...], words: str
) -> None:
    """If this fails, a person is told no without learning where to add what."""
    found = asked(as_role, held, owner=owner)
    assert found.verdict is IMPLICIT
    assert set(found.lacks) == set(lacks)
    assert any(words in line for line in found.lines), found.lines


@pytest.mark.parametrize(
    ("named", "identity", "lacks"),
    [
        ({"AWS": A}, SILENT, (Place.IDENTITY,)),
        ({"AWS": B}, SILENT, (Place.RESOURCE,)),
        ({"AWS": B}, ALLOW_ALL, (Place.RESOURCE,)),
    ],
)
def test_a_key_that_names_the_account_lacks_only_the_identity(
    named: object, identity: Reading, lacks: tuple[Place, ...]
) -> None:
    """If this fails, the mend of a key goes into the wrong document."""
    held = documents(identity, resource=for_(named))
    found = asked(as_role, held, action="kms:Encrypt", resource=KEY)
    assert (found.verdict, found.lacks) == (IMPLICIT, lacks)


def test_cannot_tell_says_why() -> None:
    """If this fails, nobody knows which document to make readable."""
    conditional = policy(
        statement(Sid="Org", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})
    )
    found = asked(as_role, documents(conditional, unread("inline policy \x07")))
    unknown = "the condition key aws:PrincipalOrgID has a value that is not known"
    assert found.lines == (
        f'account {A}: policy, statement "Org": {unknown}',
        f"account {A}: inline policy \\x07: could not be read: AccessDenied",
    )


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("arn:aws:s3:::b/${aws:userid}/*", "a policy variable whose value is not known"),
        ("arn:aws:s3:::b/logs/*", "covers only a part of arn:aws:s3:::b/*"),
    ],
)
def test_an_open_resource_says_which_way_it_is_open(resource: str, words: str) -> None:
    """If this fails, a person looks for a prefix where a variable is the reason."""
    held = documents(policy(statement(Resource=resource)))
    (line,) = asked(as_role, held, resource=Every(prefix="arn:aws:s3:::b/")).lines
    assert words in line


def test_evidence_is_as_long_as_people_read() -> None:
    """If this fails, a policy of a thousand statements fills the screen."""
    many = policy(*(statement(Sid=str(each), Resource="arn:aws:s3:::c") for each in range(99)))
    assert len(asked(as_role, documents(many)).lines) == EVIDENCE_MAX


def test_a_context_key_that_is_given_counts_before_a_derived_one() -> None:
    """If this fails, plain HTTP to a loopback address is judged as if it were HTTPS."""
    secure = policy(statement(Condition={"Bool": {"aws:SecureTransport": "true"}}))
    plain_http = context_of({"aws:SecureTransport": "false"})
    assert asked(as_role, documents(secure), context=plain_http).verdict is IMPLICIT


def test_what_is_no_document_is_unread() -> None:
    """If this fails, a malformed policy is taken for an empty one."""
    assert isinstance(reading_of("x", A, "{"), Unread)
    assert isinstance(reading_of("x", A, None), Unread)


ACCOUNT = f"arn:aws:iam::{A}:root"


@pytest.mark.parametrize("who", [as_user, as_role])
def test_an_account_that_is_named_is_not_said_to_be_missing(who: Principal) -> None:
    """If this fails, a person adds a principal that the policy names already, by its account."""
    told = asked(who, Documents(resource=for_({"AWS": ACCOUNT})))
    assert told.verdict is IMPLICIT
    assert told.lacks == (Place.IDENTITY,)
    assert not any("does not name" in line for line in told.lines)
    lack = f"nothing here allows s3:GetObject on {OBJECT}"
    assert told.lines == (
        f"account {A}: resource policy of {OBJECT}: {lack}",
        f"account {A}: identity policies of {who.arn}: {lack}",
    )


@pytest.mark.parametrize(
    ("who", "named", "verdict"),
    [
        (as_role, [ROLE, SESSION, ACCOUNT], ALLOWED),
        (as_role, [SESSION, ACCOUNT], OPEN),
        (as_role, [ROLE, ACCOUNT], OPEN),
        (as_role, [ROLE, SESSION], OPEN),
        (as_role, [USER], EXPLICIT),
        (as_user, [USER, ACCOUNT], ALLOWED),
        (as_user, [USER], OPEN),
        (as_user, [ACCOUNT], OPEN),
        (as_user, [ROLE], EXPLICIT),
        (as_root, [ACCOUNT], ALLOWED),
        (as_root, [ROLE], EXPLICIT),
    ],
)
def test_a_deny_of_all_others_spares_whom_it_names_wholly(
    who: Principal, named: list[str], verdict: Verdict
) -> None:
    """If this fails, a role that a NotPrincipal shuts out is called allowed."""
    deny = policy(statement("Deny", NotPrincipal={"AWS": named}))
    assert asked(who, Documents(identity=(ALLOW_ALL,), resource=deny)).verdict is verdict
