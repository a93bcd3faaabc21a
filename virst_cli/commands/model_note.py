"""Prints which model a command uses and what that model can't do, before any work begins."""

from collections.abc import Sequence

import typer


def print_model_note(model: str | None, unknown_words: Sequence[str]) -> None:
    """Print on stderr which model is used and why, a note about virst-nano, and a warning about unknown words.

    model: the value of `--model`, or None for the default model.
    unknown_words: words of the sentences that the model has never seen in training.
    """
    from virst_cli.checkpoints.find import choose_model
    from virst_cli.checkpoints.registry import EMBEDDED, PUBLISHED

    chosen = choose_model(model)
    typer.echo(f"model: {chosen.name}, {chosen.reason} ({chosen.path})", err=True)
    if chosen.path.name == EMBEDDED:
        known = "dogs, cats, birds, cars, balls and boxes in six colours"
        command = PUBLISHED["virst-7b"].pull_command
        typer.echo(f"{EMBEDDED} knows only its synthetic world ({known}); for real videos, run `{command}`", err=True)
    if unknown_words:
        typer.echo(f"virst: warning: the model does not know these words: {', '.join(unknown_words)}", err=True)
