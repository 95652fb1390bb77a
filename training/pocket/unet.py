"""Train the pocket base's UNet and text encoder together, on latents made once.

v-prediction, unweighted; half of the times are drawn where the face takes shape; cells of the face
weigh more. (Weights of min(SNR, 5) starve the noisy times, where the shape of a head is decided:
tried in the first edition.) `teachers.py` adds what the features must know. Photos and their morphs
(`morphs.py`) come by more often than renders. What ships
is the running average of the weights; the average that did best on unseen people is kept beside
the state.

v-prediction: Salimans and Ho, "Progressive distillation for fast sampling of diffusion models",
2022.

    python -m training.pocket.unet --latents work/latents --out work/unet --minutes 240 \
        --vae work/vae/vae
"""

import argparse
import copy
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from data_sets.captions import caption, full_caption, new_tokenizer, tokens
from training.pocket.latents import is_mirrored, points_of
from training.pocket.networks import GRID, new_scheduler, new_text_encoder, new_unet
from training.pocket.sheet import draw
from training.pocket.sitting import Clock, add_options, follow, learning_rate, save_whole
from training.pocket.teachers import Teachers

BATCH = 16
SHARES = {"photo": 0.34, "morph": 0.36, "render": 0.3}  # of a batch
SHAPING = (60, 620)  # times at which a face takes shape; half of a batch is drawn from these
AVERAGE = 0.9993  # of the weights a step: about the last 1,400 steps
FOLLOW_EVERY = 4  # steps
FACE_WEIGHT = 3.0  # of a cell in the middle of the face, beside 1 far from it
SAVE_EVERY, DRAW_EVERY = 180, 1200  # s


class Learnt:
    """Latents of unit variance in memory, with what is known of each head."""

    def __init__(self, folder: Path):
        raw = torch.from_numpy(np.load(folder / "latents.npy").astype(np.float32))
        self.rows = json.loads((folder / "rows.json").read_text())
        seen = np.array([not r["held_out"] for r in self.rows])
        photo = np.array([r["kind"] == "photo" for r in self.rows])
        morph = np.array([r.get("morph", False) for r in self.rows])
        self.photos, self.morphs = (np.flatnonzero(seen & photo & m) for m in (~morph, morph))
        self.renders = np.flatnonzero(seen & ~photo)
        self.unseen = np.flatnonzero(~seen)
        flat = raw[seen].transpose(1, 2).transpose(0, 1).flatten(1)  # (C, all places)
        self.mean, self.deviation = flat.mean(1), flat.std(1)
        self.latents = (raw - self.mean.view(-1, 1, 1)) / self.deviation.view(-1, 1, 1)
        self.landmarks = np.array([r["landmarks68"] for r in self.rows])
        embeddings = torch.tensor([r["embedding"] for r in self.rows])
        self.embeddings = embeddings * embeddings.shape[1] ** 0.5  # unit length -> unit variance

    def draw(self, count: int, rng) -> tuple[np.ndarray, np.ndarray]:
        """Indices of heads and of their variants, (count,) each."""
        pools = (self.photos, self.morphs, self.renders)
        pool = rng.choice(3, count, p=list(SHARES.values()))
        which = np.choose(pool, [rng.choice(heads, count) for heads in pools])
        return which, rng.integers(self.latents.shape[1], size=count)


def face_weight(points: torch.Tensor) -> torch.Tensor:
    """Weight of each cell, (B, 1, 16, 16) of mean 1: heavy about the face of points (B, 68, 2)."""
    inner = points[:, 17:]
    centre, spread = inner.mean(1), 1.7 * inner.std(1)  # (B, 2)
    cells = (torch.arange(GRID) + 0.5) / GRID
    x, y = ((cells - centre[:, k, None]) / spread[:, k, None] for k in (0, 1))  # (B, GRID)
    near = torch.exp(-(x[:, None, :].square() + y[:, :, None].square()) / 2)
    weight = 1 + (FACE_WEIGHT - 1) * near[:, None]
    return weight / weight.mean((1, 2, 3), keepdim=True)


def loss(unet, text_encoder, latents, words, timesteps, noise, alphas, weight=1.0) -> torch.Tensor:
    """-> the mean squared error of v.

    latents, noise  (B, C, 16, 16), latents of unit variance
    words           (B, LENGTH) tokens; timesteps (B,); alphas (1000,), cumulative products
    weight          (B, 1, 16, 16) of mean 1
    """
    alpha = alphas[timesteps].view(-1, 1, 1, 1)
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    target = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
    said = text_encoder(input_ids=words).last_hidden_state
    predicted = unet(noisy, timesteps, encoder_hidden_states=said).sample.float()
    return ((predicted - target).square() * weight).mean()


def steps(
    learnt: Learnt, models, averages, optimizer, state: dict, options, clock: Clock
) -> Iterator[dict]:
    """Trains until the time is over; yields what to tell after every step."""
    unet, text_encoder, teachers = models
    parameters = [p for model in models for p in model.parameters()]
    tokenizer, alphas = new_tokenizer(), new_scheduler().alphas_cumprod
    while clock.part < 1:
        rng = np.random.default_rng([options.seed, state["number"]])
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(options.learning_rate, state["number"], clock.part)
        which, variant = learnt.draw(BATCH, rng)
        sides = zip(which, is_mirrored(variant), strict=True)
        texts = [caption(learnt.rows[i]["mirrored" if m else "words"], rng) for i, m in sides]
        given = learnt.latents[which, variant]
        points = points_of(learnt.landmarks, which, variant)
        timesteps = torch.randint(1000, (BATCH,))
        timesteps[::2] = torch.randint(*SHAPING, (BATCH // 2,))
        noise, words = torch.randn_like(given), tokens(tokenizer, texts)
        with torch.autocast("cpu", torch.bfloat16, enabled=not options.float32):
            error = loss(
                unet, text_encoder, given, words, timesteps, noise, alphas, face_weight(points)
            )
        known, told = teachers.loss(points, learnt.embeddings[which])
        (error + known).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        state["number"] += 1
        if state["number"] % FOLLOW_EVERY == 0:
            keep = min(AVERAGE, (1 + state["number"]) / (10 + state["number"])) ** FOLLOW_EVERY
            for average, model in zip(averages, models[:2], strict=True):
                follow(average, model, keep)
        yield {"loss": error.item(), **told}


@torch.no_grad()
def check(learnt: Learnt, averages, which: np.ndarray) -> float:
    """Unweighted loss of the averaged weights, at fixed noise and times spread evenly."""
    generator = torch.Generator().manual_seed(1)
    latents = learnt.latents[which, 0]
    noise = torch.randn(latents.shape, generator=generator)
    timesteps = torch.linspace(20, 980, len(which)).long()[
        torch.randperm(len(which), generator=generator)
    ]
    words = tokens(new_tokenizer(), [full_caption(learnt.rows[i]["words"]) for i in which])
    alphas, parts = new_scheduler().alphas_cumprod, []
    for part in torch.arange(len(which)).split(32):
        one = (latents[part], words[part], timesteps[part], noise[part])
        parts.append(loss(*averages, *one, alphas).item() * len(part))
    return sum(parts) / len(which)


def train(options: argparse.Namespace) -> None:
    learnt = Learnt(options.latents)
    torch.manual_seed(options.seed)
    unet, text_encoder = new_unet(), new_text_encoder(len(new_tokenizer()))
    averages = tuple(copy.deepcopy(model).eval() for model in (unet, text_encoder))
    models = (unet, text_encoder, Teachers(unet))  # copied before the teachers watch it
    parameters = [p for model in models for p in model.parameters()]
    optimizer = torch.optim.AdamW(
        parameters, options.learning_rate, betas=(0.9, 0.99), weight_decay=1e-2, fused=True
    )
    named = dict(zip(("unet", "text_encoder", "teachers"), models, strict=True))
    named |= {"unet_average": averages[0], "text_average": averages[1]}
    state = {"number": 0, "used": 0.0, "best": np.inf}
    path = options.out / "state.pt"
    if path.exists():
        state = torch.load(path, weights_only=False)
        for name, model in named.items():
            model.load_state_dict(state[name])
        optimizer.load_state_dict(state["optimizer"])
    state.update(mean=learnt.mean, deviation=learnt.deviation)
    clock = Clock(options.minutes, state["used"])
    torch.manual_seed(options.seed + state["number"])
    photos = np.array([learnt.rows[i]["kind"] == "photo" for i in learnt.unseen])
    few = learnt.photos[np.linspace(0, len(learnt.photos) - 1, photos.sum()).astype(int)]
    sizes = [sum(p.numel() for p in model.parameters()) / 1e6 for model in models]
    pools = (learnt.photos, learnt.morphs, learnt.renders)
    heads = ", ".join(f"{len(n)} {k}s" for k, n in zip(SHARES, pools, strict=True))
    print(f"UNet {sizes[0]:.1f} M, text encoder {sizes[1]:.2f} M; {heads}; "
          f"step {state['number']}", flush=True)  # fmt: skip

    def keep(recent: list[dict]) -> None:
        state.update({name: model.state_dict() for name, model in named.items()})
        state.update(optimizer=optimizer.state_dict(), used=clock.used)
        unseen = [check(learnt, averages, learnt.unseen[kind]) for kind in (photos, ~photos)]
        if better := unseen[0] < state["best"]:
            state["best"] = unseen[0]
        save_whole(state, path)
        if better:
            shipped = ("unet_average", "text_average", "mean", "deviation", "number")
            save_whole({k: state[k] for k in shipped}, options.out / "best.pt")
        told = {k: np.mean([step[k] for step in recent]) for k in recent[0]} if recent else {}
        print(
            f"{clock.used / 60:6.1f} min, step {state['number']}, "
            + f"{state['number'] * BATCH} pictures, "
            + ", ".join(f"{k} {v:.4f}" for k, v in told.items())
            + f"; average: unseen photos {unseen[0]:.4f}, unseen renders {unseen[1]:.4f}, "
            + f"seen photos {check(learnt, averages, few):.4f}",
            flush=True,
        )

    recent, drawn = [], clock.used
    for told in steps(learnt, models, averages, optimizer, state, options, clock):
        recent.append(told)
        if clock.due(SAVE_EVERY):
            keep(recent)
            recent = []
        if options.vae and clock.used - drawn > DRAW_EVERY:
            drawn = clock.used
            draw(options.vae, path, options.out / f"sheet-{state['number']:06d}.jpg")
    keep(recent)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latents", type=Path, default=Path("work/latents"))
    parser.add_argument("--out", type=Path, default=Path("work/unet"))
    parser.add_argument("--vae", type=Path, help="draws a sheet of samples every half hour")
    add_options(parser, minutes=240, rate=8e-4)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
