"""The replication configuration: there, switched on, about the campaign's keys, in one mind.

Law: what a rule means is read by `plan`, as the plan itself does; raw members are only mended.
"""

from collections.abc import Iterator, Mapping
from functools import partial

from backfill.model.accounts import BucketDocument, CallerIdentity, Unread
from backfill.plan.rules import Rule
from backfill.policies.quoting import shown
from backfill.preflight.checks.check import Check, blocked, ok, unread, untold, warned
from backfill.preflight.evidence import BucketEvidence, Gathered
from backfill.preflight.findings import Finding, Mend, Part
from backfill.preflight.members import Fields, members, text
from backfill.preflight.mends import with_rules


def _raw_rules(seen: Gathered) -> tuple[Fields, ...]:
    return members(seen.source.fields(BucketDocument.REPLICATION), "Rules")


def _configuration(seen: Gathered) -> Iterator[Finding]:
    if not seen.follows_rules or not seen.source.region_name:
        return
    check, bucket = "replication-configuration", seen.source.name
    fields = seen.source.fields(BucketDocument.REPLICATION)
    if isinstance(fields, Unread):
        what = "whether the source bucket has a replication configuration is not known"
        yield unread(check, bucket, what, fields, seen.source.arn)
    elif fields is None:
        mend = Mend(
            says="Describe the replication in a spec, then: backfill setup plan, backfill setup"
            " apply; or name a destination to copy to: --destination BUCKET",
            account_id=seen.source.account_id,
        )
        what = "the source bucket has no replication configuration"
        yield blocked(check, bucket, what, mend, "ReplicationConfigurationNotFoundError")
    elif (flaw := _owner_without_account(seen)) is not None:
        yield flaw
    elif unknown := seen.source.unmodelled(BucketDocument.REPLICATION):
        what = "the replication configuration says something that this SDK's model does not know"
        yield untold(check, bucket, what, *(shown(each) for each in unknown))
    elif seen.rules_problem:
        what = "the replication configuration is not understood by this version of backfill"
        yield untold(check, bucket, what, shown(seen.rules_problem))
    else:
        count = len(_raw_rules(seen))
        yield ok(check, bucket, f"the source bucket has {count} replication rule(s)")


def _owner_without_account(seen: Gathered) -> Finding | None:
    """Return the finding of a rule that changes ownership and does not say to whom."""
    for rule in _raw_rules(seen):
        name = text(rule, "Destination", "Bucket").rpartition(":")[2]
        if text(rule, "Destination", "AccessControlTranslation", "Owner") and not text(
            rule, "Destination", "Account"
        ):
            owner = _owner(seen, name)
            what = f"rule {shown(text(rule, 'ID'))} changes ownership and names no Account"
            says = "Name the destination's account in the rule"
            set_account = partial(_set_account, bucket=name, account_id=owner)
            mend = with_rules(seen.source, set_account, says)
            return blocked(
                "replication-configuration", seen.source.name, what, mend,
                "AccessControlTranslation without Account: S3 answers InvalidRequest",
            )  # fmt: skip
    return None


def _owner(seen: Gathered, bucket: str) -> str:
    destination = seen.destination(bucket)
    if destination is not None and destination.account_id:
        return destination.account_id
    caller = seen.destination_caller
    return caller.account_id if isinstance(caller, CallerIdentity) else "DESTINATION_ACCOUNT"


def _set_account(rule: dict[str, object], bucket: str, account_id: str) -> bool:
    destination = rule.get("Destination")
    is_its = isinstance(destination, dict) and destination.get("Bucket", "").endswith(f":{bucket}")
    if isinstance(destination, dict) and is_its:
        destination["Account"] = account_id
    return is_its


def _enabled(seen: Gathered) -> Iterator[Finding]:
    if not seen.follows_rules or seen.rules is None:
        return
    check, bucket = "replication-rules", seen.source.name
    disabled = tuple(rule for rule in seen.rules.rules if not rule.is_enabled)
    scope = seen.campaign.scope
    missed = tuple(rule for rule in disabled if _meets(rule, scope.prefix))
    # A Disabled rule beside enabled ones is mostly meant so; one that alone covers what is asked
    # for is what stands between the campaign and its keys.
    is_needed = not any(_meets(rule, scope.prefix) for rule in seen.enabled_rules)
    if missed and is_needed:
        names = {rule.id for rule in missed}
        mend = with_rules(
            seen.source, lambda each: _enable(each, names), "Enable the rule that covers the keys"
        )
        ids = ", ".join(shown(rule.id) for rule in missed)
        what = f"only Disabled rules cover what is asked for: {ids}"
        yield blocked(check, bucket, what, mend, *(_words(rule) for rule in missed))
    elif seen.enabled_rules:
        lines = (_words(rule) for rule in (*seen.enabled_rules, *disabled))
        count = len(seen.enabled_rules)
        yield ok(check, bucket, f"{count} of {len(seen.rules.rules)} rules are Enabled", *lines)


def _words(rule: Rule) -> str:
    filters = [f"prefix {shown(rule.prefix)}"] if rule.prefix else []
    filters += [f"tag {shown(name)}={shown(value)}" for name, value in rule.tags]
    status = "Enabled" if rule.is_enabled else "Disabled"
    about = " and ".join(filters) or "all keys"
    return f"rule {shown(rule.id)}: {status}, {about}, to {rule.destination.bucket}"


def _enable(rule: dict[str, object], names: set[str]) -> bool:
    is_only = len(names) == 1 and next(iter(names)).startswith("(rule")
    is_meant = rule.get("ID") in names or is_only
    if is_meant:
        rule["Status"] = "Enabled"
    return is_meant


def _meets(rule: Rule, prefix: str) -> bool:
    """Return whether a rule covers some of the keys that begin so."""
    return rule.prefix.startswith(prefix) or prefix.startswith(rule.prefix)


def _scope(seen: Gathered) -> Iterator[Finding]:
    if not seen.follows_rules or not seen.enabled_rules:
        return
    scope = seen.campaign.scope
    check, bucket = "replication-scope", seen.source.name
    asked = f"prefix {shown(scope.prefix)}" if scope.prefix else "all keys"
    meeting = tuple(rule for rule in seen.enabled_rules if _meets(rule, scope.prefix))
    covering = tuple(
        rule
        for rule in meeting
        if scope.prefix.startswith(rule.prefix) and set(rule.tags) <= set(scope.tags)
    )
    lines = [_words(rule) for rule in seen.enabled_rules]
    if not meeting:
        first = seen.enabled_rules[0]
        mend = with_rules(
            seen.source,
            lambda each: _widen(each, first.id, scope.prefix),
            "Let a rule cover the prefix, or ask for one that a rule covers: --prefix PREFIX",
        )
        yield blocked(check, bucket, f"no enabled rule covers {asked}", mend, *lines)
    elif not covering and (scope.prefix or scope.tags):
        what = f"the enabled rules cover only a part of what is asked for ({asked})"
        yield warned(check, bucket, what, None, *lines)
    else:
        yield ok(check, bucket, f"enabled rules cover {asked}", *lines)


def _widen(rule: dict[str, object], rule_id: str, prefix: str) -> bool:
    """Give a rule the prefix beside its tags; the V1 schema keeps its place."""
    if rule.get("ID", rule_id) != rule_id:
        return False
    filtered = rule.get("Filter")
    if not isinstance(filtered, Mapping):
        rule["Prefix"] = prefix
        return True
    both = filtered.get("And")
    # A filter of one tag alone has no prefix, and so covers some of every one.
    tags = list(both.get("Tags", [])) if isinstance(both, Mapping) else []
    rule["Filter"] = {"And": {"Prefix": prefix, "Tags": tags}} if tags else {"Prefix": prefix}
    return True


def _account(seen: Gathered) -> Iterator[Finding]:
    for destination in seen.destinations:
        if not destination.is_owner_proven:
            continue
        named = {rule.destination.account for rule in seen.rules_to(destination.name)} - {""}
        wrong = named - {destination.account_id}
        if wrong:
            yield blocked(
                "replication-account",
                destination.name,
                f"a rule says that account {', '.join(sorted(wrong))} owns the destination, and"
                f" account {destination.account_id} does",
                with_rules(
                    seen.source,
                    partial(
                        _set_account, bucket=destination.name, account_id=destination.account_id
                    ),
                    "Name the destination's owner in the rule",
                ),
                "S3 answers InvalidArgument, or gives versions the code DstBucketNotFound",
            )
        elif named:
            what = f"the rule names the destination's owner, account {destination.account_id}"
            yield ok("replication-account", destination.name, what)


def _region_of_rule(seen: Gathered) -> Iterator[Finding]:
    """Say how both Regions are apart; a Region that is switched off answers nobody."""
    for destination in seen.destinations:
        ours, theirs = seen.source.region_name, destination.region_name
        if ours and theirs:
            kind = "in one Region" if ours == theirs else f"from {ours} to {theirs}"
            yield ok("regions", destination.name, f"replication is {kind}")
        elif not destination.is_missing:
            yield _untold_region(destination)


def _untold_region(destination: BucketEvidence) -> Finding:
    region = destination.region
    why = f"{region.operation}: {region.code}" if isinstance(region, Unread) else ""
    what = "the destination's Region is not known, or is not enabled for these accounts"
    return untold("regions", destination.name, what, why)


def _modifications(seen: Gathered) -> Iterator[Finding]:
    check = "replica-modifications"
    for destination in seen.destinations:
        if not any(rule.replicates_modifications for rule in seen.rules_to(destination.name)):
            continue
        fields = destination.fields(BucketDocument.REPLICATION)
        if isinstance(fields, Unread):
            what = "whether a rule leads back from the destination is not known"
            yield unread(check, destination.name, what, fields, destination.arn)
        elif any(_leads_back(rule, seen.source) for rule in members(fields, "Rules")):
            what = "rules of both directions carry changes of replicas"
            yield ok(check, destination.name, what)
        else:
            mend = Mend(
                says="Set the way back up, too (`replica-modifications` in a spec of backfill"
                " setup), or switch ReplicaModifications off in the rule",
                account_id=destination.account_id,
            )
            what = "a rule carries changes of replicas, and none leads back from the destination"
            yield warned(check, destination.name, what, mend, "ReplicaModifications: Enabled")


def _leads_back(rule: Fields, source: BucketEvidence) -> bool:
    status = text(rule, "SourceSelectionCriteria", "ReplicaModifications", "Status")
    to = text(rule, "Destination", "Bucket")
    return rule.get("Status") == status == "Enabled" and to == source.arn


CHECKS = (
    Check(
        id="replication-configuration",
        part=Part.REPLICATION,
        asks="Has the source bucket a replication configuration that S3 accepts?",
        why="Without one S3 replicates nothing, and a Batch Replication job fails with"
        " SrcBucketReplicationConfigMissing.",
        look=_configuration,
    ),
    Check(
        id="replication-rules",
        part=Part.REPLICATION,
        asks="Is a rule Enabled for what is asked for?",
        why="S3 ignores Disabled rules; a job's task then ends with SrcObjectNotEligible.",
        look=_enabled,
    ),
    Check(
        id="replication-scope",
        part=Part.REPLICATION,
        asks="Do the enabled rules cover the campaign's prefix and tags?",
        why="What no rule covers is not replicated, by jobs neither.",
        look=_scope,
    ),
    Check(
        id="replication-account",
        part=Part.REPLICATION,
        asks="Does the rule's Account name the destination's owner?",
        why="A wrong Account makes S3 look for the bucket in other hands.",
        look=_account,
    ),
    Check(
        id="regions",
        part=Part.REPLICATION,
        asks="Which Regions take part, and does S3 answer for both?",
        why="Both Regions must be enabled for their accounts (S3 User Guide:"
        " replication-requirements).",
        look=_region_of_rule,
    ),
    Check(
        id="replica-modifications",
        part=Part.REPLICATION,
        asks="If a rule carries changes of replicas, does a rule lead back, too?",
        why="Changes of tags, ACLs and locks on replicas are kept in step only where rules of both"
        " buckets have ReplicaModifications (S3 User Guide: replication-for-metadata-changes).",
        look=_modifications,
    ),
)
