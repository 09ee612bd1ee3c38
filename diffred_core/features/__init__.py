"""Features of a frozen network, extracted once and kept: the only expensive thing on the way of the data."""

from diffred_core.features._extract import extract as extract
from diffred_core.features._store import FeatureStore as FeatureStore
from diffred_core.features._task import TaskFeatures as TaskFeatures
from diffred_core.features._task import load as load
