"""Histories: keys that arrive with all of their versions, by one worker, oldest first.

    cutting   rows of a manifest -> histories, packed
    walks     is a listed chain what was planned, and what of it is ours? (pure)
    steps     which write comes next, and how an entry of the chain is recognised (pure)
    writer    one history: write, settle, stop
    band      the histories of a block: looked at before, written, looked at after

Law (decision 0023): a history has no gaps. Nothing is written above what is neither planned nor
ours, and what stops one version stops all newer ones of its key and destination.
"""
