"""The fine-tune on a tiny base with random weights, through the real path.

Processes of their own, where one is killed, runs out of disk, or is one of two, are
`finetune_run.py`.
"""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from finetune_run import FLOAT32, SUBJECT, painted_crops, tiny_stage
from safetensors.torch import load_file

from realism.config import ASSETS, Stage
from realism.diffusion.base import load_base, predict
from realism.diffusion.families import find_preset
from realism.diffusion.lora import describe_lora, load_lora
from realism.errors import InputError, Message
from realism.finetune.checkpoint import read_state
from realism.finetune.events import CropEncoded, LoraSaved, Note, TrainingStep
from realism.finetune.latents import draw_batch, read_latents
from realism.finetune.loop import finetune, learning_rate
from realism.finetune.run_folder import HeldOut

ABOUT = {"kind": "person", "trigger": SUBJECT}
REPOSITORY = Path(__file__).parents[2]
RUN = [sys.executable, str(REPOSITORY / "tests" / "finetune_run.py")]
MEI = ASSETS / "people" / "mei"


@pytest.fixture
def base(tiny_sd):
    return load_base(str(tiny_sd), FLOAT32)


def walk(base, out, stage, **more):
    crops = more.pop("crops", painted_crops())
    source = more.pop("source", "painted")
    return finetune(base, crops, source, stage, out, ABOUT, f"a photo of {SUBJECT}", **more)


def weights(folder: Path) -> dict:
    return load_file(folder / "pytorch_lora_weights.safetensors")


def same(first: Path, second: Path) -> bool:
    a, b = weights(first), weights(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def run(*arguments, **more) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*RUN, *map(str, arguments)], stdout=subprocess.PIPE, text=True, env=environment, **more
    )


# --- learning ------------------------------------------------------------------------------------


def test_the_loss_falls_when_one_picture_is_learned_by_heart(base, tmp_path):
    stage = replace(
        tiny_stage(60, 2), rank=16, learning_rate=2e-2, save_every=100,
        targets=("to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "conv_out"),
    )  # fmt: skip
    steps = [
        e
        for e in walk(base, tmp_path, stage, crops=painted_crops(1))
        if isinstance(e, TrainingStep)
    ]
    losses = [step.loss for step in steps]
    assert len(losses) == 60
    assert np.mean(losses[-20:]) < 0.8 * np.mean(losses[:10])
    assert steps[0].images_per_second > 0
    assert steps[-1].seconds_left == 0


@pytest.mark.parametrize(
    "targets", [tiny_stage(1, 1).targets, find_preset("pocket").stages[1].targets]
)
def test_a_lora_read_back_predicts_what_the_trained_one_did(base, tmp_path, targets):
    conditioning = {"encoder_hidden_states": torch.randn(1, 16, 32)}
    given = torch.randn(1, 4, 16, 16), torch.tensor([400]), conditioning
    with torch.no_grad():
        plain = predict(base, *given)
    for event in walk(base, tmp_path, replace(tiny_stage(4, 2), targets=targets)):
        if isinstance(event, LoraSaved):
            with torch.no_grad():
                trained = predict(base, *given)
    with torch.no_grad():
        assert torch.equal(predict(base, *given), plain)  # taken off when the walk is over
        load_lora(base, tmp_path / "last")
        assert torch.equal(predict(base, *given), trained)
    assert not torch.equal(trained, plain)
    names = weights(tmp_path / "last")
    assert all(any(target in name for name in names) for target in targets)
    about = describe_lora(tmp_path / "last")
    assert (about["kind"], about["trigger"], about["steps"]) == ("person", SUBJECT, 4)


def test_every_crop_is_learned_from_equally_often(base, tmp_path):
    events = walk(base, tmp_path, tiny_stage(4, 4))
    next(event for event in events if isinstance(event, TrainingStep))
    file = tmp_path / "running" / "latents.safetensors"
    events.close()
    with pytest.raises(StopIteration):
        next(events)
    from safetensors import safe_open

    with safe_open(file, "pt") as stored:
        latents = read_latents(file, stored.metadata()["source"])
    stage = tiny_stage(3, 4)
    drawn = [draw_batch(latents, stage, number, base) for number in (1, 2, 3)]
    means = torch.cat([batch.weight.mean((1, 2, 3)) for batch in drawn])
    expected = latents.weight.mean((1, 2, 3)).repeat(2)  # 12 drawn from 6
    assert torch.allclose(means.sort().values, expected.sort().values)
    timesteps = torch.cat([batch.timesteps for batch in drawn])
    assert timesteps.min() < 250
    assert timesteps.max() > 750


def test_the_learning_rate_warms_up_and_falls_to_its_end():
    stage = Stage(100, 1e-3, warm_up=10, last_rate=0.1)
    rates = [learning_rate(stage, number) for number in range(1, 101)]
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(1e-3)
    assert rates[-1] == pytest.approx(1e-4)


# --- stopping and going on -----------------------------------------------------------------------


def test_a_cancelled_run_goes_on_to_the_same_lora_bit_by_bit(base, tmp_path):
    stage = tiny_stage(10, 2)
    list(walk(base, tmp_path / "whole", stage))
    events = walk(base, tmp_path / "cut", stage)
    for event in events:
        if isinstance(event, TrainingStep) and event.number == 6:
            break
    events.close()
    assert (tmp_path / "cut" / "last").exists()  # of use as it is
    again = [
        e for e in walk(base, tmp_path / "cut", stage, crops=()) if isinstance(e, TrainingStep)
    ]
    assert [step.number for step in again] == [7, 8, 9, 10]
    assert same(tmp_path / "whole" / "last", tmp_path / "cut" / "last")
    assert not (tmp_path / "cut" / "running").exists()


@pytest.fixture
def one_thread():
    """As the processes of `run` have: sums in another order differ in their last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_a_process_killed_outright_goes_on_to_the_same_lora(base, tiny_sd, tmp_path, one_thread):
    list(walk(base, tmp_path / "whole", tiny_stage(12, 2)))
    with run(tiny_sd, tmp_path / "cut", 12, 2, 0.2) as process:
        for line in process.stdout:
            if line.startswith("step 7"):
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    events = walk(base, tmp_path / "cut", tiny_stage(12, 2))
    steps = [event.number for event in events if isinstance(event, TrainingStep)]
    assert steps[0] == 5  # after the state of step 4
    assert same(tmp_path / "whole" / "last", tmp_path / "cut" / "last")


@pytest.mark.parametrize("other", ["settings", "photos"])
def test_an_unfinished_run_of_something_else_is_not_mixed_in(base, tmp_path, other):
    events = walk(base, tmp_path, tiny_stage(10, 2))
    for event in events:
        if isinstance(event, TrainingStep) and event.number == 5:
            break
    events.close()
    stage = replace(tiny_stage(2, 2), learning_rate=1e-3 if other == "settings" else 1e-2)
    source = "other photos" if other == "photos" else "painted"
    events = list(walk(base, tmp_path, stage, source=source))
    assert [event.number for event in events if isinstance(event, TrainingStep)] == [1, 2]
    assert any(event == Note(Message("run_begun_anew")) for event in events)


@pytest.mark.slow
def test_a_full_disk_says_so_and_leaves_the_last_checkpoint(base, tiny_sd, tmp_path):
    list(walk(base, tmp_path / "whole", tiny_stage(8, 2)))
    events = walk(base, tmp_path / "cut", tiny_stage(8, 2))
    for event in events:
        if isinstance(event, LoraSaved):
            break
    events.close()
    before = weights(tmp_path / "cut" / "last")
    # A disk of its own would need root: instead the kernel refuses to let a file grow, which
    # Python meets in the same write() and disk.py takes for a full disk.
    limit = (tmp_path / "cut" / "last" / "pytorch_lora_weights.safetensors").stat().st_size // 2
    with run(tiny_sd, tmp_path / "cut", 8, 2, preexec_fn=lambda: _limit_files(limit)) as process:
        output = process.stdout.read()
    assert process.returncode == 2
    assert "unusable The disk is full" in output
    after = weights(tmp_path / "cut" / "last")
    assert all(torch.equal(before[name], after[name]) for name in before)
    list(walk(base, tmp_path / "cut", tiny_stage(8, 2)))
    assert same(tmp_path / "whole" / "last", tmp_path / "cut" / "last")


def _limit_files(size: int) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_with_twice_the_batch(base, tiny_sd, tmp_path):
    list(walk(base, tmp_path / "one", tiny_stage(5, 4)))
    launch = [
        sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
        "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
        RUN[1], str(tiny_sd), str(tmp_path / "two"), "5", "2",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(launch, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    alone, shared = weights(tmp_path / "one" / "last"), weights(tmp_path / "two" / "last")
    assert describe_lora(tmp_path / "two" / "last")["steps"] == 5
    apart = sum(float((alone[name] - shared[name]).square().sum()) for name in alone) ** 0.5
    assert apart < 1e-3 * sum(float(alone[name].square().sum()) for name in alone) ** 0.5


def test_stage_2_starts_from_the_weights_of_stage_1(base, tmp_path):
    list(walk(base, tmp_path / "first", tiny_stage(3, 2)))
    still = replace(tiny_stage(1, 2), learning_rate=0.0, weight_decay=0.0)
    list(walk(base, tmp_path / "second", still, start_from=tmp_path / "first" / "last"))
    assert same(tmp_path / "first" / "last", tmp_path / "second" / "last")
    with pytest.raises(InputError, match="rank 4"):
        list(walk(
            base, tmp_path / "third", replace(still, rank=8),
            start_from=tmp_path / "first" / "last",
        ))  # fmt: skip


def test_a_new_run_takes_the_best_of_an_older_one_away(base, tmp_path):
    held_out = HeldOut("a", np.float32([1.0]))
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "adapter.json").write_text("{}")
    list(walk(base, tmp_path, tiny_stage(2, 2), held_out=held_out))  # no engine: no similarity
    assert not (tmp_path / "best").exists()
    assert (tmp_path / "last").exists()
    assert read_state(tmp_path / "running" / "state.pt", "") is None


@pytest.mark.parametrize("left", [0, 0.5, 0.99])
def test_a_hurt_state_or_hurt_latents_begin_the_run_anew_to_the_same_lora(base, tmp_path, left):
    stage = replace(tiny_stage(3, 2), save_every=2)
    list(walk(base, tmp_path / "whole", stage))
    for name in ("state.pt", "latents.safetensors"):
        out = tmp_path / name
        events = walk(base, out, stage)
        next(event for event in events if isinstance(event, LoraSaved))
        events.close()  # stopped after the state was saved
        file = out / "running" / name
        file.write_bytes(file.read_bytes()[: int(left * file.stat().st_size)])
        again = list(walk(base, out, stage))
        encoded = any(isinstance(event, CropEncoded) for event in again)
        assert encoded == (name == "latents.safetensors")
        codes = [event.message.code for event in again if isinstance(event, Note)]
        assert ("run_begun_anew" in codes) == (name == "state.pt")
        assert same(tmp_path / "whole" / "last", out / "last")


# --- refusing ------------------------------------------------------------------------------------


def test_nothing_to_learn_from_is_refused_with_what_to_do(base, tmp_path):
    with pytest.raises(InputError, match="not one picture"):
        list(walk(base, tmp_path, tiny_stage(2, 2), crops=()))
