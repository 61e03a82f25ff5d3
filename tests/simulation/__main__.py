"""`python -m tests.simulation --seed N`: replay a seeded history."""

from tests.simulation.replay import main

raise SystemExit(main())
