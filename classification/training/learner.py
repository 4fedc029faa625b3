"""One training step and one validation, as Lightning wants them."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from classification.networks import normalise, resized  # before lightning, which imports torchvision
from classification.training.stages import Stages
from core.errors import JobFailedError
from core.generation.seeds import stream_seed

import lightning  # isort: skip
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC  # isort: skip

AUROC: Final = "validation_auroc"
BALANCED_ACCURACY: Final = "validation_balanced_accuracy"
_TEMPERATURE: Final = 4.0


@dataclass(frozen=True)
class Recipe:
    """What decides a step, apart from the images.

    Attributes:
        stages: of the run.
        learning_rate: the highest one, of AdamW.
        weight_decay: of every weight that is not a norm or a bias.
        warm_up: share of the steps over which the learning rate rises.
        label_smoothing: share of a label that is spread over all classes, as often as they are drawn.
        mixup: both parameters of the Beta distribution that mixes pairs of images; 0 mixes none.
        average: how long the averaged weights remember: the decay of one step.
        teacher_share: how much of the loss is to agree with the teacher, where there is one.
        seed: of dropout and mixing.
    """

    stages: Stages
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warm_up: float = 0.05
    label_smoothing: float = 0.1
    mixup: float = 0.2
    average: float = 0.998
    teacher_share: float = 0.7
    seed: int = 0


class Learner(lightning.LightningModule):
    """A network that learns, and the running average of its weights, which is what is validated and kept.

    Args:
        network: takes normalised images (B, 3, S, S), gives logits (B, C).
        recipe: how it learns.
        shares: share of each class among the images drawn, (C,). Their logarithm is added to the logits in training
            alone, so that the network by itself treats classes as equally likely, however they are drawn (A. K. Menon
            et al., Long-tail learning via logit adjustment, arXiv 2007.07314).
        teacher: a trained network of the same outputs, for images of any size. Its softened answers to the very same
            augmented images are learnt as well (G. Hinton et al., Distilling the knowledge in a neural network, arXiv
            1503.02531; L. Beyer et al., A good teacher is patient and consistent, arXiv 2106.05237).
    """

    prior: torch.Tensor

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        shares: torch.Tensor,
        teacher: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.average = AveragedModel(network, avg_fn=self._averaged, use_buffers=True)
        self.average.requires_grad_(False)
        self.register_buffer("prior", shares.clamp(min=1e-6).log(), persistent=False)
        self._teacher = [teacher.requires_grad_(False).eval()] if teacher else []  # a list: not saved with the weights
        classes = len(shares)
        self.auroc = MulticlassAUROC(classes, average="macro", validate_args=False)
        self.accuracy = MulticlassAccuracy(classes, average="macro", validate_args=False)

    def _averaged(self, average: torch.Tensor, present: torch.Tensor, count: torch.Tensor | int) -> torch.Tensor:
        """A short memory at first, so that the random beginning is soon forgotten."""
        remembered = min(self.recipe.average, float((1 + count) / (10 + count)))
        return average + (present - average) * (1 - remembered)

    def on_fit_start(self) -> None:
        """Bring the teacher, which is no part of this module, to the device."""
        self._teacher = [teacher.to(self.device) for teacher in self._teacher]

    def on_train_batch_start(self, _batch: Any, _batch_index: int) -> None:
        """Seed by the step: dropout and mixing do not depend on what was drawn before, nor on a resume."""
        number = self.global_step * self.trainer.world_size + self.global_rank
        torch.manual_seed(stream_seed(self.recipe.seed, number))

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _index: int) -> torch.Tensor:
        """Loss of one batch: uint8 (B, S, S, 3) and output indices (B,).

        Raises:
            JobFailedError: it is not a number.
        """
        images, targets = normalise(batch[0]), functional.one_hot(batch[1], len(self.prior)).float()
        if self.recipe.mixup:
            images, targets = self._mixed(images, targets)
        # Smoothed towards the shares, not evenly: else the logits of rare classes would be raised for every image.
        targets = torch.lerp(targets, self.prior.exp(), self.recipe.label_smoothing)
        logits = self.network(images).float()
        loss = functional.cross_entropy(logits + self.prior, targets)
        if self._teacher:
            share = self.recipe.teacher_share
            loss = (1 - share) * loss + share * self._disagreement(logits, images)
        if not math.isfinite(loss.item()):
            raise JobFailedError(
                f"The loss of step {self.global_step} is {loss.item()}; the saved state is good: go on from it with a "
                "lower --learning-rate or --precision fp32."
            )
        return loss

    def _mixed(self, images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pairs of images and of their labels, mixed (H. Zhang et al., mixup, arXiv 1710.09412)."""
        share = float(torch.distributions.Beta(self.recipe.mixup, self.recipe.mixup).sample())
        order = torch.randperm(len(images), device=images.device)
        return torch.lerp(images[order], images, share), torch.lerp(targets[order], targets, share)

    def _disagreement(self, logits: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            taught = self._teacher[0](images).float()
        wanted = (taught / _TEMPERATURE).log_softmax(dim=1)
        found = (logits / _TEMPERATURE).log_softmax(dim=1)
        distance = functional.kl_div(found, wanted, reduction="batchmean", log_target=True)
        return distance * _TEMPERATURE**2  # keeps the size of its gradient (Hinton et al., section 2)

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """Let the average follow each step, before any callback can save the state."""
        super().optimizer_step(*arguments, **named)
        self.average.update_parameters(self.network)

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], _index: int) -> None:
        """Gather what the averaged weights say of one batch; its form is that of a training batch."""
        images = resized(normalise(batch[0]), self.recipe.stages.size(self.global_step - 1))
        probabilities = self.average(images).float().softmax(dim=1)
        self.auroc.update(probabilities, batch[1])
        self.accuracy.update(probabilities, batch[1])

    def on_validation_epoch_end(self) -> None:
        """Log macro AUROC and balanced accuracy of the whole part."""
        self.log(AUROC, self.auroc.compute())
        self.log(BALANCED_ACCURACY, self.accuracy.compute())
        self.auroc.reset()
        self.accuracy.reset()

    def configure_optimizers(self) -> Any:
        """AdamW (I. Loshchilov, F. Hutter, arXiv 1711.05101) with a warm-up and a half cosine down to nothing."""
        decayed = [weight for weight in self.network.parameters() if weight.ndim > 1]
        others = [weight for weight in self.network.parameters() if weight.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": self.recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.recipe.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._relative_rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _relative_rate(self, step: int) -> float:
        """A small rate would not get the network used to a larger image, so only the last size sees it fall."""
        stages = self.recipe.stages
        warm_up = max(1, round(self.recipe.warm_up * stages.total))
        falls_from = max(warm_up, stages.total - stages.steps[-1])
        progress = min(1.0, max(0, step - falls_from) / max(1, stages.total - falls_from))
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * progress))

    def averaged_weights(self) -> dict[str, torch.Tensor]:
        """A copy of the averaged weights under the network's own names, on the CPU."""
        return {name: copy.deepcopy(tensor).cpu() for name, tensor in self.average.module.state_dict().items()}
