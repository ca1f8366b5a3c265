"""Trees that were grown elsewhere -> a LightGBM model, by way of its text format.

The format is what LightGBM 4 writes and reads (`Tree::ToString` and `Tree::Tree` of src/io/tree.cpp,
`GBDT::SaveModelToString` and `LoadModelFromString` of src/boosting/gbdt_model_text.cpp). Fields that it can do without
are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm

MISSING_LEFT = 8 | 2  # decision_type: missing is NaN (2 << 2), it goes left (2), the split is by a number


@dataclass(frozen=True)
class Leaf:
    """`value` is added to the log-odds of its rows; `count`: rows it was grown on."""

    value: float
    count: int


@dataclass(frozen=True)
class Split:
    """A row goes left where its `feature` (a position) is at most `threshold` or missing."""

    feature: int
    threshold: float
    gain: float
    left: Split | Leaf
    right: Split | Leaf

    @property
    def count(self) -> int:
        return self.left.count + self.right.count


Node = Split | Leaf


def booster_of(trees: Sequence[Node], features: Sequence[str]) -> lightgbm.Booster:
    """Its probability is 1 / (1 + e^-z), z being the sum of the leaves that a row comes to. Names have no spaces.

    Counts decide Shapley values and their baseline (rows as they were grown on), gains decide importance.
    """
    head = {
        "version": "v4",
        "num_class": 1,
        "num_tree_per_iteration": 1,
        "label_index": 0,
        "max_feature_idx": len(features) - 1,
        "objective": "binary sigmoid:1",
        "feature_names": _joined(features),
        "feature_infos": _joined(["[-inf:inf]"] * len(features)),
    }
    blocks = [_lines(head), *(_tree(number, root) for number, root in enumerate(trees)), "end of trees\n"]
    return lightgbm.Booster(model_str="tree\n" + "\n".join(blocks))


def _tree(number: int, root: Node) -> str:
    splits: list[Split] = []
    leaves: list[Leaf] = []
    children: dict[int, tuple[int, int]] = {}

    def place(node: Node) -> int:
        """Its number in the text; that of leaf i is -i - 1."""
        if isinstance(node, Leaf):
            leaves.append(node)
            return -len(leaves)
        splits.append(node)
        own = len(splits) - 1
        children[own] = (place(node.left), place(node.right))
        return own

    place(root)
    own = [children[split] for split in range(len(splits))]
    fields = {
        "Tree": number,
        "num_leaves": len(leaves),
        "num_cat": 0,
        "split_feature": _joined(split.feature for split in splits),
        "split_gain": _joined(split.gain for split in splits),
        "threshold": _joined(split.threshold for split in splits),
        "decision_type": _joined(MISSING_LEFT for _ in splits),
        "left_child": _joined(left for left, _ in own),
        "right_child": _joined(right for _, right in own),
        "leaf_value": _joined(leaf.value for leaf in leaves),
        "leaf_count": _joined(leaf.count for leaf in leaves),
        "internal_count": _joined(split.count for split in splits),
        "is_linear": 0,
        "shrinkage": 1,
    }
    return _lines(fields)


def _joined(values: Any) -> str:
    return " ".join(map(str, values))  # of a float: the fewest digits that give the same float back


def _lines(fields: dict[str, Any]) -> str:
    return "".join(f"{name}={value}\n" for name, value in fields.items())
