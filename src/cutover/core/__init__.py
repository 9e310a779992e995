"""The pure core: no I/O, no clock, no randomness. Everything that decides lives here."""
