"""Memory as cards are: what a step takes is known before it, and what is done to make it fit."""

import gc
import importlib.machinery
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch
from finetune_run import FLOAT32, SUBJECT, painted_crops, tiny_stage
from safetensors.torch import load_file

from benchmarks.tiny_flow import make_z_image
from realism.diffusion import placement as placements
from realism.diffusion.base import _LOADED, load_base
from realism.diffusion.device import Device
from realism.diffusion.identify import read_base
from realism.diffusion.lora import Adapter
from realism.diffusion.placement import GB, Placement, choose_placement, drawing_memory
from realism.diffusion.quantise import QuantisedLinear, bits_of, quantise
from realism.errors import InputError
from realism.finetune.events import Note, TrainingStep
from realism.finetune.loop import _optimizer, finetune
from realism.finetune.memory import (
    WORKSPACE,
    Plan,
    _Peak,
    needed_memory,
    plan_training,
    training_memory,
)
from realism.portraits.portrait import Portrait
from realism.portraits.sample import sample_portraits

CARD = Device("cuda", torch.bfloat16, torch.bfloat16)
FLOAT16 = Device("cpu", torch.float16, torch.float16)


@pytest.fixture
def base(tiny_sd):
    return load_base(str(tiny_sd), FLOAT32)


@pytest.fixture(scope="module")
def z_image(tmp_path_factory):
    return make_z_image(tmp_path_factory.mktemp("z-image"))


def walk(base, out, stage, **more):
    about = {"kind": "person", "trigger": SUBJECT}
    return finetune(base, painted_crops(), "painted", stage, out, about, "a face", **more)


def on_card(base):
    """The base as if it lay on a card: only the plan is made of it, nothing is run."""
    return replace(base, device=CARD)


def lying_on(card, monkeypatch) -> dict[str, int]:
    """Bytes of each part of a base, all of which lie on the card."""
    weights = {
        name: sum(t.nbytes for t in [*part.parameters(), *part.buffers()])
        for name, part in card.pipeline.components.items()
        if isinstance(part, torch.nn.Module)
    }
    monkeypatch.setattr(
        "realism.finetune.memory.bytes_on_device",
        lambda base, *besides: sum(n for name, n in weights.items() if name not in besides),
    )
    return weights


# What a step takes --------------------------------------------------------------------------------


def test_the_fullest_moment_is_counted_and_what_is_freed_is_not():
    held = torch.zeros(1000)
    with _Peak([held]) as fullest:
        a = held + 1  # 4000 bytes
        b = a * 2  # 4000 more
        a.add_(1)  # in place
        c = b.view(10, 100)  # no memory of its own
        del a
        gc.collect()
        d = c + 1
    assert fullest == [8000] and d.shape == (10, 100)


def test_a_rehearsed_step_takes_what_the_real_one_takes(base):
    stage = replace(tiny_stage(1, 4), rank=8)
    from realism.finetune.latents import Batch
    from realism.finetune.loop import _attach_lora, _batch_loss

    parameters = _attach_lora(base, stage, None, False)
    latents = torch.randn(4, *base.latent_shape)
    t = torch.tensor([1, 300, 600, 900])
    words = {"encoder_hidden_states": torch.randn(4, 77, 32)}
    batch = Batch(latents, latents + 1, t, torch.ones(4, 1, *latents.shape[2:]), words)
    here = [*base.network.parameters(), *latents[None], batch.noise, batch.weight, *words.values()]
    with _Peak(here) as fullest:
        _batch_loss(base, base.network, batch, stage).backward()
    base.pipeline.unload_lora_weights()
    rehearsed = training_memory(base, stage) - WORKSPACE * GB
    matrices = 12 * sum(parameter.numel() for parameter in parameters)
    assert rehearsed - matrices == pytest.approx(fullest[0], rel=0.15)


def test_checkpointing_and_a_smaller_batch_take_less(base):
    stage = tiny_stage(2, 8)
    whole = training_memory(base, stage) - WORKSPACE * GB
    assert whole > 3 * (training_memory(base, replace(stage, batch=1)) - WORKSPACE * GB)
    walked_again = training_memory(base, replace(stage, gradient_checkpointing=True))
    assert walked_again - WORKSPACE * GB < 0.9 * whole


# What is done to make it fit ----------------------------------------------------------------------


def test_what_costs_least_is_done_first(base, monkeypatch):
    stage = tiny_stage(2, 8)
    card = on_card(base)
    weights = lying_on(card, monkeypatch)
    everything = needed_memory(card, stage, Plan())
    assert plan_training(card, stage, everything) == Plan(needed=everything)
    away = plan_training(card, stage, everything - 1)
    assert away.put_away and not away.checkpointing
    assert away.needed == everything - weights["vae"] - weights["text_encoder"]
    again = plan_training(card, stage, away.needed - 1)
    assert again.put_away and again.checkpointing and again.bits is None
    eight = plan_training(card, stage, again.needed - 1)
    assert (eight.checkpointing, eight.bits, eight.small_moments) == (True, 8, False)
    four = plan_training(card, stage, eight.needed - 1)
    assert four.bits == 4
    with pytest.raises(InputError, match=r"GB are free\. Lower the batch to [1-7]\."):
        plan_training(card, stage, four.needed - 1)
    with pytest.raises(InputError, match="smaller base"):
        plan_training(card, stage, -(2**40))


def test_where_bitsandbytes_is_the_optimiser_counts_in_8_bits(base, monkeypatch):
    used = []

    class AdamW8bit(torch.optim.AdamW):
        def __init__(self, *given, **more):
            used.append(more["weight_decay"])
            super().__init__(*given, **more)

    library = types.ModuleType("bitsandbytes")
    library.__spec__ = importlib.machinery.ModuleSpec("bitsandbytes", None)
    optim = types.ModuleType("bitsandbytes.optim")
    optim.AdamW8bit = AdamW8bit
    monkeypatch.setitem(sys.modules, "bitsandbytes", library)
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", optim)
    stage, card = replace(tiny_stage(2, 8), gradient_checkpointing=True), on_card(base)
    lying_on(card, monkeypatch)
    small = needed_memory(card, stage, Plan(True, True, True))
    assert small < needed_memory(card, stage, Plan(True, True, False))
    assert plan_training(card, stage, small).small_moments
    _optimizer([torch.nn.Parameter(torch.zeros(2))], stage, True)
    assert used == [stage.weight_decay]


def test_the_plan_is_told_in_one_line_before_the_first_step(base, tmp_path):
    events = list(walk(base, tmp_path, tiny_stage(1, 2)))
    assert isinstance(events[0], Note)
    assert str(events[0].message).endswith("GB are free: everything stays where it is.")
    told = str(Plan(True, True, False, 4, 3 * 2**30).message(8 * 2**30))
    assert told == (
        "The fine-tune needs 3.0 GB more, 8.0 GB are free: text encoder and VAE are put away after "
        "encoding, gradient checkpointing, the base in 4 bits."
    )


@pytest.mark.parametrize("bits", [8, 4])
def test_a_base_in_few_bits_is_trained_and_gives_a_lora_for_the_whole_one(
    z_image, tmp_path, monkeypatch, bits
):
    _LOADED.clear()
    base = replace(load_base(str(z_image), FLOAT32), resolution=64)
    stage = replace(tiny_stage(2, 2), targets=base.family.attention)
    whole = load_and_draw(base, tmp_path / "none")
    monkeypatch.setattr(
        "realism.finetune.loop.plan_training", lambda *given: Plan(False, True, False, bits)
    )
    steps = [e for e in walk(base, tmp_path / "few", stage) if isinstance(e, TrainingStep)]
    assert len(steps) == 2 and all(np.isfinite(step.loss) for step in steps)
    assert bits_of(base.network) == bits
    _LOADED.clear()
    again = replace(load_base(str(z_image), FLOAT32), resolution=64)
    assert bits_of(again.network) is None
    changed = load_and_draw(again, tmp_path / "few")
    assert not np.array_equal(whole, changed)
    held = load_file(tmp_path / "few" / "last" / "pytorch_lora_weights.safetensors")
    assert all(value.dtype == torch.float32 for value in held.values())


def load_and_draw(base, run) -> np.ndarray:
    adapter = Adapter(run / "last") if run.exists() else None
    made = list(sample_portraits(base, "a face", "", [1], 2, 1.0, adapter))
    assert isinstance(made[-1], Portrait)
    return made[-1].pixels


@pytest.mark.parametrize(("bits", "least", "most"), [(8, 0.0, 0.01), (4, 0.02, 0.12)])
def test_few_bits_are_near_the_numbers_and_gradients_pass_through(bits, least, most):
    torch.manual_seed(0)
    layer = torch.nn.Linear(96, 40).requires_grad_(False)
    few = QuantisedLinear(layer, bits)
    off = (few.matrix(torch.float32) - layer.weight).norm() / layer.weight.norm()
    assert least < off < most
    stored = few.weight.nbytes + few.scale.nbytes
    assert stored < (0.32 if bits == 8 else 0.2) * layer.weight.nbytes
    x = torch.randn(3, 96, requires_grad=True)
    few(x).square().sum().backward()
    expected = 2 * (x @ few.matrix(x.dtype).T + layer.bias) @ few.matrix(x.dtype)
    assert torch.allclose(x.grad, expected, atol=1e-4)
    fewer = QuantisedLinear(few, 4)
    assert fewer.bits == 4 and torch.isfinite(fewer.matrix(torch.float32)).all()


def test_only_the_matrices_of_repeated_blocks_are_stored_so(z_image):
    base = load_base(str(z_image), FLOAT32)
    network = base.network
    before = {name for name, part in network.named_modules() if type(part) is torch.nn.Linear}
    quantise(network, 8)
    after = {name for name, part in network.named_modules() if isinstance(part, QuantisedLinear)}
    assert after and after < before
    assert "all_x_embedder.2-1" not in after and "layers.0.attention.to_q" in after
    _LOADED.clear()


# Cards before Ampere, and where weights lie -------------------------------------------------------


def test_float16_is_trained_with_scaled_gradients_and_goes_on_exactly(tiny_sd, tmp_path):
    _LOADED.clear()
    base = load_base(str(tiny_sd), FLOAT16)
    assert base.network.dtype == torch.float16 and FLOAT16.scales_gradients
    stage = tiny_stage(4, 2)
    list(walk(base, tmp_path / "whole", stage))
    events = walk(base, tmp_path / "cut", stage)
    for event in events:
        if isinstance(event, TrainingStep) and event.number == 2:
            break
    events.close()
    state = torch.load(tmp_path / "cut/running/state.pt", weights_only=True)
    assert state["scaler"]["scale"] > 1
    assert all(matrix.dtype == torch.float32 for matrix in state["lora"])
    list(walk(base, tmp_path / "cut", stage))
    whole, cut = (load_file(tmp_path / run / "last" / "pytorch_lora_weights.safetensors")
                  for run in ("whole", "cut"))  # fmt: skip
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    assert any(
        value.any() for name, value in whole.items() if "lora.up" in name or "lora_B" in name
    )
    _LOADED.clear()


def test_only_the_part_that_works_lies_on_the_device(tiny_sd, tmp_path, monkeypatch):
    base = replace(load_base(str(tiny_sd), FLOAT32), placement=Placement(offload=True))
    parts = {id(part): name for name, part in base.pipeline.components.items()}
    moves = []
    monkeypatch.setattr(placements, "WAITING", "away")
    move = torch.nn.Module.to

    def to(module, *given, **more):
        if id(module) in parts and given and isinstance(given[0], str):
            moves.append((parts[id(module)], given[0]))
            return module
        return move(module, *given, **more)

    monkeypatch.setattr(torch.nn.Module, "to", to)
    monkeypatch.setattr(torch, "cpu", types.SimpleNamespace(empty_cache=lambda: None))
    list(sample_portraits(base, "a face", "", [1], 2))
    there = [name for name, where in moves if where == "cpu"]
    assert there == ["text_encoder", "unet", "vae"]
    assert moves[:2] == [("vae", "away"), ("unet", "away")]


def test_what_fits_is_chosen_from_what_is_free(z_image, monkeypatch):
    files = read_base(z_image)
    # The numbers of the real one: 6 billion beside a language model of 4.
    counts = {"transformer": 6_150_000_000, "text_encoder": 4_020_000_000, "vae": 84_000_000}
    files = replace(files, part_counts=counts, resolution=1024)

    class Memory:
        available = 64 * GB

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    chosen = {
        size: choose_placement(files, CARD, int(size * 0.94 * GB))
        for size in (4, 8, 12, 16, 24, 32)
    }
    assert chosen[32] == chosen[24] == Placement()
    assert chosen[16] == Placement(True)
    assert chosen[12] == chosen[8] == Placement(True, 8)
    assert chosen[4] == Placement(True, 4) or chosen[4] is None
    assert [str(note).split(":")[0] for note in chosen[8].notes()] == [
        "It does not fit the card as a whole",
        "Its matrices are stored in 8 bits to fit",
    ]
    Memory.available = 4 * GB  # the others would have nowhere to wait
    assert choose_placement(files, CARD, 15 * GB) is None
    assert choose_placement(files, FLOAT32, 24 * GB).bits == 8  # a processor has one memory
    assert drawing_memory(files, CARD, Placement(True, 4)) < 6 * GB
