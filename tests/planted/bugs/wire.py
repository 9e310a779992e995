"""At the edge to AWS: what leaves, when it leaves, and what a reply means."""

from __future__ import annotations

from tests.planted.bug import Edit, Planted

_WIRE = "tests/aws/test_wire.py"
_CONFIGS = "tests/aws/test_route_config.py"
_ALB = "tests/aws/test_alb.py"
_FOREIGN = "tests/aws/test_foreign_replies.py"

WIRE = (
    Planted(
        id="sdk-retries-writes",
        breaks="the SDK sends a write again by itself",
        edits=(
            Edit(
                "cutover.aws.session:AwsSession",
                '"total_max_attempts": 1',
                '"total_max_attempts": 3',
            ),
        ),
        near=("tests/aws/test_session.py",),
    ),
    Planted(
        id="permit-not-asked-at-the-wire",
        breaks="a write that hung in connect or TLS leaves however much has changed meanwhile",
        edits=(
            Edit(
                "cutover.aws.write_tickets:Ticket.check",
                "        why = self._permit.refusal(self._route)\n",
                "        self.asked = True\n        why = self._permit.refusal(self._route)\n",
            ),
            Edit(
                "cutover.aws.write_tickets:Ticket.leave",
                "        why = self._permit.refusal(self._route)\n",
                '        why = "" if hasattr(self, "asked") else self._permit.refusal(self._route)\n',
            ),
        ),
        origin="issue 7, 1.1",
        near=(_WIRE,),
        lacks="threads and sockets: to explorer and swarm a call is answered before anything else happens, so none hangs while its turn ends",
    ),
    Planted(
        id="given-up-write-leaves",
        breaks="a write that its turn gave up leaves later",
        edits=(
            Edit(
                "cutover.aws.write_tickets:Ticket.give_up",
                "                self.refused = self.refused or GIVEN_UP\n",
                "                pass\n",
            ),
        ),
        origin="issue 7, 1.1",
        near=(_WIRE,),
        lacks="threads and sockets: to explorer and swarm a call is answered before anything else happens, so none hangs while its turn ends",
    ),
    Planted(
        id="older-write-overtakes",
        breaks="a write that hung leaves after a newer one of its route",
        edits=(
            Edit(
                "cutover.aws.write_tickets:Departures.passed",
                "return newest.get(route, number) > number",
                "return newest.get(route, number) < number",
            ),
        ),
        origin="issue 7, 1.1",
        near=(_WIRE,),
        lacks="threads and sockets: to explorer and swarm a call is answered before anything else happens, so none hangs while its turn ends",
    ),
    Planted(
        id="unanswered-write-left-open",
        breaks="what was given up after it left is not reset, so that a proxy still delivers it",
        edits=(
            Edit(
                "cutover.aws.write_tickets:Ticket.leave",
                "                _linger(sock, reset=True)\n",
                "                _linger(sock, reset=False)\n",
            ),
        ),
        origin="issue 7, 1.1",
        near=(_WIRE,),
        lacks="threads and sockets: to explorer and swarm a call is answered before anything else happens, so none hangs while its turn ends, and no proxy holds what was given up",
    ),
    Planted(
        id="timeout-is-a-refusal",
        breaks="a write whose answer was lost counts as not applied",
        edits=(
            Edit(
                "cutover.aws.retry:Failure.outcome",
                "sure = self.kind in _DEFINITE",
                "sure = self.kind in _DEFINITE or self.kind is Kind.AMBIGUOUS",
            ),
        ),
        near=("tests/aws/test_retry.py",),
    ),
    Planted(
        id="server-error-is-a-refusal",
        breaks="a write that AWS answers with 500 counts as not applied",
        edits=(
            Edit(
                "cutover.aws.retry:_answered", "elif 400 <= status < 500:", "elif 400 <= status:"
            ),
        ),
        near=("tests/aws/test_retry.py",),
    ),
    Planted(
        id="any-reply-is-success",
        breaks="a write counts as applied whatever weights the reply names",
        edits=(
            Edit(
                "cutover.aws.alb:AlbRouter._confirmed",
                "if seen == route_config.weights_of(change.config):",
                "if seen is not None:",
            ),
        ),
        near=(_ALB,),
    ),
    Planted(
        id="foreign-reply-believed",
        breaks="a captive portal's page is read as an answer of AWS",
        edits=(
            Edit(
                "cutover.aws.replies:hold_to_promise",
                "        if promise is not None:\n",
                "        if promise is None and operation:\n            return\n        if promise is not None and not operation:\n",
            ),
        ),
        origin="issue 7, 1.3",
        near=(_FOREIGN,),
    ),
    Planted(
        id="left-out-route-is-gone",
        breaks="a reply that leaves a route out says that the route does not exist",
        edits=(
            Edit(
                "cutover.aws.alb:AlbRouter._reading",
                'return Unknown(f"the answer does not name {route}", FOREIGN_REPLY)',
                'return Unknown(f"the answer does not name {route}", FOREIGN_REPLY, gone=True)',
            ),
        ),
        origin="issue 7, 1.3",
        near=(_ALB, _FOREIGN),
    ),
    Planted(
        id="raising-port-ends-the-run",
        breaks="a port that raises ends the process, in a rollback too",
        edits=(
            Edit(
                "cutover.runner:Runner._asked",
                "        except Exception as error:",
                "        except LookupError as error:",
            ),
        ),
        origin="issue 7, 1.3",
        near=("tests/runner",),
    ),
    Planted(
        id="weight-0-omitted",
        breaks="weight 0 is left out of what is sent, as empty values are in many languages",
        edits=(
            Edit(
                "cutover.aws.route_config:actions_of",
                "    for action in found:\n",
                '    for action in found:\n        for group in action.get("ForwardConfig", {}).get("TargetGroups", ()):\n            if not group.get("Weight"):\n                group.pop("Weight", None)\n',
            ),
        ),
        near=(_CONFIGS, _ALB),
        uncalm="the attach at weight 0 is never confirmed",
    ),
    Planted(
        id="weight-0-omitted-going-back",
        breaks="a rollback over somebody else's change leaves the destination's weight as it is",
        edits=(
            Edit(
                "cutover.aws.restored:_weights_back",
                "    return {ends.source: source, ends.destination: destination}\n",
                "    return {ends.source: source, **({ends.destination: destination} if destination else {})}\n",
            ),
        ),
        near=("tests/aws/test_restore.py", _CONFIGS),
    ),
    Planted(
        id="unmodelled-member-dropped",
        breaks="a raise drops what this version cannot read of a route",
        edits=(
            Edit(
                "cutover.aws.route_config:_open",
                "if config.unmodelled and not may_drop:",
                "if config.unmodelled and may_drop:",
            ),
        ),
        origin="issue 7, 2.4",
        near=("tests/aws/test_unmodelled.py", _CONFIGS),
        lacks="routes with members that the SDK's model does not know",
    ),
    Planted(
        id="restored-in-another-spelling",
        breaks="a route goes back to equal routing, but not as it was spelled",
        edits=(
            Edit(
                "cutover.aws.route_config:config_of_actions",
                'original="" if original == text else original,',
                'original="" if original else text,',
            ),
        ),
        origin="issue 7, 2.4",
        near=(_ALB, _CONFIGS),
    ),
    Planted(
        id="secret-not-kept",
        breaks="a write of a route with OIDC forgets the client secret that AWS never shows",
        edits=(
            Edit(
                "cutover.aws.route_config:actions_of",
                '["UseExistingClientSecret"] = True',
                '["UseExistingClientSecret"] = False',
            ),
        ),
        near=(_CONFIGS,),
        lacks="routes that authenticate",
    ),
    Planted(
        id="grpc-unwatched",
        breaks="a gRPC service that no gate can see may be cut over",
        edits=(
            Edit(
                "cutover.core.preflight.grpc:grpc", "    if not watching:\n", "    if not found:\n"
            ),
        ),
        origin="issue 7, 2.1",
        near=("tests/core/preflight",),
        lacks="target groups of another protocol than HTTP/1",
    ),
)
