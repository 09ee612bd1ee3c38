"""Labelled images with their splits: embedded tasks, torchvision sets, and any folder of images."""

from diffred_core.errors import needs

with needs("images"):
    from diffred_core.datasets._dataset import Dataset as Dataset
    from diffred_core.datasets._registry import load as load
    from diffred_core.datasets._registry import names as names
    from diffred_core.datasets._splits import from_official as from_official
    from diffred_core.datasets._splits import split_off as split_off
    from diffred_core.datasets._splits import stratified_split as stratified_split
