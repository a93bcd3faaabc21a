"""The training loop: one process a core with averaged gradients, or one for an accelerator; a state on disk that resumes to the
same losses.

Every step's batch and random choices come from the seed, the process and the step's number, so what is saved is only
weights and optimiser.
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
from virst_cli.training.feed import BatchFeed, BatchSource
from virst_cli.training.optimizer import new_optimizer, parameter_names, restored_optimizer, set_lr, set_slow
from virst_cli.training.recipe import TrainingStage
from virst_cli.training.teacher import Teacher
from virst_cli.training.training_batch import TrainingBatch

CPU = torch.device("cpu")
STATE = "training.pt"
LOG = "log.jsonl"
EMA_DECAY = 0.995  # of the weights, over the steps in which the rate falls
SAVE_EVERY = 60.0  # seconds
PARTS = 3  # of a batch on an accelerator; on a CPU each process has one
LOG_EVERY = 10  # steps


@dataclass
class StepReport:
    """Where training is: the stage, the step in it, the mean losses since the last report, seconds a step."""

    stage: str
    step: int
    steps: int
    losses: dict[str, float]
    seconds: float


class Trainer:
    """Trains a model through a recipe. `folder` holds the state; a trainer made on the same folder goes on where it stopped."""

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
        """num_workers: processes that draw batches; none: this one draws them as it needs them."""
        self.teacher, self.source, self.prompts = teacher.to(device), source, prompts
        self.recipe, self.folder, self.seed = recipe, folder, seed
        self.device, self.num_workers = device, num_workers
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.world = dist.get_world_size() if dist.is_initialized() else 1
        self.parts = (self.rank,) if device.type == "cpu" else tuple(range(PARTS))
        self.optimizer = new_optimizer(self.teacher)
        self.ema: dict[str, torch.Tensor] = {}
        self.stage, self.step, self.seconds = 0, 0, 0.0
        if (folder / STATE).exists():
            self._restore()

    @property
    def model(self) -> Virst:
        return self.teacher.model

    @property
    def config(self) -> VirstConfig:
        return self.model.config

    def run(self, report: Callable[[StepReport], None] = lambda progress: None, *, until: float | None = None) -> bool:
        """Train to the end of the recipe, or until that time (`time.monotonic`). True when the recipe is done."""
        saved = time.monotonic()
        feed = BatchFeed(self.source, self.recipe, self.seed, self.parts)
        batches = feed.onwards((self.stage, self.step), num_workers=self.num_workers, pin=self.device.type == "cuda")
        while self.stage < len(self.recipe):
            stage = self.recipe[self.stage]
            set_slow(self.optimizer, stage.freeze(self.teacher))
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
        shape = stage.batches[self.step % len(stage.batches)]
        generator = torch.Generator().manual_seed(hash((self.seed, self.stage, self.step, self.rank)) % 2**31)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.device.type == "cpu" and cpu_has_bfloat16()):
            found = self.teacher.objectives[stage.objective](batch, shape.sampled_frames, generator)
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
        """Average the gradients of all processes; a parameter that a batch did not touch counts as zero."""
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

    def _agree(self, wish: bool) -> bool:
        """Whether the first process wishes it: clocks differ, and all must stop or save at the same step."""
        if self.world == 1:
            return wish
        flag = torch.tensor(int(wish))
        dist.broadcast(flag, 0)
        return bool(flag)

    def _update_ema(self, trained: dict[str, nn.Parameter]) -> None:
        for name, parameter in trained.items():
            if name not in self.ema:
                self.ema[name] = parameter.detach().clone()
            self.ema[name].lerp_(parameter.detach(), 1 - EMA_DECAY)

    def _finish_stage(self) -> None:
        """What was averaged becomes the weights."""
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
                "order": parameter_names(self.optimizer, self.teacher),
                "average": self.ema,
            }
            with replacing(self.folder / STATE) as new:
                torch.save(state, new)

    def _restore(self) -> None:
        state = torch.load(self.folder / STATE, map_location=self.device, weights_only=True)
        if state["recipe"] != [stage.name for stage in self.recipe]:
            raise UsageError(
                f"{self.folder} holds a training with the stages {', '.join(state['recipe'])}; continue with these, or delete it"
            )
        self.teacher.load_state_dict(state["teacher"])
        self.optimizer = restored_optimizer(self.teacher, state["order"], state["optimizer"])
        self.ema = state["average"]
        self.stage, self.step, self.seconds = state["stage"], state["step"], state["seconds"]
        log = self.folder / LOG
        if self.rank == 0 and log.exists():  # what was logged after the state was saved comes again
            rows = log.read_text().splitlines(keepends=True)
            log.write_text("".join(row for row in rows if json.loads(row)["seconds"] <= self.seconds + 0.05))

    def _log(self, progress: StepReport) -> None:
        if self.rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / LOG).open("a") as log:
                row = {"stage": progress.stage, "step": progress.step, "seconds": round(self.seconds, 1)}
                log.write(json.dumps({**row, **{k: round(v, 4) for k, v in progress.losses.items()}}) + "\n")
