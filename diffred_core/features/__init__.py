"""Features of a frozen network, extracted once and kept: the only expensive thing on the way of the data.

A `Source` names model and task once; its methods give the last layer, all layers, random views, or moments.
"""

from diffred_core.errors import needs

with needs("images"):
    from diffred_core.features._engine import build_engine as build_engine
    from diffred_core.features._extract import STDERR as STDERR
    from diffred_core.features._extract import whole_stores as whole_stores
    from diffred_core.features._layer_names import layer_names as layer_names
    from diffred_core.features._layers import PENULTIMATE as PENULTIMATE
    from diffred_core.features._source import Source as Source
    from diffred_core.features._store import FeatureStore as FeatureStore
    from diffred_core.features._task import TaskFeatures as TaskFeatures
    from diffred_core.features._vectors import Vectors as Vectors
    from diffred_core.features._views import ViewRecipe as ViewRecipe
