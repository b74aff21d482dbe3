"""The outermost group: imports commands on demand and turns every error into one line."""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

FAILURE = 1
USAGE = 2
INTERRUPTED = 130


class CommandError(Exception):
    """Something a person can put right; the message is one line and says what to do."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What was said before the command: where the home lies, if told, and whether traces are wanted."""

    home: Path | None
    debug: bool


class LazyGroup(click.Group):
    """Group whose commands are imported when first needed.

    Parameters
    ----------
    commands_in
        By name of the command: the module that holds it as `command`, and the line that stands for it in the help.
    """

    def __init__(self, *args: Any, commands_in: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:  # noqa: ANN401 -- what click.Group takes
        super().__init__(*args, **kwargs)
        self.commands_in = commands_in

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order in which a person meets them."""
        del ctx
        return list(self.commands_in)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in self.commands_in:
            return None
        command = import_module(self.commands_in[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.commands_in[cmd_name][0]} has no click command named `command`")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in self.commands_in.items()])

    def invoke(self, ctx: click.Context) -> NoReturn:
        """Run the command and end the process: 0 done, 1 failed, 2 not understood, 130 stopped by Ctrl-C."""
        sys.exit(_run(lambda: super(LazyGroup, self).invoke(ctx), debug=bool(ctx.params.get("debug"))))

    def main(self, *args: Any, **extra: Any) -> NoReturn:  # noqa: ANN401 -- what click.Group takes
        """Read the command line and run it; what is not understood ends the process with 2."""
        extra["standalone_mode"] = False
        try:
            sys.exit(super().main(*args, **extra))
        except click.ClickException as error:
            sys.exit(_refuse(error))


def _run(call: Callable[[], object], *, debug: bool) -> int:
    try:
        result = call()
        sys.stdout.flush()
    except click.exceptions.Exit as asked:
        return asked.exit_code
    except BrokenPipeError:
        # The reader, `head` for one, has had enough; keep the interpreter from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, click.Abort):
        return _complain("stopped (what was done so far is kept; run it again to go on)", INTERRUPTED)
    except click.ClickException as error:
        return _refuse(error)
    except Exception as error:  # noqa: BLE001 -- the last handler: a person sees a line, not a trace
        if debug:
            traceback.print_exc()
        return _complain(_line(error), FAILURE)
    return result if isinstance(result, int) else 0


def _refuse(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.ctx.get_help(), err=True)
        return USAGE
    if isinstance(error, click.UsageError):
        return _complain(_usage(error), USAGE)
    return _complain(error.format_message(), FAILURE)


def _complain(line: str, code: int) -> int:
    click.echo(f"wharfinger: {' '.join(line.split())}", err=True)
    return code


def _usage(error: click.UsageError) -> str:
    what = error.format_message().rstrip(".")
    return f"{what[:1].lower()}{what[1:]} (see {error.ctx.command_path if error.ctx else 'wharfinger'} --help)"


def _line(error: Exception) -> str:
    """Word an error: ours speak for themselves, as do those of the file system; any other is a fault of ours."""
    if type(error).__module__.partition(".")[0] in ("features", "models", "service"):
        return str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free space, or put the home (--home) or temporary files (TMPDIR) elsewhere"
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror} (run again with --debug to see where)"
    return f"unexpected {type(error).__name__}: {error} (run again with --debug and report the trace)"
