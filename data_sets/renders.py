"""Sets of renders with a line a picture in `metadata.jsonl`: `../shared/data/synthetic-faces`."""

import json
from pathlib import Path


def read_metadata(data: Path) -> list[dict]:
    """What is known of each picture of a set: "file_name", "person", "pose", ..."""
    return [json.loads(line) for line in (data / "metadata.jsonl").read_text().splitlines()]
