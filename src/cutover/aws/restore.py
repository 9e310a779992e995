"""The text of restore.sh: the way back for a person with a shell and the AWS CLI, without this tool."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_HEAD = """\
#!/bin/sh
# cutover: puts the routes of run {run} back as they were found, without cutover.
# Needs the AWS CLI and credentials that may call elasticloadbalancing:ModifyRule and ModifyListener.
"""

_DISARMED = """\
echo "restore.sh of run {run}: not armed. {why}" >&2; exit 1
"""

_GUARD = """\
AWS_PAGER=
AWS_REGION={region}
AWS_DEFAULT_REGION={region}
export AWS_PAGER AWS_REGION AWS_DEFAULT_REGION
account={account}
echo "restoring {count} route(s) of run {run} in account $account, Region $AWS_REGION" >&2
caller=$(aws sts get-caller-identity --query Account --output text) || caller=
if [ -z "$caller" ]; then
  # every line below names the account in its ARN, so going on is safe, and waiting is not
  echo "warning: the caller's account could not be read; going on" >&2
elif [ "$caller" != "$account" ]; then
  echo "refused: these credentials belong to account $caller, not $account; nothing was changed" >&2
  exit 1
fi
failed=0
"""

_LINE = """\
echo {title} >&2
{command} >/dev/null || {{ failed=$((failed + 1)); echo {failure} >&2; }}
"""

_FOOT = """\
if [ "$failed" -ne 0 ]; then
  echo "$failed of {count} route(s) were NOT restored: run the failed lines again" >&2
  exit 1
fi
echo "all {count} route(s) restored" >&2
"""

_REHEARSED = """\
#!/bin/sh
# cutover: the restore script of a REHEARSAL, run {run}. It does nothing, always.
echo "refused: run {run} was a rehearsal on an emulated AWS. Nothing was moved, so nothing is to be restored; nothing was done." >&2
exit 1
# The restore.sh of a real run would run these lines. Their routing is the emulated one, not yours:
"""


def rehearsed_script(commands: Sequence[str], run_id: str) -> str:
    """The script of a rehearsal: it refuses first, for its commands name real routes with emulated routing.

    Args:
        commands: what a real run's script would run; here they are comments.
        run_id: the rehearsal.
    """
    lines = "\n".join(commands).splitlines()
    return _REHEARSED.format(run=_comment(run_id)) + "".join(f"# {line}\n" for line in lines)


def restore_script(
    commands: Sequence[str],
    account: str,
    region: str,
    run_id: str,
    *,
    disarmed: str = "",
) -> str:
    """A POSIX shell script that runs the commands of `Router.restore_commands`.

    It checks the caller's account, names the Region, goes on after a line that fails, and exits 1
    when any failed.

    Args:
        commands: one plain `aws elbv2 modify-...` line per route.
        account: the account the routes are in.
        region: their Region.
        run_id: the run that found them so.
        disarmed: why the script must not be used any more (`finish`); its first command then exits.
    """
    run = _comment(run_id)
    count = len(commands)
    script = _HEAD.format(run=run)
    if disarmed:
        script += _DISARMED.format(run=run, why=_comment(disarmed))
    script += _GUARD.format(
        run=run, count=count, region=shlex.quote(region), account=shlex.quote(account)
    )
    for number, command in enumerate(commands, start=1):
        place = f"[{number}/{count}]"
        script += _LINE.format(
            title=shlex.quote(f"{place} {_route(command)}"),
            command=command,
            failure=shlex.quote(f"{place} FAILED; going on"),
        )
    return script + _FOOT.format(count=count)


def _route(command: str) -> str:
    return next((word for word in shlex.split(command) if word.startswith("arn:")), "route")


def _comment(text: str) -> str:
    """The text on one line, with nothing a shell would act on inside double quotes or a comment."""
    return "".join(c if c.isprintable() and c not in '"$`\\!' else "?" for c in text)
