"""The nouns that every stage speaks: objects, places, attributes, store requests, outcomes.

Pure: nothing here touches a clock, a network, a file or randomness.
Law: a value that exists is valid; what comes from outside is parsed once, at the edge.
"""
