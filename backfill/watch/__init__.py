"""Watch: does live replication keep up, what did it fail to carry, and what mends that.

Never writes to a bucket. `run` acts, `ledger` remembers; all other modules only decide.
Law: a message leaves the queue only after what it says is durable on this machine's disk.
"""
