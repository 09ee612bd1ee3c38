"""A map and a number format together: what somebody who drops dimensions applies, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diffred_core.compression._codes import NumberFormat
from diffred_core.compression._product import ProductCode
from diffred_core.compression._reduce import Reduction
from diffred_core.errors import InputError


@dataclass(frozen=True, eq=False)
class Transform:
    """From rows of d float numbers to rows as they are kept.

    Attributes
    ----------
    reduction : Reduction
    code : NumberFormat or ProductCode
        Of the numbers that the reduction gives.
    """

    reduction: Reduction
    code: NumberFormat | ProductCode

    @property
    def n_bytes(self) -> int:
        """Bytes of a kept vector."""
        return self.code.n_bytes(self.reduction.n_selected)

    def encode(self, X: Tensor) -> np.ndarray:
        """Return the rows of `X` (n, d) as they are kept."""
        return self.code.encode(self.reduction.apply(X))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that define it, by name: what a file keeps."""
        of_map = {name: getattr(self.reduction, name) for name in ("kept", "matrix", "offset")}
        tensors = {name: t for name, t in of_map.items() if t is not None} | self.code.arrays()
        arrays = {name: t.contiguous().numpy() for name, t in tensors.items()}
        return arrays or {"kept": np.arange(self.reduction.n_features)}

    def facts(self) -> dict[str, str]:
        """Return its kind, width and number format: the words beside the arrays in a file."""
        return {
            "kind": self.reduction.kind,
            "n_features": str(self.reduction.n_features),
            "format": self.code.name,
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, str]) -> Transform:
        """Return the transform that `arrays` and `facts` define.

        Raises
        ------
        InputError
            If they are not those of a transform.
        """
        if missing := {"kind", "n_features", "format"} - set(facts):
            raise InputError(f"expected a transform with {sorted(missing)[0]!r}, got a file without; save it again")
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        taken = {name: tensors.get(name) for name in ("kept", "matrix", "offset")}
        reduction = Reduction(facts["kind"], int(facts["n_features"]), **taken)
        if "centroids" in tensors:
            return cls(reduction, ProductCode(tensors["centroids"]))
        return cls(reduction, NumberFormat(facts["format"], tensors.get("low"), tensors.get("step")))

    def numpy_lines(self, file: str) -> str:
        """Return the lines of numpy that apply the transform kept in `file` to rows ``X``."""
        lines = ["import numpy as np; from safetensors.numpy import load_file", f"t = load_file({file!r})"]
        if self.reduction.matrix is None:
            Z = 'X[:, t["kept"]]' if self.reduction.kept is not None else "X"
        else:
            rows = "X" if self.reduction.offset is None else '(X - t["offset"])'
            Z = f'{rows} @ t["matrix"]'
        return "\n".join([*lines, _IN_NUMPY[self.code.name].format(Z=Z)])


_BITS = 'kept = np.packbits(({Z}) >= t["low"], axis=1)'
_IN_NUMPY = {
    "float32": "kept = ({Z}).astype(np.float32)",
    "float16": "kept = np.clip({Z}, -65504, 65504).astype(np.float16)",
    "int8": 'kept = np.clip(np.rint((({Z}) - t["low"]) / t["step"]), 0, 255).astype(np.uint8)',
    "binary_zero": _BITS,
    "binary_median": _BITS,
    "product": """c, Z = t["centroids"], {Z}
Z = np.pad(Z, ((0, 0), (0, len(c) * c.shape[2] - Z.shape[1]))).reshape(len(Z), len(c), -1)
near = [((c[m] ** 2).sum(1) - 2 * Z[:, m] @ c[m].T).argmin(1) for m in range(len(c))]
kept = np.stack(near, axis=1).astype(np.uint8)""",
}
