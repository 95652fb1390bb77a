"""A small critic of patches, for an autoencoder that should draw hairs and lids where it is unsure.

Squared and absolute errors are least for a mean of all that could be there, which is a blur. The
critic sees patches of some 30 px and learns which are of pictures; the decoder learns to be taken
for one, and to give the critic the features that the picture gives it, which stands in for a
pretrained perceptual network.

Isola et al., "Image-to-image translation with conditional adversarial networks", 2017; features:
Larsen et al., "Autoencoding beyond pixels using a learned similarity metric", 2016.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (32, 64, 128)
FEATURES = 4.0  # weight of the features' differences, beside 1 of being taken for a picture
STEEPNESS = 0.5  # of the critic at pictures, squared (R1): a smooth critic is one to learn from


class Critic(nn.Module):
    """(B, 3, h, w) in -1..1 -> (B, 1, h/8, w/8) scores, > 0 for pictures, and the features."""

    def __init__(self):
        super().__init__()
        widths = (3, *WIDTHS)
        self.halvings = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths)
        )
        self.score = nn.Conv2d(WIDTHS[-1], 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        features = []
        for halving in self.halvings:
            x = F.leaky_relu(halving(x), 0.2)
            features.append(x)
        return self.score(x), features


def maker_loss(critic: Critic, made: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """For the decoder: how little `made` is taken for pictures, and how unlike its features are."""
    score, features = critic(made)
    with torch.no_grad():
        _, wanted = critic(given)
    unlike = [F.l1_loss(a, b) / b.abs().mean() for a, b in zip(features, wanted, strict=True)]
    return -score.mean() + FEATURES * sum(unlike) / len(unlike)


def critic_loss(critic: Critic, made: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """Hinge; made without gradient."""
    given = given.detach().requires_grad_(True)
    on_given, on_made = critic(given)[0], critic(made.detach())[0]
    (slope,) = torch.autograd.grad(on_given.sum(), given, create_graph=True)
    steep = slope.square().sum((1, 2, 3)).mean() / on_given[0].numel()
    return F.relu(1 - on_given).mean() + F.relu(1 + on_made).mean() + STEEPNESS * steep
