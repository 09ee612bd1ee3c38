"""Where the table, the executed notebook and the record of one analysis live under ``runs/``."""

from __future__ import annotations

from pathlib import Path

from diffred_core import paths

SUMMARY = "summary"  # stands for task and model of an analysis that reads all of them


def table_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/tables/<task>/<model>/<analysis>.csv``, each name slugged."""
    return _location("tables", task, model, analysis, ".csv")


def notebook_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/notebooks/<task>/<model>/<analysis>.ipynb``, each name slugged."""
    return _location("notebooks", task, model, analysis, ".ipynb")


def record_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/records/<task>/<model>/<analysis>.json``, each name slugged."""
    return _location("records", task, model, analysis, ".json")


def stamp_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/stamps/<task>/<model>/<analysis>.json``, each name slugged."""
    return _location("stamps", task, model, analysis, ".json")


def log_path(task: str, model: str, analysis: str) -> Path:
    """Return ``runs/logs/<task>/<model>/<analysis>.log``, each name slugged."""
    return _location("logs", task, model, analysis, ".log")


def template_path(analysis: str) -> Path:
    """Return ``notebooks/<analysis>.ipynb`` of the checkout."""
    return paths.project_root() / "notebooks" / f"{analysis}.ipynb"


def _location(kind: str, task: str, model: str, analysis: str, suffix: str) -> Path:
    folder = paths.runs_root() / kind / paths.slug(task) / paths.slug(model)
    return folder / f"{paths.slug(analysis)}{suffix}"
