"""From what training holds to a model folder that `virst_cli.load` opens."""

from pathlib import Path

import torch

from virst_cli.checkpoints.write_folder import new_model_folder
from virst_cli.training.loop import Trainer


def save_model(trainer: Trainer, folder: Path) -> Path:
    """Write the model, without the helper heads, in float16: half the size, and its masks are the same.

    Raises OutputError when `folder` exists.
    """
    tensors = {name: value.to("cpu", torch.float16, copy=True) for name, value in trainer.model.state_dict().items()}
    seen = {"data": trainer.source.name, "seed": trainer.seed, "seconds": round(trainer.seconds)}
    recipe = [{"stage": stage.name, "steps": stage.steps, "rate": stage.lr} for stage in trainer.recipe]
    with new_model_folder(folder) as writer:
        writer.write_shard("model", tensors)
        writer.finish(trainer.config, trainer.prompts.tokenizer, {**seen, "recipe": recipe})
    return folder
