"""What `cutover rehearse --new NAME` writes: a scenario that ends as expected on any plan with an `errors` gate."""

NEW_SCENARIO = """\
# A bad day for a rehearsal. As it is, it ends as expected. Every key: docs/scenarios.md in the repository, and
# `cutover schema scenario-file`.
description: Halfway through the cutover, one request in ten that reaches EKS fails.

# What a plan must have for this to mean anything; otherwise: "does not apply: needs ...".
needs: {gates: [errors]}

# What happens, and when. `when` places it in any plan:
#   way: 50%             the step at half of the way (of 7 steps the fourth, of 2 the first); 100% is the last bake
#   step: 3              the third step, whatever the plan has
#   weight_at_least: 25  the first step of at least 25 %
#   bake: 50%            and then halfway through its bake
#   phase: ROLLING_BACK  hold: paused  going_back: true
#   after: 5m            and then so much later
effects:
  - when: {way: 50%, bake: 10%}
    errors: 10%          # of the requests to the destination; also latency_factor, elb_504, metrics_quiet ...
    # lasts: 15m         # unset: until the end
    # optional: true     # else the rehearsal is "not reached" when this never happens, or meets no request

# health: [{when: {way: 50%, bake: 30%}, zone: 2, state: gone}]
# writer: [{when: {way: 50%, bake: 40%}, who: terraform, weight: 0}]
# faults: [{when: {way: 50%}, operation: "Modify*", kind: lost_reply, times: 1}]
# operator: [{when: {hold: paused, after: 1h}, command: resume}]
# crash: [{when: {way: 50%}, point: after_write, back_after: 40m}]

# approve_after: 2m      # somebody approves every step that asks; never: nobody does
# exit_on_hold: true     # the run ends with exit code 5 when it holds for a person

# Named when a plan lets it through.
caught_by: [errors]

# How the run must end; what is not named is not compared. A rehearsal that ends otherwise exits with 9.
expect:
  outcome: rolled_back
  exit_code: 3
  weight: 0              # percent; or unchanged, or last
  no_raise_after: true   # nothing was raised once it had begun
  reason: errors
  outage_at_most: 2m     # as many requests harmed as the destination gets in two minutes; or harmed_at_most: 500
"""
