"""Copy workers: carry out a manifest, every write conditional, pinned and settled."""
