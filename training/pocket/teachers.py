"""What the UNet's features must know at every level of noise, beside the noise itself.

Where the 68 landmarks of the face are, read off the features of 16 x 16 by one convolution, and
whose face it is: dlib's 128 numbers, read off the middle of the UNet. Features that are told what
they should know are learned sooner. What reads them off is not shipped.

Yu et al., "Representation alignment for generation: training diffusion transformers is easier
than you think", 2025.
"""

import torch
import torch.nn.functional as F
from torch import nn

from training.pocket.networks import WIDTHS

LANDMARK_WEIGHT = 0.02  # of the landmarks' cross-entropy, in nats, beside the squared error of v
IDENTITY_WEIGHT = 0.03  # of the squared error of dlib's numbers, each of unit variance


class Teachers(nn.Module):
    """Watches a UNet; `loss` speaks of its latest forward pass."""

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.landmarks = nn.Conv2d(WIDTHS[1], 68, 1)
        self.identity = nn.Sequential(nn.Linear(WIDTHS[1], 256), nn.SiLU(), nn.Linear(256, 128))
        self._seen: dict[str, torch.Tensor] = {}
        unet.up_blocks[0].register_forward_hook(lambda _, __, made: self._seen.update(wide=made))
        unet.mid_block.register_forward_hook(lambda _, __, made: self._seen.update(middle=made))

    def loss(self, points: torch.Tensor, embeddings: torch.Tensor) -> tuple[torch.Tensor, dict]:
        """-> what to add to the UNet's loss, and its parts to tell.

        points      (B, 68, 2) in parts of the window's side
        embeddings  (B, 128), each number of unit variance
        """
        placing = landmark_loss(self.landmarks(self._seen["wide"].float()), points)
        said = self.identity(self._seen["middle"].float().mean((2, 3)))
        naming = F.mse_loss(said, embeddings)
        told = {"landmarks": placing.item(), "identity": naming.item()}
        return LANDMARK_WEIGHT * placing + IDENTITY_WEIGHT * naming, told


def landmark_loss(logits: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of where each landmark is, in nats.

    logits (B, 68, h, w); points (B, 68, 2) in parts of the side
    """
    h, w = logits.shape[2:]
    at = points.clamp(0, 1) * torch.tensor([w, h]) - 0.5
    x = torch.exp(-(torch.arange(w) - at[..., :1]).square())  # a cell is sqrt(2) deviations wide
    y = torch.exp(-(torch.arange(h) - at[..., 1:]).square())
    wanted = (y[..., :, None] * x[..., None, :]).flatten(2)
    wanted = wanted / wanted.sum(-1, keepdim=True)
    return -(wanted * logits.flatten(2).log_softmax(-1)).sum(-1).mean()
