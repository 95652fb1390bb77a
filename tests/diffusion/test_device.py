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
