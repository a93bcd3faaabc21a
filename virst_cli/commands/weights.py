"""virst weights: the models on this machine."""

import json
from pathlib import Path
from typing import Annotated

import typer

from virst_cli.commands.options import AsJson

EPILOG = """\b
Examples:
  virst weights list
  virst weights verify
"""
app = typer.Typer(help="List, import, verify and remove models.", epilog=EPILOG, no_args_is_help=True, rich_markup_mode=None)


@app.command("list", epilog="\b\nExamples:\n  virst weights list\n  virst weights list --json")
def list_models(as_json: AsJson = False) -> None:
    """List the models that are here: name, size, what they are good for, and where."""
    from virst_cli.checkpoints.inventory import models
    from virst_cli.memory import readable

    found = list(models())
    if as_json:
        entries = [{"name": m.name, "bytes": m.bytes, "good_for": m.good_for, "path": str(m.path)} for m in found]
        typer.echo(json.dumps({"schema_version": 1, "models": entries}, ensure_ascii=False))
        return
    if not found:
        typer.echo("no model is here; `virst weights import` gets one", err=True)
    for model in found:
        typer.echo(f"{model.name}\t{readable(model.bytes)}\t{model.good_for}\t{model.path}")


@app.command("path", epilog="\b\nExamples:\n  virst weights path virst-nano\n  virst weights path virst-7b")
def path(name: Annotated[str, typer.Argument(metavar="NAME", help="Of a model.")]) -> None:
    """Print the folder of a model."""
    from virst_cli.checkpoints.store import find

    typer.echo(find(name))


@app.command("verify", epilog="\b\nExamples:\n  virst weights verify\n  virst weights verify virst-nano")
def verify(name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Of a model; by default all.")] = None) -> None:
    """Check every file of a model against its sha256."""
    from virst_cli.checkpoints import manifest
    from virst_cli.checkpoints.store import find, installed

    for folder in list(installed()) if name is None else [find(name)]:
        manifest.verify(folder)
        typer.echo(f"{folder.name}: all files are as they were published ({folder})", err=True)


@app.command("rm", epilog="\b\nExamples:\n  virst weights rm virst-7b --yes\n  virst weights list")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of an imported model.")],
    yes: Annotated[bool, typer.Option("--yes", help="Really.")] = False,
) -> None:
    """Remove a model that was imported."""
    from virst_cli.checkpoints.inventory import remove_imported

    removed = remove_imported(name, really=yes)
    typer.echo(f"removed {removed}", err=True)


@app.command(
    "import",
    epilog="\b\nExamples:\n"
    "  virst weights import virst_checkpoint.pt --base VideoChat-Flash-Qwen2-7B_res448 --sam2 sam2.1_hiera_large.pt\n"
    "  virst weights import virst_checkpoint.pt --base base --sam2 sam2.pt --tokenizer tokenizer --name mine",
)
def import_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(metavar="FILE", help="The published virst_checkpoint.pt.")],
    base: Annotated[Path, typer.Option("--base", metavar="DIR", help="Folder of VideoChat-Flash-Qwen2-7B_res448.")],
    sam2: Annotated[Path, typer.Option("--sam2", metavar="FILE", help="sam2.1_hiera_large.pt.")],
    tokenizer: Annotated[Path | None, typer.Option("--tokenizer", metavar="DIR", help="By default in the base folder.")] = None,
    name: Annotated[str, typer.Option("--name", help="What the model is called here.")] = "virst-7b",
) -> None:
    """Convert the published checkpoint into a model of this machine."""
    from virst_cli.checkpoints.convert import convert
    from virst_cli.checkpoints.inventory import new_place

    place = new_place(name)
    report = convert(checkpoint, base=base, sam2=sam2, tokenizer=tokenizer or base, output=place)
    typer.echo(
        f"{report.merged} low-rank updates merged, {len(report.dropped)} tensors left out: no mask depends on them", err=True
    )
    typer.echo(place)
