from __future__ import annotations

import torch

from core.models.class_folding import fold_class
from tests.conftest import TINY_UNET, tiny_unet


def test_a_folded_model_is_the_conditional_model_of_its_class() -> None:
    conditional = tiny_unet(3, num_class_embeds=8)
    noise = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor([0, 10, 500, 999])
    config = {**TINY_UNET, "num_class_embeds": 8}
    for index in range(8):
        weights, plain_config = fold_class(conditional.state_dict(), config, index)
        folded = tiny_unet(4, num_class_embeds=plain_config["num_class_embeds"])
        folded.load_state_dict(weights)
        with torch.inference_mode():
            expected = conditional(noise, timesteps, class_labels=torch.full((4,), index)).sample
            found = folded(noise, timesteps).sample
        assert (found - expected).abs().max() <= 1e-5


def test_classes_fold_to_different_models() -> None:
    conditional = tiny_unet(3, num_class_embeds=8)
    biases = [fold_class(conditional.state_dict(), {}, index)[0]["time_embedding.linear_2.bias"] for index in range(7)]
    assert all((one - other).abs().max() > 0.1 for i, one in enumerate(biases) for other in biases[:i])


def test_the_folded_bias_keeps_fp32_among_fp16_weights() -> None:
    weights = {name: tensor.half() for name, tensor in tiny_unet(3, num_class_embeds=8).state_dict().items()}
    folded, _ = fold_class(weights, {}, 0)
    assert folded["time_embedding.linear_2.bias"].dtype == torch.float32
    assert folded["conv_in.weight"].dtype == torch.float16
