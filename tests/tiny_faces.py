"""A small pack of InsightFace's layout: its own loader runs it, its detector knows one place."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def constant_pack(folder, face, size) -> None:
    """A small pack in buffalo_l's layout, whose detector sees `face` at its place.

    The graphs have InsightFace's inputs and outputs and run through its own loader. The
    detector's answer is fixed; the embedding is truly computed from the aligned picture.
    """
    folder.mkdir(parents=True)
    scale = 640 / size  # insightface's own resize of a square picture
    box = face.box * scale
    points = face.mesh[:, :2] * scale
    kps = np.stack([points[[33, 133]].mean(0), points[[362, 263]].mean(0), points[1]])
    kps = np.concatenate([kps, points[[61, 291]]])
    outputs = {"score": 1, "box": 4, "kps": 10}
    arrays = []
    for kind, width in outputs.items():
        for stride in (8, 16, 32):
            cells = 640 // stride
            values = np.zeros((cells * cells * 2, width), np.float32)
            if stride == 32:
                x, y = ((box[:2] + box[2:]) / 2 // 32).astype(int)
                anchor = np.float32([x, y]) * 32
                row = (y * cells + x) * 2
                values[row] = {
                    "score": [0.9],
                    "box": np.concatenate([anchor - box[:2], box[2:] - anchor]) / 32,
                    "kps": (kps - anchor).ravel() / 32,
                }[kind]
            arrays.append((f"{kind}{stride}", values))
    save_graph(folder / "det_10g.onnx", 640, arrays)
    draw = np.random.default_rng(0)
    weights = draw.normal(size=(3 * 16 * 16, 512)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["in"], ["pooled"], kernel_shape=[7, 7], strides=[7, 7]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "arcface",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 512])],
        [numpy_helper.from_array(weights, "weights")],
    )
    save(graph, folder / "w600k_r50.onnx")
    landmarks = np.zeros((1, 3309), np.float32)
    save_graph(folder / "1k3d68.onnx", 192, [("fc1", landmarks)])


def save_graph(path, side, arrays) -> None:
    nodes, values = [], []
    for name, array in arrays:
        # The input is used, so that the graph keeps it: mean times nought is added.
        nodes += [
            helper.make_node("ReduceMean", ["in"], [f"m{name}"], keepdims=0),
            helper.make_node("Mul", [f"m{name}", "nought"], [f"n{name}"]),
            helper.make_node("Add", [f"c{name}", f"n{name}"], [name]),
        ]
        values.append(numpy_helper.from_array(array, f"c{name}"))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in arrays],
        [*values, numpy_helper.from_array(np.float32(0), "nought")],
    )
    save(graph, path)


def save(graph, path) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
