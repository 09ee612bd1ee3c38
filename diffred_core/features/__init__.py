"""Features of a frozen network, extracted once and kept: the only expensive thing on the way of the data."""

from diffred_core.errors import needs

with needs("images"):
    from diffred_core.features._extract import extract as extract
    from diffred_core.features._layer_moments import layer_moments as layer_moments
    from diffred_core.features._layer_names import layer_names as layer_names
    from diffred_core.features._layer_tasks import load_layers as load_layers
    from diffred_core.features._store import FeatureStore as FeatureStore
    from diffred_core.features._task import TaskFeatures as TaskFeatures
    from diffred_core.features._task import load as load
    from diffred_core.features._view_recipe import ViewRecipe as ViewRecipe
    from diffred_core.features._views import load_views as load_views
