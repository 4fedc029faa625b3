from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from classification.training.learner import Learner, Recipe
from classification.training.stages import Stages
from core.errors import JobFailedError

BATCH = (torch.randint(0, 256, (6, 8, 8, 3), generator=torch.Generator().manual_seed(0)).byte(), torch.arange(6) % 3)
STAGES = Stages((8,), (100,))
PLAIN = Recipe(STAGES, label_smoothing=0.0, mixup=0.0)


class Constant(nn.Module):
    """A network that gives every image the same logits."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(images), -1)


def learner(network: nn.Module, recipe: Recipe = PLAIN, shares: Any = (1 / 3,) * 3, teacher: Any = None) -> Learner:
    made = Learner(network, recipe, torch.tensor(shares), teacher)
    made.trainer = SimpleNamespace(global_step=3, world_size=1)  # the attributes of a trainer that a step uses
    return made


def test_the_loss_is_the_cross_entropy() -> None:
    found = learner(Constant(1.0, 0.0, -1.0)).training_step(BATCH, 0)
    assert found.item() == pytest.approx(float(torch.tensor([1.0, 0, -1]).logsumexp(0)), abs=1e-6)


def test_classes_that_are_drawn_more_often_are_not_predicted_more_often() -> None:
    """At the optimum of a network that ignores its input, its logits are equal: the prior explains the shares."""
    labels = torch.tensor([0, 0, 0, 0, 1, 2])
    network = Constant(0.0, 0.0, 0.0)
    learner(network, shares=(4 / 6, 1 / 6, 1 / 6)).training_step((BATCH[0], labels), 0).backward()
    assert network.logits.grad.abs().max() < 1e-6
    smooth = Recipe(STAGES, label_smoothing=0.2, mixup=0.0)  # must not favour rare classes either
    learner(network, smooth, shares=(4 / 6, 1 / 6, 1 / 6)).training_step((BATCH[0], labels), 0).backward()
    assert network.logits.grad.abs().max() < 1e-6
    learner(network).training_step((BATCH[0], labels), 0).backward()
    assert network.logits.grad.abs().max() > 0.1


def test_a_pupil_that_agrees_with_its_teacher_gets_no_gradient_from_it() -> None:
    taught = Recipe(STAGES, label_smoothing=0.0, mixup=0.0, teacher_share=1.0)
    pupil = Constant(2.0, 0.5, -1.0)
    assert learner(pupil, taught, teacher=Constant(3.0, 1.5, 0.0)).training_step(BATCH, 0).item() < 1e-6
    loss = learner(pupil, taught, teacher=Constant(0.0, 0.0, 4.0)).training_step(BATCH, 0)
    loss.backward()
    assert loss.item() > 0.1
    assert pupil.logits.grad[2] < 0  # towards the class that the teacher predicts


def test_the_teacher_is_not_part_of_the_state() -> None:
    made = learner(Constant(0.0, 0.0, 0.0), teacher=Constant(0.0, 0.0, 4.0))
    assert not [name for name in made.state_dict() if "teacher" in name]


def test_labels_are_mixed_in_the_same_way_as_images() -> None:
    made = learner(Constant(0.0, 0.0, 0.0), Recipe(STAGES, mixup=1.0))
    images = torch.eye(3).view(3, 3, 1, 1)
    torch.manual_seed(1)
    mixed, targets = made._mixed(images, torch.eye(3))
    assert torch.allclose(mixed.view(3, 3), targets)
    assert torch.allclose(targets.sum(dim=1), torch.ones(3))
    assert (targets.max(dim=1).values < 1).any()


def test_the_average_forgets_the_initial_weights_and_then_moves_slowly() -> None:
    network = Constant(0.0, 0.0, 0.0)
    made = learner(network, Recipe(STAGES, average=0.99))
    for step in range(200):
        with torch.no_grad():
            network.logits.fill_(1.0 if step < 199 else 5.0)
        made.average.update_parameters(network)
    averaged = made.averaged_weights()["logits"]
    assert torch.allclose(averaged, torch.tensor(1.0 + 4 * (1 - 200 / 209)), atol=0.02)


def test_the_learning_rate_rises_and_falls_to_zero() -> None:
    made = learner(Constant(0.0, 0.0, 0.0), Recipe(STAGES, warm_up=0.1))
    rates = [made._relative_rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0) == rates[10]
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0)


def test_the_learning_rate_falls_only_at_the_last_size() -> None:
    """At a low rate, the network does not adapt to larger images."""
    made = learner(Constant(0.0, 0.0, 0.0), Recipe(Stages((4, 6, 8), (40, 40, 20)), warm_up=0.1))
    rates = [made._relative_rate(step) for step in range(101)]
    assert rates[10:81] == [1.0] * 71
    assert rates[90] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0)


def test_norms_and_biases_do_not_decay() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    optimizer = learner(network).configure_optimizers()["optimizer"]
    decayed, others = optimizer.param_groups
    assert [weight.ndim for weight in decayed["params"]] == [4]
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.05, 0.0)
    assert len(others["params"]) == 3


def test_a_loss_that_is_not_a_number_stops_the_run() -> None:
    with pytest.raises(JobFailedError, match="step 3 is nan.*continue from the saved state"):
        learner(Constant(float("nan"), 0.0, 0.0)).training_step(BATCH, 0)


def test_validation_uses_the_averaged_weights_at_the_size_of_the_training() -> None:
    seen = []

    class Watching(Constant):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(images.shape))
            return images.mean(dim=(2, 3)) + self.logits

    made = learner(Watching(0.0, 0.0, 0.0), Recipe(Stages((4, 8), (4, 4))))
    with torch.no_grad():
        made.network.logits.fill_(float("nan"))  # only the average gives finite predictions
    made.validation_step(BATCH, 0)
    assert seen == [(6, 3, 4, 4)]
    assert 0 <= float(made.auroc.compute()) <= 1
