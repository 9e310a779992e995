"""Judges of a canary on the same simulated traffic: false rollbacks, delay and harm (`make bench-gating`)."""
