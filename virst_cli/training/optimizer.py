"""The optimiser: AdamW, whose state per parameter is kept when a stage changes the groups and when a run is resumed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import AdamW

BETAS = (0.9, 0.98)
WEIGHT_DECAY = 0.02

ParameterState = dict[str, Any]  # what AdamW stores for one parameter: step, exp_avg, exp_avg_sq


def build_adamw(
    model: nn.Module, lr_scale: Callable[[str], float] = lambda name: 1.0, state: Mapping[str, ParameterState] | None = None
) -> AdamW:
    """AdamW over all parameters of a model, with one group for each value of `lr_scale`.

    lr_scale: factor on the learning rate of the parameter of a name; stored in its group under the same key.
    state: what an earlier optimiser stored for each parameter, by name; parameters without it start afresh.
    """
    parameters = dict(model.named_parameters())
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        groups.setdefault(lr_scale(name), []).append(parameter)
    optimizer = AdamW(
        [{"params": members, "lr_scale": scale} for scale, members in groups.items()],
        lr=0.0,  # set at every step by `set_lr`
        betas=BETAS,
        weight_decay=WEIGHT_DECAY,
    )
    for name, stored in (state or {}).items():
        optimizer.state[parameters[name]] = stored
    return optimizer


def set_lr(optimizer: AdamW, lr: float) -> None:
    """Set the learning rate of every group: `lr` times the group's scale."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]


def state_by_name(optimizer: AdamW, model: nn.Module) -> dict[str, ParameterState]:
    """What the optimiser stores for each parameter of a model, by name."""
    return {name: optimizer.state[parameter] for name, parameter in model.named_parameters() if parameter in optimizer.state}


def parameter_order(optimizer: AdamW, model: nn.Module) -> list[str]:
    """Names of a model's parameters in the order by whose numbers `optimizer.state_dict()` refers to them."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]


def saved_state_by_name(state_dict: Mapping[str, Any], order: Sequence[str]) -> dict[str, ParameterState]:
    """The same as `state_by_name` from a saved `optimizer.state_dict()` and its `parameter_order`."""
    return {order[number]: stored for number, stored in state_dict["state"].items()}
