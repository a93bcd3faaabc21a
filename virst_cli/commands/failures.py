"""Whatever went wrong: one line on stderr, and the exit code. VIRST_DEBUG=1 shows the traceback too."""

import os
import sys
import traceback

import typer

from virst_cli.commands.signals import Stopped
from virst_cli.machine.out_of_memory import as_virst_error

# what Typer raises for a wrong command line; the class itself has no public name
CommandLineError = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def exit_code(error: BaseException) -> int:
    """Says what went wrong; returns the exit code for it."""
    if os.environ.get("VIRST_DEBUG") == "1" and not isinstance(error, SystemExit | typer.Exit | CommandLineError):
        traceback.print_exception(error)
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, Stopped):
        _say("interrupted; --resume goes on with what is done" if _was_segmenting() else "interrupted")
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        _say("interrupted")
        return 130
    if isinstance(error, BrokenPipeError):  # whoever read our output has gone; nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, CommandLineError):
        return _usage(error)
    known = as_virst_error(error)
    _say(str(known))
    return known.exit_code


def _usage(error: BaseException) -> int:
    """A wrong command line, in one line; no arguments at all: the help."""
    message = error.format_message()  # type: ignore[attr-defined]
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message, err=True)
        return 2
    context = getattr(error, "ctx", None)
    hint = f"; see {context.command_path} --help" if context is not None else ""
    _say(" ".join(message.rstrip(".").split()) + hint)
    return 2


def _was_segmenting() -> bool:
    return "virst_cli.runs.run" in sys.modules


def _say(message: str) -> None:
    typer.echo(f"virst: error: {message}", err=True)
