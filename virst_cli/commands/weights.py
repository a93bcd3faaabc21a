"""virst weights: lists, downloads, imports, checks and removes the models on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from virst_cli.commands.json_output import json_line
from virst_cli.commands.options import AsJson, go_offline

if TYPE_CHECKING:
    from virst_cli.checkpoints.convert import ConversionReport
    from virst_cli.checkpoints.registry import Published
    from virst_cli.commands.progress import Progress
    from virst_cli.stages import OnProgress

EPILOG = """\b
Examples:
  virst weights list
  virst weights pull virst-7b
"""
PULL_EPILOG = """\b
virst-7b has three parts. Two are on the Hub: OpenGVLab/VideoChat-Flash-Qwen2-7B_res448
and facebook/sam2.1-hiera-large. The third, virst_checkpoint.pt, is on its authors' drive:
this command prints its address, and `virst weights import` converts the three parts.

\b
Files are stored in the Hub's cache. HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE and proxy
settings are respected. An interrupted download continues where it stopped. Every file is
compared with its sha256. If the sha256 is not known beforehand (VideoChat-Flash, models of
others), the first download is trusted: its commit and sha256 are recorded beside the files,
and later downloads must match them.

\b
Examples:
  virst weights pull virst-7b
  virst weights pull someone/virst-7b-safetensors
"""
IMPORT_EPILOG = """\b
Examples:
  virst weights import virst_checkpoint.pt
  virst weights import mine.pt --base VideoChat-Flash-Qwen2-7B_res448 --sam2 sam2.1_hiera_large.pt --name mine
"""
MEGABYTE = 1_000_000

app = typer.Typer(
    help="List, download, import, verify and remove models.", epilog=EPILOG, no_args_is_help=True, rich_markup_mode=None
)


@app.command("list", epilog="\b\nExamples:\n  virst weights list\n  virst weights list --json")
def list_models(as_json: AsJson = False) -> None:
    """List the models on this machine: name, size, purpose and folder."""
    from virst_cli.checkpoints import inventory
    from virst_cli.machine.memory import readable

    models, parts, absent = list(inventory.models()), list(inventory.parts()), inventory.absent()
    if as_json:
        listed = {
            kind: [{"name": m.name, "bytes": m.bytes, "good_for": m.good_for, "path": str(m.path)} for m in found]
            for kind, found in (("models", models), ("parts", parts))
        }
        missing = [
            {"name": m.name, "bytes": m.bytes, "good_for": m.good_for, "get": m.pull_command, "download_bytes": m.download_bytes}
            for m in absent
        ]
        typer.echo(json_line({"schema_version": 1, **listed, "absent": missing}))
        return
    for found in (*models, *parts):
        typer.echo(f"{found.name}\t{readable(found.bytes)}\t{found.good_for}\t{found.path}")
    for model in absent:
        sizes = f"{readable(model.bytes)}, downloads {readable(model.download_bytes)}"
        typer.echo(f"not on this machine: {model.name} ({sizes}; {model.good_for}); get it with `{model.pull_command}`", err=True)


@app.command("path", epilog="\b\nExamples:\n  virst weights path virst-nano\n  virst weights path virst-7b")
def path(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a model, or owner/name if it is from the Hub.")],
) -> None:
    """Print the folder of a model on this machine."""
    from virst_cli.checkpoints.find import choose_model

    typer.echo(choose_model(name).path)


@app.command("pull", epilog=PULL_EPILOG)
def pull(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Model to download: virst-7b, or owner/name or owner/name@revision on the Hub.")
    ],
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Use no network; only check whether the model is on this machine.", callback=go_offline),
    ] = False,
) -> None:
    """Download a model from the Hub, or the parts of it that are there."""
    from virst_cli.checkpoints.download import pull_model
    from virst_cli.checkpoints.pins import HubName
    from virst_cli.checkpoints.registry import EMBEDDED, PUBLISHED
    from virst_cli.commands.progress import Progress
    from virst_cli.errors import UsageError

    if name in PUBLISHED:
        _pull_parts(PUBLISHED[name])
        return
    if name == EMBEDDED:
        typer.echo(f"{name} comes with the tool; there is nothing to download", err=True)
        return
    hub = HubName.parse(name)
    if hub is None:
        raise UsageError(
            f"{name!r} is not the name of a model to download; write {', '.join(PUBLISHED)}, owner/name or owner/name@revision"
        )
    with Progress(quiet=False) as progress:
        folder = pull_model(hub, _megabytes(progress), verify=True)
    typer.echo(f"{name} is complete and every file matches its sha256; use it with --model {name}", err=True)
    typer.echo(folder)


@app.command("import", epilog=IMPORT_EPILOG)
def import_checkpoint(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="FILE", help="Checkpoint in the published format, such as virst_checkpoint.pt.")
    ],
    base: Annotated[
        Path | None,
        typer.Option("--base", metavar="DIR", help="Folder of VideoChat-Flash; the default is the downloaded one."),
    ] = None,
    sam2: Annotated[
        Path | None,
        typer.Option(
            "--sam2", metavar="FILE", help="SAM 2.1 checkpoint sam2.1_hiera_large.pt; the default is the downloaded one."
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option("--tokenizer", metavar="DIR", help="Folder of the tokenizer; the default is the --base folder.")
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the model on this machine.")] = "virst-7b",
    initial_fusion: Annotated[
        bool | None,
        typer.Option(
            "--initial-fusion/--no-initial-fusion",
            help="Use the first fusion or leave it out; the default is to use it if it was trained.",
        ),
    ] = None,
) -> None:
    """Convert the published checkpoint into a model on this machine.

    Under the name virst-7b, the files must be the published ones (their sha256 is checked); give other files another --name.
    """
    from virst_cli.checkpoints import inventory, published_parts
    from virst_cli.checkpoints.registry import PUBLISHED
    from virst_cli.commands.progress import Progress

    output = inventory.new_place(name)
    model = PUBLISHED["virst-7b"]
    parts = published_parts.find_parts(
        model, checkpoint, base=base, sam2=sam2, tokenizer=tokenizer, is_published=name == model.name
    )  # before anything heavy is imported
    from virst_cli.checkpoints.convert import convert

    with Progress(quiet=False) as progress:
        report = convert(
            parts.checkpoint, base=parts.base, sam2=parts.sam2, tokenizer=parts.tokenizer, output=output, config=model.config,
            initial_fusion=initial_fusion, sums=parts.sums, on_progress=progress,
        )  # fmt: skip
    _print_report(report)
    typer.echo(output)


@app.command("verify", epilog="\b\nExamples:\n  virst weights verify\n  virst weights verify virst-nano")
def verify(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of a model, or owner/name if it is from the Hub; the default is all."),
    ] = None,
) -> None:
    """Check every file of a model against its sha256."""
    from virst_cli.checkpoints import inventory

    everything = [found.name for found in (*inventory.models(), *inventory.parts())]
    for each in everything if name is None else [name]:
        folder = inventory.verify_model(each)
        typer.echo(f"{each}: every file matches its sha256 ({folder})", err=True)


@app.command("rm", epilog="\b\nExamples:\n  virst weights rm virst-7b --dry-run\n  virst weights rm virst-7b --yes")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of an imported model, or owner/name of a downloaded one.")],
    yes: Annotated[bool, typer.Option("--yes", help="Confirm the removal.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")] = False,
) -> None:
    """Remove a model, or a part of one, that was imported or downloaded."""
    from virst_cli.checkpoints.inventory import Removal
    from virst_cli.errors import UsageError
    from virst_cli.machine.memory import readable

    removal = Removal(name)
    folder = f"{removal.path} ({readable(removal.bytes)})"
    if dry_run:
        typer.echo(f"would remove {folder}", err=True)
        return
    if not yes:
        raise UsageError(f"{folder} would be removed; add --yes to confirm")
    removal.execute()
    typer.echo(f"removed {folder}", err=True)


def _pull_parts(model: "Published") -> None:
    """Download the parts of a published model that are on the Hub, and print how to get and import the rest."""
    from virst_cli.checkpoints.download import pull_part
    from virst_cli.checkpoints.find import import_folder
    from virst_cli.commands.progress import Progress
    from virst_cli.machine.memory import readable

    if import_folder(model.name).is_dir():
        typer.echo(
            f"{model.name} is already on this machine ({import_folder(model.name)}); there is nothing to download", err=True
        )
        return
    with Progress(quiet=False) as progress:
        for part in model.hub_parts:
            typer.echo(pull_part(part, _megabytes(progress)))
            typer.echo(f"{part.repository} is complete and every file matches its sha256 (licence: {part.licence})", err=True)
    rest = model.checkpoint
    typer.echo(
        f"one part is missing: {rest.file}, which is on its authors' drive:\n"
        f"  {rest.url}\n"
        f"  sha256 {rest.sha256} (as reported by others; licence: {rest.licence})\n"
        f"Download it, then run this command, which needs {readable(model.bytes)} of disk space:\n"
        f"  {model.import_command}",
        err=True,
    )


def _megabytes(progress: "Progress") -> "OnProgress":
    """A progress callback that takes bytes and shows megabytes."""
    return lambda stage, done, total: progress(f"{stage} (MB)", done // MEGABYTE, -(-total // MEGABYTE))


def _print_report(report: "ConversionReport") -> None:
    """Print on stderr what a conversion merged, replaced, used and left out."""
    used = report.config.segmentation.initial_fusion
    gate = "not in the checkpoint" if report.gate is None else f"its gate is {report.gate:.4g} (0.1 if untrained)"
    replaced = ", ".join(f"{count} of {part}" for part, count in report.overridden_by_part().items())
    typer.echo(f"{report.merged} low-rank updates merged", err=True)
    typer.echo(f"tensors replaced by the checkpoint: {replaced or 'none'}", err=True)
    typer.echo(f"first fusion: {'used' if used else 'not used'}; {gate}", err=True)
    typer.echo(f"{len(report.dropped)} tensors left out because no mask depends on them", err=True)
