"""`python -m tests.simulation --seed N`: replay a seeded history."""

from tests.simulation.table import main

raise SystemExit(main())
