"""Growing a network: what gradient the incoming weights of new units get, by their outgoing weights (GradMax)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from diffred_core.chapters.training import frame
from diffred_core.errors import InputError

GRADMAX, RANDOM = "gradmax", "random"


@dataclass(frozen=True, eq=False)
class Student:
    """A network ``x -> tanh(x V) W`` without biases: its incoming weights V (d, m) and outgoing weights W (m, o)."""

    incoming: Tensor
    outgoing: Tensor

    def __call__(self, X: Tensor) -> Tensor:
        """Return its outputs of the rows X."""
        outputs: Tensor = torch.tanh(X @ self.incoming) @ self.outgoing
        return outputs

    @classmethod
    def drawn(cls, n_in: int, n_hidden: int, n_out: int, *, draw: torch.Generator) -> Student:
        """Return one with normal weights of variance 1 over the number of inputs of each."""
        incoming = torch.randn(n_in, n_hidden, generator=draw, dtype=torch.float64) / math.sqrt(n_in)
        outgoing = torch.randn(n_hidden, n_out, generator=draw, dtype=torch.float64) / math.sqrt(n_hidden)
        return cls(incoming, outgoing)

    def grown(self, outgoing: Tensor) -> Student:
        """Return the network with new units: incoming weights 0, and outgoing weights (k, o). Its outputs stay."""
        none = self.incoming.new_zeros(len(self.incoming), len(outgoing))
        return Student(torch.cat([self.incoming, none], 1), torch.cat([self.outgoing, outgoing]))


def lacking(student: Student, X: Tensor, targets: Tensor) -> Tensor:
    """Return the gradient of a layer of zero weights from the inputs to the outputs, ``X' R / n`` (d, o).

    R is the gradient of half the squared error by the outputs. New units with tanh, incoming weights 0 and outgoing
    weights W get the gradient ``X' R W' / n``, as tanh has slope 1 at 0: a rectifier has none there.
    """
    gradient: Tensor = X.mT @ (student(X) - targets) / len(X)
    return gradient


def outgoing_weights(gradient: Tensor, n_new: int, *, method: str, scale: float, draw: torch.Generator) -> Tensor:
    """Return the outgoing weights (n_new, o) of new units, orthogonal rows of length `scale`.

    Parameters
    ----------
    gradient : Tensor (d, o)
        From `lacking`.
    n_new : int
        At most o.
    method : {"gradmax", "random"}
        The leading right singular vectors of `gradient` (Evci et al. 2022, eq. 11), or random orthonormal ones.
    scale : float
    draw : Generator

    Raises
    ------
    InputError
        If more new units than outputs are asked for: their outgoing weights could not be orthogonal.
    """
    n_out = gradient.shape[1]
    if not 1 <= n_new <= n_out:
        raise InputError(
            f"expected from 1 to {n_out} new units, as many as outputs, got {n_new}; more have no orthogonal weights"
        )
    if method == GRADMAX:
        directions = torch.linalg.svd(gradient, full_matrices=False).Vh
    else:
        directions = torch.linalg.qr(torch.randn(n_out, n_out, generator=draw, dtype=gradient.dtype)).Q.mT
    return scale * directions[:n_new]


def incoming_gradient(student: Student, X: Tensor, targets: Tensor, *, n_new: int) -> float:
    """Return the squared norm of the gradient of the incoming weights of the last `n_new` units."""
    incoming = student.incoming.clone().requires_grad_()
    loss = half_error(Student(incoming, student.outgoing), X, targets)
    (gradient,) = torch.autograd.grad(loss, incoming)
    return float(gradient[:, -n_new:].square().sum())


def half_error(student: Student, X: Tensor, targets: Tensor) -> Tensor:
    """Return half the mean squared error: summed over outputs, mean over rows."""
    return (student(X) - targets).square().sum(1).mean() / 2


def descended(
    student: Student, X: Tensor, targets: Tensor, *, steps: int, learning_rate: float, at: Sequence[int], setting: str
) -> tuple[Student, dict[int, float]]:
    """Return the student after gradient descent on all rows, and its loss after the steps `at` and the last.

    Raises
    ------
    InputError
        If the loss is not finite at a step.
    """
    weights = [w.clone().requires_grad_() for w in (student.incoming, student.outgoing)]
    losses = {}
    for step in range(steps + 1):
        loss = half_error(Student(*weights), X, targets)
        frame.refuse_divergence(loss.detach(), step=step, setting=setting)
        if step in at or step == steps:
            losses[step] = float(loss.detach())
        if step < steps:
            with torch.no_grad():
                for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                    weight -= learning_rate * gradient
    return Student(*(w.detach() for w in weights)), losses


@dataclass(frozen=True, eq=False)
class Lesson:
    """A student that was trained on a teacher's outputs (n, o) of the rows X (n, d)."""

    student: Student
    X: Tensor
    targets: Tensor
    seed: int

    def reached(self, n_new: int, *, method: str) -> tuple[Student, float]:
        """Return the student with new units, and the squared norm of the gradient of their incoming weights."""
        draw = torch.Generator().manual_seed(self.seed)
        gradient = lacking(self.student, self.X, self.targets)
        grown = self.student.grown(outgoing_weights(gradient, n_new, method=method, scale=1.0, draw=draw))
        return grown, incoming_gradient(grown, self.X, self.targets, n_new=n_new)

    def bound(self, n_new: int) -> float:
        """Return the most that orthonormal outgoing weights can give: the sum of the first squared singular values."""
        values = torch.linalg.svdvals(lacking(self.student, self.X, self.targets))
        return float(values[:n_new].square().sum())


def lesson(
    *,
    n_in: int = 20,
    n_teacher: int = 10,
    n_out: int = 10,
    n_student: int = 5,
    n_rows: int = 1000,
    steps: int = 500,
    learning_rate: float = 0.1,
    seed: int = 0,
) -> Lesson:
    """Return a student of a teacher that is wider, trained by gradient descent on all rows.

    Parameters
    ----------
    n_in, n_teacher, n_out : int
        Of the teacher, a `Student` itself.
    n_student : int
        Hidden units of the student.
    n_rows : int
        Normal inputs.
    steps, learning_rate
    seed : int
        Of teacher, rows and student.

    Raises
    ------
    InputError
        As `descended`.
    """
    draw = torch.Generator().manual_seed(seed)
    X = torch.randn(n_rows, n_in, generator=draw, dtype=torch.float64)
    targets = Student.drawn(n_in, n_teacher, n_out, draw=draw)(X)
    small = Student.drawn(n_in, n_student, n_out, draw=draw)
    options: dict[str, Any] = {
        "steps": steps,
        "learning_rate": learning_rate,
        "at": (),
        "setting": f"the student of seed {seed}",
    }
    return Lesson(descended(small, X, targets, **options)[0], X, targets, seed)
