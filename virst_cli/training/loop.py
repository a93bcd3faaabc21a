"""The training loop. Its state on disk resumes to the same losses as an uninterrupted run.

On a CPU it runs in one process per core with averaged gradients, on an accelerator in one process. The batch and the random
choices of a step depend only on the seed, the process and the number of the step, so the state needs no random generators.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from virst_cli.errors import UsageError
from virst_cli.files.atomic import replacing
from virst_cli.machine.dtypes import cpu_has_bfloat16
from virst_cli.model.config import VirstConfig
from virst_cli.model.prompt import PromptBuilder
from virst_cli.model.virst import Virst
from virst_cli.training.loader import BatchSource, RecipeBatches
from virst_cli.training.optimizer import build_adamw, parameter_order, saved_state_by_name, set_lr, state_by_name
from virst_cli.training.recipe import TrainingStage
from virst_cli.training.teacher import Teacher
from virst_cli.training.training_batch import TrainingBatch

CPU = torch.device("cpu")
STATE = "training.pt"
LOG = "log.jsonl"
EMA_DECAY = 0.995  # of the weights' exponential moving average, taken over the steps in which the lr falls
SAVE_EVERY = 60.0  # seconds
PARTS = 3  # parts of a batch on an accelerator; on a CPU each process trains on one part
LOG_EVERY = 10  # steps


@dataclass
class StepReport:
    """Progress of training: what a line of the log says.

    losses: means since the last report.
    seconds: per step, since the last report.
    """

    stage: str
    step: int  # steps of the stage that are done
    steps: int  # of the stage
    losses: dict[str, float]
    seconds: float


class Trainer:
    """Trains a model through a recipe.

    folder: holds the state and the log; a trainer of the same folder continues where the last one stopped.
    num_workers: processes that make batches; 0: this process makes each when it needs it.
    Raises UsageError if the state in the folder has other stages.
    """

    def __init__(
        self,
        teacher: Teacher,
        source: BatchSource,
        prompts: PromptBuilder,
        recipe: Sequence[TrainingStage],
        folder: Path,
        *,
        seed: int = 0,
        device: torch.device = CPU,
        num_workers: int = 0,
    ) -> None:
        self.teacher, self.source, self.prompts = teacher.to(device), source, prompts
        self.recipe, self.folder, self.seed = recipe, folder, seed
        self.device, self.num_workers = device, num_workers
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.world = dist.get_world_size() if dist.is_initialized() else 1
        self.parts = (self.rank,) if device.type == "cpu" else tuple(range(PARTS))
        self.optimizer = build_adamw(self.teacher)
        self.ema: dict[str, torch.Tensor] = {}
        self.stage, self.step, self.seconds = 0, 0, 0.0
        if (folder / STATE).exists():
            self._restore()

    @property
    def model(self) -> Virst:
        """The model that is trained."""
        return self.teacher.model

    @property
    def config(self) -> VirstConfig:
        """Its architecture."""
        return self.model.config

    def run(self, report: Callable[[StepReport], None] = lambda progress: None, *, until: float | None = None) -> bool:
        """Train to the end of the recipe. Returns whether the end was reached.

        report: called after every LOG_EVERY steps and at the end of a stage.
        until: value of `time.monotonic` at which to save and stop.
        """
        saved = time.monotonic()
        dataset = RecipeBatches(self.source, self.recipe, self.seed, self.parts)
        position = (self.stage, self.step)
        batches = dataset.load_from(position, num_workers=self.num_workers, pin_memory=self.device.type == "cuda")
        while self.stage < len(self.recipe):
            stage = self.recipe[self.stage]
            stage.freeze(self.teacher)
            self.optimizer = build_adamw(self.teacher, stage.lr_scale, state_by_name(self.optimizer, self.teacher))
            trained = {name: parameter for name, parameter in self.teacher.named_parameters() if parameter.requires_grad}
            sums: dict[str, torch.Tensor] = {}
            began, since = time.monotonic(), 0
            while self.step < stage.steps:
                for name, value in self._one_step(stage, trained, next(batches).to(self.device)).items():
                    sums[name] = sums.get(name, 0.0) + value.detach()
                self.step += 1
                since += 1
                if since == LOG_EVERY or self.step == stage.steps:
                    losses = {name: value.item() / since for name, value in sums.items()}
                    seconds = (time.monotonic() - began) / since
                    self.seconds += seconds * since
                    progress = StepReport(stage.name, self.step, stage.steps, losses, seconds)
                    self._log(progress)
                    report(progress)
                    sums, since, began = {}, 0, time.monotonic()
                stop = self._agree(until is not None and time.monotonic() > until)
                if self._agree(time.monotonic() - saved > SAVE_EVERY) or stop:
                    self._save()
                    saved = time.monotonic()
                if stop:
                    return False
            self._finish_stage()
        return True

    def _one_step(self, stage: TrainingStage, trained: dict[str, nn.Parameter], batch: TrainingBatch) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(hash((self.seed, self.stage, self.step, self.rank)) % 2**31)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.device.type == "cpu" and cpu_has_bfloat16()):
            found = self.teacher.losses(stage.objective, batch, stage.batch_at(self.step).sampled_frames, generator)
        weights = stage.weights_at(self.step)
        loss = torch.stack([weights[name] * value for name, value in found.items() if name in weights]).sum()
        loss.backward()
        parameters = list(trained.values())
        self._average_gradients(parameters)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        set_lr(self.optimizer, stage.lr_at(self.step))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.step >= stage.steps * (1 - stage.cosine):
            self._update_ema(trained)
        return {"loss": loss, **found}

    def _average_gradients(self, trained: Sequence[nn.Parameter]) -> None:
        """Average the gradients of all processes; a missing gradient counts as zero."""
        if self.world == 1:
            return
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.flatten() for parameter in trained])  # type: ignore[union-attr]
        dist.all_reduce(flat)
        flat /= self.world
        for parameter, part in zip(trained, flat.split([p.numel() for p in trained]), strict=True):
            parameter.grad = part.view_as(parameter)

    def _agree(self, wanted: bool) -> bool:
        """What the first process wants. Clocks differ, and all processes must stop or save at the same step."""
        if self.world == 1:
            return wanted
        flag = torch.tensor(int(wanted))
        dist.broadcast(flag, 0)
        return bool(flag)

    def _update_ema(self, trained: dict[str, nn.Parameter]) -> None:
        for name, parameter in trained.items():
            if name not in self.ema:
                self.ema[name] = parameter.detach().clone()
            self.ema[name].lerp_(parameter.detach(), 1 - EMA_DECAY)

    def _finish_stage(self) -> None:
        """Replace the weights by their moving average, where there is one, and save."""
        parameters = dict(self.teacher.named_parameters())
        with torch.no_grad():
            for name, value in self.ema.items():
                parameters[name].copy_(value)
        self.ema = {}
        self.stage, self.step = self.stage + 1, 0
        self._save()

    def _save(self) -> None:
        if self.rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            state = {
                "recipe": [stage.name for stage in self.recipe],
                "stage": self.stage,
                "step": self.step,
                "seconds": self.seconds,
                "teacher": self.teacher.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "order": parameter_order(self.optimizer, self.teacher),
                "average": self.ema,
            }
            with replacing(self.folder / STATE) as partial:
                torch.save(state, partial)

    def _restore(self) -> None:
        state = torch.load(self.folder / STATE, map_location=self.device, weights_only=True)
        if state["recipe"] != [stage.name for stage in self.recipe]:
            raise UsageError(
                f"{self.folder} was started with the stages {', '.join(state['recipe'])}; "
                "use the same --stage options, or remove the folder"
            )
        self.teacher.load_state_dict(state["teacher"])
        saved = saved_state_by_name(state["optimizer"], state["order"])
        self.optimizer = build_adamw(self.teacher, state=saved)
        self.ema = state["average"]
        self.stage, self.step, self.seconds = state["stage"], state["step"], state["seconds"]
        log = self.folder / LOG
        if self.rank == 0 and log.exists():  # steps after the saved state are logged again
            rows = log.read_text().splitlines(keepends=True)
            log.write_text("".join(row for row in rows if json.loads(row)["seconds"] <= self.seconds + 0.05))

    def _log(self, progress: StepReport) -> None:
        if self.rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / LOG).open("a") as log:
                row = {"stage": progress.stage, "step": progress.step, "seconds": round(self.seconds, 1)}
                log.write(json.dumps({**row, **{k: round(v, 4) for k, v in progress.losses.items()}}) + "\n")
