"""State of PyTorch training as plain arrays: weights, optimiser and random numbers.

A run that is resumed from these continues bit for bit as if it had not stopped (one thread or the
same number of threads, same wheels).
"""

from typing import Any

import numpy as np
import torch

from services.trainer.checkpoint import Arrays


def captured(model: torch.nn.Module, optimiser: torch.optim.Optimizer) -> Arrays:
    """Return all that training needs to go on."""
    arrays: Arrays = {"torch_rng": torch.get_rng_state().numpy().copy()}
    for name, value in model.state_dict().items():
        arrays[f"model/{name}"] = value.detach().numpy().copy()
    for index, slots in optimiser.state_dict()["state"].items():
        for name, value in slots.items():
            arrays[f"optimiser/{index}/{name}"] = np.array(torch.as_tensor(value).detach().numpy())
    return arrays


def restore(model: torch.nn.Module, optimiser: torch.optim.Optimizer, arrays: Arrays) -> None:
    """Set what `captured` returned."""
    torch.set_rng_state(torch.from_numpy(arrays["torch_rng"].copy()))
    model.load_state_dict(weights_of(arrays, "model/"))
    slots: dict[int, dict[str, Any]] = {}
    for name, value in arrays.items():
        if name.startswith("optimiser/"):
            _, index, slot = name.split("/")
            slots.setdefault(int(index), {})[slot] = torch.from_numpy(np.array(value))
    state = optimiser.state_dict()
    state["state"] = slots
    optimiser.load_state_dict(state)


def weights_of(arrays: Arrays, prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a prefix, by the names of a module."""
    return {
        name.removeprefix(prefix): torch.from_numpy(np.array(value))
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


def weights(model: torch.nn.Module, prefix: str) -> Arrays:
    """Return copies of all weights of a module, by prefixed name."""
    return {
        prefix + name: value.detach().numpy().copy() for name, value in model.state_dict().items()
    }
