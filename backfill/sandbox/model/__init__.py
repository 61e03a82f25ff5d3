"""The pure reference model of Amazon S3: what S3 does, without sockets, clock or chance.

    model = S3Model(now=clock, random=Random(seed))           # model.py: one method per operation
    root = "arn:aws:iam::111111111111:root"
    caller = Caller(account_id="111111111111", arn=root, region="eu-west-1")
    model.put_object(caller, PutObjectRequest(bucket="b", key="k", body=b"..."))

- `model.py` is the door: `S3Model`, a typed method per S3 operation, each given the caller.
- `operations/` says what each operation is asked and answers (frozen dataclasses);
  `values.py` what those are made of; `identities.py` the caller and the authorization hook.
- `errors.py` has `S3Error`, the only exception on account of a caller; `refusals.py`,
  `bucket_refusals.py` and `upload_refusals.py` list every refusal with AWS's code, status and the
  documented behaviour that it enforces.
- `versions.py` holds what is stored (frozen), `buckets.py` the chains of versions, `bodies.py` the
  shared bytes with their cached checksums, `limits.py` S3's limits, which tests may shrink.
- One module a subject has the behaviour: `access`, `finding`, `conditions`, `checksums`,
  `encryption`, `ranges`, `writing`, `reading`, `copying`, `deleting`, `listing`, `uploads`,
  `multipart`, `parts`, `tagging`, `locking`, `access_lists`, `attributes`, `configuration`.
- `replication/` is S3's live replication, steppable: `model.replication.advance(now)`.
- `batch_operations/` is S3 Batch Operations, steppable too: `model.batch_operations.advance(now)`;
  `roles.py` says which services may assume a role.
- `raw_edits.py` goes behind S3's back for tests and the demo, and reads everything (`snapshot`);
  `raw_histories.py` does so with the order and the kinds of a key's entries.

ETags are held without quotes, times are aware UTC. Law: nothing here imports anything of
`backfill` outside this package, and only the standard library and awscrt (for fast CRCs).
"""
