"""The manifest stage: the work lists that execute carries out and repair writes anew."""
