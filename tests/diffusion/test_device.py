"""The device and its dtype: bf16 where it is faster, measured; memory as the machine tells it."""

import psutil
import pytest
import torch
from tiny_lora import CPU

from realism.diffusion.device import Device, choose_device, free_memory, measure_bf16_gain


@pytest.mark.parametrize("gain, autocast", [(0.6, None), (1.2, None), (3.0, torch.bfloat16)])
def test_bf16_trains_only_where_this_processor_multiplies_it_faster(monkeypatch, gain, autocast):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("realism.diffusion.device.measure_bf16_gain", lambda: gain)
    assert choose_device() == Device("cpu", torch.float32, autocast)


def test_the_gain_of_bf16_is_measured_not_believed():
    assert 0 < measure_bf16_gain() < 100
    assert measure_bf16_gain() == measure_bf16_gain()  # measured once a process


def test_free_memory_is_less_than_all_of_it_and_falls_when_some_is_taken():
    before = free_memory(CPU)
    assert 0 < before < psutil.virtual_memory().total
    held = torch.ones(2**29, dtype=torch.uint8)
    assert before - free_memory(CPU) > 2**28
    del held


def asked(monkeypatch, **answers):
    """What torch says of this machine's cards; what is not named is not there."""
    for name in ("cuda", "xpu"):
        monkeypatch.setattr(f"torch.{name}.is_available", lambda there=name in answers: there)
        monkeypatch.setattr(f"torch.{name}.set_device", lambda number: None)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: "mps" in answers)
    if "cuda" in answers:
        # As torch answers on a T4: yes by emulation, no by itself.
        monkeypatch.setattr(
            "torch.cuda.is_bf16_supported",
            lambda including_emulation=True: including_emulation or answers["cuda"],
        )
    if "xpu" in answers:
        monkeypatch.setattr("torch.xpu.is_bf16_supported", lambda: answers["xpu"])
    if "mps" in answers:
        monkeypatch.setattr("torch.backends.mps.is_macos_or_newer", lambda *_: answers["mps"])


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"cuda": True}, Device("cuda", torch.bfloat16, torch.bfloat16)),
        ({"cuda": False}, Device("cuda", torch.float16, torch.float16)),
        ({"xpu": True}, Device("xpu", torch.bfloat16, torch.bfloat16)),
        ({"xpu": False}, Device("xpu", torch.float16, torch.float16)),
        ({"mps": True}, Device("mps", torch.bfloat16, torch.bfloat16)),
        ({"mps": False}, Device("mps", torch.float32, None)),
        ({"cuda": True, "mps": True}, Device("cuda", torch.bfloat16, torch.bfloat16)),
    ],
)
def test_a_card_that_only_emulates_bf16_gets_float16_and_every_maker_s_card_is_taken(
    monkeypatch, answers, expected
):
    asked(monkeypatch, **answers)
    device = choose_device()
    assert device == expected
    assert device.scales_gradients == (expected.dtype == torch.float16)


def test_free_memory_is_asked_of_the_card(monkeypatch):
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (7, 9))
    monkeypatch.setattr("torch.xpu.mem_get_info", lambda: (6, 9))
    monkeypatch.setattr("torch.mps.recommended_max_memory", lambda: 9)
    monkeypatch.setattr("torch.mps.driver_allocated_memory", lambda: 4)
    free = [free_memory(Device(name, torch.float16, None)) for name in ("cuda", "xpu", "mps")]
    assert free == [7, 6, 5]
