"""Deterministic simulation: an event loop whose time is virtual, and a nemesis that injects faults.

    loop = VirtualTimeLoop(random=Random(seed))      # loop.py: no real sleeping, order by seed
    nemesis = Nemesis(Random(seed), HEAVY)           # nemesis.py: which request meets which fault

What is simulated is a stranger to this package: it is given the loop by asyncio, and asks the
nemesis about each request. Law: with the same seed everything happens again, to the last await.
"""
