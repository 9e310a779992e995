"""What holds for every test: a machine that is slow or loaded proves nothing wrong."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# an example has no 200 ms to end in, drawing it may take long, and each run has the examples of the last one:
# `pytest --hypothesis-profile=random` looks for others
settings.register_profile(
    "random", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("patient", settings.get_profile("random"), derandomize=True)
settings.load_profile("patient")
