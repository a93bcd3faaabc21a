"""virst weights: the models on this machine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from virst_cli.commands.options import AsJson, go_offline

if TYPE_CHECKING:
    from virst_cli.checkpoints.convert import ConversionReport
    from virst_cli.checkpoints.registry import Published
    from virst_cli.commands.progress import Progress

EPILOG = """\b
Examples:
  virst weights list
  virst weights pull virst-7b
"""
PULL_EPILOG = """\b
virst-7b has three parts. Two are on the Hub: OpenGVLab/VideoChat-Flash-Qwen2-7B_res448
and facebook/sam2.1-hiera-large. The third, virst_checkpoint.pt, is on its authors' drive:
this command says where, and `virst weights import` puts the three together.

\b
Files go to the Hub's cache; HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE and proxies hold.
A download that broke off goes on where it stopped. Every file is compared with its sha256.
Where none is known beforehand (VideoChat-Flash, models of others), the Hub is believed once:
commit and sha256 are recorded beside the files at the first download, and hold from then on.

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
    help="List, pull, import, verify and remove models.", epilog=EPILOG, no_args_is_help=True, rich_markup_mode=None
)


@app.command("list", epilog="\b\nExamples:\n  virst weights list\n  virst weights list --json")
def list_models(as_json: AsJson = False) -> None:
    """List the models that are here: name, size, what they are good for, and where."""
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
        typer.echo(json.dumps({"schema_version": 1, **listed, "absent": missing}, ensure_ascii=False))
        return
    for found in (*models, *parts):
        typer.echo(f"{found.name}\t{readable(found.bytes)}\t{found.good_for}\t{found.path}")
    for model in absent:
        sizes = f"{readable(model.bytes)}, downloads {readable(model.download_bytes)}"
        typer.echo(f"not here: {model.name} ({sizes}; {model.good_for}); `{model.pull_command}`", err=True)


@app.command("path", epilog="\b\nExamples:\n  virst weights path virst-nano\n  virst weights path virst-7b")
def path(name: Annotated[str, typer.Argument(metavar="NAME", help="Of a model, or owner/name on the Hub.")]) -> None:
    """Print the folder of a model that is here."""
    from virst_cli.checkpoints.find import choose_model

    typer.echo(choose_model(name).path)


@app.command("pull", epilog=PULL_EPILOG)
def pull(
    name: Annotated[str, typer.Argument(metavar="NAME", help="virst-7b, or owner/name or owner/name@revision on the Hub.")],
    offline: Annotated[
        bool, typer.Option("--offline", help="Use no network: only say whether it is here.", callback=go_offline)
    ] = False,
) -> None:
    """Download a model from the Hub, or what there is of it; nothing that is here already."""
    from virst_cli.checkpoints.download import pull_model
    from virst_cli.checkpoints.pins import HubName
    from virst_cli.checkpoints.registry import EMBEDDED, PUBLISHED
    from virst_cli.commands.progress import Progress
    from virst_cli.errors import UsageError

    if name in PUBLISHED:
        _pull_parts(PUBLISHED[name])
        return
    if name == EMBEDDED:
        typer.echo(f"{name} comes with the tool; there is nothing to pull", err=True)
        return
    hub = HubName.parse(name)
    if hub is None:
        raise UsageError(f"{name!r} can't be pulled; write {', '.join(PUBLISHED)}, owner/name or owner/name@revision")
    with Progress(quiet=False) as progress:
        folder = pull_model(hub, _megabytes(progress), verify=True)
    typer.echo(f"{name} is here, every file checked; use it with --model {name}", err=True)
    typer.echo(folder)


@app.command("import", epilog=IMPORT_EPILOG)
def import_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(metavar="FILE", help="The published virst_checkpoint.pt.")],
    base: Annotated[
        Path | None, typer.Option("--base", metavar="DIR", help="Folder of VideoChat-Flash; by default the one that was pulled.")
    ] = None,
    sam2: Annotated[
        Path | None, typer.Option("--sam2", metavar="FILE", help="sam2.1_hiera_large.pt; by default the one that was pulled.")
    ] = None,
    tokenizer: Annotated[Path | None, typer.Option("--tokenizer", metavar="DIR", help="By default in the base folder.")] = None,
    name: Annotated[str, typer.Option("--name", help="What the model is called here.")] = "virst-7b",
    initial_fusion: Annotated[
        bool | None, typer.Option("--initial-fusion/--no-initial-fusion", help="By default used if it was trained.")
    ] = None,
) -> None:
    """Convert the published checkpoint into a model of this machine.

    Under the name virst-7b the files have to be the published ones, by their sha256; give your own another --name.
    """
    from virst_cli.checkpoints import inventory, published_parts
    from virst_cli.checkpoints.registry import PUBLISHED
    from virst_cli.commands.progress import Progress

    place = inventory.new_place(name)
    model = PUBLISHED["virst-7b"]
    parts = published_parts.gather(
        model, checkpoint, base=base, sam2=sam2, tokenizer=tokenizer, is_published=name == model.name
    )  # before anything heavy is imported
    from virst_cli.checkpoints.convert import convert

    with Progress(quiet=False) as progress:
        report = convert(
            parts.checkpoint, base=parts.base, sam2=parts.sam2, tokenizer=parts.tokenizer, output=place, config=model.config,
            initial_fusion=initial_fusion, sums=parts.sums, progress=progress,
        )  # fmt: skip
    _print_report(report)
    typer.echo(place)


@app.command("verify", epilog="\b\nExamples:\n  virst weights verify\n  virst weights verify virst-nano")
def verify(name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Of a model; by default all.")] = None) -> None:
    """Check every file of a model against its sha256."""
    from virst_cli.checkpoints import inventory

    everything = [found.name for found in (*inventory.models(), *inventory.parts())]
    for each in everything if name is None else [name]:
        folder = inventory.verify_model(each)
        typer.echo(f"{each}: all files are as they were published ({folder})", err=True)


@app.command("rm", epilog="\b\nExamples:\n  virst weights rm virst-7b --dry-run\n  virst weights rm virst-7b --yes")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a model that was imported, or pulled (owner/name).")],
    yes: Annotated[bool, typer.Option("--yes", help="Really.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
) -> None:
    """Remove a model, or a part of one, that was imported or pulled."""
    from virst_cli.checkpoints.inventory import Removal
    from virst_cli.errors import UsageError
    from virst_cli.machine.memory import readable

    removal = Removal(name)
    what = f"{removal.path} ({readable(removal.bytes)})"
    if dry_run:
        typer.echo(f"would remove {what}", err=True)
        return
    if not yes:
        raise UsageError(f"{what} would be removed; add --yes to do it")
    removal.execute()
    typer.echo(f"removed {what}", err=True)


def _pull_parts(model: "Published") -> None:
    """What the Hub has of a published model, and then what is left to do."""
    from virst_cli.checkpoints.download import pull_part
    from virst_cli.checkpoints.find import imported
    from virst_cli.commands.progress import Progress
    from virst_cli.machine.memory import readable

    if imported(model.name).is_dir():
        typer.echo(f"{model.name} is here already ({imported(model.name)}); there is nothing to pull", err=True)
        return
    with Progress(quiet=False) as progress:
        for part in model.hub_parts:
            typer.echo(pull_part(part, _megabytes(progress)))
            typer.echo(f"{part.repository} is here, every file checked (licence: {part.licence})", err=True)
    left = model.checkpoint
    typer.echo(
        f"one part is left: {left.file}, on its authors' drive:\n"
        f"  {left.url}\n"
        f"  sha256 {left.sha256} (as others report it; licence: {left.licence})\n"
        f"Download it, and finish with (needs {readable(model.bytes)} more):\n"
        f"  {model.import_command}",
        err=True,
    )


def _megabytes(progress: "Progress") -> Callable[[str, int, int], None]:
    """Bytes, shown in megabytes."""
    return lambda stage, done, total: progress(f"{stage} (MB)", done // MEGABYTE, -(-total // MEGABYTE))


def _print_report(report: "ConversionReport") -> None:
    """What a conversion did, where it was not clear beforehand."""
    fused = report.config.segmentation.initial_fusion
    gate = "the checkpoint has none" if report.gate is None else f"its gate is {report.gate:.4g}, untrained it would be 0.1"
    replaced = ", ".join(f"{count} of {part}" for part, count in report.overridden_by_part().items())
    typer.echo(f"{report.merged} low-rank updates merged", err=True)
    typer.echo(f"replaced by the checkpoint: {replaced or 'nothing'}", err=True)
    typer.echo(f"first fusion: {'used' if fused else 'not used'}; {gate}", err=True)
    typer.echo(f"{len(report.dropped)} tensors left out, on which no mask depends", err=True)
