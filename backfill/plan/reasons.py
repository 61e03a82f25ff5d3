"""What every route and reason means to a person, and what one can do about it.

Never decides. Report, explain and the reference page `docs/reference/reasons.md` read these.
Law: every member of both closed lists has a sentence; a remedy is empty where nothing is needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backfill.plan.routes import Reason, Route

_BY_BATCH: Final = "Plan anew with --engine batch-replication (or auto) and --batch-role-arn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A sentence, and the remedy as an instruction."""

    sentence: str
    remedy: str = ""


ROUTE_TEXTS: Final[Mapping[Route, Text]] = {
    Route.BATCH_REPLICATION: Text(
        sentence="Goes by S3 Batch Replication, which keeps its version ID, its time and its place"
        " among the versions of its key."
    ),
    Route.COPY_OBJECT: Text(sentence="Goes by one conditional CopyObject."),
    Route.MULTIPART_COPY: Text(
        sentence="Goes by UploadPartCopy in the source's parts: it is over the copy size limit, or"
        " only so does the copy prove itself (same ETag, same composite checksum); object"
        " annotations cannot be carried that way and stay behind."
    ),
    Route.DELETE_MARKER: Text(
        sentence="Is a delete marker that the rule replicates, current or part of a history; one is"
        " written there."
    ),
    Route.HIDE_EXTRA: Text(
        sentence="Is at the destination only and is hidden behind a delete marker; it stays below."
    ),
}

REASON_TEXTS: Final[Mapping[Reason, Text]] = {
    Reason.ALREADY_REPLICATED: Text(
        sentence="S3 replicated it already: the destination holds the same version ID."
    ),
    Reason.ALREADY_COPIED: Text(
        sentence="The destination has the same content already: as its current version, or in its"
        " place in the history that copies began there."
    ),
    Reason.IN_FLIGHT: Text(
        sentence="Live replication has it under way: its replication status is PENDING.",
        remedy="Wait, then plan again. If it stays PENDING for hours, look at the replication"
        " role and the destination's policy.",
    ),
    Reason.AFTER_HORIZON: Text(
        sentence="It was created at or after the horizon and is live replication's to deliver."
    ),
    Reason.ALREADY_DELETED: Text(
        sentence="A delete marker is current on both sides; readers see the key deleted."
    ),
    Reason.NO_RULE: Text(
        sentence="No rule for this destination covers the key.",
        remedy="If it should be replicated, widen a rule's filter and plan again.",
    ),
    Reason.RULE_DISABLED: Text(
        sentence="Only Disabled rules for this destination cover the key.",
        remedy="If it should be replicated, enable the rule and plan again.",
    ),
    Reason.TAG_MISMATCH: Text(
        sentence="Rules cover the key, but the object lacks tags that they ask for.",
        remedy="If it should be replicated, tag the version or widen the rule, and plan again.",
    ),
    Reason.KMS_NOT_SELECTED: Text(
        sentence="It is encrypted with KMS, and the rule does not select such objects.",
        remedy="Enable SseKmsEncryptedObjects in the rule and give it a ReplicaKmsKeyID.",
    ),
    Reason.DELETE_MARKER_NOT_REPLICATED: Text(
        sentence="It is a delete marker, and the rule does not replicate them; a rule with a tag"
        " filter never does.",
        remedy="If deletions should follow, enable DeleteMarkerReplication in a rule without tags.",
    ),
    Reason.OUT_OF_SCOPE: Text(
        sentence="It lies outside the prefix or the tags that the campaign asks for."
    ),
    Reason.ARCHIVED: Text(
        sentence="It is in an archive class or tier, which S3 does not replicate, not even while"
        " it is restored.",
        remedy="Plan with --restore and --restore-max-bytes, in a new run directory: copies bring"
        " restored versions. Or restore it and copy it in place to another storage class (for"
        " INTELLIGENT_TIERING a restore is enough), then plan again.",
    ),
    Reason.NOT_READABLE: Text(
        sentence="The source identity could not read this version; the detail names the call and"
        " S3's code for it.",
        remedy="For AccessDenied grant what the call needs (HeadObject s3:GetObjectVersion,"
        " GetObjectAcl s3:GetObjectVersionAcl, GetObjectTagging s3:GetObjectVersionTagging, and"
        " kms:Decrypt on its key), or, if another account owns the object, take ownership with"
        " BucketOwnerEnforced; otherwise mend what the code says. Then plan again.",
    ),
    Reason.NONCURRENT: Text(
        sentence="It is a noncurrent version, and the key goes without its history: a copy of an"
        " older version would become the current one.",
        remedy="If its detail in rows.csv names what is in the way at the destination, move that"
        " away first. Then plan anew in another run directory: with --batch-role-arn and"
        " --batch-bucket, because S3 Batch Replication keeps version IDs and order; or, where"
        " nobody else writes the key, with --versions all.",
    ),
    Reason.HISTORY_INCOMPLETE: Text(
        sentence="Its key would go with all of its versions, and one of them cannot be carried"
        " whole (the detail names it); a gap could never be filled later, so none goes.",
        remedy="Do what the reason of that version asks for and plan again; or plan in a new run"
        " directory with --versions current, or leave the version out by rules or tags.",
    ),
    Reason.SSE_C: Text(
        sentence="It is encrypted with a key that only its owner has (SSE-C), and none of those"
        " that were supplied opens it.",
        remedy=f"Supply it with --customer-key-file and plan again. Or: {_BY_BATCH}, or encrypt it"
        " otherwise at the source.",
    ),
    Reason.OBJECT_LOCK: Text(
        sentence="It has Object Lock retention or a legal hold, and the destination has no Object"
        " Lock, or until when it is retained cannot be read.",
        remedy="Switch Object Lock on for the destination (it can never be switched off again), and"
        " plan anew in another run directory.",
    ),
    Reason.ACL: Text(
        sentence="Its ACL grants something that a copy cannot: the detail says what.",
        remedy="Grant s3:GetBucketAcl where the detail asks for it, or let the destination take"
        " public ACLs where it blocks them, or set BucketOwnerEnforced there: then no ACL counts.",
    ),
    Reason.WEBSITE_REDIRECT: Text(
        sentence="It has a website redirect that no request header can carry unchanged.",
        remedy=f"{_BY_BATCH}, or set the redirect anew at the source.",
    ),
    Reason.METADATA_NOT_READABLE: Text(
        sentence="Some of its metadata or content headers cannot be shown over HTTP, or are no"
        " UTF-8, so a copy could not be checked.",
        remedy=f"{_BY_BATCH}, or write the metadata anew at the source.",
    ),
    Reason.ENCRYPTION_WOULD_WEAKEN: Text(
        sentence="It is encrypted with KMS, and the rule names no key for its replica: a copy"
        " would be encrypted more weakly.",
        remedy="Give the rule a ReplicaKmsKeyID, or the campaign a KMS key.",
    ),
    Reason.MARKER_UNCONDITIONAL: Text(
        sentence="It is a delete marker and the key is absent at the destination, so readers see"
        " it deleted already; a marker onto an absent key cannot be conditional, and live"
        " replication may write the key.",
        remedy=f"Nothing for readers. {_BY_BATCH} for the marker itself, or state that both sides"
        ' are quiet (other-writers = "quiet").',
    ),
    Reason.TOO_LARGE: Text(
        sentence="It is larger than 10,000 parts of 5 GiB can hold.",
        remedy=f"{_BY_BATCH}.",
    ),
    Reason.ONLY_BY_COPY: Text(
        sentence="Only copy workers could deliver it, and the engine is batch-replication: at a"
        " destination something is current that S3 did not replicate there (the detail names it).",
        remedy="Plan with --engine auto, in a new run directory, or move away what the detail"
        " names.",
    ),
    Reason.DESTINATION_DIFFERS: Text(
        sentence="The destination holds an object that none of the source's versions explains;"
        " it is not overwritten.",
        remedy="Compare the two. If the source is right, delete the destination's object (a"
        " delete marker hides it) or move it away, and see what wrote it.",
    ),
    Reason.DESTINATION_UNPROVEN: Text(
        sentence="The destination holds an object of the same size, and nothing stored can tell it"
        " from the source's; it is not overwritten.",
        remedy="Compare the bytes: backfill verify --deep.",
    ),
    Reason.DESTINATION_NEWER: Text(
        sentence="The destination's current version was created at or after the horizon; whoever"
        " wrote it is ahead of this plan.",
        remedy="If live replication wrote it, nothing. Otherwise see what else writes there.",
    ),
    Reason.DESTINATION_DELETED: Text(
        sentence="Somebody deleted the key at the destination: its delete marker there is not the"
        " source's. It is not resurrected.",
        remedy="If the key should be there, remove that delete marker by its version ID and plan"
        " again.",
    ),
    Reason.VANISHED: Text(
        sentence="It was listed, and gone when it was read.",
        remedy="Nothing; a lifecycle rule or a person deleted it meanwhile.",
    ),
}
