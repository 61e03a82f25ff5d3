"""Documents that others put into accounts, generated: odd shapes, words and order of others."""

from hypothesis import strategies as st

from backfill.setup.limits import characters
from backfill.setup.wanted import Fields, ResourceKind
from tests.doubles.setup_specs import DESTINATION, SOURCE

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
ARNS = st.sampled_from(
    [
        "*",
        f"arn:aws:iam::{SOURCE}:root",
        f"arn:aws:iam::{DESTINATION}:role/reader",
        "AROAEXAMPLEEXAMPLE",
        "arn:aws:iam::999999999999:user/somebody",
    ]
)
ACTIONS = st.sampled_from(
    ["s3:GetObject", "s3:*", "S3:PutObject", "s3:ReplicateObject", "kms:Decrypt", "sqs:*"]
)


def one_or_list(words: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    return st.one_of(words, st.lists(words, min_size=1, max_size=4))


CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "Bool", "ForAnyValue:StringLike", "NotIpAddress"]),
    st.dictionaries(
        st.sampled_from(["aws:SecureTransport", "aws:SourceIp", "s3:prefix", "kms:ViaService"]),
        st.one_of(one_or_list(WORDS), st.booleans(), st.integers(0, 9)),
        min_size=1,
        max_size=2,
    ),
    min_size=1,
    max_size=2,
)
STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"])},
    optional={
        "Sid": WORDS.filter(lambda word: not word.startswith("Backfill")),
        "Principal": st.one_of(
            st.just("*"),
            st.dictionaries(
                st.sampled_from(["AWS", "Service", "Federated", "CanonicalUser"]),
                one_or_list(ARNS),
                min_size=1,
                max_size=2,
            ),
        ),
        "NotPrincipal": st.just({"AWS": [f"arn:aws:iam::{SOURCE}:root"]}),
        "Action": one_or_list(ACTIONS),
        "NotAction": one_or_list(ACTIONS),
        "Resource": one_or_list(WORDS),
        "Condition": CONDITIONS,
    },
)


@st.composite
def policies(draw: st.DrawFn, *, statements_max: int = 6) -> Fields:
    """A policy of others, with unique Sids as AWS wants them, its lone statement maybe bare."""
    statements = draw(
        st.lists(
            STATEMENTS,
            min_size=1,
            max_size=statements_max,
            unique_by=lambda row: row.get("Sid", str(sorted(map(str, row.items())))),
        )
    )
    head = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "Version": st.sampled_from(["2012-10-17", "2008-10-17"]),
                "Id": WORDS,
            },
        )
    )
    is_bare = len(statements) == 1 and draw(st.booleans())
    return {**head, "Statement": statements[0] if is_bare else statements}


TAGS = st.fixed_dictionaries({"Key": WORDS, "Value": WORDS})
FILTERS: st.SearchStrategy[Fields] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"Prefix": st.one_of(st.just(""), WORDS)}),
    st.fixed_dictionaries({"Tag": TAGS}),
    st.fixed_dictionaries(
        {
            "And": st.fixed_dictionaries(
                {"Tags": st.lists(TAGS, min_size=1, max_size=3)}, optional={"Prefix": WORDS}
            )
        }
    ),
)
BUCKETS = ["arn:aws:s3:::else", "arn:aws:s3:::photos-replica"]
STATUS = st.fixed_dictionaries({"Status": st.sampled_from(["Enabled", "Disabled"])})


@st.composite
def replications(draw: st.DrawFn, *, role: str) -> Fields:
    """A configuration of others, of the new schema, under the role that the spec names, too."""
    rules = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "ID": WORDS.filter(lambda word: not word.startswith("backfill.")),
                    "Priority": st.integers(0, 10_000),
                    "Filter": FILTERS,
                    "Status": st.sampled_from(["Enabled", "Disabled"]),
                    "DeleteMarkerReplication": STATUS,
                    "Destination": st.fixed_dictionaries(
                        {"Bucket": st.sampled_from(BUCKETS)},
                        optional={
                            "Account": st.just(DESTINATION),
                            "StorageClass": st.just("GLACIER"),
                            "Metrics": STATUS,
                        },
                    ),
                },
                optional={
                    "SourceSelectionCriteria": st.fixed_dictionaries(
                        {"ReplicaModifications": STATUS}
                    ),
                    "ExistingObjectReplication": STATUS,
                },
            ),
            max_size=5,
            unique_by=(lambda row: row["ID"], lambda row: row["Priority"]),
        ).filter(bool)
    )
    return {"Role": role, "Rules": rules}


EVENTS = st.sampled_from(["s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", "s3:ObjectTagging:*"])


def _notifications(arn: str, service: str) -> st.SearchStrategy[list[dict[str, object]]]:
    return st.lists(
        st.fixed_dictionaries(
            {
                arn: st.just(f"arn:aws:{service}:eu-west-1:{SOURCE}:theirs"),
                "Events": st.lists(EVENTS, min_size=1, max_size=2, unique=True),
            },
            optional={
                "Id": WORDS.filter(lambda word: not word.startswith("backfill.")),
                "Filter": st.just({"Key": {"FilterRules": [{"Name": "prefix", "Value": "x/"}]}}),
            },
        ),
        min_size=1,
        max_size=3,
    )


NOTIFICATIONS = st.fixed_dictionaries(
    {},
    optional={
        "QueueConfigurations": _notifications("QueueArn", "sqs"),
        "TopicConfigurations": _notifications("TopicArn", "sns"),
        "LambdaFunctionConfigurations": _notifications("LambdaFunctionArn", "lambda"),
        "EventBridgeConfiguration": st.just({}),
    },
).filter(bool)


@st.composite
def role_policies(draw: st.DrawFn) -> Fields:
    names = st.text("abcXYZ.-_@=,+", min_size=1, max_size=10)
    return draw(st.dictionaries(names, policies(statements_max=2), max_size=3))


@st.composite
def trusts(draw: st.DrawFn, *, name: str, path: str) -> Fields:
    """A role that this set-up made and others changed."""
    return {
        # A trust policy has 2,048 characters: with more, ours would rightly be refused.
        "AssumeRolePolicyDocument": draw(
            policies(statements_max=3).filter(lambda policy: characters(policy) < 1_500)
        ),
        "Path": path,
        "Tags": {"backfill:setup": name, "team": draw(WORDS)},
        "Policies": [],
    }


def normal(kind: ResourceKind, fields: Fields | None) -> Fields | None:
    """A lone statement stands in a list after a document was written: nothing else may change."""
    if fields is None:
        return None
    if kind is ResourceKind.ROLE_TRUST:
        trust = fields["AssumeRolePolicyDocument"]
        assert isinstance(trust, dict)
        return {**fields, "AssumeRolePolicyDocument": _listed(trust)}
    return _listed(fields) if "Statement" in fields else fields


def _listed(policy: Fields) -> Fields:
    statement = policy["Statement"]
    return {**policy, "Statement": [statement] if isinstance(statement, dict) else statement}
