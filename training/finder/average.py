"""The mean of two networks' weights, of which one was trained on from the other.

What is learned on one sort of face is lost on another; a part of the way keeps more of both
(Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).

    python -m training.finder.average realism/marks/find/weights/heatmap.safetensors \\
        work/finder-net/last.safetensors --share 0.3 --out work/finder-net/mean.safetensors
"""

import argparse
from pathlib import Path

from realism.marks.find.network import read_about, read_heatmap, save_heatmap


def main() -> None:
    """Write the mean; how answers join with other evidence is the first one's."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second one, 0 to 1")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    net, after = read_heatmap(options.before), read_heatmap(options.after).state_dict()
    mean = {
        name: value.lerp(after[name], options.share)
        if value.is_floating_point() and not name.startswith("mix_")
        else value
        for name, value in net.state_dict().items()
    }
    net.load_state_dict(mean)
    about = {**read_about(options.after), "share": options.share}
    save_heatmap(options.out, net, about)


if __name__ == "__main__":
    main()
