"""Training and validation steps for Lightning."""

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
    """Settings of the training steps.

    Attributes:
        stages: image sizes of the run.
        learning_rate: highest learning rate of AdamW.
        weight_decay: weight decay of all weights except norms and biases.
        warm_up: share of the steps in which the learning rate rises.
        label_smoothing: share of a label that is spread over all classes, in proportion to their draws.
        mixup: both parameters of the Beta distribution for mixing pairs of images; 0 turns mixing off.
        average: decay per step of the running average of the weights.
        teacher_share: share of the teacher's term in the loss.
        seed: seed of dropout and mixing.
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
    """A network in training and the running average of its weights, which is validated and kept.

    Args:
        network: from normalised images (B, 3, S, S) to logits (B, C).
        recipe: settings of the steps.
        shares: share of each class among the drawn images, (C,). Their logarithm is added to the logits during training
            only, so that the network treats all classes as equally likely, however often they are drawn (A. K. Menon
            et al., Long-tail learning via logit adjustment, arXiv 2007.07314).
        teacher: trained network with the same outputs, for images of any size. Its softened predictions for the same
            augmented images are learnt too (G. Hinton et al., Distilling the knowledge in a neural network, arXiv
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
        self._teacher = [teacher.requires_grad_(False).eval()] if teacher else []  # in a list, so that it is not saved
        classes = len(shares)
        self.auroc = MulticlassAUROC(classes, average="macro", validate_args=False)
        self.accuracy = MulticlassAccuracy(classes, average="macro", validate_args=False)

    def _averaged(self, average: torch.Tensor, present: torch.Tensor, count: torch.Tensor | int) -> torch.Tensor:
        """Average with a short memory at first, so that the initial weights are soon forgotten."""
        remembered = min(self.recipe.average, float((1 + count) / (10 + count)))
        return average + (present - average) * (1 - remembered)

    def on_fit_start(self) -> None:
        """Move the teacher, which is not a submodule, to the device."""
        self._teacher = [teacher.to(self.device) for teacher in self._teacher]

    def on_train_batch_start(self, _batch: Any, _batch_index: int) -> None:
        """Seed by the step, so that dropout and mixing do not depend on earlier draws or on a resume."""
        number = self.global_step * self.trainer.world_size + self.global_rank
        torch.manual_seed(stream_seed(self.recipe.seed, number))

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _index: int) -> torch.Tensor:
        """Loss of one batch: uint8 (B, S, S, 3) and output indices (B,).

        Raises:
            JobFailedError: the loss is not a number.
        """
        images, targets = normalise(batch[0]), functional.one_hot(batch[1], len(self.prior)).float()
        if self.recipe.mixup:
            images, targets = self._mixed(images, targets)
        # Smooth towards the shares: even smoothing would raise the logits of rare classes for every image.
        targets = torch.lerp(targets, self.prior.exp(), self.recipe.label_smoothing)
        logits = self.network(images).float()
        loss = functional.cross_entropy(logits + self.prior, targets)
        if self._teacher:
            share = self.recipe.teacher_share
            loss = (1 - share) * loss + share * self._disagreement(logits, images)
        if not math.isfinite(loss.item()):
            raise JobFailedError(
                f"The loss of step {self.global_step} is {loss.item()}; continue from the saved state with a lower "
                "--learning-rate or --precision fp32."
            )
        return loss

    def _mixed(self, images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mixed pairs of images and of their labels (H. Zhang et al., mixup, arXiv 1710.09412)."""
        share = float(torch.distributions.Beta(self.recipe.mixup, self.recipe.mixup).sample())
        order = torch.randperm(len(images), device=images.device)
        return torch.lerp(images[order], images, share), torch.lerp(targets[order], targets, share)

    def _disagreement(self, logits: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            taught = self._teacher[0](images).float()
        wanted = (taught / _TEMPERATURE).log_softmax(dim=1)
        found = (logits / _TEMPERATURE).log_softmax(dim=1)
        distance = functional.kl_div(found, wanted, reduction="batchmean", log_target=True)
        return distance * _TEMPERATURE**2  # keeps the scale of the gradient (Hinton et al., section 2)

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """Update the average after each step, before any callback can save the state."""
        super().optimizer_step(*arguments, **named)
        self.average.update_parameters(self.network)

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], _index: int) -> None:
        """Collect the predictions of the averaged weights for one batch, which has the form of a training batch."""
        images = resized(normalise(batch[0]), self.recipe.stages.size(self.global_step - 1))
        probabilities = self.average(images).float().softmax(dim=1)
        self.auroc.update(probabilities, batch[1])
        self.accuracy.update(probabilities, batch[1])

    def on_validation_epoch_end(self) -> None:
        """Log macro AUROC and balanced accuracy of the whole validation part."""
        self.log(AUROC, self.auroc.compute())
        self.log(BALANCED_ACCURACY, self.accuracy.compute())
        self.auroc.reset()
        self.accuracy.reset()

    def configure_optimizers(self) -> Any:
        """AdamW (I. Loshchilov, F. Hutter, arXiv 1711.05101) with a warm-up and a half cosine down to 0."""
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
        """Relative learning rate. It falls only at the last size, because at a low rate a network does not adapt."""
        stages = self.recipe.stages
        warm_up = max(1, round(self.recipe.warm_up * stages.total))
        falls_from = max(warm_up, stages.total - stages.steps[-1])
        progress = min(1.0, max(0, step - falls_from) / max(1, stages.total - falls_from))
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * progress))

    def averaged_weights(self) -> dict[str, torch.Tensor]:
        """A copy of the averaged weights on the CPU, with the parameter names of the network."""
        return {name: copy.deepcopy(tensor).cpu() for name, tensor in self.average.module.state_dict().items()}
