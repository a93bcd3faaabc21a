"""Reports an exception as one line on stderr and an exit code. VIRST_DEBUG=1 prints the traceback too."""

import os
import sys
import traceback

import typer

from virst_cli.commands.signals import Stopped
from virst_cli.machine.out_of_memory import as_virst_error

# what Typer raises for a wrong command line; the class itself has no public name
CommandLineError = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")


def report_error(error: BaseException) -> int:
    """Print what went wrong; returns the exit code for it."""
    if os.environ.get("VIRST_DEBUG") == "1" and not isinstance(error, SystemExit | typer.Exit | CommandLineError):
        traceback.print_exception(error)
    if isinstance(error, typer.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, Stopped):
        _print_error("interrupted; --resume continues where it stopped" if _was_segmenting() else "interrupted")
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        _print_error("interrupted")
        return 130
    if isinstance(error, BrokenPipeError):  # the reader of our output has ended; flushing at exit must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(error, CommandLineError):
        return _report_usage_error(error)
    known = as_virst_error(error)
    _print_error(str(known))
    return known.exit_code


def _report_usage_error(error: BaseException) -> int:
    """Print the error of a wrong command line in one line, or the help if there were no arguments; returns the exit code."""
    message = error.format_message()  # type: ignore[attr-defined]
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message, err=True)
        return 2
    context = getattr(error, "ctx", None)
    hint = f"; see {context.command_path} --help" if context is not None else ""
    _print_error(" ".join(message.rstrip(".").split()) + hint)
    return 2


def _was_segmenting() -> bool:
    return "virst_cli.runs.run" in sys.modules


def _print_error(message: str) -> None:
    typer.echo(f"virst: error: {message}", err=True)
