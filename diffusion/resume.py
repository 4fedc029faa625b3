"""Go on from a training state, or begin with the weights of an earlier network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from core.classes import CLASSES
from core.errors import CheckpointError
from core.models.checkpoint_checks import first_sentence
from core.models.class_folding import fold_class
from core.models.condition_embedding import build_unet
from diffusion.growing import grow, inner_config
from diffusion.state import conditioning_of
from diffusion.weights import Weights

if TYPE_CHECKING:
    from diffusion.learner import Learner

_EMBEDDING = "class_embedding."
_TELLING = ("num_class_embeds", "class_embed_type")


def resume(trainer: Learner, state: dict[str, Any], source: str) -> list[str]:
    """Put a trainer where a state was saved.

    Args:
        trainer: a fresh one.
        state: as ``diffusion.state.read_state`` gives it.
        source: what to call it in an error.

    Returns:
        Settings that are now others than when the state was made, in words.

    Raises:
        CheckpointError: the state is of another network or objective, or a part of it is damaged.
    """
    step = int(state["step"])
    fitting = [_plain(trainer.config.unet_at(place)) for place in {step, max(0, step - 1)}]
    if _plain(state["config"]) not in fitting:
        raise CheckpointError(
            f"{source} is the state of another architecture ({describe_network(state['config'])}) than this run's "
            f"({describe_network(trainer.config.unet_at(step))}); resume it with the settings that it was begun with."
        )
    prediction = state["scheduler"].get("prediction_type", "epsilon")
    if prediction != trainer.config.prediction_type:
        raise CheckpointError(f"{source} learns {prediction}; resume it with --prediction {prediction}.")
    try:
        trainer.load(state)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{source} is a damaged training state ({first_sentence(error)}).") from error
    return _changes(state["training_config"], trainer)


def start_from(trainer: Learner, weights: Weights, source: str, class_name: str | None = None) -> None:
    """Begin a run with the weights of an earlier network: step 0, fresh optimiser and average.

    A network of half the image size grows into this one. What the network is told may differ: a class is folded into
    a network of that class, and a part that the earlier network did not have begins with no effect.

    Raises:
        CheckpointError: the weights are of another architecture or objective.
    """
    prediction = weights.scheduler.get("prediction_type", "epsilon")
    if prediction != trainer.config.prediction_type:
        raise CheckpointError(f"{source} was trained for {prediction}; begin from it with --prediction {prediction}.")
    wanted = trainer.unet
    if weights.conditioning == "all" == trainer.config.conditioning and weights.trunk == _trunk(wanted):
        trainer.begin_with(wanted, {name: tensor.float() for name, tensor in weights.state_dict.items()})
        return
    state_dict, config = _told_alike(weights, wanted, class_name)
    telling = {key: config.get(key) for key in _TELLING if key in config}
    trunk, own = _trunk(config), _trunk(wanted)
    if trunk != own:
        if not _is_inner(trunk, own):
            raise CheckpointError(
                f"{source} is of another architecture ({describe_network(weights.config)}) than this run "
                f"({describe_network(wanted)}); choose its --architecture and --size, or twice the size."
            )
        plain = {key: value for key, value in wanted.items() if key not in _TELLING}
        state_dict = grow(state_dict, {**plain, **telling}, trainer.scheduler, trainer.config.seed)
    trainer.begin_with(wanted, _completed(state_dict, wanted, same=conditioning_of({"config": config})))


def _trunk(config: dict[str, Any]) -> dict[str, Any]:
    return Weights(config, {}, {}, {}).trunk


def describe_network(config: Any) -> str:
    """A network in a few words."""
    widths = "-".join(str(width) for width in config["block_out_channels"])
    told = {"none": "unconditional", "class": "told the class", "metadata": "told metadata"}
    return f"{config['sample_size']} px, {widths}, {told[conditioning_of({'config': config})]}"


def _told_alike(
    weights: Weights, wanted: dict[str, Any], class_name: str | None
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The weights as far as the wanted network is told the same."""
    state_dict = {name: tensor.float() for name, tensor in weights.state_dict.items()}
    target = conditioning_of({"config": wanted})
    if weights.conditioning == "class" and target == "none" and class_name:
        return fold_class(state_dict, weights.config, CLASSES.index(class_name))
    if weights.conditioning == target:
        return state_dict, weights.config
    trunk = {name: tensor for name, tensor in state_dict.items() if not name.startswith(_EMBEDDING)}
    return trunk, {key: value for key, value in weights.config.items() if key not in _TELLING}


def _completed(weights: dict[str, torch.Tensor], config: dict[str, Any], same: str) -> dict[str, torch.Tensor]:
    """With the part that reads labels, of no effect yet, where the earlier network had none."""
    if same == conditioning_of({"config": config}):
        return weights
    fresh = build_unet(config).state_dict()
    new = {name: tensor for name, tensor in fresh.items() if name.startswith(_EMBEDDING)}
    if "class_embedding.weight" in new:
        new["class_embedding.weight"].zero_()
    return {**weights, **new}


def _is_inner(trunk: dict[str, Any], own: dict[str, Any]) -> bool:
    try:
        return trunk == _plain(inner_config(own))
    except ValueError:
        return False


def _plain(config: Any) -> Any:
    """Tuples as lists, so that what a file gives back equals what was written."""
    return json.loads(json.dumps(config))


def _changes(before: dict[str, Any], trainer: Learner) -> list[str]:
    now = _plain(trainer.state()["training_config"])
    then = _plain(before)
    return [f"{key}: {then[key]} before, {now[key]} now" for key in now if key in then and then[key] != now[key]]
