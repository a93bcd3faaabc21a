"""AdamW over the parameters of a stage: some train at a lower rate, and what the optimiser knows of each outlives a stage."""

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer

SLOW_LR_SCALE = 0.3  # of the stage's learning rate, for parameters that are only to follow


def new_optimizer(module: nn.Module) -> AdamW:
    """An optimiser of all parameters, with a learning rate of 0 until a stage sets one."""
    return AdamW(_groups(module.parameters(), slow=()), lr=0.0, betas=(0.9, 0.98), weight_decay=0.02)


def set_slow(optimizer: Optimizer, slow: Sequence[nn.Parameter]) -> None:
    """Regroups the parameters, so that `slow` ones train at SLOW_LR_SCALE of the learning rate; their moments are kept."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    settings = {name: value for name, value in optimizer.param_groups[0].items() if name in optimizer.defaults}
    optimizer.param_groups[:] = [{**settings, **group} for group in _groups(parameters, slow)]


def set_lr(optimizer: Optimizer, lr: float) -> None:
    """Sets the learning rate of every group, as its scale has it."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]


def parameter_names(optimizer: Optimizer, module: nn.Module) -> list[str]:
    """Names of the optimiser's parameters in its own order, which is how its state counts them."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]


def restored_optimizer(module: nn.Module, names: Sequence[str], state: dict[str, Any]) -> AdamW:
    """The optimiser whose `state_dict()` is `state`. names: of its parameters, as `parameter_names` gave them."""
    parameters, settings = dict(module.named_parameters()), new_optimizer(module).defaults
    groups, start = [], 0
    for group in state["param_groups"]:
        stop = start + len(group["params"])
        groups.append({**settings, "params": [parameters[name] for name in names[start:stop]]})
        start = stop
    optimizer = AdamW(groups)
    optimizer.load_state_dict(state)
    return optimizer


def _groups(parameters: Iterable[nn.Parameter], slow: Sequence[nn.Parameter]) -> list[dict[str, Any]]:
    """Two groups of parameters: those at the full learning rate, and the slow ones."""
    parameters, ids = list(parameters), {id(parameter) for parameter in slow}
    return [
        {"params": [parameter for parameter in parameters if id(parameter) not in ids], "lr_scale": 1.0},
        {"params": [parameter for parameter in parameters if id(parameter) in ids], "lr_scale": SLOW_LR_SCALE},
    ]
